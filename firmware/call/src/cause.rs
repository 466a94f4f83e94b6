//! Why a leg failed or ended, and what the other leg is told.
//!
//! One place holds the translation of codes between the sides, so that "wrong code to the caller?" has one answer.
//! Microsoft's rules are those of the spec, §1.8; what a code means for hunting is in `route::hunt`.

use crate::api::Ending;
use bytes::Bytes;
use sip::message::StatusCode;

use crate::route::hunt::Failure;

/// Why a client leg did not come to an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// A final response of the far side.
    Status {
        /// Its code, 300 to 699.
        status: StatusCode,
        /// Its Reason header, if it bore one (RFC 3326).
        reason: Option<Bytes>,
        /// Its Retry-After in seconds (OPT-04).
        retry_after: Option<u32>,
    },
    /// Nothing was heard within the time allowed for a first response: a black hole.
    Silent,
    /// Something was heard, but no final response in the time allowed for ringing.
    NoAnswer,
    /// The connection was refused, reset or failed its TLS checks, or the name did not resolve.
    Unreachable,
    /// The answer cannot be used: no common codec, no key, no SDP at all.
    UnusableAnswer,
}

impl Cause {
    /// A bare status without further headers.
    #[must_use]
    pub const fn status(status: StatusCode) -> Self {
        Self::Status {
            status,
            reason: None,
            retry_after: None,
        }
    }

    /// The status that the caller's side is given, whichever kind of trunk it is.
    ///
    /// Congestion and unreachability become 503 or 504, on which Teams tries another SBC (INV-12), never 500 or 502;
    /// challenges and redirections concern this box alone and are not the caller's business.
    #[must_use]
    pub fn status_for_caller(&self) -> StatusCode {
        match self {
            Self::Status { status, .. } => match status.code() {
                300..=399 => StatusCode::TEMPORARILY_UNAVAILABLE,
                401 | 407 => StatusCode::SERVICE_UNAVAILABLE,
                // Answers to our own dialog or transaction handling, meaningless on the other leg.
                405 | 415 | 420 | 421 | 422 | 423 | 481 | 482 | 483 | 491 | 493 => {
                    StatusCode::TEMPORARILY_UNAVAILABLE
                }
                408 => StatusCode::SERVER_TIMEOUT,
                // 487 to an INVITE that nobody cancelled: the far side gave it up by itself.
                487 => StatusCode::TEMPORARILY_UNAVAILABLE,
                400..=499 => *status,
                504 => StatusCode::SERVER_TIMEOUT,
                500..=599 => StatusCode::SERVICE_UNAVAILABLE,
                _ => *status,
            },
            Self::Silent => StatusCode::SERVER_TIMEOUT,
            Self::NoAnswer => StatusCode::TEMPORARILY_UNAVAILABLE,
            Self::Unreachable => StatusCode::SERVICE_UNAVAILABLE,
            Self::UnusableAnswer => StatusCode::NOT_ACCEPTABLE_HERE,
        }
    }

    /// What the hunt makes of it.
    #[must_use]
    pub const fn for_hunting(&self) -> Failure {
        match self {
            Self::Status {
                status,
                retry_after,
                ..
            } => Failure::Status(status.code(), *retry_after),
            Self::Silent => Failure::Silent,
            Self::NoAnswer => Failure::NoAnswer,
            Self::Unreachable => Failure::Unreachable,
            Self::UnusableAnswer => Failure::NoMedia,
        }
    }

    /// The word for the call's record.
    #[must_use]
    pub fn ending(&self) -> Ending {
        match self {
            Self::Status { status, .. } => match status.code() {
                486 | 600 => Ending::Busy,
                408 | 480 | 487 => Ending::NoAnswer,
                603 | 607 => Ending::Declined,
                488 | 606 => Ending::NoCommonMedia,
                500..=599 => Ending::Unreachable,
                _ => Ending::Refused,
            },
            Self::NoAnswer => Ending::NoAnswer,
            Self::Silent | Self::Unreachable => Ending::Unreachable,
            Self::UnusableAnswer => Ending::NoCommonMedia,
        }
    }

    /// The Reason header for the caller's side, if the far side gave one that means something there.
    ///
    /// INV-14: Teams sends 486 with Q.850 cause 34 ("no circuit"), upon which carriers dial again; busy is cause 17.
    #[must_use]
    pub fn reason_for_caller(&self) -> Option<Bytes> {
        let Self::Status {
            status,
            reason: Some(reason),
            ..
        } = self
        else {
            return None;
        };
        if *status == StatusCode::BUSY_HERE && q850_cause(reason) == Some(34) {
            return Some(Bytes::from_static(b"Q.850;cause=17;text=\"User busy\""));
        }
        Some(reason.clone())
    }
}

/// The cause of the first Q.850 value of a Reason header.
fn q850_cause(reason: &[u8]) -> Option<u16> {
    let text = core::str::from_utf8(reason).ok()?;
    text.split(',').find_map(|value| {
        let (protocol, params) = value.trim().split_once(';')?;
        if !protocol.trim().eq_ignore_ascii_case("Q.850") {
            return None;
        }
        params.split(';').find_map(|param| {
            let (name, value) = param.split_once('=')?;
            name.trim()
                .eq_ignore_ascii_case("cause")
                .then(|| value.trim().parse().ok())?
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_with_cause_34_is_told_as_cause_17() {
        // INV-14
        let busy = Cause::Status {
            status: StatusCode::BUSY_HERE,
            reason: Some(Bytes::from_static(b"Q.850;cause=34;text=\"x\"")),
            retry_after: None,
        };
        assert_eq!(
            busy.reason_for_caller().as_deref(),
            Some(&b"Q.850;cause=17;text=\"User busy\""[..])
        );
        let congested = Cause::Status {
            status: StatusCode::SERVICE_UNAVAILABLE,
            reason: Some(Bytes::from_static(b"Q.850;cause=34")),
            retry_after: None,
        };
        assert_eq!(
            congested.reason_for_caller().as_deref(),
            Some(&b"Q.850;cause=34"[..])
        );
    }

    #[test]
    fn congestion_is_never_told_as_500() {
        // INV-12
        for code in [500, 501, 502, 503, 505, 513, 580] {
            let cause = Cause::status(StatusCode::new(code).expect("a status code"));
            assert_eq!(
                cause.status_for_caller(),
                StatusCode::SERVICE_UNAVAILABLE,
                "{code}"
            );
        }
        assert_eq!(
            Cause::Silent.status_for_caller(),
            StatusCode::SERVER_TIMEOUT
        );
    }
}
