//! A box in simulated time between two peers who speak plain text.
//!
//! The peers build and read their messages as text, with nothing of the firmware's SIP code, so that a mistake of the
//! stack is not made twice. Everything that the core sends lands in `sent`; a test takes it from there with
//! [`Lab::expect`], which prints the whole dialogue when something else came.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file uses a part of the kit, as a module of its own"
)]

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use call::api::{Census, Event};
use call::{Core, Input, Now, Output};
use embassy_time::{Duration, Instant};
use sip::message::Message;
use sip::transport::{FlowId, ListenerId, Source, TlsPeer, Transport};

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Microsoft, over TLS.
    Teams,
    /// The carrier, over UDP.
    Carrier,
}

/// A message as text.
#[derive(Debug, Clone)]
pub struct Text {
    pub text: String,
    pub to: Option<SocketAddr>,
    pub flow: Option<FlowId>,
}

impl Text {
    pub fn start(&self) -> &str {
        self.text.lines().next().unwrap_or_default()
    }

    pub fn method(&self) -> &str {
        self.start().split(' ').next().unwrap_or_default()
    }

    pub fn uri(&self) -> &str {
        self.start().split(' ').nth(1).unwrap_or_default()
    }

    pub fn status(&self) -> Option<u16> {
        let mut words = self.start().split(' ');
        (words.next() == Some("SIP/2.0")).then(|| words.next()?.parse().ok())?
    }

    /// Every value of a header, whole.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let head = self.text.split("\r\n\r\n").next().unwrap_or_default();
        head.split("\r\n")
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .filter(|(n, _)| n.trim().eq_ignore_ascii_case(name))
            .map(|(_, v)| v.trim())
            .collect()
    }

    pub fn header(&self, name: &str) -> &str {
        self.all(name)
            .first()
            .copied()
            .unwrap_or_else(|| panic!("no {name} in:\n{}", self.text))
    }

    pub fn has(&self, name: &str) -> bool {
        !self.all(name).is_empty()
    }

    pub fn body(&self) -> &str {
        self.text
            .split_once("\r\n\r\n")
            .map_or("", |(_, body)| body)
    }

    /// The value of a `tag` parameter of From or To.
    pub fn tag(&self, name: &str) -> Option<String> {
        self.header(name)
            .split(";tag=")
            .nth(1)
            .map(|t| t.split(';').next().unwrap_or_default().to_owned())
    }

    /// The URI between the angle brackets of a header.
    pub fn uri_of(&self, name: &str) -> &str {
        let value = self.header(name);
        value.split_once('<').map_or(value, |(_, rest)| {
            rest.split_once('>').map_or(rest, |(uri, _)| uri)
        })
    }

    /// A response to this request, with the To-tag of the answerer.
    pub fn response(&self, status: &str, tag: &str, extra: &str, body: &str) -> String {
        let mut out = format!("SIP/2.0 {status}\r\n");
        for via in self.all("Via") {
            out.push_str(&format!("Via: {via}\r\n"));
        }
        for route in self.all("Record-Route") {
            out.push_str(&format!("Record-Route: {route}\r\n"));
        }
        let to = self.header("To");
        let to = if to.contains(";tag=") || tag.is_empty() {
            to.to_owned()
        } else {
            format!("{to};tag={tag}")
        };
        out.push_str(&format!(
            "From: {}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {}\r\n{extra}",
            self.header("From"),
            self.header("Call-ID"),
            self.header("CSeq")
        ));
        if !body.is_empty() {
            out.push_str("Content-Type: application/sdp\r\n");
        }
        out.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        out
    }
}

/// A dialog as one of the peers sees it.
#[derive(Debug, Clone)]
pub struct Party {
    pub side: Side,
    pub call_id: String,
    pub local: String,
    pub remote: String,
    pub target: String,
    pub cseq: u32,
    pub routes: Vec<String>,
}

impl Party {
    /// The peer was called: from our INVITE (`invite`) and the tag it answered with.
    pub fn called(side: Side, invite: &Text, tag: &str) -> Self {
        Self {
            side,
            call_id: invite.header("Call-ID").to_owned(),
            local: format!("{};tag={tag}", invite.header("To")),
            remote: invite.header("From").to_owned(),
            target: invite.uri_of("Contact").to_owned(),
            cseq: 100,
            routes: Vec::new(),
        }
    }

    /// The peer called: from its INVITE and our 200.
    pub fn calling(side: Side, ok: &Text) -> Self {
        Self {
            side,
            call_id: ok.header("Call-ID").to_owned(),
            local: ok.header("From").to_owned(),
            remote: ok.header("To").to_owned(),
            target: ok.uri_of("Contact").to_owned(),
            cseq: 1,
            routes: Vec::new(),
        }
    }

    /// A request in this dialog.
    pub fn request(&mut self, method: &str, extra: &str, body: &str) -> String {
        if method != "ACK" {
            self.cseq += 1;
        }
        let (via, contact) = match self.side {
            Side::Teams => (
                "SIP/2.0/TLS 127.0.0.2:5061",
                "<sip:api-du-a-euwe.pstnhub.microsoft.com:443;x-i=11111111-2222-4333-8444-555555555555>",
            ),
            Side::Carrier => ("SIP/2.0/UDP 127.0.0.9:5070", "<sip:carrier@127.0.0.9:5070>"),
        };
        let mut out = format!(
            "{method} {} SIP/2.0\r\nVia: {via};branch=z9hG4bK{}{}{}\r\nMax-Forwards: 70\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {} {method}\r\nContact: {contact}\r\n{extra}",
            self.target,
            method.to_lowercase(),
            self.cseq,
            self.call_id.len(),
            self.local,
            self.remote,
            self.call_id,
            self.cseq,
        );
        if !body.is_empty() {
            out.push_str("Content-Type: application/sdp\r\n");
        }
        out.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        out
    }

    /// The ACK to a 2xx of the last INVITE.
    pub fn ack(&mut self, body: &str) -> String {
        self.request("ACK", "", body)
    }
}

/// The box between its peers.
pub struct Lab {
    pub core: Core,
    pub now: Now,
    pub sent: VecDeque<(Side, Text)>,
    pub media: Vec<media_api::Command>,
    pub events: Vec<Event>,
    pub journal: Vec<call::journal::Record>,
    transcript: Vec<String>,
}

pub const CONFIG: &str = include_str!("box.toml");

impl Lab {
    pub fn new() -> Self {
        Self::with(CONFIG)
    }

    pub fn with(config: &str) -> Self {
        let now = Now {
            instant: Instant::from_secs(1_000),
            wall: 1_800_000_000,
        };
        let mut core = Core::new(snapshot(config), [7; 32], now);
        core.handle(now, Input::MediaUp);
        let mut lab = Self {
            core,
            now,
            sent: VecDeque::new(),
            media: Vec::new(),
            events: Vec::new(),
            journal: Vec::new(),
            transcript: Vec::new(),
        };
        lab.drain();
        // The probes of the trunks are not what these tests are about: answer them.
        lab.answer_probes();
        lab
    }

    /// Answer every OPTIONS that waits.
    pub fn answer_probes(&mut self) {
        let probes: Vec<_> = self
            .sent
            .iter()
            .filter(|(_, m)| m.method() == "OPTIONS")
            .cloned()
            .collect();
        self.sent.retain(|(_, m)| m.method() != "OPTIONS");
        for (side, probe) in probes {
            let answer = probe.response("200 OK", "o", "", "");
            self.from(side, &answer);
        }
    }

    fn source(side: Side) -> Source {
        match side {
            Side::Teams => Source {
                flow: FlowId(2),
                listener: ListenerId(1),
                transport: Transport::Tls,
                local: "127.0.0.1:5061".parse().expect("an address"),
                remote: "127.0.0.2:40000".parse().expect("an address"),
                tls: Some(Arc::new(TlsPeer {
                    server_name: Some("sbc1.contoso.example".to_owned()),
                    names: vec!["sip.pstnhub.microsoft.com".to_owned()],
                })),
            },
            Side::Carrier => Source {
                flow: FlowId(1),
                listener: ListenerId(0),
                transport: Transport::Udp,
                local: "127.0.0.1:5060".parse().expect("an address"),
                remote: "127.0.0.9:5070".parse().expect("an address"),
                tls: None,
            },
        }
    }

    /// A peer says something.
    pub fn from(&mut self, side: Side, text: &str) {
        self.transcript.push(format!("{side:?} ->\n{text}"));
        let message = Message::parse(Bytes::copy_from_slice(text.as_bytes()))
            .expect("the peer's message parses");
        self.core.handle(
            self.now,
            Input::Sip {
                message,
                source: Self::source(side),
            },
        );
        self.drain();
    }

    /// Something else happens.
    pub fn input(&mut self, input: Input) {
        self.core.handle(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.core.poll() {
            match output {
                Output::Transmit { target, bytes, .. } => {
                    let side = if target.remote.ip().to_string() == "127.0.0.9" {
                        Side::Carrier
                    } else {
                        Side::Teams
                    };
                    let text = String::from_utf8(bytes.to_vec()).expect("text");
                    self.transcript
                        .push(format!("-> {side:?} {}\n{text}", target.remote));
                    self.sent.push_back((
                        side,
                        Text {
                            text,
                            to: Some(target.remote),
                            flow: target.flow,
                        },
                    ));
                }
                Output::Resolve(question) => {
                    panic!("the configuration answers {question:?} by itself")
                }
                Output::Media(command) => self.media.push(command),
                Output::Event(event) => {
                    self.transcript.push(format!("* {event:?}"));
                    self.events.push(event);
                }
                Output::Journal(record) => self.journal.push(record),
            }
        }
    }

    /// Let time pass, waking the core when it asks.
    pub fn pass(&mut self, time: Duration) {
        let until = self.now.instant + time;
        while let Some(at) = self.core.deadline().filter(|at| *at <= until) {
            self.now.instant = self.now.instant.max(at);
            self.core.handle(self.now, Input::Wake);
            self.drain();
            self.answer_probes();
        }
        self.now.instant = until;
        self.now.wall += time.as_secs();
        self.transcript
            .push(format!("--- {} ms pass", time.as_millis()));
    }

    /// The next message to `side`; it must begin with `start` (a method, or a status code).
    #[track_caller]
    pub fn expect(&mut self, side: Side, start: &str) -> Text {
        let Some(at) = self.sent.iter().position(|(s, _)| *s == side) else {
            panic!(
                "nothing was sent to {side:?}, expected {start}\n{}",
                self.transcript.join("\n")
            );
        };
        let (_, text) = self.sent.remove(at).expect("just found");
        let line = text.start().to_owned();
        let found = line.strip_prefix("SIP/2.0 ").unwrap_or(&line);
        assert!(
            found.starts_with(start),
            "expected {start} to {side:?}, found {line}\n{}",
            self.transcript.join("\n")
        );
        text
    }

    /// Nothing waits to be read by `side`.
    #[track_caller]
    pub fn quiet(&self, side: Side) {
        if let Some((_, text)) = self.sent.iter().find(|(s, _)| *s == side) {
            panic!(
                "unexpected to {side:?}: {}\n{}",
                text.start(),
                self.transcript.join("\n")
            );
        }
    }

    /// After the last transactions have lingered: nothing of any call is left.
    #[track_caller]
    pub fn nothing_left(&mut self) {
        self.sent.clear();
        // Longer than timers D, H, I, J, K and the ending patience; shorter than the ports' own rest is no matter.
        self.pass(Duration::from_secs(200));
        self.answer_probes();
        self.pass(Duration::from_secs(40));
        let census = self.core.census();
        let left = Census {
            clients: 0,
            servers: 0,
            ports_resting: 0,
            ..census
        };
        assert_eq!(
            left,
            Census::default(),
            "left behind\n{}",
            self.transcript.join("\n")
        );
    }

    /// An INVITE from Teams to a number of the carrier, answered up to the INVITE at the carrier.
    pub fn teams_calls(&mut self, extra: &str, body: &str) -> (Text, Text) {
        let invite = teams_invite(extra, body);
        self.from(Side::Teams, &invite);
        let trying = self.expect(Side::Teams, "100");
        let at_carrier = self.expect(Side::Carrier, "INVITE");
        (trying, at_carrier)
    }

    /// An INVITE from the carrier to a number of Teams, up to the INVITE at Teams.
    pub fn carrier_calls(&mut self, extra: &str, body: &str) -> (Text, Text) {
        let invite = carrier_invite(extra, body);
        self.from(Side::Carrier, &invite);
        let trying = self.expect(Side::Carrier, "100");
        let at_teams = self.expect(Side::Teams, "INVITE");
        (trying, at_teams)
    }
}

/// The INVITE of spec §1.13, as Teams writes it.
pub fn teams_invite(extra: &str, body: &str) -> String {
    let content = if body.is_empty() {
        ""
    } else {
        "CONTENT-TYPE: application/sdp\r\n"
    };
    format!(
        "INVITE sip:+13125550100@sbc1.contoso.example:5061;user=phone;transport=tls SIP/2.0\r\n\
         FROM: \"Alex\" <sip:+12025550100@sip.pstnhub.microsoft.com:5061;user=phone>;tag=4f0c\r\n\
         TO: <sip:+13125550100@sbc1.contoso.example:5061;user=phone>\r\nCSEQ: 1 INVITE\r\nCALL-ID: 5b1e7f0a2d\r\n\
         MAX-FORWARDS: 70\r\nVIA: SIP/2.0/TLS 127.0.0.2:5061;branch=z9hG4bKaa01\r\n\
         RECORD-ROUTE: <sip:sip-du-a-eu.pstnhub.microsoft.com:5061;transport=tls;lr>\r\n\
         CONTACT: <sip:api-du-a-euwe.pstnhub.microsoft.com:443;x-i=11111111-2222-4333-8444-555555555555;x-c=0123abcd/s/1/89ef>\r\n\
         SUPPORTED: histinfo,timer\r\nMIN-SE: 300\r\nSESSION-EXPIRES: 3600\r\n\
         ALLOW: INVITE,ACK,OPTIONS,CANCEL,BYE,NOTIFY\r\nUSER-AGENT: Microsoft.PSTNHub.SIPProxy v.2026.1.1.1 i.EUWE.1\r\n\
         {extra}{content}CONTENT-LENGTH: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A plain INVITE of a carrier.
pub fn carrier_invite(extra: &str, body: &str) -> String {
    let content = if body.is_empty() {
        ""
    } else {
        "Content-Type: application/sdp\r\n"
    };
    format!(
        "INVITE sip:+12025550100@127.0.0.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.9:5070;branch=z9hG4bKc1;rport\r\n\
         Max-Forwards: 70\r\nFrom: \"Alice\" <sip:+13125550100@carrier.example>;tag=c1\r\n\
         To: <sip:+12025550100@127.0.0.1>\r\nCall-ID: carrier-call-1@secret.example\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:gw7@127.0.0.9:5070>\r\nUser-Agent: SecretSwitch/7\r\nAllow: INVITE,ACK,BYE,CANCEL,OPTIONS,UPDATE,PRACK,REFER\r\n\
         {extra}{content}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// What Teams offers or answers; `direction` is a whole attribute line or empty.
pub fn teams_sdp(port: u16, key: char, direction: &str) -> String {
    let key: String = std::iter::repeat_n(key, 40).collect();
    format!(
        "v=0\r\no=- 11 1 IN IP4 127.0.0.2\r\ns=session\r\nc=IN IP4 127.0.0.2\r\nb=CT:10000000\r\nt=0 0\r\n\
         m=audio {port} RTP/SAVP 0 8 9 13 101\r\na=rtcp:{port}\r\na=rtcp-mux\r\na=label:main-audio\r\na=mid:1\r\n\
         a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{key}|2^31\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
         a=rtpmap:9 G722/8000\r\na=rtpmap:13 CN/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\n{direction}"
    )
}

/// What the carrier offers or answers.
pub fn carrier_sdp(port: u16, direction: &str) -> String {
    format!(
        "v=0\r\no=SecretSwitch 22 1 IN IP4 127.0.0.9\r\ns=SecretSession\r\nc=IN IP4 127.0.0.9\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP 8 0 96\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:96 telephone-event/8000\r\n\
         a=fmtp:96 0-15\r\na=ptime:20\r\na=x-secret:1\r\n{direction}"
    )
}

/// A configuration text as a snapshot.
pub fn snapshot(text: &str) -> Arc<config::Snapshot> {
    match config::parse(text) {
        Ok(document) => document.snapshot(),
        Err(findings) => panic!("{findings}"),
    }
}
