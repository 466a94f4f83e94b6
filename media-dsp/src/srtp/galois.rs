//! AES in Galois/counter mode (RFC 7714).
//!
//! ```text
//!  SRTP    IV = (0 0 | SSRC | roll-over counter | sequence) ⊕ salt     header | ciphertext | tag | MKI
//!  SRTCP   IV = (0 0 | SSRC | 0 0 | index) ⊕ salt                      8 bytes | ciphertext | tag | E+index | MKI
//! ```
//!
//! The cipher crate verifies the tag before it touches the text, so a forged packet is left as it came. Encryption cannot
//! fail: its only limit is 64 GiB.

use aes::cipher::array::sizes::{U12, U16};
use aes::cipher::{BlockCipherEncrypt, BlockSizeUser, KeyInit};
use aes_gcm::AesGcm;
use aes_gcm::aead::AeadInOut;
use zeroize::Zeroizing;

use super::MasterKey;
use super::cipher::{ENCRYPTED, Place, RTCP_HEADER, RTCP_INDEX, Transform};
use super::kdf::{Label, derive};

const TAG: usize = 16;

/// Session keys of both streams.
pub(super) struct Galois<C> {
    rtp: Keys<C>,
    rtcp: Keys<C>,
}

struct Keys<C> {
    aead: AesGcm<C, U12>,
    salt: [u8; 12],
}

impl<C: KeyInit + BlockCipherEncrypt + BlockSizeUser<BlockSize = U16>> Keys<C> {
    fn new(master: &MasterKey, cipher: Label, salt: Label) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        let key = &mut key[..master.suite().key_len()];
        derive(master, cipher, key);
        let mut bytes = [0; 12];
        derive(master, salt, &mut bytes);
        Self::from_session(key, bytes)
    }

    fn from_session(key: &[u8], salt: [u8; 12]) -> Self {
        let aead = AesGcm::new_from_slice(key).expect("the suite names the cipher's key length");
        Self { aead, salt }
    }
}

impl<C: BlockCipherEncrypt + BlockSizeUser<BlockSize = U16>> Keys<C> {
    /// The IV of RFC 7714 §8.1; SRTCP's (§9.1) has the same form, its index being a 48-bit one with leading zeros.
    #[inline]
    fn nonce(&self, ssrc: u32, index: u64) -> [u8; 12] {
        let mut iv = self.salt;
        for (byte, ssrc) in iv[2..6].iter_mut().zip(ssrc.to_be_bytes()) {
            *byte ^= ssrc;
        }
        for (byte, index) in iv[6..].iter_mut().zip(&index.to_be_bytes()[2..]) {
            *byte ^= index;
        }
        iv
    }

    #[inline]
    fn seal(&self, nonce: [u8; 12], aad: &[u8], body: &mut [u8]) -> [u8; TAG] {
        self.aead
            .encrypt_inout_detached(&nonce.into(), aad, body.into())
            .expect("a packet is far shorter than 64 GiB")
            .into()
    }

    #[inline]
    fn open(&self, nonce: [u8; 12], aad: &[u8], body: &mut [u8], tag: [u8; TAG]) -> Option<()> {
        self.aead
            .decrypt_inout_detached(&nonce.into(), aad, body.into(), &tag.into())
            .ok()
    }

    /// SRTCP with the E flag clear (RFC 7714 §9.3): no ciphertext, packet and index word are associated data. They are
    /// brought together by laying the word over the tag, which is put back when it does not verify.
    fn open_plain_rtcp(
        &self,
        nonce: [u8; 12],
        packet: &mut [u8],
        plain: usize,
        word: [u8; 4],
        tag: [u8; TAG],
    ) -> bool {
        packet[plain..plain + RTCP_INDEX].copy_from_slice(&word);
        let verified = self
            .open(nonce, &packet[..plain + RTCP_INDEX], &mut [], tag)
            .is_some();
        packet[plain..plain + RTCP_INDEX].copy_from_slice(&tag[..RTCP_INDEX]);
        verified
    }
}

impl<C: KeyInit + BlockCipherEncrypt + BlockSizeUser<BlockSize = U16>> Galois<C> {
    pub(super) fn new(master: &MasterKey) -> Self {
        Self {
            rtp: Keys::new(master, Label::RtpCipher, Label::RtpSalt),
            rtcp: Keys::new(master, Label::RtcpCipher, Label::RtcpSalt),
        }
    }
}

impl<C> Transform for Galois<C>
where
    C: BlockCipherEncrypt + BlockSizeUser<BlockSize = U16> + Send + Sync,
{
    fn protect_rtp(&self, buffer: &mut [u8], plain: usize, at: Place, mki: &[u8]) -> usize {
        let (header, rest) = buffer.split_at_mut(at.header);
        let (body, trailer) = rest.split_at_mut(plain - at.header);
        let tag = self
            .rtp
            .seal(self.rtp.nonce(at.ssrc, at.index), header, body);
        trailer[..TAG].copy_from_slice(&tag);
        trailer[TAG..TAG + mki.len()].copy_from_slice(mki);
        plain + TAG + mki.len()
    }

    fn unprotect_rtp(&self, packet: &mut [u8], at: Place, mki: usize) -> Option<usize> {
        let plain = packet.len() - mki - TAG;
        let (header, rest) = packet.split_at_mut(at.header);
        let (body, trailer) = rest.split_at_mut(plain - at.header);
        self.rtp.open(
            self.rtp.nonce(at.ssrc, at.index),
            header,
            body,
            tag_of(trailer),
        )?;
        Some(plain)
    }

    fn protect_rtcp(
        &self,
        buffer: &mut [u8],
        plain: usize,
        ssrc: u32,
        index: u32,
        mki: &[u8],
    ) -> usize {
        let word = (ENCRYPTED | index).to_be_bytes();
        let (header, rest) = buffer.split_at_mut(RTCP_HEADER);
        let (body, trailer) = rest.split_at_mut(plain - RTCP_HEADER);
        let tag = self.rtcp.seal(
            self.rtcp.nonce(ssrc, u64::from(index)),
            &associated(header, word),
            body,
        );
        trailer[..TAG].copy_from_slice(&tag);
        trailer[TAG..TAG + RTCP_INDEX].copy_from_slice(&word);
        trailer[TAG + RTCP_INDEX..TAG + RTCP_INDEX + mki.len()].copy_from_slice(mki);
        plain + TAG + RTCP_INDEX + mki.len()
    }

    fn unprotect_rtcp(&self, packet: &mut [u8], ssrc: u32, mki: usize) -> Option<usize> {
        let word_at = packet.len() - mki - RTCP_INDEX;
        let plain = word_at - TAG;
        let word: [u8; 4] = *packet[word_at..]
            .first_chunk()
            .expect("an index word lies before the MKI");
        let tag = tag_of(&packet[plain..]);
        let index = u32::from_be_bytes(word);
        let nonce = self.rtcp.nonce(ssrc, u64::from(index & !ENCRYPTED));
        if index & ENCRYPTED == 0 {
            return self
                .rtcp
                .open_plain_rtcp(nonce, packet, plain, word, tag)
                .then_some(plain);
        }
        let (header, rest) = packet.split_at_mut(RTCP_HEADER);
        self.rtcp.open(
            nonce,
            &associated(header, word),
            &mut rest[..plain - RTCP_HEADER],
            tag,
        )?;
        Some(plain)
    }
}

/// Associated data of encrypted SRTCP: the bytes in the clear and the index word (RFC 7714 §9.2).
fn associated(header: &[u8], word: [u8; 4]) -> [u8; RTCP_HEADER + RTCP_INDEX] {
    let mut data = [0; RTCP_HEADER + RTCP_INDEX];
    data[..RTCP_HEADER].copy_from_slice(header);
    data[RTCP_HEADER..].copy_from_slice(&word);
    data
}

fn tag_of(trailer: &[u8]) -> [u8; TAG] {
    *trailer
        .first_chunk()
        .expect("the packet was found long enough for its tag")
}

#[cfg(test)]
mod tests;
