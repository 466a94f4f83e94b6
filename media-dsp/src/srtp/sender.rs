//! Protecting what leaves.
//!
//! The sender guesses indices as the receiver will (RFC 3711 §3.3.1), so packets may come in any order within the window,
//! and it refuses an index it has used: a relay that repeats a packet, or lets a tone collide with relayed audio, would
//! otherwise encrypt two texts with one keystream, and with GCM give the authentication key away.
//!
//! A leg should send under one SSRC of its own. A relay that lets the far side choose lets it use up the table.
//!
//! Not here: unprotecting (`receiver.rs`), the transforms (`counter.rs`, `galois.rs`).

use crate::NoRoom;
use crate::rtp::Header;

use super::cipher::{Place, RTCP_HEADER, RTCP_INDEX};
use super::context::{Context, MAX_PACKET, RTCP_INDICES, RTP_INDICES};
use super::session::Session;
use super::simd::Mac;
use super::{
    ContextState, Freshness, Keying, Limits, MkiRule, ProtectError, Rekey, RestoreError, Suite,
    guess_index, tag,
};

/// Protects the packets of one direction.
pub struct Sender {
    context: Context<()>,
}

impl Sender {
    /// Derives the session keys and sets memory aside; nothing is allocated afterwards but by [`Self::rekey`] and
    /// [`Self::snapshot`].
    pub fn new(keying: Keying, limits: Limits) -> Self {
        Self {
            context: Context::new(keying, limits, ()),
        }
    }

    /// Protects the RTP packet in `buffer[..length]` where it lies and gives its new length.
    ///
    /// # Errors
    /// [`ProtectError`]; the packet must not be sent then. Buffer and state have not changed.
    pub fn protect_rtp(&mut self, buffer: &mut [u8], length: usize) -> Result<usize, ProtectError> {
        let (place, slot) = self.plan(buffer, length)?;
        let protected = self
            .context
            .transform
            .protect_rtp(buffer, length, place, self.mki());
        self.commit(&place, slot);
        Ok(protected)
    }

    /// Finds the index of the RTP packet in `buffer[..length]` and uses it up; the packet must be protected under it.
    #[inline]
    pub(super) fn claim(&mut self, buffer: &[u8], length: usize) -> Result<Place, ProtectError> {
        let (place, slot) = self.plan(buffer, length)?;
        self.commit(&place, slot);
        Ok(place)
    }

    #[inline]
    fn plan(&self, buffer: &[u8], length: usize) -> Result<(Place, Option<usize>), ProtectError> {
        let plain = packet(buffer, length)?;
        let (Header { ssrc, sequence, .. }, header) =
            Header::read(plain).map_err(|_| ProtectError::Malformed)?;
        let needed = length + self.suite().rtp_tag_len() + self.mki().len();
        if buffer.len() < needed {
            return Err(ProtectError::NoRoom(NoRoom { needed }));
        }
        if self.context.rtp_packets >= self.context.lifetime {
            return Err(ProtectError::Expired);
        }
        let slot = self.slot(ssrc)?;
        let window = slot.map(|slot| &self.context.source(slot).rtp);
        let index = match window.and_then(|window| window.highest()) {
            None => u64::from(sequence),
            Some(highest) => guess_index(highest, sequence),
        };
        if index >= RTP_INDICES {
            return Err(ProtectError::Expired);
        }
        if window.is_some_and(|window| window.check(index) != Freshness::Fresh) {
            return Err(ProtectError::Reused);
        }
        let place = Place {
            header,
            ssrc,
            index,
        };
        Ok((place, slot))
    }

    #[inline]
    fn commit(&mut self, place: &Place, slot: Option<usize>) {
        self.context.admit(slot, place.ssrc).rtp.commit(place.index);
        self.context.rtp_packets += 1;
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

    /// Writes tag and MKI behind the ciphertext, where there is room, and gives the new length.
    #[inline]
    pub(super) fn append(&self, buffer: &mut [u8], plain: usize, mac: &Mac) -> usize {
        let (mki, length) = (self.mki(), self.suite().rtp_tag_len());
        let end = plain + mki.len() + length;
        let (tag_at, mki_at) = if self.suite().is_aead() {
            (plain, plain + length)
        } else {
            (plain + mki.len(), plain)
        };
        tag::write(mac, &mut buffer[tag_at..tag_at + length]);
        if !mki.is_empty() {
            buffer[mki_at..mki_at + mki.len()].copy_from_slice(mki);
        }
        end
    }

    /// Protects the compound RTCP packet in `buffer[..length]` where it lies and gives its new length.
    ///
    /// # Errors
    /// [`ProtectError`]; the packet must not be sent then. Buffer and state have not changed.
    pub fn protect_rtcp(
        &mut self,
        buffer: &mut [u8],
        length: usize,
    ) -> Result<usize, ProtectError> {
        let ssrc = rtcp_sender(packet(buffer, length)?).ok_or(ProtectError::Malformed)?;
        let needed = length + RTCP_INDEX + self.suite().rtcp_tag_len() + self.mki().len();
        if buffer.len() < needed {
            return Err(ProtectError::NoRoom(NoRoom { needed }));
        }
        let lifetime = self.context.lifetime.min(RTCP_INDICES);
        let slot = self.slot(ssrc)?;
        // RFC 3711 §3.4: zero before the first packet, one more with each.
        let index = slot
            .and_then(|slot| self.context.source(slot).rtcp.highest())
            .map_or(0, |last| last + 1);
        if self.context.rtcp_packets >= lifetime || index >= RTCP_INDICES {
            return Err(ProtectError::Expired);
        }
        let protected =
            self.context
                .transform
                .protect_rtcp(buffer, length, ssrc, index as u32, self.mki());
        self.context.admit(slot, ssrc).rtcp.commit(index);
        self.context.rtcp_packets += 1;
        Ok(protected)
    }

    /// Takes over what a new description says (MED-04): the same key goes on with its roll-over counters and indices,
    /// another begins at zero. Allocates when the key is another.
    pub fn rekey(&mut self, keying: Keying) -> Rekey {
        self.context.rekey(keying)
    }

    /// The keying in use.
    pub fn keying(&self) -> &Keying {
        &self.context.keying
    }

    /// Packets that may still be protected with this key.
    pub fn remaining(&self) -> u64 {
        self.context.remaining()
    }

    /// The state as plain data, for a standby.
    pub fn snapshot(&self) -> ContextState {
        self.context.snapshot()
    }

    /// Takes over a snapshot of the same keying.
    ///
    /// What was sent after the snapshot is not in it. RTP goes on with the sequence numbers of the stream, which have
    /// moved on meanwhile; SRTCP indices are ours, so they go on `rtcp_lead` further: at least the reports that may have
    /// been sent since.
    ///
    /// # Errors
    /// [`RestoreError`] when the snapshot does not fit; nothing has changed then.
    pub fn restore(&mut self, state: &ContextState, rtcp_lead: u32) -> Result<(), RestoreError> {
        self.context.restore(state, rtcp_lead)
    }

    fn slot(&self, ssrc: u32) -> Result<Option<usize>, ProtectError> {
        let slot = self.context.find(ssrc);
        if slot.is_none() && !self.context.has_room() {
            return Err(ProtectError::TooManySources);
        }
        Ok(slot)
    }

    fn suite(&self) -> Suite {
        self.context.suite
    }

    #[inline]
    fn mki(&self) -> &[u8] {
        if self.context.has_mki {
            self.mki_of_rule()
        } else {
            &[]
        }
    }

    // Apart, lest the rule be loaded before it is known to be needed.
    #[cold]
    #[inline(never)]
    fn mki_of_rule(&self) -> &[u8] {
        match &self.context.keying.mki {
            MkiRule::Exact(mki) => mki.as_bytes(),
            MkiRule::Absent | MkiRule::AnyValue(_) | MkiRule::Optional(_) => &[],
        }
    }
}

fn packet(buffer: &[u8], length: usize) -> Result<&[u8], ProtectError> {
    buffer
        .get(..length)
        .filter(|packet| packet.len() <= MAX_PACKET)
        .ok_or(ProtectError::Malformed)
}

/// The SSRC of the first packet of a compound, if it looks like one.
pub(super) fn rtcp_sender(packet: &[u8]) -> Option<u32> {
    let [first, _, _, _, ssrc @ ..] = packet.first_chunk::<RTCP_HEADER>()?;
    (first >> 6 == 2).then(|| u32::from_be_bytes(*ssrc))
}
