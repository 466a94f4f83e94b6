//! Questions and answers as another program writes them, and what gets no answer.
//!
//! `frames.txt` is by scapy: a question is `NAME?`, its answer `NAME!`, a question without one gets none.
//!
//! Not here: whether a kernel is content with the answers (`tests/af_xdp.rs`).

use super::*;

const FRAMES: &str = include_str!("frames.txt");
const MAC: Mac = [2, 0, 0, 0, 0, 0x0b];

fn frame(name: &str) -> Option<Vec<u8>> {
    let line = FRAMES
        .lines()
        .find_map(|line| line.split_once(' ').filter(|(n, _)| *n == name));
    let (_, hex) = line?;
    let (pairs, _) = hex.trim().as_bytes().as_chunks::<2>();
    pairs
        .iter()
        .map(|pair| u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

fn responder() -> Responder {
    let addresses = ["192.0.2.1", "2001:db8::1"].map(|text| text.parse().expect("an address"));
    Responder::new(MAC, addresses.to_vec())
}

fn questions() -> impl Iterator<Item = &'static str> {
    FRAMES
        .lines()
        .filter_map(|line| line.split_once('?').map(|(name, _)| name))
}

#[test]
fn every_question_has_the_answer_that_another_program_writes() {
    assert_eq!(questions().count(), 8);
    for name in questions() {
        let question = frame(&format!("{name}?")).expect("it is there");
        let answer = responder().answer(&question, Instant::from_secs(1));
        assert_eq!(answer, frame(&format!("{name}!")), "{name}");
    }
}

#[test]
fn a_tag_comes_back() {
    for name in ["arp", "ping4", "ndp"] {
        let with_tag = |name: String| {
            let mut frame = frame(&name).expect("it is there");
            frame.splice(12..12, [0x81, 0x00, 0x00, 100]);
            frame
        };
        let answer = responder().answer(&with_tag(format!("{name}?")), Instant::from_secs(1));
        assert_eq!(answer, Some(with_tag(format!("{name}!"))), "{name}");
    }
}

#[test]
fn nothing_damaged_or_cut_is_answered_and_nothing_panics() {
    for name in ["ping4", "ping6", "ndp"] {
        let question = frame(&format!("{name}?")).expect("it is there");
        for length in 0..question.len() {
            assert_eq!(
                responder().answer(&question[..length], Instant::from_secs(1)),
                None
            );
        }
        // Behind the addresses, where no bit is free.
        let from = if name == "ping4" { 26 } else { 22 };
        for at in from..question.len() {
            let mut damaged = question.clone();
            damaged[at] ^= 1;
            assert_eq!(
                responder().answer(&damaged, Instant::from_secs(1)),
                None,
                "{name} {at}"
            );
        }
    }
}

#[test]
fn an_answer_is_no_longer_than_a_padded_question() {
    for name in questions() {
        let question = frame(&format!("{name}?")).expect("it is there");
        // An advertisement to one who has no address names ours in eight octets that he left out.
        let most = question.len().max(60) + if name == "dad" { 26 } else { 0 };
        let answer = responder().answer(&question, Instant::from_secs(1));
        assert!(answer.is_none_or(|answer| answer.len() <= most), "{name}");
    }
}

#[test]
fn a_flood_of_questions_is_not_all_answered() {
    let question = frame("arp?").expect("it is there");
    let mut responder = responder();
    let mut at = |milliseconds| {
        (0..1_000)
            .filter(|_| {
                responder
                    .answer(&question, Instant::from_millis(milliseconds))
                    .is_some()
            })
            .count()
    };
    assert_eq!((at(1_000), at(1_050), at(1_100)), (100, 0, 100));
}
