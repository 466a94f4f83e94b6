//! The most that one relay carries without loss, the delay at half of that, and ten minutes at seven tenths.
//!
//! Over AF_XDP, where it is to be had, and by sockets. The parties run on the same processors, so the most is what both together
//! carry. Memory is what is resident of the relay: after the first minute it stays as it is.
//!
//! Not here: what a packet costs (`mod.rs`).

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::namespaces::Wire;
use super::plan::Profile;
use super::{Surroundings, WARM, WINDOW, most_calls, ours};
use crate::line::Line;

/// From one load to the next: 20 thousand packets a second.
const STEP: usize = 200;
/// No more than the ports of one address serve.
const MOST: usize = 4_800;
/// One look.
const MINUTE: Duration = Duration::from_secs(60);
const MINUTES: usize = 10;

const BOTH_KEYED: [Profile; 2] = [Profile::Keyed, Profile::Keyed];

pub(super) fn run() {
    let loopback = Surroundings::Loopback(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let names = ["sockets/maximum", "sockets/half", "sockets/soak"];
    on(names, &loopback, most_calls());
    match Wire::new() {
        Ok(wire) => {
            let names = ["af_xdp/maximum", "af_xdp/half", "af_xdp/soak"];
            on(names, &Surroundings::Wire(wire), most_calls().min(MOST));
        }
        Err(reason) => eprintln!("bench: af_xdp NOT MEASURED: {reason}"),
    }
}

fn on([maximum, half, soak]: [&'static str; 3], surroundings: &Surroundings, limit: usize) {
    let most = most(surroundings, limit);
    Line::new("relay", maximum, most as f64 / 10.0, "kpps")
        .with("calls", 0, most as f64)
        .print();
    let (_place, _media, mut traffic) = ours(most / 2, BOTH_KEYED, surroundings);
    traffic.run(WARM);
    let outcome = traffic.run(4 * WINDOW);
    Line::new("relay", half, outcome.p99, "us")
        .with("kpps", 0, (most / 2) as f64 / 10.0)
        .with("p50_us", 0, outcome.p50)
        .with(
            "lost",
            0,
            (outcome.sent - outcome.received.min(outcome.sent)) as f64,
        )
        .print();
    drop((_place, _media, traffic));

    let load = most * 7 / 10;
    let (_place, media, mut traffic) = ours(load, BOTH_KEYED, surroundings);
    traffic.run(WARM);
    let (mut sent, mut lost, mut p99) = (0, 0, 0.0_f64);
    let mut memory = Vec::new();
    for minute in 0..MINUTES {
        let outcome = traffic.run(MINUTE);
        sent += outcome.sent;
        lost += outcome.sent - outcome.received.min(outcome.sent);
        p99 = p99.max(outcome.p99);
        memory.push(resident(media.id()));
        eprintln!(
            "bench: {soak}, minute {}: {lost} of {sent} lost",
            minute + 1
        );
    }
    let growth = memory[MINUTES - 1] as f64 - memory[0] as f64;
    Line::new("relay", soak, lost as f64, "packets lost")
        .with("kpps", 0, load as f64 / 10.0)
        .with("minutes", 0, MINUTES as f64)
        .with("sent", 0, sent as f64)
        .with("worst_p99_us", 0, p99)
        .with("memory_kib", 0, memory[MINUTES - 1] as f64)
        .with("memory_growth_kib", 0, growth)
        .print();
}

/// The largest load at which two runs of three lose nothing.
fn most(surroundings: &Surroundings, limit: usize) -> usize {
    let mut most = STEP;
    for load in (STEP..=limit).step_by(STEP) {
        let clean = |_: &i32| {
            let (_place, _media, mut traffic) = ours(load, BOTH_KEYED, surroundings);
            traffic.run(WARM);
            let outcome = traffic.run(WINDOW);
            eprintln!(
                "bench: {load} calls: {} of {} lost",
                outcome.sent - outcome.received.min(outcome.sent),
                outcome.sent
            );
            outcome.received >= outcome.sent
        };
        if (0..3).filter(clean).count() < 2 {
            break;
        }
        most = load;
    }
    most
}

/// KiB of a process that are in memory.
fn resident(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let words = line.and_then(|line| line.split_whitespace().nth(1));
    words.and_then(|word| word.parse().ok()).expect("proc(5)")
}
