//! A context's state as plain data: roll-over counters, windows, SRTCP indices and lifetime counters.
//!
//! For a standby that takes over with the same keys (the keys travel on their own, protected way). A snapshot is always a
//! little old; what that costs is said at [`super::Sender::restore`].
//!
//! Not here: how a snapshot is encoded or carried.

use alloc::vec::Vec;
use core::fmt;

/// What a [`super::Sender`] or [`super::Receiver`] knows beside its keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ContextState {
    /// SRTP packets processed with the master key.
    pub rtp_packets: u64,
    /// SRTCP packets processed with the master key.
    pub rtcp_packets: u64,
    /// One entry for each SSRC.
    pub sources: Vec<SourceState>,
}

/// State of one SSRC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceState {
    /// The synchronisation source.
    pub ssrc: u32,
    /// Window over the 48-bit SRTP index; its highest index divided by 65,536 is the roll-over counter.
    pub rtp: WindowState,
    /// Window over the 31-bit SRTCP index; on a sender its highest is the last index sent.
    pub rtcp: WindowState,
}

/// A replay window as data.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WindowState {
    /// Highest index so far, none before the first packet.
    pub highest: Option<u64>,
    /// Bit `i mod 64` of word `i / 64` tells whether `highest - i` was seen.
    pub seen: Vec<u64>,
}

/// Why a snapshot was not taken over; the context is as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestoreError {
    /// More SSRCs than this context may follow.
    TooManySources,
    /// An SSRC occurs twice.
    DuplicateSource,
    /// An index is beyond 48 bits (SRTP) or 31 bits (SRTCP).
    IndexOutOfRange,
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooManySources => "more sources than the context may follow",
            Self::DuplicateSource => "a source occurs twice",
            Self::IndexOutOfRange => "a packet index is out of range",
        })
    }
}

impl core::error::Error for RestoreError {}
