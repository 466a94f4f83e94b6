//! Messages with random damage, through everything that reads them here: no panic, no growth.
//!
//! What is damaged beyond reading never gets past `Message::parse` (fuzzed by itself); what gets past it reaches the transaction
//! layer, dialogs, timers, challenges and credentials, which must take it as it is.

use bytes::Bytes;
use embassy_time::{Duration, Instant};
use sip::auth::{Algorithm, Asker, Client, Credentials, Exchange, Password, Server, Staleness};
use sip::dialog::refer::{self, Progress, Subscription};
use sip::dialog::{Dialog, ReliableReceiver, ReliableSender, SessionTimer, SessionTimerPolicy};
use sip::message::{Message, Method, Name, Request, Response, StatusCode};
use sip::register::{Registration, Settings};
use sip::resolve::Goal;
use sip::token::Tokens;
use sip::transaction::{Event, Input, Layer, Output, Timers};
use sip::transport::{FlowId, ListenerId, Source, Target, Transport};

const ROUNDS: usize = 20_000;

const POLICY: SessionTimerPolicy = SessionTimerPolicy {
    expires: 1_800,
    min_se: 90,
};

fn seeds() -> Vec<String> {
    let rest = "Via: SIP/2.0/UDP 192.0.2.9:5070;rport;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
                From: \"A\" <sip:a@b.example>;tag=1\r\nTo: <sip:c@d.example>;tag=2\r\nCall-ID: one\r\n\
                Contact: <sip:a@192.0.2.9>;expires=60\r\nRecord-Route: <sip:p.example;lr>, <sip:q.example>\r\n\
                Session-Expires: 1800;refresher=uac\r\nMin-SE: 90\r\nSupported: timer, 100rel\r\nRequire: 100rel\r\n\
                RSeq: 7\r\nRAck: 7 1 INVITE\r\nRefer-To: <sip:x@y?Replaces=a%3Bto-tag%3D1%3Bfrom-tag%3D2>\r\n\
                Event: refer;id=1\r\nSubscription-State: active;expires=60\r\nMin-Expires: 60\r\nRetry-After: 5\r\n\
                WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth,auth-int\", algorithm=SHA-256, stale=true\r\n\
                Authorization: Digest username=\"u\", realm=\"r\", nonce=\"n\", uri=\"sip:c@d.example\", response=\"0\", \
                qop=auth, nc=00000001, cnonce=\"c\"\r\nContent-Length: 0\r\n\r\n";
    let requests = [
        "INVITE", "ACK", "CANCEL", "BYE", "PRACK", "REFER", "NOTIFY", "REGISTER",
    ]
    .map(|method| format!("{method} sip:c@d.example SIP/2.0\r\nCSeq: 1 {method}\r\n{rest}"));
    let responses = ["100", "183", "200", "401", "422", "423", "503"]
        .map(|code| format!("SIP/2.0 {code} x\r\nCSeq: 1 INVITE\r\n{rest}"));
    requests.into_iter().chain(responses).collect()
}

/// A few bytes changed, doubled, taken away, or taken from elsewhere.
fn damage(text: &str, chance: &mut Tokens) -> Bytes {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..1 + chance.number() % 4 {
        let at = chance.number() as usize % bytes.len();
        match chance.number() % 5 {
            0 => bytes[at] = chance.number() as u8,
            1 => bytes.insert(at, b"\";<>=,:@%\\ \0"[chance.number() as usize % 12]),
            2 => {
                bytes.remove(at);
            }
            3 => {
                let from = chance.number() as usize % bytes.len();
                bytes[at] = bytes[from];
            }
            _ => {
                let end = (at + chance.number() as usize % 20).min(bytes.len());
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
        }
    }
    Bytes::from(bytes)
}

fn source() -> Source {
    Source {
        flow: FlowId(1),
        listener: ListenerId(0),
        transport: Transport::Udp,
        local: "192.0.2.1:5060".parse().expect("an address"),
        remote: "192.0.2.9:5070".parse().expect("an address"),
        tls: None,
    }
}

fn read_request(request: &Request, chance: &mut Tokens, server: &mut Server) {
    let now = Instant::from_secs(1);
    if let Ok(mut dialog) = Dialog::server(request, "ours") {
        let _ = dialog.receive(request);
        let _ = dialog.matches(request);
        let _ = dialog.request(Method::Bye).finish();
        let _ = Dialog::restore(dialog.image());
    }
    let _ = SessionTimer::server(now, request, POLICY);
    let _ = SessionTimer::idle(POLICY).check(request);
    let mut reliable = ReliableSender::new();
    reliable.send(now, Response::reply(request, StatusCode::RINGING), chance);
    reliable.acknowledged(request);
    if let Ok(refer_to) = request.headers().refer_to() {
        let (target, _) = refer::split(refer_to.uri());
        let _ = Goal::of_uri(&target);
    }
    if let Some(subscription) = Subscription::of_refer(request) {
        let notify = Request::build(Method::Notify, &"sip:x".parse().expect("a URI"));
        let _ = subscription.notify(notify, StatusCode::OK).finish();
    }
    let _ = Progress::of_notify(request);
    let password = |_: &str| Some(Password::new("p".to_owned()));
    server.verify(now, Asker::Server, request, password);
    let _ = server.challenge(now, Staleness::Fresh, chance);
}

fn read_response(response: &Response, chance: &mut Tokens, sent: &Request) {
    let now = Instant::from_secs(1);
    if let Ok(mut dialog) = Dialog::client(sent, response) {
        dialog.refresh_target(response);
        ReliableReceiver::new().prack(&mut dialog, response);
        let _ = dialog.request(Method::Update).finish();
    }
    let mut timer = SessionTimer::client(now, response, POLICY);
    timer.raise(response);
    let _ = timer.headers();
    let credentials = Credentials {
        username: "u\"\\".to_owned(),
        password: Password::new("p".to_owned()),
        realm: None,
    };
    let mut client = Client::new(credentials.clone());
    let _ = client.answer(&mut Exchange::default(), sent, response, chance);
    let settings = Settings {
        registrar: "sip:d.example".parse().expect("a URI"),
        address: "sip:a@d.example".parse().expect("a URI"),
        contact: "<sip:a@192.0.2.9>".parse().expect("an address"),
        expires: 3_600,
        credentials: Some(credentials),
    };
    let mut registration = Registration::new(settings, chance.seed());
    registration.handle(now, sip::register::Input::Start);
    registration.handle(now, sip::register::Input::Response(response.clone()));
    while registration.poll().is_some() {}
}

#[test]
fn damaged_messages_harm_nothing() {
    let mut chance = Tokens::new([11; 32]);
    let mut layer = Layer::with_limit([1; 32], Timers::default(), 500);
    let mut server = Server::new([2; 32], "r", &[Algorithm::Sha256], Duration::from_secs(60));
    let seeds = seeds();
    let mut now = Instant::from_secs(1);
    let mut read = 0;
    let sent = Request::build(Method::Invite, &"sip:c@d.example".parse().expect("a URI"))
        .header(Name::From, "<sip:a@b.example>;tag=1")
        .header(Name::To, "<sip:c@d.example>")
        .header(Name::CallId, "one")
        .header(Name::CSeq, "1 INVITE")
        .finish();
    let id = layer.next_client_id();
    let target = Target {
        transport: Transport::Udp,
        remote: "192.0.2.9:5070".parse().expect("an address"),
        listener: ListenerId(0),
        flow: None,
        tls: None,
    };
    let sent_by = "192.0.2.1:5060".parse().expect("an address");
    layer.handle(
        now,
        Input::Send {
            id,
            request: sent.clone(),
            target,
            sent_by,
            patience: None,
        },
    );
    for round in 0..ROUNDS {
        let Ok(message) = Message::parse(damage(&seeds[round % seeds.len()], &mut chance)) else {
            continue;
        };
        read += 1;
        match &message {
            Message::Request(request) => read_request(request, &mut chance, &mut server),
            Message::Response(response) => read_response(response, &mut chance, &sent),
        }
        layer.handle(
            now,
            Input::Received {
                message,
                source: source(),
            },
        );
        now += Duration::from_millis(20);
        layer.handle(now, Input::Wake);
        while let Some(output) = layer.poll() {
            if let Output::Event(Event::Request { id, request, .. }) = output {
                let response = Response::reply(&request, StatusCode::BUSY_HERE)
                    .to_tag("x")
                    .finish();
                layer.handle(now, Input::Respond { id, response });
            }
        }
        assert!(layer.census().servers <= 1_000);
    }
    assert!(read > ROUNDS / 4, "only {read} could be read at all");
    while let Some(next) = layer.deadline() {
        layer.handle(next, Input::Wake);
        while layer.poll().is_some() {}
    }
    assert!(layer.is_idle());
}
