//! Peers of the box that are programs of others: started with their files in the test's place, stopped by their own number.
//!
//! Each speaks its own SIP, RTP and TLS, so a mistake of ours is not confirmed by ourselves.
//!
//! Not here: what a peer is told to do, which is the test's.

use std::fs::{self, File};
use std::net::{IpAddr, TcpListener, UdpSocket};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::place::Place;

/// Between two looks.
const GLANCE: Duration = Duration::from_millis(20);
/// From SIGTERM to SIGKILL.
const END: Duration = Duration::from_secs(3);

/// A port that is free for both transports just now, and the next one too.
///
/// # Panics
/// Where an address is none of ours.
#[must_use]
pub fn free_port(address: impl Into<IpAddr>) -> u16 {
    let address = address.into();
    loop {
        let socket = UdpSocket::bind((address, 0)).expect("a port");
        let port = socket.local_addr().expect("bound").port();
        if port < u16::MAX
            && TcpListener::bind((address, port)).is_ok()
            && TcpListener::bind((address, port + 1)).is_ok()
            && UdpSocket::bind((address, port + 1)).is_ok()
        {
            return port;
        }
    }
}

/// A running peer, which ends with the value.
#[derive(Debug)]
pub struct Peer {
    child: Child,
    name: String,
}

impl Peer {
    /// Starts `program` in the test's place; what it says goes to `NAME.log` there.
    ///
    /// # Panics
    /// Where the program is not installed.
    #[must_use]
    pub fn start(place: &Place, name: &str, program: &str, arguments: &[&str]) -> Self {
        let log = File::create(place.path().join(format!("{name}.log"))).expect("a log");
        let child = Command::new(program)
            .current_dir(place.path())
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second descriptor"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{program} is not installed, see Makefile: {error}"));
        Self {
            child,
            name: name.to_owned(),
        }
    }

    /// Starts a SIPp at this address, with no look at the terminal.
    ///
    /// # Panics
    /// Where it is not installed.
    #[must_use]
    pub fn sipp(
        place: &Place,
        name: &str,
        (address, port): (impl Into<IpAddr>, u16),
        arguments: &[&str],
    ) -> Self {
        let (address, port) = (address.into().to_string(), port.to_string());
        let mut all = vec!["-i", &address, "-p", &port, "-nostdin", "-trace_err"];
        all.extend(arguments);
        Self::start(place, name, "sipp", &all)
    }

    /// Whether it still runs.
    ///
    /// # Panics
    /// Where it is no child of ours.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_none()
    }

    /// Waits until it ends by itself.
    ///
    /// # Panics
    /// Where it does not within `patience`.
    pub fn ended(&mut self, patience: Duration) -> ExitStatus {
        let until = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                return status;
            }
            assert!(Instant::now() < until, "{} does not end", self.name);
            thread::sleep(GLANCE);
        }
    }

    /// Ends it now, as its own SIGTERM does: it may still write its files.
    pub fn stop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
            let until = Instant::now() + END;
            while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
                thread::sleep(GLANCE);
            }
        }
        // Gone already: then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Waits until a file of the place says `word`, and gives what it says.
///
/// # Panics
/// Where it does not within `patience`.
pub fn await_said(place: &Place, file: &str, word: &str, patience: Duration) -> String {
    let until = Instant::now() + patience;
    loop {
        let bytes = fs::read(place.path().join(file)).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if text.contains(word) {
            return text;
        }
        assert!(
            Instant::now() < until,
            "{file} does not say {word:?} but\n{text}"
        );
        thread::sleep(GLANCE);
    }
}
