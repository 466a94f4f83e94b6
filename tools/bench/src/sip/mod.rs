//! `bench sip`: what a message, a call and a standing call cost.
//!
//! Calls are SIPp's in every case, with SDP and without audio, the same scenario for the box and its peer.
//!
//! Not here: audio, which has a bench of its own.

mod b2bua;
mod bridge;
mod contender;
mod load;
pub(crate) mod message;
mod standing;

use crate::line::Line;

/// The cases, in the order in which they run.
pub(crate) const CASES: [&str; 7] = [
    "parse-invite",
    "check-invite",
    "serialise-invite",
    "b2bua-udp",
    "b2bua-tls",
    "memory-per-call",
    "calls-left-behind",
];

/// Runs these cases, all where none is named.
pub(crate) fn run(cases: &[&str]) {
    for case in CASES
        .iter()
        .filter(|case| cases.is_empty() || cases.contains(case))
    {
        eprintln!("bench: {case}");
        match *case {
            "b2bua-udp" => b2bua::compare(case, contender::Transport::Udp),
            "b2bua-tls" => b2bua::compare(case, contender::Transport::Tls),
            "memory-per-call" => standing::memory_per_call(case),
            "calls-left-behind" => standing::calls_left_behind(case),
            message => message::measure(message),
        }
    }
}

/// A line of this bench.
fn line(case: &'static str, value: f64, unit: &'static str) -> Line {
    Line::new("sip", case, value, unit)
}
