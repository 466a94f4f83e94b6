//! When the core must be woken, as one sleep that is seldom set.
//!
//! The core's deadline moves with almost every message, and a sleep that is set to an earlier time costs a system call. So
//! while anything is due soon the sleep goes off every [`TICK`], and what has become due by then is done together, late by
//! a tick at most; it sleeps until the deadline itself only while that is far. A box without calls is not woken for nothing.
//!
//! Not here: what is due.

use std::pin::Pin;
use std::time::Duration;

use embassy_time::Instant;
use tokio::time::{Sleep, sleep};

use crate::clock;

/// No timer of SIP notices so little.
const TICK: Duration = Duration::from_millis(20);
/// A deadline nearer than this means that something is going on.
const SOON: embassy_time::Duration = embassy_time::Duration::from_secs(2);
/// Nothing is due at all.
const FAR: Duration = Duration::from_secs(3_600);

/// The sleep, and what it is for.
pub(super) struct Alarm {
    deadline: Option<Instant>,
    sleep: Pin<Box<Sleep>>,
}

impl Alarm {
    pub(super) fn new() -> Self {
        Self {
            deadline: None,
            sleep: Box::pin(sleep(FAR)),
        }
    }

    /// The deadline, as it is now.
    pub(super) fn set(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
        self.arm();
    }

    /// Waits for the deadline that was set last. May be dropped while it waits.
    pub(super) async fn due(&mut self) {
        loop {
            if self
                .deadline
                .is_some_and(|deadline| deadline <= clock::now())
            {
                return;
            }
            self.arm();
            self.sleep.as_mut().await;
        }
    }

    fn arm(&mut self) {
        let now = tokio::time::Instant::now();
        let next = match self.deadline {
            None => now + FAR,
            Some(deadline) if deadline > clock::now() + SOON => clock::to_tokio(deadline),
            Some(_) => now + TICK,
        };
        if next < self.sleep.deadline() || self.sleep.is_elapsed() {
            self.sleep.as_mut().reset(next);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(test: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime");
        runtime.block_on(test)
    }

    fn after(milliseconds: u64) -> Instant {
        clock::now() + embassy_time::Duration::from_millis(milliseconds)
    }

    #[test]
    fn it_goes_off_when_due_and_not_before() {
        run(async {
            let mut alarm = Alarm::new();
            for wait in [0, 5, 90, 30, 2_100] {
                let deadline = after(wait);
                alarm.set(Some(deadline));
                alarm.due().await;
                let late = clock::now()
                    .checked_duration_since(deadline)
                    .expect("not before");
                assert!(late.as_millis() < 500, "{late:?} after {wait} ms");
            }
        });
    }

    #[test]
    fn a_deadline_may_come_nearer_and_go_away() {
        run(async {
            let mut alarm = Alarm::new();
            alarm.set(Some(after(60_000)));
            alarm.set(Some(after(10)));
            alarm.due().await;
            alarm.set(None);
            let waited = tokio::time::timeout(Duration::from_millis(60), alarm.due()).await;
            assert!(waited.is_err(), "nothing is due");
            assert!(
                alarm.sleep.deadline() > tokio::time::Instant::now() + FAR / 2,
                "and nothing wakes us"
            );
        });
    }
}
