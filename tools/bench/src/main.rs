//! Measures Postern beside its peers: `bench sip` prints one JSON line a case on standard output.
//!
//! Every line has `bench, case, value, unit`, and where a peer ran in the same run `peer, peer_value, ratio` (ours by the peer's: lower is
//! better). Values are medians; pairs are interleaved, so that both see the same machine. What cannot be measured is said on standard error and
//! makes the exit status 1; nothing is ever made up.
//!
//! Not here: anything that passes or fails by time (tests never do).
#![forbid(unsafe_code)]

mod b2bua;
mod message;
mod process;
mod report;

use std::process::ExitCode;

fn main() -> ExitCode {
    let asked = std::env::args().nth(1).unwrap_or_else(|| "sip".to_owned());
    let done = match asked.as_str() {
        "sip" => message::measure().and_then(|()| b2bua::measure()),
        // For callgrind: the given number of parses and nothing else.
        "parse-once" => message::parse_often(1_000),
        "parse-twice" => message::parse_often(2_000),
        _ => {
            eprintln!("usage: bench sip");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}
