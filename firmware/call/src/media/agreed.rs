//! What two session descriptions agree on, as the pipeline needs it.
//!
//! A function of the two and of the leg's policy, whoever offered: keys are the pair of lines with one tag, formats those that both name. We send
//! with the party's payload numbers and receive with our own (RFC 3264 §6.1).

use std::net::SocketAddr;

use config::document::trunk::Sources;
use media_api::{
    Direction as StreamDirection, KeyMaterial, Law, Millis, MkiRule, PayloadMap, Region, Remote,
    Rtcp, Sdes, SourceGate, StreamId, StreamSpec, Suite as StreamSuite, ToneFormat,
};
use serde::{Deserialize, Serialize};
use sip::sdp::{Crypto, Direction, Encoding, Media, MediaKind, Payload, SessionDescription, Suite};

use super::negotiate::{LegPolicy, StrayMki};

/// DSCP EF (MED-11).
const EXPEDITED: u8 = 46;

/// A stream that is silent for so long is told of.
const SILENCE: Millis = Millis(30_000);

/// A codec or event format without its number.
#[derive(Debug, Clone, Eq, Serialize, Deserialize)]
pub struct Format {
    name: String,
    clock: u32,
    channels: u8,
}

/// Names compare without case (RFC 4855 §3).
impl PartialEq for Format {
    fn eq(&self, other: &Self) -> bool {
        self.name.eq_ignore_ascii_case(&other.name)
            && self.clock == other.clock
            && self.channels == other.channels
    }
}

impl Format {
    pub(crate) fn mono(name: &str, clock: u32) -> Self {
        Self {
            name: name.to_owned(),
            clock,
            channels: 1,
        }
    }

    pub(crate) fn is(&self, name: &str, clock: u32) -> bool {
        self.name.eq_ignore_ascii_case(name) && self.clock == clock && self.channels == 1
    }

    /// RFC 3551 table 4.
    pub(crate) fn static_number(&self) -> Option<u8> {
        [0, 8, 9, 13, 18].into_iter().find(|number| {
            Encoding::of_static(*number)
                .is_some_and(|encoding| self.is(&encoding.name, encoding.clock))
        })
    }

    pub(crate) fn payload(&self, number: u8) -> Payload {
        let encoding = Encoding {
            name: self.name.clone(),
            clock: self.clock,
            channels: self.channels,
        };
        // Spec §2.4: no voice activity detection of G.729's own.
        let parameters = self.is("G729", 8_000).then(|| "annexb=no".to_owned());
        Payload {
            number,
            encoding: Some(encoding),
            parameters,
        }
    }
}

/// A format with its number on one leg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberedFormat {
    pub(crate) format: Format,
    pub(crate) number: u8,
    pub(crate) parameters: Option<String>,
}

impl NumberedFormat {
    pub(crate) fn payload(&self) -> Payload {
        Payload {
            parameters: self.parameters.clone(),
            ..self.format.payload(self.number)
        }
    }
}

/// The formats of a media section that have a name.
pub(crate) fn formats_of(media: &Media) -> Vec<NumberedFormat> {
    let named = media.payloads().iter().filter_map(|payload| {
        let encoding = payload.encoding.as_ref()?;
        let format = Format {
            name: encoding.name.clone(),
            clock: encoding.clock,
            channels: encoding.channels,
        };
        Some(NumberedFormat {
            format,
            number: payload.number,
            parameters: payload.parameters.clone(),
        })
    });
    named.collect()
}

/// What holds on a leg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Agreed {
    remote: Option<Remote>,
    rtcp: Rtcp,
    direction: StreamDirection,
    source: SourceGate,
    keys: Option<(Sdes, Sdes)>,
    /// What the party sends, under our numbers.
    incoming: Vec<NumberedFormat>,
    /// What we send, under the party's numbers.
    outgoing: Vec<NumberedFormat>,
}

impl Agreed {
    /// `None` where a key is missing or no section of audio stands in both.
    pub(crate) fn between(
        ours: &SessionDescription,
        theirs: &SessionDescription,
        policy: &LegPolicy,
    ) -> Option<Self> {
        let audio = |media: &Media| media.kind == MediaKind::Audio && media.port != 0;
        let (our, their) = ours
            .media
            .iter()
            .zip(&theirs.media)
            .find(|(our, their)| audio(our) && audio(their))?;
        let address = theirs.address_of(their)?.ip()?;
        let muxed = our.rtcp_mux && their.rtcp_mux;
        let rtcp = match &their.rtcp {
            _ if muxed => SocketAddr::new(address, their.port),
            Some(port) => SocketAddr::new(
                port.address
                    .as_ref()
                    .and_then(sip::sdp::Address::ip)
                    .unwrap_or(address),
                port.port,
            ),
            None => SocketAddr::new(address, their.port.checked_add(1)?),
        };
        let remote = Remote {
            rtp: SocketAddr::new(address, their.port),
            rtcp,
        };
        let keys = if our.protocol.is_secure() {
            Some(keys_between(&our.crypto, &their.crypto, policy)?)
        } else {
            None
        };
        let source = match (policy.media.sources, &keys) {
            (Sources::Signalled, _) => SourceGate::Signalled,
            (Sources::Latch, Some(_)) => SourceGate::LatchAuthenticated,
            (Sources::Latch, None) => SourceGate::LatchFirst,
        };
        let (our_formats, their_formats) = (formats_of(our), formats_of(their));
        let both = |of: &[NumberedFormat], other: &[NumberedFormat]| {
            of.iter()
                .filter(|f| other.iter().any(|o| o.format == f.format))
                .cloned()
                .collect::<Vec<_>>()
        };
        let direction = ours
            .direction_of(our)
            .and(theirs.direction_of(their).reversed());
        Some(Self {
            remote: (!address.is_unspecified()).then_some(remote),
            rtcp: if muxed { Rtcp::Muxed } else { Rtcp::Separate },
            direction: stream_direction(direction),
            source,
            keys,
            incoming: both(&our_formats, &their_formats),
            outgoing: both(&their_formats, &our_formats),
        })
    }

    /// The codecs, without events and comfort noise.
    pub(crate) fn codecs(&self) -> impl Iterator<Item = &Format> {
        let is_codec = |f: &&NumberedFormat| {
            !f.format.is("telephone-event", 8_000) && !f.format.is("CN", 8_000)
        };
        self.incoming.iter().filter(is_codec).map(|f| &f.format)
    }

    pub(crate) fn speaks(&self, codec: &Format) -> bool {
        self.codecs().any(|spoken| spoken == codec)
    }

    pub(crate) fn incoming(&self) -> &[NumberedFormat] {
        &self.incoming
    }

    pub(crate) fn spec(
        &self,
        id: StreamId,
        bind: SocketAddr,
        peer: &[NumberedFormat],
    ) -> StreamSpec {
        let payloads: PayloadMap = peer
            .iter()
            .filter_map(|coming| {
                let leaving = self
                    .outgoing
                    .iter()
                    .find(|leaving| leaving.format == coming.format)?;
                Some((coming.number, leaving.number))
            })
            .collect();
        let tones = self.outgoing.iter().find_map(|format| {
            let law = match () {
                () if format.format.is("PCMU", 8_000) => Law::Mu,
                () if format.format.is("PCMA", 8_000) => Law::A,
                () => return None,
            };
            Some(ToneFormat {
                payload_type: format.number,
                law,
                region: Region::default(),
            })
        });
        let (receive, transmit) = self
            .keys
            .clone()
            .map_or((None, None), |(r, t)| (Some(r), Some(t)));
        StreamSpec {
            id,
            local: bind,
            rtcp: self.rtcp,
            remote: self.remote,
            direction: self.direction,
            source: self.source,
            receive,
            transmit,
            payloads,
            clock_rate: 8_000,
            tones,
            dscp: EXPEDITED,
            silence_after: Some(SILENCE),
        }
    }
}

/// RFC 4568 §5.1: the lines of offer and answer that bear one tag; of several, one without an MKI (MED-03).
fn keys_between(ours: &[Crypto], theirs: &[Crypto], policy: &LegPolicy) -> Option<(Sdes, Sdes)> {
    let pair = |their: &Crypto| {
        ours.iter()
            .find(|our| our.tag == their.tag && our.suite == their.suite)
    };
    let fitting = || {
        theirs
            .iter()
            .filter(|their| their.is_usable() && pair(their).is_some())
    };
    let their = fitting()
        .find(|their| their.keys[0].mki.is_none())
        .or_else(|| fitting().next())?;
    let our = pair(their)?;
    let suite = stream_suite(&their.suite)?;
    let mki = match (&their.keys[0].mki, policy.stray_mki) {
        (Some(mki), _) => MkiRule::Exact(mki.bytes()),
        (None, StrayMki::Tolerated) => MkiRule::Optional(1),
        (None, StrayMki::Refused) => MkiRule::Absent,
    };
    let lifetime = |crypto: &Crypto| crypto.keys[0].lifetime.map(sip::sdp::Lifetime::packets);
    let receive = Sdes {
        suite,
        key: KeyMaterial::new(their.keys[0].key.bytes()),
        mki,
        lifetime: lifetime(their),
    };
    let transmit = Sdes {
        suite,
        key: KeyMaterial::new(our.keys[0].key.bytes()),
        mki: MkiRule::Absent,
        lifetime: lifetime(our),
    };
    Some((receive, transmit))
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
