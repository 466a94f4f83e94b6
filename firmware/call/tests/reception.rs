//! What becomes of an INVITE that begins no call: who sent it, and what it asks for, do not do.
//!
//! Told as dialogues in simulated time, in plain text (`kit`). Checklist ids stand where they are held.
//!
//! Not here: calls that begin and fail (`calls.rs`).

mod kit;

use call::api::Event;
use kit::{Lab, Side, carrier_sdp};

#[test]
fn strangers_hear_nothing() {
    // SIG-03
    let mut lab = Lab::new();
    let message = sip::message::Message::parse(bytes::Bytes::from(kit::carrier_invite("", "")))
        .expect("parses");
    let source = sip::transport::Source {
        flow: sip::transport::FlowId(1),
        listener: sip::transport::ListenerId(0),
        transport: sip::transport::Transport::Udp,
        local: "127.0.0.1:5060".parse().expect("an address"),
        remote: "127.0.0.10:5070".parse().expect("an address"),
        tls: None,
    };
    lab.input(call::Input::Sip { message, source });
    lab.quiet(Side::Carrier);
    lab.quiet(Side::Teams);
    assert!(lab.events.iter().any(|e| matches!(
        e,
        Event::TurnedAway {
            reason: call::api::TurnedAway::Stranger,
            ..
        }
    )));
}

#[test]
fn a_body_that_is_not_sdp_is_refused_and_sdp_beside_another_is_found() {
    let mut lab = Lab::new();
    let sdp = carrier_sdp(40000, "");
    let other = kit::carrier_invite("", &sdp).replace("application/sdp", "text/plain");
    lab.from(Side::Carrier, &other);
    lab.expect(Side::Carrier, "100");
    let refused = lab.expect(Side::Carrier, "415");
    assert!(refused.header("Accept").contains("application/sdp"));
    lab.quiet(Side::Teams);
    let ack = kit::carrier_invite("", "").replace("INVITE", "ACK");
    lab.from(Side::Carrier, &ack);
    lab.nothing_left();

    // An emergency call brings where it comes from (RFC 6442).
    let body = format!(
        "--x\r\nContent-Type: application/sdp\r\n\r\n{sdp}\r\n--x\r\nContent-Type: application/pidf+xml\r\n\r\n<presence/>\r\n--x--\r\n"
    );
    let invite = kit::carrier_invite("", &body)
        .replace(
            "application/sdp\r\nContent-Length",
            "multipart/mixed;boundary=x\r\nContent-Length",
        )
        .replace("z9hG4bK", "z9hG4bKsecond");
    lab.from(Side::Carrier, &invite);
    lab.expect(Side::Carrier, "100");
    let at_teams = lab.expect(Side::Teams, "INVITE");
    assert!(at_teams.body().contains("m=audio"));
    assert!(!at_teams.body().contains("presence"));
}

#[test]
fn an_interval_that_is_too_short_is_refused_with_the_shortest() {
    // INV-18
    let mut lab = Lab::new();
    let short = "Supported: timer\r\nSession-Expires: 60\r\n";
    let invite = kit::carrier_invite(short, &carrier_sdp(40000, ""));
    lab.from(Side::Carrier, &invite);
    lab.expect(Side::Carrier, "100");
    let refused = lab.expect(Side::Carrier, "422");
    assert_eq!(refused.header("Min-SE"), "90");
    lab.quiet(Side::Teams);
}
