//! Plain counts, owned by the worker's thread.
//!
//! The process writes [`Totals`] into shared memory now and then (`media_api::shared`); nothing here is shared.
//!
//! Not here: names (`measure`), reception statistics (`media_dsp::quality`).

use alloc::boxed::Box;

use measure::{DropReason, MediaCounter};

/// Counts of the whole pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Totals {
    /// By [`MediaCounter::index`].
    pub counters: [u64; MediaCounter::COUNT],
    /// By [`DropReason::index`].
    pub drops: [u64; DropReason::COUNT],
}

impl Default for Totals {
    fn default() -> Self {
        Self {
            counters: [0; MediaCounter::COUNT],
            drops: [0; DropReason::COUNT],
        }
    }
}

impl Totals {
    /// One count.
    #[must_use]
    pub fn counter(&self, counter: MediaCounter) -> u64 {
        self.counters[counter.index()]
    }

    /// Packets dropped for a reason.
    #[must_use]
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.drops[reason.index()]
    }

    #[inline]
    pub(crate) fn add(&mut self, counter: MediaCounter, amount: usize) {
        self.counters[counter.index()] += amount as u64;
    }

    pub(crate) fn set(&mut self, counter: MediaCounter, value: usize) {
        self.counters[counter.index()] = value as u64;
    }

    pub(crate) fn raise(&mut self, counter: MediaCounter, value: u64) {
        let count = &mut self.counters[counter.index()];
        *count = value.max(*count);
    }

    #[inline]
    pub(crate) fn drop(&mut self, reason: DropReason) {
        self.drops[reason.index()] += 1;
    }
}

/// Packets of one direction of a stream, and the octets of their payloads.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) packets: u64,
    pub(crate) octets: u64,
}

impl Tally {
    #[inline]
    pub(crate) fn add(&mut self, octets: usize) {
        self.packets += 1;
        self.octets += octets as u64;
    }
}

/// Counts of one stream that RTP which is good does not touch.
#[derive(Debug, Clone)]
pub(crate) struct Counts {
    pub(crate) received_rtcp: u64,
    pub(crate) sent_rtcp: u64,
    pub(crate) drops: Box<[u64; DropReason::COUNT]>,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            received_rtcp: 0,
            sent_rtcp: 0,
            drops: Box::new([0; DropReason::COUNT]),
        }
    }
}
