//! What SRTP contexts promise, driven through their public door: loss, disorder, wraps, replays, forgeries, re-keying,
//! lifetimes, bounds and hand-over. The cipher itself is held by vectors (in the crate) and by another implementation
//! (`srtp_interop.rs`).

use media_dsp::NoRoom;
use media_dsp::rtcp::{Builder, Ntp, SenderInfo};
use media_dsp::rtp::Header;
use media_dsp::srtp::{
    Keying, Lifetime, Limits, MasterKey, Mki, MkiRule, ProtectError, Receiver, Rekey, RestoreError,
    Sender, Suite, UnprotectError,
};

const SSRC: u32 = 0x5E55_1011;

fn key(suite: Suite, seed: u8) -> MasterKey {
    let material: Vec<u8> = (0..suite.key_len() + suite.salt_len())
        .map(|byte| seed ^ byte as u8)
        .collect();
    MasterKey::new(suite, &material).expect("the material has the suite's length")
}

fn pair(suite: Suite) -> (Sender, Receiver) {
    let keying = Keying::new(key(suite, 1));
    (
        Sender::new(keying.clone(), Limits::default()),
        Receiver::new(keying, Limits::default()),
    )
}

fn rtp(ssrc: u32, sequence: u16) -> Vec<u8> {
    let header = Header {
        marker: false,
        payload_type: 8,
        sequence,
        timestamp: 160,
        ssrc,
    };
    let payload: Vec<u8> = (0..160).map(|byte| byte ^ sequence as u8).collect();
    let mut packet = vec![0; 172];
    header
        .emit(&payload, &mut packet)
        .expect("172 bytes hold a frame");
    packet
}

fn rtcp(ssrc: u32) -> Vec<u8> {
    let mut packet = vec![0; 128];
    let info = SenderInfo {
        ntp: Ntp(7),
        rtp_timestamp: 160,
        packets: 3,
        octets: 480,
    };
    let mut builder = Builder::new(&mut packet);
    builder
        .sender_report(ssrc, &info, &[])
        .and_then(|b| b.cname(ssrc, b"postern"))
        .expect("128 bytes hold it");
    let length = builder.finish();
    packet.truncate(length);
    packet
}

fn protect(sender: &mut Sender, plain: &[u8]) -> Result<Vec<u8>, ProtectError> {
    let mut buffer = plain.to_vec();
    buffer.resize(plain.len() + 64, 0);
    let length = sender.protect_rtp(&mut buffer, plain.len())?;
    buffer.truncate(length);
    Ok(buffer)
}

fn protect_rtcp(sender: &mut Sender, plain: &[u8]) -> Result<Vec<u8>, ProtectError> {
    let mut buffer = plain.to_vec();
    buffer.resize(plain.len() + 64, 0);
    let length = sender.protect_rtcp(&mut buffer, plain.len())?;
    buffer.truncate(length);
    Ok(buffer)
}

fn unprotect(receiver: &mut Receiver, protected: &[u8]) -> Result<Vec<u8>, UnprotectError> {
    let mut buffer = protected.to_vec();
    match receiver.unprotect_rtp(&mut buffer) {
        Ok(length) => Ok(buffer[..length].to_vec()),
        Err(reason) => {
            assert_eq!(buffer, protected, "a refused packet is left as it came");
            Err(reason)
        }
    }
}

fn unprotect_rtcp(receiver: &mut Receiver, protected: &[u8]) -> Result<Vec<u8>, UnprotectError> {
    let mut buffer = protected.to_vec();
    match receiver.unprotect_rtcp(&mut buffer) {
        Ok(length) => Ok(buffer[..length].to_vec()),
        Err(reason) => {
            assert_eq!(buffer, protected, "a refused packet is left as it came");
            Err(reason)
        }
    }
}

/// Sends `count` packets from `sequence` on, each of which must arrive.
#[track_caller]
fn stream(sender: &mut Sender, receiver: &mut Receiver, sequence: u16, count: u32) {
    for step in 0..count {
        let plain = rtp(SSRC, sequence.wrapping_add(step as u16));
        let protected = protect(sender, &plain).expect("a new index can be protected");
        assert_ne!(
            protected[12..172],
            plain[12..172],
            "the payload is not in the clear"
        );
        assert_eq!(
            unprotect(receiver, &protected),
            Ok(plain),
            "packet {step} from {sequence}"
        );
    }
}

#[test]
fn every_suite_carries_rtp_and_rtcp() {
    for suite in Suite::ALL {
        let (mut sender, mut receiver) = pair(suite);
        stream(&mut sender, &mut receiver, 100, 5);
        for _ in 0..3 {
            let plain = rtcp(SSRC);
            let protected = protect_rtcp(&mut sender, &plain).expect("a report can be protected");
            assert_eq!(protected.len(), plain.len() + 4 + suite.rtcp_tag_len());
            assert_eq!(unprotect_rtcp(&mut receiver, &protected), Ok(plain));
        }
        assert_eq!(
            protect(&mut sender, &rtp(SSRC, 999)).map(|p| p.len()),
            Ok(172 + suite.rtp_tag_len())
        );
    }
}

#[test]
fn csrcs_extension_and_padding_travel() {
    for suite in Suite::ALL {
        let (mut sender, mut receiver) = pair(suite);
        let mut plain = vec![
            0xb2, 0x80, 0, 9, 0, 0, 0, 1, 0, 0, 0, 2, 1, 1, 1, 1, 2, 2, 2, 2,
        ];
        plain.extend([0xbe, 0xde, 0, 1, 0x10, 5, 0, 0]);
        plain.extend([0x55; 20]);
        plain.extend([0, 0, 0, 4]);
        let protected = protect(&mut sender, &plain).expect("a whole packet");
        assert_eq!(
            protected[..28],
            plain[..28],
            "CSRCs and extension stay in the clear"
        );
        assert_eq!(unprotect(&mut receiver, &protected), Ok(plain));
    }
}

// MED-04: the far side may start near 65,535.
#[test]
fn the_roll_over_counter_follows_the_wraps() {
    for suite in Suite::ALL {
        let (mut sender, mut receiver) = pair(suite);
        stream(&mut sender, &mut receiver, 65_000, 600);
        assert_eq!(receiver.snapshot().sources[0].rtp.highest, Some(65_599));
    }
}

#[test]
fn a_second_wrap_needs_no_more_than_one_packet_in_32768() {
    let (mut sender, mut receiver) = pair(Suite::AesCm128HmacSha1_80);
    let mut index = 40_000_u64;
    while index < 5 << 16 {
        let plain = rtp(SSRC, index as u16);
        let protected = protect(&mut sender, &plain).expect("a new index can be protected");
        assert_eq!(unprotect(&mut receiver, &protected), Ok(plain));
        index += 32_000;
    }
}

#[test]
fn a_stream_whose_first_packets_were_lost_past_the_wrap_is_understood() {
    for suite in Suite::ALL {
        let (mut sender, mut receiver) = pair(suite);
        for sequence in 65_530..=u16::MAX {
            protect(&mut sender, &rtp(SSRC, sequence)).expect("sent and lost");
        }
        stream(&mut sender, &mut receiver, 0, 10);
        assert_eq!(receiver.snapshot().sources[0].rtp.highest, Some(0x1_0009));
    }
}

#[test]
fn disorder_within_the_window_is_accepted_once_even_over_the_wrap() {
    let (mut sender, mut receiver) = pair(Suite::AeadAes128Gcm);
    let packets: Vec<_> = (65_500_u32..65_600)
        .map(|index| {
            let plain = rtp(SSRC, index as u16);
            (
                protect(&mut sender, &plain).expect("a new index can be protected"),
                plain,
            )
        })
        .collect();
    // Blocks of fifty, each backwards.
    let disordered = packets.chunks(50).flat_map(|block| block.iter().rev());
    for (protected, plain) in disordered {
        assert_eq!(unprotect(&mut receiver, protected), Ok(plain.clone()));
    }
    for (index, (protected, _)) in packets.iter().enumerate() {
        let expected = if index < 36 {
            UnprotectError::TooOld
        } else {
            UnprotectError::Replayed
        };
        assert_eq!(
            unprotect(&mut receiver, protected),
            Err(expected),
            "packet {index} again"
        );
    }
}

#[test]
fn a_wide_window_takes_very_late_packets() {
    let keying = Keying::new(key(Suite::AesCm128HmacSha1_80, 1));
    let mut sender = Sender::new(keying.clone(), Limits::default());
    let mut receiver = Receiver::new(
        keying,
        Limits {
            window: 32_768,
            ..Limits::default()
        },
    );
    let late = protect(&mut sender, &rtp(SSRC, 10)).expect("a new index can be protected");
    let last = protect(&mut sender, &rtp(SSRC, 30_000)).expect("a new index can be protected");
    assert!(unprotect(&mut receiver, &last).is_ok());
    assert!(unprotect(&mut receiver, &late).is_ok());
    assert_eq!(
        unprotect(&mut receiver, &late),
        Err(UnprotectError::Replayed)
    );
}

#[test]
fn rtcp_is_not_replayed() {
    let (mut sender, mut receiver) = pair(Suite::AesCm128HmacSha1_32);
    let reports: Vec<_> = (0..70)
        .map(|_| protect_rtcp(&mut sender, &rtcp(SSRC)).expect("protected"))
        .collect();
    assert!(unprotect_rtcp(&mut receiver, &reports[1]).is_ok());
    assert!(unprotect_rtcp(&mut receiver, &reports[0]).is_ok());
    assert_eq!(
        unprotect_rtcp(&mut receiver, &reports[1]),
        Err(UnprotectError::Replayed)
    );
    assert!(unprotect_rtcp(&mut receiver, &reports[69]).is_ok());
    assert_eq!(
        unprotect_rtcp(&mut receiver, &reports[2]),
        Err(UnprotectError::TooOld)
    );
}

#[test]
fn a_forged_packet_changes_nothing() {
    for suite in Suite::ALL {
        let (mut sender, mut receiver) = pair(suite);
        stream(&mut sender, &mut receiver, 1_000, 3);
        let before = receiver.snapshot();

        // Far ahead: were it committed, everything that follows would be too old.
        let mut forged =
            protect(&mut sender, &rtp(SSRC, 20_000)).expect("a new index can be protected");
        *forged.last_mut().expect("not empty") ^= 1;
        assert_eq!(
            unprotect(&mut receiver, &forged),
            Err(UnprotectError::Forged)
        );
        // Another source: were it admitted, strangers could fill the table.
        forged[8] ^= 1;
        assert_eq!(
            unprotect(&mut receiver, &forged),
            Err(UnprotectError::Forged)
        );
        let mut forged = protect_rtcp(&mut sender, &rtcp(SSRC)).expect("protected");
        forged[9] ^= 1;
        assert_eq!(
            unprotect_rtcp(&mut receiver, &forged),
            Err(UnprotectError::Forged)
        );

        assert_eq!(receiver.snapshot(), before);
        let (mut fresh, _) = pair(suite);
        stream(&mut fresh, &mut receiver, 1_003, 3);
    }
}

#[test]
fn every_damaged_bit_is_noticed() {
    for suite in Suite::ALL {
        let (mut sender, mut receiver) = pair(suite);
        let small = &rtp(SSRC, 7)[..20];
        let protected = protect(&mut sender, small).expect("a new index can be protected");
        let report = protect_rtcp(&mut sender, &rtcp(SSRC)).expect("protected");
        for bit in 0..8 * protected.len() {
            let mut damaged = protected.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(
                unprotect(&mut receiver, &damaged).is_err(),
                "{suite}: bit {bit}"
            );
        }
        for bit in 0..8 * report.len() {
            let mut damaged = report.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(
                unprotect_rtcp(&mut receiver, &damaged).is_err(),
                "{suite}: RTCP bit {bit}"
            );
        }
        assert_eq!(receiver.snapshot().sources, []);
        assert!(unprotect(&mut receiver, &protected).is_ok());
        assert!(unprotect_rtcp(&mut receiver, &report).is_ok());
    }
}

#[test]
fn truncation_at_every_length_is_refused() {
    let rules = [
        MkiRule::Absent,
        MkiRule::Exact(Mki::new(&[1, 2, 3, 4]).expect("four bytes")),
        MkiRule::AnyValue(4),
        MkiRule::Optional(4),
    ];
    for suite in Suite::ALL {
        for rule in &rules {
            let keying = Keying {
                mki: rule.clone(),
                ..Keying::new(key(suite, 1))
            };
            let mut sender = Sender::new(keying.clone(), Limits::default());
            let mut receiver = Receiver::new(keying, Limits::default());
            let protected =
                protect(&mut sender, &rtp(SSRC, 7)).expect("a new index can be protected");
            let report = protect_rtcp(&mut sender, &rtcp(SSRC)).expect("protected");
            for length in 0..protected.len() {
                assert!(
                    unprotect(&mut receiver, &protected[..length]).is_err(),
                    "{suite} cut to {length}"
                );
            }
            for length in 0..report.len() {
                assert!(
                    unprotect_rtcp(&mut receiver, &report[..length]).is_err(),
                    "{suite} cut to {length}"
                );
            }
            assert_eq!(receiver.snapshot().sources, []);
        }
    }
}

#[test]
fn bytes_that_are_no_packet_are_not_protected() {
    let (mut sender, _) = pair(Suite::AesCm128HmacSha1_80);
    let mut buffer = rtp(SSRC, 1);
    buffer.resize(256, 0);
    for length in 0..12 {
        assert_eq!(
            sender.protect_rtp(&mut buffer, length),
            Err(ProtectError::Malformed)
        );
    }
    for length in 0..8 {
        assert_eq!(
            sender.protect_rtcp(&mut buffer, length),
            Err(ProtectError::Malformed)
        );
    }
    assert_eq!(
        sender.protect_rtp(&mut buffer, 257),
        Err(ProtectError::Malformed),
        "longer than its buffer"
    );
    buffer[0] = 0x40;
    assert_eq!(
        sender.protect_rtp(&mut buffer, 172),
        Err(ProtectError::Malformed)
    );
    let mut large = vec![0x80; 70_000];
    assert_eq!(
        sender.protect_rtp(&mut large, 66_000),
        Err(ProtectError::Malformed),
        "longer than a datagram"
    );
}

#[test]
fn a_buffer_without_room_is_left_alone() {
    for suite in Suite::ALL {
        let (mut sender, _) = pair(suite);
        let plain = rtp(SSRC, 1);
        let mut buffer = plain.clone();
        let needed = 172 + suite.rtp_tag_len();
        buffer.resize(needed - 1, 0);
        let refused = Err(ProtectError::NoRoom(NoRoom { needed }));
        assert_eq!(sender.protect_rtp(&mut buffer, 172), refused);
        assert_eq!(buffer[..172], plain);
        buffer.resize(needed, 0);
        assert_eq!(
            sender.protect_rtp(&mut buffer, 172),
            Ok(needed),
            "the index was not spent"
        );
    }
}

// RFC 3711 §9.1: two texts under one keystream give both away.
#[test]
fn an_index_is_protected_once() {
    let (mut sender, _) = pair(Suite::AeadAes256Gcm);
    for sequence in [100, 102, 101] {
        assert!(protect(&mut sender, &rtp(SSRC, sequence)).is_ok());
    }
    for sequence in [100, 101, 102] {
        assert_eq!(
            protect(&mut sender, &rtp(SSRC, sequence)),
            Err(ProtectError::Reused)
        );
    }
    assert!(protect(&mut sender, &rtp(SSRC, 300)).is_ok());
    assert_eq!(
        protect(&mut sender, &rtp(SSRC, 103)),
        Err(ProtectError::Reused),
        "too old to know"
    );
    assert!(
        protect(&mut sender, &rtp(SSRC + 1, 103)).is_ok(),
        "another source has its own indices"
    );
}

#[test]
fn sources_are_bounded_on_both_sides() {
    let keying = Keying::new(key(Suite::AesCm128HmacSha1_80, 1));
    let limits = Limits {
        sources: 2,
        ..Limits::default()
    };
    let mut wide = Sender::new(keying.clone(), Limits::default());
    let mut sender = Sender::new(keying.clone(), limits);
    let mut receiver = Receiver::new(keying, limits);
    for ssrc in 1..=2 {
        let protected = protect(&mut sender, &rtp(ssrc, 5)).expect("there is room");
        assert!(unprotect(&mut receiver, &protected).is_ok());
    }
    assert_eq!(
        protect(&mut sender, &rtp(3, 5)),
        Err(ProtectError::TooManySources)
    );
    assert_eq!(
        protect_rtcp(&mut sender, &rtcp(3)),
        Err(ProtectError::TooManySources)
    );
    let third = protect(&mut wide, &rtp(3, 5)).expect("there is room");
    assert_eq!(
        unprotect(&mut receiver, &third),
        Err(UnprotectError::TooManySources)
    );
    let again = protect(&mut sender, &rtp(1, 6)).expect("the first has its place");
    assert!(unprotect(&mut receiver, &again).is_ok());
}

#[test]
fn the_mki_is_written_and_verified() {
    for suite in Suite::ALL {
        let named = |bytes: &[u8]| Keying {
            mki: MkiRule::Exact(Mki::new(bytes).expect("1 to 128 bytes")),
            ..Keying::new(key(suite, 1))
        };
        let mut sender = Sender::new(named(&[0, 0, 0, 1]), Limits::default());
        let mut receiver = Receiver::new(named(&[0, 0, 0, 1]), Limits::default());
        let mut other = Receiver::new(named(&[0, 0, 0, 2]), Limits::default());
        let mut skipping = Receiver::new(
            Keying {
                mki: MkiRule::AnyValue(4),
                ..Keying::new(key(suite, 1))
            },
            Limits::default(),
        );
        for sequence in 0..3 {
            let plain = rtp(SSRC, sequence);
            let protected = protect(&mut sender, &plain).expect("a new index can be protected");
            assert_eq!(protected.len(), 172 + 4 + suite.rtp_tag_len());
            assert_eq!(unprotect(&mut receiver, &protected), Ok(plain.clone()));
            assert_eq!(unprotect(&mut skipping, &protected), Ok(plain));
            assert_eq!(
                unprotect(&mut other, &protected),
                Err(UnprotectError::ForeignMki)
            );

            let plain = rtcp(SSRC);
            let protected = protect_rtcp(&mut sender, &plain).expect("protected");
            assert_eq!(protected.len(), plain.len() + 4 + 4 + suite.rtcp_tag_len());
            assert_eq!(unprotect_rtcp(&mut receiver, &protected), Ok(plain.clone()));
            assert_eq!(unprotect_rtcp(&mut skipping, &protected), Ok(plain));
            assert_eq!(
                unprotect_rtcp(&mut other, &protected),
                Err(UnprotectError::ForeignMki)
            );
        }
    }
}

// MED-03: Teams' answers may show an MKI that its packets then carry or not.
#[test]
fn an_optional_mki_may_come_and_go() {
    for suite in Suite::ALL {
        let with = Keying {
            mki: MkiRule::Exact(Mki::from_value(1, 1).expect("1:1")),
            ..Keying::new(key(suite, 1))
        };
        let mut plainly = Sender::new(Keying::new(key(suite, 1)), Limits::default());
        let mut named = Sender::new(with, Limits::default());
        let rule = MkiRule::Optional(1);
        let mut receiver = Receiver::new(
            Keying {
                mki: rule,
                ..Keying::new(key(suite, 1))
            },
            Limits::default(),
        );
        for turn in 0..4 {
            let sender = if turn % 2 == 0 {
                &mut named
            } else {
                &mut plainly
            };
            stream(sender, &mut receiver, turn * 20, 20);
        }
        // The SRTCP index is the sender's own: the second sender's first reports would be replays.
        let report = protect_rtcp(&mut named, &rtcp(SSRC)).expect("protected");
        assert_eq!(unprotect_rtcp(&mut receiver, &report), Ok(rtcp(SSRC)));
        let report = protect_rtcp(&mut plainly, &rtcp(SSRC + 1)).expect("protected");
        assert_eq!(unprotect_rtcp(&mut receiver, &report), Ok(rtcp(SSRC + 1)));
        let mut forged =
            protect(&mut plainly, &rtp(SSRC, 80)).expect("a new index can be protected");
        forged[20] ^= 1;
        assert_eq!(
            unprotect(&mut receiver, &forged),
            Err(UnprotectError::Forged)
        );
    }
}

// MED-04: same key, ROC kept; new key, ROC 0.
#[test]
fn the_same_key_goes_on_and_a_new_one_begins_at_zero() {
    for suite in Suite::ALL {
        let (mut sender, mut receiver) = pair(suite);
        stream(&mut sender, &mut receiver, 65_000, 600);
        let last = protect(&mut sender, &rtp(SSRC, 64)).expect("a new index can be protected");
        assert!(unprotect(&mut receiver, &last).is_ok());

        let refreshed = Keying {
            lifetime: Lifetime::packets(1 << 31),
            ..Keying::new(key(suite, 1))
        };
        assert_eq!(sender.rekey(refreshed.clone()), Rekey::Kept);
        assert_eq!(receiver.rekey(refreshed), Rekey::Kept);
        assert_eq!(
            unprotect(&mut receiver, &last),
            Err(UnprotectError::Replayed)
        );
        stream(&mut sender, &mut receiver, 65, 9);
        assert_eq!(receiver.snapshot().sources[0].rtp.highest, Some(65_609));

        let renewed = Keying::new(key(suite, 2));
        assert_eq!(sender.rekey(renewed.clone()), Rekey::Replaced);
        // A peer that begins at roll-over 0 too, as Microsoft's do.
        let mut peer = Receiver::new(renewed.clone(), Limits::default());
        stream(&mut sender, &mut peer, 74, 10);
        assert_eq!(peer.snapshot().sources[0].rtp.highest, Some(83));
        assert_eq!(receiver.rekey(renewed.clone()), Rekey::Replaced);
        assert_eq!(receiver.snapshot().sources, []);
        let mut peer = Sender::new(renewed, Limits::default());
        stream(&mut peer, &mut receiver, 84, 10);
    }
}

#[test]
fn one_key_under_another_suite_is_another_key() {
    let (mut sender, _) = pair(Suite::AesCm128HmacSha1_80);
    assert_eq!(
        sender.rekey(Keying::new(key(Suite::AesCm128HmacSha1_32, 1))),
        Rekey::Replaced
    );
}

// RFC 3711 §9.2, RFC 4568 §6.1.
#[test]
fn a_key_ends_with_its_lifetime() {
    let keying = Keying {
        lifetime: Lifetime::packets(3),
        ..Keying::new(key(Suite::AesCm128HmacSha1_80, 1))
    };
    let mut sender = Sender::new(keying, Limits::default());
    for sequence in 0..3 {
        assert_eq!(sender.remaining(), 3 - u64::from(sequence));
        assert!(protect(&mut sender, &rtp(SSRC, sequence)).is_ok());
    }
    assert_eq!(sender.remaining(), 0);
    assert_eq!(
        protect(&mut sender, &rtp(SSRC, 3)),
        Err(ProtectError::Expired)
    );
    assert!(
        protect_rtcp(&mut sender, &rtcp(SSRC)).is_ok(),
        "reports are counted for themselves"
    );
    sender.rekey(Keying::new(key(Suite::AesCm128HmacSha1_80, 2)));
    assert!(protect(&mut sender, &rtp(SSRC, 3)).is_ok());
}

#[test]
fn indices_end_before_they_wrap() {
    let (mut sender, _) = pair(Suite::AeadAes128Gcm);
    assert!(protect(&mut sender, &rtp(SSRC, 1)).is_ok());
    assert!(protect_rtcp(&mut sender, &rtcp(SSRC)).is_ok());
    let mut state = sender.snapshot();
    state.sources[0].rtp.highest = Some((1 << 48) - 2);
    state.sources[0].rtcp.highest = Some((1 << 31) - 2);
    sender.restore(&state, 0).expect("within bounds");
    assert!(protect(&mut sender, &rtp(SSRC, 65_535)).is_ok());
    assert_eq!(
        protect(&mut sender, &rtp(SSRC, 0)),
        Err(ProtectError::Expired)
    );
    assert!(protect_rtcp(&mut sender, &rtcp(SSRC)).is_ok());
    assert_eq!(
        protect_rtcp(&mut sender, &rtcp(SSRC)),
        Err(ProtectError::Expired)
    );
}

#[test]
fn a_standby_goes_on_where_the_active_one_was() {
    for suite in Suite::ALL {
        let (mut sender, mut receiver) = pair(suite);
        stream(&mut sender, &mut receiver, 65_000, 600);
        let last = protect(&mut sender, &rtp(SSRC, 64)).expect("a new index can be protected");
        assert!(unprotect(&mut receiver, &last).is_ok());
        let report = protect_rtcp(&mut sender, &rtcp(SSRC)).expect("protected");
        assert!(unprotect_rtcp(&mut receiver, &report).is_ok());

        let (mut standby_sender, mut standby_receiver) = pair(suite);
        standby_sender
            .restore(&sender.snapshot(), 16)
            .expect("the same bounds");
        standby_receiver
            .restore(&receiver.snapshot())
            .expect("the same bounds");
        assert_eq!(standby_receiver.snapshot(), receiver.snapshot());

        assert_eq!(
            unprotect(&mut standby_receiver, &last),
            Err(UnprotectError::Replayed)
        );
        assert_eq!(
            unprotect_rtcp(&mut standby_receiver, &report),
            Err(UnprotectError::Replayed)
        );
        stream(&mut standby_sender, &mut standby_receiver, 65, 5);
        let next = protect_rtcp(&mut standby_sender, &rtcp(SSRC)).expect("protected");
        assert!(unprotect_rtcp(&mut standby_receiver, &next).is_ok());
        assert_eq!(
            standby_receiver.snapshot().sources[0].rtcp.highest,
            Some(17),
            "sixteen indices are left out"
        );
    }
}

#[test]
fn a_snapshot_that_does_not_fit_changes_nothing() {
    let keying = Keying::new(key(Suite::AesCm128HmacSha1_80, 1));
    let (mut sender, _) = pair(Suite::AesCm128HmacSha1_80);
    for ssrc in 0..3 {
        protect(&mut sender, &rtp(ssrc, 1)).expect("there is room");
    }
    let state = sender.snapshot();
    let mut narrow = Receiver::new(
        keying,
        Limits {
            sources: 2,
            ..Limits::default()
        },
    );
    assert_eq!(narrow.restore(&state), Err(RestoreError::TooManySources));

    let mut twice = state.clone();
    twice.sources[2].ssrc = 0;
    assert_eq!(
        sender.restore(&twice, 0),
        Err(RestoreError::DuplicateSource)
    );
    let mut beyond = state.clone();
    beyond.sources[1].rtp.highest = Some(1 << 48);
    assert_eq!(
        sender.restore(&beyond, 0),
        Err(RestoreError::IndexOutOfRange)
    );
    beyond.sources[1].rtp.highest = None;
    beyond.sources[1].rtcp.highest = Some(1 << 31);
    assert_eq!(
        sender.restore(&beyond, 0),
        Err(RestoreError::IndexOutOfRange)
    );
    assert_eq!(sender.snapshot(), state);
}

#[test]
fn keys_have_the_length_of_their_suite_and_are_not_printed() {
    for suite in Suite::ALL {
        let length = suite.key_len() + suite.salt_len();
        assert!(MasterKey::new(suite, &vec![1; length - 1]).is_err());
        assert!(MasterKey::new(suite, &vec![1; length + 1]).is_err());
        let master = MasterKey::new(suite, &vec![0xab; length]).expect("the right length");
        let printed = format!("{master:?} {:?}", Keying::new(master.clone()));
        assert!(
            !printed.contains("171") && !printed.to_lowercase().contains("abab"),
            "{printed}"
        );
        assert_eq!(Suite::from_name(&suite.name().to_lowercase()), Some(suite));
    }
    assert_eq!(Suite::from_name("F8_128_HMAC_SHA1_80"), None);
}

#[test]
fn an_mki_is_its_number_in_so_many_bytes() {
    assert_eq!(Mki::from_value(1, 4).expect("1:4").as_bytes(), [0, 0, 0, 1]);
    assert_eq!(
        Mki::from_value(0x1234, 2).expect("fits").as_bytes(),
        [0x12, 0x34]
    );
    assert_eq!(
        Mki::from_value(u128::MAX, 20).expect("fits").as_bytes()[..5],
        [0, 0, 0, 0, 0xff]
    );
    assert!(Mki::from_value(256, 1).is_err());
    assert!(Mki::from_value(0, 0).is_err());
    assert!(Mki::from_value(1, 129).is_err());
    assert!(Mki::new(&[]).is_err());
    assert!(Mki::new(&[0; 129]).is_err());
}
