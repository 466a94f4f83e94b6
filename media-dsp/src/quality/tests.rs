//! Reception and transmission against the arithmetic of RFC 3550, done by hand.
//!
//! Streams are 20 ms packets of G.711; every clock is a number in the test.

use super::*;
use crate::rtcp::Ntp;
use crate::rtp::Header;

const RATE: u32 = 8_000;

fn header(sequence: u16, timestamp: u32) -> Header {
    Header {
        marker: false,
        payload_type: 8,
        sequence,
        timestamp,
        ssrc: 7,
    }
}

/// Packet number `number` of a stream of 20 ms, `late` microseconds after its time.
fn hear(reception: &mut Reception, number: u32, late: u64) {
    let arrival = Micros(u64::from(number) * 20_000 + late);
    reception.packet(&header(number as u16, number.wrapping_mul(160)), arrival);
}

#[test]
fn a_steady_stream_has_neither_loss_nor_jitter() {
    let mut reception = Reception::new(RATE);
    assert_eq!(reception.report(Micros(0)), None);
    for number in 65_000..66_000 {
        hear(&mut reception, number, 0);
    }
    let block = reception.report(Micros(0)).unwrap();
    assert_eq!(
        (
            block.ssrc,
            block.fraction_lost,
            block.cumulative_lost,
            block.jitter
        ),
        (7, 0, 0, 0)
    );
    assert_eq!(block.highest_sequence, 0x1_0000 + 463, "one wrap");
    assert_eq!((block.last_sender_report, block.delay), (0, 0));
    assert_eq!(
        (reception.summary().received, reception.summary().lost()),
        (1_000, 0)
    );
}

// RFC 3550 A.3: fraction of this interval, sum of all.
#[test]
fn loss_is_counted_by_interval_and_altogether() {
    let mut reception = Reception::new(RATE);
    for number in (0..100).filter(|number| number % 4 != 3) {
        hear(&mut reception, number, 0);
    }
    // The last number heard is 98: 99 expected, 24 lost.
    let block = reception.report(Micros(0)).unwrap();
    assert_eq!(
        (block.fraction_lost, block.cumulative_lost),
        ((24 * 256 / 99) as u8, 24)
    );
    for number in 99..199 {
        hear(&mut reception, number, 0);
    }
    let block = reception.report(Micros(0)).unwrap();
    assert_eq!((block.fraction_lost, block.cumulative_lost), (0, 24));
    assert_eq!(
        reception.report(Micros(0)).unwrap().fraction_lost,
        0,
        "nothing expected, nothing lost"
    );
}

#[test]
fn late_and_doubled_packets_are_received_not_lost() {
    let mut reception = Reception::new(RATE);
    for number in [0, 1, 3, 2, 4, 4, 5] {
        hear(&mut reception, number, 0);
    }
    let block = reception.report(Micros(0)).unwrap();
    assert_eq!((block.cumulative_lost, block.fraction_lost), (-1, 0));
    assert_eq!(reception.summary().disordered, 2);
}

// RFC 3550 A.8: J += (|D| − J) / 16.
#[test]
fn jitter_follows_the_formula() {
    let mut reception = Reception::new(RATE);
    let mut expected = 0.0_f64;
    let lateness = [0, 3_000, 500, 9_000, 9_000, 0, 12_000, 4_000];
    for number in 0..400_u32 {
        let late = lateness[number as usize % lateness.len()];
        hear(&mut reception, number, late);
        if number > 0 {
            let before = lateness[(number as usize - 1) % lateness.len()];
            let difference = (late as f64 - before as f64).abs() * 8.0 / 1_000.0;
            expected += (difference - expected) / 16.0;
        }
    }
    let jitter = f64::from(reception.jitter());
    assert!(
        (jitter - expected).abs() <= 1.0,
        "{jitter} for {expected:.2}"
    );
    assert!(reception.summary().max_jitter >= reception.jitter());
}

#[test]
fn a_wrapping_timestamp_is_no_jitter() {
    let mut reception = Reception::new(RATE);
    for number in 0..100_u32 {
        let timestamp = (u32::MAX - 8_000).wrapping_add(number * 160);
        reception.packet(
            &header(number as u16, timestamp),
            Micros(1_000_000_000_000 + u64::from(number) * 20_000),
        );
    }
    assert_eq!(reception.jitter(), 0);
}

// RFC 4733 §2.5.1.2: the packets of one event keep its timestamp.
#[test]
fn the_packets_of_one_event_are_no_jitter() {
    let mut reception = Reception::new(RATE);
    for number in 0..10 {
        hear(&mut reception, number, 0);
    }
    for number in 10..20_u16 {
        reception.packet(&header(number, 1_600), Micros(u64::from(number) * 20_000));
    }
    assert_eq!(reception.jitter(), 0);
}

#[test]
fn two_packets_in_a_row_far_off_are_a_restart_one_is_not() {
    let mut reception = Reception::new(RATE);
    for number in 0..50 {
        hear(&mut reception, number, 0);
    }
    hear(&mut reception, 40_000, 0);
    for number in 50..60 {
        hear(&mut reception, number, 0);
    }
    assert_eq!(
        reception.report(Micros(0)).unwrap().highest_sequence,
        59,
        "one stray changes nothing"
    );
    for number in 40_000..40_010 {
        hear(&mut reception, number, 0);
    }
    let block = reception.report(Micros(0)).unwrap();
    assert_eq!((block.highest_sequence, block.cumulative_lost), (40_009, 0));
    let summary = reception.summary();
    assert_eq!(
        (summary.sources, summary.received, summary.expected),
        (2, 69, 69)
    );
}

#[test]
fn another_source_begins_anew_and_the_totals_go_on() {
    let mut reception = Reception::new(RATE);
    for number in [0, 1, 2, 5] {
        hear(&mut reception, number, 0);
    }
    reception.packet(
        &Header {
            ssrc: 8,
            ..header(30_000, 0)
        },
        Micros(0),
    );
    assert_eq!(reception.ssrc(), Some(8));
    let block = reception.report(Micros(0)).unwrap();
    assert_eq!(
        (block.ssrc, block.highest_sequence, block.cumulative_lost),
        (8, 30_000, 0)
    );
    let summary = reception.summary();
    assert_eq!(
        (summary.received, summary.lost(), summary.sources),
        (5, 2, 2)
    );
}

// RFC 3550 §6.4.1: LSR is about the source of the block.
#[test]
fn a_new_source_has_sent_no_report_yet() {
    let mut reception = Reception::new(RATE);
    hear(&mut reception, 1, 0);
    reception.sender_report(7, Ntp(0x1111_2222_3333_4444), Micros(0));
    let mut other = header(5, 800);
    other.ssrc = 8;
    reception.packet(&other, Micros(40_000));
    let block = reception.report(Micros(60_000)).unwrap();
    assert_eq!(
        (block.ssrc, block.last_sender_report, block.delay),
        (8, 0, 0)
    );
}

#[test]
fn a_sender_report_is_echoed_with_its_age() {
    let mut reception = Reception::new(RATE);
    hear(&mut reception, 0, 0);
    reception.sender_report(99, Ntp(u64::MAX), Micros(0));
    reception.sender_report(7, Ntp(0x1111_2222_3333_4444), Micros(2_000_000));
    let block = reception.report(Micros(7_250_000)).unwrap();
    assert_eq!(block.last_sender_report, 0x2222_3333);
    assert_eq!(block.delay, 0x0005_4000, "5.25 s");
}

// RFC 3550 §6.4.1, figure 2.
#[test]
fn the_round_trip_of_the_rfc() {
    let block = ReportBlock {
        last_sender_report: 0xb705_2000,
        delay: 0x0005_4000,
        ..ReportBlock::default()
    };
    assert_eq!(
        round_trip(&block, Micros(5_125_000), Micros(16_500_000)),
        Some(Micros(6_125_000))
    );
    assert_eq!(
        round_trip(&block, Micros(5_125_000), Micros(10_312_500)),
        None,
        "it cannot have come back before it left"
    );
    let unasked = round_trip(&ReportBlock::default(), Micros(0), Micros(u64::MAX));
    assert_eq!(unasked, None);
}

#[test]
fn a_sender_report_carries_the_media_clock_on() {
    let mut transmission = Transmission::new(RATE);
    assert_eq!(transmission.report(Micros(0), Ntp(1)), None);
    for number in 0..50_u16 {
        transmission.packet(
            &header(number, u32::from(number) * 160),
            160,
            Micros(u64::from(number) * 20_000),
        );
    }
    let (ssrc, info) = transmission
        .report(Micros(49 * 20_000 + 500_000), Ntp(5))
        .unwrap();
    assert_eq!((ssrc, info.packets, info.octets), (7, 50, 8_000));
    assert_eq!((info.ntp, info.rtp_timestamp), (Ntp(5), 49 * 160 + 4_000));
    transmission.packet(
        &Header {
            ssrc: 8,
            ..header(0, 0)
        },
        10,
        Micros(2_000_000),
    );
    let (ssrc, info) = transmission.report(Micros(2_000_000), Ntp(6)).unwrap();
    assert_eq!((ssrc, info.packets, info.octets), (8, 1, 10));
}

#[test]
fn packets_lost_in_a_row_are_one_hole() {
    let mut reception = Reception::new(8_000);
    for sequence in [1, 2, 6, 7, 9, 10, 8, 20_000, 20_001] {
        let header = Header {
            marker: false,
            payload_type: 0,
            sequence,
            timestamp: 160 * u32::from(sequence),
            ssrc: 1,
        };
        reception.packet(&header, Micros(20_000 * u64::from(sequence)));
    }
    let summary = reception.summary();
    assert_eq!(
        (summary.lost(), summary.holes),
        (3, 2),
        "8 came late; a restart is no hole"
    );
}
