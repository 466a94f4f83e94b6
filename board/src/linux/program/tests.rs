//! What the program decides, by the kernel's own word: it runs the program on frames (BPF_PROG_TEST_RUN).
//!
//! Without the right to load programs the kernel cannot be asked; then a test says so, and holds the program to the rules that
//! can be seen from outside.
//!
//! Not here: what becomes of frames that are ours (`tests/conformance.rs`).

use super::*;
use crate::linux::bpf::Program;
use crate::linux::frame::{Headers, Hop};
use hal::Dscp;

const OURS: i32 = 3;

fn steering(addresses: &[&str]) -> Steering {
    Steering {
        addresses: addresses
            .iter()
            .map(|address| address.parse().expect("an address"))
            .collect(),
        ports: 20_000..=20_999,
        alone: Vec::new(),
    }
}

fn frame(to: &str, vlan: Option<u16>) -> Vec<u8> {
    let to: std::net::SocketAddr = to.parse().expect("an address");
    let from = if to.is_ipv4() {
        "192.0.2.9:4000"
    } else {
        "[2001:db8::9]:4000"
    };
    let hop = Hop {
        to: [2, 0, 0, 0, 0, 1],
        from: [2, 0, 0, 0, 0, 2],
        vlan,
    };
    let from = from.parse().expect("an address");
    let headers = Headers::new(&hop, from, to, Dscp::EXPEDITED).expect("one family");
    let mut frame = vec![0; 2_048];
    let length = headers.write(&[7; 172], &mut frame).expect("it fits");
    frame.truncate(length);
    frame
}

/// The program's verdict on each frame; nothing where the kernel may not be asked.
fn verdicts(steering: &Steering, frames: &[Vec<u8>]) -> Option<Vec<u32>> {
    let code = assemble(steering, Ours::Return(OURS));
    match Program::load(&code) {
        Ok(program) => Some(
            frames
                .iter()
                .map(|frame| program.verdict(frame).expect("a frame can be tried"))
                .collect(),
        ),
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
            eprintln!("NOT TRIED by the kernel, which lets us load no program: {error}");
            None
        }
        Err(error) => panic!("the verifier refuses {code:#?}: {error}"),
    }
}

#[test]
fn only_media_is_ours() {
    let steering = steering(&["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"]);
    let mut frames = Vec::new();
    let mut expected = Vec::new();
    for (to, is_ours) in [
        ("192.0.2.1:20000", true),
        ("192.0.2.2:20999", true),
        ("192.0.2.1:19999", false),
        ("192.0.2.1:21000", false),
        ("192.0.2.3:20000", false),
        ("[2001:db8::1]:20000", true),
        ("[2001:db8::2]:20999", true),
        ("[2001:db8::2]:5060", false),
        ("[2001:db8:1::1]:20000", false),
        ("[2001:db8::3]:20000", false),
    ] {
        for vlan in [None, Some(100)] {
            frames.push(frame(to, vlan));
            expected.push(if is_ours { OURS } else { XDP_PASS } as u32);
        }
    }
    if let Some(verdicts) = verdicts(&steering, &frames) {
        assert_eq!(verdicts, expected);
    }
}

#[test]
fn what_is_not_plain_udp_is_for_the_kernel() {
    let steering = steering(&["192.0.2.1", "2001:db8::1"]);
    let v4 = frame("192.0.2.1:20000", None);
    let v6 = frame("[2001:db8::1]:20000", None);
    let with = |frame: &[u8], at: usize, value: u8| {
        let mut frame = frame.to_vec();
        frame[at] = value;
        frame
    };
    let frames = [
        with(&v4, 12, 0x86),
        with(&v4, 14, 0x46),
        // TCP; more fragments; a later fragment.
        with(&v4, 23, 6),
        with(&v4, 20, 0x20),
        with(&v4, 21, 0x10),
        // A fragment header, hop-by-hop options.
        with(&v6, 20, 44),
        with(&v6, 20, 0),
        v4[..41].to_vec(),
        v6[..61].to_vec(),
        v4[..14].to_vec(),
    ];
    if let Some(verdicts) = verdicts(&steering, &frames) {
        assert_eq!(verdicts, vec![XDP_PASS as u32; frames.len()]);
    }
    // Two tags in one another are nothing we know.
    let mut twice = frame("192.0.2.1:20000", Some(1));
    twice.splice(12..12, [0x88, 0xa8, 0, 5]);
    if let Some(verdicts) = verdicts(&steering, &[twice]) {
        assert_eq!(verdicts, [XDP_PASS as u32]);
    }
}

#[test]
fn questions_are_ours_where_nobody_else_has_the_address() {
    let shared = steering(&["192.0.2.1", "2001:db8::1", "192.0.2.2"]);
    let alone = Steering {
        alone: shared.addresses[..2].to_vec(),
        ..shared.clone()
    };
    let questions: Vec<_> = include_str!("../responder/frames.txt")
        .lines()
        .filter_map(|line| line.split_once("? "))
        .map(|(name, hex)| {
            let (pairs, _) = hex.trim().as_bytes().as_chunks::<2>();
            let octet = |pair| u8::from_str_radix(str::from_utf8(pair).expect("text"), 16);
            let frame: Vec<u8> = pairs.iter().map(|pair| octet(pair).expect("hex")).collect();
            (name, frame)
        })
        .collect();
    let frames: Vec<_> = questions.iter().map(|(_, frame)| frame.clone()).collect();
    if let Some(found) = verdicts(&shared, &frames) {
        assert_eq!(found, vec![XDP_PASS as u32; frames.len()], "the kernel's");
    }
    if let Some(found) = verdicts(&alone, &frames) {
        for ((name, _), found) in questions.iter().zip(found) {
            let is_ours = !name.starts_with("other");
            assert_eq!(
                found,
                if is_ours { OURS } else { XDP_PASS } as u32,
                "{name}"
            );
        }
    }
}

#[test]
fn every_set_of_addresses_makes_a_program_that_the_kernel_takes() {
    let many: Vec<String> = (1..=32).map(|n| format!("2001:db8::{n:x}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for addresses in [&[][..], &["192.0.2.1"], &["2001:db8::1"], &many] {
        let shared = steering(addresses);
        let alone = shared.addresses.clone();
        verdicts(&shared, &[]);
        verdicts(&Steering { alone, ..shared }, &[]);
    }
}

#[test]
fn jumps_stay_within_the_program() {
    let steering = steering(&["192.0.2.1", "2001:db8::1"]);
    let code = assemble(&steering, Ours::Redirect { map: 5 });
    for (place, instruction) in code.iter().enumerate() {
        let is_jump = instruction.code & 0x07 >= 5 && !matches!(instruction.code, 0x85 | 0x95);
        if is_jump {
            let target = place as i64 + 1 + i64::from(instruction.offset);
            assert!((0..code.len() as i64).contains(&target), "{instruction:?}");
            assert!(instruction.offset >= 0, "no loops");
        }
    }
    assert_eq!(code.last().map(|last| last.code), Some(0x95));
}
