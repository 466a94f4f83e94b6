//! Watches over a stream: has its party been heard, has it fallen silent (INV-17, MED-09).
//!
//! A packet costs one store; whether a silence is over-long is asked only when it could be.
//!
//! Not here: what follows from it. Media tells, control decides.

use embassy_time::{Duration, Instant};
use media_api::{Millis, StreamSpec};

/// The watch over one stream.
#[derive(Debug, Clone)]
#[repr(C)]
pub(crate) struct Vigil {
    /// Since when nothing has been heard; the beginning counts as heard.
    quiet_since: Instant,
    state: State,
    /// None where nobody asked, or where the stream does not receive.
    patience: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not heard since the party was last announced.
    Expected,
    Heard,
    /// Control has been told of the silence; whether the party was ever heard decides what its return is called.
    Silent {
        was_heard: bool,
    },
}

/// What a packet means beside itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    Again,
    First,
    AfterSilence,
}

impl Vigil {
    pub(crate) fn new(spec: &StreamSpec, now: Instant) -> Self {
        Self {
            quiet_since: now,
            state: State::Expected,
            patience: patience(spec),
        }
    }

    /// The spec was replaced; another party is expected anew.
    pub(crate) fn replaced(&mut self, spec: &StreamSpec, party: Party, now: Instant) {
        let patience = patience(spec);
        if patience != self.patience {
            (self.patience, self.quiet_since) = (patience, now);
        }
        if party == Party::Another {
            (self.state, self.quiet_since) = (State::Expected, now);
        }
    }

    #[inline]
    pub(crate) fn heard(&mut self, now: Instant) -> Heard {
        self.quiet_since = now;
        let before = core::mem::replace(&mut self.state, State::Heard);
        match before {
            State::Heard => Heard::Again,
            State::Expected | State::Silent { was_heard: false } => Heard::First,
            State::Silent { was_heard: true } => Heard::AfterSilence,
        }
    }

    /// When to look for silence.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Silent { .. } => None,
            State::Expected | State::Heard => Some(self.quiet_since() + self.patience?),
        }
    }

    /// How long it has been silent, when that is to be told now.
    pub(crate) fn silence(&mut self, now: Instant) -> Option<Millis> {
        if self.deadline().is_none_or(|deadline| deadline > now) {
            return None;
        }
        let quiet = now
            .saturating_duration_since(self.quiet_since())
            .as_millis();
        self.state = State::Silent {
            was_heard: self.state == State::Heard,
        };
        Some(Millis(u32::try_from(quiet).unwrap_or(u32::MAX)))
    }

    /// Since when nothing has been heard; the beginning counts as heard.
    pub(crate) fn quiet_since(&self) -> Instant {
        self.quiet_since
    }
}

/// Whether a new spec is about the party of the old one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Party {
    Same,
    Another,
}

fn patience(spec: &StreamSpec) -> Option<Duration> {
    let Millis(patience) = spec.silence_after.filter(|_| spec.direction.receives())?;
    Some(Duration::from_millis(u64::from(patience)))
}
