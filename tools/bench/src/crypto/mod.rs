//! `bench crypto`: what protecting and unprotecting a packet costs, beside libraries that others hold for quick.
//!
//! A thousand streams of 172-byte RTP packets (20 ms of G.711), one packet of each in turn, in bursts of 32, so the contexts are
//! as cold as they are in a box. Ours does all of SRTP: header, index, window, lifetime, cryptography, tag. libsrtp2 does the same;
//! libipsec-mb only the cryptography, with jobs in flight from burst to burst where that is quicker: so beside it ours is at a
//! disadvantage, by intention.
//!
//! Not here: the one-by-one path, the pipeline.

mod ours;
mod peer;

use crate::line::{Line, median};
use crate::place::Place;
use ours::Streams;
use peer::Peer;

/// Streams, each with keys of its own.
pub(crate) const STREAMS: usize = 1_000;
/// Turns of ours and each peer's.
const TURNS: usize = 15;
/// Passes over all streams in a turn, whose median counts: the first find the caches filled by another.
const PASSES: usize = 40;
/// Of libsrtp2's, which takes a hundred times as long with a thousand sessions.
const FEW_PASSES: usize = 3;

/// What is done to each packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Protect,
    Unprotect,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Self::Protect => "protect",
            Self::Unprotect => "unprotect",
        }
    }
}

/// The cases, in the order in which they run: a suite as `a=crypto` names it, and what is done.
pub(crate) const CASES: [&str; 12] = [
    "aes_cm_128_hmac_sha1_80/protect",
    "aes_cm_128_hmac_sha1_80/unprotect",
    "aes_cm_128_hmac_sha1_32/protect",
    "aes_cm_128_hmac_sha1_32/unprotect",
    "aes_256_cm_hmac_sha1_80/protect",
    "aes_256_cm_hmac_sha1_80/unprotect",
    "aes_256_cm_hmac_sha1_32/protect",
    "aes_256_cm_hmac_sha1_32/unprotect",
    "aead_aes_128_gcm/protect",
    "aead_aes_128_gcm/unprotect",
    "aead_aes_256_gcm/protect",
    "aead_aes_256_gcm/unprotect",
];

/// The same beside libsrtp2.
const BESIDE_LIBSRTP: [&str; 12] = [
    "aes_cm_128_hmac_sha1_80/protect/libsrtp2",
    "aes_cm_128_hmac_sha1_80/unprotect/libsrtp2",
    "aes_cm_128_hmac_sha1_32/protect/libsrtp2",
    "aes_cm_128_hmac_sha1_32/unprotect/libsrtp2",
    "aes_256_cm_hmac_sha1_80/protect/libsrtp2",
    "aes_256_cm_hmac_sha1_80/unprotect/libsrtp2",
    "aes_256_cm_hmac_sha1_32/protect/libsrtp2",
    "aes_256_cm_hmac_sha1_32/unprotect/libsrtp2",
    "aead_aes_128_gcm/protect/libsrtp2",
    "aead_aes_128_gcm/unprotect/libsrtp2",
    "aead_aes_256_gcm/protect/libsrtp2",
    "aead_aes_256_gcm/unprotect/libsrtp2",
];

/// Runs these cases, all where none is named.
pub(crate) fn run(cases: &[&str]) {
    let place = Place::new("crypto");
    // Intel's library is for Intel's instructions; elsewhere ours stands beside libsrtp2 alone.
    let ipsec_mb = cfg!(target_arch = "x86_64")
        .then(|| peer::build(&place, "ipsec_mb", include_str!("ipsec_mb.c"), "-lIPSec_MB"));
    let libsrtp = peer::build(&place, "libsrtp", include_str!("libsrtp.c"), "-lsrtp2");
    for (case, beside_libsrtp) in CASES.into_iter().zip(BESIDE_LIBSRTP) {
        if !cases.is_empty() && !cases.contains(&case) {
            continue;
        }
        eprintln!("bench: {case}");
        let (suite, operation) = read(case);
        let mut ours = Streams::new(suite, operation);
        if let Some(program) = &ipsec_mb {
            let peer = Peer::start(program, suite, operation);
            compare(case, &mut ours, ("libipsec-mb", peer, PASSES));
        }
        let peer = Peer::start(&libsrtp, suite, operation);
        compare(beside_libsrtp, &mut ours, ("libsrtp2", peer, FEW_PASSES));
    }
}

/// Turn by turn, ours and the peer's.
fn compare(
    case: &'static str,
    ours: &mut Streams,
    (name, mut peer, passes): (&'static str, Peer, usize),
) {
    let turns: Vec<(f64, f64)> = (0..TURNS)
        .map(|_| (median(&ours.passes(PASSES)), median(&peer.passes(passes))))
        .collect();
    let of = |value: fn(&(f64, f64)) -> f64| median(&turns.iter().map(value).collect::<Vec<_>>());
    Line::new("crypto", case, of(|turn| turn.0), "ns")
        .beside(name, of(|turn| turn.1), of(|turn| turn.0 / turn.1))
        .print();
}

fn read(case: &str) -> (&str, Operation) {
    let (suite, operation) = case.split_once('/').expect("a suite and an operation");
    let operation = [Operation::Protect, Operation::Unprotect]
        .into_iter()
        .find(|known| known.name() == operation)
        .expect("one of the two");
    (suite, operation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_names_a_suite_and_what_is_done() {
        for (case, beside) in CASES.into_iter().zip(BESIDE_LIBSRTP) {
            let (suite, operation) = read(case);
            assert!(ours::suite(suite).is_some(), "{suite}");
            assert_eq!(beside, format!("{suite}/{}/libsrtp2", operation.name()));
        }
    }

    #[test]
    fn each_pass_brings_every_packet_there_and_back() {
        for case in CASES {
            let (suite, operation) = read(case);
            let mut streams = Streams::new(suite, operation);
            assert_eq!(streams.passes(2).len(), 2, "{case}");
        }
    }
}
