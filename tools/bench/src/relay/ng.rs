//! rtpengine as a relay: started for user space alone, told its calls over its `ng` protocol.
//!
//! Requests are bencoded dictionaries behind a cookie; of the answers the SDP is all that is wanted, and of the SDP the port and
//! the key.
//!
//! Not here: what goes over the calls (`traffic.rs`).

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::process::Command;
use std::time::Duration;

use super::plan::{Call, KEY_OCTETS, Profile, base64, from_base64};
use crate::place::Place;
use crate::process::Process;

const SUITE: &str = "AES_CM_128_HMAC_SHA1_80";
const PATIENCE: Duration = Duration::from_secs(5);

/// A running rtpengine.
pub(super) struct Rtpengine {
    process: Process,
    socket: UdpSocket,
    cookie: u32,
}

impl Rtpengine {
    /// With two threads, as many as there are processors here, in the network of this thread.
    pub(super) fn start(place: &Place, here: IpAddr) -> Self {
        let socket = UdpSocket::bind((here, 0)).expect("a port");
        socket
            .set_read_timeout(Some(Duration::from_millis(200)))
            .expect("a socket has timeouts");
        let control = crate::place::free_port(std::net::Ipv4Addr::LOCALHOST);
        let control = SocketAddr::new(here, control);
        let process = Process::start(
            "rtpengine",
            place.path(),
            Command::new("rtpengine").args([
                "--config-file=none",
                "--foreground",
                "--log-stderr",
                "--log-level=4",
                "--table=-1",
                "--num-threads=2",
                "--port-min=24000",
                "--port-max=59998",
                &format!("--interface={here}"),
                &format!("--listen-ng={control}"),
            ]),
        );
        socket.connect(control).expect("an address");
        let mut engine = Self {
            process,
            socket,
            cookie: 0,
        };
        let until = std::time::Instant::now() + PATIENCE;
        while engine.try_ask("d7:command4:pinge").is_none() {
            assert!(
                std::time::Instant::now() < until,
                "rtpengine does not answer:\n{}",
                engine.process.log_end()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        engine
    }

    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Sets a call up and learns from rtpengine where its sides send to and what they are sent with.
    pub(super) fn connect(&mut self, number: usize, profile: [Profile; 2], call: &mut Call) {
        let transport = protocol(profile[1]);
        let offer = sdp(profile[0], call.sides[0].here, &call.sides[0].sends_with, 1);
        let answer = self.ask(&format!(
            "d7:command5:offer7:call-id{}8:from-tag1:a3:sdp{}18:transport-protocol{}3:ICE6:remove4:DTLS3:off5:flagsl13:trust-addressee",
            text(&format!("c{number}")),
            text(&offer),
            text(transport),
        ));
        let (port, tag, key) = read(&answer, profile[1]);
        call.sides[1].learn(port, key);
        let reply = sdp(
            profile[1],
            call.sides[1].here,
            &call.sides[1].sends_with,
            tag,
        );
        let answer = self.ask(&format!(
            "d7:command6:answer7:call-id{}8:from-tag1:a6:to-tag1:b3:sdp{}18:transport-protocol{}3:ICE6:remove4:DTLS3:off5:flagsl13:trust-addressee",
            text(&format!("c{number}")),
            text(&reply),
            text(protocol(profile[0])),
        ));
        let (port, _, key) = read(&answer, profile[0]);
        call.sides[0].learn(port, key);
    }

    fn ask(&mut self, request: &str) -> String {
        for _ in 0..20 {
            if let Some(answer) = self.try_ask(request) {
                assert!(answer.contains("6:result2:ok"), "{request}\n{answer}");
                return answer;
            }
        }
        panic!("rtpengine is silent:\n{}", self.process.log_end());
    }

    fn try_ask(&mut self, request: &str) -> Option<String> {
        self.cookie += 1;
        let cookie = format!("{} ", self.cookie);
        self.socket
            .send(format!("{cookie}{request}").as_bytes())
            .ok()?;
        let mut buffer = [0; 8_192];
        loop {
            let length = self.socket.recv(&mut buffer).ok()?;
            let answer = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if let Some(answer) = answer.strip_prefix(&cookie) {
                return Some(answer.to_owned());
            }
        }
    }
}

/// As bencode writes it.
fn text(value: &str) -> String {
    format!("{}:{value}", value.len())
}

fn protocol(profile: Profile) -> &'static str {
    match profile {
        Profile::Plain => "RTP/AVP",
        Profile::Keyed => "RTP/SAVP",
    }
}

fn sdp(profile: Profile, here: SocketAddr, key: &[u8; KEY_OCTETS], tag: u32) -> String {
    let (ip, port, protocol) = (here.ip(), here.port(), protocol(profile));
    let crypto = match profile {
        Profile::Plain => String::new(),
        Profile::Keyed => format!("a=crypto:{tag} {SUITE} inline:{}\r\n", base64(key)),
    };
    format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} {protocol} 8\r\na=rtpmap:8 PCMA/8000\r\n{crypto}a=sendrecv\r\n"
    )
}

/// Port, tag of the suite and key in the SDP of an answer.
fn read(answer: &str, profile: Profile) -> (u16, u32, Option<[u8; KEY_OCTETS]>) {
    let port = answer
        .split_once("m=audio ")
        .and_then(|(_, rest)| rest.split(' ').next()?.parse().ok())
        .unwrap_or_else(|| panic!("no port in {answer}"));
    if profile == Profile::Plain {
        return (port, 1, None);
    }
    let line = answer
        .lines()
        .filter_map(|line| line.split_once("a=crypto:"))
        .map(|(_, rest)| rest)
        .find(|rest| rest.split(' ').nth(1) == Some(SUITE));
    let (tag, key) = line
        .and_then(|line| {
            let tag = line.split(' ').next()?.parse().ok()?;
            let (_, key) = line.split_once("inline:")?;
            Some((tag, from_base64(key.split(['|', ' ']).next()?)?))
        })
        .unwrap_or_else(|| panic!("no key in {answer}"));
    (port, tag, Some(key))
}
