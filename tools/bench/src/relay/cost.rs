//! What a process costs, from `/proc`: nanoseconds on a processor, and how they part between program and kernel.
//!
//! The first is exact (`schedstat`, by thread). The parts are in hundredths of a second, so they are good for seconds, not for
//! packets.
//!
//! Not here: what it did for that.

use std::fs;
use std::time::Duration;

/// Of a process or a thread, so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cost {
    pub(super) all: Duration,
    pub(super) user: Duration,
    pub(super) kernel: Duration,
}

impl Cost {
    /// Of all threads of a process that are there, or of those whose name begins so.
    pub(super) fn of(process: u32, name: Option<&str>) -> Self {
        let threads = fs::read_dir(format!("/proc/{process}/task")).expect("it runs");
        let mut cost = Self::default();
        for thread in threads.flatten() {
            let read =
                |file: &str| fs::read_to_string(thread.path().join(file)).unwrap_or_default();
            if name.is_some_and(|name| !read("comm").starts_with(name)) {
                continue;
            }
            let schedstat = read("schedstat");
            let nanoseconds = schedstat
                .split(' ')
                .next()
                .and_then(|text| text.parse().ok());
            cost.all += Duration::from_nanos(nanoseconds.unwrap_or(0));
            let stat = read("stat");
            let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
            // utime and stime, fields 14 and 15 of proc(5), of which two stand before the bracket.
            let mut ticks = fields
                .split_whitespace()
                .skip(11)
                .map(|text| Duration::from_millis(10 * text.parse().unwrap_or(0)));
            cost.user += ticks.next().unwrap_or_default();
            cost.kernel += ticks.next().unwrap_or_default();
        }
        cost
    }

    /// What came since.
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            all: self.all - before.all,
            user: self.user - before.user,
            kernel: self.kernel - before.kernel,
        }
    }

    /// The exact whole, parted as the coarse parts are.
    pub(super) fn parts(self) -> (f64, f64) {
        let (user, kernel) = (self.user.as_secs_f64(), self.kernel.as_secs_f64());
        let share = if user + kernel > 0.0 {
            user / (user + kernel)
        } else {
            0.0
        };
        let all = self.all.as_secs_f64();
        (all * share, all * (1.0 - share))
    }
}
