//! Frames of garbage: refused, never believed, never kept without bound.
//!
//! The corpus under `tests/regressions/{command,event}` is replayed as it stands; mutations of good frames are made from a seed.
//!
//! Not here: what the process does with a peer that sends garbage (it hangs up).

use std::fs;
use std::path::Path;

use media_api::{Command, Decoder, Event, FrameError, StreamId, encode, fuzz};

#[test]
fn old_crashes_stay_fixed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/regressions");
    let doors: [fn(&[u8]); 2] = [fuzz::fuzz_command, fuzz::fuzz_event];
    for (name, door) in ["command", "event"].into_iter().zip(doors) {
        let mut seen = 0;
        for entry in fs::read_dir(folder.join(name)).expect("the corpus is there") {
            door(&fs::read(entry.expect("an entry").path()).expect("a readable file"));
            seen += 1;
        }
        assert!(seen > 0, "no corpus for {name}");
    }
}

#[test]
fn a_length_beyond_all_messages_is_refused_before_it_arrives() {
    let mut decoder = Decoder::<Command>::new();
    decoder.push(&u32::MAX.to_le_bytes());
    assert_eq!(
        decoder.poll(),
        Err(FrameError::TooLong {
            announced: u32::MAX
        })
    );
}

#[test]
fn bytes_behind_the_message_are_refused() {
    let mut frame = Vec::new();
    encode(&Command::Ping, &mut frame).expect("a ping fits");
    frame.push(0);
    frame[0] += 1;
    let mut decoder = Decoder::<Command>::new();
    decoder.push(&frame);
    assert_eq!(decoder.poll(), Err(FrameError::Malformed));
}

#[test]
fn an_empty_frame_is_refused() {
    let mut decoder = Decoder::<Event>::new();
    decoder.push(&[0; 4]);
    assert_eq!(decoder.poll(), Err(FrameError::Malformed));
}

#[test]
fn too_long_a_message_is_not_sent() {
    let mut out = vec![1, 2, 3];
    let streams = Event::Streams(vec![StreamId(u64::MAX); 200_000]);
    assert!(matches!(
        encode(&streams, &mut out),
        Err(FrameError::TooLong { .. })
    ));
    assert_eq!(out, [1, 2, 3]);
}

#[test]
fn mutated_frames_never_panic() {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed as usize
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/regressions");
    for name in ["command", "event"] {
        for entry in fs::read_dir(folder.join(name)).expect("the corpus is there") {
            let good = fs::read(entry.expect("an entry").path()).expect("a readable file");
            if good.is_empty() {
                continue;
            }
            for _ in 0..2_000 {
                let mut bad = good.clone();
                for _ in 0..=next() % 3 {
                    let at = next() % bad.len();
                    bad[at] = next() as u8;
                }
                bad.truncate(next() % (bad.len() + 1));
                fuzz::fuzz_command(&bad);
                fuzz::fuzz_event(&bad);
            }
        }
    }
}
