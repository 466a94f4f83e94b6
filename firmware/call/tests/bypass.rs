//! Media bypass: what a Teams trunk with ICE says and makes of what it hears (ICE-01, ICE-03, ICE-05, ICE-07).
//!
//! Not here: checks (`pipeline/tests/ice.rs`).

mod kit;

use std::net::SocketAddr;

use call::media::negotiate::{Description, LegPolicy, LocalMedia, Negotiation};
use config::document::trunk::{Codec, MediaPolicy, Profile, Silence, Sources, Suite};
use kit::{Lab, Side, carrier_sdp, teams_sdp};
use media_api::{Ice, StreamId};
use sip::token::Tokens;

fn leg(rtcp_mux: bool) -> Negotiation {
    let media = MediaPolicy {
        profile: Profile::Savp,
        suites: vec![Suite::AesCm128HmacSha1_80],
        codecs: vec![Codec::Pcmu],
        rtcp_mux,
        sources: Sources::Latch,
        silence: Silence::default(),
    };
    let local = LocalMedia {
        address: "198.51.100.20".parse().expect("an address"),
        port: 20_020,
    };
    Negotiation::new(LegPolicy::teams(media).with_ice(), local, 1)
}

/// What Teams says, with ICE lines of this name.
fn said(name: &str) -> String {
    let ice = format!(
        "a=ice-ufrag:{name}\r\n\
         a=ice-pwd:thePasswordOf{name}whichIsLong\r\n\
         a=candidate:1 1 UDP 2130706431 203.0.113.5 50000 typ host\r\n",
    );
    teams_sdp(50_000, 'T', &ice)
}

/// Lines that begin so, in order.
fn lines<'t>(text: &'t str, begin: &str) -> Vec<&'t str> {
    text.lines()
        .filter(|line| line.starts_with(begin))
        .collect()
}

fn terms(negotiation: &Negotiation) -> Option<Ice> {
    let bind = SocketAddr::from(([127, 0, 0, 1], 20_020));
    negotiation
        .spec(StreamId(1), bind, &[])
        .expect("they agree")
        .ice
        .map(|ice| *ice)
}

fn offered(negotiation: &mut Negotiation, chance: &mut Tokens) -> String {
    let body = negotiation.offer(None, chance).expect("an offer");
    String::from_utf8(body.to_vec()).expect("text")
}

fn answered(
    negotiation: &mut Negotiation,
    body: &str,
    chance: &mut Tokens,
) -> (String, Description) {
    let described = negotiation
        .receive_offer(body.as_bytes())
        .expect("a good offer");
    let answer = negotiation.answer(&described, chance).expect("an answer");
    let answer = String::from_utf8(answer.to_vec()).expect("text");
    (answer, described)
}

#[test]
fn an_offer_is_lite_with_one_candidate_for_each_component() {
    let mut chance = Tokens::new([1; 32]);
    let mut muxed = leg(true);
    let offer = offered(&mut muxed, &mut chance);
    assert_eq!(lines(&offer, "a=ice-lite").len(), 1);
    assert_eq!(
        lines(&offer, "a=candidate:"),
        ["a=candidate:1 1 UDP 2130706431 198.51.100.20 20020 typ host"]
    );
    let (name, password) = (lines(&offer, "a=ice-ufrag:"), lines(&offer, "a=ice-pwd:"));
    assert!(name[0].len() >= "a=ice-ufrag:".len() + 4, "{name:?}");
    assert!(password[0].len() >= "a=ice-pwd:".len() + 22, "{password:?}");
    let again = offered(&mut muxed, &mut chance);
    assert_eq!(lines(&again, "a=ice-"), lines(&offer, "a=ice-"), "ICE-03");

    muxed.receive_answer(said("9uB6").as_bytes()).expect("good");
    let terms = terms(&muxed).expect("both speak ICE");
    assert_eq!(format!("a=ice-ufrag:{}", terms.name), name[0]);
    assert_eq!(format!("a=ice-pwd:{}", terms.password), password[0]);
    assert_eq!(terms.party.as_deref(), Some("9uB6"));

    let offer = offered(&mut leg(false), &mut chance);
    assert_eq!(
        lines(&offer, "a=candidate:"),
        [
            "a=candidate:1 1 UDP 2130706431 198.51.100.20 20020 typ host",
            "a=candidate:1 2 UDP 2130706430 198.51.100.20 20021 typ host",
        ]
    );
}

#[test]
fn an_answer_speaks_ice_where_the_offer_does_and_starts_anew_where_it_does() {
    let mut chance = Tokens::new([2; 32]);
    let mut leg = leg(true);
    let (first, _) = answered(&mut leg, &said("9uB6"), &mut chance);
    assert_eq!(lines(&first, "a=ice-lite").len(), 1);
    let (refreshed, _) = answered(&mut leg, &said("9uB6"), &mut chance);
    assert_eq!(lines(&refreshed, "a=ice-"), lines(&first, "a=ice-"));

    // Kept over a restart of ours.
    let image = leg.image().expect("both have spoken");
    let policy = LegPolicy::teams(MediaPolicy {
        profile: Profile::Savp,
        suites: vec![Suite::AesCm128HmacSha1_80],
        codecs: vec![Codec::Pcmu],
        rtcp_mux: true,
        sources: Sources::Latch,
        silence: Silence::default(),
    });
    let restored = Negotiation::restore(policy.with_ice(), &image).expect("it was good");
    assert_eq!(terms(&restored), terms(&leg));

    // RFC 8445 §9: another name and another password.
    let (restarted, _) = answered(&mut leg, &said("proc"), &mut chance);
    assert_ne!(
        lines(&restarted, "a=ice-ufrag"),
        lines(&first, "a=ice-ufrag")
    );
    assert_ne!(lines(&restarted, "a=ice-pwd"), lines(&first, "a=ice-pwd"));
    assert_eq!(lines(&restarted, "m=")[0].split(' ').nth(1), Some("20020"));
    assert_eq!(
        lines(&restarted, "a=candidate:"),
        lines(&first, "a=candidate:")
    );
    let party = terms(&leg).expect("both speak ICE").party;
    assert_eq!(party.as_deref(), Some("proc"));

    let (plain, _) = answered(&mut leg, &teams_sdp(50_000, 'T', ""), &mut chance);
    assert_eq!(lines(&plain, "a=ice-"), [""; 0], "nobody has asked");
    assert_eq!(terms(&leg), None);
}

#[test]
fn only_a_trunk_with_media_bypass_offers_it() {
    let bypass = kit::CONFIG.replace(
        "trust = \"microsoft\"\n",
        "trust = \"microsoft\"\nmedia_bypass = true\n",
    );
    for (config, expected) in [(kit::CONFIG, 0), (&bypass, 1)] {
        let mut lab = Lab::with(config);
        let (_, invite) = lab.carrier_calls("", &carrier_sdp(40_000, ""));
        let offer = invite.body();
        assert_eq!(lines(offer, "a=ice-lite").len(), expected, "{offer}");
        assert_eq!(lines(offer, "a=candidate:").len(), expected);
        let answer = invite.response("183 Session Progress", "t9", "", &said("9uB6"));
        lab.from(Side::Teams, &answer);
        let put = lab.media.iter().rev().find_map(|command| match command {
            media_api::Command::Put(spec) if spec.receive.is_some() => Some(spec.clone()),
            _ => None,
        });
        let spec = put.expect("the Teams side's stream stands");
        assert_eq!(usize::from(spec.ice.is_some()), expected);
        let rings = lab.sent.iter().map(|(_, text)| text.text.clone());
        let carrier_heard: String = rings.collect();
        assert!(
            !carrier_heard.contains("a=ice"),
            "not the carrier's business"
        );
    }
}
