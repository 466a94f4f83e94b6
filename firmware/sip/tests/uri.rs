//! URIs: taken apart, compared by the tables of RFC 3261 §19.1.4, built, changed, refused.
//!
//! Not here: URIs within headers (`message.rs`), random ones (`properties.rs`).

use sip::message::{Host, HostPort, Scheme, Uri, UriError, ValueError};

fn uri(text: &str) -> Uri {
    text.parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn the_parts_of_a_uri_are_found() {
    let full = uri(
        "sips:alice;x=1:secret@[2001:DB8::1]:5062;transport=tcp;lr;x-m=8:orgid:a/b@c?Replaces=a%40b&Subject=x",
    );
    assert_eq!(full.scheme(), Scheme::Sips);
    assert_eq!(full.user(), Some("alice;x=1"));
    assert_eq!(full.host(), Some(&Host::V6("2001:db8::1".parse().unwrap())));
    assert_eq!(full.port(), Some(5062));
    assert_eq!(full.params().value("Transport"), Some("tcp"));
    assert!(full.params().contains("LR"));
    assert_eq!(full.params().value("lr"), None);
    assert_eq!(full.params().value("x-m"), Some("8:orgid:a/b@c"));
    assert_eq!(full.header("replaces").unwrap().as_ref(), b"a@b");
    assert_eq!(full.headers().count(), 2);
    // INV-08: no user, and parameters with raw colons.
    let teams = uri("sip:sip.pstnhub.microsoft.com:5061;x-m=8:orgid:99999999-8888;x-tt=aHR0%3D");
    assert_eq!((teams.user(), teams.port()), (None, Some(5061)));
    assert_eq!(teams.params().value("x-m"), Some("8:orgid:99999999-8888"));
}

#[test]
fn telephone_numbers_are_seen_in_either_scheme() {
    let tel = uri("tel:7042;phone-context=contoso.example");
    assert_eq!((tel.scheme(), tel.host()), (Scheme::Tel, None));
    assert_eq!(tel.telephone(), Some("7042"));
    assert_eq!(tel.params().value("phone-context"), Some("contoso.example"));
    assert_eq!(
        uri("sip:+1-202-555-0100;ext=5@b;user=phone").telephone(),
        Some("+1-202-555-0100")
    );
    assert_eq!(uri("sip:anna@b").telephone(), None);
    assert_eq!(
        Uri::tel("+12025550100").unwrap().as_str(),
        "tel:+12025550100"
    );
    assert_eq!(Uri::tel("+anna"), Err(UriError::Telephone));
    assert_eq!(uri("tel:*31#;phone-context=x").telephone(), Some("*31#"));
}

#[test]
fn other_schemes_are_kept_whole() {
    let urn = uri("urn:service:sos.police");
    assert_eq!(
        (urn.scheme(), urn.as_str()),
        (Scheme::Urn, "urn:service:sos.police")
    );
    assert_eq!(uri("soap.beep://192.0.2.103:3002").scheme(), Scheme::Other);
    assert_eq!(urn.with_param("x", None), urn);
}

#[test]
fn what_is_no_uri_is_refused() {
    let cases = [
        ("", UriError::Scheme),
        ("alice", UriError::Scheme),
        ("1sip:alice@b", UriError::Scheme),
        ("sip:", UriError::Empty),
        ("sip:@b", UriError::User),
        ("sip:a@", UriError::Host),
        ("sip:a@b@c", UriError::Host),
        ("sip:2001:db8::10", UriError::Host),
        ("sip:[2001:db8::10", UriError::Host),
        ("sip:[2001:db8::g]", UriError::Host),
        ("sip:a@256.1.1.1", UriError::Host),
        ("sip:a@b..c", UriError::Host),
        ("sip:a@b:", UriError::Port),
        ("sip:a@b:65536", UriError::Port),
        ("sip:a@b:+1", UriError::Port),
        ("sip:a@b;", UriError::Parameter),
        ("sip:a@b;;lr", UriError::Parameter),
        ("sip:a@b;=1", UriError::Parameter),
        ("sip:a b@c", UriError::Byte),
        ("sip:a@b;x=\"1\"", UriError::Byte),
        ("<sip:a@b>", UriError::Byte),
        ("tel:", UriError::Empty),
        ("tel:+", UriError::Telephone),
        ("tel:abcxyz", UriError::Telephone),
    ];
    for (text, error) in cases {
        assert_eq!(text.parse::<Uri>(), Err(error), "{text:?}");
    }
    let long = format!("sip:a@b;{}", "p".repeat(sip::message::limits::URI_BYTES));
    assert_eq!(long.parse::<Uri>(), Err(UriError::TooLong));
}

/// RFC 3261 §19.1.4, its own examples first.
#[test]
fn uris_that_mean_the_same_match() {
    let same = [
        (
            "sip:%61lice@atlanta.com;transport=TCP",
            "sip:alice@AtlanTa.CoM;Transport=tcp",
        ),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        ),
        ("sip:a@[2001:db8::1]", "sip:a@[2001:DB8:0::1]"),
        ("tel:+1-202-555-0100", "TEL:+1(202)5550100"),
        (
            "tel:7042;phone-context=b;x=1",
            "tel:7042;x=1;phone-context=B",
        ),
        ("urn:service:sos", "URN:Service:sos"),
    ];
    for (ours, theirs) in same {
        assert!(uri(ours).matches(&uri(theirs)), "{ours} and {theirs}");
        assert!(uri(theirs).matches(&uri(ours)), "{theirs} and {ours}");
    }
    let different = [
        (
            "SIP:ALICE@AtLanTa.CoM;Transport=udp",
            "sip:alice@AtLanTa.CoM;Transport=UDP",
        ),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        (
            "sip:bob@biloxi.com",
            "sip:bob@biloxi.com:6000;transport=tcp",
        ),
        (
            "sip:carol@chicago.com",
            "sip:carol@chicago.com?Subject=next%20meeting",
        ),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        (
            "sip:carol@chicago.com;security=on",
            "sip:carol@chicago.com;security=off",
        ),
        ("sip:a@b", "sips:a@b"),
        ("sip:a@b", "sip:a:pw@b"),
        ("sip:a@b", "sip:b"),
        ("tel:+12025550100", "tel:2025550100"),
        ("tel:7042;phone-context=b", "tel:7042"),
        ("urn:service:sos", "urn:service:SOS"),
    ];
    for (ours, theirs) in different {
        assert!(!uri(ours).matches(&uri(theirs)), "{ours} and {theirs}");
        assert!(!uri(theirs).matches(&uri(ours)), "{theirs} and {ours}");
    }
}

#[test]
fn what_is_built_is_escaped_where_it_must_be() {
    let host: Host = "sbc1.contoso.example".parse().unwrap();
    let built = Uri::sip(host.clone())
        .user("a b@c;d")
        .port(5061)
        .param("transport", "tls")
        .param("x", "1;2=3")
        .flag("lr")
        .header("Replaces", "id@h;to-tag=1")
        .finish();
    assert_eq!(
        built.as_str(),
        "sip:a%20b%40c;d@sbc1.contoso.example:5061;transport=tls;x=1%3B2%3D3;lr?Replaces=id%40h%3Bto-tag%3D1"
    );
    let parsed = uri(built.as_str());
    assert_eq!(parsed.user_unescaped().unwrap(), "a b@c;d");
    assert_eq!(
        (parsed.user(), parsed.host(), parsed.port()),
        (built.user(), built.host(), built.port())
    );
    assert_eq!(
        (parsed.params(), built.header("replaces")),
        (built.params(), parsed.header("Replaces"))
    );
    assert_eq!(
        Uri::sips(host).finish().as_str(),
        "sips:sbc1.contoso.example"
    );
    let v6: std::net::IpAddr = "::1".parse().unwrap();
    assert_eq!(Uri::sip(v6).finish().as_str(), "sip:[::1]");
}

#[test]
fn a_change_leaves_every_other_byte_alone() {
    let odd = uri("sip:A%2Eb@Host:05061;x-m=8:orgid:1;Transport=TLS;lr?Replaces=a%40b");
    assert_eq!(
        odd.with_param("transport", Some("tcp")).as_str(),
        "sip:A%2Eb@Host:05061;x-m=8:orgid:1;transport=tcp;lr?Replaces=a%40b"
    );
    assert_eq!(
        odd.without_param("X-M")
            .with_param("new", Some("a b"))
            .as_str(),
        "sip:A%2Eb@Host:05061;Transport=TLS;lr;new=a%20b?Replaces=a%40b"
    );
    assert_eq!(odd.without_param("absent"), odd);
    let changed = odd.with_param("lr", None).without_param("x-m");
    assert_eq!(changed.header("Replaces"), odd.header("Replaces"));
    assert_eq!(
        changed.without_headers().as_str(),
        "sip:A%2Eb@Host:05061;Transport=TLS;lr"
    );
}

#[test]
fn hosts_and_ports_are_told_apart() {
    let parse = |text: &str| text.parse::<HostPort>();
    assert_eq!(parse("[::1]:5060").unwrap().to_string(), "[::1]:5060");
    assert_eq!(
        parse("192.0.2.1").unwrap().host,
        Host::V4("192.0.2.1".parse().unwrap())
    );
    assert_eq!(
        parse("Host_1.example.").unwrap().host.name(),
        Some("Host_1.example.")
    );
    assert_eq!("A.b".parse::<Host>(), "a.B".parse::<Host>());
    assert_eq!(parse("::1"), Err(ValueError::Port));
    assert_eq!(parse("a:b"), Err(ValueError::Port));
    assert_eq!(parse(""), Err(ValueError::Host));
    assert_eq!(parse("a b"), Err(ValueError::Host));
}
