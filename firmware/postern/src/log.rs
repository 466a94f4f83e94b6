//! The log: to standard error, and so that strangers can neither fill it nor read secrets in it.
//!
//! Whatever somebody on the network can cause as often as he likes is said with [`strangers!`](crate::strangers): ten times
//! in ten seconds for each place in the code, then counted, and the count said with the next that passes.
//!
//! Not here: what is logged of calls (`call` gives events; no message body, key or password is ever among them).

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

use tracing_subscriber::EnvFilter;

/// Starts the log. `POSTERN_LOG` chooses what is said, as `info`, `debug` or `postern=debug,call=trace`.
pub fn start() {
    let filter = EnvFilter::try_from_env("POSTERN_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    // A second start, as tests do, changes nothing.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .try_init();
}

/// Lines a place may say,
const LINES: u32 = 10;
/// in so many seconds.
const WINDOW: u64 = 10;

/// The right of one place in the code to speak.
#[derive(Debug)]
pub struct Gate {
    window: AtomicU64,
    said: AtomicU32,
    suppressed: AtomicU64,
}

impl Gate {
    /// A gate that has let nothing through.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            window: AtomicU64::new(0),
            said: AtomicU32::new(0),
            suppressed: AtomicU64::new(0),
        }
    }

    /// Whether to speak `seconds` after some beginning; if so, how often it was kept from it before.
    pub fn pass(&self, seconds: u64) -> Option<u64> {
        // Two threads at once may let a line too many through: it is a log.
        let window = seconds / WINDOW + 1;
        if self.window.swap(window, Ordering::Relaxed) != window {
            self.said.store(0, Ordering::Relaxed);
        }
        if self.said.fetch_add(1, Ordering::Relaxed) < LINES {
            return Some(self.suppressed.swap(0, Ordering::Relaxed));
        }
        self.suppressed.fetch_add(1, Ordering::Relaxed);
        None
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

/// Seconds since the first call, for [`Gate::pass`].
#[must_use]
pub fn seconds() -> u64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_secs()
}

/// Says what strangers can cause, at most ten times in ten seconds from each place.
#[macro_export]
macro_rules! strangers {
    ($level:ident, $($what:tt)*) => {{
        static GATE: $crate::log::Gate = $crate::log::Gate::new();
        if let Some(suppressed) = GATE.pass($crate::log::seconds()) {
            tracing::$level!(suppressed, $($what)*);
        }
    }};
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_cannot_fill_the_log_and_what_was_kept_back_is_told() {
        let gate = Gate::new();
        let passed = (0..1_000).filter(|_| gate.pass(3).is_some()).count();
        assert_eq!(passed, LINES as usize);
        assert_eq!(gate.pass(3 + WINDOW), Some(1_000 - u64::from(LINES)));
    }
}
