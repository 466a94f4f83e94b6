//! `bench relay`: what a forwarded packet costs, beside rtpengine in user space.
//!
//! A case with a peer is measured in pairs, turn by turn, both relays between the same parties in the same network; figures
//! are medians over the pairs. `value` is microseconds of processor time for a packet that came through, of all the relay's
//! threads, program and kernel: the kernel's part of receiving and sending is in it as far as it runs on the relay's account.
//!
//! - `sockets/…`: both on UDP sockets, over loopback.
//! - `af_xdp/…`: ours on AF_XDP, rtpengine on its sockets, over a pair of veth. `value` is the pipeline thread's own time;
//!   what the kernel does on its account (with veth: copying and delivering each frame) is `kernel_us` beside it.
//! - `sim/srtp-rtp`: pipeline and crypto alone, in calls for one processor.
//! - `loads`: `sockets/rtp-srtp` with 10, 100, 1,000 and 5,000 calls, or as many as there are files for. Of the last loads two
//!   processors carry what they carry: what a packet costs is of those that came through, and `loss` tells of the others.
//! - `idle`: a box with calls and no packets, in hundredths of a processor.
//! - `growth`: the cost of a packet with 5,000 calls beside that with 100.
//!
//! Not here: crypto alone.

mod cost;
mod media;
#[path = "../../../../board/tests/namespaces/mod.rs"]
mod namespaces;
mod ng;
mod plan;
mod sim;
mod soak;
mod traffic;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use cost::Cost;
use media::Media;
use namespaces::Wire;
use ng::Rtpengine;
use plan::{Profile, calls};
use rustix::process::{Resource, getrlimit};
use traffic::{Outcome, Traffic};

use crate::line::{Line, median};
use crate::place::Place;

/// The cases, in the order in which they run.
pub(crate) const CASES: [&str; 11] = [
    "sockets/rtp-rtp",
    "sockets/rtp-srtp",
    "sockets/srtp-srtp",
    "af_xdp/rtp-rtp",
    "af_xdp/rtp-srtp",
    "af_xdp/srtp-srtp",
    "loads",
    "idle",
    "sim/srtp-rtp",
    "growth",
    SOAK,
];

/// Twenty minutes by itself: only where it is named.
const SOAK: &str = "soak";

/// Calls of a load, of which each is a hundred packets a second: 20 and 40 thousand.
const LOADS: [usize; 2] = [200, 400];
/// From a small office to more than two processors carry.
const SPREAD: [usize; 4] = [10, 100, 1_000, 5_000];
/// Files that are no call's.
const OTHER_FILES: u64 = 200;
/// Calls of an idle box.
const HELD: usize = 100;
const PAIRS: usize = 5;
/// Until both are warm: caches, neighbours, learnt sources.
const WARM: Duration = Duration::from_millis(700);
const WINDOW: Duration = Duration::from_secs(3);
/// Measures of the pipeline alone, each of 20,000 packets or two frames.
const ROUNDS: usize = 15;
/// The workers of the media process, by how their threads' names begin.
const WORKER: &str = "media-worker";

/// Runs these cases, all where none is named.
pub(crate) fn run(cases: &[&str]) {
    for case in CASES
        .iter()
        .filter(|case| (cases.is_empty() && **case != SOAK) || cases.contains(case))
    {
        eprintln!("bench: {case}");
        let both = |a, b| [a, b];
        match *case {
            "sockets/rtp-rtp" => sockets(case, both(Profile::Plain, Profile::Plain)),
            "sockets/rtp-srtp" => sockets(case, both(Profile::Plain, Profile::Keyed)),
            "sockets/srtp-srtp" => sockets(case, both(Profile::Keyed, Profile::Keyed)),
            "af_xdp/rtp-rtp" => af_xdp(case, both(Profile::Plain, Profile::Plain)),
            "af_xdp/rtp-srtp" => af_xdp(case, both(Profile::Plain, Profile::Keyed)),
            "af_xdp/srtp-srtp" => af_xdp(case, both(Profile::Keyed, Profile::Keyed)),
            "loads" => {
                let here = Surroundings::Loopback(IpAddr::V4(Ipv4Addr::LOCALHOST));
                for load in SPREAD {
                    compare(
                        "sockets/rtp-srtp",
                        load.min(most_calls()),
                        both(Profile::Plain, Profile::Keyed),
                        &here,
                    );
                }
            }
            "idle" => idle(case),
            "sim/srtp-rtp" => alone(case),
            SOAK => soak::run(),
            _ => growth(case),
        }
    }
}

/// Calls that the files a process may have are enough for: each side has two sockets, and there are a few others.
fn most_calls() -> usize {
    let files = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    usize::try_from(files.saturating_sub(OTHER_FILES) / 4).unwrap_or(usize::MAX)
}

fn sockets(case: &'static str, profile: [Profile; 2]) {
    let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
    for load in LOADS {
        compare(case, load, profile, &Surroundings::Loopback(here));
    }
}

fn af_xdp(case: &'static str, profile: [Profile; 2]) {
    match Wire::new() {
        Ok(wire) => {
            let surroundings = Surroundings::Wire(wire);
            for load in LOADS {
                compare(case, load, profile, &surroundings);
            }
        }
        Err(reason) => eprintln!("bench: {case} NOT MEASURED: {reason}"),
    }
}

/// Where parties and relay are.
enum Surroundings {
    Loopback(IpAddr),
    /// The relay is at the near end.
    Wire(Wire),
}

impl Surroundings {
    fn relay(&self) -> IpAddr {
        match self {
            Self::Loopback(here) => *here,
            Self::Wire(_) => IpAddr::from([10, 77, 0, 1]),
        }
    }

    fn sockets(&self) -> [std::net::UdpSocket; 2] {
        match self {
            Self::Loopback(here) => traffic::sockets(*here),
            Self::Wire(wire) => wire.far_away(|| traffic::sockets(IpAddr::from([10, 77, 0, 2]))),
        }
    }

    /// How the box is to take its packets.
    fn config(&self) -> Option<String> {
        match self {
            Self::Loopback(_) => None,
            Self::Wire(wire) => Some(format!(
                "version = 1\n[media]\naddress = \"{}\"\nports = \"20000-39999\"\npackets = \"af_xdp\"\ninterface = \"{}\"\n",
                self.relay(),
                wire.near()
            )),
        }
    }
}

/// One run of one relay.
#[derive(Debug, Clone, Copy)]
struct Run {
    outcome: Outcome,
    /// Microseconds for a packet: all, and of the worker alone what is the program's and the kernel's.
    all: f64,
    user: f64,
    kernel: f64,
}

fn compare(case: &'static str, load: usize, profile: [Profile; 2], surroundings: &Surroundings) {
    let mut ours = Vec::new();
    let mut theirs = Vec::new();
    for pair in 0..PAIRS {
        ours.push(ours_once(load, profile, surroundings));
        theirs.push(theirs_once(load, profile, surroundings));
        eprintln!(
            "bench: {case} {load} calls, pair {}: {:.2} us beside {:.2}",
            pair + 1,
            ours[pair].all,
            theirs[pair].all
        );
    }
    let middle =
        |runs: &[Run], value: fn(&Run) -> f64| median(&runs.iter().map(value).collect::<Vec<_>>());
    let by_frames = matches!(surroundings, Surroundings::Wire(_));
    let value = if by_frames {
        middle(&ours, |run| run.user)
    } else {
        middle(&ours, |run| run.all)
    };
    let peer = middle(&theirs, |run| run.all);
    let ratios: Vec<f64> = ours
        .iter()
        .zip(&theirs)
        .map(|(ours, theirs)| if by_frames { ours.user } else { ours.all } / theirs.all)
        .collect();
    let loss = |runs: &[Run]| {
        let sum =
            |part: fn(&Outcome) -> u64| runs.iter().map(|run| part(&run.outcome)).sum::<u64>();
        let sent = sum(|outcome| outcome.sent);
        (sent - sum(|outcome| outcome.received).min(sent)) as f64 / sent as f64
    };
    let ratio = median(&ratios);
    let mut line = Line::new("relay", case, value, "us")
        .beside("rtpengine", peer, ratio)
        .with("speedup", 2, 1.0 / ratio)
        .with("calls", 0, load as f64)
        .with("kpps", 0, load as f64 / 10.0)
        .with("loss", 6, loss(&ours))
        .with("peer_loss", 6, loss(&theirs))
        .with("p50_us", 0, middle(&ours, |run| run.outcome.p50))
        .with("p99_us", 0, middle(&ours, |run| run.outcome.p99))
        .with("peer_p50_us", 0, middle(&theirs, |run| run.outcome.p50))
        .with("peer_p99_us", 0, middle(&theirs, |run| run.outcome.p99));
    if by_frames {
        line = line
            .with("kernel_us", 2, middle(&ours, |run| run.kernel))
            .with("all_us", 2, middle(&ours, |run| run.all))
            .with(
                "speedup_with_kernel",
                2,
                peer / middle(&ours, |run| run.all),
            );
    }
    line.print();
}

fn ours_once(load: usize, profile: [Profile; 2], surroundings: &Surroundings) -> Run {
    let (_place, media, traffic) = ours(load, profile, surroundings);
    measure(traffic, media.id())
}

/// Our relay with so many calls, and their parties.
fn ours(
    load: usize,
    profile: [Profile; 2],
    surroundings: &Surroundings,
) -> (Place, Media, Traffic) {
    let place = Place::new("relay");
    let mut media = Media::start(&place, surroundings.config().as_deref());
    if surroundings.config().is_some() {
        let log = media.log();
        assert!(log.contains("packets come over AF_XDP"), "{log}");
    }
    let sockets = surroundings.sockets();
    let parties = [0, 1].map(|side: usize| sockets[side].local_addr().expect("bound"));
    let calls = calls(load, parties, SocketAddr::new(surroundings.relay(), 20_000));
    for (number, call) in calls.iter().enumerate() {
        media.connect(number, profile, call);
    }
    let traffic = Traffic::new(sockets, &calls, profile);
    (place, media, traffic)
}

fn theirs_once(load: usize, profile: [Profile; 2], surroundings: &Surroundings) -> Run {
    let place = Place::new("peer");
    let mut engine = Rtpengine::start(&place, surroundings.relay());
    let sockets = surroundings.sockets();
    let parties = [0, 1].map(|side: usize| sockets[side].local_addr().expect("bound"));
    let mut calls = calls(load, parties, SocketAddr::new(surroundings.relay(), 0));
    for (number, call) in calls.iter_mut().enumerate() {
        engine.connect(number, profile, call);
    }
    measure(Traffic::new(sockets, &calls, profile), engine.id())
}

/// What a box costs that has calls and hears nothing: hundredths of a processor.
fn idle(case: &'static str) {
    let here = Surroundings::Loopback(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let place = Place::new("relay");
    let mut media = Media::start(&place, None);
    let parties = here
        .sockets()
        .map(|socket| socket.local_addr().expect("bound"));
    let calls = calls(HELD, parties, SocketAddr::new(here.relay(), 20_000));
    for (number, call) in calls.iter().enumerate() {
        media.connect(number, [Profile::Plain, Profile::Keyed], call);
    }
    let shares: Vec<f64> = (0..PAIRS)
        .map(|_| {
            let before = Cost::of(media.id(), None);
            std::thread::sleep(WINDOW);
            let spent = Cost::of(media.id(), None).since(before).all;
            100.0 * spent.as_secs_f64() / WINDOW.as_secs_f64()
        })
        .collect();
    Line::new("relay", case, median(&shares), "%")
        .with("calls", 0, HELD as f64)
        .print();
}

fn measure(mut traffic: Traffic, process: u32) -> Run {
    traffic.run(WARM);
    let before = (Cost::of(process, None), Cost::of(process, Some(WORKER)));
    let outcome = traffic.run(WINDOW);
    let all = Cost::of(process, None).since(before.0);
    let (user, kernel) = Cost::of(process, Some(WORKER)).since(before.1).parts();
    let each = |seconds: f64| seconds * 1e6 / outcome.received.max(1) as f64;
    Run {
        outcome,
        all: each(all.all.as_secs_f64()),
        user: each(user),
        kernel: each(kernel),
    }
}

/// The median cost of a packet with so many calls, in nanoseconds.
fn nanoseconds(calls: usize) -> f64 {
    let mut load = sim::Load::new(calls);
    load.measure();
    let rounds: Vec<f64> = (0..ROUNDS).map(|_| load.measure()).collect();
    assert_eq!(load.relayed(), load.made(), "every packet is relayed");
    median(&rounds)
}

fn alone(case: &'static str) {
    let cost = nanoseconds(1_000);
    Line::new("relay", case, cost, "ns")
        .with("calls", 0, 1_000.0)
        .with("calls_per_core", 0, sim::calls_per_core(cost))
        .print();
}

fn growth(case: &'static str) {
    let ratios: Vec<(f64, f64)> = (0..PAIRS)
        .map(|_| (nanoseconds(5_000), nanoseconds(100)))
        .collect();
    let part = |take: fn(&(f64, f64)) -> f64| median(&ratios.iter().map(take).collect::<Vec<_>>());
    Line::new("relay", case, part(|(many, _)| *many), "ns")
        .with("calls", 0, 5_000.0)
        .with("few_ns", 1, part(|(_, few)| *few))
        .with("ratio", 3, part(|(many, few)| many / few))
        .print();
}
