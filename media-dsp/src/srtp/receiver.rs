//! Unprotecting what arrives.
//!
//! Order of work for each packet: lengths, MKI, index and window (cheap, no key), tag, decryption, and only then the
//! window moves and a new source takes its place. A packet that fails leaves bytes and state as they were.
//!
//! Not here: protecting (`sender.rs`), the transforms (`counter.rs`, `galois.rs`).

use crate::rtp::Header;

use super::cipher::{ENCRYPTED, Place, RTCP_HEADER, RTCP_INDEX};
use super::context::{Context, MAX_PACKET, RTP_INDICES};
use super::sender::rtcp_sender;
use super::session::Session;
use super::{
    ContextState, Freshness, Keying, Limits, MkiRule, Rekey, ReplayWindow, RestoreError,
    UnprotectError, guess_index,
};

/// Unprotects the packets of one direction.
pub struct Receiver {
    context: Context<Mark>,
}

/// What a receiver keeps beside keys and sources.
#[repr(C)]
struct Mark {
    /// Of [`MkiRule::Optional`]: whether the last authentic packet carried an MKI.
    optional_mki: Form,
    /// A packet is in a burst whose outcome is not known yet.
    is_busy: bool,
}

/// A packet whose lengths are right.
struct Found {
    header: usize,
    ssrc: u32,
    sequence: u16,
    slot: Option<usize>,
}

impl Found {
    fn at(&self, index: u64) -> Place {
        Place {
            header: self.header,
            ssrc: self.ssrc,
            index,
        }
    }
}

/// What a burst is to do with a packet.
pub(super) enum Attempt {
    /// Wait: the outcome of another decides.
    Busy,
    /// Unprotect it by itself, there is more than one way.
    Alone,
    /// Drop it.
    Refused(UnprotectError),
    /// Verify that it is this.
    Expect(Expected),
}

/// A packet as it should be, if it is authentic.
pub(super) struct Expected {
    pub(super) place: Place,
    /// Octets before MKI and tag.
    pub(super) plain: usize,
    pub(super) mki: usize,
    pub(super) slot: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    With,
    Without,
}

impl Receiver {
    /// Derives the session keys and sets memory aside; nothing is allocated afterwards but by [`Self::rekey`] and
    /// [`Self::snapshot`].
    pub fn new(keying: Keying, limits: Limits) -> Self {
        Self {
            context: Context::new(
                keying,
                limits,
                Mark {
                    optional_mki: Form::Without,
                    is_busy: false,
                },
            ),
        }
    }

    /// Verifies and decrypts the SRTP packet where it lies and gives the length of the RTP packet at its start.
    ///
    /// # Errors
    /// [`UnprotectError`]; neither the bytes nor any state have changed then.
    pub fn unprotect_rtp(&mut self, packet: &mut [u8]) -> Result<usize, UnprotectError> {
        self.with_mki_forms(|receiver, mki| receiver.unprotect_rtp_with(packet, mki))
    }

    fn unprotect_rtp_with(
        &mut self,
        packet: &mut [u8],
        mki: usize,
    ) -> Result<usize, UnprotectError> {
        let found = self.find(packet, mki)?;
        let window = found.slot.map(|slot| &self.context.source(slot).rtp);
        for index in candidates(window, found.sequence).into_iter().flatten() {
            look(window, index)?;
            let place = found.at(index);
            if let Some(plain) = self.context.transform.unprotect_rtp(packet, place, mki) {
                self.context.admit(found.slot, found.ssrc).rtp.commit(index);
                self.context.rtp_packets += 1;
                return Ok(plain);
            }
        }
        Err(UnprotectError::Forged)
    }

    /// Looks at lengths, header and MKI.
    #[inline]
    fn find(&self, packet: &[u8], mki: usize) -> Result<Found, UnprotectError> {
        let (Header { ssrc, sequence, .. }, header) =
            Header::read(packet).map_err(|_| UnprotectError::Malformed)?;
        let suite = self.context.suite;
        let tag = suite.rtp_tag_len();
        if packet.len() < header + tag + mki || packet.len() > MAX_PACKET {
            return Err(UnprotectError::Malformed);
        }
        let behind_mki = if suite.is_aead() { 0 } else { tag };
        self.check_mki(packet, mki, behind_mki)?;
        Ok(Found {
            header,
            ssrc,
            sequence,
            slot: self.slot(ssrc)?,
        })
    }

    /// What a burst is to do with this packet.
    #[inline]
    pub(super) fn attempt(&self, packet: &[u8]) -> Attempt {
        if self.context.mark.is_busy {
            return Attempt::Busy;
        }
        if !self.context.session.is_ready() {
            return Attempt::Alone;
        }
        let (mki, other) = self.forms();
        match self.expect(packet, mki) {
            Ok(Some(expected)) => Attempt::Expect(expected),
            // A source not heard before has more than one index to be tried.
            Ok(None) => Attempt::Alone,
            Err(_) if other.is_some() => Attempt::Alone,
            Err(error) => Attempt::Refused(error),
        }
    }

    #[inline]
    fn expect(&self, packet: &[u8], mki: usize) -> Result<Option<Expected>, UnprotectError> {
        let found = self.find(packet, mki)?;
        let Some(slot) = found.slot else {
            return Ok(None);
        };
        let window = &self.context.source(slot).rtp;
        let [Some(index), None] = candidates(Some(window), found.sequence) else {
            return Ok(None);
        };
        look(Some(window), index)?;
        Ok(Some(Expected {
            place: found.at(index),
            plain: packet.len() - self.context.suite.rtp_tag_len() - mki,
            mki,
            slot,
        }))
    }

    /// A packet is in a burst, and what comes next waits for [`Self::accept`] or [`Self::reject`].
    #[inline]
    pub(super) fn wait(&mut self) {
        self.context.mark.is_busy = true;
    }

    /// The tag the packet carries.
    #[inline]
    pub(super) fn tag_of<'a>(&self, packet: &'a [u8], plain: usize, mki: usize) -> &'a [u8] {
        let suite = self.context.suite;
        let at = if suite.is_aead() { plain } else { plain + mki };
        &packet[at..at + suite.rtp_tag_len()]
    }

    /// The packet is authentic.
    #[inline]
    pub(super) fn accept(&mut self, slot: usize, place: &Place) {
        self.context.mark.is_busy = false;
        self.context
            .admit(Some(slot), place.ssrc)
            .rtp
            .commit(place.index);
        self.context.rtp_packets += 1;
    }

    /// The packet is not authentic in the form that was expected.
    pub(super) fn reject(&mut self, packet: &mut [u8]) -> Result<usize, UnprotectError> {
        self.context.mark.is_busy = false;
        match self.forms() {
            (_, Some(_)) => self.unprotect_rtp(packet),
            (_, None) => Err(UnprotectError::Forged),
        }
    }

    /// Asks for what a packet will touch to be brought near. A burst does so itself; who knows earlier gains by saying so.
    #[inline]
    pub fn prefetch(&self) {
        self.context.prefetch();
    }

    #[inline]
    pub(super) fn session(&self) -> &Session {
        &self.context.session
    }

    /// Verifies and decrypts the SRTCP packet where it lies and gives the length of the RTCP packet at its start.
    /// Packets that are authenticated only (E flag clear) are accepted.
    ///
    /// # Errors
    /// [`UnprotectError`]; neither the bytes nor any state have changed then.
    pub fn unprotect_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, UnprotectError> {
        self.with_mki_forms(|receiver, mki| receiver.unprotect_rtcp_with(packet, mki))
    }

    fn unprotect_rtcp_with(
        &mut self,
        packet: &mut [u8],
        mki: usize,
    ) -> Result<usize, UnprotectError> {
        let ssrc = rtcp_sender(packet).ok_or(UnprotectError::Malformed)?;
        let suite = self.context.suite;
        let tag = suite.rtcp_tag_len();
        if packet.len() < RTCP_HEADER + RTCP_INDEX + tag + mki || packet.len() > MAX_PACKET {
            return Err(UnprotectError::Malformed);
        }
        let behind_mki = if suite.is_aead() { 0 } else { tag };
        self.check_mki(packet, mki, behind_mki)?;
        // In both forms the index word lies right before the MKI.
        let word_at = packet.len() - behind_mki - mki - RTCP_INDEX;
        let word = packet[word_at..]
            .first_chunk()
            .expect("the length was checked above");
        let index = u64::from(u32::from_be_bytes(*word) & !ENCRYPTED);
        let slot = self.slot(ssrc)?;
        look(slot.map(|slot| &self.context.source(slot).rtcp), index)?;
        let plain = self
            .context
            .transform
            .unprotect_rtcp(packet, ssrc, mki)
            .ok_or(UnprotectError::Forged)?;
        self.context.admit(slot, ssrc).rtcp.commit(index);
        self.context.rtcp_packets += 1;
        Ok(plain)
    }

    /// Takes over what a new description says (MED-04): the same key goes on with its roll-over counters and windows,
    /// another begins with roll-over counter 0. Allocates when the key is another.
    pub fn rekey(&mut self, keying: Keying) -> Rekey {
        self.context.rekey(keying)
    }

    /// The keying in use.
    pub fn keying(&self) -> &Keying {
        &self.context.keying
    }

    /// Packets the peer may still send by its own declaration. To keep to it is the peer's part: nothing is refused here.
    pub fn remaining(&self) -> u64 {
        self.context.remaining()
    }

    /// The state as plain data, for a standby.
    pub fn snapshot(&self) -> ContextState {
        self.context.snapshot()
    }

    /// Takes over a snapshot of the same keying. What arrived after the snapshot could be replayed once.
    ///
    /// # Errors
    /// [`RestoreError`] when the snapshot does not fit; nothing has changed then.
    pub fn restore(&mut self, state: &ContextState) -> Result<(), RestoreError> {
        self.context.restore(state, 0)
    }

    /// Runs `attempt` with the MKI length of each form a packet may have; of several failures the first counts.
    fn with_mki_forms(
        &mut self,
        mut attempt: impl FnMut(&mut Self, usize) -> Result<usize, UnprotectError>,
    ) -> Result<usize, UnprotectError> {
        let (usual, other) = self.forms();
        attempt(self, usual).or_else(|first| {
            let plain = attempt(self, other.ok_or(first)?).map_err(|_| first)?;
            self.context.mark.optional_mki = match self.context.mark.optional_mki {
                Form::With => Form::Without,
                Form::Without => Form::With,
            };
            Ok(plain)
        })
    }

    /// The length of the MKI that is expected, and the other that is allowed.
    #[inline]
    fn forms(&self) -> (usize, Option<usize>) {
        if self.context.has_mki {
            self.forms_of_rule()
        } else {
            (0, None)
        }
    }

    // This and the next apart, lest the rule be loaded before it is known to be needed.
    #[cold]
    #[inline(never)]
    fn forms_of_rule(&self) -> (usize, Option<usize>) {
        match &self.context.keying.mki {
            MkiRule::Absent => (0, None),
            MkiRule::Exact(mki) => (mki.as_bytes().len(), None),
            MkiRule::AnyValue(length) => (usize::from(*length), None),
            MkiRule::Optional(length) => match self.context.mark.optional_mki {
                Form::With => (usize::from(*length), Some(0)),
                Form::Without => (0, Some(usize::from(*length))),
            },
        }
    }

    #[inline]
    fn check_mki(&self, packet: &[u8], length: usize, behind: usize) -> Result<(), UnprotectError> {
        if length == 0 {
            return Ok(());
        }
        let at = packet.len() - behind - length;
        self.check_mki_by_rule(&packet[at..at + length])
    }

    #[cold]
    #[inline(never)]
    fn check_mki_by_rule(&self, carried: &[u8]) -> Result<(), UnprotectError> {
        match &self.context.keying.mki {
            MkiRule::Exact(mki) if carried != mki.as_bytes() => Err(UnprotectError::ForeignMki),
            _ => Ok(()),
        }
    }

    fn slot(&self, ssrc: u32) -> Result<Option<usize>, UnprotectError> {
        let slot = self.context.find(ssrc);
        if slot.is_none() && !self.context.has_room() {
            return Err(UnprotectError::TooManySources);
        }
        Ok(slot)
    }
}

/// The indices a packet may have. After the first authentic packet there is one (RFC 3711 §3.3.1). Before it, a sequence
/// number in the lower half may already be past the first wrap: a sender may start near 65,535 and its first packets be
/// lost, so roll-over counter 1 is tried when 0 does not verify.
fn candidates(window: Option<&ReplayWindow>, sequence: u16) -> [Option<u64>; 2] {
    match window.and_then(|window| window.highest()) {
        Some(highest) => [
            Some(guess_index(highest, sequence)).filter(|index| *index < RTP_INDICES),
            None,
        ],
        None => {
            let wrapped = (sequence < 0x8000).then_some(1 << 16 | u64::from(sequence));
            [Some(u64::from(sequence)), wrapped]
        }
    }
}

fn look(window: Option<&ReplayWindow>, index: u64) -> Result<(), UnprotectError> {
    match window.map_or(Freshness::Fresh, |window| window.check(index)) {
        Freshness::Fresh => Ok(()),
        Freshness::Replayed => Err(UnprotectError::Replayed),
        Freshness::TooOld => Err(UnprotectError::TooOld),
    }
}
