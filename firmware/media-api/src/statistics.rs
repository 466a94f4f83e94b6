//! The counts of one stream.
//!
//! Not here: the counts of the whole process (`shared.rs`), ratings such as MOS.

use alloc::vec::Vec;
use core::net::SocketAddr;

use measure::DropReason;
use serde::{Deserialize, Serialize};

/// What was accepted from the party.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Received {
    /// RTP packets.
    pub packets: u64,
    /// Octets of their payloads.
    pub octets: u64,
    /// Packets the sequence numbers say were sent and that did not come (RFC 3550 A.3).
    pub lost: u64,
    /// Packets after a later one, or twice.
    pub disordered: u64,
    /// Interarrival jitter now, in microseconds (RFC 3550 A.8).
    pub jitter: u32,
    /// Its highest so far, in microseconds.
    pub max_jitter: u32,
    /// Runs of sources heard: SSRCs and restarts.
    pub sources: u32,
    /// RTCP packets.
    pub rtcp: u64,
}

/// What was sent to the party.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sent {
    /// RTP packets.
    pub packets: u64,
    /// Octets of their payloads.
    pub octets: u64,
    /// RTCP packets, relayed and our own.
    pub rtcp: u64,
}

/// How the party says it hears us, by its last report about our source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PeerReport {
    /// Loss of the last interval, in 1/256.
    pub fraction_lost: u8,
    /// Packets lost in all; negative with duplicates.
    pub lost: i32,
    /// Jitter there, in microseconds.
    pub jitter: u32,
    /// Round trip to it in microseconds, where it can be told.
    pub round_trip: Option<u32>,
}

/// The counts of one stream since it was first put.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Statistics {
    /// What was accepted from the party.
    pub received: Received,
    /// What was sent to it.
    pub sent: Sent,
    /// How it says it hears us.
    pub peer_report: Option<PeerReport>,
    /// Where the party sends from, once latched.
    pub latched: Option<SocketAddr>,
    /// Packets that went no further, by reason; reasons without any are left out.
    pub drops: Vec<(DropReason, u64)>,
}
