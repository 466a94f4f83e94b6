//! What is to happen in a call, as the digits of the number that is called: both phones read it there.
//!
//! Not here: doing it.

use embassy_time::Duration;

/// Who does something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    Nobody,
    Caller,
    Callee,
    Both,
}

/// How the callee takes the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taking {
    Answers,
    /// 486
    IsBusy,
    /// Rings until it is cancelled.
    LetsRing,
}

/// The plan of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) taking: Taking,
    /// After how long the caller cancels, if it does.
    pub(crate) cancel_after: Option<Duration>,
    /// Whether the 180 is a reliable one.
    pub(crate) reliable: bool,
    pub(crate) reinvites: Who,
    pub(crate) updates: Who,
    pub(crate) hangs_up: Who,
    pub(crate) answer_after: Duration,
}

impl Plan {
    /// Of a number: its remainders are the choices.
    pub(crate) fn of(number: u64) -> Self {
        let who =
            |digit: u64| [Who::Nobody, Who::Caller, Who::Callee, Who::Both][(digit % 4) as usize];
        let taking = match number % 7 {
            0 => Taking::IsBusy,
            1 => Taking::LetsRing,
            _ => Taking::Answers,
        };
        let answer_after = Duration::from_millis(700 + number % 13 * 250);
        let cancel_after = match taking {
            Taking::LetsRing => Some(Duration::from_millis(10 + number % 11 * 400)),
            // A cancel that crosses the answer.
            Taking::Answers if number % 10 == 3 => {
                Some(answer_after + Duration::from_millis(number % 90))
            }
            _ => None,
        };
        let hangs_up = match who(number / 16) {
            Who::Nobody => Who::Caller,
            who => who,
        };
        Self {
            taking,
            cancel_after,
            reliable: number.is_multiple_of(3),
            reinvites: who(number),
            updates: who(number / 4),
            hangs_up,
            answer_after,
        }
    }
}

impl Who {
    pub(crate) fn is(self, one: Self) -> bool {
        self == one || self == Self::Both
    }
}
