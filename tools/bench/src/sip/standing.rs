//! Calls that stand, and what is left of calls that have ended.
//!
//! Memory is the proportional share (PSS) of both planes and their supervisor, between a thousand calls and many: what a process
//! holds anyway falls out. Each call has two ports of audio on either side, thus four files: where the system gives a process
//! fewer files than ten thousand calls need and does not let us raise that, the upper number is what it gives, and that is said.
//! Over AF_XDP with an address of media's own a call has no files, and the number is always ten thousand.
//!
//! Not here: memory that the kernel holds for sockets.

use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::Value;

use super::contender::{Contender, Transport};
use super::line;
use super::load::{CALLEE, Load, callee};
use super::wire::Wire;
use crate::place::{Place, free_port};
use crate::process::GLANCE;

const FEW: u32 = 1_000;
const MANY: u32 = 10_000;
const A_SECOND: u32 = 200;
/// Longer than the bench takes.
const STANDS: Duration = Duration::from_secs(3_600);
/// Files of media that are no call's.
const OTHER_FILES: u64 = 200;
const FILES_A_CALL: u64 = 4;

/// Transactions linger for 32 s (RFC 3261 §17), ports rest a while after use.
const LINGERING: Duration = Duration::from_secs(90);

/// Measures the slope with audio on sockets and prints the line.
pub(super) fn memory_per_call(case: &'static str) {
    // Before the box starts, which inherits it.
    let files = files(u64::from(MANY) * FILES_A_CALL + OTHER_FILES);
    let place = Place::new(case);
    let answers = free_port(CALLEE);
    let ours = Contender::postern(&place, Transport::Udp, answers, None);
    let fits = files.saturating_sub(OTHER_FILES) / FILES_A_CALL;
    let many = u32::try_from(fits).map_or(MANY, |fits| fits.min(MANY));
    if many < MANY {
        eprintln!("bench: {case}: up to {many} calls only: a process may have {files} files here");
    }
    slope(case, &place, answers, &ours, many);
}

/// Measures the slope with audio over AF_XDP, at an address of media's own, and prints the line.
pub(super) fn memory_per_call_without_files(case: &'static str) {
    let Some(wire) = Wire::new() else {
        return eprintln!("bench: {case}: not tried, no virtual interface may be made here");
    };
    let place = Place::new("memory");
    let answers = free_port(CALLEE);
    let media = format!(
        "address = \"10.78.0.1\"\npackets = \"af_xdp\"\ninterface = \"{}\"\nowner = \"media\"",
        wire.near()
    );
    let ours = Contender::postern_with(&place, Transport::Udp, answers, None, &media);
    slope(case, &place, answers, &ours, MANY);
}

fn slope(case: &'static str, place: &Place, answers: u16, ours: &Contender, many: u32) {
    let _callee = callee(place, answers, None);
    let mut standing = Vec::new();
    let mut held = Vec::new();
    for (new, all) in [(FEW, FEW), (many - FEW, many)] {
        let load = Load {
            calls: new,
            a_second: A_SECOND,
            holds: STANDS,
        };
        standing.push(load.caller(place, ours.address(), None));
        let patience = Duration::from_secs(u64::from(new / A_SECOND) + 60);
        await_census(ours, patience, |census| census["dialogs"] == all * 2);
        // Transactions of the last calls end first; nothing else happens then.
        await_census(ours, LINGERING, |census| {
            census["clients"] == 0 && census["servers"] == 0
        });
        held.push(ours.memory() as f64);
        eprintln!(
            "bench: {case}: {all} calls stand in {:.1} MB",
            ours.memory() as f64 / 1e6
        );
    }
    let slope = (held[1] - held[0]) / f64::from(many - FEW);
    line(case, slope, "bytes").print();
}

/// Counts what is left after ten thousand calls and prints the line.
pub(super) fn calls_left_behind(case: &'static str) {
    let place = Place::new(case);
    let answers = free_port(CALLEE);
    let ours = Contender::postern(&place, Transport::Udp, answers, None);
    Load {
        calls: MANY,
        a_second: A_SECOND,
        holds: Duration::from_millis(200),
    }
    .cross(&place, ours.address(), answers, None);
    let until = Instant::now() + LINGERING;
    while left(&ours.census()) > 0 && Instant::now() < until {
        thread::sleep(GLANCE);
    }
    let census = ours.census();
    eprintln!("bench: {case}: {census}");
    line(case, left(&census) as f64, "entries").print();
}

/// How many files a process may have, raised to `wanted` if it is fewer and the system lets us.
fn files(wanted: u64) -> u64 {
    let now = getrlimit(Resource::Nofile);
    if now.maximum.is_some_and(|maximum| maximum < wanted) {
        let raised = Rlimit {
            current: Some(wanted),
            maximum: Some(wanted),
        };
        if setrlimit(Resource::Nofile, raised).is_ok() {
            return wanted;
        }
    }
    now.maximum.unwrap_or(u64::MAX)
}

/// Everything that a call can leave in a table.
fn left(census: &Value) -> u64 {
    [
        "calls",
        "legs",
        "dialogs",
        "clients",
        "servers",
        "ports",
        "ports_resting",
        "resolving",
    ]
    .into_iter()
    .map(|name| {
        census[name]
            .as_u64()
            .unwrap_or_else(|| panic!("no {name} in {census}"))
    })
    .sum()
}

fn await_census(ours: &Contender, patience: Duration, mut is: impl FnMut(&Value) -> bool) {
    let until = Instant::now() + patience;
    loop {
        let census = ours.census();
        if is(&census) {
            return;
        }
        assert!(Instant::now() < until, "the calls do not stand: {census}");
        thread::sleep(GLANCE);
    }
}
