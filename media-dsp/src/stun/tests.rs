//! STUN: the vectors of RFC 5769 (which RFC 8489 keeps), building what they hold, and messages that are none.
//!
//! The vectors lie in the corpus (`tests/regressions/stun`), so that they are also replayed through the fuzzers' door.

use alloc::vec::Vec;
use core::net::SocketAddr;

use super::*;

const PASSWORD: &[u8] = b"VOkJxbRl1RmTxUk/WvJxBt";

fn vector(name: &str) -> Vec<u8> {
    let path = std::format!(
        "{}/../tests/regressions/stun/{name}.bin",
        env!("CARGO_MANIFEST_DIR")
    );
    std::fs::read(path).expect("the vector lies in the corpus")
}

fn id() -> TransactionId {
    TransactionId([
        0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae,
    ])
}

#[test]
fn the_request_of_rfc_5769_section_2_1() {
    let bytes = vector("rfc5769_request");
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(
        (message.method(), message.class()),
        (BINDING, Class::Request)
    );
    assert_eq!(message.transaction_id(), id());
    assert_eq!(message.integrity(PASSWORD), Check::Valid);
    assert_eq!(message.integrity(b"another"), Check::Invalid);
    assert_eq!(message.fingerprint(), Check::Valid);
    let attributes: Vec<_> = message.attributes().collect();
    assert_eq!(
        attributes,
        [
            Attribute::Software(b"STUN test client"),
            Attribute::Priority(0x6e00_01ff),
            Attribute::IceControlled(0x932f_f9b1_5126_3b36),
            Attribute::Username(b"evtj:h6vY"),
        ]
    );
}

#[test]
fn the_responses_of_rfc_5769_sections_2_2_and_2_3() {
    for (name, address) in [
        ("rfc5769_response_v4", "192.0.2.1:32853"),
        (
            "rfc5769_response_v6",
            "[2001:db8:1234:5678:11:2233:4455:6677]:32853",
        ),
    ] {
        let bytes = vector(name);
        let message = Message::parse(&bytes).unwrap();
        assert_eq!(message.class(), Class::Success);
        assert_eq!(message.integrity(PASSWORD), Check::Valid);
        assert_eq!(message.fingerprint(), Check::Valid);
        let address: SocketAddr = address.parse().unwrap();
        assert!(
            message
                .attributes()
                .any(|attribute| attribute == Attribute::XorMappedAddress(address))
        );
    }
}

#[test]
fn every_damaged_bit_of_the_request_is_noticed() {
    let bytes = vector("rfc5769_request");
    for bit in 0..8 * bytes.len() {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let valid = Message::parse(&damaged).is_ok_and(|message| {
            message.integrity(PASSWORD) == Check::Valid && message.fingerprint() == Check::Valid
        });
        assert!(!valid, "bit {bit}");
    }
}

#[test]
fn what_is_built_reads_back() {
    for address in ["192.0.2.1:32853", "[2001:db8::1]:5004"] {
        let address: SocketAddr = address.parse().unwrap();
        let mut out = [0; 200];
        let mut builder = Builder::binding(Class::Success, id(), &mut out).unwrap();
        builder
            .xor_mapped_address(address)
            .and_then(|b| b.username(b"abc:de"))
            .and_then(|b| b.priority(7))
            .and_then(|b| b.ice_controlling(9))
            .and_then(|b| b.use_candidate())
            .and_then(|b| b.integrity(PASSWORD))
            .and_then(|b| b.fingerprint())
            .unwrap();
        let length = builder.finish();
        let message = Message::parse(&out[..length]).unwrap();
        assert_eq!(
            (message.method(), message.class()),
            (BINDING, Class::Success)
        );
        assert_eq!(message.integrity(PASSWORD), Check::Valid);
        assert_eq!(message.fingerprint(), Check::Valid);
        let attributes: Vec<_> = message.attributes().collect();
        assert_eq!(
            attributes,
            [
                Attribute::XorMappedAddress(address),
                Attribute::Username(b"abc:de"),
                Attribute::Priority(7),
                Attribute::IceControlling(9),
                Attribute::UseCandidate,
            ]
        );
    }
}

#[test]
fn errors_name_their_code_and_what_was_not_understood() {
    let mut out = [0; 100];
    let mut builder = Builder::binding(Class::Error, id(), &mut out).unwrap();
    builder
        .error_code(420, "Unknown Attribute")
        .and_then(|b| b.unknown_attribute(0x7777))
        .unwrap();
    let length = builder.finish();
    let message = Message::parse(&out[..length]).unwrap();
    let attributes: Vec<_> = message.attributes().collect();
    assert_eq!(
        attributes,
        [
            Attribute::ErrorCode(420, b"Unknown Attribute"),
            Attribute::UnknownAttributes(&[0x77, 0x77])
        ]
    );
    assert_eq!(message.integrity(PASSWORD), Check::Absent);
    assert_eq!(message.fingerprint(), Check::Absent);
}

#[test]
fn types_that_must_be_understood_are_told_from_those_that_need_not() {
    assert!(Attribute::Other(0x7777, b"").is_required_and_unknown());
    assert!(!Attribute::Other(0x8777, b"").is_required_and_unknown());
    assert!(!Attribute::UseCandidate.is_required_and_unknown());
}

#[test]
fn a_small_buffer_keeps_a_whole_message() {
    let mut out = [0; 30];
    assert!(Builder::binding(Class::Request, id(), &mut out[..19]).is_err());
    let mut builder = Builder::binding(Class::Request, id(), &mut out).unwrap();
    builder.priority(1).unwrap();
    assert_eq!(
        builder.username(b"x").err(),
        Some(crate::NoRoom { needed: 36 })
    );
    let length = builder.finish();
    assert_eq!(
        Message::parse(&out[..length]).unwrap().attributes().count(),
        1
    );
}

#[test]
fn other_protocols_and_cut_messages_are_refused() {
    let bytes = vector("rfc5769_request");
    for length in 0..bytes.len() {
        assert!(Message::parse(&bytes[..length]).is_err(), "cut to {length}");
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert_eq!(Message::parse(&longer).err(), Some(Malformed::Length));
    let mut rtp = bytes.clone();
    rtp[0] = 0x80;
    assert_eq!(Message::parse(&rtp).err(), Some(Malformed::NotStun));
    let mut old = bytes;
    old[4] = 0;
    assert_eq!(
        Message::parse(&old).err(),
        Some(Malformed::NotStun),
        "RFC 3489 has no cookie"
    );
}

#[test]
fn attributes_behind_the_integrity_are_not_shown() {
    let mut out = [0; 100];
    let mut builder = Builder::binding(Class::Request, id(), &mut out).unwrap();
    builder
        .integrity(PASSWORD)
        .and_then(|b| b.use_candidate())
        .unwrap();
    let length = builder.finish();
    let message = Message::parse(&out[..length]).unwrap();
    assert_eq!(message.attributes().count(), 0);
    assert_eq!(message.integrity(PASSWORD), Check::Valid);
}

// RFC 8489 §14.7.
#[test]
fn a_fingerprint_that_is_not_last_is_wrong() {
    let mut out = [0; 100];
    let mut builder = Builder::binding(Class::Request, id(), &mut out).unwrap();
    builder.fingerprint().unwrap();
    let length = builder.finish();
    assert_eq!(
        Message::parse(&out[..length]).unwrap().fingerprint(),
        Check::Valid
    );
    // An empty attribute behind it, the length field put right.
    out[length..length + 4].copy_from_slice(&[0x80, 0x22, 0, 0]);
    out[3] += 4;
    let message = Message::parse(&out[..length + 4]).unwrap();
    assert_eq!(message.fingerprint(), Check::Invalid);
}
