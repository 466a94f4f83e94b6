//! How often ports that are busy look for packets: not for each one, and never long after it came.
//!
//! Waking a thread costs more than a packet does. So while packets come faster than one for a few [`GRAIN`]s, the thread sleeps
//! a grain at a time and finds several at once; when none came in a grain, it waits for one as an idle box does.
//!
//! Not here: what is looked at.

use embassy_time::{Duration, Instant};
use rustix::thread::nanosleep;
use rustix::time::Timespec;

use crate::clock::ticks;

/// What a packet may have to wait for others. Voice has 20 ms between two; this is what it may lose of them here.
pub(crate) const GRAIN: Duration = Duration::from_micros(80);

/// Packets that come at most so far apart are worth a nap.
const BUSY: Duration = Duration::from_micros(300);

/// The pace of one thread's looks.
#[derive(Debug)]
pub(crate) struct Pace {
    /// When something was last found.
    found: Instant,
    is_busy: bool,
}

impl Pace {
    pub(crate) fn new() -> Self {
        Self {
            found: Instant::MIN,
            is_busy: false,
        }
    }

    /// Before a look: sleeps what is left of the grain, at most so long. True if whoever looks should only glance: it was a nap,
    /// not the wait itself.
    pub(crate) fn nap(&self, timeout: Option<Duration>) -> bool {
        let Some(left) = self.left(now(), timeout) else {
            return false;
        };
        if left.as_ticks() > 0 {
            // Interrupted by a signal: as good as over.
            let _ = nanosleep(&Timespec {
                tv_sec: 0,
                tv_nsec: left.as_micros() as i64 * 1_000,
            });
        }
        true
    }

    /// After a look: whether there was anything.
    pub(crate) fn looked(&mut self, found: Found) {
        self.looked_at(now(), found);
    }

    /// What is left of a grain for those who are busy.
    fn left(&self, now: Instant, timeout: Option<Duration>) -> Option<Duration> {
        let passed = now.saturating_duration_since(self.found);
        let left = Duration::from_ticks(GRAIN.as_ticks().saturating_sub(passed.as_ticks()));
        self.is_busy
            .then(|| timeout.map_or(left, |timeout| timeout.min(left)))
    }

    fn looked_at(&mut self, now: Instant, found: Found) {
        match found {
            Found::Packets => {
                self.is_busy = now.saturating_duration_since(self.found) <= BUSY;
                self.found = now;
            }
            Found::Nothing => self.is_busy = false,
        }
    }
}

fn now() -> Instant {
    Instant::from_ticks(ticks())
}

/// What a look has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    Packets,
    Nothing,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_busy_naps_and_who_finds_nothing_waits() {
        let at = Instant::from_micros;
        let mut pace = Pace::new();
        assert_eq!(pace.left(at(1_000), None), None, "idle");
        pace.looked_at(at(1_000), Found::Packets);
        assert_eq!(pace.left(at(1_010), None), None, "one packet is no load");
        pace.looked_at(at(1_200), Found::Packets);
        assert_eq!(
            pace.left(at(1_220), None),
            Some(GRAIN - Duration::from_micros(20))
        );
        let ago = Duration::from_ticks(0);
        assert_eq!(pace.left(at(9_000), None), Some(ago), "the grain is over");
        assert_eq!(pace.left(at(1_200), Some(ago)), Some(ago), "no patience");
        pace.looked_at(at(1_280), Found::Nothing);
        assert_eq!(pace.left(at(1_280), None), None, "idle again");
        pace.looked_at(at(5_000), Found::Packets);
        assert_eq!(pace.left(at(5_000), None), None, "they come seldom");
    }
}
