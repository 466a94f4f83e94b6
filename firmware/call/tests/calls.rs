//! Calls between Teams and a carrier, told as dialogues in simulated time; each ends with nothing left behind.
//!
//! The peers speak plain text (`kit`), so that no test confirms the stack by itself. Checklist ids stand where they are held.

mod kit;

use call::api::{Ending, Event};
use embassy_time::Duration;
use kit::{Lab, Party, Side, carrier_sdp, teams_sdp};

/// A call from Teams, answered by the carrier, up to both ACKs.
fn talking_from_teams(lab: &mut Lab) -> (Party, Party) {
    let (_, invite) = lab.teams_calls("", &teams_sdp(50000, 'T', ""));
    lab.from(
        Side::Carrier,
        &invite.response(
            "180 Ringing",
            "k1",
            "Contact: <sip:gw@127.0.0.9:5070>\r\n",
            "",
        ),
    );
    lab.expect(Side::Teams, "180");
    let ok = invite.response(
        "200 OK",
        "k1",
        "Contact: <sip:gw@127.0.0.9:5070>\r\n",
        &carrier_sdp(40000, ""),
    );
    lab.from(Side::Carrier, &ok);
    lab.expect(Side::Carrier, "ACK");
    let answered = lab.expect(Side::Teams, "200");
    let mut teams = Party::calling(Side::Teams, &answered);
    let ack = teams.ack("");
    lab.from(Side::Teams, &ack);
    (teams, Party::called(Side::Carrier, &invite, "k1"))
}

/// A call from the carrier, answered by Teams, up to both ACKs.
fn talking_from_carrier(lab: &mut Lab) -> (Party, Party) {
    let (_, invite) = lab.carrier_calls("", &carrier_sdp(40000, ""));
    let contact = "CONTACT: <sip:api-du-a-euwe.pstnhub.microsoft.com:443;x-i=11111111-2222-4333-8444-555555555555>\r\nRECORD-ROUTE: <sip:sip-du-a-eu.pstnhub.microsoft.com:5061;transport=tls;lr>\r\n";
    lab.from(
        Side::Teams,
        &invite.response("180 Ringing", "t1", contact, ""),
    );
    lab.expect(Side::Carrier, "180");
    lab.from(
        Side::Teams,
        &invite.response("200 OK", "t1", contact, &teams_sdp(50000, 'T', "")),
    );
    let ack = lab.expect(Side::Teams, "ACK");
    assert!(
        ack.uri()
            .starts_with("sip:api-du-a-euwe.pstnhub.microsoft.com:443;x-i="),
        "INV-09: {}",
        ack.start()
    );
    assert!(ack.header("Route").contains("sip-du-a-eu"), "INV-09");
    assert_eq!(
        ack.to.expect("an address").to_string(),
        "127.0.0.2:5061",
        "INV-09: the route, never port 443"
    );
    let answered = lab.expect(Side::Carrier, "200");
    let mut carrier = Party::calling(Side::Carrier, &answered);
    let ack = carrier.ack("");
    lab.from(Side::Carrier, &ack);
    (Party::called(Side::Teams, &invite, "t1"), carrier)
}

fn ending(lab: &Lab) -> Option<Ending> {
    lab.events.iter().find_map(|event| match event {
        Event::Ended { ending, .. } => Some(*ending),
        _ => None,
    })
}

#[test]
fn teams_calls_the_carrier_and_hangs_up() {
    let mut lab = Lab::new();
    let (mut teams, _) = talking_from_teams(&mut lab);
    let bye = teams.request("BYE", "", "");
    lab.from(Side::Teams, &bye);
    lab.expect(Side::Teams, "200");
    let bye = lab.expect(Side::Carrier, "BYE");
    lab.from(Side::Carrier, &bye.response("200 OK", "", "", ""));
    assert_eq!(ending(&lab), Some(Ending::CallerHungUp));
    lab.nothing_left();
}

#[test]
fn how_each_leg_sounded_is_told_when_its_stream_has_ended() {
    let mut lab = Lab::new();
    let (mut teams, _) = talking_from_teams(&mut lab);
    let bye = teams.request("BYE", "", "");
    lab.from(Side::Teams, &bye);
    let removed: Vec<_> = lab
        .media
        .iter()
        .filter_map(|command| match command {
            media_api::Command::Remove(id) => Some(*id),
            _ => None,
        })
        .collect();
    assert_eq!(removed.len(), 2);
    let statistics = media_api::Statistics {
        received: media_api::Received {
            packets: 500,
            lost: 5,
            jitter: 1_250,
            ..media_api::Received::default()
        },
        peer_report: Some(media_api::PeerReport {
            lost: -3,
            round_trip: Some(40_000),
            ..media_api::PeerReport::default()
        }),
        incoming: Some(media_api::Quality {
            opinion: 425,
            ..media_api::Quality::default()
        }),
        ..media_api::Statistics::default()
    };
    for id in removed {
        // Told twice it counts once.
        for _ in 0..2 {
            let statistics = Box::new(statistics.clone());
            lab.input(call::Input::Media(media_api::Event::Removed {
                id,
                statistics,
            }));
        }
    }
    let sounds: Vec<_> = lab
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Sounded { trunk, sound, .. } => Some((trunk.as_str(), *sound)),
            _ => None,
        })
        .collect();
    let trunks: std::collections::BTreeSet<_> = sounds.iter().map(|(trunk, _)| *trunk).collect();
    assert_eq!((sounds.len(), trunks.len()), (2, 2), "{sounds:?}");
    let sound = sounds[0].1;
    assert_eq!(
        (sound.from_party.packets, sound.from_party.lost),
        (500, Some(5))
    );
    assert_eq!(
        sound.from_party.mos.map(|mos| mos.to_string()),
        Some("4.25".into())
    );
    assert_eq!((sound.to_party.lost, sound.to_party.mos), (Some(0), None));
    assert_eq!(sound.round_trip_us, Some(40_000));
}

/// The carrier's stream is told silent in a talk under this configuration.
fn fall_silent(lab: &mut Lab) {
    talking_from_teams(lab);
    let spec = lab.media.iter().find_map(|command| match command {
        media_api::Command::Put(spec) if spec.receive.is_none() => Some(spec.clone()),
        _ => None,
    });
    let spec = spec.expect("the carrier has a stream");
    assert_eq!(spec.silence_after, Some(media_api::Millis(12_000)));
    lab.input(call::Input::Media(media_api::Event::Silent {
        id: spec.id,
        since: media_api::Millis(12_000),
    }));
    assert!(lab.events.iter().any(|event| matches!(
        event,
        Event::Silent {
            milliseconds: 12_000,
            ..
        }
    )));
}

#[test]
fn silence_is_told_and_ends_a_call_only_where_the_trunk_says_so() {
    // MED-09
    let silent = |then: &str| {
        let place = "sources = [\"127.0.0.9\"]\n";
        let rule = format!("[trunk.media]\nsilence_after = \"12s\"\non_silence = \"{then}\"\n");
        kit::CONFIG.replace(place, &format!("{place}{rule}"))
    };
    let mut lab = Lab::with(&silent("tell"));
    fall_silent(&mut lab);
    assert_eq!(ending(&lab), None);
    assert_eq!(lab.core.census().calls, 1, "the call goes on");

    let mut lab = Lab::with(&silent("hang_up"));
    fall_silent(&mut lab);
    for side in [Side::Teams, Side::Carrier] {
        let bye = lab.expect(side, "BYE");
        lab.from(side, &bye.response("200 OK", "", "", ""));
    }
    assert_eq!(ending(&lab), Some(Ending::Lost));
    lab.nothing_left();
}

#[test]
fn carrier_calls_teams_and_teams_hangs_up() {
    let mut lab = Lab::new();
    let (mut teams, _) = talking_from_carrier(&mut lab);
    let bye = teams.request("BYE", "", "");
    lab.from(Side::Teams, &bye);
    lab.expect(Side::Teams, "200");
    let bye = lab.expect(Side::Carrier, "BYE");
    lab.from(Side::Carrier, &bye.response("200 OK", "", "", ""));
    assert_eq!(ending(&lab), Some(Ending::CalleeHungUp));
    lab.nothing_left();
}

#[test]
fn nothing_of_one_leg_is_seen_on_the_other() {
    let mut lab = Lab::new();
    let (_, at_teams) = lab.carrier_calls("X-Internal: secret-header\r\n", &carrier_sdp(40000, ""));
    for secret in [
        "Secret",
        "secret",
        "127.0.0.9",
        "40000",
        "gw7",
        "carrier-call-1",
    ] {
        assert!(
            !at_teams.text.contains(secret),
            "{secret} leaks:\n{}",
            at_teams.text
        );
    }
    // INV-01, INV-03, INV-04, OPT-02.
    assert_eq!(
        at_teams.uri_of("Contact").split(['@', ';']).nth(1),
        Some("sbc1.contoso.example:5061")
    );
    assert!(
        at_teams
            .uri()
            .starts_with("sip:+12025550100@sip.pstnhub.microsoft.com"),
        "{}",
        at_teams.uri()
    );
    assert!(at_teams.uri().contains("user=phone"));
    assert!(
        at_teams
            .header("From")
            .contains("sip:+13125550100@sbc1.contoso.example")
    );
    assert!(!at_teams.has("Record-Route"), "INV-02");
    assert!(
        at_teams.header("Allow").contains("REFER") && at_teams.header("Allow").contains("NOTIFY"),
        "REF-01"
    );
    assert!(
        at_teams.body().contains("RTP/SAVP") && at_teams.body().contains("|2^31"),
        "MED-02"
    );

    let mut lab = Lab::new();
    let (_, at_carrier) = lab.teams_calls("", &teams_sdp(50000, 'T', ""));
    for secret in [
        "pstnhub",
        "sip-du",
        "PSTNHub",
        "127.0.0.2",
        "50000",
        "x-i",
        "crypto",
        "contoso",
        "label",
    ] {
        assert!(
            !at_carrier.text.contains(secret),
            "{secret} leaks:\n{}",
            at_carrier.text
        );
    }
    assert!(at_carrier.body().contains("RTP/AVP"));
}

#[test]
fn busy_on_the_carrier_leg_answers_486_and_leaves_no_port_behind() {
    let mut lab = Lab::new();
    let (_, invite) = lab.teams_calls("", &teams_sdp(50000, 'T', ""));
    lab.from(
        Side::Carrier,
        &invite.response("486 Busy Here", "k1", "", ""),
    );
    lab.expect(Side::Carrier, "ACK");
    let busy = lab.expect(Side::Teams, "486");
    let mut teams = Party::calling(Side::Teams, &{
        let mut with_contact = busy.clone();
        with_contact.text = with_contact
            .text
            .replace("\r\n\r\n", "\r\nContact: <sip:x>\r\n\r\n");
        with_contact
    });
    teams.cseq = 1;
    assert_eq!(ending(&lab), Some(Ending::Busy));
    lab.nothing_left();
}

#[test]
fn a_call_that_has_ended_counts_no_more_though_a_party_is_slow_to_say_so() {
    let name = "name = \"contoso\"\nfqdn";
    let limited = format!("limits = {{ concurrent_calls = 1 }}\n{name}");
    let mut lab = Lab::with(&kit::CONFIG.replace(name, &limited));
    let (mut teams, _) = talking_from_teams(&mut lab);
    let again = |number: u8| {
        let invite = kit::teams_invite("", &teams_sdp(50000, 'T', ""));
        invite
            .replace("5b1e7f0a2d", &format!("again-{number}"))
            .replace("z9hG4bKaa01", &format!("z9hG4bKagain{number}"))
    };
    lab.from(Side::Teams, &again(1));
    lab.expect(Side::Teams, "100");
    lab.expect(Side::Teams, "503");
    let bye = teams.request("BYE", "", "");
    lab.from(Side::Teams, &bye);
    lab.expect(Side::Teams, "200");
    lab.expect(Side::Carrier, "BYE");
    lab.from(Side::Teams, &again(2));
    lab.expect(Side::Teams, "100");
    let invite = lab.expect(Side::Carrier, "INVITE");
    lab.from(
        Side::Carrier,
        &invite.response("486 Busy Here", "k2", "", ""),
    );
    lab.expect(Side::Carrier, "ACK");
    lab.expect(Side::Teams, "486");
    lab.nothing_left();
}

#[test]
fn info_before_the_answer_is_answered_and_changes_nothing() {
    let mut lab = Lab::new();
    let (_, invite) = lab.carrier_calls("", &carrier_sdp(40000, ""));
    lab.from(Side::Teams, &invite.response("180 Ringing", "t", "", ""));
    let ringing = lab.expect(Side::Carrier, "180");
    let mut carrier = Party::calling(Side::Carrier, &ringing);
    let bare = carrier.request("INFO", "", "");
    lab.from(Side::Carrier, &bare);
    lab.expect(Side::Carrier, "200");
    let full = carrier.request("INFO", "", "Signal=5\r\n");
    lab.from(Side::Carrier, &full);
    assert!(lab.expect(Side::Carrier, "415").has("Accept"));
    // RFC 6086 §4.2.2.
    let package = carrier.request("INFO", "Info-Package: nobodys\r\n", "");
    lab.from(Side::Carrier, &package);
    assert!(lab.expect(Side::Carrier, "469").has("Recv-Info"));
    let publish = carrier.request("PUBLISH", "", "");
    lab.from(Side::Carrier, &publish);
    assert!(
        lab.expect(Side::Carrier, "405")
            .header("Allow")
            .contains("INVITE")
    );
    lab.quiet(Side::Teams);
    lab.from(Side::Teams, &invite.response("486 Busy Here", "t", "", ""));
    lab.expect(Side::Teams, "ACK");
    lab.expect(Side::Carrier, "486");
    lab.nothing_left();
}

#[test]
fn busy_of_teams_with_cause_34_reaches_the_carrier_as_cause_17_and_is_not_retried() {
    // INV-14
    let mut lab = Lab::new();
    let (_, invite) = lab.carrier_calls("", &carrier_sdp(40000, ""));
    lab.from(
        Side::Teams,
        &invite.response(
            "486 Busy Here",
            "t",
            "REASON: Q.850;cause=34;text=\"x\"\r\n",
            "",
        ),
    );
    lab.expect(Side::Teams, "ACK");
    let busy = lab.expect(Side::Carrier, "486");
    assert!(busy.header("Reason").contains("cause=17"), "{}", busy.text);
    lab.quiet(Side::Teams);
    lab.nothing_left();
}

#[test]
fn a_datacentre_that_says_503_is_left_for_the_next() {
    // INV-13, OPT-04
    let mut lab = Lab::new();
    let (_, invite) = lab.carrier_calls("", &carrier_sdp(40000, ""));
    assert_eq!(invite.to.expect("an address").ip().to_string(), "127.0.0.2");
    lab.from(
        Side::Teams,
        &invite.response("503 Service Unavailable", "t", "RETRY-AFTER: 1\r\n", ""),
    );
    lab.expect(Side::Teams, "ACK");
    let second = lab.expect(Side::Teams, "INVITE");
    assert_eq!(second.to.expect("an address").ip().to_string(), "127.0.0.3");
    lab.from(Side::Teams, &second.response("603 Decline", "t", "", ""));
    lab.expect(Side::Teams, "ACK");
    lab.expect(Side::Carrier, "603");
    lab.quiet(Side::Teams);
    lab.nothing_left();
}

#[test]
fn a_black_hole_is_left_after_four_seconds() {
    let mut lab = Lab::new();
    let (_, first) = lab.carrier_calls("", &carrier_sdp(40000, ""));
    assert_eq!(first.to.expect("an address").ip().to_string(), "127.0.0.2");
    lab.pass(Duration::from_millis(3_900));
    lab.quiet(Side::Teams);
    lab.pass(Duration::from_millis(200));
    let second = lab.expect(Side::Teams, "INVITE");
    assert_eq!(second.to.expect("an address").ip().to_string(), "127.0.0.3");
    lab.from(Side::Teams, &second.response("404 Not Found", "t", "", ""));
    lab.expect(Side::Teams, "ACK");
    lab.expect(Side::Carrier, "404");
    lab.nothing_left();
}

#[test]
fn the_caller_cancels() {
    let mut lab = Lab::new();
    let (_, invite) = lab.teams_calls("", &teams_sdp(50000, 'T', ""));
    lab.from(
        Side::Carrier,
        &invite.response(
            "180 Ringing",
            "k1",
            "Contact: <sip:gw@127.0.0.9:5070>\r\n",
            "",
        ),
    );
    let ringing = lab.expect(Side::Teams, "180");
    let cancel = kit::teams_invite("", "").replace("INVITE", "CANCEL");
    lab.from(Side::Teams, &cancel);
    assert!(ringing.tag("To").is_some());
    lab.expect(Side::Teams, "200");
    lab.expect(Side::Teams, "487");
    let cancel = lab.expect(Side::Carrier, "CANCEL");
    lab.from(Side::Carrier, &cancel.response("200 OK", "k1", "", ""));
    lab.from(
        Side::Carrier,
        &invite.response("487 Request Terminated", "k1", "", ""),
    );
    lab.expect(Side::Carrier, "ACK");
    lab.pass(Duration::from_secs(1));
    lab.nothing_left();
    assert_eq!(ending(&lab), Some(Ending::CallerGaveUp));
}

#[test]
fn an_answer_that_crosses_the_cancel_is_acknowledged_and_ended() {
    let mut lab = Lab::new();
    let (_, invite) = lab.teams_calls("", &teams_sdp(50000, 'T', ""));
    lab.from(
        Side::Carrier,
        &invite.response(
            "180 Ringing",
            "k1",
            "Contact: <sip:gw@127.0.0.9:5070>\r\n",
            "",
        ),
    );
    lab.expect(Side::Teams, "180");
    lab.from(
        Side::Teams,
        &kit::teams_invite("", "").replace("INVITE", "CANCEL"),
    );
    lab.expect(Side::Teams, "200");
    lab.expect(Side::Teams, "487");
    lab.expect(Side::Carrier, "CANCEL");
    let ok = invite.response(
        "200 OK",
        "k1",
        "Contact: <sip:gw@127.0.0.9:5070>\r\n",
        &carrier_sdp(40000, ""),
    );
    lab.from(Side::Carrier, &ok);
    lab.expect(Side::Carrier, "ACK");
    let bye = lab.expect(Side::Carrier, "BYE");
    lab.from(Side::Carrier, &bye.response("200 OK", "", "", ""));
    lab.nothing_left();
}

#[test]
fn both_sides_hang_up_at_once() {
    let mut lab = Lab::new();
    let (mut teams, mut carrier) = talking_from_teams(&mut lab);
    let bye = teams.request("BYE", "", "");
    lab.from(Side::Teams, &bye);
    lab.expect(Side::Teams, "200");
    let ours = lab.expect(Side::Carrier, "BYE");
    let theirs = carrier.request("BYE", "", "");
    lab.from(Side::Carrier, &theirs);
    lab.expect(Side::Carrier, "200");
    lab.from(
        Side::Carrier,
        &ours.response("481 Call/Transaction Does Not Exist", "", "", ""),
    );
    lab.nothing_left();
}

#[test]
fn a_hold_of_the_carrier_is_inactive_for_teams_and_resumes() {
    // INV-25
    for held in ["a=sendonly\r\n", "a=inactive\r\n", "a=recvonly\r\n"] {
        let mut lab = Lab::new();
        let (_, mut carrier) = talking_from_teams(&mut lab);
        let hold = carrier.request(
            "INVITE",
            "",
            &carrier_sdp(40000, held).replace("22 1", "22 2"),
        );
        lab.from(Side::Carrier, &hold);
        lab.expect(Side::Carrier, "100");
        let at_teams = lab.expect(Side::Teams, "INVITE");
        assert!(
            at_teams.body().contains("a=inactive"),
            "{held}: {}",
            at_teams.body()
        );
        assert!(
            !at_teams.body().contains("0.0.0.0") && !at_teams.body().contains("only"),
            "INV-25"
        );
        lab.from(
            Side::Teams,
            &at_teams.response(
                "200 OK",
                "",
                "CONTACT: <sip:api-du-a-euwe.pstnhub.microsoft.com:443>\r\n",
                &teams_sdp(50000, 'T', "a=inactive\r\n"),
            ),
        );
        lab.expect(Side::Teams, "ACK");
        let answer = lab.expect(Side::Carrier, "200");
        assert!(
            answer.body().contains("a=inactive")
                || answer.body().contains("a=recvonly")
                || answer.body().contains("a=sendonly"),
            "{}",
            answer.body()
        );
        let ack = carrier.ack("");
        lab.from(Side::Carrier, &ack);
        let resume = carrier.request(
            "INVITE",
            "",
            &carrier_sdp(40000, "").replace("22 1", "22 3"),
        );
        lab.from(Side::Carrier, &resume);
        lab.expect(Side::Carrier, "100");
        let at_teams = lab.expect(Side::Teams, "INVITE");
        assert!(!at_teams.body().contains("inactive"), "{}", at_teams.body());
        lab.from(
            Side::Teams,
            &at_teams.response(
                "200 OK",
                "",
                "CONTACT: <sip:api-du-a-euwe.pstnhub.microsoft.com:443>\r\n",
                &teams_sdp(50000, 'T', ""),
            ),
        );
        lab.expect(Side::Teams, "ACK");
        lab.expect(Side::Carrier, "200");
        let ack = carrier.ack("");
        lab.from(Side::Carrier, &ack);
        let bye = carrier.request("BYE", "", "");
        lab.from(Side::Carrier, &bye);
        lab.expect(Side::Carrier, "200");
        lab.expect(Side::Teams, "BYE");
        lab.nothing_left();
    }
}

#[test]
fn a_refresh_of_the_carrier_ends_at_the_box() {
    // INV-19
    let mut lab = Lab::new();
    let (_, mut carrier) = talking_from_teams(&mut lab);
    let refresh = carrier.request("INVITE", "", &carrier_sdp(40000, ""));
    lab.from(Side::Carrier, &refresh);
    lab.expect(Side::Carrier, "100");
    lab.expect(Side::Carrier, "200");
    lab.quiet(Side::Teams);
    let ack = carrier.ack("");
    lab.from(Side::Carrier, &ack);
    let bye = carrier.request("BYE", "", "");
    lab.from(Side::Carrier, &bye);
    lab.nothing_left();
}

#[test]
fn early_media_of_teams_is_passed_on_only_when_it_flows() {
    // INV-17
    let mut lab = Lab::new();
    let (_, invite) = lab.carrier_calls("", &carrier_sdp(40000, ""));
    lab.from(
        Side::Teams,
        &invite.response("183 Session Progress", "t9", "", &teams_sdp(50000, 'T', "")),
    );
    lab.expect(Side::Carrier, "180");
    let stream = lab.media.iter().find_map(|command| match command {
        media_api::Command::Put(spec) if spec.receive.is_some() => Some(spec.id),
        _ => None,
    });
    let stream = stream.expect("the Teams side's stream stands before any answer");
    lab.input(call::Input::Media(media_api::Event::RtpStarted {
        id: stream,
    }));
    let early = lab.expect(Side::Carrier, "183");
    assert!(early.body().contains("m=audio"));
    // 180 after 183, and another fork answers (INV-16).
    lab.from(Side::Teams, &invite.response("180 Ringing", "t7", "", ""));
    lab.expect(Side::Carrier, "180");
    lab.from(Side::Teams, &invite.response("200 OK", "t5", "CONTACT: <sip:a.pstnhub.microsoft.com:443>\r\nRECORD-ROUTE: <sip:sip-du-a-eu.pstnhub.microsoft.com:5061;transport=tls;lr>\r\n", &teams_sdp(50002, 'U', "")));
    lab.expect(Side::Teams, "ACK");
    let ok = lab.expect(Side::Carrier, "200");
    // A second fork answers as well: acknowledged and ended.
    lab.from(Side::Teams, &invite.response("200 OK", "t6", "CONTACT: <sip:a.pstnhub.microsoft.com:443>\r\nRECORD-ROUTE: <sip:sip-du-a-eu.pstnhub.microsoft.com:5061;transport=tls;lr>\r\n", &teams_sdp(50004, 'V', "")));
    let ack = lab.expect(Side::Teams, "ACK");
    assert_eq!(ack.tag("To").as_deref(), Some("t6"));
    let bye = lab.expect(Side::Teams, "BYE");
    assert_eq!(bye.tag("To").as_deref(), Some("t6"));
    lab.from(Side::Teams, &bye.response("200 OK", "", "", ""));
    let mut carrier = Party::calling(Side::Carrier, &ok);
    let ack = carrier.ack("");
    lab.from(Side::Carrier, &ack);
    let bye = carrier.request("BYE", "", "");
    lab.from(Side::Carrier, &bye);
    lab.expect(Side::Carrier, "200");
    lab.expect(Side::Teams, "BYE");
    lab.nothing_left();
}

#[test]
fn a_silent_trunk_still_rings_for_teams_before_eight_seconds() {
    // INV-11
    let mut lab = Lab::new();
    let (_, invite) = lab.teams_calls("", &teams_sdp(50000, 'T', ""));
    lab.from(Side::Carrier, &invite.response("100 Trying", "", "", ""));
    lab.quiet(Side::Teams);
    lab.pass(Duration::from_secs(8));
    lab.expect(Side::Teams, "18");
}

#[test]
fn a_carrier_without_an_offer_gets_one_and_teams_gets_one_too() {
    // INV-05
    let mut lab = Lab::new();
    let (_, invite) = lab.carrier_calls("", "");
    assert!(invite.body().contains("m=audio"), "INV-05");
    lab.from(Side::Teams, &invite.response("200 OK", "t1", "CONTACT: <sip:a.pstnhub.microsoft.com:443>\r\nRECORD-ROUTE: <sip:sip-du-a-eu.pstnhub.microsoft.com:5061;transport=tls;lr>\r\n", &teams_sdp(50000, 'T', "")));
    lab.expect(Side::Teams, "ACK");
    let ok = lab.expect(Side::Carrier, "200");
    assert!(ok.body().contains("m=audio"));
    let mut carrier = Party::calling(Side::Carrier, &ok);
    let ack = carrier.ack(&carrier_sdp(40000, ""));
    lab.from(Side::Carrier, &ack);
    let bye = carrier.request("BYE", "", "");
    lab.from(Side::Carrier, &bye);
    lab.expect(Side::Carrier, "200");
    lab.nothing_left();
}

#[test]
fn nobody_answers() {
    let mut lab = Lab::new();
    let (_, invite) = lab.teams_calls("", &teams_sdp(50000, 'T', ""));
    lab.from(
        Side::Carrier,
        &invite.response(
            "180 Ringing",
            "k1",
            "Contact: <sip:gw@127.0.0.9:5070>\r\n",
            "",
        ),
    );
    lab.expect(Side::Teams, "180");
    lab.pass(Duration::from_secs(180));
    let cancel = lab.expect(Side::Carrier, "CANCEL");
    lab.expect(Side::Teams, "480");
    lab.from(Side::Carrier, &cancel.response("200 OK", "k1", "", ""));
    lab.from(
        Side::Carrier,
        &invite.response("487 Request Terminated", "k1", "", ""),
    );
    lab.expect(Side::Carrier, "ACK");
    lab.nothing_left();
    assert_eq!(ending(&lab), Some(Ending::NoAnswer));
}

#[test]
fn a_session_is_refreshed_on_its_own_leg_and_ends_when_the_other_side_is_gone() {
    // INV-18, INV-19: the carrier knows no session timers, so we refresh there; Teams knows them and must refresh here.
    let mut lab = Lab::new();
    let (_, mut carrier) = talking_from_teams(&mut lab);
    lab.pass(Duration::from_secs(900));
    let refresh = lab.expect(Side::Carrier, "INVITE");
    assert!(refresh.body().contains("m=audio"));
    lab.from(
        Side::Carrier,
        &refresh.response(
            "200 OK",
            "",
            "Contact: <sip:gw@127.0.0.9:5070>\r\n",
            &carrier_sdp(40000, ""),
        ),
    );
    lab.expect(Side::Carrier, "ACK");
    lab.quiet(Side::Teams);
    // Answered once; then the carrier is silent, too, and the session ends on both sides.
    lab.pass(Duration::from_secs(3_600));
    let mut said: Vec<String> = lab
        .sent
        .iter()
        .map(|(_, text)| text.method().to_owned())
        .collect();
    said.dedup();
    assert!(said.contains(&"BYE".to_owned()), "{said:?}");
    assert_eq!(ending(&lab), Some(Ending::Lost));
    carrier.cseq += 1;
    lab.nothing_left();
}

#[test]
fn a_draining_box_refuses_calls_and_keeps_those_it_has() {
    let mut lab = Lab::new();
    let (mut teams, _) = talking_from_teams(&mut lab);
    lab.input(call::Input::Command(call::api::Command::Drain));
    let again = kit::teams_invite("", &teams_sdp(50002, 'T', ""))
        .replace("5b1e7f0a2d", "other")
        .replace("aa01", "aa02");
    lab.from(Side::Teams, &again);
    lab.expect(Side::Teams, "100");
    lab.expect(Side::Teams, "503");
    assert_eq!(lab.core.census().calls, 1);
    let bye = teams.request("BYE", "", "");
    lab.from(Side::Teams, &bye);
    lab.expect(Side::Teams, "200");
    lab.expect(Side::Carrier, "BYE");
}

#[test]
fn without_a_media_plane_calls_are_refused_and_with_it_again_streams_are_told_anew() {
    let mut lab = Lab::new();
    let (_, _) = talking_from_teams(&mut lab);
    lab.input(call::Input::MediaDown);
    let again = kit::carrier_invite("", &carrier_sdp(40002, ""));
    lab.from(Side::Carrier, &again);
    lab.expect(Side::Carrier, "100");
    lab.expect(Side::Carrier, "503");
    lab.media.clear();
    lab.input(call::Input::MediaUp);
    let puts = lab
        .media
        .iter()
        .filter(|command| matches!(command, media_api::Command::Put(_)))
        .count();
    let links = lab
        .media
        .iter()
        .filter(|command| matches!(command, media_api::Command::Link { .. }))
        .count();
    assert_eq!((puts, links), (2, 1));
}

#[test]
fn a_re_invite_that_crosses_ours_is_answered_491_and_ours_comes_again() {
    // RFC 3261 §14.1
    let mut lab = Lab::new();
    let (mut teams, mut carrier) = talking_from_teams(&mut lab);
    let hold = carrier.request(
        "INVITE",
        "",
        &carrier_sdp(40000, "a=sendonly\r\n").replace("22 1", "22 2"),
    );
    lab.from(Side::Carrier, &hold);
    lab.expect(Side::Carrier, "100");
    let at_teams = lab.expect(Side::Teams, "INVITE");
    let crossing = teams.request(
        "INVITE",
        "",
        &teams_sdp(50000, 'T', "a=inactive\r\n").replace("11 1", "11 2"),
    );
    lab.from(Side::Teams, &crossing);
    lab.expect(Side::Teams, "100");
    lab.expect(Side::Teams, "491");
    let ack = teams.ack("");
    lab.from(Side::Teams, &ack);
    lab.from(
        Side::Teams,
        &at_teams.response("491 Request Pending", "", "", ""),
    );
    lab.expect(Side::Teams, "ACK");
    lab.quiet(Side::Carrier);
    lab.pass(Duration::from_secs(5));
    let again = lab.expect(Side::Teams, "INVITE");
    assert!(again.body().contains("a=inactive"));
    lab.from(
        Side::Teams,
        &again.response(
            "200 OK",
            "",
            "CONTACT: <sip:api-du-a-euwe.pstnhub.microsoft.com:443>\r\n",
            &teams_sdp(50000, 'T', "a=inactive\r\n"),
        ),
    );
    lab.expect(Side::Teams, "ACK");
    lab.expect(Side::Carrier, "200");
}

#[test]
fn reliable_provisionals_are_each_legs_own() {
    // RFC 3262, INV-07: the carrier demands PRACK, Teams never hears of it.
    let mut lab = Lab::new();
    let (_, invite) = lab.carrier_calls("Require: 100rel\r\n", &carrier_sdp(40000, ""));
    assert!(!invite.text.contains("100rel"), "INV-07");
    lab.from(Side::Teams, &invite.response("180 Ringing", "t1", "", ""));
    let ringing = lab.expect(Side::Carrier, "180");
    assert!(ringing.header("Require").contains("100rel"));
    let rseq = ringing.header("RSeq").to_owned();
    // Not acknowledged: it comes again.
    lab.pass(Duration::from_millis(600));
    lab.expect(Side::Carrier, "180");
    let mut carrier = Party::calling(Side::Carrier, &ringing);
    let prack = carrier.request("PRACK", &format!("RAck: {rseq} 1 INVITE\r\n"), "");
    lab.from(Side::Carrier, &prack);
    lab.expect(Side::Carrier, "200");
    lab.pass(Duration::from_secs(4));
    lab.quiet(Side::Carrier);
    lab.quiet(Side::Teams);

    let mut lab = Lab::new();
    let (_, invite) = lab.teams_calls("", &teams_sdp(50000, 'T', ""));
    let extra = "Contact: <sip:gw@127.0.0.9:5070>\r\nRequire: 100rel\r\nRSeq: 71\r\n";
    lab.from(
        Side::Carrier,
        &invite.response("183 Session Progress", "k1", extra, &carrier_sdp(40000, "")),
    );
    let prack = lab.expect(Side::Carrier, "PRACK");
    assert_eq!(prack.header("RAck"), "71 1 INVITE");
    let early = lab.expect(Side::Teams, "183");
    assert!(
        !early.text.contains("100rel") && !early.has("RSeq"),
        "INV-07"
    );
    assert!(early.body().contains("RTP/SAVP"));
}
