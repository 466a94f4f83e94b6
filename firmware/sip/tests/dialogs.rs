//! Dialogs, session timers, reliable provisionals and the pieces of a transfer, on messages as they stand on the wire.
//!
//! Each test is one rule of RFC 3261 §12, RFC 3262, RFC 4028, RFC 3515 or RFC 3891. Whole calls are in `simulated`.

use bytes::Bytes;
use embassy_time::Instant;
use sip::dialog::refer::{self, Open, Progress, Subscription};
use sip::dialog::{
    Acknowledged, Dialog, DialogError, IntervalTooSmall, OutOfOrder, Raised, Refresh,
    ReliableReceiver, ReliableSender, ReliableWake, Role, SessionTimer, SessionTimerPolicy,
};
use sip::message::{Message, Method, Name, Request, Response, StatusCode, Uri};
use sip::token::Tokens;

fn request(text: &str) -> Request {
    match Message::parse(Bytes::from(text.replace('\n', "\r\n"))) {
        Ok(Message::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

/// The caller's INVITE.
fn invite() -> Request {
    request(
        "INVITE sip:bob@biloxi.example SIP/2.0
Via: SIP/2.0/UDP pc33.atlanta.example;branch=z9hG4bKnashds8
Max-Forwards: 70
From: Alice <sip:alice@atlanta.example>;tag=1928301774
To: Bob <sip:bob@biloxi.example>
Call-ID: a84b4c76e66710
CSeq: 314159 INVITE
Contact: <sip:alice@pc33.atlanta.example;transport=tcp>
Record-Route: <sip:p2.example;lr>, <sip:p1.example;lr>
Supported: timer, 100rel
Session-Expires: 1800
Content-Length: 0

",
    )
}

fn answer(invite: &Request, status: StatusCode, tag: &str, routes: &[&str]) -> Response {
    let mut answer = Response::reply(invite, status)
        .to_tag(tag)
        .remove(Name::RecordRoute)
        .header(
            Name::Contact,
            format!("<sip:bob@{tag}.biloxi.example?Subject=x>"),
        );
    for route in routes {
        answer = answer.header(Name::RecordRoute, route);
    }
    answer.finish()
}

fn routes(request: &Request) -> Vec<String> {
    let routes = request.headers().routes().expect("routes");
    routes.iter().map(ToString::to_string).collect()
}

#[test]
fn the_caller_reverses_the_route_set() {
    // RFC 3261 §12.1.2.
    let ok = answer(
        &invite(),
        StatusCode::OK,
        "b",
        &["<sip:p3;lr>, <sip:p2;lr>", "<sip:p1;lr>"],
    );
    let mut dialog = Dialog::client(&invite(), &ok).expect("a dialog");
    assert_eq!(dialog.role(), Role::Caller);
    assert_eq!(
        (dialog.local_tag(), dialog.remote_tag()),
        ("1928301774", "b")
    );
    let bye = dialog.request(Method::Bye).finish();
    assert_eq!(
        bye.uri(),
        b"sip:bob@b.biloxi.example",
        "the Contact, without what no start line holds"
    );
    assert_eq!(routes(&bye), ["<sip:p1;lr>", "<sip:p2;lr>", "<sip:p3;lr>"]);
    assert_eq!(dialog.next_hop().as_str(), "sip:p1;lr");
    let headers = bye.headers();
    assert_eq!(
        headers.get(Name::From),
        Some(&b"Alice <sip:alice@atlanta.example>;tag=1928301774"[..])
    );
    assert_eq!(headers.to().expect("To").tag(), Some("b"));
    assert_eq!(headers.get(Name::CSeq), Some(&b"314160 BYE"[..]));
    assert_eq!(
        dialog.ack().finish().headers().get(Name::CSeq),
        Some(&b"314159 ACK"[..])
    );
}

#[test]
fn the_callee_keeps_the_route_set_in_order() {
    // RFC 3261 §12.1.1.
    let mut dialog = Dialog::server(&invite(), "ours").expect("a dialog");
    assert_eq!(dialog.role(), Role::Callee);
    let bye = dialog.request(Method::Bye).finish();
    assert_eq!(bye.uri(), b"sip:alice@pc33.atlanta.example;transport=tcp");
    assert_eq!(routes(&bye), ["<sip:p2.example;lr>", "<sip:p1.example;lr>"]);
    assert_eq!(dialog.next_hop().as_str(), "sip:p2.example;lr");
    let headers = bye.headers();
    assert_eq!(headers.from().expect("From").tag(), Some("ours"));
    assert_eq!(
        headers.get(Name::To),
        Some(&b"Alice <sip:alice@atlanta.example>;tag=1928301774"[..])
    );
}

#[test]
fn a_strict_first_route_takes_the_place_of_the_target() {
    // RFC 3261 §12.2.1.1, with the addresses of its example.
    let ok = answer(
        &invite(),
        StatusCode::OK,
        "b",
        &["<sip:proxyB>", "<sip:proxyA>"],
    );
    let mut dialog = Dialog::client(&invite(), &ok).expect("a dialog");
    let bye = dialog.request(Method::Bye).finish();
    assert_eq!(bye.uri(), b"sip:proxyA");
    assert_eq!(routes(&bye), ["<sip:proxyB>", "<sip:bob@b.biloxi.example>"]);
    assert_eq!(dialog.next_hop().as_str(), "sip:proxyA");
}

#[test]
fn every_fork_is_a_dialog_of_its_own_and_its_2xx_makes_its_routes_anew() {
    // RFC 3261 §12.1, §13.2.2.4; INV-16.
    let early: Vec<Dialog> = ["a", "b"]
        .iter()
        .map(|tag| answer(&invite(), StatusCode::RINGING, tag, &["<sip:early;lr>"]))
        .map(|ringing| Dialog::client(&invite(), &ringing).expect("an early dialog"))
        .collect();
    let mut b = early[1].clone();
    b.request(Method::Prack);
    let ok = answer(&invite(), StatusCode::OK, "b", &["<sip:late;lr>"]);
    let mut b = b.confirmed_by(Dialog::client(&invite(), &ok).expect("a dialog"));
    let bye = b.request(Method::Bye).finish();
    assert_eq!(routes(&bye), ["<sip:late;lr>"]);
    assert_eq!(
        bye.headers().get(Name::CSeq),
        Some(&b"314161 BYE"[..]),
        "one was a PRACK's"
    );
    assert_eq!(
        b.ack().finish().headers().get(Name::CSeq),
        Some(&b"314159 ACK"[..])
    );
    // A 200 from a tag that nobody has heard before.
    let c = answer(&invite(), StatusCode::OK, "c", &[]);
    let c = Dialog::client(&invite(), &c).expect("a dialog");
    assert_eq!(c.next_hop().as_str(), "sip:bob@c.biloxi.example");
    let theirs = |tag: &str| {
        request(&format!(
            "BYE sip:alice@pc33.atlanta.example SIP/2.0\nVia: SIP/2.0/UDP b.example;branch=z9hG4bKx\nMax-Forwards: 70\n\
             From: Bob <sip:bob@biloxi.example>;tag={tag}\nTo: Alice <sip:alice@atlanta.example>;tag=1928301774\n\
             Call-ID: a84b4c76e66710\nCSeq: 1 BYE\nContent-Length: 0\n\n"
        ))
    };
    assert!(c.matches(&theirs("c")) && !c.matches(&theirs("b")) && b.matches(&theirs("b")));
}

#[test]
fn what_makes_no_dialog_says_why() {
    let no_tag = Response::reply(&invite(), StatusCode::OK).finish();
    assert_eq!(
        Dialog::client(&invite(), &no_tag).err(),
        Some(DialogError::NoTag)
    );
    let no_contact = Response::reply(&invite(), StatusCode::OK)
        .to_tag("b")
        .finish();
    assert!(matches!(
        Dialog::client(&invite(), &no_contact),
        Err(DialogError::Header(_))
    ));
    let many: Vec<&str> = vec!["<sip:p;lr>"; 33];
    let long = answer(&invite(), StatusCode::OK, "b", &many);
    assert_eq!(
        Dialog::client(&invite(), &long).err(),
        Some(DialogError::TooManyRoutes)
    );
}

fn theirs(method: &str, cseq: u32, contact: &str) -> Request {
    request(&format!(
        "{method} sip:ours SIP/2.0\nVia: SIP/2.0/UDP b.example;branch=z9hG4bKx\nMax-Forwards: 70\n\
         From: <sip:alice@atlanta.example>;tag=1928301774\nTo: <sip:bob@biloxi.example>;tag=ours\n\
         Call-ID: a84b4c76e66710\nCSeq: {cseq} {method}\nContact: {contact}\nContent-Length: 0\n\n"
    ))
}

#[test]
fn requests_come_in_order_and_move_the_target() {
    // RFC 3261 §12.2.2.
    let mut dialog = Dialog::server(&invite(), "ours").expect("a dialog");
    assert!(dialog.matches(&theirs("BYE", 1, "<sip:x>")));
    let late = OutOfOrder {
        received: 314_158,
        highest: 314_159,
    };
    assert_eq!(
        dialog.receive(&theirs("INFO", 314_158, "<sip:x>")),
        Err(late)
    );
    // Gaps are normal: PRACKs and challenges took numbers.
    assert_eq!(
        dialog.receive(&theirs("INVITE", 314_170, "<sip:moved@x.example>")),
        Ok(())
    );
    assert_eq!(dialog.remote_target().as_str(), "sip:moved@x.example");
    assert_eq!(
        dialog.receive(&theirs("INFO", 314_171, "<sip:elsewhere>")),
        Ok(())
    );
    assert_eq!(
        dialog.remote_target().as_str(),
        "sip:moved@x.example",
        "INFO moves nothing"
    );
    // The ACK of an INVITE comes after requests with higher numbers.
    assert_eq!(dialog.receive(&theirs("ACK", 314_170, "<sip:x>")), Ok(()));
    assert_eq!(
        dialog.receive(&theirs("UPDATE", 314_172, "<sip:again>")),
        Ok(())
    );
    assert_eq!(dialog.remote_target().as_str(), "sip:again");
    // The routes stay (§12.2).
    assert_eq!(dialog.next_hop().as_str(), "sip:p2.example;lr");
}

#[test]
fn a_2xx_to_our_refresh_moves_the_target_and_a_refusal_does_not() {
    let mut dialog = Dialog::server(&invite(), "ours").expect("a dialog");
    let update = dialog.request(Method::Update).finish();
    let no = answer(&update, StatusCode::REQUEST_PENDING, "x", &[]);
    dialog.refresh_target(&no);
    assert_eq!(
        dialog.remote_target().as_str(),
        "sip:alice@pc33.atlanta.example;transport=tcp"
    );
    dialog.refresh_target(&answer(&update, StatusCode::OK, "x", &[]));
    assert_eq!(dialog.remote_target().as_str(), "sip:bob@x.biloxi.example");
}

#[test]
fn a_dialog_survives_a_restart() {
    let ok = answer(
        &invite(),
        StatusCode::OK,
        "b",
        &["<sip:p2;lr>", "<sip:p1;lr>"],
    );
    let mut dialog = Dialog::client(&invite(), &ok).expect("a dialog");
    let mut again = Dialog::restore(dialog.image()).expect("a good image");
    let (before, after) = (
        dialog.request(Method::Bye).finish(),
        again.request(Method::Bye).finish(),
    );
    assert_eq!(routes(&before), routes(&after));
    assert_eq!(before.uri(), after.uri());
    for name in [Name::From, Name::To, Name::CallId] {
        assert_eq!(before.headers().get(name), after.headers().get(name));
    }
    let number = |request: &Request| request.headers().cseq().expect("CSeq").number;
    assert!(
        number(&after) > number(&before) + 500,
        "the image may be older than the last request"
    );
    let mut damaged = dialog.image();
    damaged.remote_target = "no uri".to_owned();
    assert_eq!(Dialog::restore(damaged).err(), Some(DialogError::Image));
}

// ── session timers ──────────────────────────────────────────────────────────────────────────────────────────────────

const POLICY: SessionTimerPolicy = SessionTimerPolicy {
    expires: 1_800,
    min_se: 90,
};

fn at(seconds: u64) -> Instant {
    Instant::from_secs(1_000 + seconds)
}

fn said(headers: &[(Name<'static>, String)], name: Name<'static>) -> Option<String> {
    headers
        .iter()
        .find(|(theirs, _)| theirs.as_str() == name.as_str())
        .map(|(_, value)| value.clone())
}

#[test]
fn the_refresher_asks_at_half_and_the_other_side_gives_up_before_the_end() {
    // RFC 4028 §7.2, §10; INV-18.
    let ok = |refresher: &str| {
        let ok = answer(&invite(), StatusCode::OK, "b", &[]);
        ok.rebuild()
            .header(Name::SessionExpires, format!("1800;refresher={refresher}"))
            .finish()
    };
    let mut ours = SessionTimer::client(at(0), &ok("uac"), POLICY);
    assert_eq!(ours.deadline(), Some(at(900)));
    assert_eq!(ours.wake(at(899)), Refresh::NotDue);
    assert_eq!(ours.wake(at(900)), Refresh::Due);
    assert_eq!(
        said(&ours.headers(), Name::SessionExpires).as_deref(),
        Some("1800;refresher=uac")
    );
    assert_eq!(
        ours.deadline(),
        Some(at(1_350)),
        "once more if that one fails"
    );
    ours.refreshed(at(901), &ok("uac"));
    assert_eq!(ours.deadline(), Some(at(901 + 900)));

    let mut theirs = SessionTimer::client(at(0), &ok("uas"), POLICY);
    assert_eq!(theirs.deadline(), Some(at(1_768)));
    assert_eq!(theirs.wake(at(1_768)), Refresh::Expired);
    assert_eq!(theirs.deadline(), None);
    assert_eq!(theirs.wake(at(2_000)), Refresh::NotDue);
}

#[test]
fn nobody_refreshing_ends_the_session_even_of_the_refresher() {
    let ok = answer(&invite(), StatusCode::OK, "b", &[]);
    let mut timer = SessionTimer::client(at(0), &ok, POLICY);
    let mut seen = Vec::new();
    while let Some(next) = timer.deadline() {
        seen.push(timer.wake(next));
    }
    assert_eq!(seen.last(), Some(&Refresh::Expired));
    assert!(
        seen.len() < 12
            && seen[..seen.len() - 1]
                .iter()
                .all(|seen| *seen == Refresh::Due)
    );
}

#[test]
fn the_callee_answers_as_table_2_of_rfc_4028_says() {
    let cases = [
        // Supported, Session-Expires, Min-SE → answer, Require: timer.
        (
            "timer",
            Some("1800"),
            None,
            Some("1800;refresher=uac"),
            true,
        ),
        (
            "timer",
            Some("1800;refresher=uac"),
            None,
            Some("1800;refresher=uac"),
            true,
        ),
        (
            "timer",
            Some("1800;refresher=uas"),
            None,
            Some("1800;refresher=uas"),
            false,
        ),
        // Longer than we grant.
        (
            "timer",
            Some("7200"),
            None,
            Some("1800;refresher=uac"),
            true,
        ),
        // But never below what the path wants.
        (
            "timer",
            Some("7200"),
            Some("3600"),
            Some("3600;refresher=uac"),
            true,
        ),
        // Asked for nothing: we want one.
        ("timer", None, None, Some("1800;refresher=uac"), true),
        // Does not know timers: we refresh alone.
        ("100rel", None, None, Some("1800;refresher=uas"), false),
    ];
    for (supported, expires, min_se, expected, required) in cases {
        let mut invite = invite()
            .rebuild()
            .set(Name::Supported, supported)
            .remove(Name::SessionExpires);
        if let Some(expires) = expires {
            invite = invite.header(Name::SessionExpires, expires);
        }
        if let Some(min_se) = min_se {
            invite = invite.header(Name::MinSe, min_se);
        }
        let (timer, headers) = SessionTimer::server(at(0), &invite.finish(), POLICY);
        assert_eq!(
            said(&headers, Name::SessionExpires).as_deref(),
            expected,
            "{supported} {expires:?}"
        );
        assert_eq!(
            said(&headers, Name::Require).is_some(),
            required,
            "{supported} {expires:?}"
        );
        assert!(timer.deadline().is_some());
    }
}

#[test]
fn a_short_interval_is_422_and_a_422_makes_ours_longer() {
    let policy = SessionTimerPolicy {
        expires: 1_800,
        min_se: 600,
    };
    let timer = SessionTimer::idle(policy);
    let asks = |seconds: &str| {
        invite()
            .rebuild()
            .set(Name::SessionExpires, seconds)
            .finish()
    };
    assert_eq!(
        timer.check(&asks("599")),
        Err(IntervalTooSmall { min_se: 600 })
    );
    assert_eq!(timer.check(&asks("600")), Ok(()));
    let old = asks("90").rebuild().remove(Name::Supported).finish();
    assert_eq!(
        timer.check(&old),
        Ok(()),
        "RFC 4028 §9: it would not understand"
    );

    let mut ours = SessionTimer::idle(SessionTimerPolicy {
        expires: 300,
        min_se: 90,
    });
    let too_small = |min_se: &str| {
        let status = StatusCode::SESSION_INTERVAL_TOO_SMALL;
        answer(&invite(), status, "b", &[])
            .rebuild()
            .header(Name::MinSe, min_se)
            .finish()
    };
    assert_eq!(ours.raise(&too_small("900")), Raised::AskAgain);
    assert_eq!(
        said(&ours.headers(), Name::SessionExpires).as_deref(),
        Some("900;refresher=uac")
    );
    assert_eq!(said(&ours.headers(), Name::MinSe).as_deref(), Some("900"));
    assert_eq!(ours.raise(&too_small("900")), Raised::NoUse, "no loop");
    assert_eq!(ours.raise(&too_small("4000000000")), Raised::NoUse);
}

// ── reliable provisionals ───────────────────────────────────────────────────────────────────────────────────────────

#[test]
fn one_reliable_provisional_at_a_time() {
    // RFC 3262 §3.
    let mut tokens = Tokens::new([3; 32]);
    let mut sender = ReliableSender::new();
    let ringing = || Response::reply(&invite(), StatusCode::RINGING).to_tag("b");
    let first = sender
        .send(at(0), ringing(), &mut tokens)
        .expect("may go out");
    assert!(
        sender.send(at(0), ringing(), &mut tokens).is_none(),
        "waits"
    );
    assert!(first.headers().require().contains("100rel"));
    let mut dialog = Dialog::client(&invite(), &answer(&invite(), StatusCode::RINGING, "b", &[]))
        .expect("a dialog");
    let mut receiver = ReliableReceiver::new();
    let prack = receiver
        .prack(&mut dialog, &first)
        .expect("is due")
        .finish();
    assert!(receiver.prack(&mut dialog, &first).is_none(), "repeated");
    let wrong = prack.rebuild().set(Name::RAck, "1 1 INVITE").finish();
    assert_eq!(sender.acknowledged(&wrong), Acknowledged::Nothing);
    let rack = prack.headers().rack().expect("RAck").expect("RAck");
    let other = prack
        .rebuild()
        .set(Name::RAck, format!("{} 7 INVITE", rack.rseq))
        .finish();
    assert_eq!(
        sender.acknowledged(&other),
        Acknowledged::Nothing,
        "of another INVITE"
    );
    assert!(sender.next(at(1)).is_none());
    assert_eq!(sender.acknowledged(&prack), Acknowledged::Outstanding);
    assert_eq!(sender.acknowledged(&prack), Acknowledged::Nothing);
    let second = sender.next(at(1)).expect("waited");
    let rseq = |response: &Response| response.headers().rseq().expect("RSeq").expect("RSeq");
    assert_eq!(rseq(&second), rseq(&first) + 1);
    assert!(receiver.prack(&mut dialog, &second).is_some());
    // A third that overtakes what we have not seen is left for its repetition.
    let ahead = second.rebuild().set(Name::RSeq, rseq(&second) + 2).finish();
    assert!(receiver.prack(&mut dialog, &ahead).is_none());
}

#[test]
fn a_reliable_provisional_is_repeated_and_given_up() {
    let mut tokens = Tokens::new([3; 32]);
    let mut sender = ReliableSender::new();
    let ringing = Response::reply(&invite(), StatusCode::RINGING).to_tag("b");
    sender.send(at(0), ringing, &mut tokens);
    let mut resent = Vec::new();
    loop {
        let next = sender.deadline().expect("until it gives up");
        match sender.wake(next) {
            ReliableWake::Resend(_) => resent.push((next - at(0)).as_millis()),
            ReliableWake::GaveUp => break assert_eq!(next, at(32)),
            ReliableWake::Nothing => panic!("was due"),
        }
    }
    assert_eq!(resent, [500, 1_500, 3_500, 7_500, 15_500, 31_500]);
    assert_eq!(sender.deadline(), None);
}

#[test]
fn an_unreliable_provisional_gets_no_prack() {
    let ringing = answer(&invite(), StatusCode::RINGING, "b", &[]);
    let mut dialog = Dialog::client(&invite(), &ringing).expect("a dialog");
    let mut receiver = ReliableReceiver::new();
    assert!(receiver.prack(&mut dialog, &ringing).is_none());
    let odd = ringing.rebuild().header(Name::RSeq, 5u32).finish();
    assert!(
        receiver.prack(&mut dialog, &odd).is_none(),
        "RSeq without Require"
    );
}

// ── transfers ───────────────────────────────────────────────────────────────────────────────────────────────────────

#[test]
fn a_refer_to_carries_the_dialog_to_be_replaced() {
    // RFC 3891 §5, RFC 5589 §7.3: what we write, we read; and a dialog knows that it is meant.
    let ok = answer(&invite(), StatusCode::OK, "b", &[]);
    let alice = Dialog::client(&invite(), &ok).expect("a dialog");
    let bob = Dialog::server(&invite(), "b").expect("a dialog");
    let target: Uri = "sip:bob@biloxi.example;transport=tls"
        .parse()
        .expect("a URI");
    let refer_to = refer::join(&target, &alice.replaces()).expect("short enough");
    assert_eq!(
        refer_to.to_string(),
        "<sip:bob@biloxi.example;transport=tls?Replaces=a84b4c76e66710%3Bto-tag%3Db%3Bfrom-tag%3D1928301774>"
    );
    let (uri, replaces) = refer::split(refer_to.uri());
    assert_eq!(uri, target);
    let replaces = replaces.expect("is there");
    assert!(bob.is_meant_by(&replaces) && !alice.is_meant_by(&replaces));
    let (blind, none) = refer::split(&target);
    assert_eq!((blind, none.is_none()), (target, true));
}

#[test]
fn a_refer_is_told_how_it_goes_and_when_it_is_over() {
    // RFC 3515 §2.4.5.
    let refer = theirs("REFER", 93_809_824, "<sip:x>");
    let subscription = Subscription::of_refer(&refer).expect("is wanted");
    let mut dialog = Dialog::server(&invite(), "ours").expect("a dialog");
    let mut notify = |status| {
        subscription
            .notify(dialog.request(Method::Notify), status)
            .finish()
    };
    let trying = notify(StatusCode::TRYING);
    assert_eq!(trying.body(), b"SIP/2.0 100 Trying\r\n");
    assert_eq!(
        trying.headers().get(Name::Event),
        Some(&b"refer;id=93809824"[..])
    );
    assert_eq!(
        Progress::of_notify(&trying),
        Some(Progress {
            status: Some(StatusCode::TRYING),
            subscription: Open::Yes
        })
    );
    let busy = Progress {
        status: Some(StatusCode::BUSY_HERE),
        subscription: Open::No,
    };
    assert_eq!(
        Progress::of_notify(&notify(StatusCode::BUSY_HERE)),
        Some(busy)
    );
    let presence = trying.rebuild().set(Name::Event, "presence").finish();
    assert_eq!(Progress::of_notify(&presence), None);
    let quiet = refer.rebuild().header(Name::ReferSub, "false").finish();
    assert_eq!(Subscription::of_refer(&quiet), None);
}
