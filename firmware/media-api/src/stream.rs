//! One side of a call's audio, as control describes it.
//!
//! A [`StreamSpec`] is the whole truth about a stream: putting it again, changed or not, makes the stream as it says. What goes
//! on when a spec is replaced: local ports, our SSRC and our numbers always; roll-over counters and windows with an unchanged key
//! (MED-04); the latched address with an unchanged remote.
//!
//! Not here: the peer of a stream (`Command::Link`), its keys (`key.rs`).

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::{Dtls, Sdes};

/// One side of a call's audio. The number is chosen by control and means nothing here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StreamId(pub u64);

impl core::fmt::Display for StreamId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

/// A length of time in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Millis(pub u32);

/// Where RTCP of a stream goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Rtcp {
    /// Over the RTP port (RFC 5761).
    Muxed,
    /// Over the port above the RTP port, which is even (RFC 3550 §11).
    Separate,
}

/// Where the party of a stream listens, as its SDP says. An unspecified address or port zero is nowhere (RFC 3264 §8.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Remote {
    /// For RTP.
    pub rtp: SocketAddr,
    /// For RTCP; the same as `rtp` where muxed.
    pub rtcp: SocketAddr,
}

/// What flows on a stream, seen from this box (RFC 3264 §5.1). RTCP always flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Direction {
    /// Both ways.
    SendRecv,
    /// To the party only; what it sends is dropped.
    SendOnly,
    /// From the party only.
    RecvOnly,
    /// Neither way.
    Inactive,
}

impl Direction {
    /// Whether packets go to the party.
    #[must_use]
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether packets of the party are taken.
    #[must_use]
    pub const fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }
}

/// Whose packets are taken, and whether we send to where they come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SourceGate {
    /// Only the signalled address and port.
    Signalled,
    /// The signalled address, or wherever newer authentic SRTP comes from. Without keys the same as [`Self::Signalled`].
    LatchAuthenticated,
    /// With keys as [`Self::LatchAuthenticated`]. Without: the first source that speaks RTP of a known payload type is held, and
    /// left only for the signalled address, or, once it has fallen silent, for one that goes on with its SSRC and numbers.
    LatchFirst,
}

/// Payload types of the peer stream and the names this stream's party has for them. What is not in it does not pass.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct PayloadMap(Vec<(u8, u8)>);

impl PayloadMap {
    /// No payload passes.
    #[must_use]
    pub const fn empty() -> Self {
        Self(Vec::new())
    }

    /// The pairs: what the peer's party sends, what this party expects. Telephone-event and CN are among them.
    #[must_use]
    pub fn pairs(&self) -> &[(u8, u8)] {
        &self.0
    }
}

/// From pairs of the peer's payload type and ours.
impl FromIterator<(u8, u8)> for PayloadMap {
    fn from_iter<T: IntoIterator<Item = (u8, u8)>>(pairs: T) -> Self {
        Self(pairs.into_iter().collect())
    }
}

/// What carries the voice, as far as its rating asks: how it sounds without loss, and how it bears loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Codec {
    /// Either law.
    #[default]
    G711,
    /// Wideband; the scale of telephony has no better than G.711.
    G722,
    /// With or without annexes.
    G729,
}

/// The companding law of G.711.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Law {
    /// PCMU.
    Mu,
    /// PCMA.
    A,
}

/// Where the party is used to hear tones (ITU-T E.180 Supplement 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Region {
    /// 425 Hz, as ETSI recommends.
    #[default]
    Europe,
    /// United States and Canada.
    NorthAmerica,
    /// United Kingdom.
    UnitedKingdom,
    /// France.
    France,
    /// Brazil.
    Brazil,
    /// Australia.
    Australia,
}

/// How tones are played to a stream's party.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ToneFormat {
    /// The party's payload type for G.711.
    pub payload_type: u8,
    /// Its law.
    pub law: Law,
    /// Which tones it knows.
    pub region: Region,
}

/// ICE on a stream: ours is always the lite side (RFC 8445 §2.5), which answers checks and sends none.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ice {
    /// Our user fragment.
    pub name: String,
    /// Our password, by which checks authenticate.
    pub password: String,
    /// The user fragment of the party, once it has answered: of several forks this one is talked to. Until then all are.
    pub party: Option<String>,
}

impl core::fmt::Debug for Ice {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { name, party, .. } = self;
        write!(f, "Ice({name} to {party:?})")
    }
}

/// All there is to say about one side of a call's audio.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamSpec {
    /// The stream. Putting a known one replaces its spec.
    pub id: StreamId,
    /// Where we listen for RTP; RTCP, where separate, one port above. Never moves while the stream lives (MED-05).
    pub local: SocketAddr,
    /// Where RTCP goes.
    pub rtcp: Rtcp,
    /// Where the party listens, once it has said so.
    pub remote: Option<Remote>,
    /// What flows.
    pub direction: Direction,
    /// Whose packets are taken.
    pub source: SourceGate,
    /// ICE, where it was agreed: it tells where the party is, and [`Self::source`] does not.
    pub ice: Option<Box<Ice>>,
    /// The handshake that keys both ways; then there is neither [`Self::receive`] nor [`Self::transmit`], and RTCP goes over
    /// the port of RTP.
    pub dtls: Option<Box<Dtls>>,
    /// The party's key, where it sends SRTP. What does not authenticate goes nowhere.
    pub receive: Option<Sdes>,
    /// Our key, where we send SRTP.
    pub transmit: Option<Sdes>,
    /// What of the peer stream passes to this party, and under which payload type.
    pub payloads: PayloadMap,
    /// What the voice is in, as agreed; for ratings only.
    pub codec: Codec,
    /// Ticks of the RTP timestamp a second; the same on both streams of a link.
    pub clock_rate: u32,
    /// How tones can be played here, if they can.
    pub tones: Option<ToneFormat>,
    /// Differentiated services code point of what we send, 0 to 63; voice is 46 (MED-11).
    pub dscp: u8,
    /// `Event::Silent` is told after so long without an accepted RTP packet while [`Direction::receives`] (MED-09).
    pub silence_after: Option<Millis>,
}

impl StreamSpec {
    /// Whether what the party sends must authenticate.
    #[must_use]
    pub const fn is_keyed(&self) -> bool {
        self.receive.is_some() || self.dtls.is_some()
    }
}
