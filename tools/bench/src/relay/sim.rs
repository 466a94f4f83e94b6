//! The pipeline with its crypto and without the kernel: packets lie in memory, and what leaves goes nowhere.
//!
//! Packets are made before they are timed, authentic and in order, so nothing is timed but what a worker does:
//! taking a burst, relaying it, giving it away. Neighbours in a burst are of different calls, as on a wire.
//!
//! Not here: sockets and drivers (`traffic.rs` has the cases with them).

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;

use embassy_time::{Duration, Instant};
use hal::{Burst, Clock, Dscp, Marks, OpenError, PortId, Ports, Receiving, UnixTime};
use measure::MediaCounter;
use media_api::{Command, StreamId};
use media_dsp::srtp::{Limits, Sender};
use pipeline::{Pipeline, Worker};
use rustix::time::{ClockId, clock_gettime};

use super::media::stream;
use super::plan::{self, Profile};
use super::traffic::{PACKET, keying};

/// Keyed on one side, plain on the other: what a call from Teams to a carrier is.
const PROFILE: [Profile; 2] = [Profile::Keyed, Profile::Plain];

/// Packets made ahead and then timed together. They lie in the second-level cache, however many calls there are: what it costs to
/// take a packet out of memory is the ports', and is to be the same for few calls and for many.
const AHEAD: usize = 1_000;

/// Packets of a measure at least.
const MEASURE: usize = 20_000;

/// A packet every 20 ms each way.
const PACKETS_PER_CALL: f64 = 100.0;

/// Ports that give what was put into them.
#[derive(Clone, Default)]
struct Memory(Rc<RefCell<Inner>>);

#[derive(Default)]
struct Inner {
    open: u32,
    arrivals: Vec<(PortId, SocketAddr, [u8; 192], usize)>,
    next: usize,
}

impl Ports for Memory {
    const RECEIVING: Receiving = Receiving::Looks;

    fn open(&mut self, _: SocketAddr, _: Dscp) -> Result<PortId, OpenError> {
        let mut inner = self.0.borrow_mut();
        inner.open += 1;
        Ok(PortId(inner.open - 1))
    }

    fn mark(&mut self, _: PortId, _: Dscp) {}

    fn close(&mut self, _: PortId) {}

    fn rx_burst(&mut self, burst: &mut Burst) -> usize {
        let mut inner = self.0.borrow_mut();
        let next = inner.next;
        let waiting = &inner.arrivals[next..];
        let mut count = 0;
        for (packet, (port, from, octets, length)) in burst.vacant().iter_mut().zip(waiting) {
            packet.buffer_mut()[..*length].copy_from_slice(&octets[..*length]);
            packet.arrived(*port, *from, *length);
            count += 1;
        }
        burst.fill(count);
        inner.next += count;
        count
    }

    fn tx_burst(&mut self, _: &mut Burst) -> Marks {
        Marks::NONE
    }

    fn wait(&mut self, _: Option<Duration>) {}
}

/// Time that moves when a frame is over.
#[derive(Clone, Default)]
struct FrameClock(Rc<Cell<u64>>);

impl Clock for FrameClock {
    fn now(&self) -> Instant {
        Instant::from_millis(1_000_000 + 20 * self.0.get())
    }

    fn wall(&self) -> UnixTime {
        UnixTime {
            seconds: 1_800_000_000 + self.0.get() / 50,
            nanoseconds: 0,
        }
    }
}

/// So many calls in a worker.
pub(super) struct Load {
    worker: Worker<Memory, FrameClock>,
    memory: Memory,
    clock: FrameClock,
    calls: Vec<plan::Call>,
    senders: Vec<Sender>,
    made: u64,
}

impl Load {
    pub(super) fn new(count: usize) -> Self {
        let at = |text: &str| -> SocketAddr { text.parse().expect("an address") };
        let parties = [at("198.51.100.1:50000"), at("192.0.2.1:4000")];
        let calls = plan::calls(count, parties, at("203.0.113.1:20000"));
        let (memory, clock) = (Memory::default(), FrameClock::default());
        let pipeline = Pipeline::new(2 * count, [7; 32]);
        let mut worker = Worker::new(memory.clone(), clock.clone(), pipeline, 1);
        for (number, call) in calls.iter().enumerate() {
            let ids = [0, 1].map(|side| StreamId(2 * number as u64 + side));
            for ((side, id), profile) in call.sides.iter().zip(ids).zip(PROFILE) {
                worker.command(Command::Put(stream(id, side, profile)));
            }
            worker.command(Command::Link {
                a: ids[0],
                b: ids[1],
            });
        }
        while worker.poll().is_some() {}
        let sender =
            |call: &plan::Call| Sender::new(keying(&call.sides[0].sends_with), Limits::default());
        Self {
            worker,
            memory,
            clock,
            senders: calls.iter().map(sender).collect(),
            calls,
            made: 0,
        }
    }

    /// Nanoseconds of this thread for a packet, over some packets of all calls.
    pub(super) fn measure(&mut self) -> f64 {
        let mut spent = 0;
        let mut packets = 0;
        let sides = 2 * self.calls.len();
        while packets < MEASURE.max(2 * sides) {
            self.make(AHEAD);
            self.clock.0.set(self.made / sides as u64);
            packets += AHEAD;
            let before = thread_time();
            // A turn takes 64 bursts at most.
            while self.memory.0.borrow().next < AHEAD {
                self.worker.turn(Duration::from_ticks(0));
            }
            spent += thread_time() - before;
            while self.worker.poll().is_some() {}
        }
        spent as f64 / packets as f64
    }

    /// Packets that were relayed: all of them, or the measure is of something else.
    pub(super) fn relayed(&self) -> u64 {
        self.worker.totals().counter(MediaCounter::PacketsRelayed)
    }

    pub(super) fn made(&self) -> u64 {
        self.made
    }

    /// The next packets. Of each frame of 20 ms first those of all keyed sides, then those of all plain ones.
    fn make(&mut self, count: usize) {
        let mut inner = self.memory.0.borrow_mut();
        inner.arrivals.clear();
        inner.next = 0;
        for _ in 0..count {
            let sides = 2 * self.calls.len() as u64;
            let number = (self.made / sides) as u16 + 1;
            let side = (self.made % sides) as usize / self.calls.len();
            let call = (self.made % self.calls.len() as u64) as usize;
            self.made += 1;
            let mut octets = [0; 192];
            octets[..2].copy_from_slice(&[0x80, 8]);
            octets[2..4].copy_from_slice(&number.to_be_bytes());
            octets[4..8].copy_from_slice(&(u32::from(number) * 160).to_be_bytes());
            octets[8..12].copy_from_slice(&(2 * call as u32 + side as u32 + 1).to_be_bytes());
            let length = match PROFILE[side] {
                Profile::Keyed => self.senders[call]
                    .protect_rtp(&mut octets, PACKET)
                    .expect("a packet of ours can be protected"),
                Profile::Plain => PACKET,
            };
            // Streams opened their only ports in the order of the calls.
            let port = PortId((2 * call + side) as u32);
            let here = self.calls[call].sides[side].here;
            inner.arrivals.push((port, here, octets, length));
        }
    }
}

/// Calls that one processor carries at this cost of a packet.
pub(super) fn calls_per_core(nanoseconds: f64) -> f64 {
    1e9 / (nanoseconds * PACKETS_PER_CALL)
}

fn thread_time() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_packet_made_is_relayed() {
        let mut load = Load::new(3);
        assert!(load.measure() > 0.0);
        assert!(load.made() >= MEASURE as u64);
        assert_eq!(load.relayed(), load.made());
    }
}
