//! Whether all is well, from what is seen of the planes; on it hang the watchdog and the fate of a new release.
//!
//! A plane that runs and says nothing is ended, so that it is started again. Only if that does not help is the box given up to
//! its watchdog. A configuration that control refuses, or an address that is not there, is no such case: a restart would not mend it, and
//! would take the console away from who could.
//!
//! Not here: asking the planes; the watchdog itself.

use embassy_time::{Duration, Instant};

/// A plane may say nothing for so long.
const SILENCE: Duration = Duration::from_secs(20);
/// A box may be ill for so long before it is restarted.
const ILLNESS: Duration = Duration::from_secs(150);

/// What was seen of the planes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// Control answered, and media answers control.
    Well,
    /// Control answered, but has no media.
    NoMedia,
    /// Control did not answer.
    Silent,
    /// Control ended because it refuses its configuration.
    Refused,
    /// Both answer, but nobody listens where the settings say.
    Deaf,
}

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// End control, which is silent.
    EndControl,
    /// End media, which control does not reach.
    EndMedia,
}

/// The health of a box.
#[derive(Debug)]
pub struct Health {
    /// When it was last well, or began.
    well: Instant,
    /// Since when it is well without a break.
    holding: Option<Instant>,
    /// When a remedy was last tried.
    remedied: Instant,
    last: Option<Sign>,
}

impl Health {
    /// Of a box that just began.
    #[must_use]
    pub const fn new(now: Instant) -> Self {
        Self {
            well: now,
            holding: None,
            remedied: now,
            last: None,
        }
    }

    /// Hears what was seen, and says what to do.
    pub fn handle(&mut self, now: Instant, sign: Sign) -> Option<Remedy> {
        self.last = Some(sign);
        let remedy = match sign {
            Sign::Well => {
                self.well = now;
                self.holding.get_or_insert(now);
                return None;
            }
            Sign::Refused | Sign::Deaf => {
                self.well = now;
                self.holding = None;
                return None;
            }
            Sign::NoMedia => Remedy::EndMedia,
            Sign::Silent => Remedy::EndControl,
        };
        self.holding = None;
        let waited = now - self.well.max(self.remedied) >= SILENCE;
        waited.then(|| {
            self.remedied = now;
            remedy
        })
    }

    /// Whether the watchdog is to be fed.
    #[must_use]
    pub fn may_live(&self, now: Instant) -> bool {
        now - self.well < ILLNESS
    }

    /// For how long all has been well without a break.
    #[must_use]
    pub fn well_for(&self, now: Instant) -> Option<Duration> {
        self.holding.map(|since| now - since)
    }

    /// What was seen last.
    #[must_use]
    pub const fn last(&self) -> Option<Sign> {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_secs(seconds)
    }

    #[test]
    fn a_silent_plane_is_ended_once_in_a_while_and_then_the_box_is_given_up() {
        let mut health = Health::new(at(0));
        health.handle(at(10), Sign::Well);
        let ended: Vec<u64> = (11..200)
            .filter(|second| health.handle(at(*second), Sign::Silent) == Some(Remedy::EndControl))
            .collect();
        assert_eq!(ended[..3], [30, 50, 70]);
        assert!(health.may_live(at(159)));
        assert!(!health.may_live(at(160)));
        assert_eq!(health.handle(at(300), Sign::Well), None);
        assert!(health.may_live(at(300)));
    }

    #[test]
    fn what_a_restart_does_not_mend_neither_restarts_the_box_nor_counts_as_well() {
        let mut health = Health::new(at(0));
        for second in 0..1_000 {
            let sign = if second % 2 == 0 {
                Sign::Refused
            } else {
                Sign::Deaf
            };
            assert_eq!(health.handle(at(second), sign), None);
        }
        assert!(health.may_live(at(1_000)));
        assert_eq!(health.well_for(at(1_000)), None);
    }

    #[test]
    fn being_well_counts_from_the_last_break() {
        let mut health = Health::new(at(0));
        health.handle(at(5), Sign::Well);
        health.handle(at(9), Sign::Well);
        assert_eq!(health.well_for(at(9)), Some(Duration::from_secs(4)));
        assert_eq!(health.handle(at(10), Sign::NoMedia), None);
        health.handle(at(11), Sign::Well);
        assert_eq!(health.well_for(at(12)), Some(Duration::from_secs(1)));
    }
}
