//! Messages from the outside: what is read, what stays byte for byte, what is built and what is refused.
//!
//! Not here: torture messages (`torture.rs`), framing (`framing.rs`), URIs (`uri.rs`).

use bytes::Bytes;
use sip::message::{
    Contacts, HeaderError, Message, Method, Name, NameAddr, ParseErrorKind, Problem, Refresher,
    Replaces, Request, Response, StatusCode, Uri, ValueError, Via, limits, refuse,
};

const TEAMS: &str = "INVITE sip:+12025550100@sbc1.contoso.example:5061;user=phone;transport=tls SIP/2.0\r\n\
    FROM: \"Anna \\\"A.\\\" Ek\"<sip:+14255550123@sip.pstnhub.microsoft.com:5061;user=phone>;tag=5f2a\r\n\
    TO: <sip:+12025550100@sbc1.contoso.example:5061;user=phone>\r\n\
    CSEQ: 1 INVITE\r\n\
    CALL-ID: 8ad7f09b5d4a5b1e\r\n\
    MAX-FORWARDS: 70\r\n\
    VIA: SIP/2.0/TLS 52.114.75.24:5061;branch=z9hG4bK69ce74c6,SIP / 2.0 / UDP [2001:db8::1] : 4000;branch=z9hG4bKb\r\n\
    RECORD-ROUTE: <sip:sip-du-a-eu.pstnhub.microsoft.com:5061;transport=tls;lr>\r\n\
    CONTACT: <sip:api-du-a-euwe.pstnhub.microsoft.com:443;x-i=11111111-2222;x-c=4a/8:orgid:99;transport=tls>\r\n\
    m: <tel:7042;phone-context=contoso.example>\r\n\
    REFERRED-BY: <sip:sip.pstnhub.microsoft.com:5061;x-m=8:orgid:99999999-8888;x-tt=aHR0cHM6Ly9%3D>\r\n\
    k: 100rel,\r\n replaces\r\n\
    SUPPORTED: timer\r\n\
    X-Ms-Thing :  one \r\n\t two  \r\n\
    CONTENT-TYPE: application/sdp\r\n\
    CONTENT-LENGTH: 4\r\n\
    \r\n\
    v=0\nrest that is no body";

fn request(text: impl Into<Bytes>) -> Request {
    match Message::parse(text.into()) {
        Ok(Message::Request(request)) => request,
        other => panic!("no request: {other:?}"),
    }
}

fn with(line: &str) -> Request {
    request(format!("OPTIONS sip:a@b SIP/2.0\r\n{line}\r\n\r\n"))
}

fn kind(text: impl Into<Bytes>) -> ParseErrorKind {
    Message::parse(text.into())
        .expect_err("a malformed message")
        .kind
}

#[test]
fn a_teams_invite_is_read_and_stays_byte_for_byte() {
    let invite = request(TEAMS);
    assert_eq!(invite.bytes(), TEAMS);
    assert_eq!(invite.check(), Ok(()));
    assert_eq!(invite.method(), Method::Invite);
    assert_eq!(invite.body(), b"v=0\n");
    let headers = invite.headers();
    let from = headers.from().unwrap();
    assert_eq!(from.display_name().unwrap(), "Anna \"A.\" Ek");
    assert_eq!(from.tag(), Some("5f2a"));
    assert_eq!(from.uri().telephone(), Some("+14255550123"));
    assert_eq!(headers.to().unwrap().tag(), None);
    assert_eq!(headers.cseq().unwrap().number, 1);
    assert_eq!(headers.call_id().unwrap(), "8ad7f09b5d4a5b1e");
    assert_eq!(headers.max_forwards(), Ok(Some(70)));
    assert!(
        headers
            .content_type()
            .unwrap()
            .unwrap()
            .is("application/SDP")
    );
    // INV-09: the Contact can become a Request-URI as it is.
    let contact = headers.contact().unwrap();
    let bye = Request::build(Method::Bye, contact.uri()).finish();
    assert_eq!(
        bye.uri(),
        b"sip:api-du-a-euwe.pstnhub.microsoft.com:443;x-i=11111111-2222;x-c=4a/8:orgid:99;transport=tls"
    );
    // REF-03: Referred-By can be copied byte for byte.
    let referred_by = headers.referred_by().unwrap().unwrap();
    assert_eq!(referred_by.bytes(), headers.get(Name::ReferredBy).unwrap());
    assert_eq!(
        referred_by.uri().params().value("X-M"),
        Some("8:orgid:99999999-8888")
    );
}

#[test]
fn lists_run_over_commas_folds_and_lines() {
    let invite = request(TEAMS);
    let headers = invite.headers();
    let vias = headers.vias().unwrap();
    assert_eq!(vias.len(), 2);
    assert_eq!(vias[0], headers.via().unwrap());
    assert_eq!(vias[0].branch(), Some("z9hG4bK69ce74c6"));
    assert_eq!(vias[1].transport(), "UDP");
    assert_eq!(vias[1].sent_by().to_string(), "[2001:db8::1]:4000");
    let supported: Vec<&str> = headers.supported().iter().collect();
    assert_eq!(supported, ["100rel", "replaces", "timer"]);
    assert!(headers.supported().contains("Timer"));
    assert_eq!(headers.contacts().unwrap().addresses().len(), 2);
    assert_eq!(
        headers.contacts().unwrap().addresses()[1].uri().telephone(),
        Some("7042")
    );
    assert_eq!(
        headers.get(Name::of("x-ms-thing")),
        Some(&b"one \r\n\t two"[..])
    );
    assert_eq!(
        headers.get(Name::Other("x-ms-thing")),
        headers.get(Name::of("X-MS-THING"))
    );
    assert_eq!(
        headers.get(Name::Other("call-id")),
        headers.get(Name::CallId)
    );
    let quoted = with("Contact: \"a, \\\" b\" <sip:a@b;x=1,2>;q=1 , <sip:c@d>;y=\"e,f\"");
    assert_eq!(quoted.headers().contacts().unwrap().addresses().len(), 2);
}

#[test]
fn the_space_in_a_via_may_be_anywhere_it_may() {
    let via = with(
        "v: SIP / 2.0 / UDP first.example.com: 4000;ttl=16\r\n  ;maddr=224.2.0.1 ;branch = z9hG4bKa7c6a8dlze.1",
    );
    let via = via.headers().via().unwrap();
    assert_eq!(via.sent_by().to_string(), "first.example.com:4000");
    assert_eq!(via.branch(), Some("z9hG4bKa7c6a8dlze.1"));
    assert_eq!(via.params().value("maddr"), Some("224.2.0.1"));
}

#[test]
fn via_takes_received_and_rport_in_place() {
    let via = Via::parse(Bytes::from("SIP/2.0/UDP [::1]:5;rport;branch=z9hG4bK1;x")).unwrap();
    assert!(via.params().contains("rport"));
    assert_eq!(via.rport(), None);
    let seen = via
        .with_param("rport", Some("9"))
        .with_param("received", Some("2001:db8::9"));
    assert_eq!(
        seen.bytes(),
        "SIP/2.0/UDP [::1]:5;rport=9;branch=z9hG4bK1;x;received=2001:db8::9"
    );
    assert_eq!(seen.rport(), Some(9));
    assert_eq!(seen.received(), "2001:db8::9".parse().ok());
    assert_eq!(Via::parse(seen.bytes().clone()).unwrap(), seen);
}

#[test]
fn odd_bytes_in_display_names_are_kept() {
    let request = request(b"OPTIONS sip:a@b SIP/2.0\r\nf: \"J\xf6rg\" <sip:j@b>;tag=1\r\nt: M\xc3\xbcller <sip:m@b>\r\n\r\n".to_vec());
    let from = request.headers().from().unwrap();
    assert_eq!(from.display_name().unwrap(), "J\u{f6}rg");
    assert_eq!(&from.bytes()[..], b"\"J\xf6rg\" <sip:j@b>;tag=1");
    assert_eq!(
        request.headers().to().unwrap().display_name().unwrap(),
        "M\u{fc}ller"
    );
}

#[test]
fn name_addresses_are_read_and_changed() {
    let parse = |text: &str| text.parse::<NameAddr>();
    let bare = parse("sip:a@b;tag=7").unwrap();
    assert_eq!((bare.uri().as_str(), bare.tag()), ("sip:a@b", Some("7")));
    assert_eq!(bare.with_param("tag", Some("8")).bytes(), "sip:a@b;tag=8");
    assert_eq!(bare.without_param("tag").bytes(), "sip:a@b");
    let full = NameAddr::new(bare.uri())
        .with_display("O\"B\r\nX: y")
        .with_param("text", Some("a b"));
    assert_eq!(full.bytes(), "\"O\\\"B  X: y\" <sip:a@b>;text=\"a b\"");
    assert_eq!(full.params().unquoted("text").unwrap(), "a b");
    assert_eq!(
        parse(std::str::from_utf8(full.bytes()).unwrap())
            .unwrap()
            .display_name()
            .unwrap(),
        "O\"B  X: y"
    );
    assert_eq!(parse("sip:a@b?x=y"), Err(ValueError::NeedsAngle));
    assert_eq!(parse("\"a <sip:a@b>"), Err(ValueError::UnclosedQuote));
    assert_eq!(parse("<sip:a@b"), Err(ValueError::UnclosedAngle));
    assert_eq!(parse("Bell, A <sip:a@b>"), Err(ValueError::DisplayName));
    assert_eq!(parse("<sip:a@b>x"), Err(ValueError::Trailing));
    assert_eq!(parse("<sip:a@b>;;"), Err(ValueError::Parameter));
    assert_eq!(parse("<sip:a@b>;a=\"b"), Err(ValueError::UnclosedQuote));
    assert_eq!(parse(""), Err(ValueError::Empty));
}

#[test]
fn the_small_values_are_read_and_printed() {
    let wide = with(
        "Session-Expires: 1800 ; Refresher=UAS\r\nMin-SE: 90;x\r\nRAck: 776656 1 INVITE\r\nRSeq: 9\r\n\
        Reason: Q.850;cause=16;text=\"Terminated\",SIP;cause=200;text=\"Call completed elsewhere\"\r\n\
        Retry-After: 120 (I'm in a meeting);duration=3600\r\nEvent: refer;id=7\r\n\
        Subscription-State: terminated;reason=noresource;expires=0\r\nPrivacy: id;critical\r\n\
        WWW-Authenticate: Digest realm=\"a, b\", nonce=\"q\\\"\", qop=\"auth\",algorithm=SHA-256\r\n\
        Replaces: 12adf2f34456gs5;to-tag=12345;from-tag=54321;early-only\r\nAllow: INVITE,ACK, BYE",
    );
    let headers = wide.headers();
    let session = headers.session_expires().unwrap().unwrap();
    assert_eq!(
        (session.seconds, session.refresher),
        (1800, Some(Refresher::Uas))
    );
    assert_eq!(session.to_string(), "1800;refresher=uas");
    assert_eq!(headers.min_se(), Ok(Some(90)));
    assert_eq!(headers.rseq(), Ok(Some(9)));
    assert_eq!(
        headers.rack().unwrap().unwrap().to_string(),
        "776656 1 INVITE"
    );
    let reasons = headers.reasons().unwrap();
    assert_eq!(reasons[0].cause, Some(16));
    assert_eq!(
        reasons[1].to_string(),
        "SIP;cause=200;text=\"Call completed elsewhere\""
    );
    let retry = headers.retry_after().unwrap().unwrap();
    assert_eq!((retry.seconds, retry.duration), (120, Some(3600)));
    assert_eq!(headers.event().unwrap().unwrap().id(), Some("7"));
    let state = headers.subscription_state().unwrap().unwrap();
    assert!(state.is_terminated());
    assert_eq!(state.reason(), Some("noresource"));
    assert!(headers.privacy().contains("critical"));
    let challenge = headers.www_authenticate().unwrap().remove(0);
    assert_eq!(challenge.scheme(), "Digest");
    assert_eq!(challenge.param("realm").unwrap(), "a, b");
    assert_eq!(challenge.param("nonce").unwrap(), "q\"");
    assert_eq!(challenge.raw_param("qop"), Some("\"auth\""));
    assert_eq!(challenge.param("algorithm").unwrap(), "SHA-256");
    let replaces = headers.replaces().unwrap().unwrap();
    assert_eq!(
        replaces.to_string(),
        "12adf2f34456gs5;to-tag=12345;from-tag=54321;early-only"
    );
    assert!(headers.allow().allows(&Method::Bye));
    assert!(!headers.allow().allows(&Method::Refer));
    assert_eq!(headers.expires(), Ok(None));
}

#[test]
fn replaces_of_a_refer_to_is_unescaped() {
    let refer = with(
        "r: <sip:b@c;x-m=8:orgid:1?Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2&Require=replaces>",
    );
    let target = refer.headers().refer_to().unwrap();
    let replaces = target.uri().header("replaces").unwrap().into_owned();
    let replaces = Replaces::parse(&Bytes::from(replaces)).unwrap();
    assert_eq!(
        (&*replaces.call_id, &*replaces.to_tag, &*replaces.from_tag),
        ("a@b", "1", "2")
    );
    assert_eq!(
        target.uri().without_headers().as_str(),
        "sip:b@c;x-m=8:orgid:1"
    );
}

#[test]
fn a_star_contact_stands_alone() {
    assert_eq!(with("Contact: *").headers().contacts(), Ok(Contacts::All));
    assert!(
        with("Contact: *\r\nContact: <sip:a@b>")
            .headers()
            .contacts()
            .is_err()
    );
    assert_eq!(
        with("Subject: x").headers().contacts(),
        Ok(Contacts::List(Vec::new()))
    );
}

#[test]
fn a_reply_carries_what_the_request_brought() {
    let invite = request(TEAMS);
    let ringing = Response::reply(&invite, StatusCode::RINGING)
        .to_tag("ours")
        .finish();
    let headers = ringing.headers();
    assert_eq!(ringing.status(), StatusCode::RINGING);
    assert_eq!(ringing.reason(), b"Ringing");
    assert_eq!(headers.vias().unwrap(), invite.headers().vias().unwrap());
    assert_eq!(headers.record_routes().unwrap().len(), 1);
    assert_eq!(headers.from().unwrap(), invite.headers().from().unwrap());
    assert_eq!(headers.to().unwrap().tag(), Some("ours"));
    assert_eq!(headers.content_length(), Ok(Some(0)));
    assert_eq!(ringing.check(), Ok(()));
    assert!(
        !Response::reply(&invite, StatusCode::BUSY_HERE)
            .finish()
            .headers()
            .contains(Name::RecordRoute)
    );
    // A tag that is there stays.
    let again = ringing.rebuild().to_tag("other").finish();
    assert_eq!(again.headers().to().unwrap().tag(), Some("ours"));
}

#[test]
fn what_is_built_parses_to_the_same() {
    let uri: Uri = "sip:a@b;x=8:y".parse().unwrap();
    let built = Request::build(Method::Options, &uri)
        .header(Name::From, "<sip:a@b>;tag=1")
        .header(Name::Other("X-One"), "1")
        .header(Name::Other("x-one"), b"2\r\nInjected: yes")
        .header(Name::ContentLength, "999")
        .header(Name::MaxForwards, 70u8)
        .first(
            Name::Via,
            Via::new(
                sip::transport::Transport::Tls,
                &"[::1]:5061".parse().unwrap(),
                "z9hG4bK1",
            ),
        )
        .body("text/plain", "hello")
        .finish();
    let text = "OPTIONS sip:a@b;x=8:y SIP/2.0\r\nVia: SIP/2.0/TLS [::1]:5061;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
        X-One: 1\r\nx-one: 2  Injected: yes\r\nMax-Forwards: 70\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello";
    assert_eq!(built.bytes(), text);
    let parsed = request(built.bytes().clone());
    assert_eq!(
        format!("{:?}", built.headers()),
        format!("{:?}", parsed.headers())
    );
    assert_eq!(built.uri(), parsed.uri());
    assert_eq!(built.body(), parsed.body());
    let changed = built
        .rebuild()
        .set(Name::Other("X-ONE"), "3")
        .remove(Name::Via)
        .finish();
    let text = "OPTIONS sip:a@b;x=8:y SIP/2.0\r\nFrom: <sip:a@b>;tag=1\r\nX-ONE: 3\r\nMax-Forwards: 70\r\n\
        Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello";
    assert_eq!(changed.bytes(), text);
}

#[test]
fn broken_bytes_are_told_apart() {
    use ParseErrorKind as Kind;
    let cases: [(&str, Kind); 22] = [
        ("", Kind::Empty),
        ("\r\n\r\n", Kind::Empty),
        ("hello", Kind::HeadUnterminated),
        ("hello\r\n\r\n", Kind::StartLine),
        ("OPTIONS sip:a@b\r\n\r\n", Kind::StartLine),
        ("OPT,ONS sip:a@b SIP/2.0\r\n\r\n", Kind::StartLine),
        ("OPTIONS  sip:a@b SIP/2.0\r\n\r\n", Kind::RequestUri),
        ("OPTIONS <sip:a@b> SIP/2.0\r\n\r\n", Kind::RequestUri),
        ("OPTIONS sip:a@b SIP/7.0\r\n\r\n", Kind::Version),
        ("OPTIONS sip:a@b HTTP/1.1\r\n\r\n", Kind::StartLine),
        ("SIP/3.0 200 OK\r\n\r\n", Kind::Version),
        ("SIP/2.0 4294967301 OK\r\n\r\n", Kind::StatusCode),
        ("SIP/2.0 099 Low\r\n\r\n", Kind::StatusCode),
        ("OPTIONS sip:a@b SIP/2.0\n\n", Kind::BareLineFeed),
        (
            "OPTIONS sip:a@b SIP/2.0\r\nTo: a\nb\r\n\r\n",
            Kind::BareLineFeed,
        ),
        (
            "OPTIONS sip:a@b SIP/2.0\r\nTo: a\rb\r\n\r\n",
            Kind::BareCarriageReturn,
        ),
        ("OPTIONS sip:a@b SIP/2.0\r\nTo\r\n\r\n", Kind::NoColon),
        (
            "OPTIONS sip:a@b SIP/2.0\r\n To: a\r\n\r\n",
            Kind::HeaderName,
        ),
        ("OPTIONS sip:a@b SIP/2.0\r\n: a\r\n\r\n", Kind::HeaderName),
        (
            "OPTIONS sip:a@b SIP/2.0\r\nl: -1\r\n\r\n",
            Kind::ContentLength,
        ),
        (
            "OPTIONS sip:a@b SIP/2.0\r\nl: 0\r\nContent-Length: 0\r\n\r\n",
            Kind::ContentLengthRepeated,
        ),
        (
            "OPTIONS sip:a@b SIP/2.0\r\nl: 9\r\n\r\nshort",
            Kind::BodyTruncated,
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(kind(text), expected, "{text:?}");
    }
    assert_eq!(
        request("\r\n\r\nOPTIONS sip:a@b SIP/2.0\r\n\r\nrest").body(),
        b"rest"
    );
}

#[test]
fn limits_hold_and_what_teams_needs_is_below_them() {
    let sized = |length: usize| {
        let head = "OPTIONS sip:a@b SIP/2.0\r\nl: 65000\r\n\r\n";
        let mut text = head.as_bytes().to_vec();
        text.resize(length, b'x');
        text
    };
    // INV-24: 64 KiB pass, one byte more does not.
    assert_eq!(request(sized(limits::MESSAGE_BYTES)).body().len(), 65_000);
    assert_eq!(
        kind(sized(limits::MESSAGE_BYTES + 1)),
        ParseErrorKind::MessageTooLong
    );
    let uri = |length: usize| format!("OPTIONS sip:a@b;{} SIP/2.0\r\n\r\n", "p".repeat(length));
    assert!(request(uri(1024)).request_uri().is_ok());
    assert_eq!(kind(uri(limits::URI_BYTES)), ParseErrorKind::UriTooLong);
    let lines = |count: usize| {
        format!(
            "OPTIONS sip:a@b SIP/2.0\r\n{}\r\n",
            "a: b\r\n".repeat(count)
        )
    };
    assert_eq!(
        request(lines(limits::HEADERS)).headers().len(),
        limits::HEADERS
    );
    assert_eq!(
        kind(lines(limits::HEADERS + 1)),
        ParseErrorKind::TooManyHeaders
    );
    let line = |length: usize| {
        format!(
            "OPTIONS sip:a@b SIP/2.0\r\na: {}\r\n {}\r\n\r\n",
            "b".repeat(length),
            "c".repeat(length)
        )
    };
    assert_eq!(
        kind(line(limits::LINE_BYTES / 2)),
        ParseErrorKind::LineTooLong
    );
    let routes = with(&format!(
        "Route: {}<sip:z>",
        "<sip:a>,".repeat(limits::LIST_VALUES)
    ));
    assert_eq!(
        routes.headers().routes().unwrap_err().problem,
        Problem::TooMany
    );
}

#[test]
fn check_finds_what_no_element_can_work_with() {
    let good = "OPTIONS sip:a@b SIP/2.0\r\nv: SIP/2.0/UDP c;branch=z9hG4bK1\r\nf: <sip:a@b>;tag=1\r\nt: <sip:c@d>\r\ni: 1@b\r\nCSeq: 1 OPTIONS\r\n\r\n";
    assert_eq!(request(good).check(), Ok(()));
    let without = |line: &str| request(good.replace(line, "")).check();
    let missing = |name| {
        Err(HeaderError {
            name,
            problem: Problem::Missing,
        })
    };
    assert_eq!(
        without("v: SIP/2.0/UDP c;branch=z9hG4bK1\r\n"),
        missing(Name::Via)
    );
    assert_eq!(without("f: <sip:a@b>;tag=1\r\n"), missing(Name::From));
    assert_eq!(without("t: <sip:c@d>\r\n"), missing(Name::To));
    assert_eq!(without("i: 1@b\r\n"), missing(Name::CallId));
    assert_eq!(without("CSeq: 1 OPTIONS\r\n"), missing(Name::CSeq));
    let changed =
        |from: &str, to: &str| request(good.replace(from, to)).check().unwrap_err().problem;
    assert_eq!(changed("1 OPTIONS", "1 INVITE"), Problem::MethodMismatch);
    assert_eq!(
        changed("1 OPTIONS", "2147483648 OPTIONS"),
        Problem::Value(ValueError::Number)
    );
    assert_eq!(changed("t: ", "t: <sip:x>\r\nt: "), Problem::Repeated);
    assert_eq!(
        changed("t: ", "Max-Forwards: 256\r\nt: "),
        Problem::Value(ValueError::Number)
    );
    assert!(matches!(
        changed("OPTIONS sip:a@b ", "OPTIONS sip:a@ "),
        Problem::RequestUri(_)
    ));
}

#[test]
fn a_malformed_request_is_refused_as_well_as_can_be() {
    let bad = "INVITE sip:a@b; lr SIP/2.0\r\nno colon here\r\nv: SIP/2.0/UDP c;branch=z9hG4bK1\r\nVia: SIP/2.0/UDP d\r\n\
        f: \"unclosed <sip:a@b>;tag=1\r\nt: <sip:c@d>\r\n ;x=y\r\ni: 1@b\r\nCSeq: 1 INVITE\r\nl: 99\r\n\r\n";
    let error = Message::parse(Bytes::from(bad)).unwrap_err();
    let answer = refuse(bad.as_bytes(), error.status()).unwrap();
    let tag = answer.headers().to().unwrap().tag().unwrap().to_owned();
    let text = format!(
        "SIP/2.0 400 Bad Request\r\nVia: SIP/2.0/UDP c;branch=z9hG4bK1\r\nVia: SIP/2.0/UDP d\r\n\
         From: \"unclosed <sip:a@b>;tag=1\r\nTo: <sip:c@d>;x=y;tag={tag}\r\nCall-ID: 1@b\r\nCSeq: 1 INVITE\r\n\
         Content-Length: 0\r\n\r\n"
    );
    assert_eq!(answer.bytes(), &text);
    // RFC 3261 §8.2.7: the same request gets the same tag.
    assert_eq!(
        refuse(bad.as_bytes(), error.status()).unwrap().bytes(),
        &text
    );
    assert!(refuse(bad.replace("INVITE", "ACK").as_bytes(), error.status()).is_none());
    assert!(
        refuse(
            bad.replace("INVITE sip:a@b; lr ", "SIP/2.0 200").as_bytes(),
            error.status()
        )
        .is_none()
    );
    assert!(refuse(bad.replace("CSeq", "CSek").as_bytes(), error.status()).is_none());
    let bare = bad.replace("\r\n", "\n");
    let error = Message::parse(Bytes::from(bare.clone())).unwrap_err();
    assert_eq!(error.kind, ParseErrorKind::BareLineFeed);
    assert!(refuse(bare.as_bytes(), error.status()).is_some());
}
