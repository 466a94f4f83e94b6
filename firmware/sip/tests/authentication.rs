//! Digest authentication end to end: our client against our server, and each against messages made by hand.
//!
//! The hashes themselves are held to the RFCs' vectors beside their code; here it is who asks what, when, and what is believed.

use bytes::Bytes;
use embassy_time::{Duration, Instant};
use sip::auth::{
    Algorithm, Asker, Client, Credentials, Exchange, Password, Server, Staleness, Unanswerable,
    Verdict,
};
use sip::message::{Message, Name, Request, Response, StatusCode};
use sip::token::Tokens;

const REALM: &str = "trunk.example";
const LIFETIME: Duration = Duration::from_secs(300);

fn register() -> Request {
    let text = "REGISTER sip:trunk.example SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
                From: <sip:bob@trunk.example>;tag=1\r\nTo: <sip:bob@trunk.example>\r\nCall-ID: one\r\nCSeq: 7 REGISTER\r\n\
                Content-Length: 4\r\n\r\nbody";
    match Message::parse(Bytes::from_static(text.as_bytes())) {
        Ok(Message::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

fn credentials(password: &str) -> Credentials {
    Credentials {
        username: "bob".to_owned(),
        password: Password::new(password.to_owned()),
        realm: None,
    }
}

fn asked(request: &Request, challenges: &[&str]) -> Response {
    let mut response = Response::reply(request, StatusCode::UNAUTHORIZED);
    for challenge in challenges {
        response = response.header(Name::WwwAuthenticate, challenge);
    }
    response.finish()
}

fn shown(request: &Request, name: &str) -> Option<String> {
    let shown = request.headers().authorization().expect("can be read");
    shown.first()?.param(name).map(std::borrow::Cow::into_owned)
}

/// A client and a server that talk at once.
struct Pair {
    client: Client,
    server: Server,
    tokens: Tokens,
    now: Instant,
}

impl Pair {
    fn new(password: &str, algorithms: &[Algorithm]) -> Self {
        Self {
            client: Client::new(credentials(password)),
            server: Server::new([1; 32], REALM, algorithms, LIFETIME),
            tokens: Tokens::new([2; 32]),
            now: Instant::from_secs(1_000),
        }
    }

    fn check(&mut self, request: &Request) -> Verdict {
        let secret = |user: &str| (user == "bob").then(|| Password::new("zanzibar".to_owned()));
        self.server.verify(self.now, Asker::Server, request, secret)
    }

    fn challenge(&mut self, request: &Request, staleness: Staleness) -> Response {
        let challenges = self.server.challenge(self.now, staleness, &mut self.tokens);
        let challenges: Vec<&str> = challenges.iter().map(String::as_str).collect();
        asked(request, &challenges)
    }

    /// Asks, answers and checks.
    fn round(
        &mut self,
        exchange: &mut Exchange,
        staleness: Staleness,
    ) -> Result<(Request, Verdict), Unanswerable> {
        let request = register();
        let challenge = self.challenge(&request, staleness);
        let answer = self
            .client
            .answer(exchange, &request, &challenge, &mut self.tokens)?;
        let verdict = self.check(&answer);
        Ok((answer, verdict))
    }
}

fn bob() -> Verdict {
    Verdict::Accepted {
        username: "bob".to_owned(),
    }
}

#[test]
fn the_right_password_is_accepted_with_every_algorithm() {
    for algorithm in [
        Algorithm::Md5,
        Algorithm::Md5Sess,
        Algorithm::Sha256,
        Algorithm::Sha256Sess,
        Algorithm::Sha512_256,
        Algorithm::Sha512_256Sess,
    ] {
        let mut pair = Pair::new("zanzibar", &[algorithm]);
        assert_eq!(pair.check(&register()), Verdict::Missing);
        let (answer, verdict) = pair
            .round(&mut Exchange::default(), Staleness::Fresh)
            .expect("answers");
        assert_eq!(verdict, bob(), "{algorithm:?}");
        assert_eq!(
            shown(&answer, "algorithm").as_deref(),
            Some(algorithm.token())
        );
        assert_eq!(
            answer.headers().cseq().expect("CSeq").number,
            8,
            "RFC 3261 §22.2"
        );
        assert_eq!(answer.body(), b"body");
    }
}

#[test]
fn the_topmost_algorithm_that_is_known_is_taken() {
    // RFC 8760 §2.4.
    let mut pair = Pair::new("zanzibar", &[Algorithm::Sha256, Algorithm::Md5]);
    let (answer, verdict) = pair
        .round(&mut Exchange::default(), Staleness::Fresh)
        .expect("answers");
    assert_eq!(
        (shown(&answer, "algorithm").as_deref(), verdict),
        (Some("SHA-256"), bob())
    );
    let challenges = [
        "Digest realm=\"a\", nonce=\"1\", algorithm=TOMORROW, qop=\"auth\"",
        "Digest realm=\"a\", nonce=\"2\", algorithm=md5, qop=\"auth\"",
    ];
    let mut client = Client::new(credentials("zanzibar"));
    let answer = client.answer(
        &mut Exchange::default(),
        &register(),
        &asked(&register(), &challenges),
        &mut pair.tokens,
    );
    assert_eq!(
        shown(&answer.expect("answers"), "nonce").as_deref(),
        Some("2")
    );
}

#[test]
fn a_nonce_goes_on_being_used_with_a_growing_count() {
    let mut pair = Pair::new("zanzibar", &[Algorithm::Sha256]);
    assert_eq!(
        pair.client.authorize(&register(), &mut pair.tokens).bytes(),
        register().bytes()
    );
    let (first, _) = pair
        .round(&mut Exchange::default(), Staleness::Fresh)
        .expect("answers");
    for count in 2..=5 {
        let next = pair.client.authorize(&register(), &mut pair.tokens);
        assert_eq!(shown(&next, "nc"), Some(format!("{count:08x}")));
        assert_eq!(shown(&next, "nonce"), shown(&first, "nonce"));
        assert_eq!(pair.check(&next), bob());
        assert_eq!(pair.check(&next), Verdict::Stale, "replayed");
    }
    assert_eq!(pair.check(&first), Verdict::Stale, "replayed");
    assert_eq!(pair.server.kept(), 1);
}

#[test]
fn counts_may_overtake_one_another_but_not_by_much() {
    let mut pair = Pair::new("zanzibar", &[Algorithm::Md5]);
    pair.round(&mut Exchange::default(), Staleness::Fresh)
        .expect("answers");
    let mut later: Vec<Request> = (0..80)
        .map(|_| pair.client.authorize(&register(), &mut pair.tokens))
        .collect();
    let last = later.pop().expect("eighty");
    assert_eq!(pair.check(&last), bob());
    let old = later.remove(0);
    assert_eq!(pair.check(&old), Verdict::Stale, "more than 63 behind");
    for request in later.iter().rev().take(60) {
        assert_eq!(pair.check(request), bob());
        assert_eq!(pair.check(request), Verdict::Stale);
    }
}

#[test]
fn an_old_nonce_is_stale_and_a_new_one_goes_on() {
    let mut pair = Pair::new("zanzibar", &[Algorithm::Sha256]);
    pair.round(&mut Exchange::default(), Staleness::Fresh)
        .expect("answers");
    pair.now += LIFETIME + Duration::from_secs(1);
    let late = pair.client.authorize(&register(), &mut pair.tokens);
    assert_eq!(pair.check(&late), Verdict::Stale);
    let mut exchange = Exchange::default();
    let (_, verdict) = pair
        .round(&mut exchange, Staleness::Stale)
        .expect("answers");
    assert_eq!(verdict, bob());
    assert_eq!(pair.server.kept(), 1, "the old one is forgotten");
}

#[test]
fn a_wrong_password_is_wrong_once_and_not_tried_again() {
    let mut pair = Pair::new("swordfish", &[Algorithm::Md5]);
    let mut exchange = Exchange::default();
    let (_, verdict) = pair
        .round(&mut exchange, Staleness::Fresh)
        .expect("answers");
    assert_eq!(verdict, Verdict::Wrong);
    let again = pair.round(&mut exchange, Staleness::Fresh).map(|_| ());
    assert_eq!(again, Err(Unanswerable::Refused));
    assert_eq!(pair.server.kept(), 0, "guessing costs the server no memory");
    // A server that calls every nonce stale gets tired of, too.
    let mut exchange = Exchange::default();
    let rounds = (0..10)
        .take_while(|_| pair.round(&mut exchange, Staleness::Stale).is_ok())
        .count();
    assert!(rounds <= 4);
}

#[test]
fn what_does_not_fit_together_is_not_believed() {
    let mut pair = Pair::new("zanzibar", &[Algorithm::Sha256]);
    let (good, _) = pair
        .round(&mut Exchange::default(), Staleness::Fresh)
        .expect("answers");
    let value = String::from_utf8_lossy(good.headers().get(Name::Authorization).expect("is there"))
        .into_owned();
    let with = |value: &str| good.rebuild().set(Name::Authorization, value).finish();
    let nonce = shown(&good, "nonce").expect("a nonce");
    let cases = [
        (
            with(&value.replace("\"bob\"", "\"mallory\"")),
            Verdict::Wrong,
        ),
        (
            with(&value.replace("nc=00000001", "nc=00000002")),
            Verdict::Wrong,
        ),
        (
            with(&value.replace("nc=00000001", "nc=1")),
            Verdict::Malformed,
        ),
        (
            with(&value.replace("uri=\"sip:trunk.example\"", "uri=\"sip:other.example\"")),
            Verdict::Malformed,
        ),
        (
            with(&value.replace("trunk.example\", nonce", "elsewhere.example\", nonce")),
            Verdict::Missing,
        ),
        (with(&value.replace("SHA-256", "MD5")), Verdict::Missing),
        (
            with(&value.replace("SHA-256", "TOMORROW")),
            Verdict::Malformed,
        ),
        (with("Digest"), Verdict::Missing),
        (with("Bearer abc"), Verdict::Missing),
        (with(&value.replace(&nonce, "AAAA")), Verdict::Wrong),
    ];
    for (request, expected) in cases {
        let shown = String::from_utf8_lossy(
            request
                .headers()
                .get(Name::Authorization)
                .unwrap_or_default(),
        )
        .into_owned();
        assert_eq!(pair.check(&request), expected, "{shown}");
    }
    // A nonce of another server, or of this one before it restarted, with the right password.
    let mut other = Pair::new("zanzibar", &[Algorithm::Sha256]);
    other.server = Server::new([9; 32], REALM, &[Algorithm::Sha256], LIFETIME);
    assert_eq!(other.check(&good), Verdict::Stale);
}

#[test]
fn a_server_forgets_counts_but_never_takes_one_twice() {
    let mut pair = Pair::new("zanzibar", &[Algorithm::Md5]);
    let (first, verdict) = pair
        .round(&mut Exchange::default(), Staleness::Fresh)
        .expect("answers");
    assert_eq!(verdict, bob());
    for _ in 0..4_200 {
        pair.now += Duration::from_millis(10);
        let (_, verdict) = pair
            .round(&mut Exchange::default(), Staleness::Fresh)
            .expect("answers");
        assert_eq!(verdict, bob());
    }
    assert_eq!(pair.server.kept(), 4_096);
    assert_eq!(
        pair.check(&first),
        Verdict::Stale,
        "its count is forgotten, and so is its goodness"
    );
}

#[test]
fn auth_int_covers_the_body_and_is_taken_only_alone() {
    let mut tokens = Tokens::new([2; 32]);
    let mut client = Client::new(credentials("zanzibar"));
    let qop = |client: &mut Client, tokens: &mut Tokens, offered: &str| {
        let challenge = format!("Digest realm=\"a\", nonce=\"1\", qop={offered}");
        let response = asked(&register(), &[&challenge]);
        let answer = client.answer(&mut Exchange::default(), &register(), &response, tokens)?;
        Ok::<_, Unanswerable>((shown(&answer, "qop"), shown(&answer, "response")))
    };
    let both = qop(&mut client, &mut tokens, "\"auth-int, auth\"").expect("answers");
    assert_eq!(both.0.as_deref(), Some("auth"));
    let alone = qop(&mut client, &mut tokens, "\"auth-int\"").expect("answers");
    assert_eq!(alone.0.as_deref(), Some("auth-int"));
    assert_eq!(
        qop(&mut client, &mut tokens, "\"tomorrow\""),
        Err(Unanswerable::Unsupported)
    );
    // RFC 2069: no qop, no count, no cnonce.
    let response = asked(
        &register(),
        &["Digest realm=\"a\", nonce=\"1\", opaque=\"x\\\"y\""],
    );
    let answer = client
        .answer(
            &mut Exchange::default(),
            &register(),
            &response,
            &mut tokens,
        )
        .expect("answers");
    assert_eq!(
        (
            shown(&answer, "qop"),
            shown(&answer, "nc"),
            shown(&answer, "cnonce")
        ),
        (None, None, None)
    );
    assert_eq!(
        shown(&answer, "algorithm"),
        None,
        "not named, not named back"
    );
    let value = answer.headers().get(Name::Authorization).expect("is there");
    assert!(
        String::from_utf8_lossy(value).contains("opaque=\"x\\\"y\""),
        "as it came"
    );
}

#[test]
fn a_proxy_and_a_registrar_are_both_answered() {
    let mut tokens = Tokens::new([2; 32]);
    let mut client = Client::new(credentials("zanzibar"));
    let mut exchange = Exchange::default();
    let proxy = Response::reply(&register(), StatusCode::PROXY_AUTHENTICATION_REQUIRED)
        .header(
            Name::ProxyAuthenticate,
            "Digest realm=\"proxy\", nonce=\"p\", qop=\"auth\"",
        )
        .finish();
    let second = client
        .answer(&mut exchange, &register(), &proxy, &mut tokens)
        .expect("answers");
    let registrar = asked(
        &second,
        &["Digest realm=\"registrar\", nonce=\"r\", qop=\"auth\""],
    );
    let third = client
        .answer(&mut exchange, &second, &registrar, &mut tokens)
        .expect("answers");
    assert!(third.headers().contains(Name::ProxyAuthorization));
    assert_eq!(shown(&third, "realm").as_deref(), Some("registrar"));
    assert_eq!(third.headers().all(Name::Authorization).count(), 1);
    assert_eq!(third.headers().cseq().expect("CSeq").number, 9);
}

#[test]
fn credentials_for_one_realm_are_not_shown_to_another() {
    let mut tokens = Tokens::new([2; 32]);
    let ours = Credentials {
        realm: Some(REALM.to_owned()),
        ..credentials("zanzibar")
    };
    let mut client = Client::new(ours);
    let stranger = asked(
        &register(),
        &["Digest realm=\"stranger\", nonce=\"1\", qop=\"auth\""],
    );
    let answer = client.answer(
        &mut Exchange::default(),
        &register(),
        &stranger,
        &mut tokens,
    );
    assert_eq!(answer.map(|_| ()), Err(Unanswerable::Unsupported));
    let nothing = asked(&register(), &[]);
    let answer = client.answer(&mut Exchange::default(), &register(), &nothing, &mut tokens);
    assert_eq!(answer.map(|_| ()), Err(Unanswerable::NoChallenge));
}

#[test]
fn a_password_is_never_printed() {
    assert!(!format!("{:?}", credentials("zanzibar")).contains("zanzibar"));
    assert!(!format!("{:?}", Client::new(credentials("zanzibar"))).contains("zanzibar"));
}
