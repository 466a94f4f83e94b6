//! `bench sip`: what a message, a call and a standing call cost.
//!
//! Calls are SIPp's in every case, with SDP and without audio, the same scenario for the box and its peer.
//!
//! Not here: audio, which has a bench of its own.

mod b2bua;
mod bridge;
mod contender;
mod counted;
mod inside;
mod load;
mod message;
mod standing;
mod wire;

use crate::line::Line;

/// The cases, in the order in which they run.
pub(crate) const CASES: [&str; 9] = [
    "parse-invite",
    "check-invite",
    "serialise-invite",
    inside::CASE,
    "b2bua-udp",
    "b2bua-tls",
    "memory-per-call",
    "memory-per-call/af_xdp",
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
            inside::CASE => inside::measure(),
            "b2bua-udp" => b2bua::compare(case, contender::Transport::Udp),
            "b2bua-tls" => b2bua::compare(case, contender::Transport::Tls),
            "memory-per-call" => standing::memory_per_call(case),
            "memory-per-call/af_xdp" => standing::memory_per_call_without_files(case),
            "calls-left-behind" => standing::calls_left_behind(case),
            message => message::measure(message),
        }
    }
}

/// Does a piece of work `count` times, for valgrind to look at; `false` where there is no such work.
pub(crate) fn work(name: &str, count: &str) -> bool {
    count.parse().is_ok_and(|count| match name {
        inside::CASE => {
            inside::work(count);
            true
        }
        message => message::work(message, count),
    })
}

/// A line of this bench.
fn line(case: &'static str, value: f64, unit: &'static str) -> Line {
    Line::new("sip", case, value, unit)
}
