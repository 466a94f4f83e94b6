//! What is negotiated on one leg: SDP is read, understood and written anew, never edited.
//!
//! What crosses from leg to leg is a [`Description`]: codecs, events, direction. Addresses, keys, payload numbers, names and
//! unknown lines stay on their side because a description has no room for them. A [`Negotiation`] holds both sides' last session
//! descriptions; everything the pipeline is told follows from these two ([`agreed`](super::agreed)), so a restarted control
//! needs nothing else.
//!
//! Nothing is transcoded: an answer offers a party what the other one speaks, and nothing where they have nothing in common.
//!
//! Not here: when an offer may be made (`leg`), ports (`ports`).

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use config::document::trunk::{self, MediaPolicy, Trunk};
use media_api::{StreamId, StreamSpec};
use serde::{Deserialize, Serialize};
use sip::sdp::offer_answer::Author;
use sip::sdp::{
    Address, Crypto, Direction, Encoding, Formats, Lifetime, MasterKey, Media, MediaKind, Payload,
    Protocol, SessionDescription, Suite,
};
use sip::token::RngCore;
use thiserror::Error;

use super::agreed::{Agreed, Format, NumberedFormat, formats_of};

/// The number under which we offer telephone events (spec §2.4).
const EVENTS_NUMBER: u8 = 101;
/// RFC 3389.
const COMFORT_NOISE_NUMBER: u8 = 13;

/// What a party says it can and wants to do, without anything that belongs to its leg alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// Codecs in order of preference, never empty.
    pub(crate) codecs: Vec<Format>,
    /// Events that it takes (`0-16`), if any (MED-08).
    pub(crate) events: Option<String>,
    /// Whether it takes comfort noise (MED-09).
    pub(crate) comfort_noise: bool,
    /// Packet time in milliseconds.
    pub(crate) ptime: Option<u16>,
    /// What it does: `sendonly` means that it sends and does not listen.
    pub(crate) direction: Direction,
}

impl Description {
    /// The same, sending and listening.
    #[must_use]
    pub fn wide_open(&self) -> Self {
        Self {
            direction: Direction::SendRecv,
            ..self.clone()
        }
    }
}

/// What a leg allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegPolicy {
    pub(crate) media: MediaPolicy,
    /// INV-25: any hold is written `inactive`.
    pub(crate) hold: Hold,
    /// MED-02: written behind our keys.
    pub(crate) lifetime: Option<Lifetime>,
    /// MED-03: an MKI of one byte in packets is tolerated though the SDP named none.
    pub(crate) stray_mki: StrayMki,
}

/// How a hold is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hold {
    /// `inactive`, whichever kind of hold it is.
    Inactive,
    /// As it is.
    AsItIs,
}

/// Whether packets may carry an MKI that was not negotiated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StrayMki {
    /// They may, of one byte.
    Tolerated,
    /// They may not.
    Refused,
}

impl LegPolicy {
    /// What a trunk's legs allow.
    #[must_use]
    pub fn of(trunk: &Trunk) -> Self {
        let media = trunk.media.clone();
        if trunk.is_teams() {
            let lifetime = Some(Lifetime::TEAMS);
            Self {
                media,
                hold: Hold::Inactive,
                lifetime,
                stray_mki: StrayMki::Tolerated,
            }
        } else {
            Self {
                media,
                hold: Hold::AsItIs,
                lifetime: None,
                stray_mki: StrayMki::Refused,
            }
        }
    }

    fn allows(&self, format: &Format) -> bool {
        self.media
            .codecs
            .iter()
            .any(|codec| format.is(codec_name(*codec), 8_000))
    }

    fn direction(&self, wanted: Direction) -> Direction {
        match (self.hold, wanted) {
            (Hold::Inactive, Direction::SendOnly | Direction::RecvOnly) => Direction::Inactive,
            (_, wanted) => wanted,
        }
    }
}

const fn codec_name(codec: trunk::Codec) -> &'static str {
    match codec {
        trunk::Codec::Pcmu => "PCMU",
        trunk::Codec::Pcma => "PCMA",
        trunk::Codec::G722 => "G722",
        trunk::Codec::G729 => "G729",
    }
}

pub(crate) const fn suite_of(suite: trunk::Suite) -> Suite {
    match suite {
        trunk::Suite::AesCm128HmacSha1_80 => Suite::AesCm128HmacSha1_80,
        trunk::Suite::AesCm128HmacSha1_32 => Suite::AesCm128HmacSha1_32,
        trunk::Suite::AeadAes128Gcm => Suite::AeadAes128Gcm,
        trunk::Suite::AeadAes256Gcm => Suite::AeadAes256Gcm,
    }
}

/// Our end of a leg's media.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalMedia {
    /// The address that stands in SDP.
    pub address: IpAddr,
    /// The RTP port.
    pub port: u16,
}

/// Why a session description is of no use; answer 488.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NegotiateError {
    /// It cannot be read.
    #[error(transparent)]
    Sdp(#[from] sip::sdp::ParseError),
    /// No audio, or audio with port 0.
    #[error("there is no audio in it")]
    NoAudio,
    /// Clear where it must be secured, or the other way round (Microsoft's 531000).
    #[error("the transport profile is not the one of this trunk")]
    Profile,
    /// No key line with a suite that the trunk allows.
    #[error("there is no usable a=crypto line")]
    NoKey,
    /// No codec in common.
    #[error("there is no codec in common")]
    NoCodec,
    /// No address that packets could be sent to.
    #[error("the address is a name or is missing")]
    NoAddress,
    /// Nothing has been offered that this could answer, or nothing received that could be answered.
    #[error("no offer is outstanding")]
    NoOffer,
}

/// The state of offer and answer on one leg.
#[derive(Debug, Clone)]
pub struct Negotiation {
    policy: LegPolicy,
    local: LocalMedia,
    author: Author,
    session_id: u64,
    /// What we sent last, offer or answer.
    ours: Option<SessionDescription>,
    /// What the party sent last that holds.
    theirs: Option<SessionDescription>,
    /// An offer of the party that has no answer.
    their_offer: Option<SessionDescription>,
    /// What we sent before an offer that has no answer.
    before: Option<Option<SessionDescription>>,
    /// What the party was last told of the other one.
    told: Option<Description>,
    described: Option<Description>,
    agreed: Option<Agreed>,
}

/// A negotiation as plain data: the two descriptions say everything.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NegotiationImage {
    local: LocalMedia,
    session_id: u64,
    version: u64,
    ours: String,
    theirs: String,
    told: Option<Description>,
}

impl Negotiation {
    /// Nothing said yet.
    #[must_use]
    pub const fn new(policy: LegPolicy, local: LocalMedia, session_id: u64) -> Self {
        Self {
            policy,
            local,
            author: Author::new(session_id >> 1, local.address),
            session_id,
            ours: None,
            theirs: None,
            their_offer: None,
            before: None,
            told: None,
            described: None,
            agreed: None,
        }
    }

    /// What the party last said it can do.
    #[must_use]
    pub const fn described(&self) -> Option<&Description> {
        self.described.as_ref()
    }

    /// What the party speaks: of what it can do, the codecs that were agreed on.
    #[must_use]
    pub fn spoken(&self) -> Option<Description> {
        let mut spoken = self.described.clone()?;
        if let Some(agreed) = &self.agreed {
            spoken.codecs.retain(|codec| agreed.speaks(codec));
        }
        Some(spoken)
    }

    /// Read an offer of the party. It waits until it is answered or refused.
    ///
    /// # Errors
    /// It is of no use on this leg; nothing has changed then.
    pub fn receive_offer(&mut self, body: &[u8]) -> Result<Description, NegotiateError> {
        let offer = SessionDescription::parse(body)?;
        let audio = self.audio_of(&offer)?;
        let described = self.describe(&offer, audio)?;
        if audio.protocol.is_secure() {
            self.choose(&audio.crypto).ok_or(NegotiateError::NoKey)?;
        }
        self.their_offer = Some(offer);
        // What it can do is known before it is answered: the other leg is offered this.
        if self.described.is_none() {
            self.described = Some(described.clone());
        }
        Ok(described)
    }

    /// Whether an offer changes nothing that the other leg could notice (INV-19).
    #[must_use]
    pub fn is_refresh(&self, body: &[u8]) -> bool {
        let Ok(offer) = SessionDescription::parse(body) else {
            return false;
        };
        let Ok(described) = self
            .audio_of(&offer)
            .and_then(|audio| self.describe(&offer, audio))
        else {
            return false;
        };
        let (Some(before), Some(agreed)) = (&self.described, &self.agreed) else {
            return false;
        };
        before.direction == described.direction
            && agreed
                .codecs()
                .all(|codec| described.codecs.contains(codec))
            && before.events.is_some() == described.events.is_some()
    }

    /// Answer the party's offer with what the other party says.
    ///
    /// # Errors
    /// The two have nothing in common, or nothing was offered; the offer still waits.
    pub fn answer(
        &mut self,
        other: &Description,
        keys: &mut impl RngCore,
    ) -> Result<Bytes, NegotiateError> {
        let offer = self.their_offer.as_ref().ok_or(NegotiateError::NoOffer)?;
        let audio = self.audio_of(offer)?;
        let offered = formats_of(audio);
        let mut payloads: Vec<Payload> = Vec::new();
        for codec in &other.codecs {
            if let Some(found) = offered
                .iter()
                .find(|f| f.format == *codec && self.policy.allows(&f.format))
            {
                payloads.push(found.payload());
            }
        }
        if payloads.is_empty() {
            return Err(NegotiateError::NoCodec);
        }
        let extra = |name: &str| offered.iter().find(|f| f.format.is(name, 8_000));
        if other.comfort_noise {
            payloads.extend(extra("CN").map(NumberedFormat::payload));
        }
        if let (Some(events), Some(found)) = (&other.events, extra("telephone-event")) {
            payloads.push(Payload {
                parameters: Some(events.clone()),
                ..found.payload()
            });
        }
        let their_direction = offer.direction_of(audio);
        let mut answered = self.media(audio.protocol.clone(), payloads, other.ptime);
        answered.direction = Some(
            self.policy
                .direction(other.direction.and(their_direction.reversed())),
        );
        answered.rtcp_mux = audio.rtcp_mux;
        if audio.protocol.is_secure() {
            let chosen = self.choose(&audio.crypto).ok_or(NegotiateError::NoKey)?;
            answered.crypto = vec![self.answering_key(offer, chosen, keys)];
        }
        let media = offer.media.iter().map(|m| {
            if std::ptr::eq(m, audio) {
                answered.clone()
            } else {
                m.refused()
            }
        });
        let media = media.collect();
        let answer = self.describe_ourselves(media);
        let described = self.describe(offer, audio)?;
        let theirs = self.their_offer.take();
        self.agreed = theirs
            .as_ref()
            .and_then(|theirs| Agreed::between(&answer, theirs, &self.policy));
        self.theirs = theirs;
        self.described = Some(described);
        self.told = Some(other.clone());
        Ok(self.say(answer))
    }

    /// Answer the party's offer with what it was told before (a refresh, INV-19).
    ///
    /// # Errors
    /// As [`Negotiation::answer`].
    pub fn answer_again(&mut self, keys: &mut impl RngCore) -> Result<Bytes, NegotiateError> {
        let told = self.told.clone().ok_or(NegotiateError::NoOffer)?;
        self.answer(&told, keys)
    }

    /// Offer the party what the other one says; `None`: what the trunk allows.
    ///
    /// # Errors
    /// Nothing of it may be offered on this leg.
    pub fn offer(
        &mut self,
        other: Option<&Description>,
        keys: &mut impl RngCore,
    ) -> Result<Bytes, NegotiateError> {
        let own;
        let other = match other {
            Some(other) => other,
            None => {
                own = self.everything();
                &own
            }
        };
        let mut payloads: Vec<Payload> = Vec::new();
        for codec in other
            .codecs
            .iter()
            .filter(|codec| self.policy.allows(codec))
        {
            let number = self.number_of(codec, payloads.len());
            payloads.push(codec.payload(number));
        }
        if payloads.is_empty() {
            return Err(NegotiateError::NoCodec);
        }
        if other.comfort_noise {
            payloads.push(Payload::bare(COMFORT_NOISE_NUMBER));
        }
        if let Some(events) = &other.events {
            let number = self.number_of(
                &Format::mono("telephone-event", 8_000),
                usize::from(EVENTS_NUMBER),
            );
            payloads.push(Payload {
                number,
                encoding: Some(Encoding::mono("telephone-event", 8_000)),
                parameters: Some(events.clone()),
            });
        }
        let secure = self.policy.media.profile == trunk::Profile::Savp;
        let protocol = if secure {
            Protocol::RtpSavp
        } else {
            Protocol::RtpAvp
        };
        let mut media = self.media(protocol, payloads, other.ptime);
        media.direction = Some(self.policy.direction(other.direction));
        media.rtcp_mux = self.policy.media.rtcp_mux;
        if secure {
            media.crypto = self.offered_keys(keys);
        }
        // RFC 3264 §8: media sections are never taken away.
        let mut all = vec![media];
        if let Some(before) = &self.ours {
            all.extend(before.media.iter().skip(1).map(Media::refused));
        }
        let offer = self.describe_ourselves(all);
        self.before.get_or_insert_with(|| self.ours.clone());
        self.told = Some(other.clone());
        Ok(self.say(offer))
    }

    /// What stands, offered by us (a re-INVITE without an offer).
    pub fn offer_again(&mut self) -> Option<Bytes> {
        self.before.get_or_insert_with(|| self.ours.clone());
        self.repeat()
    }

    /// What we said last, unchanged (spec §1.7: same version, same keys).
    #[must_use]
    pub fn repeat(&self) -> Option<Bytes> {
        self.ours.as_ref().map(|ours| Bytes::from(ours.to_string()))
    }

    /// The party answers our offer; each fork may answer, the last one holds.
    ///
    /// # Errors
    /// It is of no use; what was agreed before stands.
    pub fn receive_answer(&mut self, body: &[u8]) -> Result<Description, NegotiateError> {
        let answer = SessionDescription::parse(body)?;
        let ours = self.ours.as_ref().ok_or(NegotiateError::NoOffer)?;
        let audio = self.audio_of(&answer)?;
        let described = self.describe(&answer, audio)?;
        let agreed = Agreed::between(ours, &answer, &self.policy).ok_or(NegotiateError::NoKey)?;
        if agreed.codecs().next().is_none() {
            return Err(NegotiateError::NoCodec);
        }
        self.agreed = Some(agreed);
        self.theirs = Some(answer);
        self.described = Some(described.clone());
        self.before = None;
        Ok(described)
    }

    /// Our offer was refused: what was said before holds.
    pub fn withdraw(&mut self) {
        if let Some(before) = self.before.take() {
            self.ours = before;
        }
    }

    /// The party's offer is refused.
    pub fn refuse(&mut self) {
        self.their_offer = None;
    }

    /// Whether offering `other` would change anything for the party: its codecs are not all spoken there, or the direction
    /// would be another.
    #[must_use]
    pub fn would_change(&self, other: &Description) -> bool {
        let (Some(agreed), Some(told)) = (&self.agreed, &self.told) else {
            return true;
        };
        let spoken = agreed.codecs().all(|codec| other.codecs.contains(codec));
        !spoken || self.policy.direction(told.direction) != self.policy.direction(other.direction)
    }

    /// The payload numbers that the party sends, for the other leg's stream.
    #[must_use]
    pub fn incoming(&self) -> &[NumberedFormat] {
        self.agreed.as_ref().map_or(&[], Agreed::incoming)
    }

    /// What the pipeline is to be told, once the party's address is known. `peer` is what comes in on the other leg.
    #[must_use]
    pub fn spec(
        &self,
        id: StreamId,
        bind: SocketAddr,
        peer: &[NumberedFormat],
    ) -> Option<StreamSpec> {
        self.agreed
            .as_ref()
            .map(|agreed| agreed.spec(id, bind, peer))
    }

    /// What is to be kept over a restart; `None` before both sides have spoken.
    #[must_use]
    pub fn image(&self) -> Option<NegotiationImage> {
        Some(NegotiationImage {
            local: self.local,
            session_id: self.session_id,
            version: self.author.highest(),
            ours: self.ours.as_ref()?.to_string(),
            theirs: self.theirs.as_ref()?.to_string(),
            told: self.told.clone(),
        })
    }

    /// A negotiation that was kept.
    ///
    /// # Errors
    /// The image is damaged, or the trunk's policy does not allow any more what was agreed.
    pub fn restore(policy: LegPolicy, image: &NegotiationImage) -> Result<Self, NegotiateError> {
        let mut restored = Self::new(policy, image.local, image.session_id);
        let ours = SessionDescription::parse(image.ours.as_bytes())?;
        restored.author =
            Author::resumed(image.session_id >> 1, image.local.address, image.version);
        restored.author.sent(&ours);
        restored.ours = Some(ours);
        restored.receive_answer(image.theirs.as_bytes())?;
        restored.told.clone_from(&image.told);
        Ok(restored)
    }

    /// The audio section, if it is usable here.
    fn audio_of<'s>(&self, session: &'s SessionDescription) -> Result<&'s Media, NegotiateError> {
        let usable = |media: &&Media| media.kind == MediaKind::Audio && media.port != 0;
        let audio = session
            .media
            .iter()
            .find(usable)
            .ok_or(NegotiateError::NoAudio)?;
        let fits = match self.policy.media.profile {
            trunk::Profile::Avp => matches!(audio.protocol, Protocol::RtpAvp | Protocol::RtpAvpf),
            trunk::Profile::Savp => audio.protocol.is_secure(),
        };
        if fits {
            Ok(audio)
        } else {
            Err(NegotiateError::Profile)
        }
    }

    fn describe(
        &self,
        session: &SessionDescription,
        audio: &Media,
    ) -> Result<Description, NegotiateError> {
        let address = session.address_of(audio).ok_or(NegotiateError::NoAddress)?;
        let _ = address.ip().ok_or(NegotiateError::NoAddress)?;
        let mut direction = session.direction_of(audio);
        if address.is_unspecified() {
            // RFC 3264 §8.4: the old way to say hold.
            direction = direction.and(Direction::SendOnly);
        }
        let formats = formats_of(audio);
        let codecs: Vec<Format> = formats
            .iter()
            .map(|f| f.format.clone())
            .filter(|format| self.policy.allows(format))
            .collect();
        if codecs.is_empty() {
            return Err(NegotiateError::NoCodec);
        }
        let has = |name: &str| formats.iter().find(|f| f.format.is(name, 8_000));
        Ok(Description {
            codecs,
            events: has("telephone-event").map(|found| {
                found
                    .parameters
                    .clone()
                    .unwrap_or_else(|| "0-15".to_owned())
            }),
            comfort_noise: has("CN").is_some(),
            ptime: session.ptime_of(audio),
            direction,
        })
    }

    /// What the trunk allows, as if a party had said it.
    fn everything(&self) -> Description {
        Description {
            codecs: self
                .policy
                .media
                .codecs
                .iter()
                .map(|codec| Format::mono(codec_name(*codec), 8_000))
                .collect(),
            events: Some("0-16".to_owned()),
            comfort_noise: true,
            ptime: Some(20),
            direction: Direction::SendRecv,
        }
    }

    fn media(&self, protocol: Protocol, payloads: Vec<Payload>, ptime: Option<u16>) -> Media {
        let mut media = Media::new(
            MediaKind::Audio,
            self.local.port,
            protocol,
            Formats::Rtp(payloads),
        );
        media.ptime = Some(ptime.unwrap_or(20));
        media
    }

    /// The number of a format in an offer of ours: as before on this leg, static where there is one, from 96 upwards otherwise.
    fn number_of(&self, format: &Format, otherwise: usize) -> u8 {
        let before = self.ours.as_ref().and_then(|ours| ours.media.first());
        let known = before.and_then(|media| {
            formats_of(media)
                .into_iter()
                .find(|known| known.format == *format)
        });
        let dynamic = u8::try_from(96 + otherwise % 31).unwrap_or(96);
        let new = if otherwise == usize::from(EVENTS_NUMBER) {
            EVENTS_NUMBER
        } else {
            dynamic
        };
        known
            .map(|known| known.number)
            .or_else(|| format.static_number())
            .unwrap_or(new)
    }

    /// The line of an offer that we take: the first suite of the trunk that is there, without an MKI if there is a choice (MED-03).
    fn choose<'c>(&self, offered: &'c [Crypto]) -> Option<&'c Crypto> {
        self.policy.media.suites.iter().find_map(|suite| {
            let suite = suite_of(*suite);
            let fitting = || {
                offered
                    .iter()
                    .filter(|crypto| crypto.suite == suite && crypto.is_usable())
            };
            fitting()
                .find(|crypto| crypto.keys[0].mki.is_none())
                .or_else(|| fitting().next())
        })
    }

    /// Our key for an answer. MED-04: the same as before as long as the party keeps its own; a new one when it takes a new one, so
    /// that both directions begin again with a roll-over counter of 0.
    fn answering_key(
        &self,
        offer: &SessionDescription,
        chosen: &Crypto,
        keys: &mut impl RngCore,
    ) -> Crypto {
        let kept = self.transmit_key(&chosen.suite).filter(|_| {
            let before = self.theirs.as_ref().map(|theirs| keys_of(theirs));
            before.is_none_or(|before| before.iter().any(|key| keys_of(offer).contains(key)))
        });
        let key = kept.unwrap_or_else(|| fresh_key(&chosen.suite, keys));
        Crypto::new(chosen.tag, chosen.suite.clone(), key, self.policy.lifetime)
    }

    fn offered_keys(&self, keys: &mut impl RngCore) -> Vec<Crypto> {
        let suites = self
            .policy
            .media
            .suites
            .iter()
            .map(|suite| suite_of(*suite));
        (1..)
            .zip(suites)
            .map(|(tag, suite)| {
                let key = self
                    .transmit_key(&suite)
                    .unwrap_or_else(|| fresh_key(&suite, keys));
                Crypto::new(tag, suite, key, self.policy.lifetime)
            })
            .collect()
    }

    /// The key that we said last for a suite.
    fn transmit_key(&self, suite: &Suite) -> Option<MasterKey> {
        let media = self
            .ours
            .as_ref()?
            .media
            .iter()
            .find(|media| !media.crypto.is_empty())?;
        media
            .crypto
            .iter()
            .find(|crypto| crypto.suite == *suite)
            .map(|crypto| crypto.keys[0].key.clone())
    }

    fn describe_ourselves(&self, media: Vec<Media>) -> SessionDescription {
        let mut session = SessionDescription::new(self.author.origin());
        session.connection = Some(Address::from(self.local.address));
        session.media = media;
        session
    }

    /// Say it: the version grows if it is not what was said last (RFC 3264 §8).
    fn say(&mut self, session: SessionDescription) -> Bytes {
        let session = self.author.stamp(session);
        let text = Bytes::from(session.to_string());
        self.ours = Some(session);
        text
    }
}

fn keys_of(session: &SessionDescription) -> Vec<&MasterKey> {
    let lines = session.media.iter().flat_map(|media| &media.crypto);
    lines
        .flat_map(|crypto| crypto.keys.iter().map(|parameter| &parameter.key))
        .collect()
}

fn fresh_key(suite: &Suite, keys: &mut impl RngCore) -> MasterKey {
    let mut bytes = [0; 64];
    keys.fill_bytes(&mut bytes);
    let length = suite.key_length().unwrap_or(30);
    MasterKey::new(&bytes[..length])
        .expect("the length of a known suite's key lies between 1 and 64")
}
