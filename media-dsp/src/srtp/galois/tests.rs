//! The vectors of RFC 7714 §16 (SRTP) and §17 (SRTCP), as whole packets.
//!
//! They give session keys, so the transform is made from those and not derived.

use alloc::vec::Vec;

use aes::{Aes128Enc, Aes256Enc};

use super::super::vectors::hex;
use super::*;

const KEY_128: &str = "000102030405060708090a0b0c0d0e0f";
const KEY_256: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

const RTP: &str = "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973
                   20646976 69736120 696e2070 61727465 73207472 6573";
const RTCP: &str = "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930
                    4c756e61 deadbeef deadbeef deadbeef deadbeef deadbeef";

const SSRC: u32 = 0x5501_a0b2;
const MARS: u32 = 0x4d61_7273;
const INDEX: u32 = 0x5d4;

fn transform<C>(key: &str) -> Galois<C>
where
    C: KeyInit + BlockCipherEncrypt + BlockSizeUser<BlockSize = U16>,
{
    let salt = hex("51756964 2070726f 2071756f").try_into().unwrap();
    let key = hex(key);
    Galois {
        rtp: Keys::from_session(&key, salt),
        rtcp: Keys::from_session(&key, salt),
    }
}

fn rtp_both_ways(transform: &dyn Transform, protected: &str) {
    let at = Place {
        header: 12,
        ssrc: SSRC,
        index: 0xf17b,
    };
    let plain = hex(RTP);
    let protected = hex(protected);

    let mut buffer = plain.clone();
    buffer.resize(plain.len() + TAG, 0);
    assert_eq!(
        transform.protect_rtp(&mut buffer, plain.len(), at, &[]),
        protected.len()
    );
    assert_eq!(buffer, protected);

    assert_eq!(
        transform.unprotect_rtp(&mut buffer, at, 0),
        Some(plain.len())
    );
    assert_eq!(buffer[..plain.len()], plain);
}

fn rtcp_both_ways(transform: &dyn Transform, protected: &str) {
    let plain = hex(RTCP);
    let protected = hex(protected);

    let mut buffer = plain.clone();
    buffer.resize(plain.len() + TAG + RTCP_INDEX, 0);
    assert_eq!(
        transform.protect_rtcp(&mut buffer, plain.len(), MARS, INDEX, &[]),
        protected.len()
    );
    assert_eq!(buffer, protected);

    assert_eq!(
        transform.unprotect_rtcp(&mut buffer, MARS, 0),
        Some(plain.len())
    );
    assert_eq!(buffer[..plain.len()], plain);
}

/// SRTCP that is authenticated but not encrypted: packet, tag, index word with a clear E flag.
fn tagged_rtcp(transform: &dyn Transform, tag: &str) {
    let plain = hex(RTCP);
    let packet: Vec<u8> = [plain.clone(), hex(tag), INDEX.to_be_bytes().to_vec()].concat();

    let mut received = packet.clone();
    assert_eq!(
        transform.unprotect_rtcp(&mut received, MARS, 0),
        Some(plain.len())
    );
    assert_eq!(received[..plain.len()], plain);

    let mut forged = packet;
    forged[20] ^= 1;
    let before = forged.clone();
    assert_eq!(transform.unprotect_rtcp(&mut forged, MARS, 0), None);
    assert_eq!(forged, before, "a forged packet is left as it came");
}

#[test]
fn nonces_of_sections_16_and_17() {
    let transform = transform::<Aes128Enc>(KEY_128);
    assert_eq!(
        transform.rtp.nonce(SSRC, 0xf17b)[..],
        hex("51753c65 80c2726f 20718414")
    );
    assert_eq!(
        transform.rtcp.nonce(MARS, u64::from(INDEX))[..],
        hex("51752405 5203726f 207170bb")
    );
}

#[test]
fn section_16_1_srtp_aead_aes_128_gcm() {
    rtp_both_ways(
        &transform::<Aes128Enc>(KEY_128),
        "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a
         51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce",
    );
}

#[test]
fn section_16_2_srtp_aead_aes_256_gcm() {
    rtp_both_ways(
        &transform::<Aes256Enc>(KEY_256),
        "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3 b50b2a02
         76ffae0f 1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13",
    );
}

#[test]
fn section_17_1_srtcp_aead_aes_128_gcm() {
    rtcp_both_ways(
        &transform::<Aes128Enc>(KEY_128),
        "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1 730d6fda
         4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4",
    );
}

#[test]
fn section_17_2_srtcp_aead_aes_256_gcm() {
    rtcp_both_ways(
        &transform::<Aes256Enc>(KEY_256),
        "81c8000d 4d617273 d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50 a2eaa5c1 110555be
         8415f658 c61de047 6f1b6fad 1d1eb30c 4446839f 57ff6f6c b26ac3be 800005d4",
    );
}

#[test]
fn section_17_3_tagged_srtcp_aead_aes_128_gcm() {
    tagged_rtcp(
        &transform::<Aes128Enc>(KEY_128),
        "841dd968 3dd78ec9 2ae58790 125f62b3",
    );
}

#[test]
fn section_17_4_tagged_srtcp_aead_aes_256_gcm() {
    tagged_rtcp(
        &transform::<Aes256Enc>(KEY_256),
        "91db4afb feee5a97 8fab4393 ed2615fe",
    );
}
