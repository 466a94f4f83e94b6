//! A network in simulated time: it loses, doubles, delays and so reorders datagrams, all by one seed.
//!
//! It keeps a running hash of everything that it was given and delivered, so that two runs can be told apart.
//! Not here: what the datagrams mean.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::Bytes;
use embassy_time::{Duration, Instant};
use sip::token::Tokens;

/// How bad it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Faults {
    /// Of a hundred datagrams.
    pub(crate) lost: u64,
    /// Of a hundred datagrams that are not lost.
    pub(crate) doubled: u64,
    /// Shortest way, in milliseconds.
    pub(crate) least_delay: u64,
    /// Longest way, in milliseconds.
    pub(crate) most_delay: u64,
}

/// A datagram on its way.
#[derive(Debug, Clone)]
pub(crate) struct Datagram {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Bytes,
}

/// The network.
#[derive(Debug)]
pub(crate) struct Network {
    faults: Faults,
    chance: Tokens,
    under_way: BTreeMap<(Instant, u64), Datagram>,
    sent: u64,
    trace: u64,
}

impl Network {
    pub(crate) fn new(seed: u8, faults: Faults) -> Self {
        Self {
            faults,
            chance: Tokens::new([seed; 32]),
            under_way: BTreeMap::new(),
            sent: 0,
            trace: 0xcbf2_9ce4_8422_2325,
        }
    }

    /// A hash of all that happened.
    pub(crate) const fn trace(&self) -> u64 {
        self.trace
    }

    /// Datagrams that were given to it.
    pub(crate) const fn sent(&self) -> u64 {
        self.sent
    }

    pub(crate) fn send(&mut self, now: Instant, datagram: Datagram) {
        self.sent += 1;
        self.note(&now.as_millis().to_be_bytes());
        self.note(&datagram.bytes);
        if self.percent(self.faults.lost) {
            return;
        }
        let copies = if self.percent(self.faults.doubled) {
            2
        } else {
            1
        };
        for copy in 0..copies {
            let span = self.faults.most_delay - self.faults.least_delay + 1;
            let delay = self.faults.least_delay + self.chance.number() % span;
            let at = now + Duration::from_millis(delay);
            self.under_way
                .insert((at, self.sent * 2 + copy), datagram.clone());
        }
    }

    /// When the next datagram arrives.
    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.under_way.keys().next().map(|(at, _)| *at)
    }

    pub(crate) fn deliver(&mut self, now: Instant) -> Option<Datagram> {
        let entry = self.under_way.first_entry()?;
        if entry.key().0 > now {
            return None;
        }
        let datagram = entry.remove();
        self.note(&datagram.bytes);
        Some(datagram)
    }

    fn percent(&mut self, of_hundred: u64) -> bool {
        self.chance.number() % 100 < of_hundred
    }

    fn note(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.trace = (self.trace ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
