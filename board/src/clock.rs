//! Where time comes from on Linux.
//!
//! Moments are microseconds since the machine booted, so processes of one box agree about them; no clock of this kind ever
//! jumps, whatever is done to the time of day.
//!
//! Not here: waiting (`host::Ports::wait`, the control plane's own timers).

use embassy_time::Instant;
use hal::{Clock, UnixTime};
use rustix::time::{ClockId, clock_gettime};

/// The clocks of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::from_ticks(ticks())
    }

    fn wall(&self) -> UnixTime {
        let time = clock_gettime(ClockId::Realtime);
        UnixTime {
            seconds: u64::try_from(time.tv_sec).unwrap_or(0),
            nanoseconds: u32::try_from(time.tv_nsec).unwrap_or(0),
        }
    }
}

/// Ticks of `embassy-time` since the machine booted.
pub(crate) fn ticks() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds * embassy_time::TICK_HZ + nanoseconds * embassy_time::TICK_HZ / 1_000_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_on_and_is_of_this_century() {
        let before = SystemClock.now();
        std::thread::sleep(std::time::Duration::from_millis(5));
        let passed = SystemClock.now() - before;
        assert!((5..500).contains(&passed.as_millis()), "{passed:?}");
        assert!(SystemClock.wall().seconds > 1_700_000_000);
    }

    #[test]
    fn the_clock_of_the_program_is_this_clock() {
        let ours = SystemClock.now();
        let theirs = Instant::now();
        assert!(theirs >= ours && (theirs - ours).as_millis() < 500);
    }
}
