//! RTCP as words on the wire and as values.
//!
//! Compounds of every packet type, compounds that lie about their lengths, building, translating for another leg. More
//! hostile bytes lie in the corpus (`tests/regressions/rtcp`).

use alloc::vec::Vec;

use super::*;
use crate::NoRoom;

const INFO: SenderInfo = SenderInfo {
    ntp: Ntp(0x0102_0304_0506_0708),
    rtp_timestamp: 1_000,
    packets: 50,
    octets: 8_000,
};

const BLOCK: ReportBlock = ReportBlock {
    ssrc: 22,
    fraction_lost: 64,
    cumulative_lost: -3,
    highest_sequence: 0x1_0005,
    jitter: 7,
    last_sender_report: 0x1111_2222,
    delay: 0x8000,
};

fn bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn built(write: impl FnOnce(&mut Builder<'_>) -> Result<(), NoRoom>) -> Vec<u8> {
    let mut out = [0xee; 2_048];
    let mut builder = Builder::new(&mut out);
    write(&mut builder).expect("two kilobytes hold it");
    let length = builder.finish();
    out[..length].to_vec()
}

#[test]
fn a_built_compound_reads_back() {
    let compound = built(|builder| {
        builder
            .sender_report(11, &INFO, &[BLOCK])?
            .receiver_report(11, &[])?
            .cname(11, b"a@b")?
            .goodbye(11)?;
        Ok(())
    });
    let compound = Compound::parse(&compound).unwrap();
    assert!(!compound.is_reduced_size());
    let mut packets = compound.packets();

    let Some(Packet::SenderReport {
        ssrc: 11,
        info,
        mut blocks,
    }) = packets.next()
    else {
        panic!("a sender report");
    };
    assert_eq!(info, INFO);
    assert_eq!(blocks.len(), 1);
    assert_eq!(blocks.next(), Some(BLOCK));

    let Some(Packet::ReceiverReport { ssrc: 11, blocks }) = packets.next() else {
        panic!("a receiver report");
    };
    assert_eq!(blocks.len(), 0);

    let Some(Packet::SourceDescription(mut chunks)) = packets.next() else {
        panic!("a source description");
    };
    let chunk = chunks.next().unwrap();
    assert_eq!((chunk.ssrc, chunk.cname()), (11, Some(&b"a@b"[..])));
    assert_eq!(chunks.next(), None);

    let Some(Packet::Goodbye {
        sources,
        reason: None,
    }) = packets.next()
    else {
        panic!("a goodbye");
    };
    assert_eq!(sources.collect::<Vec<_>>(), [11]);
    assert!(packets.next().is_none());
}

#[test]
fn the_wire_form_is_that_of_rfc_3550() {
    let compound = built(|builder| {
        builder
            .sender_report(11, &INFO, &[BLOCK])?
            .cname(0x4142_4344, b"postern")?;
        Ok(())
    });
    let report = [
        0x81c8_000c,
        11,
        0x0102_0304,
        0x0506_0708,
        1_000,
        50,
        8_000,
        22,
        0x40ff_fffd,
        0x1_0005,
        7,
        0x1111_2222,
        0x8000,
    ];
    let mut expected = bytes(&report);
    expected.extend(b"\x81\xca\x00\x04ABCD\x01\x07postern\0\0\0");
    assert_eq!(compound, expected);
}

#[test]
fn names_of_every_length_end_on_a_word_with_a_zero() {
    for length in 0..=260 {
        let name = std::vec![b'n'; length];
        let compound = built(|builder| builder.cname(1, &name).map(|_| ()));
        assert_eq!(compound.len() % 4, 0);
        assert_eq!(compound.last(), Some(&0));
        let Some(Packet::SourceDescription(mut chunks)) =
            Compound::parse(&compound).unwrap().packets().next()
        else {
            panic!("a source description");
        };
        assert_eq!(
            chunks.next().unwrap().cname(),
            Some(&name[..length.min(255)])
        );
    }
}

#[test]
fn blocks_beyond_thirty_one_go_into_further_reports() {
    let blocks = [BLOCK; 70];
    for (compound, first) in [
        (
            built(|builder| builder.sender_report(1, &INFO, &blocks).map(|_| ())),
            SENDER_REPORT,
        ),
        (
            built(|builder| builder.receiver_report(1, &blocks).map(|_| ())),
            RECEIVER_REPORT,
        ),
    ] {
        assert_eq!(compound[1], first);
        let counts: Vec<_> = Compound::parse(&compound)
            .unwrap()
            .packets()
            .map(|packet| match packet {
                Packet::SenderReport { blocks, .. } | Packet::ReceiverReport { blocks, .. } => {
                    blocks.count()
                }
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(counts, [31, 31, 8]);
    }
}

#[test]
fn a_full_buffer_holds_whole_packets_only() {
    let mut out = [0; 40];
    let mut builder = Builder::new(&mut out);
    builder.sender_report(1, &INFO, &[]).unwrap();
    assert_eq!(
        builder.cname(1, b"longer than this").err(),
        Some(NoRoom { needed: 56 })
    );
    assert_eq!(builder.finish(), 28);
    assert_eq!(Compound::parse(&out[..28]).unwrap().packets().count(), 1);
}

#[test]
fn cumulative_loss_is_a_signed_number_of_24_bits() {
    for (lost, read) in [
        (-1, -1),
        (0x7f_ffff, 0x7f_ffff),
        (i32::MAX, 0x7f_ffff),
        (i32::MIN, -0x80_0000),
    ] {
        let block = ReportBlock {
            cumulative_lost: lost,
            fraction_lost: 255,
            ..BLOCK
        };
        let compound = built(|builder| builder.receiver_report(1, &[block]).map(|_| ()));
        let Some(Packet::ReceiverReport { mut blocks, .. }) =
            Compound::parse(&compound).unwrap().packets().next()
        else {
            panic!("a receiver report");
        };
        assert_eq!(
            blocks.next(),
            Some(ReportBlock {
                cumulative_lost: read,
                ..block
            })
        );
    }
}

#[test]
fn feedback_application_and_unknown_packets_are_shown_whole() {
    let compound = bytes(&[
        0x85cc_0003,
        1,
        0x5445_5354,
        0xdead_beef, // APP "TEST"
        0x81cd_0003,
        1,
        2,
        0x0005_0003, // generic NACK
        0x80cf_0002,
        1,
        0x0400_0000, // XR
        0x80d5_0001,
        9, // a type nobody knows
    ]);
    let compound = Compound::parse(&compound).unwrap();
    assert!(compound.is_reduced_size());
    let packets: Vec<_> = compound.packets().collect();
    assert!(matches!(
        packets[0],
        Packet::Application {
            subtype: 5,
            ssrc: 1,
            name: [b'T', b'E', b'S', b'T'],
            data: [0xde, 0xad, 0xbe, 0xef]
        }
    ));
    assert!(matches!(
        packets[1],
        Packet::Feedback {
            packet_type: 205,
            format: 1,
            sender: 1,
            media: 2,
            fci: [0, 5, 0, 3]
        }
    ));
    assert!(matches!(
        packets[2],
        Packet::ExtendedReport {
            ssrc: 1,
            blocks: [4, 0, 0, 0]
        }
    ));
    assert!(matches!(
        packets[3],
        Packet::Other {
            packet_type: 213,
            count: 0,
            body: [0, 0, 0, 9]
        }
    ));
}

#[test]
fn a_goodbye_may_give_its_reason() {
    let mut compound = bytes(&[0x82cb_0004, 1, 2]);
    compound.extend(b"\x06leaves\0");
    let Some(Packet::Goodbye { sources, reason }) =
        Compound::parse(&compound).unwrap().packets().next()
    else {
        panic!("a goodbye");
    };
    assert_eq!(sources.collect::<Vec<_>>(), [1, 2]);
    assert_eq!(reason, Some(&b"leaves"[..]));
}

#[test]
fn lengths_that_lie_are_refused() {
    let cases: [(&str, &[u32], Malformed); 11] = [
        ("nothing", &[], Malformed::Truncated),
        (
            "longer than the datagram",
            &[0x80c9_0002, 1],
            Malformed::Truncated,
        ),
        (
            "shorter than its fields",
            &[0x80c8_0005, 1, 2, 3, 4, 5],
            Malformed::Truncated,
        ),
        ("no SSRC", &[0x80c9_0000], Malformed::Truncated),
        (
            "blocks that are not there",
            &[0x82c9_0007, 1, 2, 3, 4, 5, 6, 7],
            Malformed::Truncated,
        ),
        (
            "chunks that are not there",
            &[0x82ca_0002, 1, 0],
            Malformed::Truncated,
        ),
        (
            "an item beyond the packet",
            &[0x81ca_0002, 1, 0x01ff_6161],
            Malformed::Truncated,
        ),
        (
            "goodbyes that are not there",
            &[0x82cb_0001, 1],
            Malformed::Truncated,
        ),
        (
            "a reason beyond the packet",
            &[0x81cb_0002, 1, 0x0461_6161],
            Malformed::Truncated,
        ),
        (
            "another version behind a good packet",
            &[0x80c9_0001, 1, 0x40c9_0001, 1],
            Malformed::Version,
        ),
        (
            "feedback without a media source",
            &[0x81cd_0001, 1],
            Malformed::Truncated,
        ),
    ];
    for (what, words, verdict) in cases {
        assert_eq!(
            Compound::parse(&bytes(words)).err(),
            Some(verdict),
            "{what}"
        );
    }
    let whole = built(|builder| {
        builder
            .sender_report(11, &INFO, &[BLOCK])?
            .cname(11, b"a@b")?
            .goodbye(11)?;
        Ok(())
    });
    let ends = [52, 68, whole.len()];
    for length in 0..whole.len() {
        assert_eq!(
            Compound::parse(&whole[..length]).is_ok(),
            ends.contains(&length),
            "cut to {length}"
        );
    }
}

// RFC 3550 §6.4.1: padding is on the last packet only, and a multiple of four.
#[test]
fn padding_belongs_to_the_last_packet() {
    let padded = [0xa0c9_0002, 1, 0x0000_0004];
    assert_eq!(
        Compound::parse(&bytes(&padded)).unwrap().packets().count(),
        1
    );
    let first = [&padded[..], &[0x80c9_0001, 1]].concat();
    assert_eq!(
        Compound::parse(&bytes(&first)).err(),
        Some(Malformed::Padding)
    );
    for count in [0, 1, 3, 12, 255] {
        let words = [0xa0c9_0002, 1, count];
        assert_eq!(
            Compound::parse(&bytes(&words)).err(),
            Some(Malformed::Padding),
            "padding of {count}"
        );
    }
    let all = [0xa0c9_0002, 1, 8];
    assert_eq!(
        Compound::parse(&bytes(&all)).err(),
        Some(Malformed::Truncated),
        "padding over the SSRC"
    );
}

#[test]
fn translation_reaches_every_source() {
    let original = bytes(&[
        0x81c8_000c,
        1,
        0,
        0,
        500,
        0,
        0,
        2,
        0,
        0x1_0005,
        0,
        0,
        0, // SR with a block
        0x82ca_0005,
        1,
        0x0101_6100,
        2,
        0x0102_6161,
        0, // SDES of two
        0x82cb_0002,
        1,
        2, // BYE of two
        0x80cc_0002,
        1,
        0x5445_5354, // APP
        0x84ce_0004,
        1,
        0,
        2,
        0x0100_0000, // FIR: media zero, source in the entry
        0x80cf_000a,
        1,
        0x0400_0000,
        0x0500_0003,
        2,
        7,
        7,
        0x0700_0003,
        2,
        7,
        7, // XR: RRTR, DLRR, VoIP
        0xa0c9_0002,
        1,
        0x0000_0004, // RR, padded
    ]);
    let mut translated = original.clone();
    let mut seen = Vec::new();
    let mut names = |ssrc: u32| {
        seen.push(ssrc);
        if ssrc == 0 { 0 } else { ssrc + 100 }
    };
    translate(&mut translated, &mut names).unwrap();
    let expected = bytes(&[
        0x81c8_000c,
        101,
        0,
        0,
        500,
        0,
        0,
        102,
        0,
        0x1_0005,
        0,
        0,
        0, //
        0x82ca_0005,
        101,
        0x0101_6100,
        102,
        0x0102_6161,
        0, //
        0x82cb_0002,
        101,
        102, //
        0x80cc_0002,
        101,
        0x5445_5354, //
        0x84ce_0004,
        101,
        0,
        102,
        0x0100_0000, //
        0x80cf_000a,
        101,
        0x0400_0000,
        0x0500_0003,
        102,
        7,
        7,
        0x0700_0003,
        102,
        7,
        7, //
        0xa0c9_0002,
        101,
        0x0000_0004, //
    ]);
    assert_eq!(translated, expected);
    assert_eq!(seen, [1, 2, 1, 2, 1, 2, 1, 1, 0, 2, 1, 2, 2, 1]);
}

#[test]
fn translation_moves_clocks_and_counters_of_the_named_source() {
    struct Shift;
    impl Translate for Shift {
        fn ssrc(&mut self, ssrc: u32) -> u32 {
            ssrc + 10
        }
        fn sender_info(&mut self, source: u32, info: SenderInfo) -> SenderInfo {
            assert_eq!(source, 11);
            SenderInfo {
                rtp_timestamp: info.rtp_timestamp.wrapping_add(160),
                packets: 7,
                ..info
            }
        }
        fn block(&mut self, block: ReportBlock) -> ReportBlock {
            assert_eq!(block.ssrc, 22);
            ReportBlock {
                highest_sequence: block.highest_sequence.wrapping_sub(5),
                cumulative_lost: -2,
                ..block
            }
        }
    }
    let mut compound = built(|builder| builder.sender_report(11, &INFO, &[BLOCK]).map(|_| ()));
    translate(&mut compound, &mut Shift).unwrap();
    let Some(Packet::SenderReport {
        ssrc: 21,
        info,
        mut blocks,
    }) = Compound::parse(&compound).unwrap().packets().next()
    else {
        panic!("a sender report of the other name");
    };
    assert_eq!(
        info,
        SenderInfo {
            rtp_timestamp: 1_160,
            packets: 7,
            ..INFO
        }
    );
    assert_eq!(
        blocks.next(),
        Some(ReportBlock {
            ssrc: 32,
            highest_sequence: 0x1_0000,
            cumulative_lost: -2,
            ..BLOCK
        })
    );
}

#[test]
fn a_malformed_compound_is_not_translated() {
    let original = bytes(&[0x80c9_0001, 1, 0x80c9_0005, 1]);
    let mut copy = original.clone();
    assert!(translate(&mut copy, &mut |ssrc: u32| !ssrc).is_err());
    assert_eq!(copy, original);
}

#[test]
fn ntp_counts_from_1900() {
    assert_eq!(Ntp::from_unix(0, 0).0 >> 32, 2_208_988_800);
    assert_eq!(Ntp::from_unix(0, 500_000_000).0 as u32, 0x8000_0000);
    assert_eq!(Ntp(0xb44d_b705_2000_0000).middle(), 0xb705_2000);
}
