//! G.711 held against what it says and against another implementation.
//!
//! What it says: each level is the middle of its interval, the intervals tile the range, the halves are mirror images. The
//! other implementation is there as digests of its whole tables.

use super::*;

/// FNV-1a, to hold a whole table with one number.
fn digest(bytes: impl IntoIterator<Item = u8>) -> u64 {
    bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn decoded(law: Law) -> impl Iterator<Item = u8> {
    (0..=255).flat_map(move |code| law.decode(code).to_le_bytes())
}

fn encoded(law: Law) -> impl Iterator<Item = u8> {
    (0..=i16::MAX).map(move |sample| law.encode(sample))
}

/// Digests taken from CPython's `audioop`, which descends from Sun's g711.c.
#[test]
fn the_tables_are_those_of_another_implementation() {
    assert_eq!(digest(decoded(Law::Mu)), 0xb91e_65d6_8481_a1a8);
    assert_eq!(digest(decoded(Law::A)), 0x693a_40ca_62a3_d2a5);
    assert_eq!(digest(encoded(Law::Mu)), 0x1830_3138_f6ea_eb89);
    assert_eq!(digest(encoded(Law::A)), 0xd107_4309_fe65_b625);
}

/// ITU-T G.711 tables 1 and 2: ends, zeros and the codes around a segment's border.
#[test]
fn known_codes() {
    assert_eq!(pcmu::decode(0xff), 0);
    assert_eq!(pcmu::decode(0x7f), 0);
    assert_eq!(pcmu::decode(0x80), 32_124);
    assert_eq!(pcmu::decode(0x00), -32_124);
    assert_eq!(pcmu::encode(0), 0xff);
    assert_eq!(pcmu::encode(i16::MAX), 0x80);
    assert_eq!(pcmu::encode(i16::MIN), 0x00);
    assert_eq!(pcma::decode(0xd5), 8);
    assert_eq!(pcma::decode(0x55), -8);
    assert_eq!(pcma::decode(0xaa), 32_256);
    assert_eq!(pcma::decode(0x2a), -32_256);
    assert_eq!(pcma::encode(0), 0xd5);
    assert_eq!(pcma::encode(-1), 0x55);
    assert_eq!(pcma::encode(i16::MAX), 0xaa);
    assert_eq!(pcma::encode(i16::MIN), 0x2a);
    for law in [Law::Mu, Law::A] {
        assert_eq!(law.encode(0), law.silence());
    }
}

#[test]
fn every_code_survives_a_round_trip() {
    for law in [Law::Mu, Law::A] {
        for code in 0..=255 {
            // μ-law has two zeros.
            let expected = if (law, code) == (Law::Mu, 0x7f) {
                0xff
            } else {
                code
            };
            assert_eq!(law.encode(law.decode(code)), expected);
        }
    }
}

/// G.711 §3.1: a level is the middle of its interval, and the intervals tile the range up to the clipping point.
#[test]
fn every_sample_gets_the_level_of_its_interval() {
    for (law, clip) in [(Law::Mu, 32_636), (Law::A, 32_768)] {
        for sample in i16::MIN..=i16::MAX {
            let code = law.encode(sample);
            let level = i32::from(law.decode(code));
            let sample = i32::from(sample).clamp(-clip, clip);
            let half = match (law, (code ^ law.silence()) >> 4 & 7) {
                (Law::Mu, exponent) => 4 << exponent,
                (Law::A, 0) => 8,
                (Law::A, exponent) => 8 << (exponent - 1),
            };
            assert!(
                (level - sample).abs() <= half,
                "{law:?} {sample}: level {level}, within {half}"
            );
        }
    }
}

#[test]
fn the_two_halves_are_mirror_images() {
    for law in [Law::Mu, Law::A] {
        for sample in 0..=i16::MAX {
            assert_eq!(
                law.encode(!sample),
                law.encode(sample) ^ 0x80,
                "{law:?} {sample}"
            );
        }
    }
}
