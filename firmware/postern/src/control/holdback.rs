//! Messages that wait until media has done what was asked of it before them.
//!
//! RFC 3264 §5.1, §6.1: whoever sends an offer or an answer is ready to receive what it describes. Media is another process, so
//! an answer could be at the peer before its port is open or its key is in force, and the peer's first packets would be
//! lost. So whatever leaves after a stream was put waits for media to say that it has got so far: by the pong to a ping that
//! follows the streams. Order is kept, and nobody waits for long: media that does not answer loses its audio, not our calls.
//!
//! Not here: sending anything.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// The longest that a message waits. Media answers in a tenth of a millisecond unless the machine is very busy.
const PATIENCE: Duration = Duration::from_millis(500);

/// What waits, in the order in which it leaves.
#[derive(Debug)]
pub(super) struct Holdback<T> {
    /// Pings sent on this connection to media.
    asked: u64,
    /// Pongs that came.
    done: u64,
    waiting: VecDeque<Held<T>>,
}

#[derive(Debug)]
struct Held<T> {
    /// The ping whose pong it waits for.
    ping: u64,
    until: Instant,
    message: T,
}

impl<T> Default for Holdback<T> {
    fn default() -> Self {
        Self {
            asked: 0,
            done: 0,
            waiting: VecDeque::new(),
        }
    }
}

impl<T> Holdback<T> {
    /// Media has been asked: what is given from now on waits for the answer.
    pub(super) const fn asked(&mut self) {
        self.asked += 1;
    }

    /// Media has answered once.
    pub(super) const fn answered(&mut self) {
        self.done += 1;
    }

    /// Media is gone, or another: no answer is to come.
    pub(super) const fn forget(&mut self) {
        self.done = self.asked;
    }

    /// The message, if it may leave at once.
    pub(super) fn give(&mut self, now: Instant, message: T) -> Option<T> {
        if self.waiting.is_empty() && self.done >= self.asked {
            return Some(message);
        }
        self.waiting.push_back(Held {
            ping: self.asked,
            until: now + PATIENCE,
            message,
        });
        None
    }

    /// The next message that need wait no longer.
    pub(super) fn take(&mut self, now: Instant) -> Option<T> {
        let first = self.waiting.front()?;
        let may_leave = first.ping <= self.done || first.until <= now;
        if may_leave {
            self.waiting.pop_front().map(|held| held.message)
        } else {
            None
        }
    }

    /// When a message leaves although media has not answered.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.waiting.front().map(|held| held.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(holdback: &mut Holdback<&'static str>, now: Instant) -> Vec<&'static str> {
        std::iter::from_fn(|| holdback.take(now)).collect()
    }

    #[test]
    fn what_follows_a_stream_waits_for_media_and_leaves_in_order() {
        let now = Instant::now();
        let mut holdback = Holdback::default();
        assert_eq!(holdback.give(now, "nothing asked"), Some("nothing asked"));
        holdback.asked();
        assert_eq!(holdback.give(now, "answer"), None);
        holdback.asked();
        assert_eq!(holdback.give(now, "another"), None);
        assert_eq!(taken(&mut holdback, now), Vec::<&str>::new());
        holdback.answered();
        assert_eq!(taken(&mut holdback, now), ["answer"]);
        assert_eq!(
            holdback.give(now, "behind"),
            None,
            "nothing overtakes what waits"
        );
        holdback.answered();
        assert_eq!(taken(&mut holdback, now), ["another", "behind"]);
        assert_eq!(holdback.give(now, "free"), Some("free"));
        assert_eq!(holdback.deadline(), None);
    }

    #[test]
    fn media_that_is_gone_or_silent_holds_nothing_for_long() {
        let now = Instant::now();
        let mut holdback = Holdback::default();
        holdback.asked();
        assert_eq!(holdback.give(now, "answer"), None);
        let deadline = holdback.deadline().expect("it waits");
        assert_eq!(taken(&mut holdback, deadline), ["answer"]);
        assert_eq!(holdback.give(deadline, "gone"), None);
        holdback.forget();
        assert_eq!(taken(&mut holdback, deadline), ["gone"]);
        // The next media's answers count from here.
        holdback.asked();
        assert_eq!(holdback.give(deadline, "new"), None);
        holdback.answered();
        assert_eq!(taken(&mut holdback, deadline), ["new"]);
    }
}
