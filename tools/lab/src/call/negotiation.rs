//! What the two ends of a call agreed about audio, and the descriptions that say so.
//!
//! An offer keeps its version and keys unless something changes; an answer picks the first codec of the offer that we
//! speak, `_80` before any other suite (MED-03), and mirrors the direction. Each fork has a key of its own.
//!
//! Not here: when to offer (`mod.rs`), sockets (`crate::media`).

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;

use super::persona::MediaStyle;
use crate::media::{Codec, Plan};
use crate::random;
use crate::sdp::{Audio, Crypto, Direction, Sdp, Suite};

/// Why nothing was agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Disagreement {
    /// No codec of ours.
    #[error("no codec in common")]
    Codec,
    /// No key that we can use, or keys where there should be none.
    #[error("no key in common")]
    Key,
    /// The audio stream is refused.
    #[error("the stream is refused")]
    Refused,
    /// An answer without an offer.
    #[error("nothing was offered")]
    NothingOffered,
}

/// Which keys an offer of ours holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// Those that it held before.
    Same,
    /// New ones.
    Fresh,
}

/// One call's agreement.
#[derive(Debug)]
pub struct Negotiation {
    style: MediaStyle,
    local: SocketAddr,
    session_id: u64,
    version: u64,
    fork: u8,
    keys: HashMap<(u8, &'static str), Vec<u8>>,
    ours: Option<Sdp>,
    theirs: Option<Sdp>,
    transmit: Option<Crypto>,
    receive: Option<Crypto>,
    codec: Codec,
    restarts: u64,
}

impl Negotiation {
    /// Nothing agreed yet.
    #[must_use]
    pub fn new(style: MediaStyle, local: SocketAddr) -> Self {
        let codec = style.codecs.first().copied().unwrap_or(Codec::Pcmu);
        Self {
            style,
            local,
            session_id: u64::from(u32::from_be_bytes(random::bytes())),
            version: 0,
            fork: 0,
            keys: HashMap::new(),
            ours: None,
            theirs: None,
            transmit: None,
            receive: None,
            codec,
            restarts: 0,
        }
    }

    /// From now on speaks as this fork.
    pub fn become_fork(&mut self, fork: u8) {
        self.fork = fork;
    }

    /// What the box said last.
    #[must_use]
    pub fn theirs(&self) -> Option<&Sdp> {
        self.theirs.as_ref()
    }

    /// What we said last.
    #[must_use]
    pub fn ours(&self) -> Option<&Sdp> {
        self.ours.as_ref()
    }

    /// The suite in use.
    #[must_use]
    pub fn suite(&self) -> Option<Suite> {
        self.transmit.as_ref().map(|crypto| crypto.suite)
    }

    /// An offer of ours.
    #[must_use]
    pub fn offer(&mut self, direction: Direction, keys: Keys) -> Sdp {
        if keys == Keys::Fresh {
            self.keys.clear();
            self.restarts += 1;
        }
        let mut crypto = Vec::new();
        // After an agreement the suite stays; before, all are offered, numbered as Teams does: from 0 where there are several.
        let suites = match self.suite() {
            Some(suite) => vec![suite],
            None => self.style.secure.clone(),
        };
        let first = if suites.len() > 1 { 0 } else { 1 };
        for (tag, suite) in (first..).zip(suites) {
            crypto.push(self.key(tag, suite));
        }
        let mut payloads: Vec<u8> = self
            .style
            .decoration
            .iter()
            .map(|(payload, _)| *payload)
            .collect();
        let mut maps: BTreeMap<u8, String> = self
            .style
            .decoration
            .iter()
            .map(|(payload, name)| (*payload, (*name).to_owned()))
            .collect();
        for codec in &self.style.codecs {
            payloads.push(codec.payload());
            maps.insert(codec.payload(), codec.name().to_owned());
        }
        payloads.push(self.style.event);
        maps.insert(self.style.event, "telephone-event/8000".to_owned());
        let mux = self.style.mux;
        self.describe(direction, payloads, maps, crypto, mux)
    }

    /// The answer to an offer of the box.
    ///
    /// # Errors
    /// Where there is nothing in common.
    pub fn answer(&mut self, offer: &Sdp, wish: Direction) -> Result<Sdp, Disagreement> {
        let codec = self.choose_codec(offer)?;
        let mut crypto = Vec::new();
        let receive = self.choose_key(offer)?;
        if let Some(theirs) = &receive {
            let ours = self.key(theirs.tag, theirs.suite);
            self.transmit = Some(ours.clone());
            crypto.push(ours);
        }
        self.receive = receive;
        self.codec = codec;
        let mut payloads = vec![codec.payload()];
        let mut maps = BTreeMap::from([(codec.payload(), codec.name().to_owned())]);
        if let Some(event) = offer.telephone_event() {
            payloads.push(event);
            maps.insert(event, "telephone-event/8000".to_owned());
        }
        let direction = match wish {
            Direction::SendRecv => offer.audio.direction.mirrored(),
            other => other,
        };
        self.theirs = Some(offer.clone());
        Ok(self.describe(direction, payloads, maps, crypto, offer.audio.mux))
    }

    /// The box's answer to our offer.
    ///
    /// # Errors
    /// Where it does not fit.
    pub fn accept(&mut self, answer: &Sdp) -> Result<(), Disagreement> {
        let offered = self.ours.clone().ok_or(Disagreement::NothingOffered)?;
        self.codec = self.choose_codec(answer)?;
        self.receive = self.choose_key(answer)?;
        self.transmit = match &self.receive {
            None => None,
            Some(theirs) => Some(
                offered
                    .audio
                    .crypto
                    .into_iter()
                    .find(|ours| ours.tag == theirs.tag && ours.suite == theirs.suite)
                    .ok_or(Disagreement::Key)?,
            ),
        };
        self.theirs = Some(answer.clone());
        Ok(())
    }

    /// What the session is to do; `None` before anything is agreed.
    #[must_use]
    pub fn plan(&self) -> Option<Plan> {
        let (ours, theirs) = (self.ours.as_ref()?, self.theirs.as_ref()?);
        let listening = matches!(
            theirs.audio.direction,
            Direction::SendRecv | Direction::RecvOnly
        );
        let speaking = theirs.audio.direction.sends();
        let hearing = matches!(
            ours.audio.direction,
            Direction::SendRecv | Direction::RecvOnly
        );
        Some(Plan {
            rtp: theirs.rtp(),
            rtcp: theirs.rtcp(),
            codec: self.codec,
            event: theirs.telephone_event(),
            speak: ours.audio.direction.sends() && listening && !theirs.address.is_unspecified(),
            listen: speaking && hearing,
            transmit: self.transmit.clone(),
            receive: self.receive.clone(),
            restarts: self.restarts,
        })
    }

    fn choose_codec(&self, sdp: &Sdp) -> Result<Codec, Disagreement> {
        if sdp.audio.port == 0 {
            return Err(Disagreement::Refused);
        }
        sdp.audio
            .payloads
            .iter()
            .filter_map(|payload| Codec::of(*payload))
            .find(|codec| self.style.codecs.contains(codec))
            .ok_or(Disagreement::Codec)
    }

    fn choose_key(&self, sdp: &Sdp) -> Result<Option<Crypto>, Disagreement> {
        let secured = sdp.audio.profile.contains("SAVP");
        match (self.style.secure.is_empty(), secured) {
            (true, false) => return Ok(None),
            (false, true) => {}
            _ => return Err(Disagreement::Key),
        }
        let usable = |crypto: &&Crypto| self.style.secure.contains(&crypto.suite);
        let best = sdp.audio.crypto.iter().filter(usable).min_by_key(|crypto| {
            let rank = Suite::ALL.iter().position(|suite| *suite == crypto.suite);
            (crypto.mki.is_some(), rank)
        });
        best.cloned().map(Some).ok_or(Disagreement::Key)
    }

    /// Our key for this suite: one a fork, kept until it is asked for afresh.
    fn key(&mut self, tag: u32, suite: Suite) -> Crypto {
        let fresh = Crypto::fresh(tag, suite);
        let key = self
            .keys
            .entry((self.fork, suite.name()))
            .or_insert_with(|| fresh.key.clone());
        Crypto {
            key: key.clone(),
            ..fresh
        }
    }

    fn describe(
        &mut self,
        direction: Direction,
        payloads: Vec<u8>,
        maps: BTreeMap<u8, String>,
        crypto: Vec<Crypto>,
        mux: bool,
    ) -> Sdp {
        let profile = if crypto.is_empty() {
            "RTP/AVP"
        } else {
            "RTP/SAVP"
        };
        let mut sdp = Sdp {
            origin: self.origin(),
            address: self.local.ip(),
            audio: Audio {
                port: self.local.port(),
                profile: profile.to_owned(),
                payloads,
                maps,
                direction,
                crypto,
                crypto_unread: 0,
                rtcp: Some(self.local.port() + u16::from(!mux)),
                mux,
                ptime: Some(20),
                others: vec!["a=label:main-audio".to_owned(), "a=mid:1".to_owned()],
            },
            other_media: Vec::new(),
        };
        // RFC 3264 §8: the version grows by one with every change, and stays without one.
        if self.ours.as_ref() != Some(&sdp) {
            self.version += 1;
            sdp.origin = self.origin();
        }
        self.ours = Some(sdp.clone());
        sdp
    }

    fn origin(&self) -> String {
        format!(
            "- {} {} IN IP4 {}",
            self.session_id,
            self.version,
            self.local.ip()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Voice;

    fn side(secure: &[Suite]) -> Negotiation {
        let style = MediaStyle {
            address: [127, 0, 0, 1].into(),
            says: Voice::Teams,
            hears: Voice::Carrier,
            codecs: vec![Codec::Pcmu, Codec::Pcma],
            decoration: vec![(104, "SILK/16000")],
            secure: secure.to_vec(),
            mux: true,
            event: 101,
            first_sequence: None,
        };
        Negotiation::new(style, ([127, 0, 0, 1], 4000).into())
    }

    fn agree(
        offerer: &mut Negotiation,
        answerer: &mut Negotiation,
        direction: Direction,
        keys: Keys,
    ) {
        let offer = offerer.offer(direction, keys);
        let offer = Sdp::parse(&offer.print()).expect("own text");
        let answer = answerer
            .answer(&offer, Direction::SendRecv)
            .expect("agreed");
        offerer
            .accept(&Sdp::parse(&answer.print()).expect("own text"))
            .expect("agreed");
    }

    #[test]
    fn of_two_suites_80_is_chosen_with_its_tag() {
        let (mut one, mut two) = (
            side(&[Suite::Sha1_32, Suite::Sha1_80]),
            side(&[Suite::Sha1_80, Suite::Sha1_32]),
        );
        agree(&mut one, &mut two, Direction::SendRecv, Keys::Same);
        let plans = (one.plan().expect("agreed"), two.plan().expect("agreed"));
        assert_eq!(plans.0.transmit, plans.1.receive);
        assert_eq!(plans.1.transmit, plans.0.receive);
        assert_eq!(
            plans.0.transmit.map(|key| (key.tag, key.suite)),
            Some((1, Suite::Sha1_80))
        );
    }

    #[test]
    fn a_refresh_repeats_and_a_new_key_is_one() {
        let (mut one, mut two) = (side(&[Suite::Sha1_80]), side(&[Suite::Sha1_80]));
        agree(&mut one, &mut two, Direction::SendRecv, Keys::Same);
        let first = one.plan().expect("agreed").transmit;
        let said = one.ours().cloned();
        agree(&mut one, &mut two, Direction::SendRecv, Keys::Same);
        assert_eq!(
            (one.plan().expect("agreed").transmit, one.ours().cloned()),
            (first.clone(), said)
        );
        agree(&mut one, &mut two, Direction::SendRecv, Keys::Fresh);
        assert_ne!(one.plan().expect("agreed").transmit, first);
        assert_eq!(
            one.plan().expect("agreed").transmit,
            two.plan().expect("agreed").receive
        );
    }

    #[test]
    fn hold_silences_both() {
        let (mut one, mut two) = (side(&[]), side(&[]));
        agree(&mut one, &mut two, Direction::Inactive, Keys::Same);
        assert!(!one.plan().expect("agreed").speak && !two.plan().expect("agreed").speak);
        agree(&mut one, &mut two, Direction::SendRecv, Keys::Same);
        assert!(one.plan().expect("agreed").speak && two.plan().expect("agreed").speak);
    }

    #[test]
    fn plain_and_secured_do_not_meet() {
        let offer = side(&[]).offer(Direction::SendRecv, Keys::Same);
        assert_eq!(
            side(&[Suite::Sha1_80]).answer(&offer, Direction::SendRecv),
            Err(Disagreement::Key)
        );
    }
}
