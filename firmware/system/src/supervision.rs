//! When a process that ended is started again: at once if it had held, later and later if it had not.
//!
//! ```text
//! Stopped ── start ──► Running ── ended ──► Waiting ── its time has come ──► Running …
//! ```
//!
//! Not here: processes. A service is a value that hears of them.

use embassy_time::{Duration, Instant};

const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// A process that lived so long has started well.
const HELD: Duration = Duration::from_secs(30);

/// What happened to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// It was started.
    Started,
    /// It ended, or could not be started.
    Ended,
    /// It is to stay away.
    Stop,
}

/// Something that is to run.
#[derive(Debug)]
pub struct Service {
    state: State,
    wait: Duration,
    restarts: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Stopped,
    Running { since: Instant },
    Waiting { until: Instant },
}

impl Service {
    /// One that is to be started at once.
    #[must_use]
    pub const fn new(now: Instant) -> Self {
        Self {
            state: State::Waiting { until: now },
            wait: FIRST_WAIT,
            restarts: 0,
        }
    }

    /// Hears of its process.
    pub fn handle(&mut self, now: Instant, event: Event) {
        self.state = match (event, self.state) {
            (Event::Started, State::Waiting { .. }) => State::Running { since: now },
            (Event::Ended, State::Running { since }) => {
                self.wait = if now - since >= HELD {
                    FIRST_WAIT
                } else {
                    (self.wait * 2).min(LONGEST_WAIT)
                };
                self.restarts = self.restarts.saturating_add(1);
                State::Waiting {
                    until: now + self.wait,
                }
            }
            (Event::Stop, _) => State::Stopped,
            (_, state) => state,
        };
    }

    /// Whether its process is to be started now. Whoever is told so says [`Event::Started`], whatever comes of it.
    #[must_use]
    pub fn is_due(&self, now: Instant) -> bool {
        matches!(self.state, State::Waiting { until } if until <= now)
    }

    /// When to look again.
    #[must_use]
    pub const fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Waiting { until } => Some(until),
            _ => None,
        }
    }

    /// Since when it runs.
    #[must_use]
    pub const fn since(&self) -> Option<Instant> {
        match self.state {
            State::Running { since } => Some(since),
            _ => None,
        }
    }

    /// How often it was started again.
    #[must_use]
    pub const fn restarts(&self) -> u32 {
        self.restarts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    #[test]
    fn one_that_dies_at_once_waits_longer_each_time_up_to_a_bound() {
        let mut now = at(0);
        let mut service = Service::new(now);
        let mut waits = Vec::new();
        for _ in 0..12 {
            assert!(service.is_due(now));
            service.handle(now, Event::Started);
            service.handle(now, Event::Ended);
            let until = service.deadline().expect("it waits");
            waits.push((until - now).as_millis());
            assert!(!service.is_due(now));
            now = until;
        }
        assert_eq!(waits[..4], [200, 400, 800, 1_600]);
        assert_eq!(waits[11], 10_000);
        assert_eq!(service.restarts(), 12);
    }

    #[test]
    fn one_that_held_is_back_at_once() {
        let mut service = Service::new(at(0));
        for _ in 0..5 {
            service.handle(at(0), Event::Started);
            service.handle(at(0), Event::Ended);
        }
        service.handle(at(20_000), Event::Started);
        assert_eq!(service.since(), Some(at(20_000)));
        service.handle(at(50_000), Event::Ended);
        assert_eq!(service.deadline(), Some(at(50_100)));
    }

    #[test]
    fn one_that_is_stopped_stays_away() {
        let mut service = Service::new(at(0));
        service.handle(at(0), Event::Started);
        service.handle(at(1), Event::Stop);
        service.handle(at(2), Event::Ended);
        assert_eq!((service.deadline(), service.is_due(at(99))), (None, false));
    }
}
