//! SDP as it is met and as it is written: tolerance, canonical text, errors with their place, bounds, seeds of the fuzzer.
//!
//! The oracle is `sdp-types`, a reader by other people: where both take a body they must have read the same.
//!
//! Not here: keys and turns (beside their code), what a leg accepts (`call`).

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use sip::sdp::{
    Address, Bound, Crypto, Direction, Encoding, Family, Formats, Lifetime, MasterKey, Media,
    MediaKind, Origin, Payload, Problem, Protocol, RtcpPort, SessionDescription, Setup, Suite,
    limit,
};

fn seeds() -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/regressions/sdp");
    let mut seeds: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder is there")
        .map(|file| file.expect("a file").path())
        .map(|path| (path.clone(), std::fs::read(path).expect("a readable file")))
        .collect();
    seeds.sort();
    assert!(seeds.len() > 5, "there are seeds");
    seeds
}

fn seed(name: &str) -> SessionDescription {
    let (path, body) = seeds()
        .into_iter()
        .find(|(path, _)| path.ends_with(name))
        .expect("the seed is there");
    SessionDescription::parse(&body).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// A body of one audio section, with `lines` below it.
fn audio(lines: &str) -> SessionDescription {
    let body = format!(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8 101\r\n{lines}"
    );
    SessionDescription::parse(body.as_bytes()).expect("it reads")
}

/// The offer of the specification's sample, as we write it (MED-02, §1.13).
#[test]
fn what_is_written_is_the_sample_of_the_specification() {
    let here = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 20));
    let key = MasterKey::new(&[0; 30]).expect("30 bytes");
    let named = |number, name: &str, parameters: Option<&str>| Payload {
        number,
        encoding: Some(Encoding::mono(name, 8000)),
        parameters: parameters.map(str::to_owned),
    };
    let mut media = Media::new(
        MediaKind::Audio,
        20010,
        Protocol::RtpSavp,
        Formats::Rtp(vec![
            Payload::bare(0),
            Payload::bare(8),
            Payload::bare(13),
            named(101, "telephone-event", Some("0-16")),
        ]),
    );
    media.ptime = Some(20);
    media.rtcp = Some(RtcpPort {
        port: 20010,
        address: None,
    });
    media.rtcp_mux = true;
    media.crypto = vec![Crypto::new(
        1,
        Suite::AesCm128HmacSha1_80,
        key,
        Some(Lifetime::TEAMS),
    )];
    media.direction = Some(Direction::SendRecv);
    let mut sdp = SessionDescription::new(Origin {
        username: "-".to_owned(),
        session_id: 3905,
        session_version: 1,
        address: here.into(),
    });
    sdp.connection = Some(here.into());
    sdp.media.push(media);
    let expected = "v=0\r\n\
        o=- 3905 1 IN IP4 198.51.100.20\r\n\
        s=-\r\n\
        c=IN IP4 198.51.100.20\r\n\
        t=0 0\r\n\
        m=audio 20010 RTP/SAVP 0 8 13 101\r\n\
        a=rtpmap:0 PCMU/8000\r\n\
        a=rtpmap:8 PCMA/8000\r\n\
        a=rtpmap:13 CN/8000\r\n\
        a=rtpmap:101 telephone-event/8000\r\n\
        a=fmtp:101 0-16\r\n\
        a=ptime:20\r\n\
        a=rtcp:20010\r\n\
        a=rtcp-mux\r\n\
        a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA|2^31\r\n\
        a=sendrecv\r\n";
    assert_eq!(sdp.to_string(), expected);
    assert_eq!(SessionDescription::parse(expected.as_bytes()), Ok(sdp));
}

#[test]
fn a_browsers_offer_is_understood() {
    let sdp = seed("browser_offer.sdp");
    assert_eq!(sdp.bundle, ["0"]);
    let [media] = &sdp.media[..] else {
        panic!("one section");
    };
    assert!(media.protocol.is_dtls() && media.rtcp_mux);
    assert_eq!(media.mid.as_deref(), Some("0"));
    assert_eq!(sdp.setup_of(media), Some(Setup::ActPass));
    assert!(sdp.fingerprints_of(media)[0].as_sha_256().is_some());
    let printed = sdp.to_string();
    assert_eq!(
        SessionDescription::parse(printed.as_bytes()).map(|read| read.bundle),
        Ok(sdp.bundle)
    );
    // A name or group that cannot be is none.
    for (good, bad) in [
        ("BUNDLE 0", "BUNDLE "),
        ("BUNDLE 0", "LS 0"),
        (
            "BUNDLE 0",
            &format!("BUNDLE{}", " 0".repeat(limit::MEDIA + 1)),
        ),
        ("mid:0", "mid:0 1"),
        ("mid:0", &format!("mid:{}", "0".repeat(limit::MID + 1))),
    ] {
        let bad = printed.replace(good, bad);
        let read = SessionDescription::parse(bad.as_bytes()).expect("the rest can be read");
        assert!(
            read.bundle.is_empty() || read.media[0].mid.is_none(),
            "{bad}"
        );
    }
}

#[test]
fn a_teams_offer_is_understood() {
    let sdp = seed("teams_offer.sdp");
    let [media] = &sdp.media[..] else {
        panic!("one section");
    };
    assert_eq!((&media.kind, media.port), (&MediaKind::Audio, 52462));
    assert!(media.protocol.is_secure() && media.rtcp_mux);
    assert_eq!(media.payloads().len(), 11);
    let silk = &media.payloads()[0];
    assert!(silk.encoding.as_ref().is_some_and(|e| e.is("silk", 16000)));
    assert_eq!(silk.parameters.as_deref(), Some("useinbandfec=1; usedtx=1"));
    let suites: Vec<_> = media.crypto.iter().map(|c| (c.tag, &c.suite)).collect();
    assert_eq!(
        suites,
        [
            (0, &Suite::AesCm128HmacSha1_32),
            (1, &Suite::AesCm128HmacSha1_80)
        ]
    );
    assert_eq!(media.ice.ufrag.as_deref(), Some("gwkX"));
    assert_eq!(media.ice.candidates.len(), 3);
    assert_eq!(media.ice.candidates[0].rest, "raddr 10.0.32.14 rport 52462");
    let unknown: Vec<_> = media.other.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(unknown, ["label:main-audio"]);
    // What was not understood is not written.
    let printed = sdp.to_string();
    for absent in ["label", "b=CT", "s=-"] {
        assert!(!printed.contains(absent), "{absent}");
    }
}

#[test]
fn what_is_met_is_tolerated() {
    let sdp = seed("bare_lines.sdp");
    assert_eq!(sdp.origin.username, "Some-Old-Phone");
    assert_eq!(sdp.name, "-");
    let [media] = &sdp.media[..] else {
        panic!("one section");
    };
    assert_eq!(media.protocol, Protocol::RtpAvp);
    assert_eq!(sdp.ptime_of(media), Some(30));
    assert_eq!(sdp.direction_of(media), Direction::SendOnly);
    let numbers: Vec<_> = media.payloads().iter().map(|p| p.number).collect();
    assert_eq!(numbers, [8, 0, 96], "a number counts once");
    assert_eq!(media.payloads()[2].parameters.as_deref(), Some("0-15"));
    assert_eq!(
        media.rtcp.as_ref().and_then(|rtcp| rtcp.address.as_ref()),
        Some(&Address::Ip("2001:db8::9".parse().expect("an address")))
    );
    assert_eq!(media.other.len(), 5);

    let named = seed("rfc3264_answer.sdp");
    assert_eq!(
        named.address_of(&named.media[0]),
        Some(&Address::Name {
            name: "host.example.com".to_owned(),
            family: Family::Ip4
        })
    );
    let fax = seed("fax.sdp");
    assert_eq!(fax.media[0].kind, MediaKind::Image);
    assert_eq!(fax.media[0].refused().port, 0);
    assert_eq!(fax.media[1].port, 0);
    let many_digits = seed("multicast.sdp");
    assert_eq!(many_digits.origin.session_id, 123_456_789_012_345_678_901);
    assert_eq!(
        many_digits.connection,
        Some(Address::Ip(IpAddr::V4(Ipv4Addr::new(224, 2, 36, 42))))
    );
    let held = seed("hold_rfc2543.sdp");
    assert!(held.connection.is_some_and(|c| c.is_unspecified()));
}

/// RFC 8866 §5.13: an attribute that cannot be read is as good as absent; it spoils nothing.
#[test]
fn damaged_attributes_are_kept_aside() {
    for line in [
        "a=rtpmap:0 PCMU/0",
        "a=rtpmap:0 /8000",
        "a=rtpmap:0",
        "a=rtpmap:7 X/8000",
        "a=fmtp:101",
        "a=fmtp:9 x",
        "a=ptime:twenty",
        "a=ptime:",
        "a=rtcp:99999",
        "a=rtcp:4001 IN IP4",
        "a=rtcp-mux:yes",
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80",
        "a=candidate:1 1 UDP",
        "a=ice-ufrag:",
        "a=sendrecv:",
        "a=recv only",
        "a=",
        "x=y",
        "o=- 2 2 IN IP4 192.0.2.2",
    ] {
        let sdp = audio(&format!("{line}\r\n"));
        assert_eq!(sdp.media[0].other.len(), 1, "{line}");
        assert_eq!(sdp.to_string(), audio("").to_string(), "{line}");
    }
}

#[test]
fn errors_name_their_line() {
    let origin = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\n";
    let after = |line: &str| format!("{origin}s=-\r\n{line}\r\n");
    for (body, line, problem) in [
        (String::new(), 0, Problem::Empty),
        ("\r\n \r\n".to_owned(), 0, Problem::Empty),
        ("s=-\r\n".to_owned(), 1, Problem::Version),
        ("v=1\r\n".to_owned(), 1, Problem::Version),
        ("v=0\r\ns=-\r\n".to_owned(), 0, Problem::NoOrigin),
        (
            "v=0\r\nm=audio 1 RTP/AVP 0\r\n".to_owned(),
            2,
            Problem::NoOrigin,
        ),
        ("v=0\r\no=- 1 1 IN IP4\r\n".to_owned(), 2, Problem::Origin),
        (
            "v=0\r\no=- x 1 IN IP4 192.0.2.1\r\n".to_owned(),
            2,
            Problem::Origin,
        ),
        (
            "v=0\r\no=- 1 1 IN IP5 192.0.2.1\r\n".to_owned(),
            2,
            Problem::Origin,
        ),
        (after("garbage"), 4, Problem::NotALine),
        (after("é=x"), 4, Problem::NotALine),
        (after("s=a\u{1}b"), 4, Problem::Control),
        (after("s=a\rb"), 4, Problem::Control),
        (after("c=IN IP4"), 4, Problem::Connection),
        (after("c=IN IP4 192.0.2.1;"), 4, Problem::Connection),
        (after("c=ATM NSAP 47"), 4, Problem::Connection),
        (after("m=audio"), 4, Problem::Media),
        (after("m=audio 65536 RTP/AVP 0"), 4, Problem::Media),
        (after("m=audio -1 RTP/AVP 0"), 4, Problem::Media),
        (after("m=audio 1 RTP/AVP"), 4, Problem::Media),
        (after("m=audio 1 RTP/AVP 128"), 4, Problem::PayloadType),
        (after("m=audio 1 RTP/AVP PCMU"), 4, Problem::PayloadType),
    ] {
        let error = SessionDescription::parse(body.as_bytes()).expect_err(&body);
        assert_eq!((error.line, error.problem), (line, problem), "{body}");
    }
}

#[test]
fn every_bound_holds() {
    let head = "v=0\no=- 1 1 IN IP4 192.0.2.1\nm=audio 4 RTP/AVP 0\n";
    let key =
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\n";
    let candidate = "a=candidate:1 1 UDP 1 192.0.2.1 4 typ host\n";
    let formats = |count: usize| format!("m=image 4 udptl{}\n", " t38".repeat(count));
    let line = |length: usize| format!("a={}\n", "x".repeat(length - 2));
    for (bound, within, beyond) in [
        (
            Bound::Media,
            "m=audio 4 RTP/AVP 0\n".repeat(limit::MEDIA - 1),
            "m=audio 4 RTP/AVP 0\n".repeat(limit::MEDIA),
        ),
        (
            Bound::Lines,
            "a=x\n".repeat(limit::LINES - 4),
            "a=x\n".repeat(limit::LINES - 2),
        ),
        (Bound::Line, line(limit::LINE), line(limit::LINE + 1)),
        (
            Bound::Formats,
            formats(limit::FORMATS),
            formats(limit::FORMATS + 1),
        ),
        (
            Bound::Crypto,
            key.repeat(limit::CRYPTO),
            key.repeat(limit::CRYPTO + 1),
        ),
        (
            Bound::Candidates,
            candidate.repeat(limit::CANDIDATES),
            candidate.repeat(limit::CANDIDATES + 1),
        ),
        (Bound::Body, line(4000).repeat(16), line(4000).repeat(17)),
    ] {
        let parse = |tail: &str| SessionDescription::parse(format!("{head}{tail}").as_bytes());
        assert!(parse(&within).is_ok(), "{bound:?}");
        let error = parse(&beyond).expect_err("beyond the bound");
        assert_eq!(error.problem, Problem::TooLarge(bound));
    }
}

#[test]
fn seeds_of_the_fuzzer_and_their_damaged_copies() {
    let mut chance = ChaCha8Rng::seed_from_u64(8866);
    for (path, body) in seeds() {
        println!("{}", path.display());
        sip::fuzz::sdp(&body);
        for _ in 0..200 {
            sip::fuzz::sdp(&damaged(&body, &mut chance));
        }
    }
}

#[test]
fn the_oracle_reads_the_same() {
    let mut chance = ChaCha8Rng::seed_from_u64(3264);
    let mut both = 0;
    for (path, body) in seeds() {
        both += usize::from(agrees(&body));
        for round in 0..300 {
            let damaged = damaged(&body, &mut chance);
            println!("{} round {round}", path.display());
            both += usize::from(agrees(&damaged));
        }
    }
    assert!(both > 200, "only {both} bodies were read by both");
}

/// A copy of `body` with a few bytes changed, lines dropped, doubled or swapped.
fn damaged(body: &[u8], chance: &mut ChaCha8Rng) -> Vec<u8> {
    const BYTES: &[u8] = b"0129 /:|=\r\n\x00\xff-amoc.";
    let mut below = |bound: usize| (chance.next_u64() % bound.max(1) as u64) as usize;
    let mut lines: Vec<Vec<u8>> = body
        .split_inclusive(|b| *b == b'\n')
        .map(<[u8]>::to_vec)
        .collect();
    for _ in 0..=below(3) {
        let (one, other) = (below(lines.len()), below(lines.len()));
        match below(6) {
            0 => drop(lines.remove(one)),
            1 => lines.insert(other, lines[one].clone()),
            2 => lines.swap(one, other),
            _ => {
                let at = below(lines[one].len());
                lines[one][at] = BYTES[below(BYTES.len())];
            }
        }
        if lines.is_empty() {
            break;
        }
    }
    lines.concat()
}

/// Whether both readers took the body; if so, they must have read the same.
fn agrees(body: &[u8]) -> bool {
    let (Ok(ours), Ok(theirs)) = (
        SessionDescription::parse(body),
        sdp_types::Session::parse(body),
    ) else {
        return false;
    };
    let shown = String::from_utf8_lossy(body);
    assert_eq!(
        ours.origin.session_version,
        u128::from(theirs.origin.sess_version),
        "{shown}"
    );
    assert_eq!(ours.media.len(), theirs.medias.len(), "{shown}");
    for (ours, theirs) in ours.media.iter().zip(&theirs.medias) {
        if theirs.proto.is_empty() {
            // Two spaces between fields: an empty field to them, nothing to us.
            continue;
        }
        assert_eq!(
            ours.kind.to_string(),
            theirs.media.to_lowercase(),
            "{shown}"
        );
        assert_eq!(ours.port, theirs.port, "{shown}");
        assert!(
            ours.protocol
                .to_string()
                .eq_ignore_ascii_case(&theirs.proto),
            "{shown}"
        );
        if let Some(connection) = theirs.connections.first() {
            let address = connection.connection_address.split('/').next();
            let literal = address.and_then(|a| a.parse::<IpAddr>().ok());
            if literal.is_some() {
                let ours = ours.connection.as_ref().and_then(Address::ip);
                assert_eq!(ours, literal, "{shown}");
            }
        }
        for payload in ours.payloads() {
            assert_eq!(
                read_map(payload, &theirs.attributes),
                written_map(payload),
                "{shown}"
            );
        }
    }
    true
}

/// The oracle's first good rtpmap for a payload, else what the number means by itself.
fn read_map(payload: &Payload, attributes: &[sdp_types::Attribute]) -> Option<String> {
    let map = attributes.iter().find_map(|attribute| {
        let value = attribute.value.as_ref()?;
        (attribute.attribute == "rtpmap").then_some(())?;
        let (number, map) = value.trim().split_once(' ')?;
        (number.parse() == Ok(payload.number) && number.bytes().all(|b| b.is_ascii_digit()))
            .then_some(())?;
        let mut parts = map.trim().split('/');
        let name = parts.next().filter(|n| !n.is_empty() && !n.contains(' '))?;
        let clock = parts.next()?.parse::<u32>().ok().filter(|c| *c > 0)?;
        let channels = parts.next().map_or(Ok(1), str::parse::<u8>).ok()?;
        (channels > 0).then(|| format!("{name}/{clock}/{channels}"))
    });
    map.or_else(|| {
        let meaning = Encoding::of_static(payload.number)?;
        Some(format!("{}/{}/1", meaning.name, meaning.clock))
    })
}

fn written_map(payload: &Payload) -> Option<String> {
    let encoding = payload.encoding.as_ref()?;
    let mut map = String::new();
    write!(
        map,
        "{}/{}/{}",
        encoding.name, encoding.clock, encoding.channels
    )
    .expect("a string takes everything");
    Some(map)
}
