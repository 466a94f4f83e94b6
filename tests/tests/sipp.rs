//! SIPp as carrier on both sides of the box, over UDP and TCP: every call is answered and ended, and nothing is left behind. What
//! the caller says is sent back by the callee's SIPp, and is heard again by the caller, through the box twice.
//!
//! SIPp signals on both sides and echoes the audio on the callee's; the caller's audio is this test, which learns from SIPp where the
//! box listens and counts what comes back, call by call.
//!
//! Not here: TLS and SRTP, which this SIPp does not have.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};
use std::{fs, io};

use tests::peers::{Peer, free_port};
use tests::place::Place;
use tests::running::Running;
use tests::scenario::{Side, Step, scenario};

const CALLER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 23);
const CALLEE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 24);

/// An audio packet of 20 ms of silence is 172 bytes long.
const RTP_BYTES: usize = 172;

/// Between whom calls go, and over what.
struct Network {
    transport: &'static str,
    /// Media's address as it stands in the file, and the one that the caller speaks with.
    media: &'static str,
    near_caller: Ipv4Addr,
    callee: IpAddr,
}

impl Network {
    const fn over(transport: &'static str, media: &'static str, near_caller: Ipv4Addr) -> Self {
        Self {
            transport,
            media,
            near_caller,
            callee: IpAddr::V4(CALLEE),
        }
    }

    /// The box's address towards the callee.
    fn near_callee(&self) -> IpAddr {
        match self.callee {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        }
    }

    fn configuration(&self, [listens, calls, caller, callee]: [u16; 4]) -> String {
        let Self {
            transport, media, ..
        } = self;
        let calls = SocketAddr::new(self.near_callee(), calls);
        let (callee, callee_at) = (SocketAddr::new(self.callee, callee), self.callee);
        format!(
            r#"
version = 1
[media]
address = {media}
ports = "24000-25999"
[[listener]]
name = "callers"
transport = "{transport}"
address = "127.0.0.1:{listens}"
[[listener]]
name = "callees"
transport = "{transport}"
address = "{calls}"
[[trunk]]
name = "caller"
kind = "carrier"
listener = "callers"
transport = "{transport}"
peers = ["{CALLER}:{caller}"]
sources = ["{CALLER}"]
[[trunk]]
name = "callee"
kind = "carrier"
listener = "callees"
transport = "{transport}"
peers = ["{callee}"]
sources = ["{callee_at}"]
[[route]]
name = "out"
from = ["caller"]
send_to = ["callee"]
"#
        )
    }
}

/// What one call's caller has said and heard.
#[derive(Default)]
struct Spoken {
    sent: u16,
    heard: u16,
    next: Option<Instant>,
}

fn packet(number: u16) -> [u8; RTP_BYTES] {
    let mut packet = [0xff; RTP_BYTES];
    packet[..2].copy_from_slice(&[0x80, 0]);
    packet[2..4].copy_from_slice(&number.to_be_bytes());
    packet[4..8].copy_from_slice(&(u32::from(number) * 160).to_be_bytes());
    packet[8..12].copy_from_slice(&0x0b0b_0b0b_u32.to_be_bytes());
    packet
}

/// How many calls, how fast, and how they speak.
struct Load {
    calls: usize,
    rate: usize,
    /// How long each is up.
    hold: Duration,
    /// Packets that each caller says, and how far apart.
    packets: u16,
    apart: Duration,
}

/// Every call is set up and ended, and of each at least `must_hear` packets come back.
fn audio_comes_back(network: &Network, load: &Load, must_hear: u16) {
    let (listens, caller, callee) = (
        free_port(Ipv4Addr::LOCALHOST),
        free_port(CALLER),
        free_port(network.callee),
    );
    let calls = loop {
        let calls = free_port(network.near_callee());
        if calls != listens {
            break calls;
        }
    };
    let running = Running::start(
        Place::new(&format!("sipp-audio-{}", network.transport)),
        &network.configuration([listens, calls, caller, callee]),
    );
    let place = running.place();
    let audio = UdpSocket::bind((CALLER, 0)).expect("a port");
    audio
        .set_read_timeout(Some(Duration::from_millis(5)))
        .expect("a time");
    let audio_port = audio.local_addr().expect("bound").port();
    place.write(
        "caller.xml",
        &scenario(
            Side::Caller,
            &audio_port.to_string(),
            &[Step::Stays, Step::Ends],
        ),
    );

    let flag = if network.transport == "tcp" {
        "t1"
    } else {
        "u1"
    };
    let calls = load.calls.to_string();
    let callee_address = network.callee.to_string();
    let echo = free_port(network.callee).to_string();
    #[rustfmt::skip]
    let mut answers = Peer::sipp(place, "callee", (network.callee, callee), &[
        "-sn", "uas", "-t", flag, "-m", &calls, "-rtp_echo", "-mi", &callee_address, "-mp", &echo,
    ]);
    let (rate, hold) = (load.rate.to_string(), load.hold.as_millis().to_string());
    let target = format!("127.0.0.1:{listens}");
    #[rustfmt::skip]
    let mut places = Peer::sipp(place, "caller", (CALLER, caller), &[
        "-sf", "caller.xml", "-t", flag, "-m", &calls, "-r", &rate, "-d", &hold,
        "-trace_logs", "-log_file", "audio.log", &target,
    ]);

    let mut spoken = Vec::<(u16, Spoken)>::new();
    let mut heard = HashMap::<u16, u16>::new();
    let mut buffer = [0; 2_048];
    let until = Instant::now() + Duration::from_secs(60);
    while places.runs() {
        assert!(Instant::now() < until, "the calls do not end");
        let log = fs::read_to_string(place.path().join("audio.log")).unwrap_or_default();
        let ports = log
            .split_inclusive('\n')
            .filter_map(|line| line.strip_suffix('\n'))
            .filter_map(|line| line.split_once("audio at ")?.1.trim().parse::<u16>().ok());
        for port in ports.skip(spoken.len()).collect::<Vec<_>>() {
            spoken.push((port, Spoken::default()));
        }
        let now = Instant::now();
        for (port, call) in &mut spoken {
            if call.sent < load.packets && call.next.is_none_or(|next| next <= now) {
                audio
                    .send_to(
                        &packet(call.sent),
                        SocketAddr::from((network.near_caller, *port)),
                    )
                    .expect("sent");
                call.sent += 1;
                call.next = Some(now + load.apart);
            }
        }
        // Bounded, so that what comes does not keep from speaking.
        for _ in 0..64 {
            match audio.recv_from(&mut buffer) {
                Ok((RTP_BYTES, from)) => *heard.entry(from.port()).or_default() += 1,
                Ok(_) => {}
                Err(error) => {
                    assert!(
                        matches!(
                            error.kind(),
                            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                        ),
                        "{error}"
                    );
                    break;
                }
            }
        }
    }
    for (port, call) in &mut spoken {
        call.heard = heard.get(port).copied().unwrap_or(0);
    }
    let status = places.ended(Duration::from_secs(1));
    assert!(status.success(), "sipp says {status}: some call failed");
    let answered = answers.ended(Duration::from_secs(30));
    assert!(
        answered.success(),
        "sipp says {answered}: some call was not ended"
    );
    assert_eq!(spoken.len(), load.calls, "every call was told of");
    for (port, call) in &spoken {
        assert!(
            call.heard >= must_hear && call.heard <= call.sent,
            "the call at {port} said {} packets and heard {}",
            call.sent,
            call.heard
        );
    }
    running.await_nothing_left(Duration::from_secs(20));
    assert_kept(&running, load.calls);
    let sounds = running
        .ask(r#"{"query":"sounds"}"#)
        .expect("control answers");
    let legs = sounds.as_array().expect("a list");
    assert_eq!(legs.len(), (2 * load.calls).min(200), "both legs of each");
    for leg in legs {
        let from = &leg["from_party"];
        let is_rated = from["mos"].as_f64().is_some_and(|mos| mos > 1.0);
        assert!(from["packets"] != 0 && is_rated, "{leg}");
    }
}

/// Every call can be looked at afterwards: the messages of both legs, and what was decided.
fn assert_kept(running: &Running, calls: usize) {
    let until = Instant::now() + Duration::from_secs(20);
    let history = loop {
        let history = running
            .ask(r#"{"history":{"text":"13125550100","most":1000}}"#)
            .expect("control answers");
        if history["calls"].as_array().map(Vec::len) == Some(calls) {
            break history;
        }
        assert!(Instant::now() < until, "not all calls are kept: {history}");
        std::thread::sleep(Duration::from_millis(200));
    };
    let call = &history["calls"][0];
    assert_eq!(call["ending"], "caller_hung_up", "{call}");
    assert_eq!(call["call_ids"].as_array().map(Vec::len), Some(2), "{call}");
    let ladder = running
        .ask(&format!(r#"{{"ladder":{{"call":{}}}}}"#, call["call"]))
        .expect("control answers");
    let items = ladder["items"].as_array().expect("a list");
    let count = |leg: u8, way: &str, start: &str| {
        let fits = |item: &&serde_json::Value| {
            item["leg"] == leg
                && item["way"] == way
                && item["text"]
                    .as_str()
                    .is_some_and(|text| text.starts_with(start))
        };
        items.iter().filter(fits).count()
    };
    for (leg, way, start) in [
        (0, "received", "INVITE"),
        (0, "sent", "SIP/2.0 200"),
        (0, "received", "ACK"),
        (0, "received", "BYE"),
        (1, "sent", "INVITE"),
        (1, "received", "SIP/2.0 200"),
        (1, "sent", "BYE"),
    ] {
        assert!(
            count(leg, way, start) > 0,
            "{start} {way} on {leg}: {ladder}"
        );
    }
    for event in ["started", "trying", "answered", "sounded", "ended"] {
        let is_told = items.iter().any(|item| item["told"]["event"] == event);
        assert!(is_told, "{event}: {ladder}");
    }
}

/// Few calls that speak as calls do: all but a packet or so comes back.
const CONVERSATION: Load = Load {
    calls: 10,
    rate: 10,
    hold: Duration::from_millis(2_000),
    packets: 50,
    apart: Duration::from_millis(20),
};

#[test]
fn what_a_caller_says_comes_back_over_udp() {
    let network = Network::over("udp", r#""127.0.0.25""#, Ipv4Addr::new(127, 0, 0, 25));
    audio_comes_back(&network, &CONVERSATION, 45);
}

#[test]
fn what_a_caller_says_comes_back_over_tcp() {
    let network = Network::over("tcp", r#""127.0.0.26""#, Ipv4Addr::new(127, 0, 0, 26));
    audio_comes_back(&network, &CONVERSATION, 45);
}

#[test]
fn what_a_caller_says_over_ipv4_comes_back_over_ipv6() {
    let network = Network {
        callee: Ipv6Addr::LOCALHOST.into(),
        ..Network::over(
            "udp",
            r#"["127.0.0.28", "::1"]"#,
            Ipv4Addr::new(127, 0, 0, 28),
        )
    };
    audio_comes_back(&network, &CONVERSATION, 45);
}

#[test]
fn two_hundred_calls_at_fifty_a_second_are_all_heard_and_leave_nothing() {
    let load = Load {
        calls: 200,
        rate: 50,
        hold: Duration::from_millis(3_000),
        packets: 10,
        apart: Duration::from_millis(100),
    };
    let network = Network::over("udp", r#""127.0.0.27""#, Ipv4Addr::new(127, 0, 0, 27));
    audio_comes_back(&network, &load, 5);
}
