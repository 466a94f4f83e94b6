//! What a call costs the box, beside what it costs kamailio as a stateful proxy that stays in the path.
//!
//! CPU, user and system, of all processes of each, for complete calls: INVITE, 100, 180, 200, ACK, BYE, 200. The two take the
//! same load turn by turn, while both run; each turn lasts until a moment after its last call. The box also opens and closes
//! the ports of the audio, which a proxy leaves to others: that is counted with it.
//!
//! Not here: latency, and calls with audio.

use std::thread;
use std::time::Duration;

use super::bridge::Bridge;
use super::contender::{Contender, Transport};
use super::line;
use super::load::{CALLEE, Load};
use crate::line::median;
use crate::place::{Place, free_port};

const PAIRS: usize = 5;
const CALLS: u32 = 2_000;
const A_SECOND: u32 = 250;
const WARM_UP: u32 = 300;
/// What is still done when the last call is over belongs to it.
const MOMENT: Duration = Duration::from_secs(1);

/// Compares the two and prints the line.
pub(super) fn compare(case: &'static str, transport: Transport) {
    let place = Place::new(case);
    let bridge = match transport {
        Transport::Udp => None,
        Transport::Tls => Some(Bridge::start()),
    };
    let answers = bridge
        .as_ref()
        .map_or_else(|| free_port(CALLEE), Bridge::answers);
    let ours = Contender::postern(&place, transport, answers, bridge.as_ref());
    let theirs = Contender::kamailio(&place, transport, answers, bridge.as_ref());
    let turn = |contender: &Contender, calls| {
        if let Some(bridge) = &bridge {
            bridge.lead_to(contender.address());
        }
        let before = contender.cpu();
        Load {
            calls,
            a_second: A_SECOND,
            holds: Duration::from_millis(500),
        }
        .cross(&place, contender.address(), answers, bridge.as_ref());
        thread::sleep(MOMENT);
        (contender.cpu() - before).as_secs_f64() * 1e6 / f64::from(calls)
    };
    turn(&ours, WARM_UP);
    turn(&theirs, WARM_UP);
    let (mut mine, mut others, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for pair in 1..=PAIRS {
        let (our_cost, their_cost) = (turn(&ours, CALLS), turn(&theirs, CALLS));
        eprintln!("bench: {case}: pair {pair}: {our_cost:.0} us, kamailio {their_cost:.0} us");
        mine.push(our_cost);
        others.push(their_cost);
        ratios.push(our_cost / their_cost);
    }
    line(case, median(&mine), "us/call")
        .beside("kamailio", median(&others), median(&ratios))
        .print();
}
