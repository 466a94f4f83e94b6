//! The transaction layer by its doors: what goes out for what comes in, RFC by RFC.
//!
//! Each test is one rule of RFC 3261 §9, §17, §18, RFC 3581 or RFC 6026, seen from outside. The timers' own tables are held in the
//! machines' unit tests; whole calls over a bad network in `simulated`.

use std::net::SocketAddr;

use bytes::Bytes;
use embassy_time::{Duration, Instant};
use sip::message::{Message, Method, Name, Request, Response, StatusCode};
use sip::transaction::{Census, ClientId, Event, Input, Layer, Output, ServerId, Timers};
use sip::transport::{FlowId, ListenerId, Source, Target, Transport};

const US: &str = "192.0.2.1:5060";
const PEER: &str = "192.0.2.9:5070";

struct Bench {
    layer: Layer,
    now: Instant,
    transport: Transport,
    sent: Vec<(Target, Message)>,
    events: Vec<Event>,
}

impl Bench {
    fn new(transport: Transport) -> Self {
        Self {
            layer: Layer::with_limit([7; 32], Timers::default(), 3),
            now: Instant::from_secs(100),
            transport,
            sent: Vec::new(),
            events: Vec::new(),
        }
    }

    fn source(&self) -> Source {
        Source {
            flow: FlowId(4),
            listener: ListenerId(0),
            transport: self.transport,
            local: US.parse().expect("an address"),
            remote: PEER.parse().expect("an address"),
            tls: None,
        }
    }

    fn target(&self) -> Target {
        Target {
            transport: self.transport,
            remote: PEER.parse().expect("an address"),
            listener: ListenerId(0),
            flow: self.transport.is_reliable().then_some(FlowId(4)),
            tls: None,
        }
    }

    fn handle(&mut self, input: Input) {
        self.layer.handle(self.now, input);
        while let Some(output) = self.layer.poll() {
            match output {
                Output::Transmit { target, bytes, .. } => {
                    let message = Message::parse(bytes).expect("what we send can be read");
                    self.sent.push((target, message));
                }
                Output::Event(event) => self.events.push(event),
            }
        }
    }

    fn receive(&mut self, message: impl Into<Message>) {
        let input = Input::Received {
            message: message.into(),
            source: self.source(),
        };
        self.handle(input);
    }

    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.layer.deadline().filter(|at| *at <= end) {
            self.now = at.max(self.now);
            self.handle(Input::Wake);
        }
        self.now = end;
    }

    fn send(&mut self, request: &Request) -> ClientId {
        let id = self.layer.next_client_id();
        let input = Input::Send {
            id,
            request: request.clone(),
            target: self.target(),
            sent_by: US.parse().expect("an address"),
            patience: None,
        };
        self.handle(input);
        id
    }

    /// The requests that went out since the last call, or the responses' codes.
    fn said(&mut self) -> Vec<String> {
        let word = |(_, message): (Target, Message)| match message {
            Message::Request(request) => request.method().to_string(),
            Message::Response(response) => response.status().to_string(),
        };
        self.sent.drain(..).map(word).collect()
    }

    fn told(&mut self) -> Vec<String> {
        let word = |event: Event| match event {
            Event::Request { request, .. } => format!("request {}", request.method()),
            Event::Cancelled { .. } => "cancelled".to_owned(),
            Event::Acked { .. } => "acked".to_owned(),
            Event::AckMissing { .. } => "ack missing".to_owned(),
            Event::Response { response, .. } => format!("response {}", response.status()),
            Event::TimedOut { .. } => "timed out".to_owned(),
            Event::Unreachable { .. } => "unreachable".to_owned(),
            Event::Ended { .. } => "ended".to_owned(),
        };
        self.events.drain(..).map(word).collect()
    }

    fn server(&self) -> ServerId {
        let id = self.events.iter().rev().find_map(|event| match event {
            Event::Request { id, .. } => Some(*id),
            _ => None,
        });
        id.expect("a request has been told")
    }

    fn respond(&mut self, id: ServerId, invite: &Request, status: StatusCode) {
        let response = Response::reply(invite, status).to_tag("ours").finish();
        self.handle(Input::Respond { id, response });
    }

    fn last_request(&self) -> Request {
        let last = self
            .sent
            .iter()
            .rev()
            .find_map(|(_, message)| match message {
                Message::Request(request) => Some(request.clone()),
                Message::Response(_) => None,
            });
        last.expect("a request went out")
    }
}

/// A request of the peer's.
fn incoming(method: &str, branch: &str, more: &str) -> Request {
    let text = format!(
        "{method} sip:us@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:5070;branch={branch}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:peer@192.0.2.9>;tag=theirs\r\nTo: <sip:us@192.0.2.1>{more}\r\n\
         Call-ID: one\r\nCSeq: 1 {method}\r\nContact: <sip:peer@192.0.2.9:5070>\r\nContent-Length: 0\r\n\r\n"
    );
    parsed(&text)
}

fn parsed(text: &str) -> Request {
    match Message::parse(Bytes::copy_from_slice(text.as_bytes())) {
        Ok(Message::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

/// A request of ours.
fn outgoing(method: Method) -> Request {
    let cseq = format!("1 {method}");
    Request::build(method, &"sip:peer@192.0.2.9:5070".parse().expect("a URI"))
        .header(Name::MaxForwards, "70")
        .header(Name::From, "<sip:us@192.0.2.1>;tag=ours")
        .header(Name::To, "<sip:peer@192.0.2.9>")
        .header(Name::CallId, "two")
        .header(Name::CSeq, cseq)
        .header(Name::Route, "<sip:192.0.2.9:5070;lr>")
        .finish()
}

fn answer(request: &Request, status: StatusCode, tag: &str) -> Response {
    Response::reply(request, status).to_tag(tag).finish()
}

#[test]
fn an_invite_is_said_100_at_once_and_absorbed_when_repeated() {
    // INV-11; RFC 3261 §17.2.1.
    let mut bench = Bench::new(Transport::Udp);
    let invite = incoming("INVITE", "z9hG4bK1", "");
    bench.receive(invite.clone());
    bench.receive(invite.clone());
    assert_eq!(bench.said(), ["100", "100"]);
    let server = bench.server();
    assert_eq!(bench.told(), ["request INVITE"]);
    bench.respond(server, &invite, StatusCode::RINGING);
    bench.receive(invite.clone());
    assert_eq!(bench.said(), ["180", "180"]);
    bench.respond(server, &invite, StatusCode::OK);
    assert_eq!(bench.said(), ["200"]);
    // RFC 6026 §7.1: the INVITE is not answered any more, the 2xx repeats itself.
    bench.receive(invite);
    assert_eq!(bench.said(), Vec::<String>::new());
    bench.wait(Duration::from_millis(1_600));
    assert_eq!(bench.said(), ["200", "200"]);
    let ack = incoming("ACK", "z9hG4bK2", ";tag=ours");
    bench.receive(ack.clone());
    bench.receive(ack);
    assert_eq!(bench.told(), ["acked"]);
    bench.wait(Duration::from_secs(40));
    assert_eq!(bench.said(), Vec::<String>::new());
    assert!(bench.layer.is_idle());
}

#[test]
fn an_ack_of_another_dialog_or_number_is_not_ours() {
    let mut bench = Bench::new(Transport::Udp);
    let invite = incoming("INVITE", "z9hG4bK1", "");
    bench.receive(invite.clone());
    bench.respond(bench.server(), &invite, StatusCode::OK);
    let ack = incoming("ACK", "z9hG4bK2", ";tag=ours");
    bench.receive(incoming("ACK", "z9hG4bK3", ";tag=another"));
    bench.receive(ack.rebuild().set(Name::CSeq, "2 ACK").finish());
    bench.receive(ack.rebuild().set(Name::CallId, "another").finish());
    bench.receive(
        ack.rebuild()
            .set(Name::From, "<sip:x>;tag=another")
            .finish(),
    );
    assert_eq!(bench.told(), ["request INVITE"]);
    bench.receive(ack);
    assert_eq!(bench.told(), ["acked"]);
}

#[test]
fn a_2xx_that_nobody_acknowledges_is_told() {
    for transport in [Transport::Udp, Transport::Tls] {
        let mut bench = Bench::new(transport);
        let invite = incoming("INVITE", "z9hG4bK1", "");
        bench.receive(invite.clone());
        bench.respond(bench.server(), &invite, StatusCode::OK);
        bench.wait(Duration::from_secs(32));
        assert_eq!(bench.told(), ["request INVITE", "ack missing"]);
        assert_eq!(bench.said().len(), 12, "100, and the 2xx eleven times");
        assert!(bench.layer.is_idle());
    }
}

#[test]
fn a_refusal_is_repeated_until_its_ack_which_nobody_hears_of() {
    let mut bench = Bench::new(Transport::Udp);
    let invite = incoming("INVITE", "z9hG4bK1", "");
    bench.receive(invite.clone());
    bench.respond(bench.server(), &invite, StatusCode::BUSY_HERE);
    bench.wait(Duration::from_secs(1));
    assert_eq!(bench.said(), ["100", "486", "486"]);
    bench.receive(incoming("ACK", "z9hG4bK1", ";tag=ours"));
    bench.wait(Duration::from_secs(4));
    assert_eq!(bench.said(), Vec::<String>::new());
    assert_eq!(bench.told(), ["request INVITE"]);
    assert_eq!(bench.layer.census().servers, 1, "timer I");
    bench.wait(Duration::from_secs(2));
    assert!(bench.layer.is_idle());
}

#[test]
fn a_cancel_is_answered_and_told_once() {
    // RFC 3261 §9.2.
    let mut bench = Bench::new(Transport::Udp);
    let invite = incoming("INVITE", "z9hG4bK1", "");
    bench.receive(invite.clone());
    let server = bench.server();
    bench.respond(server, &invite, StatusCode::RINGING);
    let cancel = incoming("CANCEL", "z9hG4bK1", "");
    bench.receive(cancel.clone());
    bench.receive(cancel);
    assert_eq!(bench.said(), ["100", "180", "200", "200"]);
    assert_eq!(bench.told(), ["request INVITE", "cancelled"]);
    bench.respond(server, &invite, StatusCode::REQUEST_TERMINATED);
    assert_eq!(bench.said(), ["487"]);
    bench.receive(incoming("ACK", "z9hG4bK1", ";tag=ours"));
    bench.wait(Duration::from_secs(40));
    assert!(bench.layer.is_idle());
}

#[test]
fn a_cancel_after_the_answer_changes_nothing() {
    let mut bench = Bench::new(Transport::Tcp);
    let invite = incoming("INVITE", "z9hG4bK1", "");
    bench.receive(invite.clone());
    bench.respond(bench.server(), &invite, StatusCode::OK);
    bench.receive(incoming("CANCEL", "z9hG4bK1", ""));
    assert_eq!(bench.said(), ["100", "200", "200"]);
    assert_eq!(bench.told(), ["request INVITE"]);
}

#[test]
fn a_cancel_of_nothing_is_481_and_keeps_nothing() {
    let mut bench = Bench::new(Transport::Udp);
    for number in 0..100 {
        bench.receive(incoming("CANCEL", &format!("z9hG4bK{number}"), ""));
    }
    assert!(bench.said().iter().all(|said| said == "481"));
    assert!(bench.layer.is_idle());
}

#[test]
fn the_same_request_by_another_way_is_482() {
    // RFC 3261 §8.2.2.2.
    let mut bench = Bench::new(Transport::Udp);
    bench.receive(incoming("INVITE", "z9hG4bK1", ""));
    bench.receive(incoming("INVITE", "z9hG4bK2", ""));
    assert_eq!(bench.said(), ["100", "482"]);
    // Within a dialog it is not the same: the dialog's CSeq tells.
    bench.receive(incoming("INVITE", "z9hG4bK3", ";tag=ours"));
    assert_eq!(bench.said(), ["100"]);
    assert_eq!(bench.told(), ["request INVITE", "request INVITE"]);
}

#[test]
fn a_full_table_says_503_and_lets_what_it_knows_go_on() {
    // INV-12.
    let mut bench = Bench::new(Transport::Udp);
    let request = |number: u32| {
        let options = incoming("OPTIONS", &format!("z9hG4bK{number}"), "");
        options.rebuild().set(Name::CallId, number).finish()
    };
    for number in 0..3 {
        bench.receive(request(number));
    }
    let third = bench.server();
    bench.receive(request(3));
    assert_eq!(bench.said(), ["503"]);
    assert_eq!(
        bench.layer.census(),
        Census {
            clients: 0,
            servers: 3
        }
    );
    bench.respond(third, &request(2), StatusCode::OK);
    bench.receive(request(2));
    assert_eq!(bench.said(), ["200", "200"]);
}

#[test]
fn what_no_uas_can_work_with_is_400_and_never_told() {
    let mut bench = Bench::new(Transport::Udp);
    let wrong = incoming("OPTIONS", "z9hG4bK1", "")
        .rebuild()
        .set(Name::CSeq, "1 INVITE")
        .finish();
    bench.receive(wrong.clone());
    bench.receive(wrong);
    let tags: Vec<String> = bench
        .sent
        .iter()
        .map(|(_, message)| {
            message
                .headers()
                .to()
                .expect("To")
                .tag()
                .expect("a tag")
                .to_owned()
        })
        .collect();
    assert_eq!(tags[0], tags[1], "RFC 3261 §8.2.7");
    assert_eq!(bench.said(), ["400", "400"]);
    assert_eq!(bench.told(), Vec::<String>::new());
    assert!(bench.layer.is_idle());
}

#[test]
fn a_response_goes_where_the_via_and_its_sender_say() {
    // RFC 3261 §18.2.2, RFC 3581 §4.
    let source: SocketAddr = PEER.parse().expect("an address");
    let via = |via: &str| {
        incoming("OPTIONS", "z9hG4bK1", "")
            .rebuild()
            .set(Name::Via, via)
            .finish()
    };
    let cases = [
        // As it says.
        (
            "SIP/2.0/UDP 192.0.2.9:5999;branch=z9hG4bK1",
            "192.0.2.9:5999",
            None,
            None,
        ),
        // No port: the default one.
        (
            "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1",
            "192.0.2.9:5060",
            None,
            None,
        ),
        // Another host than it came from: `received`.
        (
            "SIP/2.0/UDP 10.0.0.1:5999;branch=z9hG4bK1",
            "192.0.2.9:5999",
            Some("192.0.2.9"),
            None,
        ),
        (
            "SIP/2.0/UDP phone.invalid;branch=z9hG4bK1",
            "192.0.2.9:5060",
            Some("192.0.2.9"),
            None,
        ),
        // Asked by rport: back to where it came from, by port too.
        (
            "SIP/2.0/UDP 10.0.0.1:5999;rport;branch=z9hG4bK1",
            PEER,
            Some("192.0.2.9"),
            Some(5070),
        ),
        (
            "SIP/2.0/UDP 192.0.2.9:5999;rport;branch=z9hG4bK1",
            PEER,
            Some("192.0.2.9"),
            Some(5070),
        ),
    ];
    for (value, to, received, rport) in cases {
        let mut bench = Bench::new(Transport::Udp);
        let options = via(value);
        bench.receive(options.clone());
        bench.respond(bench.server(), &options, StatusCode::OK);
        let (target, message) = bench.sent.pop().expect("a response");
        assert_eq!(target.remote, to.parse().expect("an address"), "{value}");
        assert_eq!(target.flow, Some(FlowId(4)));
        let top = message.headers().via().expect("Via");
        assert_eq!(top.received(), received.map(|_| source.ip()), "{value}");
        assert_eq!(top.rport(), rport, "{value}");
        assert_eq!(top.branch(), Some("z9hG4bK1"));
    }
}

#[test]
fn the_vias_below_the_first_stay_as_they_came() {
    let mut bench = Bench::new(Transport::Udp);
    let below = "SIP/2.0/TCP  proxy.example ;branch=z9hG4bKx, SIP/2.0/UDP [2001:db8::1]:5061;branch=z9hG4bKy";
    let options = incoming("OPTIONS", "z9hG4bK1", "")
        .rebuild()
        .set(Name::Via, "SIP/2.0/UDP 10.0.0.1;rport;branch=z9hG4bK1")
        .header(Name::Via, below)
        .finish();
    bench.receive(options.clone());
    bench.respond(bench.server(), &options, StatusCode::OK);
    let (_, message) = bench.sent.pop().expect("a response");
    let vias: Vec<&[u8]> = message.headers().values(Name::Via).collect();
    assert_eq!(vias.len(), 3);
    assert_eq!(vias[1], b"SIP/2.0/TCP  proxy.example ;branch=z9hG4bKx");
    assert_eq!(vias[2], b"SIP/2.0/UDP [2001:db8::1]:5061;branch=z9hG4bKy");
}

#[test]
fn a_request_of_rfc_2543_is_found_again_without_a_cookie() {
    let mut bench = Bench::new(Transport::Udp);
    let old = incoming("INVITE", "1", "");
    bench.receive(old.clone());
    bench.receive(old.clone());
    bench.respond(bench.server(), &old, StatusCode::BUSY_HERE);
    assert_eq!(bench.said(), ["100", "100", "486"]);
    assert_eq!(bench.told(), ["request INVITE"]);
}

#[test]
fn our_request_is_signed_resent_and_given_up() {
    let mut bench = Bench::new(Transport::Udp);
    bench.send(&outgoing(Method::Options));
    let via = bench.last_request().headers().via().expect("Via");
    assert!(
        via.branch()
            .is_some_and(|branch| branch.starts_with("z9hG4bK") && branch.len() > 20)
    );
    assert!(via.params().contains("rport"));
    assert_eq!(via.sent_by().to_string(), US);
    bench.wait(Duration::from_secs(32));
    assert_eq!(bench.said().len(), 11);
    assert_eq!(bench.told(), ["timed out", "ended"]);
    assert!(bench.layer.is_idle());
}

#[test]
fn a_target_that_is_silent_is_left_in_the_time_that_was_set() {
    // INV-13: 4 s; but one that says anything is waited for.
    let patient = |heard: bool| {
        let mut bench = Bench::new(Transport::Tls);
        let id = bench.layer.next_client_id();
        let input = Input::Send {
            id,
            request: outgoing(Method::Invite),
            target: bench.target(),
            sent_by: US.parse().expect("an address"),
            patience: Some(Duration::from_secs(4)),
        };
        bench.handle(input);
        if heard {
            let invite = bench.last_request();
            bench.receive(Response::reply(&invite, StatusCode::TRYING).finish());
        }
        bench.wait(Duration::from_secs(120));
        bench.told()
    };
    assert_eq!(patient(false), ["timed out", "ended"]);
    assert_eq!(patient(true), ["response 100"]);
}

#[test]
fn a_refusal_is_acknowledged_here_each_time_it_comes() {
    // RFC 3261 §17.1.1.3.
    let mut bench = Bench::new(Transport::Udp);
    bench.send(&outgoing(Method::Invite));
    let invite = bench.last_request();
    let busy = answer(&invite, StatusCode::BUSY_HERE, "theirs");
    bench.receive(busy.clone());
    bench.receive(busy);
    let ack = bench.last_request();
    assert_eq!(bench.said(), ["INVITE", "ACK", "ACK"]);
    assert_eq!(bench.told(), ["response 486"]);
    let (ours, theirs) = (invite.headers(), ack.headers());
    for name in [
        Name::Via,
        Name::From,
        Name::CallId,
        Name::Route,
        Name::MaxForwards,
    ] {
        assert_eq!(ours.get(name), theirs.get(name));
    }
    assert_eq!(theirs.to().expect("To").tag(), Some("theirs"));
    assert_eq!(theirs.get(Name::CSeq), Some(&b"1 ACK"[..]));
    assert_eq!(ack.uri(), invite.uri());
    bench.wait(Duration::from_secs(32));
    assert_eq!(bench.told(), ["ended"]);
    assert!(bench.layer.is_idle());
}

#[test]
fn every_fork_is_told_once_and_its_ack_repeated() {
    // RFC 3261 §13.2.2.4, RFC 6026; INV-16.
    let mut bench = Bench::new(Transport::Udp);
    let id = bench.send(&outgoing(Method::Invite));
    let invite = bench.last_request();
    for tag in ["a", "b"] {
        bench.receive(answer(&invite, StatusCode::SESSION_PROGRESS, tag));
        bench.receive(answer(&invite, StatusCode::RINGING, tag));
    }
    for tag in ["b", "c"] {
        bench.receive(answer(&invite, StatusCode::OK, tag));
        // Repeated before the user has acknowledged it.
        bench.receive(answer(&invite, StatusCode::OK, tag));
        let ack = outgoing(Method::Ack)
            .rebuild()
            .set(Name::Subject, tag)
            .finish();
        let input = Input::Acknowledge {
            id,
            to_tag: tag.to_owned(),
            ack,
            target: bench.target(),
            sent_by: US.parse().expect("an address"),
        };
        bench.handle(input);
    }
    let told = bench.told();
    assert_eq!(
        told[..4],
        [
            "response 183",
            "response 180",
            "response 183",
            "response 180"
        ]
    );
    assert_eq!(told[4..], ["response 200", "response 200"]);
    assert_eq!(bench.said(), ["INVITE", "ACK", "ACK"]);
    bench.receive(answer(&invite, StatusCode::OK, "b"));
    let again = bench.last_request();
    assert_eq!(again.headers().get(Name::Subject), Some(&b"b"[..]));
    assert_ne!(
        again.headers().via().expect("Via").branch(),
        invite.headers().via().expect("Via").branch()
    );
    assert_eq!(bench.told(), Vec::<String>::new());
    bench.wait(Duration::from_secs(33));
    assert!(bench.layer.is_idle());
}

#[test]
fn a_cancel_waits_for_a_provisional_response() {
    // RFC 3261 §9.1; INV-15.
    let mut bench = Bench::new(Transport::Udp);
    let id = bench.send(&outgoing(Method::Invite));
    let invite = bench.last_request();
    let reason = Bytes::from_static(b"SIP;cause=200;text=\"Call completed elsewhere\"");
    bench.handle(Input::Cancel {
        id,
        reason: Some(reason.clone()),
    });
    bench.handle(Input::Cancel { id, reason: None });
    assert_eq!(bench.said(), ["INVITE"]);
    bench.receive(answer(&invite, StatusCode::RINGING, "theirs"));
    let cancel = bench.last_request();
    bench.receive(answer(&invite, StatusCode::RINGING, "theirs"));
    bench.handle(Input::Cancel { id, reason: None });
    assert_eq!(bench.said(), ["CANCEL"]);
    let (ours, theirs) = (invite.headers(), cancel.headers());
    for name in [Name::Via, Name::From, Name::To, Name::CallId, Name::Route] {
        assert_eq!(ours.get(name), theirs.get(name));
    }
    assert_eq!(theirs.get(Name::CSeq), Some(&b"1 CANCEL"[..]));
    assert_eq!(theirs.get(Name::Reason), Some(&reason[..]));
    bench.receive(answer(&cancel, StatusCode::OK, "theirs"));
    bench.receive(answer(&invite, StatusCode::REQUEST_TERMINATED, "theirs"));
    bench.wait(Duration::from_secs(40));
    assert_eq!(
        bench.told(),
        ["response 180", "response 180", "response 487", "ended"]
    );
    assert!(bench.layer.is_idle());
}

#[test]
fn an_invite_whose_cancel_has_no_effect_ends_all_the_same() {
    let mut bench = Bench::new(Transport::Tcp);
    let id = bench.send(&outgoing(Method::Invite));
    let invite = bench.last_request();
    bench.receive(answer(&invite, StatusCode::RINGING, "theirs"));
    bench.handle(Input::Cancel { id, reason: None });
    bench.wait(Duration::from_secs(33));
    assert_eq!(bench.told(), ["response 180", "timed out", "ended"]);
    assert!(bench.layer.is_idle());
}

#[test]
fn a_connection_that_breaks_fails_what_has_heard_nothing() {
    let mut bench = Bench::new(Transport::Tls);
    bench.send(&outgoing(Method::Options));
    let heard = bench.send(&outgoing(Method::Invite));
    let invite = bench.last_request();
    bench.receive(Response::reply(&invite, StatusCode::TRYING).finish());
    bench.handle(Input::FlowClosed(FlowId(5)));
    assert_eq!(bench.told(), ["response 100"]);
    bench.handle(Input::FlowClosed(FlowId(4)));
    assert_eq!(bench.told(), ["unreachable", "ended"]);
    bench.handle(Input::TransportFailed { client: heard });
    assert_eq!(bench.told(), ["unreachable", "ended"]);
    assert!(bench.layer.is_idle());
}

#[test]
fn responses_that_are_not_ours_are_dropped() {
    let mut bench = Bench::new(Transport::Udp);
    bench.send(&outgoing(Method::Options));
    let options = bench.last_request();
    let good = answer(&options, StatusCode::OK, "theirs");
    let two_vias = good
        .rebuild()
        .header(Name::Via, "SIP/2.0/UDP x.example;branch=z9hG4bKz")
        .finish();
    let other_method = good.rebuild().set(Name::CSeq, "1 INVITE").finish();
    let cancel = good.rebuild().set(Name::CSeq, "1 CANCEL").finish();
    let via = "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKunknown";
    let unknown = good.rebuild().set(Name::Via, via).finish();
    for response in [two_vias, other_method, cancel, unknown] {
        bench.receive(response);
    }
    assert_eq!(bench.told(), Vec::<String>::new());
    bench.receive(good.clone());
    bench.receive(good);
    assert_eq!(bench.told(), ["response 200"]);
    bench.wait(Duration::from_secs(6));
    assert_eq!(bench.told(), ["ended"]);
    assert!(bench.layer.is_idle());
}

#[test]
fn the_same_seed_gives_the_same_branches() {
    let branch = |seed: u8| {
        let mut bench = Bench::new(Transport::Udp);
        bench.layer = Layer::new([seed; 32], Timers::default());
        bench.send(&outgoing(Method::Options));
        bench.last_request().bytes().clone()
    };
    assert_eq!(branch(1), branch(1));
    assert_ne!(branch(1), branch(2));
}
