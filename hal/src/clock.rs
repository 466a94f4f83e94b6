//! What time is, for those who may ask.
//!
//! Only the worker's loop asks; everything below it takes an [`Instant`] as an argument.
//!
//! Not here: any source of time.

use embassy_time::Instant;

/// Time of day as a Unix time; for reports that must name it (RFC 3550 §4), never for measuring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct UnixTime {
    /// Seconds since 1970.
    pub seconds: u64,
    /// Nanoseconds of the second.
    pub nanoseconds: u32,
}

/// A source of time.
pub trait Clock {
    /// A moment of a clock that never jumps.
    fn now(&self) -> Instant;

    /// The time of day.
    fn wall(&self) -> UnixTime;
}
