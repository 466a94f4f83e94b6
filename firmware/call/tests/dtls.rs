//! A trunk whose media is keyed by a handshake, as browsers have it (RFC 5763, RFC 8842): what is said, and what follows.
//!
//! Not here: the handshake (`postern/tests/media_dtls.rs`).

mod kit;

use std::net::SocketAddr;

use call::api::{Ending, Event};
use call::media::negotiate::{LegPolicy, LocalMedia, NegotiateError, Negotiation};
use kit::{CONFIG, Lab, Side, snapshot, teams_sdp};
use measure::Insecurity;
use media_api::{Command, Dtls, Fingerprint, Handshake, Rtcp, StreamId, StreamSpec};
use sip::token::Tokens;

const OURS: Fingerprint = Fingerprint([0xa5; 32]);

fn config() -> String {
    let place = "sources = [\"127.0.0.9\"]\n";
    CONFIG.replace(place, &format!("{place}media = {{ profile = \"dtls\" }}\n"))
}

fn leg() -> Negotiation {
    let snapshot = snapshot(&config());
    let trunk = snapshot.trunk_named("probe").expect("it is there");
    let policy = LegPolicy::of(snapshot.trunk(trunk), Some(OURS));
    let local = LocalMedia {
        address: "198.51.100.20".parse().expect("an address"),
        port: 20_020,
    };
    Negotiation::new(policy, local, 1)
}

/// A fingerprint whose octets are all the same.
fn fingerprint(octet: u8) -> String {
    format!("sha-256 {}", vec![format!("{octet:02X}"); 32].join(":"))
}

/// What a browser says.
fn said(octet: u8, setup: &str) -> String {
    format!(
        "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
         a=group:BUNDLE 0\r\na=extmap-allow-mixed\r\na=msid-semantic: WMS\r\n\
         m=audio 50010 UDP/TLS/RTP/SAVPF 111 63 0 8 110 126\r\nc=IN IP4 203.0.113.5\r\n\
         a=rtcp:9 IN IP4 0.0.0.0\r\n\
         a=candidate:1 1 udp 2122260223 203.0.113.5 50010 typ host generation 0\r\n\
         a=ice-ufrag:9uB6\r\na=ice-pwd:thePasswordOfABrowserIsLong\r\na=ice-options:trickle\r\n\
         a=fingerprint:sha-1 00:01\r\na=fingerprint:{}\r\na=setup:{setup}\r\na=mid:0\r\n\
         a=sendrecv\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\na=rtpmap:0 PCMU/8000\r\n\
         a=rtpmap:8 PCMA/8000\r\na=rtpmap:110 telephone-event/48000\r\n\
         a=rtpmap:126 telephone-event/8000\r\n",
        fingerprint(octet)
    )
}

fn spec(negotiation: &Negotiation) -> StreamSpec {
    let bind = SocketAddr::from(([127, 0, 0, 1], 20_020));
    let spec = negotiation.spec(StreamId(1), bind, &[]);
    spec.expect("they agree")
}

fn dtls(handshake: Handshake, octet: u8) -> Option<Dtls> {
    let party = Fingerprint([octet; 32]);
    Some(Dtls { handshake, party })
}

fn agreed(negotiation: &Negotiation) -> Option<Dtls> {
    spec(negotiation).dtls.map(|dtls| *dtls)
}

fn has(text: &str, line: &str) -> bool {
    text.lines().any(|one| one == line)
}

fn answer(leg: &mut Negotiation, offer: &str, chance: &mut Tokens) -> String {
    let described = leg.receive_offer(offer.as_bytes()).expect("a good offer");
    let answer = leg.answer(&described, chance).expect("an answer");
    String::from_utf8(answer.to_vec()).expect("text")
}

#[test]
fn an_offer_leaves_the_parts_open_and_the_answer_takes_one() {
    let mut chance = Tokens::new([1; 32]);
    for (setup, ours) in [
        ("active", Handshake::Passive),
        ("passive", Handshake::Active),
    ] {
        let mut leg = leg();
        let offer = leg.offer(None, &mut chance).expect("an offer");
        let offer = String::from_utf8(offer.to_vec()).expect("text");
        assert!(
            offer.contains("m=audio 20020 UDP/TLS/RTP/SAVPF 0 8 "),
            "{offer}"
        );
        for line in [
            "a=setup:actpass",
            "a=rtcp-mux",
            "a=ice-lite",
            "a=group:BUNDLE 0",
            "a=mid:0",
            "a=candidate:1 1 UDP 2130706431 198.51.100.20 20020 typ host",
            &format!("a=fingerprint:{}", fingerprint(0xa5)),
        ] {
            assert!(has(&offer, line), "{line} in {offer}");
        }
        assert!(!offer.contains("a=crypto"), "{offer}");
        leg.receive_answer(said(0xb1, setup).as_bytes())
            .expect("a good answer");
        assert_eq!(agreed(&leg), dtls(ours, 0xb1));
        let spec = spec(&leg);
        assert_eq!((spec.receive, spec.transmit), (None, None));
        assert_eq!(spec.rtcp, Rtcp::Muxed);
        assert_eq!(spec.ice.and_then(|ice| ice.party).as_deref(), Some("9uB6"));

        // The parts stay over the next offer, whoever makes it.
        let again = answer(&mut leg, &said(0xb1, "actpass"), &mut chance);
        assert_eq!(agreed(&leg), dtls(ours, 0xb1), "{again}");
        // And over a restart of ours, when the media plane has not told yet.
        let image = leg.image().expect("both have spoken");
        let snapshot = snapshot(&config());
        let trunk = snapshot.trunk_named("probe").expect("it is there");
        let policy = LegPolicy::of(snapshot.trunk(trunk), None);
        let mut restored = Negotiation::restore(policy, &image).expect("it was good");
        assert_eq!(agreed(&restored), dtls(ours, 0xb1));
        let offer = restored.offer(None, &mut chance).expect("an offer");
        let offer = String::from_utf8(offer.to_vec()).expect("text");
        assert!(has(&offer, &format!("a=fingerprint:{}", fingerprint(0xa5))));
    }
}

#[test]
fn an_answer_lets_the_party_begin_unless_it_will_not() {
    let mut chance = Tokens::new([2; 32]);
    for (setup, line, ours) in [
        ("actpass", "a=setup:passive", Handshake::Passive),
        ("active", "a=setup:passive", Handshake::Passive),
        ("passive", "a=setup:active", Handshake::Active),
    ] {
        let mut leg = leg();
        let answer = answer(&mut leg, &said(0xb1, setup), &mut chance);
        assert!(has(&answer, line), "{answer}");
        assert!(
            answer.contains("m=audio 20020 UDP/TLS/RTP/SAVPF "),
            "{answer}"
        );
        assert_eq!(agreed(&leg), dtls(ours, 0xb1));
    }
    // Another certificate is another association: the parts are open again.
    let mut leg = leg();
    answer(&mut leg, &said(0xb1, "passive"), &mut chance);
    answer(&mut leg, &said(0xb2, "actpass"), &mut chance);
    assert_eq!(agreed(&leg), dtls(Handshake::Passive, 0xb2));
}

// RFC 9143 §7.3, RFC 8829 §5.3.1
#[test]
fn sections_keep_their_names_and_what_is_refused_leaves_the_bundle() {
    let mut chance = Tokens::new([4; 32]);
    let video = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:one\r\na=rtpmap:96 VP8/90000\r\n";
    let offer = said(0xb1, "actpass").replace("BUNDLE 0", "BUNDLE 0 one") + video;
    let mut leg = leg();
    let answer = answer(&mut leg, &offer, &mut chance);
    assert!(has(&answer, "a=group:BUNDLE 0"), "{answer}");
    let (audio, refused) = answer.split_once("m=video 0 ").expect("it is refused");
    assert!(
        has(audio, "a=mid:0") && has(refused, "a=mid:one"),
        "{answer}"
    );
    // What we offer later names them as they were named.
    let again = leg.offer(None, &mut chance).expect("an offer");
    let again = String::from_utf8(again.to_vec()).expect("text");
    assert!(
        has(&again, "a=mid:0") && has(&again, "a=mid:one"),
        "{again}"
    );
    assert!(has(&again, "a=group:BUNDLE 0"), "{again}");
}

#[test]
fn who_cannot_be_known_is_refused() {
    let good = said(0xb1, "actpass");
    let line = format!("a=fingerprint:{}\r\n", fingerprint(0xb1));
    for bad in [
        good.replace(&line, ""),
        good.replace("a=rtcp-mux\r\n", ""),
        good.replace("setup:actpass", "setup:holdconn"),
    ] {
        let outcome = leg().receive_offer(bad.as_bytes());
        assert_eq!(outcome, Err(NegotiateError::NoFingerprint), "{bad}");
    }
    for other in ["RTP/AVP", "RTP/SAVP", "RTP/SAVPF"] {
        let bad = good.replace("UDP/TLS/RTP/SAVPF", other);
        let outcome = leg().receive_offer(bad.as_bytes());
        assert_eq!(outcome, Err(NegotiateError::Profile));
    }
    // What stands above the sections holds for them.
    let above = good
        .replace("a=fingerprint:sha-1 00:01\r\n", "")
        .replace(&line, "")
        .replacen("t=0 0\r\n", &format!("t=0 0\r\n{line}"), 1);
    let mut leg = leg();
    leg.receive_offer(above.as_bytes())
        .expect("it can be known");
}

#[test]
fn a_call_ends_when_its_party_shows_another_certificate() {
    let mut lab = Lab::with(&config());
    lab.input(call::Input::Media(media_api::Event::Certificate(OURS)));
    let (_, invite) = lab.teams_calls("", &teams_sdp(50_000, 'T', ""));
    assert!(has(
        invite.body(),
        &format!("a=fingerprint:{}", fingerprint(0xa5))
    ));
    let contact = "Contact: <sip:gw@127.0.0.9:5070>\r\n";
    let ok = invite.response("200 OK", "k1", contact, &said(0xb1, "active"));
    lab.from(Side::Carrier, &ok);
    lab.expect(Side::Carrier, "ACK");
    let answered = lab.expect(Side::Teams, "200");
    assert!(
        !answered.body().contains("fingerprint"),
        "not Teams' business"
    );
    let ack = kit::Party::calling(Side::Teams, &answered).ack("");
    lab.from(Side::Teams, &ack);
    let put = lab.media.iter().rev().find_map(|command| match command {
        Command::Put(spec) if spec.dtls.is_some() => Some(spec.clone()),
        _ => None,
    });
    let spec = put.expect("the stream stands");
    assert_eq!(
        spec.dtls.map(|terms| *terms),
        dtls(Handshake::Passive, 0xb1)
    );
    let reason = Insecurity::WrongCertificate;
    lab.input(call::Input::Media(media_api::Event::Insecure {
        id: spec.id,
        reason,
    }));
    for side in [Side::Teams, Side::Carrier] {
        let bye = lab.expect(side, "BYE");
        lab.from(side, &bye.response("200 OK", "", "", ""));
    }
    assert!(lab.events.iter().any(|event| matches!(
        event,
        Event::Insecure {
            reason: Insecurity::WrongCertificate,
            ..
        }
    )));
    assert!(lab.events.iter().any(|event| matches!(
        event,
        Event::Ended {
            ending: Ending::NoCommonMedia,
            ..
        }
    )));
}

/// A call that stands, from Teams to the browser: the browser's name for it, and our last offer.
fn standing() -> (Lab, kit::Text) {
    let mut lab = Lab::with(&config());
    lab.input(call::Input::Media(media_api::Event::Certificate(OURS)));
    let (_, invite) = lab.teams_calls("", &teams_sdp(50_000, 'T', ""));
    let contact = "Contact: <sip:gw@127.0.0.9:5070>\r\n";
    let ok = invite.response("200 OK", "k1", contact, &said(0xb1, "active"));
    lab.from(Side::Carrier, &ok);
    lab.expect(Side::Carrier, "ACK");
    let answered = lab.expect(Side::Teams, "200");
    let ack = kit::Party::calling(Side::Teams, &answered).ack("");
    lab.from(Side::Teams, &ack);
    (lab, invite)
}

fn line<'t>(text: &'t str, start: &str) -> &'t str {
    let mut lines = text.lines();
    lines
        .find(|line| line.starts_with(start))
        .unwrap_or_default()
}

// INV-16: each fork of a browser's user has a certificate and a name for ICE of its own; who answers is who is shaken hands with.
#[test]
fn of_several_forks_each_is_known_by_its_own_certificate() {
    let mut lab = Lab::with(&config());
    lab.input(call::Input::Media(media_api::Event::Certificate(OURS)));
    let (_, invite) = lab.teams_calls("", &teams_sdp(50_000, 'T', ""));
    let contact = "Contact: <sip:gw@127.0.0.9:5070>\r\n";
    let fork = |octet: u8| said(octet, "active").replace("9uB6", &format!("frk{octet:x}"));
    for (status, tag, octet) in [
        ("183 Session Progress", "k1", 0xb1),
        ("183 Session Progress", "k2", 0xb2),
        ("200 OK", "k1", 0xb1),
    ] {
        lab.from(
            Side::Carrier,
            &invite.response(status, tag, contact, &fork(octet)),
        );
    }
    let mut parties: Vec<_> = lab
        .media
        .iter()
        .filter_map(|command| match command {
            Command::Put(spec) => {
                let party = spec.ice.as_ref()?.party.clone()?;
                Some((spec.dtls.as_ref()?.party, party))
            }
            _ => None,
        })
        .collect();
    parties.dedup();
    let of = |octet: u8| (Fingerprint([octet; 32]), format!("frk{octet:x}"));
    assert_eq!(parties, [of(0xb1), of(0xb2), of(0xb1)]);
}

// RFC 8842 §4: a new association, and with it ICE begins anew.
#[test]
fn when_media_has_begun_anew_the_party_is_offered_a_new_handshake() {
    let (mut lab, invite) = standing();
    lab.input(call::Input::MediaDown);
    lab.input(call::Input::MediaUp);
    // The same certificate is the same process: only we have been away.
    lab.input(call::Input::Media(media_api::Event::Certificate(OURS)));
    lab.quiet(Side::Carrier);
    let other = Fingerprint([0xa6; 32]);
    lab.input(call::Input::Media(media_api::Event::Certificate(other)));
    let again = lab.expect(Side::Carrier, "INVITE");
    assert_eq!(again.header("Call-ID"), invite.header("Call-ID"));
    assert!(has(
        again.body(),
        &format!("a=fingerprint:{}", fingerprint(0xa6))
    ));
    assert!(has(again.body(), "a=setup:actpass"));
    for start in ["a=ice-ufrag:", "a=ice-pwd:"] {
        let (before, now) = (line(invite.body(), start), line(again.body(), start));
        assert!(!now.is_empty() && now != before, "{now}");
    }
    assert_eq!(
        line(again.body(), "m="),
        line(invite.body(), "m="),
        "MED-05"
    );
    let answer = said(0xb1, "active").replace("9uB6", "new1");
    lab.from(Side::Carrier, &again.response("200 OK", "k1", "", &answer));
    lab.expect(Side::Carrier, "ACK");
    lab.quiet(Side::Teams);
    let put = lab.media.iter().rev().find_map(|command| match command {
        Command::Put(spec) if spec.dtls.is_some() => spec.ice.clone(),
        _ => None,
    });
    let ice = put.expect("the stream stands");
    assert_eq!(ice.party.as_deref(), Some("new1"));
    assert_eq!(
        line(again.body(), "a=ice-ufrag:"),
        format!("a=ice-ufrag:{}", ice.name)
    );
}

#[test]
fn without_a_certificate_of_media_nothing_is_offered() {
    let mut lab = Lab::with(&config());
    let (mut chance, offer) = (Tokens::new([3; 32]), said(0xb1, "actpass"));
    let snapshot = snapshot(&config());
    let trunk = snapshot.trunk_named("probe").expect("it is there");
    let policy = LegPolicy::of(snapshot.trunk(trunk), None);
    let local = LocalMedia {
        address: "198.51.100.20".parse().expect("an address"),
        port: 20_020,
    };
    let mut leg = Negotiation::new(policy, local, 1);
    assert_eq!(
        leg.offer(None, &mut chance),
        Err(NegotiateError::NoFingerprint)
    );
    let described = leg.receive_offer(offer.as_bytes()).expect("a good offer");
    assert_eq!(
        leg.answer(&described, &mut chance),
        Err(NegotiateError::NoFingerprint)
    );
    lab.from(
        Side::Teams,
        &kit::teams_invite("", &teams_sdp(50_000, 'T', "")),
    );
    lab.expect(Side::Teams, "100");
    let refused = lab.expect(Side::Teams, "");
    assert!(refused.status() >= Some(400), "{:?}", refused.status());
}
