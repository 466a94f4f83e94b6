//! Replays every file of `tests/regressions/{rtp,rtcp,stun,srtp}` through the fuzzers' doors, and each of them cut short.
//!
//! A crash found by a fuzzer is kept by putting its input there.

use std::fs;
use std::path::Path;

use media_dsp::fuzz;

fn replay(parser: &str, door: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/regressions")
        .join(parser);
    let mut replayed = 0;
    for entry in fs::read_dir(&folder).expect("the corpus folder is there") {
        let bytes = fs::read(entry.expect("a readable entry").path()).expect("a readable file");
        for length in 0..=bytes.len() {
            door(&bytes[..length]);
        }
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                changed[place] = value;
                door(&changed);
            }
        }
        replayed += 1;
    }
    assert!(replayed > 0, "{} holds no seeds", folder.display());
}

#[test]
fn rtp() {
    replay("rtp", fuzz::rtp);
}

#[test]
fn rtcp() {
    replay("rtcp", fuzz::rtcp);
}

#[test]
fn stun() {
    replay("stun", fuzz::stun);
}

#[test]
fn srtp() {
    replay("srtp", fuzz::srtp);
}
