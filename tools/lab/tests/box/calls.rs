//! Calls as they are meant to be, and what becomes of them when a part of the box or of Teams fails.
//!
//! Not here: transfers (`transfers.rs`), odd offers (`offers.rs`).

use std::sync::Arc;
use std::time::{Duration, Instant};

use lab::call::{Call, EarlyMedia, Ending, Fork, Phase, Script, Step};
use lab::carrier;
use lab::complaint::Rule;
use lab::runner::appliance::kill;
use lab::runner::calls;
use lab::runner::summary::Summary;
use lab::sip::message::Message;
use lab::teams::Fault;

use crate::kit::{
    OUTSIDE, SOON, USER, assert_refused, call_in, codes, end_clean, ending_of, start,
};

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
        assert_refused(&ending_of(&lab, user).await, code);
        let attempts = lab
            .teams
            .calls()
            .iter()
            .filter(|call| call.callee() == user)
            .count();
        assert_eq!(attempts, 1, "{code}");
    }
    // A number of nobody's never comes to Teams.
    assert_refused(&ending_of(&lab, "+12025550999").await, 404);
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

fn provisional_descriptions(call: &Call) -> Vec<u16> {
    call.messages()
        .iter()
        .filter(|message| message.code() < Some(200) && message.sdp().is_some())
        .filter_map(Message::code)
        .collect()
}
