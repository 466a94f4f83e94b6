//! The door for fuzzing: bytes of anybody into the reader, and what comes out into the lookups.
//!
//! An ordinary function that never panics; the corpus of the repository is replayed through it.

use std::net::IpAddr;

use crate::{ListenerId, parse};

/// A configuration that somebody found somewhere.
pub fn fuzz_parse(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let lines = text.lines().count().max(1);
    match parse(text) {
        Ok(document) => {
            let snapshot = document.snapshot();
            let from = IpAddr::from([192, 0, 2, 1]);
            for number in ["", "+", "+12025550100", "911", "anonymous"] {
                let _ = snapshot.tenant_of_number(number);
                for (_, trunk) in snapshot.trunks() {
                    let _ = trunk.numbers.plan.normalise(number);
                    let _ = trunk.numbers.plan.denormalise(number);
                    for rule in trunk
                        .numbers
                        .called_in
                        .iter()
                        .chain(&trunk.numbers.caller_out)
                    {
                        let _ = rule.apply(number);
                    }
                }
            }
            let _ = snapshot.trunk_of(ListenerId(0), from, Some("sbc.example"));
            for route in &snapshot.routes {
                let _ = route.when.iter().any(|window| window.contains(u64::MAX));
            }
        }
        Err(findings) => {
            assert!(!findings.0.is_empty(), "a refusal says why");
            for finding in &findings {
                assert!((1..=lines + 1).contains(&finding.place.line), "{finding}");
                assert!(!finding.problem.cure().is_empty(), "{finding}");
            }
        }
    }
}
