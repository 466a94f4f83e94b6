//! What a peer does in a call, as a list of steps: for calls that ring where no test holds their handle.
//!
//! A script runs until it is through or the call is over. A step that the box refuses is a complaint.
//!
//! Not here: the steps themselves (`Call`'s methods).

use std::time::Duration;

use super::taken::Reliable;
use super::{Call, EarlyMedia, Fork, Phase, Provisional, Refusal, Transfer};
use crate::complaint::Rule;

/// How long a script waits for a call to come up.
const UP_WITHIN: Duration = Duration::from_secs(60);

/// One thing to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Wait.
    Wait(Duration),
    /// A provisional answer.
    Progress(Provisional),
    /// Answer on this fork.
    Answer(Fork),
    /// Do not take it.
    Refuse(Refusal),
    /// Give up a call that we dialled, with this Reason.
    Cancel(Option<String>),
    /// Wait until the call is up.
    Up,
    /// `inactive`.
    Hold,
    /// `sendrecv`.
    Resume,
    /// New keys.
    Rekey,
    /// The same again.
    Refresh,
    /// Digits by RFC 4733.
    Digits(String),
    /// A REFER; its fate is awaited, and then the call is ended as Teams ends it.
    Transfer(Transfer),
    /// End it.
    HangUp,
}

/// Steps in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Script(pub Vec<Step>);

impl Script {
    /// Rings once and answers: what most numbers do.
    #[must_use]
    pub fn answer() -> Self {
        Self(vec![
            Self::ring(Fork(0)),
            Step::Wait(Duration::from_millis(100)),
            Step::Answer(Fork(0)),
        ])
    }

    /// Answers at once.
    #[must_use]
    pub fn pick_up() -> Self {
        Self(vec![Step::Answer(Fork(0))])
    }

    /// Rings and never answers.
    #[must_use]
    pub fn ring_only() -> Self {
        Self(vec![Self::ring(Fork(0))])
    }

    /// Is busy; Teams says so with cause 34 (INV-14).
    #[must_use]
    pub fn busy(cause: Option<u16>) -> Self {
        let refusal = Refusal::new(486, "Busy Here");
        Self(vec![Step::Refuse(match cause {
            Some(cause) => refusal.with("Reason", format!("Q.850;cause={cause}")),
            None => refusal,
        })])
    }

    /// Refuses with this status.
    #[must_use]
    pub fn refuse(code: u16, phrase: &str) -> Self {
        Self(vec![Step::Refuse(Refusal::new(code, phrase))])
    }

    /// Several clients ring, one promises audio, another answers (INV-16).
    #[must_use]
    pub fn forks() -> Self {
        Self(vec![
            Self::ring(Fork(1)),
            Self::ring(Fork(2)),
            Self::early(Fork(2), EarlyMedia::Promised),
            Self::ring(Fork(3)),
            Step::Wait(Duration::from_millis(150)),
            Step::Answer(Fork(3)),
        ])
    }

    /// Says nothing at all after the 100.
    #[must_use]
    pub fn silence() -> Self {
        Self(Vec::new())
    }

    /// The same with more steps.
    #[must_use]
    pub fn then(mut self, steps: impl IntoIterator<Item = Step>) -> Self {
        self.0.extend(steps);
        self
    }

    /// A 180.
    #[must_use]
    pub fn ring(fork: Fork) -> Step {
        Step::Progress(Provisional {
            code: 180,
            fork,
            media: EarlyMedia::None,
            reliable: Reliable::No,
        })
    }

    /// A 183 with a description.
    #[must_use]
    pub fn early(fork: Fork, media: EarlyMedia) -> Step {
        Step::Progress(Provisional {
            code: 183,
            fork,
            media,
            reliable: Reliable::No,
        })
    }

    /// Does the steps.
    pub async fn play(self, call: Call) {
        for step in self.0 {
            if matches!(call.phase(), Phase::Over(_)) {
                return;
            }
            play_step(&call, step).await;
        }
    }
}

async fn play_step(call: &Call, step: Step) {
    let failed = match step {
        Step::Wait(time) => {
            let _ = call.over(time).await;
            None
        }
        Step::Progress(provisional) => {
            call.progress(provisional).await;
            None
        }
        Step::Answer(fork) => call.answer(fork).await.err().map(|refusal| refusal.phrase),
        Step::Refuse(refusal) => {
            call.refuse(&refusal);
            None
        }
        Step::Cancel(reason) => {
            call.cancel(reason.as_deref());
            None
        }
        Step::Up => call
            .up(UP_WITHIN)
            .await
            .err()
            .map(|ending| format!("{ending:?}")),
        Step::Hold => told(call.hold().await),
        Step::Resume => told(call.resume().await),
        Step::Rekey => told(call.rekey().await),
        Step::Refresh => told(call.refresh().await),
        Step::Digits(digits) => {
            call.dial_digits(&digits);
            None
        }
        Step::Transfer(transfer) => match call.transfer(&transfer).await {
            Ok(()) => {
                // REF-05: only success ends the old leg.
                if call.transferred(UP_WITHIN).await == Some(200) {
                    call.hang_up().await;
                }
                None
            }
            failed => told(failed),
        },
        Step::HangUp => {
            call.hang_up().await;
            None
        }
    };
    if let Some(failed) = failed {
        call.persona().complaints.add(
            Rule::OutOfPlace,
            format!("a step of {} failed: {failed}", call.id()),
        );
    }
}

fn told<E: ToString>(outcome: Result<(), E>) -> Option<String> {
    outcome.err().map(|error| error.to_string())
}
