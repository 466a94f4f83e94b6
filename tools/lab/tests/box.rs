//! The box between the lab's peers: what no test of a part can show.
//!
//! Each test sets a lab of its own up and ends with nobody complaining and nothing left in the box. The program `postern`
//! must have been built (`make test` does).
//!
//! Not here: the peers by themselves (`peers.rs`), other people's peers (`tests/`).

use std::sync::Arc;
use std::time::{Duration, Instant};

use lab::call::{Call, EarlyMedia, Ending, Fork, Phase, Script, Step};
use lab::carrier;
use lab::complaint::Rule;
use lab::runner::appliance::kill;
use lab::runner::summary::Summary;
use lab::runner::{Lab, Options, calls};
use lab::sip::message::Message;
use lab::teams::{self, Fault};

const SOON: Duration = Duration::from_secs(10);
const USER: &str = "+12025550142";
const OUTSIDE: &str = "+13125550142";

async fn start() -> Lab {
    Lab::start(Options::default()).await.expect("a lab")
}

/// A call from the telephone network, and its end in Teams.
async fn call_in(lab: &Lab, caller: &str, user: &str) -> (Call, Call) {
    let probe = lab.probe.as_ref().expect("the lab plays the carrier");
    let call = probe
        .call(carrier::Outgoing::new(caller, user))
        .await
        .expect("ports");
    call.up(SOON).await.expect("answered");
    let other = lab
        .teams
        .wait_for(SOON, |call| call.callee() == user)
        .await
        .expect("taken");
    other.up(SOON).await.expect("acknowledged");
    (call, other)
}

/// How a call that must not be answered ends for its caller.
async fn ending_of(lab: &Lab, user: &str) -> Ending {
    let probe = lab.probe.as_ref().expect("the lab plays the carrier");
    let call = probe
        .call(carrier::Outgoing::new(OUTSIDE, user))
        .await
        .expect("ports");
    call.over(SOON).await.expect("an end")
}

/// Nobody complains, and no call, dialog or port is left.
async fn end_clean(lab: Lab) {
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
            break;
        }
        assert!(Instant::now() < until, "left behind: {text}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(lab.complaints(), Vec::<String>::new());
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_of_make_run_goes_as_it_is_to() {
    let lab = Arc::new(start().await);
    let outcomes = calls::once(&lab).await;
    let versions: Vec<String> = lab
        .teams
        .connections()
        .into_iter()
        .map(|facts| facts.version)
        .collect();
    let summary = Summary::of(&outcomes, &versions, lab.complaints().len());
    let faults: Vec<_> = outcomes
        .iter()
        .map(|outcome| (&outcome.name, &outcome.faults))
        .collect();
    assert!(
        summary.is_good(),
        "{summary:?}
{faults:?}
{:?}",
        lab.complaints()
    );
    assert_eq!(summary.transfers, 3);
    end_clean(Arc::try_unwrap(lab).expect("no call is left")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn audio_outlives_control_and_the_call_can_be_ended_by_either_side_afterwards() {
    let lab = start().await;
    let mut pairs = Vec::new();
    for number in 0..6 {
        let (caller, user) = (
            format!("+131255501{number:02}"),
            format!("+120255501{number:02}"),
        );
        pairs.push(call_in(&lab, &caller, &user).await);
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let before = lab.pids();
    kill(before.control);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let after = lab.appliance.pids().expect("announced");
    assert_ne!(after.control, before.control, "control is there again");
    assert_eq!(after.media, before.media, "media never went away");
    for (number, (pstn, teams)) in pairs.iter().enumerate() {
        for end in [pstn, teams] {
            let heard = end.report().heard;
            assert_eq!(
                (heard.lost, heard.foreign),
                (0, 0),
                "call {number}: {heard:?}"
            );
            assert!(
                heard.longest_gap < Duration::from_millis(150),
                "call {number}: {heard:?}"
            );
            assert!(heard.speech > 100, "call {number}: {heard:?}");
        }
    }
    for (number, (pstn, teams)) in pairs.iter().enumerate() {
        let (ends, learns) = if number % 2 == 0 {
            (pstn, teams)
        } else {
            (teams, pstn)
        };
        ends.hang_up().await;
        assert!(
            matches!(learns.over(SOON).await, Some(Ending::HungUpThere(_))),
            "call {number}: {:?}",
            learns.phase()
        );
    }
    // A new control greets Teams anew, sooner than a minute after the old one.
    let mut complaints = lab.teams.complaints().all();
    complaints.retain(|complaint| complaint.rule != Rule::OptionsTooOften);
    assert_eq!(complaints, []);
    lab.teams.complaints().clear();
    end_clean(lab).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_is_full_or_dead_is_passed_by() {
    let lab = start().await;
    // OPT-04: 503 moves the call to the next datacentre.
    lab.teams.fault(0, Fault::Unavailable(5));
    let (call, _) = call_in(&lab, OUTSIDE, USER).await;
    call.hang_up().await;
    // INV-13: a proxy that takes the INVITE and says nothing is left after four seconds.
    lab.teams.fault(0, Fault::Silent);
    lab.teams.fault(1, Fault::Unavailable(5));
    lab.teams.fault(2, Fault::None);
    let begun = Instant::now();
    let (call, _) = call_in(&lab, OUTSIDE, "+12025550143").await;
    assert!(
        begun.elapsed() < Duration::from_secs(7),
        "{:?}",
        begun.elapsed()
    );
    call.hang_up().await;
    end_clean(lab).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_of_teams_reach_the_caller_once_and_rightly() {
    let lab = start().await;
    // INV-14: none of these is tried again.
    for (user, code, phrase) in [
        ("+12025550150", 486, "Busy Here"),
        ("+12025550151", 603, "Decline"),
        ("+12025550152", 404, "Not Found"),
        ("+12025550153", 480, "Temporarily Unavailable"),
    ] {
        lab.teams.on(user, Script::refuse(code, phrase));
        match ending_of(&lab, user).await {
            Ending::Refused { code: seen, .. } => assert_eq!(seen, code),
            other => panic!("{code}: {other:?}"),
        }
        let attempts = lab
            .teams
            .calls()
            .iter()
            .filter(|call| call.callee() == user)
            .count();
        assert_eq!(attempts, 1, "{code}");
    }
    // A number of nobody's never comes to Teams.
    assert!(matches!(
        ending_of(&lab, "+12025550999").await,
        Ending::Refused { code: 404, .. }
    ));
    end_clean(lab).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promise_of_early_media_without_any_is_ringing() {
    let lab = start().await;
    let probe = lab.probe.as_ref().expect("the lab plays the carrier");
    let answer = [
        Step::Wait(Duration::from_millis(400)),
        Step::Answer(Fork(2)),
    ];
    lab.teams.on(
        USER,
        Script(vec![
            Script::ring(Fork(1)),
            Script::early(Fork(2), EarlyMedia::Promised),
        ])
        .then(answer.clone()),
    );
    let call = probe
        .call(carrier::Outgoing::new(OUTSIDE, USER))
        .await
        .expect("ports");
    call.up(SOON).await.expect("answered");
    // INV-17: no 183 with a description may reach the caller where no RTP flows.
    assert!(
        provisional_descriptions(&call).is_empty(),
        "{:?}",
        codes(&call)
    );
    assert!(codes(&call).contains(&180), "{:?}", codes(&call));
    call.hang_up().await;

    let speaking = "+12025550143";
    lab.teams.on(
        speaking,
        Script(vec![Script::early(Fork(0), EarlyMedia::Speech)]).then([
            Step::Wait(Duration::from_millis(1200)),
            Step::Answer(Fork(0)),
        ]),
    );
    let call = probe
        .call(carrier::Outgoing::new(OUTSIDE, speaking))
        .await
        .expect("ports");
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert!(
        matches!(call.phase(), Phase::Ringing(_)),
        "{:?}",
        call.phase()
    );
    assert!(
        call.report().heard.speech > 20,
        "early media is heard: {:?}",
        call.report().heard
    );
    call.up(SOON).await.expect("answered");
    call.hang_up().await;
    end_clean(lab).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forks_and_digits() {
    let lab = start().await;
    // INV-16: three clients ring, the third answers.
    lab.teams.on(USER, Script::forks());
    let (call, teams) = call_in(&lab, OUTSIDE, USER).await;
    // MED-08.
    call.dial_digits("12#");
    teams.dial_digits("*9");
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(teams.report().heard.digits, "12#");
    assert_eq!(call.report().heard.digits, "*9");
    call.hang_up().await;
    end_clean(lab).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_of_teams_in_the_place_of_another_is_taken() {
    let lab = start().await;
    let (call, teams) = call_in(&lab, OUTSIDE, USER).await;
    // REF-06: INVITE with Replaces takes the first leg's place, and the telephone network hears on.
    let taking = teams::Outgoing::new("contoso", USER, OUTSIDE).replacing(&teams);
    let taken = lab.teams.call(taking).await.expect("ports");
    taken.up(SOON).await.expect("taken over");
    assert!(
        matches!(teams.over(SOON).await, Some(Ending::HungUpThere(_))),
        "{:?}",
        teams.phase()
    );
    hear_each_other(&call, &taken).await;
    taken.hang_up().await;
    assert!(matches!(
        call.over(SOON).await,
        Some(Ending::HungUpThere(_))
    ));
    end_clean(lab).await;
}

/// Each hears the other's speech from now on.
async fn hear_each_other(one: &Call, other: &Call) {
    let ends = [one, other];
    let before = ends.map(|end| end.report().heard.speech);
    tokio::time::sleep(Duration::from_millis(1200)).await;
    for (end, before) in ends.into_iter().zip(before) {
        let heard = end.report().heard;
        assert!(heard.speech > before + 20, "{heard:?}");
    }
}

fn codes(call: &Call) -> Vec<u16> {
    call.messages().iter().filter_map(Message::code).collect()
}

fn provisional_descriptions(call: &Call) -> Vec<u16> {
    call.messages()
        .iter()
        .filter(|message| message.code() < Some(200) && message.sdp().is_some())
        .filter_map(Message::code)
        .collect()
}
