//! Drives `embassy-time` in programs that have this crate: `Instant::now` and timers.
//!
//! Wakers wait in a heap beside one thread, which starts with the first of them. Nothing on a packet's way has timers, and the
//! control plane has its own, so simple is enough: some thousand timers cost a heap operation each.
//!
//! Not here: time in tests, which is an argument.

use core::cmp::Reverse;
use core::task::Waker;
use std::collections::BinaryHeap;
use std::sync::{Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

use embassy_time_driver::{Driver, TICK_HZ};

use crate::clock::ticks;

struct SystemDriver {
    queue: Mutex<BinaryHeap<Reverse<Alarm>>>,
    changed: Condvar,
    thread: Once,
}

/// A waker and its time; of two with the same time either may be first.
struct Alarm {
    at: u64,
    waker: Waker,
}

impl PartialEq for Alarm {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Alarm {}

impl PartialOrd for Alarm {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Alarm {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

impl SystemDriver {
    fn queue(&self) -> MutexGuard<'_, BinaryHeap<Reverse<Alarm>>> {
        // A waker that panics leaves the heap whole.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut queue = self.queue();
        loop {
            let now = ticks();
            let patience = match queue.peek() {
                Some(Reverse(alarm)) if alarm.at <= now => {
                    let due = queue.pop();
                    drop(queue);
                    if let Some(Reverse(alarm)) = due {
                        alarm.waker.wake();
                    }
                    queue = self.queue();
                    continue;
                }
                Some(Reverse(alarm)) => {
                    Duration::from_micros((alarm.at - now) * 1_000_000 / TICK_HZ + 1)
                }
                None => Duration::from_secs(3_600),
            };
            queue = self
                .changed
                .wait_timeout(queue, patience)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

impl Driver for SystemDriver {
    fn now(&self) -> u64 {
        ticks()
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        self.thread.call_once(|| {
            std::thread::spawn(|| DRIVER.run());
        });
        self.queue().push(Reverse(Alarm {
            at,
            waker: waker.clone(),
        }));
        self.changed.notify_one();
    }
}

embassy_time_driver::time_driver_impl!(static DRIVER: SystemDriver = SystemDriver {
    queue: Mutex::new(BinaryHeap::new()),
    changed: Condvar::new(),
    thread: Once::new(),
});

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::mpsc::{Sender, channel};
    use std::task::Wake;

    struct Bell(Mutex<Sender<&'static str>>, &'static str);

    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            let sender = self.0.lock().expect("nobody panics with it");
            sender.send(self.1).expect("the test listens");
        }
    }

    #[test]
    fn wakers_are_woken_in_the_order_of_their_times() {
        let (sender, heard) = channel();
        let bell = |name| Waker::from(Arc::new(Bell(Mutex::new(sender.clone()), name)));
        let now = ticks();
        let after = |milliseconds| now + milliseconds * TICK_HZ / 1_000;
        DRIVER.schedule_wake(after(60), &bell("third"));
        DRIVER.schedule_wake(after(30), &bell("second"));
        DRIVER.schedule_wake(now, &bell("first"));
        for name in ["first", "second", "third"] {
            assert_eq!(heard.recv_timeout(Duration::from_secs(5)), Ok(name));
        }
        assert!(ticks() >= after(60));
    }
}
