//! The pool of media ports: even ones, each with the odd one above it for RTCP.
//!
//! A port is reserved before anybody hears of it and rests after use, so that stray packets of an old call never meet a
//! new one. Those that have rested are used again first, the last one first: the pipeline keeps sockets bound, and few of them. Every
//! operation but [`Ports::adopt`] costs the same at any occupancy.
//!
//! Not here: sockets.

use std::collections::{HashSet, VecDeque};

use config::values::PortRange;
use embassy_time::{Duration, Instant};
use thiserror::Error;

/// How long a port rests: longer than packets wander, short enough for many calls a second.
const REST: Duration = Duration::from_secs(8);

/// A port that is ours until it is released.
#[derive(Debug, PartialEq, Eq)]
pub struct Port(u16);

impl Port {
    /// The RTP port, even.
    #[must_use]
    pub const fn rtp(&self) -> u16 {
        self.0
    }
}

/// Every port is in use or rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("no media port is free; enlarge media.ports")]
pub struct NoPort;

/// The pool.
#[derive(Debug)]
pub struct Ports {
    range: PortRange,
    /// Taken from the end.
    free: Vec<u16>,
    resting: VecDeque<(Instant, u16)>,
    in_use: HashSet<u16>,
}

impl Ports {
    /// All ports of a range, free.
    #[must_use]
    pub fn new(range: PortRange) -> Self {
        Self {
            range,
            free: evens(range).rev().collect(),
            resting: VecDeque::new(),
            in_use: HashSet::new(),
        }
    }

    /// A port for a new stream.
    ///
    /// # Errors
    /// None is free.
    pub fn reserve(&mut self, now: Instant) -> Result<Port, NoPort> {
        self.wake(now);
        let port = self.free.pop().ok_or(NoPort)?;
        self.in_use.insert(port);
        Ok(Port(port))
    }

    /// A port that a stream of an earlier run still uses, outside the range too, for that may have been changed; `None` if it
    /// is odd, or in use, or rests.
    pub fn adopt(&mut self, port: u16) -> Option<Port> {
        let rests = self.resting.iter().any(|(_, resting)| *resting == port);
        if !port.is_multiple_of(2) || rests || !self.in_use.insert(port) {
            return None;
        }
        if let Some(at) = self.free.iter().position(|free| *free == port) {
            self.free.swap_remove(at);
        }
        Some(Port(port))
    }

    /// The stream is gone; the port rests.
    pub fn release(&mut self, port: Port, now: Instant) {
        if self.in_use.remove(&port.0) && within(self.range, port.0) {
            self.resting.push_back((now + REST, port.0));
        }
    }

    /// Another range: ports in use stay with their streams and do not come back if they lie outside.
    pub fn configure(&mut self, range: PortRange) {
        if range == self.range {
            return;
        }
        let resting: HashSet<u16> = self.resting.iter().map(|(_, port)| *port).collect();
        self.range = range;
        self.resting.retain(|(_, port)| within(range, *port));
        self.free = evens(range)
            .rev()
            .filter(|port| !self.in_use.contains(port) && !resting.contains(port))
            .collect();
    }

    /// Ports that have rested are free again. Called by `reserve`; a pool that nobody asks may rest longer.
    pub fn wake(&mut self, now: Instant) {
        while let Some((until, port)) = self.resting.front().copied() {
            if until > now {
                break;
            }
            self.resting.pop_front();
            self.free.push(port);
        }
    }

    /// How many are in use.
    #[must_use]
    pub fn in_use(&self) -> usize {
        self.in_use.len()
    }

    /// How many rest.
    #[must_use]
    pub fn resting(&self) -> usize {
        self.resting.len()
    }
}

fn evens(range: PortRange) -> impl DoubleEndedIterator<Item = u16> {
    (range.first..range.last).step_by(2)
}

const fn within(range: PortRange, port: u16) -> bool {
    range.first <= port && port < range.last
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    const RANGE: PortRange = PortRange {
        first: 20_000,
        last: 20_007,
    };

    #[test]
    fn a_port_rests_before_it_is_used_again() {
        let mut ports = Ports::new(RANGE);
        let now = Instant::from_secs(1);
        let mine: Vec<_> = (0..4).map(|_| ports.reserve(now).expect("free")).collect();
        assert_eq!(
            mine.iter().map(Port::rtp).collect::<Vec<_>>(),
            [20_000, 20_002, 20_004, 20_006]
        );
        assert_eq!(ports.reserve(now), Err(NoPort));
        for port in mine {
            ports.release(port, now);
        }
        assert_eq!(
            ports.reserve(now + REST - Duration::from_millis(1)),
            Err(NoPort)
        );
        assert!(ports.reserve(now + REST).is_ok());
    }

    #[test]
    fn a_smaller_range_takes_ports_back_when_they_are_released() {
        let mut ports = Ports::new(RANGE);
        let now = Instant::from_secs(1);
        let (_low, high) = (
            ports.reserve(now).expect("free"),
            ports.reserve(now).expect("free"),
        );
        ports.configure(PortRange {
            first: 20_000,
            last: 20_001,
        });
        ports.release(high, now);
        assert_eq!((ports.in_use(), ports.resting()), (1, 0));
        assert_eq!(ports.reserve(now), Err(NoPort));
    }

    #[test]
    fn a_port_of_an_earlier_run_is_adopted_once() {
        let mut ports = Ports::new(RANGE);
        assert!(ports.adopt(20_004).is_some());
        assert!(ports.adopt(20_004).is_none());
        assert!(ports.adopt(20_005).is_none());
        let now = Instant::from_secs(1);
        let rest: Vec<_> = std::iter::from_fn(|| ports.reserve(now).ok()).collect();
        assert!(rest.iter().all(|port| port.rtp() != 20_004));
        assert_eq!(rest.len(), 3);
        // The range was another one when the call began: the port stays with it, and does not come back.
        let strange = ports.adopt(30_000).expect("nobody else's");
        ports.release(strange, now);
        assert_eq!((ports.in_use(), ports.resting()), (4, 0));
    }

    /// 99 % of 30,000 ports are in use, and the rest goes round: every port is given to one call at a time, rested.
    #[test]
    fn a_crowded_pool_goes_round() {
        let mut ports = Ports::new(PortRange {
            first: 2_000,
            last: 61_999,
        });
        let mut now = Instant::from_secs(1);
        let mut held: VecDeque<_> = (0..29_700)
            .map(|_| ports.reserve(now).expect("free"))
            .collect();
        let mut rested: HashMap<u16, Instant> = HashMap::new();
        for _ in 0..100_000 {
            now += Duration::from_millis(30);
            let gone = held.pop_front().expect("held");
            rested.insert(gone.rtp(), now + REST);
            ports.release(gone, now);
            let port = ports
                .reserve(now)
                .expect("300 ports rest for 8 s: 37 a second come back");
            assert!(rested.get(&port.rtp()).is_none_or(|until| *until <= now));
            held.push_back(port);
        }
        let distinct: HashSet<u16> = held.iter().map(Port::rtp).collect();
        assert_eq!(distinct.len(), 29_700);
    }
}
