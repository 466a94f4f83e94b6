//! A party is replaced by another: REFER and Replaces, from Teams and from the trunk, and calls over a restart of control.
//!
//! Told as dialogues in simulated time like `calls`, with peers that speak plain text.

mod kit;

use call::api::Event;
use call::{Core, Input};
use embassy_time::Duration;
use kit::{Lab, Party, Side, Text, carrier_sdp, teams_sdp};

const TARGET: &str = "sip:sip.pstnhub.microsoft.com:5061;transport=tls;x-m=8:orgid:aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee";
const REFERRED_BY: &str = "<sip:sip.pstnhub.microsoft.com:5061;x-m=8:orgid:99999999-8888-4777-8666-555555555555;x-t=12121212-3434-4565-8787-909090909090;x-ti=11111111-2222-4333-8444-555555555555;x-tt=aHR0cHM6Ly9leGFtcGxlLm5ldC9y%3D>";
const TEAMS_CONTACT: &str = "CONTACT: <sip:api-du-a-euwe.pstnhub.microsoft.com:443;x-i=11111111-2222-4333-8444-555555555555>\r\nRECORD-ROUTE: <sip:sip-du-a-eu.pstnhub.microsoft.com:5061;transport=tls;lr>\r\n";

/// The carrier has called Teams and both talk.
fn talking(lab: &mut Lab) -> (Party, Party) {
    let (_, invite) = lab.carrier_calls("", &carrier_sdp(40000, ""));
    lab.from(
        Side::Teams,
        &invite.response("200 OK", "t1", TEAMS_CONTACT, &teams_sdp(50000, 'T', "")),
    );
    lab.expect(Side::Teams, "ACK");
    let ok = lab.expect(Side::Carrier, "200");
    let mut carrier = Party::calling(Side::Carrier, &ok);
    let ack = carrier.ack("");
    lab.from(Side::Carrier, &ack);
    (Party::called(Side::Teams, &invite, "t1"), carrier)
}

/// Teams asks for a transfer; the INVITE that comes back to it.
fn refer(lab: &mut Lab, teams: &mut Party) -> Text {
    let extra = format!("REFER-TO: <{TARGET}>\r\nREFERRED-BY: {REFERRED_BY}\r\n");
    let refer = teams.request("REFER", &extra, "");
    lab.from(Side::Teams, &refer);
    let accepted = lab.expect(Side::Teams, "202");
    assert!(
        accepted.header("Contact").contains("sbc1.contoso.example"),
        "INV-01"
    );
    let notify = lab.expect(Side::Teams, "NOTIFY");
    assert_eq!(notify.body(), "SIP/2.0 100 Trying\r\n", "REF-02");
    assert!(
        notify.header("Contact").contains("sbc1.contoso.example"),
        "REF-02"
    );
    lab.from(Side::Teams, &notify.response("200 OK", "", "", ""));
    lab.expect(Side::Teams, "INVITE")
}

#[test]
fn a_refer_of_teams_goes_back_to_teams_byte_for_byte_and_the_parties_meet() {
    // REF-01 … REF-05
    let mut lab = Lab::new();
    let (mut teams, mut carrier) = talking(&mut lab);
    let invite = refer(&mut lab, &mut teams);
    assert_eq!(invite.uri(), TARGET, "REF-03");
    assert_eq!(invite.header("Referred-By"), REFERRED_BY, "REF-03");
    assert!(
        invite
            .header("From")
            .contains("+13125550100@sbc1.contoso.example"),
        "{}",
        invite.header("From")
    );
    assert!(!invite.has("Replaces"), "INV-06");
    lab.quiet(Side::Carrier);
    lab.from(
        Side::Teams,
        &invite.response("180 Ringing", "n1", TEAMS_CONTACT, ""),
    );
    let notify = lab.expect(Side::Teams, "NOTIFY");
    assert!(notify.body().starts_with("SIP/2.0 180"));
    lab.from(Side::Teams, &notify.response("200 OK", "", "", ""));
    let rings = |lab: &Lab| {
        lab.media.iter().rev().find_map(|command| match command {
            media_api::Command::Tone { tone, .. } => Some(*tone),
            _ => None,
        })
    };
    assert_eq!(
        rings(&lab),
        Some(Some(media_api::Tone::Ringback)),
        "REF-05: the kept party hears ringing"
    );
    lab.from(
        Side::Teams,
        &invite.response("200 OK", "n1", TEAMS_CONTACT, &teams_sdp(50010, 'N', "")),
    );
    lab.expect(Side::Teams, "ACK");
    assert_eq!(rings(&lab), Some(None));
    let notify = lab.expect(Side::Teams, "NOTIFY");
    assert!(notify.body().starts_with("SIP/2.0 200"));
    assert!(
        notify
            .header("Subscription-State")
            .starts_with("terminated")
    );
    lab.from(Side::Teams, &notify.response("200 OK", "", "", ""));
    // REF-05: no BYE of ours before Teams' own.
    lab.quiet(Side::Teams);
    let bye = teams.request("BYE", "", "");
    lab.from(Side::Teams, &bye);
    lab.expect(Side::Teams, "200");
    lab.quiet(Side::Carrier);
    assert!(
        lab.events
            .iter()
            .any(|event| matches!(event, Event::Transferred { .. }))
    );
    // The kept party hangs up: the new one is told, not the old one.
    let bye = carrier.request("BYE", "", "");
    lab.from(Side::Carrier, &bye);
    lab.expect(Side::Carrier, "200");
    let bye = lab.expect(Side::Teams, "BYE");
    assert_eq!(bye.header("Call-ID"), invite.header("Call-ID"));
    lab.from(Side::Teams, &bye.response("200 OK", "", "", ""));
    lab.nothing_left();
}

#[test]
fn a_transfer_that_fails_leaves_the_parties_together() {
    // REF-05
    let mut lab = Lab::new();
    let (mut teams, mut carrier) = talking(&mut lab);
    let invite = refer(&mut lab, &mut teams);
    lab.from(Side::Teams, &invite.response("486 Busy Here", "n1", "", ""));
    lab.expect(Side::Teams, "ACK");
    let notify = lab.expect(Side::Teams, "NOTIFY");
    assert!(
        notify.body().starts_with("SIP/2.0 486"),
        "{}",
        notify.body()
    );
    lab.from(Side::Teams, &notify.response("200 OK", "", "", ""));
    lab.quiet(Side::Carrier);
    let bye = carrier.request("BYE", "", "");
    lab.from(Side::Carrier, &bye);
    lab.expect(Side::Carrier, "200");
    let bye = lab.expect(Side::Teams, "BYE");
    assert_eq!(bye.header("Call-ID"), teams.call_id);
    lab.nothing_left();
}

#[test]
fn the_kept_party_that_hangs_up_in_mid_transfer_ends_everything() {
    let mut lab = Lab::new();
    let (mut teams, mut carrier) = talking(&mut lab);
    let invite = refer(&mut lab, &mut teams);
    lab.from(
        Side::Teams,
        &invite.response("180 Ringing", "n1", TEAMS_CONTACT, ""),
    );
    lab.expect(Side::Teams, "NOTIFY");
    let bye = carrier.request("BYE", "", "");
    lab.from(Side::Carrier, &bye);
    lab.expect(Side::Carrier, "200");
    let (mut cancelled, mut ended) = (0, 0);
    while let Some((_, text)) = lab.sent.pop_front() {
        match text.method() {
            "CANCEL" => {
                cancelled += 1;
                lab.from(Side::Teams, &text.response("200 OK", "n1", "", ""));
                lab.from(
                    Side::Teams,
                    &invite.response("487 Request Terminated", "n1", "", ""),
                );
            }
            "BYE" => {
                ended += 1;
                lab.from(Side::Teams, &text.response("200 OK", "", "", ""));
            }
            _ => {}
        }
    }
    assert_eq!((cancelled, ended), (1, 1));
    lab.nothing_left();
}

#[test]
fn an_invite_with_replaces_takes_the_place_of_the_old_leg() {
    // REF-06
    let mut lab = Lab::new();
    let (teams, mut carrier) = talking(&mut lab);
    let (ours, theirs) = (
        teams.remote.split(";tag=").nth(1),
        teams.local.split(";tag=").nth(1),
    );
    let replaces = format!(
        "REPLACES: {};to-tag={};from-tag={}\r\n",
        teams.call_id,
        ours.expect("a tag"),
        theirs.expect("a tag")
    );
    lab.from(
        Side::Teams,
        &kit::teams_invite(&replaces, &teams_sdp(50020, 'R', "")),
    );
    lab.expect(Side::Teams, "100");
    let ok = lab.expect(Side::Teams, "200");
    let bye = lab.expect(Side::Teams, "BYE");
    assert_eq!(bye.header("Call-ID"), teams.call_id);
    lab.from(Side::Teams, &bye.response("200 OK", "", "", ""));
    let mut new = Party::calling(Side::Teams, &ok);
    let ack = new.ack("");
    lab.from(Side::Teams, &ack);
    lab.quiet(Side::Carrier);
    let bye = carrier.request("BYE", "", "");
    lab.from(Side::Carrier, &bye);
    lab.expect(Side::Carrier, "200");
    let bye = lab.expect(Side::Teams, "BYE");
    assert_eq!(bye.header("Call-ID"), new.call_id);
    lab.nothing_left();
}

#[test]
fn replaces_of_a_dialog_that_is_not_ours_is_answered_481() {
    let mut lab = Lab::new();
    lab.from(
        Side::Teams,
        &kit::teams_invite(
            "REPLACES: x;to-tag=y;from-tag=z\r\n",
            &teams_sdp(50020, 'R', ""),
        ),
    );
    lab.expect(Side::Teams, "100");
    lab.expect(Side::Teams, "481");
    lab.nothing_left();
}

#[test]
fn a_refer_of_the_trunk_ends_here_and_is_routed() {
    // REF-07
    let mut lab = Lab::new();
    let (_, mut carrier) = talking(&mut lab);
    let refer = carrier.request("REFER", "Refer-To: <sip:+12025550123@127.0.0.1>\r\n", "");
    lab.from(Side::Carrier, &refer);
    lab.expect(Side::Carrier, "202");
    let notify = lab.expect(Side::Carrier, "NOTIFY");
    lab.from(Side::Carrier, &notify.response("200 OK", "", "", ""));
    let invite = lab.expect(Side::Teams, "INVITE");
    assert!(
        invite
            .uri()
            .starts_with("sip:+12025550123@sip.pstnhub.microsoft.com"),
        "{}",
        invite.uri()
    );
    lab.from(
        Side::Teams,
        &invite.response("200 OK", "n1", TEAMS_CONTACT, &teams_sdp(50030, 'X', "")),
    );
    lab.expect(Side::Teams, "ACK");
    let notify = lab.expect(Side::Carrier, "NOTIFY");
    assert!(notify.body().starts_with("SIP/2.0 200"));
    lab.from(Side::Carrier, &notify.response("200 OK", "", "", ""));
    // The referrer says nothing more: its leg is ended after a while.
    lab.pass(Duration::from_secs(11));
    lab.expect(Side::Carrier, "BYE");
    assert!(
        lab.events
            .iter()
            .any(|event| matches!(event, Event::Transferred { .. }))
    );
}

#[test]
fn a_restarted_control_goes_on_with_the_call() {
    for hangs_up in [Side::Teams, Side::Carrier] {
        let mut lab = Lab::new();
        let (mut teams, mut carrier) = talking(&mut lab);
        let images = call::journal::standing(std::mem::take(&mut lab.journal));
        assert_eq!(images.len(), 1);
        // Everything of the old control is gone, but for what it wrote.
        lab.core = Core::new(kit::snapshot(kit::CONFIG), [9; 32], lab.now);
        lab.sent.clear();
        lab.media.clear();
        lab.input(Input::Restore(images));
        lab.input(Input::MediaUp);
        lab.answer_probes();
        assert_eq!(lab.core.census().calls, 1);
        let put = lab
            .media
            .iter()
            .filter(|command| matches!(command, media_api::Command::Put(_)))
            .count();
        assert!(put >= 2, "both streams are told again");
        let (party, other) = match hangs_up {
            Side::Teams => (&mut teams, Side::Carrier),
            Side::Carrier => (&mut carrier, Side::Teams),
        };
        let bye = party.request("BYE", "", "");
        lab.from(hangs_up, &bye);
        lab.expect(hangs_up, "200");
        let bye = lab.expect(other, "BYE");
        lab.from(other, &bye.response("200 OK", "", "", ""));
        lab.nothing_left();
    }
}

#[test]
fn a_call_counts_and_lasts_over_a_restart() {
    let name = "name = \"contoso\"\nfqdn";
    let limited = kit::CONFIG.replace(
        name,
        &format!("limits = {{ concurrent_calls = 1 }}\n{name}"),
    );
    let mut lab = Lab::with(&limited);
    let (mut teams, _) = talking(&mut lab);
    lab.pass(Duration::from_secs(60));
    let images = call::journal::standing(std::mem::take(&mut lab.journal));
    lab.core = Core::new(kit::snapshot(&limited), [9; 32], lab.now);
    lab.sent.clear();
    lab.input(Input::Restore(images));
    lab.input(Input::MediaUp);
    lab.answer_probes();
    lab.pass(Duration::from_secs(30));
    let another = kit::teams_invite("", &teams_sdp(50_100, 'T', ""))
        .replace("5b1e7f0a2d", "another")
        .replace("z9hG4bKaa01", "z9hG4bKanother");
    lab.from(Side::Teams, &another);
    lab.expect(Side::Teams, "100");
    lab.expect(Side::Teams, "503");
    lab.events.clear();
    let bye = teams.request("BYE", "", "");
    lab.from(Side::Teams, &bye);
    lab.expect(Side::Teams, "200");
    let bye = lab.expect(Side::Carrier, "BYE");
    lab.from(Side::Carrier, &bye.response("200 OK", "", "", ""));
    let ended = lab.events.iter().find_map(|event| match event {
        Event::Ended { duration, .. } => Some(*duration),
        _ => None,
    });
    assert_eq!(ended, Some(90));
    // The next finds room.
    let next = another.replace("another", "next");
    lab.from(Side::Teams, &next);
    lab.expect(Side::Teams, "100");
    lab.expect(Side::Carrier, "INVITE");
}

#[test]
fn an_attended_transfer_joins_the_two_calls_of_the_box() {
    let mut lab = Lab::new();
    let (mut first, mut kept) = talking(&mut lab);
    // The second call: Teams to the carrier.
    let (_, invite) = lab.teams_calls("", &teams_sdp(50040, 'S', ""));
    let ok = invite.response(
        "200 OK",
        "k9",
        "Contact: <sip:gw@127.0.0.9:5070>\r\n",
        &carrier_sdp(40020, ""),
    );
    lab.from(Side::Carrier, &ok);
    lab.expect(Side::Carrier, "ACK");
    let answered = lab.expect(Side::Teams, "200");
    let mut second = Party::calling(Side::Teams, &answered);
    let ack = second.ack("");
    lab.from(Side::Teams, &ack);
    assert_eq!(lab.core.census().calls, 2);
    let (ours, theirs) = (
        second.remote.split(";tag=").nth(1),
        second.local.split(";tag=").nth(1),
    );
    let refer_to = format!(
        "REFER-TO: <sip:+13125550100@sip.pstnhub.microsoft.com?Replaces={}%3Bto-tag%3D{}%3Bfrom-tag%3D{}>\r\n",
        second.call_id,
        ours.expect("a tag"),
        theirs.expect("a tag")
    );
    let refer = first.request("REFER", &refer_to, "");
    lab.from(Side::Teams, &refer);
    lab.expect(Side::Teams, "202");
    // In whichever order: the transferor is told 200, the second call's Teams leg is ended; no INVITE goes to Teams.
    let (mut notified, mut ended) = (false, false);
    while let Some(at) = lab.sent.iter().position(|(side, _)| *side == Side::Teams) {
        let (_, text) = lab.sent.remove(at).expect("just found");
        match text.method() {
            "NOTIFY" => notified |= text.body().starts_with("SIP/2.0 200"),
            "BYE" => {
                assert_eq!(text.header("Call-ID"), second.call_id);
                ended = true;
            }
            other => panic!("{other} to Teams"),
        }
        lab.from(Side::Teams, &text.response("200 OK", "", "", ""));
    }
    assert!(notified && ended);
    let bye = first.request("BYE", "", "");
    lab.from(Side::Teams, &bye);
    lab.expect(Side::Teams, "200");
    lab.quiet(Side::Carrier);
    // The two of the carrier's side now talk to each other.
    let bye = kept.request("BYE", "", "");
    lab.from(Side::Carrier, &bye);
    lab.expect(Side::Carrier, "200");
    let bye = lab.expect(Side::Carrier, "BYE");
    assert_eq!(bye.header("Call-ID"), invite.header("Call-ID"));
    lab.from(Side::Carrier, &bye.response("200 OK", "", "", ""));
    lab.nothing_left();
}
