//! SIPp as carrier on both sides of the box, over UDP and TCP: every call is answered and ended, and nothing is left behind.
//!
//! SIPp is Debian's `sip-tester`; it speaks its own SIP, so a mistake of ours is not confirmed by ourselves.
//!
//! Not here: TLS and SRTP, which this SIPp does not have (the lab plays Teams).
#![forbid(unsafe_code)]

use std::net::Ipv4Addr;
use std::time::Duration;

use tests::peers::{Peer, free_port};
use tests::place::Place;
use tests::running::Running;

const CALLER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 21);
const CALLEE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 22);

fn configuration(transport: &str, listens: u16, caller: u16, callee: u16, media: u16) -> String {
    format!(
        r#"
version = 1
[media]
address = "127.0.0.1"
ports = "{media}-{}"
[[listener]]
name = "trunks"
transport = "{transport}"
address = "127.0.0.1:{listens}"
[[trunk]]
name = "caller"
kind = "carrier"
listener = "trunks"
transport = "{transport}"
peers = ["{CALLER}:{caller}"]
sources = ["{CALLER}"]
[[trunk]]
name = "callee"
kind = "carrier"
listener = "trunks"
transport = "{transport}"
peers = ["{CALLEE}:{callee}"]
sources = ["{CALLEE}"]
[[route]]
name = "out"
from = ["caller"]
send_to = ["callee"]
"#,
        media + 999
    )
}

/// `calls` calls at `rate` a second, each `hold` ms long.
fn calls_cross(transport: &str, media: u16, calls: &str, rate: &str, hold: &str) {
    let (listens, caller, callee) = (
        free_port(Ipv4Addr::LOCALHOST),
        free_port(CALLER),
        free_port(CALLEE),
    );
    let running = Running::start(
        Place::new(&format!("sipp-{transport}")),
        &configuration(transport, listens, caller, callee, media),
    );
    let flag = if transport == "tcp" { "t1" } else { "u1" };
    let mut answers = Peer::sipp(
        running.place(),
        "callee",
        (CALLEE, callee),
        &["-sn", "uas", "-t", flag, "-m", calls],
    );
    let target = format!("127.0.0.1:{listens}");
    let mut places = Peer::sipp(
        running.place(),
        "caller",
        (CALLER, caller),
        &[
            "-sn",
            "uac",
            "-t",
            flag,
            "-s",
            "+13125550100",
            "-m",
            calls,
            "-r",
            rate,
            "-d",
            hold,
            &target,
        ],
    );
    let status = places.ended(Duration::from_secs(60));
    assert!(status.success(), "sipp says {status}: some call failed");
    let answered = answers.ended(Duration::from_secs(30));
    assert!(
        answered.success(),
        "sipp says {answered}: some call was not ended"
    );
    running.await_nothing_left(Duration::from_secs(20));
}

#[test]
fn calls_cross_over_udp() {
    calls_cross("udp", 25_000, "50", "25", "300");
}

#[test]
fn calls_cross_over_tcp() {
    calls_cross("tcp", 26_000, "30", "15", "300");
}
