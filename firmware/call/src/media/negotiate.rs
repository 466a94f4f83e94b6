//! What is negotiated on one leg: SDP is read, understood and written anew, never edited.
//!
//! What crosses from leg to leg is a [`Description`]. Addresses, keys, payload numbers, names and unknown lines stay on their
//! side because a description has no room for them. A [`Negotiation`] holds both sides' last session descriptions; everything
//! the pipeline is told follows from these two (`agreed`), so a restarted control needs nothing else.
//!
//! Nothing is transcoded: a party is answered with what the other one speaks, and refused where they have nothing in common.
//! Our address, port and key stay for the life of the leg (MED-05); a new key is taken only where the party takes one (MED-04).
//!
//! Not here: when an offer may be made (`leg`), ports (`ports`).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use bytes::Bytes;
use media_api::{StreamId, StreamSpec};
use serde::{Deserialize, Serialize};
use sip::sdp::offer_answer::Author;
use sip::sdp::{
    Address, Formats, Media, MediaKind, ParseError, Payload, Protocol, SessionDescription,
};
use sip::token::RngCore;

use super::agreed::{Agreed, NumberedFormat, formats_of, is_audio};
pub use super::description::Description;
use super::description::{ComfortNoise, Format};
pub use super::discord::NegotiateError;
use super::dtls;
use super::ice;
pub use super::policy::LegPolicy;

mod secrets;

/// The name of our audio to those who bundle (RFC 8829 §5.2.1).
const OUR_MID: &str = "0";

/// Our end of a leg's media.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalMedia {
    /// The address that stands in SDP.
    pub address: IpAddr,
    /// The RTP port.
    pub port: u16,
}

/// The state of offer and answer on one leg.
#[derive(Debug, Clone)]
pub struct Negotiation {
    policy: LegPolicy,
    local: LocalMedia,
    /// Our address in the other version of IP, if there is one and nothing has been said yet.
    other: Option<IpAddr>,
    author: Author,
    /// What was said last, offers that have no answer included.
    standing: Standing,
    /// What stood before an offer of ours that has no answer.
    before: Option<Box<Standing>>,
    /// An offer of the party that has no answer.
    their_offer: Option<SessionDescription>,
}

/// What both sides have said, and what follows.
#[derive(Debug, Clone, Default)]
struct Standing {
    /// What we said, offer or answer.
    ours: Option<Said>,
    /// What the party said that holds.
    theirs: Option<SessionDescription>,
    /// What the party was told of the other one.
    told: Option<Description>,
    /// What the party says it can and wants.
    described: Option<Description>,
    agreed: Option<Agreed>,
}

/// A description of ours and its text, which is sent, repeated and remembered.
#[derive(Debug, Clone)]
struct Said {
    description: SessionDescription,
    text: Bytes,
}

impl From<SessionDescription> for Said {
    fn from(description: SessionDescription) -> Self {
        Self {
            text: Bytes::from(description.text()),
            description,
        }
    }
}

impl Standing {
    fn ours(&self) -> Option<&SessionDescription> {
        self.ours.as_ref().map(|said| &said.description)
    }
}

/// A negotiation as plain data: the two descriptions say everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    pub fn new(policy: LegPolicy, local: LocalMedia, session_id: u64) -> Self {
        Self {
            policy,
            local,
            other: None,
            // Readers are met that take a session id for a signed number.
            author: Author::new(session_id >> 1, local.address),
            standing: Standing::default(),
            before: None,
            their_offer: None,
        }
    }

    /// The same, but a party that begins in the other version of IP is met there.
    #[must_use]
    pub const fn or_at(mut self, other: Option<IpAddr>) -> Self {
        self.other = other;
        self
    }

    /// Our end.
    #[must_use]
    pub const fn local(&self) -> LocalMedia {
        self.local
    }

    /// What the party last said it can do.
    #[must_use]
    pub const fn described(&self) -> Option<&Description> {
        self.standing.described.as_ref()
    }

    /// What the party was last told of the other one.
    #[must_use]
    pub const fn told(&self) -> Option<&Description> {
        self.standing.told.as_ref()
    }

    /// What the party speaks: of what it can do, the codecs that were agreed on.
    #[must_use]
    pub fn spoken(&self) -> Option<Description> {
        let mut spoken = self.standing.described.clone()?;
        if let Some(agreed) = &self.standing.agreed {
            spoken
                .codecs
                .retain(|codec| agreed.codecs().any(|agreed| agreed == *codec));
        }
        Some(spoken)
    }

    /// Reads an offer of the party. It waits until it is answered or refused.
    ///
    /// # Errors
    /// It is of no use on this leg; nothing has changed then.
    pub fn receive_offer(&mut self, body: &[u8]) -> Result<Description, NegotiateError> {
        let offer = read(body)?;
        let audio = self.audio_of(&offer)?;
        if let Some(party) = offer.address_of(audio).and_then(Address::ip) {
            self.meet(party);
        }
        let described = self.describe(&offer, audio)?;
        if audio.protocol.is_secure() {
            self.policy
                .choose(&audio.crypto)
                .ok_or(NegotiateError::NoKey)?;
        }
        if audio.protocol.is_dtls() && !dtls::is_usable(&offer, audio) {
            return Err(NegotiateError::NoFingerprint);
        }
        self.their_offer = Some(offer);
        // What it can do is known before it is answered: the other leg is offered this.
        if self.standing.described.is_none() {
            self.standing.described = Some(described.clone());
        }
        Ok(described)
    }

    /// Whether an offer changes nothing that the other leg could notice (INV-19).
    #[must_use]
    pub fn is_refresh(&self, body: &[u8]) -> bool {
        let Ok(offer) = read(body) else {
            return false;
        };
        let audio = self.audio_of(&offer);
        let Ok(now) = audio.and_then(|audio| self.describe(&offer, audio)) else {
            return false;
        };
        let (Some(before), Some(agreed)) = (&self.standing.described, &self.standing.agreed) else {
            return false;
        };
        before.direction == now.direction
            && before.events.is_some() == now.events.is_some()
            && agreed.codecs().all(|codec| now.codecs.contains(&codec))
    }

    /// Answers the party's offer with what the other party says.
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
        let described = self.describe(offer, audio)?;
        let payloads = answered_payloads(audio, &described, other, &self.policy);
        let mut answered = self.section(audio.protocol.clone(), payloads, other.ptime);
        answered.direction = Some(
            self.policy
                .direction(other.direction.and(described.direction.reversed())),
        );
        // RFC 5761 §5.1.1: only where it was offered.
        answered.rtcp_mux = audio.rtcp_mux;
        answered.mid.clone_from(&audio.mid);
        if audio.protocol.is_secure() {
            let chosen = self.policy.choose(&audio.crypto);
            let chosen = chosen.ok_or(NegotiateError::NoKey)?;
            answered.crypto = vec![self.answering_key(chosen, keys)];
        }
        if audio.protocol.is_dtls() {
            answered.dtls = self.answering_dtls(offer, audio)?;
        }
        if let Some(now) = ice::credentials(offer, audio) {
            answered.ice = self.our_ice(&answered, Some(now), keys);
        }
        // RFC 3264 §6: as many sections, in the same order; those we do not take get port 0 (MED-10).
        let sections = offer.media.iter().map(|media| {
            if std::ptr::eq(media, audio) {
                answered.clone()
            } else {
                media.refused()
            }
        });
        let mut answer = self.describe_ourselves(sections.collect());
        // RFC 9143 §7.3: of the group what is not refused.
        answer.bundle.clone_from(&offer.bundle);
        answer
            .bundle
            .retain(|name| Some(name) == audio.mid.as_ref());
        let agreed = Agreed::between(&answer, offer, &self.policy)?;
        self.standing = Standing {
            ours: Some(self.author.stamp(answer, self.standing.ours()).into()),
            theirs: self.their_offer.take(),
            told: Some(other.clone()),
            described: Some(described),
            agreed: Some(agreed),
        };
        self.repeat().ok_or(NegotiateError::NoOffer)
    }

    /// Answers the party's offer with what it was told before (a refresh, INV-19).
    ///
    /// # Errors
    /// As [`Negotiation::answer`].
    pub fn answer_again(&mut self, keys: &mut impl RngCore) -> Result<Bytes, NegotiateError> {
        let told = self.standing.told.clone().ok_or(NegotiateError::NoOffer)?;
        self.answer(&told, keys)
    }

    /// Offers the party what the other one says; `None`: what the trunk allows.
    ///
    /// # Errors
    /// Nothing of it may be offered on this leg.
    pub fn offer(
        &mut self,
        other: Option<&Description>,
        keys: &mut impl RngCore,
    ) -> Result<Bytes, NegotiateError> {
        let other = other.map_or_else(
            || Description::of_trunk(&self.policy.media.codecs),
            Clone::clone,
        );
        let mut formats = other.codecs.clone();
        formats.retain(|codec| self.policy.allows(*codec));
        if formats.is_empty() {
            return Err(NegotiateError::NoCodec);
        }
        if other.comfort_noise == ComfortNoise::Taken {
            formats.push(Format::ComfortNoise);
        }
        if other.events.is_some() {
            formats.push(Format::Events);
        }
        let payloads = formats
            .into_iter()
            .map(|format| format.payload(self.number_of(format), other.events))
            .collect();
        let mut audio = self.section(self.policy.protocol(), payloads, other.ptime);
        audio.direction = Some(self.policy.direction(other.direction));
        audio.rtcp_mux = self.policy.media.rtcp_mux;
        if audio.protocol.is_secure() {
            audio.crypto = self.offered_keys(keys);
        }
        if audio.protocol.is_dtls() {
            audio.dtls = self.offered_dtls()?;
            let said = self.our_audio().and_then(|audio| audio.mid.clone());
            audio.mid = said.or_else(|| Some(OUR_MID.to_owned()));
        }
        audio.ice = self.our_ice(&audio, None, keys);
        let bundle = audio.mid.iter().cloned().collect();
        let mut offer = self.describe_ourselves(self.in_its_slot(audio));
        offer.bundle = bundle;
        let before = self.standing.clone();
        self.before.get_or_insert_with(|| Box::new(before));
        self.other = None;
        self.standing.ours = Some(self.author.stamp(offer, self.standing.ours()).into());
        self.standing.told = Some(other);
        self.repeat().ok_or(NegotiateError::NoOffer)
    }

    /// What stands, offered by us (a re-INVITE without an offer).
    pub fn offer_again(&mut self) -> Option<Bytes> {
        let before = self.standing.clone();
        self.before.get_or_insert_with(|| Box::new(before));
        self.repeat()
    }

    /// What we said last, unchanged (spec §1.7: same version, same keys).
    #[must_use]
    pub fn repeat(&self) -> Option<Bytes> {
        self.standing.ours.as_ref().map(|said| said.text.clone())
    }

    /// The party answers our offer; each fork may answer, the last one holds (INV-16).
    ///
    /// # Errors
    /// It is of no use; what was agreed before stands.
    pub fn receive_answer(&mut self, body: &[u8]) -> Result<Description, NegotiateError> {
        let answer = read(body)?;
        let ours = self.standing.ours().ok_or(NegotiateError::NoOffer)?;
        let described = self.describe(&answer, self.audio_of(&answer)?)?;
        self.standing.agreed = Some(Agreed::between(ours, &answer, &self.policy)?);
        self.standing.theirs = Some(answer);
        self.standing.described = Some(described.clone());
        self.before = None;
        Ok(described)
    }

    /// Our offer was refused: what was said before holds.
    pub fn withdraw(&mut self) {
        if let Some(before) = self.before.take() {
            self.standing = *before;
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
        let (Some(agreed), Some(told)) = (&self.standing.agreed, &self.standing.told) else {
            return true;
        };
        self.policy.direction(told.direction) != self.policy.direction(other.direction)
            || agreed.codecs().any(|codec| !other.codecs.contains(&codec))
    }

    /// The payload numbers that the party sends, for the other leg's stream.
    #[must_use]
    pub fn incoming(&self) -> &[NumberedFormat] {
        self.standing.agreed.as_ref().map_or(&[], Agreed::incoming)
    }

    /// What the pipeline is to be told, once both sides have spoken. `peer` is what comes in on the other leg.
    #[must_use]
    pub fn spec(
        &self,
        id: StreamId,
        bind: SocketAddr,
        peer: &[NumberedFormat],
    ) -> Option<StreamSpec> {
        let agreed = self.standing.agreed.as_ref();
        agreed.map(|agreed| agreed.spec(id, bind, peer, &self.policy))
    }

    /// What is to be kept over a restart; `None` before both sides have spoken.
    #[must_use]
    pub fn image(&self) -> Option<NegotiationImage> {
        // An offer without an answer does not outlive us.
        let standing = self.before.as_deref().unwrap_or(&self.standing);
        Some(NegotiationImage {
            local: self.local,
            session_id: self.author.session_id(),
            version: self.author.highest(),
            ours: String::from_utf8_lossy(&standing.ours.as_ref()?.text).into_owned(),
            theirs: standing.theirs.as_ref()?.text(),
            told: standing.told.clone(),
        })
    }

    /// A negotiation that was kept.
    ///
    /// # Errors
    /// The image is damaged, or the trunk's policy does not allow any more what was agreed.
    pub fn restore(policy: LegPolicy, image: &NegotiationImage) -> Result<Self, NegotiateError> {
        let mut restored = Self::new(policy, image.local, 0);
        restored.author = Author::resumed(image.session_id, image.local.address, image.version);
        restored.standing.ours = Some(SessionDescription::parse(image.ours.as_bytes())?.into());
        restored.receive_answer(image.theirs.as_bytes())?;
        restored.standing.told.clone_from(&image.told);
        Ok(restored)
    }

    /// Goes where a party is that begins. MED-05: once anything has been said, we stay where we are.
    fn meet(&mut self, party: IpAddr) {
        let there = self
            .other
            .take_if(|other| other.is_ipv4() == party.is_ipv4());
        if let Some(there) = there {
            self.local.address = there;
            self.author = Author::new(self.author.session_id(), there);
        }
    }

    /// The first audio section of this trunk's profile: some offer the same audio secured and in the clear.
    fn audio_of<'s>(&self, session: &'s SessionDescription) -> Result<&'s Media, NegotiateError> {
        let mut audio = session
            .media
            .iter()
            .filter(|media| is_audio(media))
            .peekable();
        audio.peek().ok_or(NegotiateError::NoAudio)?;
        audio
            .find(|media| self.policy.fits(media))
            .ok_or(NegotiateError::Profile)
    }

    /// What the party says, as far as this trunk allows it.
    fn describe(
        &self,
        session: &SessionDescription,
        audio: &Media,
    ) -> Result<Description, NegotiateError> {
        let address = session.address_of(audio).and_then(Address::ip);
        let address = address.ok_or(NegotiateError::NoAddress)?;
        // A call is between two: what is sent to many would be a weapon.
        let is_many = address.is_multicast() || address == IpAddr::V4(Ipv4Addr::BROADCAST);
        if is_many {
            return Err(NegotiateError::NoAddress);
        }
        if !address.is_unspecified() && address.is_ipv4() != self.local.address.is_ipv4() {
            return Err(NegotiateError::NoAddress);
        }
        let mut described = Description::of_party(session, audio);
        described.codecs.retain(|codec| self.policy.allows(*codec));
        if described.codecs.is_empty() {
            return Err(NegotiateError::NoCodec);
        }
        Ok(described)
    }

    fn section(&self, protocol: Protocol, payloads: Vec<Payload>, ptime: u16) -> Media {
        let formats = Formats::Rtp(payloads);
        let mut media = Media::new(MediaKind::Audio, self.local.port, protocol, formats);
        media.ptime = Some(ptime);
        media
    }

    /// The sections of an offer of ours: `audio` where audio was before, the rest refused as before. RFC 3264 §8: sections are
    /// never taken away.
    fn in_its_slot(&self, audio: Media) -> Vec<Media> {
        let Some(ours) = self.standing.ours() else {
            return vec![audio];
        };
        ours.media
            .iter()
            .map(|media| {
                if is_audio(media) {
                    audio.clone()
                } else {
                    media.refused()
                }
            })
            .collect()
    }

    fn our_audio(&self) -> Option<&Media> {
        self.standing
            .ours()?
            .media
            .iter()
            .find(|media| is_audio(media))
    }

    /// The number of a format in an offer of ours: the one that it has on this leg (RFC 3264 §8.3.2), else the usual one, else
    /// one that means nothing here yet.
    fn number_of(&self, format: Format) -> u8 {
        let here = self.our_audio().map(formats_of).unwrap_or_default();
        if let Some(known) = here.iter().find(|known| known.format == format) {
            return known.number;
        }
        let free = |number: &u8| here.iter().all(|known| known.number != *number);
        std::iter::once(format.usual_number())
            .chain(96..=127)
            .find(free)
            .unwrap_or_else(|| format.usual_number())
    }

    fn describe_ourselves(&self, media: Vec<Media>) -> SessionDescription {
        let mut session = SessionDescription::new(self.author.origin());
        session.connection = Some(Address::from(self.local.address));
        session.ice.lite = media.iter().any(|media| media.ice.ufrag.is_some());
        session.media = media;
        session
    }
}

/// What an answer names: of the offered formats those that the other party has too, in its order, under the numbers of the offer.
fn answered_payloads(
    audio: &Media,
    described: &Description,
    other: &Description,
    policy: &LegPolicy,
) -> Vec<Payload> {
    let offered = formats_of(audio);
    let mut wanted = other.codecs.clone();
    wanted.retain(|codec| policy.allows(*codec));
    if other.comfort_noise == ComfortNoise::Taken {
        wanted.push(Format::ComfortNoise);
    }
    let events = other.events.min(described.events);
    if events.is_some() {
        wanted.push(Format::Events);
    }
    wanted
        .into_iter()
        .filter_map(|format| {
            let found = offered.iter().find(|offered| offered.format == format)?;
            Some(format.payload(found.number, events))
        })
        .collect()
}

/// Reads a body and forgets what is not needed to answer it: calls live long, and candidates are many. Names of sections are
/// repeated to those who bundle as browsers do, and to nobody else.
fn read(body: &[u8]) -> Result<SessionDescription, ParseError> {
    let mut session = SessionDescription::parse(body)?;
    session.other = Vec::new();
    session.ice.candidates = Vec::new();
    for media in &mut session.media {
        media.other = Vec::new();
        media.ice.candidates = Vec::new();
        media.mid.take_if(|_| !media.protocol.is_dtls());
    }
    Ok(session)
}
