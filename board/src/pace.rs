//! How often ports that are busy look for packets: not for each one, and never long after it came.
//!
//! Waking a thread costs more than a packet does, and what a burst needs is fetched once for all its packets. So while packets
//! come thick, the thread sleeps until some must have come, and finds them at once. The thicker they come the shorter it sleeps:
//! at half of what a processor can carry, no packet waits longer than [`SHORTEST`] or little more. Of few packets each may wait a
//! fortieth of the time that lies between two of a voice. When hardly any come, it waits for the next as an idle box does.
//!
//! Not here: what is looked at.

use embassy_time::{Duration, Instant};
use rustix::thread::nanosleep;
use rustix::time::Timespec;

use crate::clock::ticks;

/// From one packet to the next where sockets keep a processor half busy.
const HALF: Duration = Duration::from_micros(12);

/// What a packet may have to wait for others, at half load and under little. Voice has 20 ms between two.
pub(crate) const SHORTEST: Duration = Duration::from_micros(80);
const LONGEST: Duration = Duration::from_micros(500);

/// Packets that come at least so fast are worth a nap: five of them in the longest.
const THICK: Duration = Duration::from_micros(100);

/// A pause that is longer tells no more: it ends the load.
const PAUSE: Duration = Duration::from_millis(1);

/// The pace of one thread's looks.
#[derive(Debug)]
pub(crate) struct Pace {
    /// When something was last found.
    found: Instant,
    /// From one packet to the next, in nanoseconds, a mean over the last few looks.
    gap: u64,
    /// Nothing was found where something was to be expected.
    is_quiet: bool,
}

impl Pace {
    pub(crate) fn new() -> Self {
        Self {
            found: Instant::MIN,
            gap: nanoseconds(PAUSE),
            is_quiet: true,
        }
    }

    /// Before a look: sleeps until a few packets must have come, at most so long. True if whoever looks should only glance: it
    /// was a nap, not the wait itself.
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

    /// After a look: how many packets there were, as far as is known.
    pub(crate) fn looked(&mut self, count: usize) {
        self.looked_at(now(), count);
    }

    /// What is left of a nap while packets come thick.
    fn left(&self, now: Instant, timeout: Option<Duration>) -> Option<Duration> {
        if self.is_quiet || self.gap > nanoseconds(THICK) {
            return None;
        }
        // By the square: further from half load there is more to be saved, and more time for it.
        let half = nanoseconds(HALF);
        let nap = nanoseconds(SHORTEST) * self.gap / half * self.gap / half;
        let nap = Duration::from_nanos(nap).clamp(SHORTEST, LONGEST);
        let passed = now.saturating_duration_since(self.found);
        let left = Duration::from_ticks(nap.as_ticks().saturating_sub(passed.as_ticks()));
        Some(timeout.map_or(left, |timeout| timeout.min(left)))
    }

    fn looked_at(&mut self, now: Instant, count: usize) {
        self.is_quiet = count == 0;
        if count > 0 {
            let passed = now.saturating_duration_since(self.found).min(PAUSE);
            self.gap = (7 * self.gap + nanoseconds(passed) / count as u64) / 8;
            self.found = now;
        }
    }
}

fn now() -> Instant {
    Instant::from_ticks(ticks())
}

fn nanoseconds(time: Duration) -> u64 {
    time.as_micros() * 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pace after a while in which so many packets were found every so many microseconds.
    fn after(every: u64, count: usize) -> (Pace, Instant) {
        let mut pace = Pace::new();
        let mut at = Instant::from_secs(1);
        for _ in 0..100 {
            at += Duration::from_micros(every);
            pace.looked_at(at, count);
        }
        (pace, at)
    }

    #[test]
    fn the_thicker_packets_come_the_shorter_is_the_nap() {
        for (every, count, nap) in [
            (80, 20, Some(80)),
            (80, 8, Some(80)),
            (240, 10, Some(320)),
            (500, 10, Some(500)),
            (500, 5, Some(500)),
            (200, 1, None),
            (20_000, 1, None),
        ] {
            let (pace, at) = after(every, count);
            let left = pace.left(at, None).map(|left| left.as_micros());
            // The mean comes near, and not to the last nanosecond.
            assert_eq!(
                left.map(|left| left.div_ceil(2)),
                nap.map(|nap: u64| nap.div_ceil(2)),
                "{count} packets every {every} us: {left:?}"
            );
        }
    }

    #[test]
    fn a_nap_has_its_end_and_patience_its_own() {
        let (pace, at) = after(80, 8);
        let after = |microseconds| at + Duration::from_micros(microseconds);
        let left = |at, timeout| pace.left(at, timeout).map(|left| left.as_micros());
        assert_eq!(left(after(20), None), Some(60));
        assert_eq!(left(after(500), None), Some(0), "it is over");
        assert_eq!(left(at, Some(Duration::from_micros(5))), Some(5));
        assert_eq!(left(at, Some(Duration::from_ticks(0))), Some(0));
    }

    #[test]
    fn load_ends_at_once_and_begins_slowly() {
        let (mut pace, at) = after(80, 8);
        pace.looked_at(at, 0);
        assert_eq!(pace.left(at, None), None, "nothing came: wait");
        let mut pace = Pace::new();
        pace.looked_at(at, 1);
        pace.looked_at(at + Duration::from_micros(10), 1);
        assert_eq!(pace.left(at, None), None, "two packets are no load");
    }
}
