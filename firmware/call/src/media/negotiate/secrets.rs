//! What we say on a leg that is known to its party alone: keys, our certificate, name and password for ICE.
//!
//! Each stays what it was said to be for the life of the leg, until the party begins anew with its own (MED-04, ICE-03).
//!
//! Not here: what follows from both sides' lines (`agreed`).

use media_api::Fingerprint;
use sip::sdp::{Crypto, Dtls, Ice, MasterKey, Media, SessionDescription, Suite};
use sip::token::RngCore;

use super::{NegotiateError, Negotiation};
use crate::media::agreed::{Agreed, is_audio};
use crate::media::dtls;
use crate::media::ice::{self, Components};
use crate::media::policy::IceRole;

impl Negotiation {
    /// Our key for an answer. MED-04: the same as before as long as the party keeps its own; a new one when it takes a new one, so
    /// that both directions begin again with a roll-over counter of 0.
    pub(super) fn answering_key(&self, chosen: &Crypto, keys: &mut impl RngCore) -> Crypto {
        let party_keeps_its_own = self.standing.theirs.as_ref().is_none_or(|theirs| {
            let lines = theirs.media.iter().flat_map(|media| &media.crypto);
            lines
                .filter(|line| line.suite == chosen.suite)
                .any(|line| first_key(line) == first_key(chosen))
        });
        let key = self
            .our_key(&chosen.suite)
            .filter(|_| party_keeps_its_own)
            .unwrap_or_else(|| fresh_key(&chosen.suite, keys));
        Crypto::new(chosen.tag, chosen.suite.clone(), key, self.policy.lifetime)
    }

    /// One line for each suite of the trunk, with the keys that are in use.
    pub(super) fn offered_keys(&self, keys: &mut impl RngCore) -> Vec<Crypto> {
        (1..)
            .zip(self.policy.suites())
            .map(|(tag, suite)| {
                let key = self
                    .our_key(&suite)
                    .unwrap_or_else(|| fresh_key(&suite, keys));
                Crypto::new(tag, suite, key, self.policy.lifetime)
            })
            .collect()
    }

    /// The key that we said last for a suite.
    fn our_key(&self, suite: &Suite) -> Option<MasterKey> {
        let mut lines = self.our_audio()?.crypto.iter();
        let line = lines.find(|line| line.suite == *suite)?;
        first_key(line).cloned()
    }

    /// Our certificate: the one that was said on this leg, or else the one that media has.
    fn certificate(&self) -> Option<Fingerprint> {
        let said = self.standing.ours().zip(self.our_audio());
        let said = said.and_then(|(ours, audio)| dtls::party(ours, audio));
        said.or(self.policy.certificate)
    }

    /// Whether the party has been told of a certificate that media does not have any more.
    pub(crate) fn is_outdated(&self, certificate: Fingerprint) -> bool {
        let said = self.standing.ours().zip(self.our_audio());
        let said = said.and_then(|(ours, audio)| dtls::party(ours, audio));
        said.is_some_and(|said| said != certificate)
    }

    /// What was said of the handshake is over: what is said next is a new association, with ICE begun anew (RFC 8842 §4).
    pub(crate) fn forget_handshake(&mut self, certificate: Fingerprint) {
        self.policy.certificate = Some(certificate);
        if let Some(said) = &mut self.standing.ours {
            for media in &mut said.description.media {
                (media.dtls, media.ice) = (Dtls::NONE, Ice::default());
            }
        }
    }

    /// What we say of ICE in a section; `party` is what it says in the offer that this answers.
    pub(super) fn our_ice(
        &self,
        section: &Media,
        party: Option<(&str, &str)>,
        chance: &mut impl RngCore,
    ) -> Ice {
        if self.policy.ice == IceRole::None {
            return Ice::default();
        }
        let theirs = self.standing.theirs.as_ref();
        let before = theirs.and_then(|theirs| {
            let audio = theirs.media.iter().find(|media| is_audio(media))?;
            ice::credentials(theirs, audio)
        });
        let said = self.our_audio().map(|audio| &audio.ice);
        let said = said.filter(|_| !ice::has_restarted(before, party));
        ice::ours(said, self.local, Components::of(section), chance)
    }

    /// What an answer says of the handshake.
    pub(super) fn answering_dtls(
        &self,
        offer: &SessionDescription,
        audio: &Media,
    ) -> Result<Dtls, NegotiateError> {
        let ours = self.certificate().ok_or(NegotiateError::NoFingerprint)?;
        let party = dtls::party(offer, audio);
        let standing = self.standing.agreed.as_ref().and_then(Agreed::dtls);
        let part = standing
            .filter(|standing| Some(standing.party) == party)
            .map(|standing| standing.handshake);
        Ok(dtls::answered(ours, offer.setup_of(audio), part))
    }

    /// What an offer says of it.
    pub(super) fn offered_dtls(&self) -> Result<Dtls, NegotiateError> {
        let ours = self.certificate().ok_or(NegotiateError::NoFingerprint)?;
        Ok(dtls::offered(ours))
    }
}

fn first_key(crypto: &Crypto) -> Option<&MasterKey> {
    crypto.keys.first().map(|parameter| &parameter.key)
}

fn fresh_key(suite: &Suite, keys: &mut impl RngCore) -> MasterKey {
    let mut bytes = [0; MasterKey::LONGEST];
    keys.fill_bytes(&mut bytes);
    let length = suite.key_length().unwrap_or(MasterKey::LONGEST);
    MasterKey::new(&bytes[..length]).expect("a suite's key has 1 to 64 bytes")
}
