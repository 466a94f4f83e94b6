//! What every test of the box begins and ends with, and how two ends of a call are had.
//!
//! Not here: any claim of its own, but that nothing is left behind and nobody complains.

use std::time::{Duration, Instant};

use lab::call::{Call, Ending};
use lab::carrier::{self, Carrier};
use lab::runner::{Lab, Options};
use lab::sip::message::Message;
use lab::teams;

pub(crate) const SOON: Duration = Duration::from_secs(10);
pub(crate) const USER: &str = "+12025550142";
pub(crate) const OUTSIDE: &str = "+13125550142";

pub(crate) async fn start() -> Lab {
    start_with("").await
}

/// A lab whose box has more in its configuration.
pub(crate) async fn start_with(more: &str) -> Lab {
    let options = Options {
        more_configuration: more.to_owned(),
        ..Options::default()
    };
    Lab::start(options).await.expect("a lab")
}

pub(crate) fn probe(lab: &Lab) -> &Carrier {
    lab.probe.as_ref().expect("the lab plays the carrier")
}

/// A call from the telephone network, and its end in Teams.
pub(crate) async fn call_in(lab: &Lab, caller: &str, user: &str) -> (Call, Call) {
    place_in(lab, carrier::Outgoing::new(caller, user)).await
}

pub(crate) async fn place_in(lab: &Lab, outgoing: carrier::Outgoing) -> (Call, Call) {
    let user = outgoing.callee.clone();
    let call = probe(lab).call(outgoing).await.expect("ports");
    call.up(SOON).await.expect("answered");
    let other = lab
        .teams
        .wait_for(SOON, |call| call.callee() == user)
        .await
        .expect("taken");
    other.up(SOON).await.expect("acknowledged");
    (call, other)
}

/// A call from Teams, and its end in the telephone network.
pub(crate) async fn call_out(lab: &Lab, user: &str, callee: &str) -> (Call, Call) {
    place_out(lab, teams::Outgoing::new("contoso", user, callee)).await
}

pub(crate) async fn place_out(lab: &Lab, outgoing: teams::Outgoing) -> (Call, Call) {
    let callee = outgoing.callee.clone();
    let call = lab.teams.call(outgoing).await.expect("ports");
    call.up(SOON).await.expect("answered");
    let other = probe(lab)
        .wait_for(SOON, |call| call.callee() == callee)
        .await
        .expect("taken");
    other.up(SOON).await.expect("acknowledged");
    (call, other)
}

/// How a call from the telephone network that must not be answered ends for its caller.
pub(crate) async fn ending_of(lab: &Lab, user: &str) -> Ending {
    let outgoing = carrier::Outgoing::new(OUTSIDE, user);
    let call = probe(lab).call(outgoing).await.expect("ports");
    call.over(SOON).await.expect("an end")
}

/// The same from Teams.
pub(crate) async fn ending_of_out(lab: &Lab, callee: &str) -> Ending {
    let outgoing = teams::Outgoing::new("contoso", USER, callee);
    let call = lab.teams.call(outgoing).await.expect("ports");
    call.over(SOON).await.expect("an end")
}

#[track_caller]
pub(crate) fn assert_refused(ending: &Ending, with: u16) {
    assert!(
        matches!(ending, Ending::Refused { code, .. } if *code == with),
        "{with}: {ending:?}"
    );
}

/// Each hears the other's speech from now on.
pub(crate) async fn hear_each_other(one: &Call, other: &Call) {
    let ends = [one, other];
    let before = ends.map(|end| end.report().heard.speech);
    tokio::time::sleep(Duration::from_millis(1200)).await;
    for (end, before) in ends.into_iter().zip(before) {
        let heard = end.report().heard;
        assert!(heard.speech > before + 20, "{heard:?}");
    }
}

/// One hangs up, the other learns of it.
pub(crate) async fn hang_up(ends: &Call, learns: &Call) {
    ends.hang_up().await;
    let seen = learns.over(SOON).await;
    assert!(matches!(seen, Some(Ending::HungUpThere(_))), "{seen:?}");
}

/// Nobody complains, and no call, dialog or port is left.
pub(crate) async fn end_clean(lab: Lab) {
    assert_nothing_left(&lab).await;
    assert_eq!(lab.complaints(), Vec::<String>::new());
    lab.stop().await;
}

pub(crate) async fn assert_nothing_left(lab: &Lab) {
    let until = Instant::now() + SOON;
    loop {
        let census = lab
            .appliance
            .ask(r#"{"query":"census"}"#)
            .await
            .expect("control answers");
        let text = census.to_string();
        let left = ["calls", "legs", "dialogs", "ports", "resolving"]
            .iter()
            .any(|count| {
                text.contains(&format!("\"{count}\":")) && !text.contains(&format!("\"{count}\":0"))
            });
        if !left {
            return;
        }
        assert!(Instant::now() < until, "left behind: {text}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

pub(crate) fn codes(call: &Call) -> Vec<u16> {
    call.messages().iter().filter_map(Message::code).collect()
}
