//! Our reading of messages against rsip's, wherever rsip can read them.
//!
//! rsip 0.4 refuses or misreads much that is legal (IPv6, folds, compact names, unknown methods, `tel:`) and takes much
//! that is not, so it is asked only about what both take. It has no framing: its body runs to the end of the datagram.
//!
//! Not here: what rsip cannot read (`torture.rs`, `message.rs`).

use std::path::Path;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use rsip::headers::ToTypedHeader;
use rsip::prelude::{HasHeaders, HeadersExt, UntypedHeader};
use sip::message::{Message, NameAddr};

/// What two parsers must agree on. URIs are compared without case: rsip prints a transport in capitals.
#[derive(Debug, PartialEq, Eq)]
struct Reading {
    start: String,
    lines: Vec<String>,
    call_id: Option<String>,
    cseq: Option<(u32, String)>,
    from: Option<(String, Option<String>)>,
    to: Option<(String, Option<String>)>,
}

fn ours(message: &Message) -> Reading {
    let headers = message.headers();
    let address = |address: NameAddr| {
        (
            address.uri().as_str().to_lowercase(),
            address.tag().map(str::to_owned),
        )
    };
    Reading {
        start: match message {
            Message::Request(request) => format!(
                "{} {}",
                request.method(),
                String::from_utf8_lossy(request.uri())
            ),
            Message::Response(response) => response.status().to_string(),
        },
        lines: headers
            .iter()
            .map(|header| String::from_utf8_lossy(header.value).into_owned())
            .collect(),
        call_id: headers.call_id().ok().map(|id| id.to_string()),
        cseq: headers
            .cseq()
            .ok()
            .map(|cseq| (cseq.number, cseq.method.to_string())),
        from: headers.from().ok().map(address),
        to: headers.to().ok().map(address),
    }
}

fn theirs(message: &rsip::SipMessage) -> Reading {
    Reading {
        start: match message {
            rsip::SipMessage::Request(request) => format!("{} {}", request.method, request.uri),
            rsip::SipMessage::Response(response) => response.status_code.code().to_string(),
        },
        lines: message
            .headers()
            .iter()
            .map(|header| header.to_string())
            .map(|line| {
                line.split_once(':')
                    .map_or(String::new(), |(_, value)| value.trim().to_owned())
            })
            .collect(),
        call_id: message
            .call_id_header()
            .ok()
            .map(|id| id.value().to_owned()),
        cseq: message
            .cseq_header()
            .ok()
            .and_then(|cseq| cseq.clone().typed().ok())
            .map(|cseq| (cseq.seq, cseq.method.to_string())),
        from: message
            .from_header()
            .ok()
            .and_then(|from| from.clone().typed().ok())
            .map(|from| {
                (
                    from.uri.to_string().to_lowercase(),
                    from.tag().map(ToString::to_string),
                )
            }),
        to: message
            .to_header()
            .ok()
            .and_then(|to| to.clone().typed().ok())
            .map(|to| {
                (
                    to.uri.to_string().to_lowercase(),
                    to.tag().map(ToString::to_string),
                )
            }),
    }
}

/// Where rsip is wrong, by message and what is wrong.
const MISREAD: [(&str, &str); 2] = [
    (
        "dblreq",
        "compact names are unknown to it, so it finds no Call-ID in `I:`",
    ),
    (
        "unksm2",
        "it reads no scheme but sip, sips and a few others, so it finds no URI in To",
    ),
];

#[test]
fn torture_messages_that_both_take_are_read_alike() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torture");
    let mut wrong = Vec::new();
    let mut compared = 0;
    for rfc in ["rfc4475", "rfc5118"] {
        for file in std::fs::read_dir(folder.join(rfc)).expect("the folder is there") {
            let path = file.expect("a file").path();
            let bytes = std::fs::read(&path).expect("a readable file");
            let name = path
                .file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            let (Ok(message), Ok(rsip)) = (
                Message::parse(Bytes::from(bytes.clone())),
                rsip::SipMessage::try_from(&bytes[..]),
            ) else {
                continue;
            };
            let fit = match &message {
                Message::Request(request) => request.check().is_ok(),
                Message::Response(response) => response.check().is_ok(),
            };
            if !fit || MISREAD.iter().any(|(misread, _)| *misread == name) {
                continue;
            }
            compared += 1;
            let (ours, theirs) = (ours(&message), theirs(&rsip));
            if ours != theirs {
                wrong.push(format!("{name}:\n  ours   {ours:?}\n  theirs {theirs:?}"));
            }
            assert!(rsip.body().starts_with(message.body()), "{name}: the body");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(compared >= 20, "only {compared} messages were compared");
}

/// Without a bracket in the quotes, which rsip takes for the URI's.
fn address() -> impl Strategy<Value = String> {
    let host = prop_oneof!["[a-z]{1,8}\\.example", "192\\.0\\.2\\.[1-9]"];
    let name = prop::option::of("\"[A-Za-z ,;]{1,12}\" ");
    let port = prop::option::of(1..u16::MAX);
    (name, "[a-z0-9.+-]{1,12}", host, port, any::<bool>()).prop_map(
        |(name, user, host, port, transport)| {
            let port = port.map(|port| format!(":{port}")).unwrap_or_default();
            let transport = if transport { ";transport=tcp" } else { "" };
            format!(
                "{}<sip:{user}@{host}{port}{transport}>",
                name.unwrap_or_default()
            )
        },
    )
}

fn message() -> impl Strategy<Value = String> {
    let method = prop::sample::select(vec![
        "INVITE",
        "BYE",
        "OPTIONS",
        "REGISTER",
        "SUBSCRIBE",
        "MESSAGE",
    ]);
    let start = prop_oneof![
        (method, "[a-z]{1,6}").prop_map(|(method, user)| (
            method,
            format!("{method} sip:{user}@example.com SIP/2.0")
        )),
        prop::sample::select(vec![100, 180, 183, 200, 404, 486, 503, 603])
            .prop_map(|code| ("INVITE", format!("SIP/2.0 {code} Phrase here"))),
    ];
    let other = vec(("X-[A-Z][a-z]{1,8}", "[!-~][ -~]{0,30}[!-~]"), 0..6);
    let tag = prop::option::of("[a-z0-9]{1,10}");
    (start, address(), address(), "[a-z0-9]{1,10}", tag, 1..0x7fff_ffffu32, other, "[a-z=\r\n]{0,40}").prop_map(
        |((method, start), from, to, from_tag, to_tag, number, other, body)| {
            let to_tag = to_tag.map(|tag| format!(";tag={tag}")).unwrap_or_default();
            let other: String = other.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
            format!(
                "{start}\r\nVia: SIP/2.0/UDP a.example;branch=z9hG4bK1\r\nFrom: {from};tag={from_tag}\r\n\
                 To: {to}{to_tag}\r\nCall-ID: {number}@b\r\nCSeq: {number} {method}\r\n{other}Content-Length: {}\r\n\r\n{body}",
                body.len()
            )
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn plain_messages_are_read_alike(text in message()) {
        let message = Message::parse(Bytes::from(text.clone())).expect("a plain message");
        let rsip = rsip::SipMessage::try_from(text.as_str()).expect("a plain message");
        prop_assert_eq!(ours(&message), theirs(&rsip));
        prop_assert_eq!(message.body(), &rsip.body()[..]);
    }
}
