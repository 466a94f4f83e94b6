//! The torture messages of RFC 4475 and RFC 5118, each with the verdict of its RFC and the reason for it.
//!
//! A verdict is what this layer must do: take the message, answer it with a code, or drop it. What a UAS answers to a
//! message that is taken (416, 420, 415, 483 …) is the business of the layers above, and said in the reason.
//!
//! Not here: what is read from good messages otherwise (`message.rs`).

use std::path::{Path, PathBuf};

use bytes::Bytes;
use sip::message::{Message, Method, Name, ParseErrorKind, Response, Scheme, StatusCode, refuse};

/// What this layer must do with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict<S = &'static str> {
    /// Parse it and find nothing that every element must refuse.
    Take,
    /// A request: answer with this code, having found this.
    Answer(u16, S),
    /// A response: drop it, having found this.
    Drop(S),
}

use Verdict::{Answer, Drop, Take};

const RFC_4475: [(&str, Verdict, &str); 49] = [
    (
        "wsinv",
        Take,
        "3.1.1.1: folds, compact names, white space and odd case are all legal",
    ),
    (
        "intmeth",
        Take,
        "3.1.1.2: a method and URI of all legal characters, UTF-8 and escaped controls in a name",
    ),
    (
        "esc01",
        Take,
        "3.1.1.3: escapes in a user are not separators",
    ),
    ("escnull", Take, "3.1.1.4: %00 is an escape as any other"),
    (
        "esc02",
        Take,
        "3.1.1.5: % in a token is a character, so the method is unknown and C%6Fntact no Contact",
    ),
    (
        "lwsdisp",
        Take,
        "3.1.1.6: no white space is needed before the bracket",
    ),
    ("longreq", Take, "3.1.1.7: long is not wrong"),
    (
        "dblreq",
        Take,
        "3.1.1.8: what follows the body in a datagram is not looked at",
    ),
    (
        "semiuri",
        Take,
        "3.1.1.9: a semicolon in a user is part of it",
    ),
    (
        "transports",
        Take,
        "3.1.1.10: any transport token may stand in a Via",
    ),
    (
        "mpart01",
        Take,
        "3.1.1.11: a multipart body is bytes, NULs too",
    ),
    ("unreason", Take, "3.1.1.12: a reason phrase is UTF-8"),
    ("noreason", Take, "3.1.1.13: a reason phrase may be empty"),
    (
        "badinv01",
        Answer(400, "Via: a parameter is malformed"),
        "3.1.2.1: separators without parameters in Via and Contact",
    ),
    (
        "clerr",
        Answer(400, "the body is shorter than Content-Length"),
        "3.1.2.2: the datagram ends before Content-Length says",
    ),
    (
        "ncl",
        Answer(400, "Content-Length is not a number"),
        "3.1.2.3: Content-Length is negative",
    ),
    (
        "scalar02",
        Answer(400, "CSeq: not a number in range"),
        "3.1.2.4: CSeq beyond 2^31, Max-Forwards beyond 255",
    ),
    (
        "scalarlg",
        Drop("CSeq: not a number in range"),
        "3.1.2.5: CSeq beyond 2^31 in a response",
    ),
    (
        "quotbal",
        Answer(400, "To: a quoted string does not end"),
        "3.1.2.6: the quote in To never ends",
    ),
    (
        "ltgtruri",
        Answer(400, "the Request-URI holds a byte that no URI holds"),
        "3.1.2.7: angle brackets around the Request-URI",
    ),
    (
        "lwsruri",
        Answer(400, "the Request-URI holds a byte that no URI holds"),
        "3.1.2.8: white space within the Request-URI",
    ),
    (
        "lwsstart",
        Answer(400, "the Request-URI holds a byte that no URI holds"),
        "3.1.2.9: more than one space between the parts of the start line",
    ),
    (
        "trws",
        Answer(
            400,
            "the start line is neither a request line nor a status line",
        ),
        "3.1.2.10: white space after the version",
    ),
    (
        "escruri",
        Answer(
            400,
            "Request-URI: not a Request-URI: the Request-URI has headers",
        ),
        "3.1.2.11: a Request-URI has no headers",
    ),
    (
        "baddate",
        Take,
        "3.1.2.12: the zone of Date is wrong, and whoever does not use Date may overlook it",
    ),
    (
        "regbadct",
        Answer(400, "Contact: the URI must be in angle brackets"),
        "3.1.2.13: a Contact URI with a question mark outside angle brackets",
    ),
    (
        "badaspec",
        Answer(400, "To: the URI holds a byte that no URI holds"),
        "3.1.2.14: spaces within the angle brackets of To",
    ),
    (
        "baddn",
        Answer(400, "From: the display name is neither quoted nor tokens"),
        "3.1.2.15: a comma in a display name that is not quoted",
    ),
    (
        "badvers",
        Answer(505, "the version is not SIP/2.0"),
        "3.1.2.16: the version is 7.0",
    ),
    (
        "mismatch01",
        Answer(400, "CSeq: names another method than the request"),
        "3.1.2.17: CSeq names another method than the start line",
    ),
    (
        "mismatch02",
        Answer(400, "CSeq: names another method than the request"),
        "3.1.2.18: so too where the method is unknown",
    ),
    (
        "bigcode",
        Drop("the status code is not a number from 100 to 699"),
        "3.1.2.19: the status code overflows",
    ),
    (
        "badbranch",
        Take,
        "3.2.1: a branch of the cookie alone is matched as RFC 2543 did, above",
    ),
    (
        "insuf",
        Answer(400, "From: missing"),
        "3.3.1: Call-ID, From and To are missing",
    ),
    ("unkscm", Take, "3.3.2: the scheme is unknown: 416, above"),
    (
        "novelsc",
        Take,
        "3.3.3: the scheme is known, but not to SIP: 416, above",
    ),
    (
        "unksm2",
        Take,
        "3.3.4: unknown schemes in To, From and Contact are the registrar's to refuse",
    ),
    (
        "bext01",
        Take,
        "3.3.5: unknown extensions are required: 420, above",
    ),
    (
        "invut",
        Take,
        "3.3.6: the body's type is unknown: 415, above",
    ),
    (
        "regaut01",
        Take,
        "3.3.7: an unknown authorisation scheme is no reason to stop reading",
    ),
    (
        "multi01",
        Answer(400, "CSeq: there more than once"),
        "3.3.8: headers twice that may stand once",
    ),
    (
        "mcl01",
        Answer(400, "Content-Length is there more than once"),
        "3.3.9: two values of Content-Length",
    ),
    (
        "bcast",
        Take,
        "3.3.10: a second Via is for the client transaction to count and drop",
    ),
    (
        "zeromf",
        Take,
        "3.3.11: Max-Forwards 0 reaches us; it must not go on",
    ),
    (
        "cparam01",
        Take,
        "3.3.12: a parameter after a bare Contact URI is the header's",
    ),
    ("cparam02", Take, "3.3.13: one within brackets is the URI's"),
    (
        "regescrt",
        Take,
        "3.3.14: a Contact in brackets may carry headers",
    ),
    (
        "sdp01",
        Take,
        "3.3.15: an Accept without SDP is for the UAS: 406",
    ),
    (
        "inv2543",
        Take,
        "3.4.1: RFC 2543 had no branch, tags, Max-Forwards or Content-Length over UDP",
    ),
];

const RFC_5118: [(&str, Verdict, &str); 12] = [
    ("ipv6-good", Take, "4.1: an IPv6 reference in brackets"),
    (
        "ipv6-bad",
        Answer(
            400,
            "Request-URI: not a Request-URI: the URI's host is neither a name nor an address",
        ),
        "4.2: an IPv6 address without brackets",
    ),
    (
        "port-ambiguous",
        Take,
        "4.3: within the brackets it is all address",
    ),
    (
        "port-unambiguous",
        Take,
        "4.4: after the brackets stands the port",
    ),
    (
        "via-received-param-with-delim",
        Take,
        "4.5: received with brackets, though its grammar has none",
    ),
    (
        "via-received-param-no-delim",
        Take,
        "4.5: received without brackets",
    ),
    (
        "ipv6-in-sdp",
        Answer(400, "the body is shorter than Content-Length"),
        "4.6: meant to be taken, but its Content-Length is 17 longer than its body (RFC 3261 §18.3)",
    ),
    (
        "mult-ip-in-header",
        Take,
        "4.7: IPv4 and IPv6 in one message",
    ),
    ("mult-ip-in-sdp", Take, "4.8: IPv4 and IPv6 in one body"),
    (
        "ipv4-mapped-ipv6",
        Take,
        "4.9: an IPv4-mapped address is an address",
    ),
    (
        "ipv6-bug-abnf-3-colons",
        Take,
        "4.10: RFC 3261's grammar let ::: be written, so it is read",
    ),
    (
        "ipv6-correct-abnf-2-colons",
        Take,
        "4.10: as it should be written",
    ),
];

fn folder(rfc: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/torture")
        .join(rfc)
}

fn load(rfc: &str, name: &str) -> Bytes {
    let path = folder(rfc).join(format!("{name}.sip"));
    Bytes::from(std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

fn message(rfc: &str, name: &str) -> Message {
    Message::parse(load(rfc, name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// What this layer does, by the doors that its users take.
fn verdict(bytes: &Bytes) -> Verdict<String> {
    match Message::parse(bytes.clone()) {
        Ok(Message::Request(request)) => match request.check() {
            Ok(()) => Take,
            Err(error) => {
                let reply = Response::reply(&request, error.status()).finish();
                Answer(reply.status().code(), error.to_string())
            }
        },
        Ok(Message::Response(response)) => response
            .check()
            .map_or_else(|error| Drop(error.to_string()), |()| Take),
        Err(error) => match refuse(bytes, error.status()) {
            Some(reply) => Answer(reply.status().code(), error.kind.to_string()),
            None => Drop(error.kind.to_string()),
        },
    }
}

fn same(ours: &Verdict<String>, expected: &Verdict) -> bool {
    match (ours, expected) {
        (Take, Take) => true,
        (Answer(code, why), Answer(expected, because)) => code == expected && why == because,
        (Drop(why), Drop(because)) => why == because,
        _ => false,
    }
}

fn verdicts_hold(rfc: &str, table: &[(&str, Verdict, &str)]) {
    let mut wrong = Vec::new();
    for (name, expected, reason) in table {
        let bytes = load(rfc, name);
        let ours = verdict(&bytes);
        if !same(&ours, expected) {
            wrong.push(format!("{name}: {ours:?}, not {expected:?} ({reason})"));
        }
        if let Ok(message) = Message::parse(bytes.clone()) {
            assert_eq!(message.bytes(), &bytes, "{name} is kept as it came");
        }
        sip::fuzz::message(&bytes);
    }
    assert!(wrong.is_empty(), "{rfc}:\n{}", wrong.join("\n"));
    let files = std::fs::read_dir(folder(rfc))
        .expect("the folder is there")
        .count();
    assert_eq!(
        files,
        table.len(),
        "every message of the RFC has its verdict"
    );
}

#[test]
fn rfc_4475_verdicts() {
    verdicts_hold("rfc4475", &RFC_4475);
}

#[test]
fn rfc_5118_verdicts() {
    verdicts_hold("rfc5118", &RFC_5118);
}

#[test]
fn a_short_tortuous_invite_says_what_the_rfc_says() {
    let message = message("rfc4475", "wsinv");
    let headers = message.headers();
    assert_eq!(headers.to().unwrap().tag(), Some("1918181833n"));
    assert_eq!(
        headers.from().unwrap().display_name().unwrap(),
        "J Rosenberg \\\""
    );
    assert_eq!(headers.from().unwrap().tag(), Some("98asjd8"));
    assert_eq!(headers.max_forwards(), Ok(Some(68)));
    assert_eq!(headers.cseq().unwrap().to_string(), "9 INVITE");
    let vias = headers.vias().unwrap();
    let hops: Vec<_> = vias
        .iter()
        .map(|via| (via.transport(), via.sent_by().to_string(), via.branch()))
        .collect();
    assert_eq!(
        hops,
        [
            ("UDP", "192.0.2.2".to_owned(), Some("390skdjuw")),
            (
                "TCP",
                "spindle.example.com".to_owned(),
                Some("z9hG4bK9ikj8")
            ),
            ("UDP", "192.168.255.111".to_owned(), Some("z9hG4bK30239")),
        ]
    );
    assert_eq!(headers.get(Name::Subject), Some(&b""[..]));
    assert_eq!(
        headers.get(Name::of("unknownheaderwithunusualvalue")),
        Some(&b";;,,;;,;"[..])
    );
    assert!(headers.routes().unwrap()[0].uri().params().contains("lr"));
    let contact = headers.contact().unwrap();
    assert_eq!(contact.display_name().unwrap(), "Quoted string \"\"");
    assert!(contact.params().contains("secondparam"));
    assert_eq!(contact.params().value("q"), Some("0.33"));
    assert_eq!(contact.params().iter().count(), 3);
}

#[test]
fn the_wide_range_of_valid_characters_is_read() {
    let Message::Request(request) = message("rfc4475", "intmeth") else {
        panic!("a request");
    };
    assert_eq!(
        request.method().as_str(),
        "!interesting-Method0123456789_*+`.%indeed'~"
    );
    let uri = request.request_uri().unwrap();
    assert_eq!(
        uri.user(),
        Some("1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*")
    );
    assert_eq!(uri.host().unwrap().name(), Some("example.com"));
    let to = request.headers().to().unwrap();
    assert_eq!(to.display_name().unwrap(), "BEL:\u{7} NUL:\0 DEL:\u{7f}");
    assert_eq!(request.headers().cseq().unwrap().method, request.method());
}

#[test]
fn escapes_are_characters_not_separators() {
    let Message::Request(request) = message("rfc4475", "esc01") else {
        panic!("a request");
    };
    let uri = request.request_uri().unwrap();
    assert_eq!(uri.scheme(), Scheme::Sip);
    assert_eq!(uri.user_unescaped().unwrap(), "sips:user@example.com");
    assert_eq!(uri.host().unwrap().name(), Some("example.net"));
    assert_eq!(
        request
            .headers()
            .to()
            .unwrap()
            .uri()
            .user_unescaped()
            .unwrap(),
        "user"
    );
    let Message::Request(request) = message("rfc4475", "esc02") else {
        panic!("a request");
    };
    assert!(matches!(request.method(), Method::Other(_)));
    assert_eq!(request.headers().contacts().unwrap().addresses().len(), 2);
    assert_eq!(
        request.headers().from().unwrap().display_name().unwrap(),
        "%Z%45"
    );
}

#[test]
fn parameters_belong_where_the_brackets_say() {
    let outside = message("rfc4475", "cparam01").headers().contact().unwrap();
    assert!(outside.params().contains("unknownparam") && outside.uri().params().is_empty());
    let inside = message("rfc4475", "cparam02").headers().contact().unwrap();
    assert!(inside.uri().params().contains("unknownparam") && inside.params().is_empty());
    let escaped = message("rfc4475", "regescrt").headers().contact().unwrap();
    assert_eq!(
        escaped.uri().header("Route").unwrap().as_ref(),
        b"<sip:sip.example.com>"
    );
    let Message::Request(semi) = message("rfc4475", "semiuri") else {
        panic!("a request");
    };
    assert_eq!(
        semi.request_uri().unwrap().user_unescaped().unwrap(),
        "user;par=u@example.net"
    );
}

#[test]
fn what_the_layers_above_must_refuse_can_be_seen() {
    let require = message("rfc4475", "bext01");
    let required: Vec<_> = require
        .headers()
        .require()
        .iter()
        .map(str::to_owned)
        .collect();
    assert_eq!(
        required,
        ["nothingSupportsThis", "nothingSupportsThisEither"]
    );
    for name in ["unkscm", "novelsc"] {
        let Message::Request(request) = message("rfc4475", name) else {
            panic!("a request");
        };
        assert_eq!(request.request_uri().unwrap().scheme(), Scheme::Other);
    }
    let unknown = message("rfc4475", "regaut01")
        .headers()
        .authorization()
        .unwrap()
        .remove(0);
    assert_eq!(
        (unknown.scheme(), unknown.raw_param("opaque-data")),
        ("NoOneKnowsThisScheme", Some("here"))
    );
    assert_eq!(
        message("rfc4475", "zeromf").headers().max_forwards(),
        Ok(Some(0))
    );
    assert_eq!(
        message("rfc4475", "bcast").headers().vias().unwrap().len(),
        2
    );
    assert_eq!(message("rfc4475", "dblreq").body(), b"");
    assert!(
        message("rfc4475", "dblreq")
            .trailing()
            .starts_with(b"\r\nINVITE")
    );
    let multipart = message("rfc4475", "mpart01");
    assert!(
        multipart
            .headers()
            .content_type()
            .unwrap()
            .unwrap()
            .is("multipart/mixed")
    );
    let Message::Response(response) = message("rfc4475", "noreason") else {
        panic!("a response");
    };
    assert_eq!(response.reason(), b"");
    assert_eq!(response.status(), StatusCode::new(100).unwrap());
}

#[test]
fn ipv6_addresses_are_told_from_ports() {
    let uri = |name| match message("rfc5118", name) {
        Message::Request(request) => request.request_uri().unwrap(),
        Message::Response(_) => panic!("{name} is a request"),
    };
    let ambiguous = uri("port-ambiguous");
    assert_eq!(
        (
            ambiguous.host().unwrap().to_string().as_str(),
            ambiguous.port()
        ),
        ("[2001:db8::10:5070]", None)
    );
    let clear = uri("port-unambiguous");
    assert_eq!(
        (clear.host().unwrap().to_string().as_str(), clear.port()),
        ("[2001:db8::10]", Some(5070))
    );
    assert_eq!(
        uri("ipv6-bug-abnf-3-colons").host(),
        uri("ipv6-correct-abnf-2-colons").host()
    );
    for name in [
        "via-received-param-with-delim",
        "via-received-param-no-delim",
    ] {
        assert_eq!(
            message("rfc5118", name).headers().via().unwrap().received(),
            "2001:db8::9:255".parse().ok()
        );
    }
    let counted_right = load("rfc5118", "ipv6-in-sdp");
    let counted_right = String::from_utf8(counted_right.to_vec())
        .unwrap()
        .replace("268", "251");
    assert_eq!(verdict(&Bytes::from(counted_right)), Take);
    let bad = load("rfc5118", "ipv6-bad");
    assert!(
        Message::parse(bad).is_ok(),
        "the head is well-formed; the URI is not"
    );
    assert_eq!(
        Message::parse(load("rfc4475", "clerr")).unwrap_err().kind,
        ParseErrorKind::BodyTruncated
    );
}
