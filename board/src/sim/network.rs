//! What is in flight, what has arrived, and what time it is.
//!
//! Not here: the packet ports on it (`ports.rs`).

use core::cmp::Reverse;
use std::cell::RefCell;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::net::SocketAddr;
use std::rc::Rc;

use embassy_time::{Duration, Instant};
use hal::{Dscp, UnixTime};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// Datagrams an address keeps until they are taken; what comes beyond is lost, as in a socket's queue.
const QUEUE: usize = 1_024;

/// What happens to datagrams on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weather {
    /// Of a thousand, so many are lost.
    pub lost: u32,
    /// Of a thousand, so many arrive twice.
    pub doubled: u32,
    /// The shortest way.
    pub least_delay: Duration,
    /// The longest way; datagrams overtake each other where it differs from the shortest.
    pub most_delay: Duration,
}

impl Weather {
    /// Nothing is lost, and everything takes a millisecond.
    pub const FAIR: Self = Self {
        lost: 0,
        doubled: 0,
        least_delay: Duration::from_millis(1),
        most_delay: Duration::from_millis(1),
    };

    /// A bad line: 3 % lost, 3 % doubled, 5 to 45 ms on the way.
    pub const FOUL: Self = Self {
        lost: 30,
        doubled: 30,
        least_delay: Duration::from_millis(5),
        most_delay: Duration::from_millis(45),
    };
}

/// A datagram that has arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datagram {
    /// Its sender.
    pub from: SocketAddr,
    /// Its payload.
    pub bytes: Vec<u8>,
    /// Its code point.
    pub dscp: Dscp,
    /// When it arrived.
    pub at: Instant,
}

/// A network with its clock; clones are the same network.
#[derive(Clone)]
pub struct Network(Rc<RefCell<Inner>>);

pub(super) struct Inner {
    now: Instant,
    chance: ChaCha8Rng,
    weather: Weather,
    in_flight: BinaryHeap<Reverse<Flight>>,
    sent: u64,
    arrived: BTreeMap<SocketAddr, VecDeque<Datagram>>,
}

/// Ordered by time of arrival, then by order of sending.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Flight {
    number: u64,
    to: SocketAddr,
    datagram: Datagram,
}

impl PartialOrd for Flight {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Flight {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        (self.datagram.at, self.number).cmp(&(other.datagram.at, other.number))
    }
}

impl Inner {
    pub(super) fn is_bound(&self, address: SocketAddr) -> bool {
        self.arrived.contains_key(&address)
    }

    pub(super) fn bind(&mut self, address: SocketAddr) {
        self.arrived.insert(address, VecDeque::new());
    }

    pub(super) fn unbind(&mut self, address: SocketAddr) {
        self.arrived.remove(&address);
    }

    pub(super) fn take(&mut self, address: SocketAddr) -> Option<Datagram> {
        self.arrived.get_mut(&address)?.pop_front()
    }

    pub(super) fn has_arrivals(&self, address: SocketAddr) -> bool {
        self.arrived
            .get(&address)
            .is_some_and(|queue| !queue.is_empty())
    }

    fn of_a_thousand(&mut self, parts: u32) -> bool {
        // The generator is asked in fair weather too, so that weather alone decides what differs between two runs.
        self.chance.next_u32() % 1_000 < parts
    }

    pub(super) fn send(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8], dscp: Dscp) {
        if self.of_a_thousand(self.weather.lost) {
            return;
        }
        let copies = if self.of_a_thousand(self.weather.doubled) {
            2
        } else {
            1
        };
        for _ in 0..copies {
            let spread = (self.weather.most_delay - self.weather.least_delay).as_micros() + 1;
            let delay =
                self.weather.least_delay + Duration::from_micros(self.chance.next_u64() % spread);
            let datagram = Datagram {
                from,
                bytes: bytes.to_vec(),
                dscp,
                at: self.now + delay,
            };
            self.sent += 1;
            self.in_flight.push(Reverse(Flight {
                number: self.sent,
                to,
                datagram,
            }));
        }
    }

    pub(super) fn now(&self) -> Instant {
        self.now
    }

    pub(super) fn next_arrival(&self) -> Option<Instant> {
        self.in_flight
            .peek()
            .map(|Reverse(flight)| flight.datagram.at)
    }

    /// Moves time on and delivers what is due. Time never goes back.
    pub(super) fn move_to(&mut self, moment: Instant) {
        self.now = self.now.max(moment);
        while self.next_arrival().is_some_and(|at| at <= self.now) {
            let Some(Reverse(flight)) = self.in_flight.pop() else {
                return;
            };
            if let Some(queue) = self
                .arrived
                .get_mut(&flight.to)
                .filter(|queue| queue.len() < QUEUE)
            {
                queue.push_back(flight.datagram);
            }
        }
    }
}

impl Network {
    /// A network in which nothing has happened, some time after its clock began.
    #[must_use]
    pub fn new(seed: u64, weather: Weather) -> Self {
        Self(Rc::new(RefCell::new(Inner {
            now: Instant::from_secs(1_000),
            chance: ChaCha8Rng::seed_from_u64(seed),
            weather,
            in_flight: BinaryHeap::new(),
            sent: 0,
            arrived: BTreeMap::new(),
        })))
    }

    /// A party at an address of its own.
    ///
    /// # Panics
    /// When the address is taken: the test is wrong.
    #[must_use]
    pub fn peer(&self, address: SocketAddr) -> Peer {
        let mut inner = self.0.borrow_mut();
        assert!(!inner.is_bound(address), "{address} is taken");
        inner.bind(address);
        Peer {
            network: self.clone(),
            address,
        }
    }

    /// The clock of this network.
    #[must_use]
    pub fn clock(&self) -> Clock {
        Clock(self.clone())
    }

    /// What time it is.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.0.borrow().now
    }

    /// Lets time pass; what arrives in it arrives.
    pub fn advance(&self, time: Duration) {
        let mut inner = self.0.borrow_mut();
        let moment = inner.now + time;
        inner.move_to(moment);
    }

    /// Changes the weather for what is sent from now on.
    pub fn turn(&self, weather: Weather) {
        self.0.borrow_mut().weather = weather;
    }

    /// Sends with a false source.
    pub fn forge(&self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        self.0.borrow_mut().send(from, to, bytes, Dscp::DEFAULT);
    }

    pub(super) fn inner(&self) -> &RefCell<Inner> {
        &self.0
    }
}

/// The clock of a network.
#[derive(Clone)]
pub struct Clock(Network);

impl hal::Clock for Clock {
    fn now(&self) -> Instant {
        self.0.now()
    }

    fn wall(&self) -> UnixTime {
        let now = self.0.now();
        // The network lives in January 2027.
        UnixTime {
            seconds: 1_798_761_600 + now.as_secs(),
            nanoseconds: (now.as_micros() % 1_000_000 * 1_000) as u32,
        }
    }
}

/// A party that sends and receives datagrams.
pub struct Peer {
    network: Network,
    address: SocketAddr,
}

impl Peer {
    /// Its address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends a datagram.
    pub fn send(&self, to: SocketAddr, bytes: &[u8]) {
        self.network
            .0
            .borrow_mut()
            .send(self.address, to, bytes, Dscp::DEFAULT);
    }

    /// The next datagram that has arrived.
    #[must_use]
    pub fn receive(&self) -> Option<Datagram> {
        self.network.0.borrow_mut().take(self.address)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.network.0.borrow_mut().unbind(self.address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(seed: u64) -> Vec<(u8, u64)> {
        let network = Network::new(seed, Weather::FOUL);
        let here = network.peer("10.0.0.1:1".parse().expect("an address"));
        let there = network.peer("10.0.0.2:2".parse().expect("an address"));
        for n in 0..200 {
            here.send(there.address(), &[n]);
            network.advance(Duration::from_millis(20));
        }
        network.advance(Duration::from_secs(1));
        std::iter::from_fn(|| there.receive())
            .map(|got| (got.bytes[0], got.at.as_micros()))
            .collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_run() {
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
    }

    #[test]
    fn foul_weather_loses_doubles_and_reorders() {
        let numbers: Vec<u8> = run(7).into_iter().map(|(n, _)| n).collect();
        assert!(!numbers.is_sorted(), "some overtake");
        let distinct: std::collections::BTreeSet<_> = numbers.iter().collect();
        assert!(
            (180..200).contains(&distinct.len()),
            "some are lost: {}",
            distinct.len()
        );
        assert!(distinct.len() < numbers.len(), "some come twice");
    }

    #[test]
    fn nothing_arrives_before_its_time_or_where_nobody_is() {
        let network = Network::new(1, Weather::FAIR);
        let here = network.peer("10.0.0.1:1".parse().expect("an address"));
        here.send(here.address(), b"me");
        here.send("10.0.0.9:9".parse().expect("an address"), b"nobody");
        assert_eq!(here.receive(), None);
        network.advance(Duration::from_millis(1));
        assert_eq!(here.receive().map(|got| got.bytes), Some(b"me".to_vec()));
        assert_eq!(here.receive(), None);
    }
}
