//! What two session descriptions agree on, as the pipeline needs it.
//!
//! A function of the two and of the leg's policy, whoever offered: keys are the pair of lines with one tag, formats those
//! that both name. We send with the party's payload numbers and receive with our own (RFC 3264 §6.1).
//!
//! Not here: how the two came about (`negotiate`).

use std::net::SocketAddr;

use config::document::trunk::Sources;
use media_api::{
    Codec, Direction as StreamDirection, Dtls, Ice, KeyMaterial, Law, Millis, MkiRule, PayloadMap,
    Region, Remote, Rtcp, Sdes, SourceGate, StreamId, StreamSpec, Suite as StreamSuite, ToneFormat,
};
use sip::sdp::{Address, Crypto, Direction, Lifetime, Media, MediaKind, SessionDescription, Suite};

use super::description::{Description, Format};
use super::policy::{LegPolicy, StrayMki, has_mki};
use super::{dtls, ice};

/// DSCP EF (MED-11).
const EXPEDITED: u8 = 46;

/// A format with its number on one leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NumberedFormat {
    pub(crate) format: Format,
    pub(crate) number: u8,
}

/// The formats of a media section that pass the box, in order.
pub(crate) fn formats_of(media: &Media) -> Vec<NumberedFormat> {
    let known = media.payloads().iter().filter_map(|payload| {
        Some(NumberedFormat {
            format: Format::of(payload)?,
            number: payload.number,
        })
    });
    known.collect()
}

/// The audio section in which a party takes part.
pub(crate) fn is_audio(media: &Media) -> bool {
    media.kind == MediaKind::Audio && media.port != 0
}

/// What holds on a leg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Agreed {
    remote: Option<Remote>,
    rtcp: Rtcp,
    direction: StreamDirection,
    source: SourceGate,
    keys: Option<Keys>,
    dtls: Option<Dtls>,
    ice: Option<Ice>,
    /// What the party sends.
    incoming: Vec<NumberedFormat>,
    /// What we send, under the party's numbers.
    outgoing: Vec<NumberedFormat>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Keys {
    receive: Sdes,
    transmit: Sdes,
}

/// Why two descriptions are no agreement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Discord {
    /// No section of audio stands in both.
    Audio,
    /// No address to send to.
    Address,
    /// No pair of keys.
    Key,
    /// No certificate that can be known.
    Fingerprint,
    /// No codec.
    Codec,
}

impl Agreed {
    pub(crate) fn between(
        ours: &SessionDescription,
        theirs: &SessionDescription,
        policy: &LegPolicy,
    ) -> Result<Self, Discord> {
        let mut sections = ours.media.iter().zip(&theirs.media);
        let (our, their) = sections
            .find(|(our, their)| is_audio(our) && is_audio(their))
            .ok_or(Discord::Audio)?;
        let muxed = our.rtcp_mux && their.rtcp_mux;
        let remote = remote(theirs, their, muxed).ok_or(Discord::Address)?;
        let keys = if our.protocol.is_secure() {
            Some(Keys::between(&our.crypto, &their.crypto, policy).ok_or(Discord::Key)?)
        } else {
            None
        };
        let dtls = if our.protocol.is_dtls() {
            if !dtls::is_usable(theirs, their) {
                return Err(Discord::Fingerprint);
            }
            Some(dtls::agreed(our, theirs, their).ok_or(Discord::Fingerprint)?)
        } else {
            None
        };
        let is_keyed = keys.is_some() || dtls.is_some();
        let source = match (policy.media.sources, is_keyed) {
            (Sources::Signalled, _) => SourceGate::Signalled,
            (Sources::Latch, true) => SourceGate::LatchAuthenticated,
            (Sources::Latch, false) => SourceGate::LatchFirst,
        };
        let (our_formats, their_formats) = (formats_of(our), formats_of(their));
        let outgoing = common(&their_formats, &our_formats);
        let mut incoming = common(&our_formats, &their_formats);
        if !incoming.iter().any(|coming| coming.format.is_codec()) {
            return Err(Discord::Codec);
        }
        // Parties are met that answer with numbers of their own and then send those instead of ours.
        for leaving in &outgoing {
            let taken = |number| our.payloads().iter().any(|ours| ours.number == number);
            if !taken(leaving.number) {
                incoming.push(*leaving);
            }
        }
        let direction = ours
            .direction_of(our)
            .and(Description::of_party(theirs, their).direction.reversed());
        Ok(Self {
            remote: (!remote.rtp.ip().is_unspecified()).then_some(remote),
            rtcp: if muxed { Rtcp::Muxed } else { Rtcp::Separate },
            direction: stream_direction(direction),
            source,
            keys,
            dtls,
            ice: ice::agreed(our, theirs, their),
            incoming,
            outgoing,
        })
    }

    /// The codecs, without events and comfort noise.
    pub(crate) fn codecs(&self) -> impl Iterator<Item = Format> {
        let formats = self.outgoing.iter().map(|leaving| leaving.format);
        formats.filter(|format| format.is_codec())
    }

    /// The handshake that keys the leg.
    pub(crate) const fn dtls(&self) -> Option<Dtls> {
        self.dtls
    }

    /// What the party sends, by our numbers, and by its own where it has others.
    pub(crate) fn incoming(&self) -> &[NumberedFormat] {
        &self.incoming
    }

    /// All that the pipeline needs; `peer` is what comes in on the other leg.
    pub(crate) fn spec(
        &self,
        id: StreamId,
        bind: SocketAddr,
        peer: &[NumberedFormat],
        policy: &LegPolicy,
    ) -> StreamSpec {
        let payloads: PayloadMap = peer
            .iter()
            .filter_map(|coming| {
                let mut outgoing = self.outgoing.iter();
                let leaving = outgoing.find(|leaving| leaving.format == coming.format)?;
                Some((coming.number, leaving.number))
            })
            .collect();
        let tones = self.outgoing.iter().find_map(|leaving| {
            let law = match leaving.format {
                Format::Pcmu => Law::Mu,
                Format::Pcma => Law::A,
                Format::G722 | Format::G729 | Format::ComfortNoise | Format::Events => return None,
            };
            Some(ToneFormat {
                payload_type: leaving.number,
                law,
                region: Region::default(),
            })
        });
        // The first is what the two are most likely to speak.
        let codec = match self.codecs().next() {
            Some(Format::G729) => Codec::G729,
            Some(Format::G722) => Codec::G722,
            _ => Codec::G711,
        };
        let keys = self.keys.clone().map(|keys| (keys.receive, keys.transmit));
        let (receive, transmit) = keys.unzip();
        StreamSpec {
            id,
            local: bind,
            rtcp: self.rtcp,
            remote: self.remote,
            direction: self.direction,
            source: self.source,
            ice: self.ice.clone().map(Box::new),
            dtls: self.dtls.map(Box::new),
            receive,
            transmit,
            payloads,
            codec,
            clock_rate: Format::CLOCK,
            tones,
            dscp: EXPEDITED,
            silence_after: Some(Millis(
                u32::try_from(policy.media.silence.after.as_millis()).unwrap_or(u32::MAX),
            )),
        }
    }
}

impl Keys {
    /// RFC 4568 §5.1: the lines of offer and answer that bear one tag; of several, one without an MKI (MED-03).
    fn between(ours: &[Crypto], theirs: &[Crypto], policy: &LegPolicy) -> Option<Self> {
        let partner = |their: &Crypto| {
            ours.iter()
                .find(|our| our.tag == their.tag && our.suite == their.suite)
        };
        let fitting = || {
            theirs
                .iter()
                .filter(|their| their.is_usable() && partner(their).is_some())
        };
        let their = fitting()
            .find(|their| !has_mki(their))
            .or_else(|| fitting().next())?;
        let our = partner(their)?;
        let mki = match (their.keys.first()?.mki, policy.stray_mki) {
            (Some(mki), StrayMki::Tolerated) => MkiRule::Optional(mki.length),
            (Some(mki), StrayMki::Refused) => MkiRule::Exact(mki.bytes()),
            (None, StrayMki::Tolerated) => MkiRule::Optional(1),
            (None, StrayMki::Refused) => MkiRule::Absent,
        };
        Some(Self {
            receive: sdes(their, mki)?,
            transmit: sdes(our, MkiRule::Absent)?,
        })
    }
}

fn sdes(crypto: &Crypto, mki: MkiRule) -> Option<Sdes> {
    let parameter = crypto.keys.first()?;
    Some(Sdes {
        suite: stream_suite(&crypto.suite)?,
        key: KeyMaterial::new(parameter.key.bytes()),
        mki,
        lifetime: parameter.lifetime.map(Lifetime::packets),
    })
}

/// Where the party listens.
fn remote(session: &SessionDescription, audio: &Media, muxed: bool) -> Option<Remote> {
    let address = session.address_of(audio)?.ip()?;
    let rtp = SocketAddr::new(address, audio.port);
    let rtcp = match &audio.rtcp {
        _ if muxed => rtp,
        // RFC 3605; an address of its own counts only if it is one.
        Some(rtcp) => SocketAddr::new(
            rtcp.address
                .as_ref()
                .and_then(Address::ip)
                .unwrap_or(address),
            rtcp.port,
        ),
        None => SocketAddr::new(address, audio.port.saturating_add(1)),
    };
    Some(Remote { rtp, rtcp })
}

/// Those `of` one side that the other side has too.
fn common(of: &[NumberedFormat], other: &[NumberedFormat]) -> Vec<NumberedFormat> {
    let shared = |one: &&NumberedFormat| other.iter().any(|two| two.format == one.format);
    of.iter().filter(shared).copied().collect()
}

const fn stream_suite(suite: &Suite) -> Option<StreamSuite> {
    match suite {
        Suite::AesCm128HmacSha1_80 => Some(StreamSuite::AesCm128HmacSha1_80),
        Suite::AesCm128HmacSha1_32 => Some(StreamSuite::AesCm128HmacSha1_32),
        Suite::AeadAes128Gcm => Some(StreamSuite::AeadAes128Gcm),
        Suite::AeadAes256Gcm => Some(StreamSuite::AeadAes256Gcm),
        Suite::Other(_) => None,
    }
}

const fn stream_direction(direction: Direction) -> StreamDirection {
    match direction {
        Direction::SendRecv => StreamDirection::SendRecv,
        Direction::SendOnly => StreamDirection::SendOnly,
        Direction::RecvOnly => StreamDirection::RecvOnly,
        Direction::Inactive => StreamDirection::Inactive,
    }
}
