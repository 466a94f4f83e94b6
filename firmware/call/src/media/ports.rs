//! The pool of media ports: even ones, each with the odd one above it for RTCP.
//!
//! A port is reserved before anybody hears of it and rests after use, so that stray packets of an old call never meet a
//! new one. Where several workers share the streams, a call's ports are of one of them, so that none has to be moved. Those that have rested are used again first, the last one first: the pipeline keeps sockets bound, and few of them. Every
//! operation but [`Ports::adopt`] costs the same at any occupancy.
//!
//! Not here: sockets.

use std::collections::{HashSet, VecDeque};
use std::num::NonZeroU8;

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
    /// Those of each worker of media, taken from the end.
    free: Vec<Vec<u16>>,
    resting: VecDeque<(Instant, u16)>,
    in_use: HashSet<u16>,
}

impl Ports {
    /// All ports of a range, free.
    #[must_use]
    pub fn new(range: PortRange) -> Self {
        Self {
            range,
            free: vec![evens(range).rev().collect()],
            resting: VecDeque::new(),
            in_use: HashSet::new(),
        }
    }

    /// A port for a new stream of a call; of the same worker as the call's others while any is free.
    ///
    /// # Errors
    /// None is free.
    pub fn reserve(&mut self, now: Instant, call: u64) -> Result<Port, NoPort> {
        self.wake(now);
        let workers = self.free.len();
        let own = (call % workers as u64) as usize;
        let port = (0..workers).find_map(|step| self.free[(own + step) % workers].pop());
        let port = port.ok_or(NoPort)?;
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
        let free = self.of(port);
        if let Some(at) = free.iter().position(|free| *free == port) {
            free.swap_remove(at);
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
        self.range = range;
        self.resting.retain(|(_, port)| within(range, *port));
        self.sort_out(self.free.len());
    }

    /// So many workers share the streams.
    pub fn share(&mut self, workers: NonZeroU8) {
        let workers = usize::from(workers.get());
        if workers != self.free.len() {
            self.sort_out(workers);
        }
    }

    fn sort_out(&mut self, workers: usize) {
        let resting: HashSet<u16> = self.resting.iter().map(|(_, port)| *port).collect();
        self.free = vec![Vec::new(); workers];
        for port in evens(self.range).rev() {
            if !self.in_use.contains(&port) && !resting.contains(&port) {
                self.of(port).push(port);
            }
        }
    }

    /// The free ones of the worker that a port is of.
    fn of(&mut self, port: u16) -> &mut Vec<u16> {
        let workers = self.free.len();
        &mut self.free[usize::from(port / 2) % workers]
    }

    /// Ports that have rested are free again. Called by `reserve`; a pool that nobody asks may rest longer.
    pub fn wake(&mut self, now: Instant) {
        while let Some((until, port)) = self.resting.front().copied() {
            if until > now {
                break;
            }
            self.resting.pop_front();
            self.of(port).push(port);
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
        let mine: Vec<_> = (0..4)
            .map(|_| ports.reserve(now, 1).expect("free"))
            .collect();
        assert_eq!(
            mine.iter().map(Port::rtp).collect::<Vec<_>>(),
            [20_000, 20_002, 20_004, 20_006]
        );
        assert_eq!(ports.reserve(now, 1), Err(NoPort));
        for port in mine {
            ports.release(port, now);
        }
        assert_eq!(
            ports.reserve(now + REST - Duration::from_millis(1), 1),
            Err(NoPort)
        );
        assert!(ports.reserve(now + REST, 1).is_ok());
    }

    #[test]
    fn a_smaller_range_takes_ports_back_when_they_are_released() {
        let mut ports = Ports::new(RANGE);
        let now = Instant::from_secs(1);
        let (_low, high) = (
            ports.reserve(now, 1).expect("free"),
            ports.reserve(now, 1).expect("free"),
        );
        ports.configure(PortRange {
            first: 20_000,
            last: 20_001,
        });
        ports.release(high, now);
        assert_eq!((ports.in_use(), ports.resting()), (1, 0));
        assert_eq!(ports.reserve(now, 1), Err(NoPort));
    }

    #[test]
    fn a_port_of_an_earlier_run_is_adopted_once() {
        let mut ports = Ports::new(RANGE);
        assert!(ports.adopt(20_004).is_some());
        assert!(ports.adopt(20_004).is_none());
        assert!(ports.adopt(20_005).is_none());
        let now = Instant::from_secs(1);
        let rest: Vec<_> = std::iter::from_fn(|| ports.reserve(now, 1).ok()).collect();
        assert!(rest.iter().all(|port| port.rtp() != 20_004));
        assert_eq!(rest.len(), 3);
        // The range was another one when the call began: the port stays with it, and does not come back.
        let strange = ports.adopt(30_000).expect("nobody else's");
        ports.release(strange, now);
        assert_eq!((ports.in_use(), ports.resting()), (4, 0));
    }

    #[test]
    fn the_ports_of_a_call_are_of_one_worker_while_there_are_any() {
        let mut ports = Ports::new(RANGE);
        ports.share(NonZeroU8::new(2).expect("two"));
        let now = Instant::from_secs(1);
        let of_call =
            |ports: &mut Ports, call| ports.reserve(now, call).map(|port| port.rtp() / 2 % 2);
        assert_eq!(
            [of_call(&mut ports, 7), of_call(&mut ports, 7)],
            [Ok(1), Ok(1)]
        );
        // None of its own is left.
        assert_eq!(of_call(&mut ports, 7), Ok(0));
        assert_eq!(of_call(&mut ports, 8), Ok(0));
        assert_eq!(of_call(&mut ports, 8), Err(NoPort));
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
            .map(|_| ports.reserve(now, 1).expect("free"))
            .collect();
        let mut rested: HashMap<u16, Instant> = HashMap::new();
        for _ in 0..100_000 {
            now += Duration::from_millis(30);
            let gone = held.pop_front().expect("held");
            rested.insert(gone.rtp(), now + REST);
            ports.release(gone, now);
            let port = ports
                .reserve(now, 1)
                .expect("300 ports rest for 8 s: 37 a second come back");
            assert!(rested.get(&port.rtp()).is_none_or(|until| *until <= now));
            held.push_back(port);
        }
        let distinct: HashSet<u16> = held.iter().map(Port::rtp).collect();
        assert_eq!(distinct.len(), 29_700);
    }
}
