//! The clock of the shell: the box's monotonic clock as the cores want it, and moments of theirs as tokio wants them.
//!
//! Only here and in `board` is the time asked for; all below the rim is told. The clock counts from the start of the
//! machine, so moments in the journal of a control that died mean the same to the next.
//!
//! Not here: the date (`control` gives that to the core beside the moment).

use std::time::Duration;

use board::clock::SystemClock;
use embassy_time::Instant;
use hal::Clock;

/// Now.
pub(crate) fn now() -> Instant {
    SystemClock.now()
}

/// A moment to come, for a sleep; one that has passed is now.
pub(crate) fn to_tokio(moment: Instant) -> tokio::time::Instant {
    let left = moment
        .checked_duration_since(now())
        .map_or(0, |left| left.as_micros());
    tokio::time::Instant::now() + Duration::from_micros(left)
}
