//! Offers that come late, early answers that come several times, and requests that nobody asked for.
//!
//! Not here: hold and new keys, which every run of the lab shows (`calls.rs`).

use std::time::Duration;

use lab::call::{
    ChangeFailed, EarlyMedia, Fork, OfferWhen, Phase, Provisional, Reliable, Script, Step,
};
use lab::teams;
use lab::{call::Call, carrier};

use crate::kit::{
    OUTSIDE, SOON, USER, end_clean, hang_up, hear_each_other, place_in, place_out, probe, start,
};

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_the_offer_to_the_box_gets_one() {
    let lab = start().await;
    // INV-05: Teams gets its offer in the INVITE all the same; its judge would complain.
    let mut outgoing = carrier::Outgoing::new(OUTSIDE, USER);
    outgoing.offer = OfferWhen::Delayed;
    let (call, other) = place_in(&lab, outgoing).await;
    hear_each_other(&call, &other).await;
    call.reinvite_without_offer().await.expect("an offer");
    hear_each_other(&call, &other).await;
    hang_up(&call, &other).await;

    let mut outgoing = teams::Outgoing::new("contoso", USER, OUTSIDE);
    outgoing.offer = OfferWhen::Delayed;
    let (call, other) = place_out(&lab, outgoing).await;
    hear_each_other(&call, &other).await;
    hang_up(&other, &call).await;
    end_clean(lab).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_early_dialogs_are_one_to_the_caller() {
    let lab = start().await;
    // INV-16: three clients, each with a tag and a key of its own; the second speaks early, the third answers.
    lab.teams.on(
        USER,
        Script(vec![
            Script::early(Fork(1), EarlyMedia::Promised),
            Script::early(Fork(2), EarlyMedia::Speech),
            Step::Wait(Duration::from_millis(1200)),
            Script::early(Fork(3), EarlyMedia::Promised),
            Step::Answer(Fork(3)),
        ]),
    );
    let call = probe(&lab)
        .call(carrier::Outgoing::new(OUTSIDE, USER))
        .await
        .expect("ports");
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert!(matches!(call.phase(), Phase::Ringing(_)));
    let early = call.report().heard;
    assert!(early.speech > 20, "the second is heard early: {early:?}");
    call.up(SOON).await.expect("answered");
    let other = lab
        .teams
        .wait_for(SOON, |call| call.callee() == USER)
        .await
        .expect("taken");
    hear_each_other(&call, &other).await;
    let mut tags: Vec<_> = call
        .messages()
        .iter()
        .filter_map(|message| message.to_tag().map(str::to_owned))
        .collect();
    tags.dedup();
    assert_eq!(tags.len(), 1, "the forks are not the caller's business");
    hang_up(&call, &other).await;
    end_clean(lab).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn provisional_answers_of_a_carrier_are_acknowledged_and_teams_never_hears_of_it() {
    let lab = start().await;
    // RFC 3262: the carrier complains of a PRACK that does not come, Teams of one that does (INV-07).
    let early = Provisional {
        code: 183,
        fork: Fork(0),
        media: EarlyMedia::Speech,
        reliable: Reliable::Yes,
    };
    let ringing = Provisional {
        code: 180,
        media: EarlyMedia::None,
        ..early
    };
    probe(&lab).on(
        OUTSIDE,
        Script(vec![Step::Progress(ringing), Step::Progress(early)]).then([
            Step::Wait(Duration::from_millis(700)),
            Step::Answer(Fork(0)),
        ]),
    );
    let (call, other) = place_out(&lab, teams::Outgoing::new("contoso", USER, OUTSIDE)).await;
    let acknowledged = other.messages();
    let pracks = acknowledged
        .iter()
        .filter(|message| message.method() == Some("PRACK"));
    assert_eq!(pracks.count(), 2);
    hear_each_other(&call, &other).await;
    hang_up(&call, &other).await;
    end_clean(lab).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn teams_is_shown_the_caller_that_the_carrier_asserts_unless_he_hides() {
    let lab = start().await;
    let asserted = "+13125550150";
    let identity = (
        "P-Asserted-Identity".to_owned(),
        format!("<sip:{asserted}@carrier.example>"),
    );
    // INV-04: Teams looks at From alone.
    let mut outgoing = carrier::Outgoing::new(OUTSIDE, USER);
    outgoing.headers.push(identity.clone());
    let (call, other) = place_in(&lab, outgoing).await;
    assert_eq!(other.caller(), asserted);
    hang_up(&call, &other).await;
    let mut outgoing = carrier::Outgoing::new("anonymous", "+12025550143");
    outgoing.headers = vec![identity, ("Privacy".to_owned(), "id".to_owned())];
    let (call, other) = place_in(&lab, outgoing).await;
    let invite = other.messages().into_iter().next().expect("an INVITE");
    assert_eq!(other.caller(), "anonymous");
    assert!(
        !invite
            .headers()
            .iter()
            .any(|(_, value)| value.contains(asserted)),
        "{invite:?}"
    );
    hang_up(&call, &other).await;
    end_clean(lab).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_box_does_not_know_is_answered_as_the_rfcs_say_and_breaks_nothing() {
    let lab = start().await;
    let (call, other) = place_in(&lab, carrier::Outgoing::new(OUTSIDE, USER)).await;
    // RFC 6086 §4.2.2: without a body there is nothing to refuse.
    call.request("INFO", &[], None).await.expect("200");
    let digits = ("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n");
    assert_eq!(refused(&call, "INFO", &[], Some(digits)).await, 415);
    assert_eq!(last_header(&call, "Accept").as_deref(), Some(""));
    let package = [("Info-Package".to_owned(), "nobodys".to_owned())];
    assert_eq!(refused(&call, "INFO", &package, None).await, 469);
    assert_eq!(last_header(&call, "Recv-Info").as_deref(), Some(""));
    for method in ["MESSAGE", "SUBSCRIBE", "PUBLISH"] {
        assert_eq!(refused(&call, method, &[], None).await, 405, "{method}");
        // RFC 3261 §8.2.1.
        let allowed = last_header(&call, "Allow").unwrap_or_default();
        assert!(allowed.contains("INVITE"), "{allowed}");
    }
    assert_eq!(refused(&call, "FROBNICATE", &[], None).await, 501);
    hear_each_other(&call, &other).await;
    hang_up(&other, &call).await;
    end_clean(lab).await;
}

async fn refused(
    call: &Call,
    method: &str,
    headers: &[(String, String)],
    body: Option<(&str, &str)>,
) -> u16 {
    match call.request(method, headers, body).await {
        Err(ChangeFailed::Refused { code, .. }) => code,
        other => panic!("{method}: {other:?}"),
    }
}

/// A header of the last message that the box sent.
fn last_header(call: &Call, name: &str) -> Option<String> {
    let messages = call.messages();
    messages.last()?.header(name).map(str::to_owned)
}
