//! The trial of a new release: kept after it has been well for a while, left behind if it is not well in time.
//!
//! The loader counts starts and so catches what never comes this far; the trial catches what comes up and does not work. A
//! release that is good has no trial: it may have bad days, and power cuts, as often as it likes.
//!
//! Not here: what being well means (`health`); taking the counter away, restarting (`update`, `init`).

use embassy_time::{Duration, Instant};
use serde::{Deserialize, Serialize};

use crate::health::Sign;

/// What a new release has to do, in seconds. A board says it: some take long to come up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// To be well, from its start.
    pub patience: u64,
    /// Well without a break.
    pub proof: u64,
}

/// How a trial ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is good.
    Keep,
    /// Back to what was before, because of this.
    Leave(Reason),
}

/// Why a release is left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Control did not answer.
    ControlSilent,
    /// Media was not there.
    NoMedia,
    /// Control refuses settings that the release before took.
    SettingsRefused,
    /// Nobody listened where the settings say.
    Deaf,
    /// It was well at times, but never long enough.
    Unsteady,
}

impl Reason {
    /// For people.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::ControlSilent => "its control plane did not answer",
            Self::NoMedia => "its media plane did not start",
            Self::SettingsRefused => "it refuses the settings of this box",
            Self::Deaf => "it does not listen where the settings of this box say",
            Self::Unsteady => "it was never well for long enough",
        }
    }
}

/// A trial under way.
#[derive(Debug)]
pub struct Trial {
    began: Instant,
    terms: Terms,
}

impl Trial {
    /// Begins.
    #[must_use]
    pub const fn new(now: Instant, terms: Terms) -> Self {
        Self { began: now, terms }
    }

    /// Judges by how long all has been well, and what was seen last.
    #[must_use]
    pub fn judge(
        &self,
        now: Instant,
        well_for: Option<Duration>,
        last: Option<Sign>,
    ) -> Option<Verdict> {
        if well_for.is_some_and(|time| time.as_secs() >= self.terms.proof) {
            return Some(Verdict::Keep);
        }
        if (now - self.began).as_secs() < self.terms.patience {
            return None;
        }
        let reason = match last {
            Some(Sign::Well) => Reason::Unsteady,
            Some(Sign::NoMedia) => Reason::NoMedia,
            Some(Sign::Refused) => Reason::SettingsRefused,
            Some(Sign::Deaf) => Reason::Deaf,
            Some(Sign::Silent) | None => Reason::ControlSilent,
        };
        Some(Verdict::Leave(reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: Terms = Terms {
        patience: 180,
        proof: 15,
    };

    fn at(seconds: u64) -> Instant {
        Instant::from_secs(seconds)
    }

    #[test]
    fn a_release_is_kept_once_it_has_been_well_long_enough() {
        let trial = Trial::new(at(0), TERMS);
        let well = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(trial.judge(at(20), well(14), Some(Sign::Well)), None);
        assert_eq!(
            trial.judge(at(21), well(15), Some(Sign::Well)),
            Some(Verdict::Keep)
        );
        assert_eq!(
            trial.judge(at(999), well(15), Some(Sign::Well)),
            Some(Verdict::Keep)
        );
    }

    #[test]
    fn one_that_is_not_is_left_behind_with_the_reason() {
        let trial = Trial::new(at(10), TERMS);
        for (last, reason) in [
            (None, Reason::ControlSilent),
            (Some(Sign::Silent), Reason::ControlSilent),
            (Some(Sign::NoMedia), Reason::NoMedia),
            (Some(Sign::Refused), Reason::SettingsRefused),
            (Some(Sign::Deaf), Reason::Deaf),
            (Some(Sign::Well), Reason::Unsteady),
        ] {
            assert_eq!(trial.judge(at(189), None, last), None);
            assert_eq!(
                trial.judge(at(190), None, last),
                Some(Verdict::Leave(reason))
            );
        }
    }
}
