//! The RFCs' vectors by every engine of this machine: RFC 3711 appendix B.2, RFC 6188 §7.1, RFC 7714 §16, RFC 2202 §3.
//!
//! They give session keys, so sessions are made from those and not derived. Derivation has its vectors in `../kdf.rs`, and whole
//! packets from a master key are in `tests/srtp_burst.rs`.

use alloc::vec::Vec;

use super::super::vectors::hex;
use super::*;

fn counter<const K: usize>(engine: Engine, key: &str) -> Counter<K> {
    Counter {
        engine,
        salt: 0xF0F1_F2F3_F4F5_F6F7_F8F9_FAFB_FCFD_0000,
        pads: Pads {
            inner: [0; 5],
            outer: [0; 5],
        },
        schedule: engine.expand(&hex(key)),
    }
}

/// The whole key stream that one packet may use, and the blocks the RFCs print.
fn keystream(session: &Session, printed: [(usize, &str); 6]) {
    let place = Place {
        header: 0,
        ssrc: 0,
        index: 0,
    };
    let mut stream = alloc::vec![0; BLOCK * 0xff02];
    session.apply(&place, &mut stream);
    for (at, block) in printed {
        assert_eq!(stream[BLOCK * at..][..BLOCK], hex(block), "block {at:#x}");
    }
}

#[test]
fn rfc_3711_appendix_b_2_and_rfc_6188_section_7_1() {
    for engine in Engine::all() {
        let session = Session::Counter128(counter(engine, "2B7E151628AED2A6ABF7158809CF4F3C"));
        keystream(
            &session,
            [
                (0x0000, "E03EAD0935C95E80E166B16DD92B4EB4"),
                (0x0001, "D23513162B02D0F72A43A2FE4A5F97AB"),
                (0x0002, "41E95B3BB0A2E8DD477901E4FCA894C0"),
                (0xfeff, "EC8CDF7398607CB0F2D21675EA9EA1E4"),
                (0xff00, "362B7C3C6773516318A077D7FC5073AE"),
                (0xff01, "6A2CC3787889374FBEB4C81B17BA6C44"),
            ],
        );
        let session = Session::Counter256(counter(
            engine,
            "57f82fe3613fd170a85ec93c40b1f092 2ec4cb0dc025b58272147cc438944a98",
        ));
        keystream(
            &session,
            [
                (0x0000, "92bdd28a93c3f52511c677d08b5515a4"),
                (0x0001, "9da71b2378a854f67050756ded165bac"),
                (0x0002, "63c4868b7096d88421b563b8c94c9a31"),
                (0xfeff, "cea518c90fd91ced9cbb18c078a54711"),
                (0xff00, "3dbc4814f4da5f00a08772b63c6a046d"),
                (0xff01, "6eb246913062a16891433e97dd01a57f"),
            ],
        );
    }
}

const RTP: &str = "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973
                   20646976 69736120 696e2070 61727465 73207472 6573";

fn galois<const K: usize>(engine: Engine, key: &str) -> Galois<K> {
    let schedule = engine.expand(&hex(key));
    Galois {
        engine,
        salt: 0x5175_6964_2070_726f_2071_756f_0000_0000,
        hash: engine.hash_key(&schedule),
        schedule,
    }
}

fn both_ways(session: &Session, protected: &str) {
    let place = Place {
        header: 12,
        ssrc: 0x5501_a0b2,
        index: 0xf17b,
    };
    let plain = hex(RTP);
    let protected: Vec<u8> = hex(protected);
    let (expected, tag) = protected.split_at(plain.len());
    let mut packet = plain.clone();
    let (header, body) = packet.split_at_mut(12);
    assert_eq!(session.seal(&place, header, body).unwrap()[..], *tag);
    assert_eq!(packet, expected);
    let (header, body) = packet.split_at_mut(12);
    assert_eq!(session.open(&place, header, body).unwrap()[..], *tag);
    assert_eq!(packet, plain);
}

#[test]
fn rfc_7714_section_16() {
    for engine in Engine::all() {
        both_ways(
            &Session::Galois128(galois(engine, "000102030405060708090a0b0c0d0e0f")),
            GALOIS_128,
        );
        both_ways(
            &Session::Galois256(galois(
                engine,
                "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
            )),
            GALOIS_256,
        );
    }
}

const GALOIS_128: &str = "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5
    0d294e6f 42a5f47a 51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439
    0cce";
const GALOIS_256: &str = "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238
    9a58e2f3 b50b2a02 76ffae0f 1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7
    6c13";

/// Test case 1 of RFC 2202 §3: "Hi There" under twenty octets of 0x0b.
#[test]
fn rfc_2202_section_3() {
    for engine in Engine::all() {
        let key = [0x0b; 20];
        let pads = Pads {
            inner: padded(engine, &key, 0x36),
            outer: padded(engine, &key, 0x5c),
        };
        let mut tail = [[0; SHA_BLOCK]];
        tail[0][..8].copy_from_slice(b"Hi There");
        tail[0][8] = 0x80;
        tail[0][56..].copy_from_slice(&(8_u64 * (64 + 8)).to_be_bytes());
        let mut macs = [[0; 16]; 9];
        engine.authenticate(&[pads.message(&[], &tail); 9], &mut macs);
        assert_eq!(
            macs,
            [<Mac>::try_from(hex("b617318655057264e28bc0b6fb378c8e")).unwrap(); 9]
        );
    }
}
