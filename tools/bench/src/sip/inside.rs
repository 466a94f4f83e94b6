//! What a call costs the core alone: parsing, transactions, dialogs, routes, SDP, media's orders, the journal's records; no
//! kernel.
//!
//! The calls are first held with peers that write their messages as text, and everything the core was given is written down.
//! What is measured is the same core, same seed, given the same again: it says the same, and the peers cost nothing.
//!
//! Not here: sockets, encoding of orders and records, which the cases beside kamailio have.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use call::{Core, Input, Now, Output};
use config::Snapshot;
use embassy_time::{Duration, Instant};
use media_api::{Command, Event};
use sip::message::Message;
use sip::transport::{FlowId, ListenerId, Source, Transport};

use super::counted::{counted, instructions_in};
use super::line;
use crate::line::median;

const CALLER: &str = "127.0.0.21:5060";
const CALLEE: &str = "127.0.0.22:5060";
/// Between the messages of a call; the ending transactions of the calls before are worked off meanwhile.
const PACE: Duration = Duration::from_millis(10);

const CONFIGURATION: &str = r#"
version = 1
[media]
address = "127.0.0.1"
ports = "10000-59999"
[[listener]]
name = "trunks"
address = "127.0.0.1:5060"
transport = "udp"
[[trunk]]
name = "caller"
kind = "carrier"
listener = "trunks"
peers = ["127.0.0.21:5060"]
sources = ["127.0.0.21"]
transport = "udp"
[[trunk]]
name = "callee"
kind = "carrier"
listener = "trunks"
peers = ["127.0.0.22:5060"]
sources = ["127.0.0.22"]
transport = "udp"
[[route]]
name = "out"
from = ["caller"]
send_to = ["callee"]
"#;

const DESCRIPTION: &str = "v=0\r\no=- 53655765 2353687637 IN IP4 127.0.0.21\r\ns=-\r\nc=IN IP4 127.0.0.21\r\nt=0 0\r\n\
    m=audio 40000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n\
    a=fmtp:101 0-15\r\na=ptime:20\r\n";

/// The case's name.
pub(super) const CASE: &str = "call-inside";

const RUNS: usize = 11;
const IN_A_RUN: u32 = 500;

/// Measures the case and prints its lines.
pub(super) fn measure() {
    let calls = Calls::held(IN_A_RUN);
    let nanoseconds: Vec<f64> = (0..RUNS)
        .map(|_| {
            let mut core = calls.core();
            let begun = std::time::Instant::now();
            calls.replay_in_core(&mut core);
            begun.elapsed().as_nanos() as f64 / f64::from(IN_A_RUN)
        })
        .collect();
    let instructions = counted(CASE, (50, 150), |case, times| {
        instructions_in("replay_in_core", case, times)
    });
    line(CASE, median(&nanoseconds), "ns").print();
    line(CASE, instructions, "instructions").print();
}

/// For valgrind: holds so many calls, and gives all that the core was given to another.
pub(super) fn work(count: u32) {
    let calls = Calls::held(count);
    calls.replay_in_core(&mut calls.core());
}

/// Something the core was given.
enum Given {
    Datagram(Bytes, SocketAddr),
    Media(Event),
    Wake,
}

/// All that the core was given while it carried some calls.
struct Calls {
    given: Vec<(Instant, Given)>,
    snapshot: Arc<Snapshot>,
}

impl Calls {
    /// Holds so many calls, one after the other.
    fn held(count: u32) -> Self {
        let mut calls = Self {
            given: Vec::new(),
            snapshot: snapshot(),
        };
        let mut held = Held::new(&calls.snapshot);
        for number in 0..count {
            held.call(&mut calls.given, number);
        }
        calls
    }

    /// A core that has seen nothing of them.
    fn core(&self) -> Core {
        core(&self.snapshot)
    }

    /// Gives it all to a core. Never inlined: its name is what valgrind counts under.
    #[inline(never)]
    fn replay_in_core(&self, core: &mut Core) {
        for (at, given) in &self.given {
            core.handle(now(*at), given.input());
            while core.poll().is_some() {}
        }
    }
}

impl Given {
    fn input(&self) -> Input {
        match self {
            Self::Datagram(bytes, from) => Input::Sip {
                message: Message::parse(bytes.clone()).expect("peers here write well"),
                source: source(*from),
            },
            Self::Media(event) => Input::Media(event.clone()),
            Self::Wake => Input::Wake,
        }
    }
}

/// The core while the calls are held.
struct Held {
    core: Core,
    at: Instant,
    sent: Vec<(SocketAddr, String)>,
}

impl Held {
    fn new(snapshot: &Arc<Snapshot>) -> Self {
        Self {
            core: core(snapshot),
            at: start(),
            sent: Vec::new(),
        }
    }

    fn give(&mut self, log: &mut Vec<(Instant, Given)>, given: Given) {
        self.core.handle(now(self.at), given.input());
        log.push((self.at, given));
        while let Some(output) = self.core.poll() {
            let event = match output {
                Output::Transmit { target, bytes, .. } => {
                    let text = String::from_utf8(bytes.to_vec()).expect("text");
                    self.sent.push((target.remote, text));
                    continue;
                }
                Output::Media(Command::Remove(id)) => Event::Removed {
                    id,
                    statistics: Box::default(),
                },
                _ => continue,
            };
            self.give(log, Given::Media(event));
        }
    }

    fn say(&mut self, log: &mut Vec<(Instant, Given)>, from: &str, text: &str) {
        self.at += PACE;
        if self.core.deadline().is_some_and(|at| at <= self.at) {
            self.give(log, Given::Wake);
        }
        let from = from.parse().expect("an address");
        self.give(
            log,
            Given::Datagram(Bytes::copy_from_slice(text.as_bytes()), from),
        );
    }

    /// The last message that began so, to this peer.
    fn heard(&self, by: &str, start: &str) -> String {
        let by: SocketAddr = by.parse().expect("an address");
        let found = self.sent.iter().rev();
        found
            .filter(|(to, _)| *to == by)
            .map(|(_, text)| text)
            .find(|text| text.starts_with(start))
            .unwrap_or_else(|| panic!("{by} has not heard {start}: {:#?}", self.sent))
            .clone()
    }

    fn call(&mut self, log: &mut Vec<(Instant, Given)>, number: u32) {
        self.sent.clear();
        let from = format!("<sip:+12125550123@127.0.0.21>;tag=c{number}");
        let to = "<sip:+13125550100@127.0.0.1:5060>";
        self.say(log, CALLER, &request(&Words {
            line: "INVITE sip:+13125550100@127.0.0.1:5060",
            number,
            from: &from,
            to,
            cseq: "1 INVITE",
            more: "Contact: <sip:+12125550123@127.0.0.21:5060>\r\nSupported: timer\r\nAllow: INVITE, ACK, CANCEL, BYE, OPTIONS\r\n",
            body: DESCRIPTION,
        }));
        let invite = self.heard(CALLEE, "INVITE");
        self.say(log, CALLEE, &answer(&invite, "180 Ringing", number, ""));
        self.say(log, CALLEE, &answer(&invite, "200 OK", number, DESCRIPTION));
        let ok = self.heard(CALLER, "SIP/2.0 200");
        let target = header(&ok, "Contact").trim_matches(['<', '>']);
        let to = header(&ok, "To");
        let words = |line, cseq| Words {
            line,
            number,
            from: &from,
            to,
            cseq,
            more: "",
            body: "",
        };
        let (ack, bye) = (format!("ACK {target}"), format!("BYE {target}"));
        self.say(log, CALLER, &request(&words(&ack, "1 ACK")));
        self.say(log, CALLER, &request(&words(&bye, "2 BYE")));
        let bye = self.heard(CALLEE, "BYE");
        self.say(log, CALLEE, &answer(&bye, "200 OK", number, ""));
        self.heard(CALLER, "SIP/2.0 200");
    }
}

struct Words<'a> {
    line: &'a str,
    number: u32,
    from: &'a str,
    to: &'a str,
    cseq: &'a str,
    more: &'a str,
    body: &'a str,
}

fn request(words: &Words<'_>) -> String {
    let Words {
        line,
        number,
        from,
        to,
        cseq,
        more,
        body,
    } = words;
    let branch = cseq.replace(' ', "");
    let kind = content_type(body);
    format!(
        "{line} SIP/2.0\r\nVia: SIP/2.0/UDP {CALLER};branch=z9hG4bK-{number}-{branch};rport\r\nMax-Forwards: 70\r\n\
         From: {from}\r\nTo: {to}\r\nCall-ID: {number}-53655765@127.0.0.21\r\nCSeq: {cseq}\r\n{more}{kind}\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn answer(request: &str, status: &str, number: u32, body: &str) -> String {
    let to = header(request, "To");
    let tag = if to.contains(";tag=") {
        String::new()
    } else {
        format!(";tag=u{number}")
    };
    let kind = content_type(body);
    format!(
        "SIP/2.0 {status}\r\nVia: {}\r\nFrom: {}\r\nTo: {to}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\nContact: <sip:{CALLEE}>\r\n\
         {kind}Content-Length: {}\r\n\r\n{body}",
        header(request, "Via"),
        header(request, "From"),
        header(request, "Call-ID"),
        header(request, "CSeq"),
        body.len()
    )
}

fn content_type(body: &str) -> &'static str {
    if body.is_empty() {
        ""
    } else {
        "Content-Type: application/sdp\r\n"
    }
}

fn header<'a>(text: &'a str, name: &str) -> &'a str {
    text.lines()
        .filter_map(|line| line.split_once(": "))
        .find_map(|(found, value)| (found == name).then_some(value))
        .unwrap_or_else(|| panic!("no {name} in {text}"))
}

fn source(remote: SocketAddr) -> Source {
    Source {
        flow: FlowId(1),
        listener: ListenerId(0),
        transport: Transport::Udp,
        local: "127.0.0.1:5060".parse().expect("an address"),
        remote,
        tls: None,
    }
}

fn snapshot() -> Arc<Snapshot> {
    config::parse(CONFIGURATION)
        .expect("a configuration without faults")
        .snapshot()
}

fn core(snapshot: &Arc<Snapshot>) -> Core {
    let mut core = Core::new(Arc::clone(snapshot), [7; 32], now(start()));
    core.handle(now(start()), Input::MediaUp);
    while core.poll().is_some() {}
    core
}

fn start() -> Instant {
    Instant::from_secs(1_000)
}

fn now(instant: Instant) -> Now {
    Now {
        instant,
        wall: 1_800_000_000 + instant.as_secs(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_again_gives_the_same_calls() {
        let calls = Calls::held(20);
        let mut core = calls.core();
        calls.replay_in_core(&mut core);
        let census = core.census();
        assert_eq!((census.calls, census.dialogs), (0, 0), "{census:?}");
        assert!(census.servers > 20, "their transactions linger: {census:?}");
    }
}
