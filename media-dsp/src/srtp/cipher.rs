//! What a transform does to a packet, whatever the suite.
//!
//! A [`Transform`] holds the session keys of both SRTP and SRTCP for one master key. It trusts the lengths it is given:
//! sender and receiver have checked that header, tag, index and MKI lie within the buffer.
//!
//! Not here: indices, windows, lifetimes.

use alloc::boxed::Box;

use aes::{Aes128Enc, Aes256Enc};

use super::counter::Counter;
use super::galois::Galois;
use super::{MasterKey, Suite};

/// Fixed part of an RTCP packet that stays in the clear: header and sender SSRC (RFC 3711 §3.4).
pub(super) const RTCP_HEADER: usize = 8;

/// The word of E flag and index behind SRTCP.
pub(super) const RTCP_INDEX: usize = 4;

/// The E flag: the packet is encrypted.
pub(super) const ENCRYPTED: u32 = 1 << 31;

/// Where an RTP packet stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Bytes in the clear: the header with CSRCs and extension.
    pub(super) header: usize,
    pub(super) ssrc: u32,
    /// The 48-bit packet index: roll-over counter and sequence number.
    pub(super) index: u64,
}

/// The four operations of a suite. Lengths in and out count from the start of the buffer.
pub(super) trait Transform: Send + Sync {
    /// Encrypts `buffer[at.header..plain]`, adds tag and MKI, gives the new length.
    fn protect_rtp(&self, buffer: &mut [u8], plain: usize, at: Place, mki: &[u8]) -> usize;

    /// Verifies and decrypts; gives the plain length, or nothing and an unchanged packet when the tag is wrong.
    fn unprotect_rtp(&self, packet: &mut [u8], at: Place, mki: usize) -> Option<usize>;

    /// Encrypts behind the first eight bytes, adds tag, index and MKI, gives the new length.
    fn protect_rtcp(
        &self,
        buffer: &mut [u8],
        plain: usize,
        ssrc: u32,
        index: u32,
        mki: &[u8],
    ) -> usize;

    /// Verifies and, if its E flag is set, decrypts; gives the plain length, or nothing and an unchanged packet.
    fn unprotect_rtcp(&self, packet: &mut [u8], ssrc: u32, mki: usize) -> Option<usize>;
}

/// Derives the session keys.
pub(super) fn transform(master: &MasterKey) -> Box<dyn Transform> {
    match master.suite() {
        Suite::AesCm128HmacSha1_80 | Suite::AesCm128HmacSha1_32 => {
            Box::new(Counter::<Aes128Enc>::new(master))
        }
        Suite::AesCm256HmacSha1_80 | Suite::AesCm256HmacSha1_32 => {
            Box::new(Counter::<Aes256Enc>::new(master))
        }
        Suite::AeadAes128Gcm => Box::new(Galois::<Aes128Enc>::new(master)),
        Suite::AeadAes256Gcm => Box::new(Galois::<Aes256Enc>::new(master)),
    }
}
