//! The counts of one stream, and how it sounds.
//!
//! A stream has two directions: what its party says, as it arrives here, and what the party hears of us, as far as it reports.
//!
//! Not here: the counts of the whole process (`shared.rs`); how a rating comes about (`pipeline::quality`).

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
    /// Holes that the lost ones left: packets lost in a row are one.
    pub holes: u64,
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

/// How one direction sounds by the E-model (ITU-T G.107).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Quality {
    /// The transmission rating R in tenths, 932 at best.
    pub rating: u16,
    /// The mean opinion of a conversation in hundredths, 100 to 441.
    pub opinion: u16,
    /// How long losses last against losses at random, in hundredths: 100 at random, 800 at most.
    pub burst_ratio: u16,
    /// Delay from mouth to ear in microseconds, known or assumed.
    pub delay: u32,
}

/// What the party says of the conversation in its extended reports (RFC 3611 §4.7): rates and densities in 1/256, times in
/// milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Metrics {
    /// Packets lost in the network.
    pub loss_rate: u8,
    /// Packets that its player threw away, too late or too early.
    pub discard_rate: u8,
    /// Lost and thrown away within bursts.
    pub burst_density: u8,
    /// Lost and thrown away between them.
    pub gap_density: u8,
    /// How long a burst lasts on average.
    pub burst_duration: u16,
    /// How long there is none.
    pub gap_duration: u16,
    /// Round trip, where it knows.
    pub round_trip: Option<u16>,
    /// What it adds to the delay itself, where it knows.
    pub end_system_delay: Option<u16>,
    /// Its player's buffer.
    pub buffer: u16,
    /// R, where it says.
    pub rating: Option<u8>,
    /// Mean opinion of listening in tenths, where it says.
    pub listening_opinion: Option<u8>,
    /// Mean opinion of conversing in tenths, where it says.
    pub conversing_opinion: Option<u8>,
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
    /// Its extended report about us, where it sends such.
    pub metrics: Option<Metrics>,
    /// How what it says sounds as it arrives here, once there was some.
    pub incoming: Option<Quality>,
    /// How what it hears of us sounds to it, once it has reported.
    pub outgoing: Option<Quality>,
    /// Where the party sends from, once latched.
    pub latched: Option<SocketAddr>,
    /// Packets that went no further, by reason; reasons without any are left out.
    pub drops: Vec<(DropReason, u64)>,
}
