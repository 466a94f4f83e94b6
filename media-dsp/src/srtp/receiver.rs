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
use super::{
    ContextState, Freshness, Keying, Limits, MkiRule, Rekey, ReplayWindow, RestoreError,
    UnprotectError, guess_index,
};

/// Unprotects the packets of one direction.
pub struct Receiver {
    context: Context,
    /// Of [`MkiRule::Optional`]: whether the last authentic packet carried an MKI.
    optional_mki: Form,
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
            context: Context::new(keying, limits),
            optional_mki: Form::Without,
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
        let (Header { ssrc, sequence, .. }, header) =
            Header::read(packet).map_err(|_| UnprotectError::Malformed)?;
        let suite = self.context.keying.master.suite();
        let tag = suite.rtp_tag_len();
        if packet.len() < header + tag + mki || packet.len() > MAX_PACKET {
            return Err(UnprotectError::Malformed);
        }
        let behind_mki = if suite.is_aead() { 0 } else { tag };
        self.check_mki(packet, mki, behind_mki)?;
        let slot = self.slot(ssrc)?;
        let window = slot.map(|slot| &self.context.source(slot).rtp);
        for index in candidates(window, sequence).into_iter().flatten() {
            look(window, index)?;
            let place = Place {
                header,
                ssrc,
                index,
            };
            if let Some(plain) = self.context.transform.unprotect_rtp(packet, place, mki) {
                self.context.admit(slot, ssrc).rtp.commit(index);
                self.context.rtp_packets += 1;
                return Ok(plain);
            }
        }
        Err(UnprotectError::Forged)
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
        let suite = self.context.keying.master.suite();
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
        let length = match &self.context.keying.mki {
            MkiRule::Absent => return attempt(self, 0),
            MkiRule::Exact(mki) => {
                let length = mki.as_bytes().len();
                return attempt(self, length);
            }
            MkiRule::AnyValue(length) => {
                let length = usize::from(*length);
                return attempt(self, length);
            }
            MkiRule::Optional(length) => usize::from(*length),
        };
        let usual = self.optional_mki;
        let bytes = |form| if form == Form::With { length } else { 0 };
        attempt(self, bytes(usual)).or_else(|first| {
            let other = if usual == Form::With {
                Form::Without
            } else {
                Form::With
            };
            let plain = attempt(self, bytes(other)).map_err(|_| first)?;
            self.optional_mki = other;
            Ok(plain)
        })
    }

    fn check_mki(&self, packet: &[u8], length: usize, behind: usize) -> Result<(), UnprotectError> {
        let at = packet.len() - behind - length;
        match &self.context.keying.mki {
            MkiRule::Exact(mki) if packet[at..at + length] != *mki.as_bytes() => {
                Err(UnprotectError::ForeignMki)
            }
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
