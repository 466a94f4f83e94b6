//! `bench`: measures, beside a peer where there is one, and prints one JSON line a case on standard output.
//!
//! `bench sip`, `bench relay` and `bench crypto` run all their cases, `bench sip CASE…` some. `bench work NAME COUNT` does one
//! piece of work COUNT times and says nothing: it is what valgrind looks at. What a person may want to know meanwhile goes to standard error.
//!
//! Every figure with a peer is taken in the same run, turn by turn, so that neighbours on the machine disturb both alike.
//!
//! Not here: verdicts. A bench says what is; who wants it smaller holds it to a bound.
#![forbid(unsafe_code)]

mod crypto;
mod history;
mod line;
mod place;
mod process;
mod relay;
mod sip;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["sip", cases @ ..] if cases.iter().all(|case| sip::CASES.contains(case)) => {
            sip::run(cases);
            ExitCode::SUCCESS
        }
        ["crypto", cases @ ..] if cases.iter().all(|case| crypto::CASES.contains(case)) => {
            crypto::run(cases);
            ExitCode::SUCCESS
        }
        ["relay", cases @ ..] if cases.iter().all(|case| relay::CASES.contains(case)) => {
            relay::run(cases);
            ExitCode::SUCCESS
        }
        ["history", cases @ ..] if cases.iter().all(|case| history::CASES.contains(case)) => {
            history::run(cases);
            ExitCode::SUCCESS
        }
        ["work", name, count] if sip::work(name, count) => ExitCode::SUCCESS,
        _ => {
            eprintln!("usage: bench sip [{}]", sip::CASES.join("|"));
            eprintln!("       bench crypto [{}]", crypto::CASES.join("|"));
            eprintln!("       bench relay [{}]", relay::CASES.join("|"));
            eprintln!("       bench history [{}]", history::CASES.join("|"));
            ExitCode::from(2)
        }
    }
}
