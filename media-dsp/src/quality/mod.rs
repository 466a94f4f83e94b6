//! Reception and transmission as RTCP reports them (RFC 3550 §6.4, A.1, A.3, A.8).
//!
//! [`Reception`] follows the one source heard on a leg: extended sequence number, loss, jitter, and when its last sender
//! report came. [`Transmission`] counts what a leg sends and places its timestamps on the wall clock. Both are fed and
//! asked by the caller, who has the clocks: arrival in [`Micros`] of any steady clock, wall time as [`Ntp`].
//!
//! [`Conditions`] say what it sounds like.
//!
//! Not here: when reports are due, writing them (`rtcp::Builder`).

mod rating;
mod reception;
mod transmission;

#[cfg(test)]
mod tests;

pub use rating::{Codec, Conditions, Rating};
pub use reception::{Reception, Summary};
pub use transmission::Transmission;

use crate::rtcp::ReportBlock;

/// A moment of a steady clock in microseconds; only differences count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Micros(pub u64);

impl Micros {
    /// This moment on a clock of `rate` ticks a second, wrapped as RTP timestamps are.
    fn ticks(self, rate: u32) -> u32 {
        let seconds = self.0 / 1_000_000;
        let fraction = self.0 % 1_000_000;
        (seconds.wrapping_mul(u64::from(rate)) + fraction * u64::from(rate) / 1_000_000) as u32
    }

    fn since(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }
}

/// Round-trip time told by a report block at `now`, where the sender report that it answers was sent at `sent` (RFC 3550 §6.4.1).
/// Whose clock stamped that report does not matter so; the caller knows it by its LSR.
///
/// None without a sender report behind the block, or when the peer's arithmetic gives a negative time.
pub fn round_trip(block: &ReportBlock, sent: Micros, now: Micros) -> Option<Micros> {
    if block.last_sender_report == 0 {
        return None;
    }
    let held = (u64::from(block.delay) * 1_000_000) >> 16;
    now.since(sent).0.checked_sub(held).map(Micros)
}
