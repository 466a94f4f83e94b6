//! How a packet ends, and how the reasons of media-dsp become words of `measure`.
//!
//! The matches are exhaustive: a new reason there does not compile here until it has a word.
//!
//! Not here: counting (`counters.rs`).

use measure::DropReason;
use media_dsp::srtp::{ProtectError, UnprotectError};

/// How a packet ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It has been rewritten and leaves.
    Leaves,
    /// It was for us.
    Taken,
    /// It goes no further.
    Dropped(DropReason),
}

/// A step towards a verdict: what goes wrong is the reason for a drop.
pub(crate) type Step<T> = Result<T, DropReason>;

pub(crate) fn unprotect_rtp(error: UnprotectError) -> DropReason {
    match error {
        UnprotectError::Malformed => DropReason::MalformedRtp,
        other => unprotect(other),
    }
}

pub(crate) fn unprotect_rtcp(error: UnprotectError) -> DropReason {
    match error {
        UnprotectError::Malformed => DropReason::MalformedRtcp,
        other => unprotect(other),
    }
}

fn unprotect(error: UnprotectError) -> DropReason {
    match error {
        UnprotectError::Malformed => DropReason::Unclassified,
        UnprotectError::Replayed => DropReason::Replayed,
        UnprotectError::TooOld => DropReason::TooOld,
        UnprotectError::ForeignMki => DropReason::ForeignKey,
        UnprotectError::Forged => DropReason::Unauthenticated,
        UnprotectError::TooManySources => DropReason::TooManySources,
    }
}

pub(crate) fn protect(error: ProtectError) -> DropReason {
    match error {
        ProtectError::Malformed => DropReason::MalformedRtp,
        ProtectError::NoRoom(_) => DropReason::NoRoom,
        ProtectError::Reused => DropReason::Duplicate,
        ProtectError::TooManySources => DropReason::TooManySources,
        ProtectError::Expired => DropReason::KeyExpired,
    }
}
