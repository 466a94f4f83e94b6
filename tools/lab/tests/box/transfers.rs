//! Transfers that are not Teams' own idea: REFER from the telephone network (REF-07), INVITE with Replaces (REF-06).
//!
//! Not here: REFER from Teams, which every run of the lab shows (`calls.rs`).

use std::time::Duration;

use lab::call::{Call, Ending, Phase, Script, Transfer};
use lab::runner::Lab;
use lab::teams;

use crate::kit::{
    OUTSIDE, SOON, USER, call_in, end_clean, hang_up, hear_each_other, probe, start, start_with,
};

/// Lets numbers of the telephone network be called from there.
const ROUND: &str = r#"
[[route]]
name = "round"
from = ["probe"]
prefix = ["+1312555"]
send_to = ["probe"]
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_call_of_teams_in_the_place_of_another_is_taken() {
    let lab = start().await;
    let (call, teams) = call_in(&lab, OUTSIDE, USER).await;
    // REF-06: INVITE with Replaces takes the first leg's place, and the telephone network hears on.
    let taking = teams::Outgoing::new("contoso", USER, OUTSIDE).replacing(&teams);
    let taken = lab.teams.call(taking).await.expect("ports");
    taken.up(SOON).await.expect("taken over");
    let seen = teams.over(SOON).await;
    assert!(matches!(seen, Some(Ending::HungUpThere(_))), "{seen:?}");
    hear_each_other(&call, &taken).await;
    hang_up(&taken, &call).await;
    end_clean(lab).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_carrier_that_transfers_is_replaced_and_teams_does_not_notice() {
    let lab = start_with(ROUND).await;
    let (call, teams) = call_in(&lab, OUTSIDE, USER).await;
    let other = "+13125550177";
    refer(&call, &format!("sip:{other}@{}", lab.trunks)).await;
    assert_eq!(call.transferred(SOON).await, Some(200));
    let new = probe(&lab)
        .wait_for(SOON, |call| call.callee() == other)
        .await
        .expect("called");
    call.hang_up().await;
    hear_each_other(&new, &teams).await;
    // REF-07: Teams sees a re-INVITE at most.
    assert_eq!(lab.teams.calls().len(), 1);
    hang_up(&new, &teams).await;
    end_clean(lab).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_of_a_carrier_that_fails_leaves_the_call_as_it_was() {
    let lab = start_with(ROUND).await;
    let (call, teams) = call_in(&lab, OUTSIDE, USER).await;
    let busy = "+13125550178";
    probe(&lab).on(busy, Script::busy(None));
    refer(&call, &format!("sip:{busy}@{}", lab.trunks)).await;
    assert_eq!(call.transferred(SOON).await, Some(486));
    // REF-05.
    hear_each_other(&call, &teams).await;
    hang_up(&teams, &call).await;
    end_clean(lab).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_carrier_that_consulted_joins_its_two_calls() {
    let lab = start().await;
    let (first, one) = call_in(&lab, OUTSIDE, USER).await;
    let (second, two) = call_in(&lab, OUTSIDE, "+12025550143").await;
    let replaces = second
        .dialog()
        .replaces()
        .replace(';', "%3B")
        .replace('=', "%3D");
    refer(
        &first,
        &format!("sip:+12025550143@{}?Replaces={replaces}", lab.trunks),
    )
    .await;
    assert_eq!(first.transferred(SOON).await, Some(200));
    let seen = second.over(SOON).await;
    assert!(matches!(seen, Some(Ending::HungUpThere(_))), "{seen:?}");
    first.hang_up().await;
    both_hear_teams(&one, &two).await;
    // INV-06: no Replaces went to Teams, whose judge would complain.
    assert_eq!((one.phase(), two.phase()), (Phase::Up, Phase::Up));
    no_speech_is_missing(&lab, &[&one, &two]);
    hang_up(&one, &two).await;
    end_clean(lab).await;
}

async fn refer(call: &Call, to: &str) {
    let transfer = Transfer {
        refer_to: format!("<{to}>"),
        referred_by: None,
        headers: Vec::new(),
    };
    call.transfer(&transfer).await.expect("202");
}

/// Two users of Teams hear each other: what is foreign to both, who listen for a carrier's voice.
async fn both_hear_teams(one: &Call, two: &Call) {
    let ends = [one, two];
    let before = ends.map(|end| end.report().heard.foreign);
    tokio::time::sleep(Duration::from_millis(1200)).await;
    for (end, before) in ends.into_iter().zip(before) {
        let heard = end.report().heard;
        assert!(heard.foreign > before + 20, "{heard:?}");
    }
}

fn no_speech_is_missing(_lab: &Lab, calls: &[&Call]) {
    for call in calls {
        assert_eq!(call.report().heard.lost, 0, "{:?}", call.report());
    }
}
