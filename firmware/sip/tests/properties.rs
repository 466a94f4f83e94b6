//! What holds for any bytes and for any message that can be built.
//!
//! The fuzz doors carry most invariants; here they get bytes that come near to messages, which chance alone does not.
//!
//! Not here: long runs (`make fuzz`).

use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use sip::message::{Host, Message, Method, Name, NameAddr, Request, Response, StatusCode, Uri};

/// The torture messages, to be maimed.
fn torture() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torture");
    let mut messages: Vec<_> = ["rfc4475", "rfc5118"]
        .iter()
        .flat_map(|rfc| std::fs::read_dir(folder.join(rfc)).expect("the folder is there"))
        .map(|file| std::fs::read(file.expect("a file").path()).expect("a readable file"))
        .collect();
    messages.sort();
    messages
}

fn maimed() -> impl Strategy<Value = Vec<u8>> {
    let odd = prop::sample::select(&b"\r\n\t \":;,<>@=?/\\%[]()*\0\x80\xff0SIP"[..]);
    let messages = torture();
    let count = messages.len();
    (
        0..count,
        vec((any::<prop::sample::Index>(), odd, 0..3u8), 0..8),
    )
        .prop_map(move |(which, wounds)| {
            let mut bytes = messages[which].clone();
            for (place, byte, kind) in wounds {
                let at = place.index(bytes.len().max(1));
                match kind {
                    0 if at < bytes.len() => bytes[at] = byte,
                    1 if at < bytes.len() => {
                        drop(bytes.drain(at..(at + 1 + usize::from(byte)).min(bytes.len())))
                    }
                    _ => bytes.insert(at.min(bytes.len()), byte),
                }
            }
            bytes
        })
}

fn host() -> impl Strategy<Value = Host> {
    prop_oneof![
        "[a-z][a-z0-9-]{0,10}(\\.[a-z][a-z0-9]{0,5}){0,3}"
            .prop_map(|name| name.parse().expect("a name")),
        any::<std::net::Ipv4Addr>().prop_map(Host::V4),
        any::<std::net::Ipv6Addr>().prop_map(Host::V6),
    ]
}

fn uri() -> impl Strategy<Value = Uri> {
    let param = ("[a-z][a-z0-9-]{0,8}", ".{0,12}");
    (
        host(),
        ".{0,16}",
        any::<Option<u16>>(),
        vec(param, 0..4),
        vec(("[A-Z][a-z-]{1,8}", ".{0,12}"), 0..3),
    )
        .prop_map(|(host, user, port, params, headers)| {
            let mut builder = Uri::sip(host).user(&user).port(port);
            for (name, value) in params {
                builder = builder.param(&name, &value);
            }
            for (name, value) in headers {
                builder = builder.header(&name, &value);
            }
            builder.finish()
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..400)) {
        sip::fuzz::message(&bytes);
        sip::fuzz::uri(&bytes);
        sip::fuzz::framing(&bytes);
    }

    #[test]
    fn maimed_messages_are_read_or_refused(bytes in maimed()) {
        sip::fuzz::message(&bytes);
        sip::fuzz::framing(&bytes);
        for value in bytes.split(|byte| matches!(byte, b'\n' | b' ')) {
            sip::fuzz::uri(value);
        }
    }

    #[test]
    fn a_uri_that_is_built_parses_to_itself(uri in uri()) {
        let parsed: Uri = uri.as_str().parse().expect("what is built parses");
        prop_assert_eq!(parsed.user_unescaped(), uri.user_unescaped());
        prop_assert_eq!(parsed.host(), uri.host());
        prop_assert_eq!(parsed.port(), uri.port());
        prop_assert_eq!(parsed.params(), uri.params());
        prop_assert_eq!(parsed.headers().collect::<Vec<_>>(), uri.headers().collect::<Vec<_>>());
        prop_assert!(parsed.matches(&uri) && uri.matches(&parsed));
    }

    #[test]
    fn a_display_name_comes_back(uri in uri(), name in "[^\\x00-\\x1f\\x7f]{1,20}", tag in "\\PC{1,12}") {
        let address = NameAddr::new(&uri).with_display(&name).with_param("tag", Some(&tag));
        let parsed = NameAddr::parse(address.bytes().clone()).expect("what is built parses");
        prop_assert_eq!(parsed.display_name().map(String::from), Some(name));
        prop_assert_eq!(parsed.params().unquoted("tag").map(String::from), Some(tag));
        prop_assert_eq!(parsed.uri(), &uri);
    }

    #[test]
    fn a_message_that_is_built_parses_to_itself(
        uri in uri(),
        lines in vec(("[A-Za-z][A-Za-z0-9-]{0,12}", vec(any::<u8>(), 0..40)), 0..60),
        body in vec(any::<u8>(), 0..200),
    ) {
        let uri = uri.without_headers();
        let mut builder = Request::build(Method::Info, &uri);
        for (name, value) in &lines {
            builder = builder.header(Name::of(name), value);
        }
        let built = builder.body("application/octet-stream", body.clone()).finish();
        let parsed = Message::parse(built.bytes().clone()).expect("what is built parses");
        prop_assert_eq!(parsed.bytes(), built.bytes());
        prop_assert_eq!(parsed.body(), &body[..]);
        let trimmed = |bytes: &[u8]| bytes.iter().map(|byte| if *byte == b'\r' || *byte == b'\n' { b' ' } else { *byte })
            .collect::<Vec<_>>().trim_ascii().to_vec();
        let theirs: Vec<_> = parsed.headers().iter().map(|header| trimmed(header.value)).collect();
        let ours: Vec<_> = built.headers().iter().map(|header| trimmed(header.value)).collect();
        prop_assert_eq!(theirs, ours);
        let reply = Response::reply(&built, StatusCode::OK).to_tag("t").finish();
        prop_assert!(Message::parse(reply.bytes().clone()).is_ok());
    }
}
