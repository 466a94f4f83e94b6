//! Limits of tenants and trunks: who comes too much is told 503, so that he may go elsewhere, and nobody else minds (INV-12).
//!
//! Not here: how calls are counted (`call::route::limit`).

use lab::call::Call;
use lab::runner::Lab;

use crate::kit::{
    OUTSIDE, USER, assert_refused, call_in, call_out, end_clean, ending_of, ending_of_out, hang_up,
    hear_each_other, start,
};

const ANOTHER: &str = "+12025550143";

/// Puts a line of limits into the table that begins with `table`.
async fn limit(lab: &Lab, table: &str, limits: &str) {
    lab.reconfigure(|text| {
        assert_eq!(text.matches(table).count(), 1, "{table}");
        text.replacen(table, &format!("{table}limits = {{ {limits} }}\n"), 1)
    })
    .await
    .expect("taken");
}

/// While this call stands no other is taken; with its end the next one is.
async fn is_the_only_one(lab: &Lab, (one, other): (Call, Call)) {
    assert_refused(&ending_of(lab, ANOTHER).await, 503);
    assert_refused(&ending_of_out(lab, "+13125550143").await, 503);
    hear_each_other(&one, &other).await;
    hang_up(&one, &other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_has_no_more_calls_at_a_time_than_it_may() {
    let lab = start().await;
    limit(
        &lab,
        "fqdn = \"sbc1.contoso.example\"\n",
        "concurrent_calls = 1",
    )
    .await;
    is_the_only_one(&lab, call_in(&lab, OUTSIDE, USER).await).await;
    is_the_only_one(&lab, call_out(&lab, USER, OUTSIDE).await).await;
    end_clean(lab).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trunk_has_no_more_calls_at_a_time_than_it_may() {
    let lab = start().await;
    let table = "name = \"probe\"\nkind = \"carrier\"\n";
    limit(&lab, table, "concurrent_calls = 1").await;
    is_the_only_one(&lab, call_in(&lab, OUTSIDE, USER).await).await;
    is_the_only_one(&lab, call_out(&lab, USER, OUTSIDE).await).await;
    end_clean(lab).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_come_too_fast_are_turned_away() {
    let lab = start().await;
    limit(
        &lab,
        "name = \"teams-contoso\"\nkind = \"teams\"\n",
        "calls_per_second = 1",
    )
    .await;
    let first = lab
        .teams
        .call(lab::teams::Outgoing::new("contoso", USER, OUTSIDE))
        .await
        .expect("ports");
    let second = lab
        .teams
        .call(lab::teams::Outgoing::new("contoso", ANOTHER, OUTSIDE))
        .await
        .expect("ports");
    // Which of the two comes first is theirs to find out.
    let ends = [
        first.up(crate::kit::SOON).await,
        second.up(crate::kit::SOON).await,
    ];
    let refused: Vec<_> = ends.iter().filter_map(|end| end.as_ref().err()).collect();
    assert_eq!(refused.len(), 1, "{ends:?}");
    assert_refused(refused[0], 503);
    for call in [first, second] {
        call.hang_up().await;
    }
    end_clean(lab).await;
}
