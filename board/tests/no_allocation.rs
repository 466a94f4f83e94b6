//! What a packet costs in the ports over AF_XDP: no memory, and hardly a system call.
//!
//! An allocator counts while packets come and go; strace counts the calls of the thread that moves them. Packets wait in the ring
//! when counting begins, so that every burst is full, whatever else the machine does.
//!
//! Not here: what the pipeline costs (its own test of this name).

mod namespaces;

use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::time::{Duration as Patience, Instant};

use board::host::sys;
use board::linux::{Plan, Ports};
use embassy_time::Duration;
use hal::{BURST, Burst, Dscp, Ports as _};
use namespaces::Wire;

/// Packets of a run: all of them fit the ring.
const PACKETS: usize = 32 * BURST;
const SOON: Patience = Patience::from_secs(30);

/// A box that returns what it hears, and somebody who speaks.
struct Echo {
    ports: Ports,
    burst: Box<Burst>,
    here: SocketAddr,
    party: UdpSocket,
}

impl Echo {
    fn new(wire: &Wire) -> Self {
        let here: SocketAddr = "10.77.0.1:20000".parse().expect("an address");
        let mut ports = Ports::new(&Plan {
            interface: wire.near().to_owned(),
            addresses: vec![here.ip()],
            alone: Vec::new(),
            ports: 20_000..=20_999,
        })
        .expect("a wire of our own takes a program");
        ports.open(here, Dscp::EXPEDITED).expect("it is vacant");
        let party = wire.far_away(|| UdpSocket::bind("10.77.0.2:4000"));
        let mut echo = Self {
            ports,
            burst: Box::new(Burst::new()),
            here,
            party: party.expect("the address is there"),
        };
        // The kernel finds the neighbour, and our frames follow.
        let started = Instant::now();
        while echo.ports.frames().sent == 0 {
            assert!(started.elapsed() < SOON, "frames leave");
            echo.speak(1);
            echo.answer(1);
        }
        echo
    }

    /// Lets so many packets come to lie in the rings.
    fn speak(&self, count: usize) {
        let packet = [7; 172];
        let mut sent = 0;
        while sent < count {
            let batch = (sent..count).map(|_| (&packet[..], self.here));
            sent += sys::send(self.party.as_fd(), batch).expect("the wire takes it");
        }
    }

    /// Returns so many packets, or as many as have come through: a wire may lose some. Says how many.
    fn answer(&mut self, count: usize) -> usize {
        let mut answered = 0;
        while answered < count {
            let before = answered;
            self.ports.wait(Some(Duration::from_secs(1)));
            while self.ports.rx_burst(&mut self.burst) > 0 {
                for place in 0..self.burst.len() {
                    self.burst.leave(place);
                }
                answered += self.burst.len();
                assert!(self.ports.tx_burst(&mut self.burst).is_empty());
                self.burst.clear();
            }
            if answered == before {
                break;
            }
        }
        answered
    }
}

fn with_a_wire(test: impl FnOnce(&Wire)) {
    match Wire::new() {
        Ok(wire) => test(&wire),
        Err(reason) => eprintln!("NOT TRIED: {reason}"),
    }
}

#[test]
fn a_packet_costs_no_allocation() {
    with_a_wire(|wire| {
        let mut echo = Echo::new(wire);
        echo.speak(PACKETS);
        let before = echo.ports.frames();
        let mut count = 0;
        let spent = allocation_counter::measure(|| count = echo.answer(PACKETS));
        let after = echo.ports.frames();
        assert_eq!(spent.count_total, 0);
        assert!(count > PACKETS / 2, "{count} came through");
        assert_eq!(after.received - before.received, count as u64);
        assert_eq!(after.sent - before.sent, count as u64);
    });
}

#[test]
fn a_burst_costs_a_system_call_or_two() {
    with_a_wire(|wire| {
        let mut echo = Echo::new(wire);
        echo.speak(PACKETS);
        let Some(watch) = Watch::this_thread() else {
            eprintln!("NOT TRIED: there is no strace to count calls");
            return;
        };
        let count = echo.answer(PACKETS);
        let calls = watch.calls();
        // With copies a burst is sent within a call; now and then the ports look whether somebody wants something.
        assert!(count > PACKETS / 2, "{count} came through");
        assert!(calls >= count / BURST, "strace has counted: {calls}");
        assert!(calls <= count / 8, "{calls} calls for {count} packets");
    });
}

/// Counts the calls of a thread from outside.
struct Watch {
    strace: std::process::Child,
    report: std::path::PathBuf,
}

impl Watch {
    /// None where there is no strace, or it may not.
    fn this_thread() -> Option<Self> {
        let thread = rustix::thread::gettid().as_raw_nonzero();
        let report = std::env::temp_dir().join(format!("postern-calls-{thread}"));
        let mut strace = Command::new("strace")
            .args(["-c", "-p", &thread.to_string(), "-o"])
            .arg(&report)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let status = format!("/proc/self/task/{thread}/status");
        let started = Instant::now();
        while std::fs::read_to_string(&status)
            .ok()?
            .contains("TracerPid:\t0\n")
        {
            if matches!(strace.try_wait(), Ok(Some(_))) || started.elapsed() > SOON {
                return None;
            }
            std::thread::sleep(Patience::from_millis(5));
        }
        Some(Self { strace, report })
    }

    /// Ends it and reads its sum.
    fn calls(mut self) -> usize {
        rustix::process::kill_process(
            rustix::process::Pid::from_child(&self.strace),
            rustix::process::Signal::INT,
        )
        .expect("it runs");
        self.strace.wait().expect("it is our child");
        let text = std::fs::read_to_string(&self.report).expect("it has written");
        let _ = std::fs::remove_file(&self.report);
        let total = text.lines().find(|line| line.trim_end().ends_with("total"));
        let calls = total.and_then(|line| line.split_whitespace().nth(3)?.parse().ok());
        calls.unwrap_or_else(|| panic!("no sum in {text}"))
    }
}
