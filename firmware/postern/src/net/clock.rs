//! The clock of the shell: `embassy_time` values out of the system's monotonic clock.
//!
//! Only here and in `board` is the time asked for; all below the rim is told.
//!
//! Not here: the date (`control` gives that to the core beside the instant).

use std::sync::OnceLock;

use embassy_time::Instant;

/// Now, counted from the first time this was asked.
pub(crate) fn now() -> Instant {
    static START: OnceLock<std::time::Instant> = OnceLock::new();
    let since = START.get_or_init(std::time::Instant::now).elapsed();
    Instant::from_micros(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}
