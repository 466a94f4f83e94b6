//! Why a session description is of no use: the words of a 488.
//!
//! Not here: finding it out (`negotiate`, `agreed`).

use sip::sdp::ParseError;
use thiserror::Error;

use super::agreed::Discord;

/// Why a session description is of no use; answer 488.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NegotiateError {
    /// It cannot be read.
    #[error(transparent)]
    Sdp(#[from] ParseError),
    /// No audio, or audio with port 0.
    #[error("there is no audio in it")]
    NoAudio,
    /// Clear where it must be secured, or the other way round (Microsoft's 531000).
    #[error("the transport profile is not the one of this trunk")]
    Profile,
    /// No key line with a suite that the trunk allows.
    #[error("there is no usable a=crypto line")]
    NoKey,
    /// No certificate that can be known, or RTCP on a port of its own, or our own certificate is not known yet.
    #[error("there is no usable a=fingerprint line, or RTCP has a port of its own")]
    NoFingerprint,
    /// No codec in common.
    #[error("there is no codec in common")]
    NoCodec,
    /// No address that packets could be sent to.
    #[error("the address is a name, of the other address family, of many, or missing")]
    NoAddress,
    /// Nothing has been offered that this could answer, or nothing received that could be answered.
    #[error("no offer is outstanding")]
    NoOffer,
}

impl From<Discord> for NegotiateError {
    fn from(discord: Discord) -> Self {
        match discord {
            Discord::Audio => Self::NoAudio,
            Discord::Address => Self::NoAddress,
            Discord::Key => Self::NoKey,
            Discord::Fingerprint => Self::NoFingerprint,
            Discord::Codec => Self::NoCodec,
        }
    }
}
