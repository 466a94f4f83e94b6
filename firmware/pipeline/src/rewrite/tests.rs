//! One stream for the party, whatever happens behind it.
//!
//! Not here: SRTP over these numbers (`tests/`).

extern crate alloc;

use alloc::vec::Vec;

use embassy_time::{Duration, Instant};
use measure::DropReason;
use media_dsp::rtp::Header;

use super::{Origin, Outgoing};

const START: Instant = Instant::from_secs(100);
const FRAME: Duration = Duration::from_millis(20);

fn outgoing() -> Outgoing {
    Outgoing::new(0xabcd, 1_000, 50_000, 8_000)
}

fn header(ssrc: u32, sequence: u16, timestamp: u32) -> Header {
    Header {
        marker: false,
        payload_type: 8,
        sequence,
        timestamp,
        ssrc,
    }
}

fn place(outgoing: &mut Outgoing, header: Header, now: Instant) -> (u16, u32, bool) {
    let placed = outgoing
        .place(Origin::Peer(header.ssrc), &header, now)
        .expect("it is not late");
    assert_eq!((placed.ssrc, placed.payload_type), (0xabcd, 8));
    (placed.sequence, placed.timestamp, placed.marker)
}

#[test]
fn numbers_begin_in_the_lower_half() {
    let mut high = Outgoing::new(1, 0xffff, 0, 8_000);
    assert_eq!(place_any(&mut high, header(7, 5, 5)), 0x7fff);
}

fn place_any(outgoing: &mut Outgoing, header: Header) -> u16 {
    outgoing
        .place(Origin::Peer(header.ssrc), &header, START)
        .expect("it is not late")
        .sequence
}

#[test]
fn within_a_run_loss_and_reordering_of_the_source_are_seen() {
    let mut outgoing = outgoing();
    assert_eq!(
        place(&mut outgoing, header(7, 65_534, 160), START),
        (1_000, 50_000, true)
    );
    assert_eq!(
        place(&mut outgoing, header(7, 65_535, 320), START + FRAME),
        (1_001, 50_160, false)
    );
    // Over the wrap, and with a hole of one.
    assert_eq!(
        place(&mut outgoing, header(7, 1, 640), START + FRAME * 3),
        (1_003, 50_480, false)
    );
    assert_eq!(
        place(&mut outgoing, header(7, 0, 480), START + FRAME * 3),
        (1_002, 50_320, false)
    );
    assert_eq!(
        place(&mut outgoing, header(7, 2, 800), START + FRAME * 4),
        (1_004, 50_640, false)
    );
}

#[test]
fn another_source_goes_on_where_the_one_before_stopped() {
    let mut outgoing = outgoing();
    place(&mut outgoing, header(7, 10, 0), START);
    let later = START + Duration::from_secs(2);
    assert_eq!(
        place(&mut outgoing, header(8, 30_000, 99), later),
        (1_001, 50_000 + 16_000, true)
    );
    // At once after it: a frame later at least.
    assert_eq!(
        place(&mut outgoing, header(9, 1, 1), later),
        (1_002, 50_000 + 16_160, true)
    );
}

#[test]
fn a_packet_from_before_the_run_is_late() {
    let mut outgoing = outgoing();
    place(&mut outgoing, header(7, 10, 0), START);
    place(&mut outgoing, header(8, 500, 0), START + FRAME);
    let late = outgoing.place(Origin::Peer(8), &header(8, 499, 0), START + FRAME);
    assert_eq!(
        late,
        Err(DropReason::Late),
        "its number went to the source before"
    );
    assert_eq!(
        place(&mut outgoing, header(8, 501, 160), START + FRAME * 2).0,
        1_002
    );
}

#[test]
fn a_source_that_restarts_leaves_no_hole() {
    let mut outgoing = outgoing();
    place(&mut outgoing, header(7, 10, 0), START);
    assert_eq!(
        place(&mut outgoing, header(7, 40_000, 9_999), START + FRAME).0,
        1_001
    );
    assert_eq!(
        place(&mut outgoing, header(7, 40_001, 10_159), START + FRAME * 2),
        (1_002, 50_320, false)
    );
}

#[test]
fn a_tone_is_a_source_like_any_other() {
    let mut outgoing = outgoing();
    place(&mut outgoing, header(7, 10, 0), START);
    let tone = outgoing
        .place(Origin::Tone, &header(0, 0, 0), START + FRAME)
        .expect("it is not late");
    assert_eq!(
        (tone.sequence, tone.timestamp, tone.marker),
        (1_001, 50_160, true)
    );
    assert_eq!(outgoing.peer_source(), None);
    assert_eq!(
        place(&mut outgoing, header(7, 12, 320), START + FRAME * 2),
        (1_002, 50_320, true)
    );
    assert_eq!(outgoing.peer_source(), Some(7));
}

#[test]
fn reports_are_told_in_the_terms_of_the_source() {
    let mut outgoing = outgoing();
    let mut sequence = 65_500_u16;
    for n in 0..100_u32 {
        place(
            &mut outgoing,
            header(7, sequence, n * 160),
            START + FRAME * n,
        );
        sequence = sequence.wrapping_add(1);
    }
    // The party has heard all but the last ten of what we sent as 1000 to 1099.
    assert_eq!(
        outgoing.sequence_of(1_089),
        (1 << 16) + (65_500 + 89 - 65_536)
    );
    // It counts wraps of its own; they are not the source's.
    assert_eq!(outgoing.sequence_of((5 << 16) + 1_089), (1 << 16) + 53);
    assert_eq!(outgoing.timestamp_of(160 * 99), 50_000 + 160 * 99);
}

#[test]
fn no_number_is_given_twice_in_order_by_any_sources() {
    // A walk over sources that restart, jump and repeat: what is sent in order has numbers in order.
    let mut outgoing = outgoing();
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let mut sequences = [0_u16; 3];
    let mut sent = Vec::new();
    for step in 0..20_000_u32 {
        let source = (next() % 3) as usize;
        sequences[source] = match next() % 50 {
            0 => next() as u16,
            _ => sequences[source].wrapping_add(1),
        };
        let header = header(source as u32, sequences[source], step * 160);
        if let Ok(placed) = outgoing.place(Origin::Peer(header.ssrc), &header, START + FRAME * step)
        {
            sent.push(placed.sequence);
        }
    }
    for pair in sent.windows(2) {
        let step = pair[1].wrapping_sub(pair[0]);
        assert!(
            step >= 1 && (step <= 3_000 || step > u16::MAX - 100),
            "{pair:?}"
        );
    }
}
