//! Why a packet was not protected or not unprotected.
//!
//! Reasons, not faults: each is counted by the pipeline under its own word and the packet is dropped. None says anything
//! about key bytes.

use core::fmt;

use crate::NoRoom;

/// Why a packet was not protected; it must not be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProtectError {
    /// Not an RTP packet, not an RTCP packet with a sender SSRC, or longer than a datagram.
    Malformed,
    /// The buffer does not hold tag, index and MKI behind the packet.
    NoRoom(NoRoom),
    /// This index was protected before, or is too old to know: sending it would use a keystream twice (RFC 3711 §9.1).
    Reused,
    /// More SSRCs than [`super::Limits::sources`].
    TooManySources,
    /// The key's lifetime is over: re-key (RFC 3711 §9.2).
    Expired,
}

impl fmt::Display for ProtectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("not a packet that can be protected"),
            Self::NoRoom(room) => room.fmt(f),
            Self::Reused => f.write_str("packet index already used with this key"),
            Self::TooManySources => f.write_str("too many synchronisation sources"),
            Self::Expired => f.write_str("key lifetime over"),
        }
    }
}

impl core::error::Error for ProtectError {}

/// Why a packet was not unprotected. The buffer still holds what arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnprotectError {
    /// Too short for header, tag, index and MKI, or no RTP at all.
    Malformed,
    /// The index was seen before.
    Replayed,
    /// The index is older than the replay window reaches.
    TooOld,
    /// The MKI names another key.
    ForeignMki,
    /// The tag does not verify: forged, damaged, wrong key or lost roll-over.
    Forged,
    /// A new SSRC when there are [`super::Limits::sources`] already. Its tag was not looked at.
    TooManySources,
}

impl fmt::Display for UnprotectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "not a protected packet",
            Self::Replayed => "packet index seen before",
            Self::TooOld => "packet index older than the replay window",
            Self::ForeignMki => "master key identifier of another key",
            Self::Forged => "authentication tag does not verify",
            Self::TooManySources => "too many synchronisation sources",
        })
    }
}

impl core::error::Error for UnprotectError {}
