//! A registration against a registrar made by hand: refreshed, challenged, shortened, refused, lost, given up.
//!
//! Simulated time; what goes out is read as the registrar would read it.

use embassy_time::{Duration, Instant};
use sip::auth::{Credentials, Password, Unanswerable};
use sip::message::{Name, NameAddr, Request, Response, StatusCode};
use sip::register::{Binding, Event, Failure, Granted, Input, Output, Registration, Settings};

const CONTACT: &str = "<sip:box@192.0.2.1:5060>";

struct Bench {
    registration: Registration,
    now: Instant,
    requests: Vec<Request>,
    events: Vec<Event>,
}

impl Bench {
    fn new(contact: &str) -> Self {
        let settings = Settings {
            registrar: "sip:trunk.example".parse().expect("a URI"),
            address: "sip:bob@trunk.example".parse().expect("a URI"),
            contact: contact.parse().expect("an address"),
            expires: 3_600,
            credentials: Some(Credentials {
                username: "bob".to_owned(),
                password: Password::new("zanzibar".to_owned()),
                realm: None,
            }),
        };
        Self {
            registration: Registration::new(settings, [5; 32]),
            now: Instant::from_secs(10),
            requests: Vec::new(),
            events: Vec::new(),
        }
    }

    fn handle(&mut self, input: Input) {
        self.registration.handle(self.now, input);
        while let Some(output) = self.registration.poll() {
            match output {
                Output::Send(request) => self.requests.push(request),
                Output::Event(event) => self.events.push(event),
            }
        }
    }

    fn last(&self) -> &Request {
        self.requests.last().expect("a REGISTER went out")
    }

    fn answer(&mut self, status: StatusCode, headers: &[(Name<'_>, &str)]) {
        let mut response = Response::reply(self.last(), status).to_tag("registrar");
        for (name, value) in headers {
            response = response.header(*name, value);
        }
        self.handle(Input::Response(response.finish()));
    }

    /// Until it wants something; how long that took.
    fn wait(&mut self) -> Duration {
        let at = self.registration.deadline().expect("it wants to be woken");
        let waited = at - self.now;
        self.now = at;
        self.handle(Input::Wake);
        waited
    }

    fn granted(&self) -> &Granted {
        match self.events.last() {
            Some(Event::Registered(granted)) => granted,
            other => panic!("{other:?}"),
        }
    }

    fn failure(&self) -> (Failure, Binding) {
        match self.events.last() {
            Some(Event::Failed { cause, binding, .. }) => (*cause, *binding),
            other => panic!("{other:?}"),
        }
    }

    fn register(&mut self, seconds: u32) {
        self.handle(Input::Start);
        self.answer(
            StatusCode::OK,
            &[(Name::Contact, &format!("{CONTACT};expires={seconds}"))],
        );
    }
}

fn expires(request: &Request) -> Option<u32> {
    request.headers().expires().expect("a number")
}

#[test]
fn a_binding_is_refreshed_in_time_for_ever() {
    let mut bench = Bench::new(CONTACT);
    bench.register(3_600);
    let first = bench.requests[0].clone();
    assert_eq!(first.uri(), b"sip:trunk.example");
    assert_eq!(expires(&first), Some(3_600));
    assert_eq!(first.headers().to().expect("To").tag(), None);
    assert!(first.headers().supported().contains("path"));
    for number in 2..6 {
        let waited = bench.wait();
        assert!((2_700..=3_000).contains(&waited.as_secs()), "{waited:?}");
        let (call_id, cseq) = (
            bench.last().headers().call_id(),
            bench.last().headers().cseq(),
        );
        assert_eq!(cseq.expect("CSeq").number, number);
        assert_eq!(call_id, first.headers().call_id(), "RFC 3261 §10.2.4");
        bench.answer(
            StatusCode::OK,
            &[(Name::Contact, &format!("{CONTACT};expires=3600"))],
        );
    }
    assert_eq!(bench.registration.binding(), Binding::Stands);
}

#[test]
fn a_short_binding_is_refreshed_at_half() {
    let mut bench = Bench::new(CONTACT);
    bench.register(60);
    assert!((27..=30).contains(&bench.wait().as_secs()));
}

#[test]
fn our_binding_is_found_among_others() {
    // RFC 3261 §10.3: the answer lists them all.
    let listed = "<sip:desk@198.51.100.7>;expires=17, <sip:BOX@192.0.2.1>;expires=18, <sip:box@192.0.2.1:5060>;q=0.5;expires=600";
    let mut bench = Bench::new(CONTACT);
    bench.handle(Input::Start);
    bench.answer(
        StatusCode::OK,
        &[(Name::Contact, listed), (Name::Expires, "19")],
    );
    assert_eq!(bench.granted().expires, Duration::from_secs(600));
    // Without its own parameter the header counts.
    let mut bench = Bench::new(CONTACT);
    bench.handle(Input::Start);
    bench.answer(
        StatusCode::OK,
        &[(Name::Contact, CONTACT), (Name::Expires, "120")],
    );
    assert_eq!(bench.granted().expires, Duration::from_secs(120));
    // Rewritten by the registrar, but it is the only one.
    let mut bench = Bench::new(CONTACT);
    bench.handle(Input::Start);
    bench.answer(
        StatusCode::OK,
        &[(Name::Contact, "<sip:box@203.0.113.5:1024>;expires=90")],
    );
    assert_eq!(bench.granted().expires, Duration::from_secs(90));
    // Two, and none of them ours.
    let mut bench = Bench::new(CONTACT);
    bench.handle(Input::Start);
    bench.answer(
        StatusCode::OK,
        &[(Name::Contact, "<sip:a@x.example>, <sip:b@x.example>")],
    );
    assert_eq!(bench.failure(), (Failure::NotBound, Binding::Absent));
}

#[test]
fn what_the_registrar_gives_beside_the_binding_is_told() {
    // RFC 3608, RFC 5627, RFC 7315.
    let contact = "<sip:box@192.0.2.1:5060>;+sip.instance=\"<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>\";reg-id=1";
    let mut bench = Bench::new(contact);
    bench.handle(Input::Start);
    assert_eq!(
        bench.last().headers().get(Name::Contact),
        Some(contact.as_bytes())
    );
    let ours = "<sip:box@203.0.113.5:4711>;+sip.instance=\"<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>\";reg-id=1\
                ;pub-gruu=\"sip:bob@trunk.example;gr=urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6\";expires=600";
    let listed = format!("<sip:other@198.51.100.1>;expires=5, {ours}");
    let headers = [
        (Name::Contact, listed.as_str()),
        (
            Name::ServiceRoute,
            "<sip:edge.trunk.example;lr>, <sip:home.trunk.example;lr>",
        ),
        (
            Name::Other("P-Associated-URI"),
            "<sip:+12025550100@trunk.example>, <tel:+12025550101>",
        ),
    ];
    bench.answer(StatusCode::OK, &headers);
    let granted = bench.granted();
    assert_eq!(granted.expires, Duration::from_secs(600));
    let routes: Vec<String> = granted
        .service_routes
        .iter()
        .map(NameAddr::to_string)
        .collect();
    assert_eq!(
        routes,
        ["<sip:edge.trunk.example;lr>", "<sip:home.trunk.example;lr>"]
    );
    let gruu = granted.gruu.as_ref().expect("a GRUU");
    assert_eq!(
        gruu.as_str(),
        "sip:bob@trunk.example;gr=urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
    );
    assert_eq!(
        granted.associated,
        ["<sip:+12025550100@trunk.example>", "<tel:+12025550101>"]
    );
}

#[test]
fn a_challenge_is_answered_and_the_next_refresh_needs_none() {
    let mut bench = Bench::new(CONTACT);
    bench.handle(Input::Start);
    bench.answer(StatusCode::TRYING, &[]);
    let challenge = "Digest realm=\"trunk.example\", nonce=\"n1\", algorithm=SHA-256, qop=\"auth\"";
    bench.answer(
        StatusCode::UNAUTHORIZED,
        &[(Name::WwwAuthenticate, challenge)],
    );
    assert_eq!(bench.last().headers().cseq().expect("CSeq").number, 2);
    bench.answer(
        StatusCode::OK,
        &[(Name::Contact, &format!("{CONTACT};expires=3600"))],
    );
    bench.wait();
    assert!(bench.last().headers().contains(Name::Authorization));
    assert_eq!(bench.last().headers().cseq().expect("CSeq").number, 3);
    // The nonce has grown old.
    let stale =
        "Digest realm=\"trunk.example\", nonce=\"n2\", algorithm=SHA-256, qop=\"auth\", stale=true";
    bench.answer(StatusCode::UNAUTHORIZED, &[(Name::WwwAuthenticate, stale)]);
    bench.answer(
        StatusCode::OK,
        &[(Name::Contact, &format!("{CONTACT};expires=3600"))],
    );
    assert_eq!(bench.events.len(), 2);
    assert_eq!(bench.requests.len(), 4);
}

#[test]
fn a_wrong_password_is_not_tried_again_soon() {
    let mut bench = Bench::new(CONTACT);
    bench.handle(Input::Start);
    for nonce in ["n1", "n2"] {
        let challenge = format!("Digest realm=\"trunk.example\", nonce=\"{nonce}\", qop=\"auth\"");
        bench.answer(
            StatusCode::UNAUTHORIZED,
            &[(Name::WwwAuthenticate, &challenge)],
        );
    }
    assert_eq!(bench.requests.len(), 2);
    let refused = Failure::Credentials(Unanswerable::Refused);
    assert_eq!(bench.failure(), (refused, Binding::Absent));
    assert!(bench.wait().as_secs() >= 900);
    // Unless somebody says so.
    bench.answer(StatusCode::FORBIDDEN, &[]);
    bench.handle(Input::Start);
    assert_eq!(bench.requests.len(), 4);
}

#[test]
fn an_interval_too_brief_is_made_longer() {
    // RFC 3261 §10.2.8.
    let mut bench = Bench::new(CONTACT);
    bench.handle(Input::Start);
    bench.answer(
        StatusCode::INTERVAL_TOO_BRIEF,
        &[(Name::MinExpires, "7200")],
    );
    assert_eq!(expires(bench.last()), Some(7_200));
    bench.answer(
        StatusCode::OK,
        &[(Name::Contact, &format!("{CONTACT};expires=7200"))],
    );
    assert_eq!(bench.granted().expires, Duration::from_secs(7_200));
    // One that asks for ever more is left alone, and so is one that asks for less.
    for answers in [["7300", "7400", "7500"], ["60", "60", "60"]] {
        let mut bench = Bench::new(CONTACT);
        bench.handle(Input::Start);
        for min_expires in answers {
            bench.answer(
                StatusCode::INTERVAL_TOO_BRIEF,
                &[(Name::MinExpires, min_expires)],
            );
        }
        assert_eq!(
            bench.failure().0,
            Failure::Refused(StatusCode::INTERVAL_TOO_BRIEF)
        );
        assert!(bench.requests.len() <= 3);
    }
}

#[test]
fn failures_are_spaced_wider_and_wider() {
    // RFC 5626 §4.5.
    let mut bench = Bench::new(CONTACT);
    bench.handle(Input::Start);
    let mut waits = Vec::new();
    for _ in 0..10 {
        bench.handle(Input::Silence);
        waits.push(bench.wait().as_secs());
    }
    for (failures, wait) in waits.iter().enumerate() {
        let longest = (30 << failures.min(6)).min(1_800);
        assert!((longest / 2..=longest).contains(wait), "{waits:?}");
    }
    // One success, and it begins anew.
    bench.answer(
        StatusCode::OK,
        &[(Name::Contact, &format!("{CONTACT};expires=3600"))],
    );
    bench.wait();
    bench.handle(Input::Unreachable);
    assert_eq!(bench.failure(), (Failure::Unreachable, Binding::Stands));
    assert!(bench.wait().as_secs() <= 30);
}

#[test]
fn a_registrar_that_says_when_is_believed() {
    let mut bench = Bench::new(CONTACT);
    bench.handle(Input::Start);
    bench.answer(
        StatusCode::SERVICE_UNAVAILABLE,
        &[(Name::RetryAfter, "120")],
    );
    assert_eq!(bench.wait(), Duration::from_secs(120));
}

#[test]
fn a_binding_that_nobody_could_refresh_ends() {
    let mut bench = Bench::new(CONTACT);
    bench.register(60);
    bench.wait();
    bench.handle(Input::Silence);
    assert_eq!(bench.failure(), (Failure::Silence, Binding::Stands));
    let began = bench.now;
    while bench.registration.binding() == Binding::Stands {
        bench.wait();
        if bench.events.last() != Some(&Event::Expired) {
            bench.handle(Input::Silence);
        }
    }
    assert_eq!(
        bench
            .events
            .iter()
            .filter(|event| **event == Event::Expired)
            .count(),
        1
    );
    assert!((30..=33).contains(&(bench.now - began).as_secs()));
}

#[test]
fn a_lost_connection_is_a_lost_binding() {
    // RFC 5626 §4.2.
    let mut bench = Bench::new(CONTACT);
    bench.register(3_600);
    bench.handle(Input::Unreachable);
    assert_eq!(bench.registration.binding(), Binding::Absent);
    assert_eq!(bench.requests.len(), 2, "again, at once");
}

#[test]
fn stopping_takes_the_binding_away() {
    let mut bench = Bench::new(CONTACT);
    bench.register(3_600);
    bench.handle(Input::Stop);
    assert_eq!(expires(bench.last()), Some(0));
    let challenge = "Digest realm=\"trunk.example\", nonce=\"n1\", qop=\"auth\"";
    bench.answer(
        StatusCode::UNAUTHORIZED,
        &[(Name::WwwAuthenticate, challenge)],
    );
    assert_eq!(expires(bench.last()), Some(0));
    assert!(bench.last().headers().contains(Name::Authorization));
    bench.answer(StatusCode::OK, &[]);
    assert_eq!(bench.events.last(), Some(&Event::Stopped));
    assert_eq!(bench.registration.deadline(), None);
    // It can begin again; a second Start while it asks changes nothing.
    bench.handle(Input::Start);
    bench.handle(Input::Start);
    assert_eq!(bench.requests.len(), 4);
    bench.handle(Input::Stop);
    bench.handle(Input::Silence);
    assert_eq!(bench.events.last(), Some(&Event::Stopped));
}
