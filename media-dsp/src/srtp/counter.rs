//! AES counter mode with HMAC-SHA1 (RFC 3711 §4.1.1, §4.2.1; AES-256 by RFC 6188).
//!
//! ```text
//!  IV = (salt · 2^16) ⊕ (SSRC · 2^64) ⊕ (index · 2^16)
//!
//!  SRTP    header | ciphertext | MKI | tag            tag over header, ciphertext, roll-over counter
//!  SRTCP   8 bytes | ciphertext | E+index | MKI | tag      tag over everything before the MKI
//! ```
//!
//! The keyed state of HMAC (both pads) is made once and cloned for each packet. Tags are compared in constant time.

use aes::cipher::array::sizes::U16;
use aes::cipher::{BlockCipherEncrypt, BlockSizeUser, InnerIvInit, KeyInit, StreamCipherCore};
use ctr::CtrCore;
use ctr::flavors::Ctr128BE;
use hmac::{Hmac, Mac};
use sha1::Sha1;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::MasterKey;
use super::cipher::{ENCRYPTED, Place, RTCP_HEADER, RTCP_INDEX, Transform};
use super::kdf::{Label, derive};

/// SRTCP keeps 80 bits whatever SRTP has (RFC 4568 §6.2.2).
const RTCP_TAG: usize = 10;

/// Session keys of both streams.
pub(super) struct Counter<C> {
    rtp: Keys<C>,
    rtcp: Keys<C>,
    rtp_tag: usize,
}

struct Keys<C> {
    cipher: C,
    salt: [u8; 14],
    mac: Hmac<Sha1>,
}

impl<C: KeyInit> Keys<C> {
    fn new(master: &MasterKey, cipher: Label, authentication: Label, salt: Label) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        let key = &mut key[..master.suite().key_len()];
        derive(master, cipher, key);
        let cipher = C::new_from_slice(key).expect("the suite names the cipher's key length");
        let mut key = Zeroizing::new([0; 20]);
        derive(master, authentication, key.as_mut_slice());
        let mac = <Hmac<Sha1> as KeyInit>::new_from_slice(key.as_slice())
            .expect("HMAC takes keys of any length");
        let mut bytes = [0; 14];
        derive(master, salt, &mut bytes);
        Self {
            cipher,
            salt: bytes,
            mac,
        }
    }
}

impl<C: BlockCipherEncrypt + BlockSizeUser<BlockSize = U16>> Keys<C> {
    /// Adds the keystream of a packet.
    #[inline]
    fn apply(&self, ssrc: u32, index: u64, body: &mut [u8]) {
        let mut iv = [0; 16];
        iv[..14].copy_from_slice(&self.salt);
        for (byte, ssrc) in iv[4..8].iter_mut().zip(ssrc.to_be_bytes()) {
            *byte ^= ssrc;
        }
        for (byte, index) in iv[8..14].iter_mut().zip(&index.to_be_bytes()[2..]) {
            *byte ^= index;
        }
        CtrCore::<&C, Ctr128BE>::inner_iv_init(&self.cipher, &iv.into())
            .apply_keystream_partial(body.into());
    }

    #[inline]
    fn tag(&self, authenticated: &[u8], more: &[u8]) -> [u8; 20] {
        let mut mac = self.mac.clone();
        mac.update(authenticated);
        mac.update(more);
        mac.finalize().into_bytes().into()
    }
}

impl<C: KeyInit> Counter<C> {
    pub(super) fn new(master: &MasterKey) -> Self {
        Self {
            rtp: Keys::new(
                master,
                Label::RtpCipher,
                Label::RtpAuthentication,
                Label::RtpSalt,
            ),
            rtcp: Keys::new(
                master,
                Label::RtcpCipher,
                Label::RtcpAuthentication,
                Label::RtcpSalt,
            ),
            rtp_tag: master.suite().rtp_tag_len(),
        }
    }
}

impl<C> Transform for Counter<C>
where
    C: BlockCipherEncrypt + BlockSizeUser<BlockSize = U16> + Send + Sync,
{
    fn protect_rtp(&self, buffer: &mut [u8], plain: usize, at: Place, mki: &[u8]) -> usize {
        self.rtp
            .apply(at.ssrc, at.index, &mut buffer[at.header..plain]);
        let tag = self.rtp.tag(&buffer[..plain], &rollover(at.index));
        append(buffer, plain, mki, &tag[..self.rtp_tag])
    }

    fn unprotect_rtp(&self, packet: &mut [u8], at: Place, mki: usize) -> Option<usize> {
        let tag_at = packet.len() - self.rtp_tag;
        let plain = tag_at - mki;
        let tag = self.rtp.tag(&packet[..plain], &rollover(at.index));
        if !bool::from(tag[..self.rtp_tag].ct_eq(&packet[tag_at..])) {
            return None;
        }
        self.rtp
            .apply(at.ssrc, at.index, &mut packet[at.header..plain]);
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
        self.rtcp
            .apply(ssrc, u64::from(index), &mut buffer[RTCP_HEADER..plain]);
        let end = plain + RTCP_INDEX;
        buffer[plain..end].copy_from_slice(&(ENCRYPTED | index).to_be_bytes());
        let tag = self.rtcp.tag(&buffer[..end], &[]);
        append(buffer, end, mki, &tag[..RTCP_TAG])
    }

    fn unprotect_rtcp(&self, packet: &mut [u8], ssrc: u32, mki: usize) -> Option<usize> {
        let tag_at = packet.len() - RTCP_TAG;
        let end = tag_at - mki;
        let tag = self.rtcp.tag(&packet[..end], &[]);
        if !bool::from(tag[..RTCP_TAG].ct_eq(&packet[tag_at..])) {
            return None;
        }
        let plain = end - RTCP_INDEX;
        let word = u32::from_be_bytes(
            *packet[plain..]
                .first_chunk()
                .expect("an index word lies before the MKI"),
        );
        if word & ENCRYPTED != 0 {
            self.rtcp.apply(
                ssrc,
                u64::from(word & !ENCRYPTED),
                &mut packet[RTCP_HEADER..plain],
            );
        }
        Some(plain)
    }
}

/// The roll-over counter as it is authenticated behind an SRTP packet (RFC 3711 §4.2).
fn rollover(index: u64) -> [u8; 4] {
    ((index >> 16) as u32).to_be_bytes()
}

fn append(buffer: &mut [u8], at: usize, mki: &[u8], tag: &[u8]) -> usize {
    let tag_at = at + mki.len();
    buffer[at..tag_at].copy_from_slice(mki);
    buffer[tag_at..tag_at + tag.len()].copy_from_slice(tag);
    tag_at + tag.len()
}

#[cfg(test)]
mod tests {
    use super::super::vectors::hex;
    use super::*;

    fn keystream<C>(key: &str, salt: &str, blocks: usize) -> alloc::vec::Vec<u8>
    where
        C: KeyInit + BlockCipherEncrypt + BlockSizeUser<BlockSize = U16>,
    {
        let keys = Keys::<C> {
            cipher: C::new_from_slice(&hex(key)).unwrap(),
            salt: hex(salt).try_into().unwrap(),
            mac: <Hmac<Sha1> as KeyInit>::new_from_slice(&[]).unwrap(),
        };
        let mut stream = alloc::vec![0; 16 * blocks];
        keys.apply(0, 0, &mut stream);
        stream
    }

    #[test]
    fn rfc_3711_appendix_b_2_keystream() {
        let stream = keystream::<aes::Aes128Enc>(
            "2B7E151628AED2A6ABF7158809CF4F3C",
            "F0F1F2F3F4F5F6F7F8F9FAFBFCFD",
            0xff02,
        );
        let block = |counter: usize| &stream[16 * counter..16 * (counter + 1)];
        assert_eq!(block(0x0000), hex("E03EAD0935C95E80E166B16DD92B4EB4"));
        assert_eq!(block(0x0001), hex("D23513162B02D0F72A43A2FE4A5F97AB"));
        assert_eq!(block(0x0002), hex("41E95B3BB0A2E8DD477901E4FCA894C0"));
        assert_eq!(block(0xfeff), hex("EC8CDF7398607CB0F2D21675EA9EA1E4"));
        assert_eq!(block(0xff00), hex("362B7C3C6773516318A077D7FC5073AE"));
        assert_eq!(block(0xff01), hex("6A2CC3787889374FBEB4C81B17BA6C44"));
    }

    #[test]
    fn rfc_6188_section_7_1_keystream() {
        let stream = keystream::<aes::Aes256Enc>(
            "57f82fe3613fd170a85ec93c40b1f092 2ec4cb0dc025b58272147cc438944a98",
            "f0f1f2f3f4f5f6f7f8f9fafbfcfd",
            0xff02,
        );
        let block = |counter: usize| &stream[16 * counter..16 * (counter + 1)];
        assert_eq!(block(0x0000), hex("92bdd28a93c3f52511c677d08b5515a4"));
        assert_eq!(block(0x0001), hex("9da71b2378a854f67050756ded165bac"));
        assert_eq!(block(0x0002), hex("63c4868b7096d88421b563b8c94c9a31"));
        assert_eq!(block(0xfeff), hex("cea518c90fd91ced9cbb18c078a54711"));
        assert_eq!(block(0xff00), hex("3dbc4814f4da5f00a08772b63c6a046d"));
        assert_eq!(block(0xff01), hex("6eb246913062a16891433e97dd01a57f"));
    }

    #[test]
    fn srtcp_that_is_only_authenticated_is_not_decrypted() {
        let material = [7; 30];
        let master = MasterKey::new(super::super::Suite::AesCm128HmacSha1_80, &material).unwrap();
        let transform = Counter::<aes::Aes128Enc>::new(&master);
        let plain = hex("81c90001 4d617273 deadbeef");
        let word = hex("00000005");
        let tag = transform.rtcp.tag(&plain, &word);
        let mut packet = [&plain[..], &word, &tag[..RTCP_TAG]].concat();
        assert_eq!(
            transform.unprotect_rtcp(&mut packet, 0x4d61_7273, 0),
            Some(plain.len())
        );
        assert_eq!(packet[..plain.len()], plain);
    }
}
