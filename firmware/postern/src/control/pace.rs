//! How soon the loop turns again: at once while little happens, after a short rest while much does.
//!
//! To be woken for every datagram costs more than to work on it: a system call, a change of process, a core that slept, caches
//! gone cold. So a loop that is given much takes it by handfuls, as network cards do with their interrupts. What it costs is a
//! [`REST`] for each message of a call, of which a person who dials notices nothing; what it saves at 250 calls a second is
//! a quarter of what a call costs. A box with few calls never rests.
//!
//! Not here: limits, and what to do when there is too much.

use std::time::Duration;

use tokio::time::Instant;

/// Over so long it is counted what happens.
const WINDOW: Duration = Duration::from_millis(20);
/// So much in a window is much: 500 messages a second, or 80 calls.
const MUCH: usize = 10;
/// Short beside a round trip in any network that needs a session border controller, and beside a packet of audio.
const REST: Duration = Duration::from_millis(4);
/// Whoever was given so much at once has more waiting, and goes on.
const FULL: usize = 32;

/// What has happened of late.
#[derive(Debug)]
pub(super) struct Pace {
    began: Instant,
    messages: usize,
    rests: bool,
}

impl Pace {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            began: now,
            messages: 0,
            rests: false,
        }
    }

    /// The network has given so many messages, which are worked off; how long to rest before it is asked again.
    pub(super) fn turned(&mut self, now: Instant, messages: usize) -> Option<Duration> {
        self.messages += messages;
        if now.saturating_duration_since(self.began) >= WINDOW {
            // A turn after a long silence closes a long window, which says little happened.
            let windows = now.duration_since(self.began).as_millis() / WINDOW.as_millis();
            self.rests = self.messages >= MUCH.saturating_mul(windows as usize);
            (self.began, self.messages) = (now, 0);
        }
        (self.rests && messages < FULL).then_some(REST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Turns every `gap` for a second, each with `messages`; how many of them rested.
    fn rests(gap: Duration, messages: usize) -> usize {
        let mut now = Instant::now();
        let end = now + Duration::from_secs(1);
        let mut pace = Pace::new(now);
        let mut rests = 0;
        while now < end {
            let rest = pace.turned(now, messages);
            rests += usize::from(rest.is_some());
            now += gap + rest.unwrap_or_default();
        }
        rests
    }

    #[test]
    fn few_messages_never_wait() {
        assert_eq!(rests(Duration::from_millis(3), 1), 0, "333 a second");
        assert_eq!(
            rests(Duration::from_millis(100), 20),
            0,
            "a burst now and then"
        );
    }

    #[test]
    fn many_messages_are_taken_by_handfuls_until_there_are_few() {
        assert!(rests(Duration::from_micros(400), 1) > 100, "2,500 a second");
        let mut pace = Pace::new(Instant::now());
        let mut now = Instant::now();
        for _ in 0..100 {
            now += Duration::from_millis(1);
            pace.turned(now, 4);
        }
        assert_eq!(pace.turned(now, 1), Some(REST));
        assert_eq!(pace.turned(now, FULL), None, "more waits");
        assert_eq!(pace.turned(now + Duration::from_secs(5), 1), None);
    }
}
