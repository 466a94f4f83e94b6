//! Calls that are, and calls that were.
//!
//! Not here: what happened in one (`ladder`).

use std::sync::Arc;

use axum::extract::State;
use axum::response::{Html, IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::entry::Nothing;
use super::shell::{Place, word_of};
use super::{Page, Reader, Sent, shell, time};
use crate::access::Who;
use crate::accounts::Right;
use crate::api::calls::{Live, Past, Sought, end, now, search};
use crate::api::{Path, Problem, Query};
use crate::app::App;
use crate::text::Words;

/// What the form of the history asks for; empty fields ask for nothing.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    text: String,
    after: Option<u64>,
}

pub(crate) async fn live(State(app): State<Arc<App>>, reader: Reader) -> Page {
    let words = reader.language.words();
    let calls = now(&app, &reader.who).await.map_err(reader.fails())?;
    let body = html! {
        h1 { (words.live) }
        div data-live="/parts/calls" { (live_table(words, &reader.who, &calls)) }
    };
    let page = shell::page(
        words.live,
        Some(Place::Live),
        &reader.who,
        reader.language,
        &body,
    );
    Ok(Html(page.into_string()))
}

/// The part of the page that is fetched again and again.
pub(crate) async fn live_part(State(app): State<Arc<App>>, reader: Reader) -> Page {
    let calls = now(&app, &reader.who).await.map_err(reader.fails())?;
    let table = live_table(reader.language.words(), &reader.who, &calls);
    Ok(Html(table.into_string()))
}

pub(crate) async fn do_hang_up(
    State(app): State<Arc<App>>,
    Path(call): Path<u64>,
    sent: Sent<Nothing>,
) -> Response {
    match end(&app, &sent.reader.who, call).await {
        Ok(()) => Redirect::to("/calls").into_response(),
        Err(problem) => sent.reader.fails()(problem).into_response(),
    }
}

pub(crate) async fn history(
    State(app): State<Arc<App>>,
    reader: Reader,
    asked: Result<Query<Asked>, Problem>,
) -> Page {
    let words = reader.language.words();
    let Query(asked) = asked.map_err(reader.fails())?;
    let sought = Sought {
        text: Some(asked.text.clone()).filter(|text| !text.is_empty()),
        after: asked.after,
        ..Sought::default()
    };
    let found = search(&app, &reader.who, &sought)
        .await
        .map_err(reader.fails())?;
    let body = html! {
        h1 { (words.history) }
        form.row method="get" action="/history" role="search" {
            label { (words.search_hint) input name="text" type="search" value=(asked.text); }
            button { (words.search) }
        }
        (past_table(words, &found.calls))
        @if let Some(next) = found.next {
            form.row method="get" action="/history" {
                input type="hidden" name="text" value=(asked.text);
                input type="hidden" name="after" value=(next);
                button.quiet { (words.next_page) }
            }
        }
    };
    let page = shell::page(
        words.history,
        Some(Place::History),
        &reader.who,
        reader.language,
        &body,
    );
    Ok(Html(page.into_string()))
}

pub(crate) fn live_table(words: &Words, who: &Who, calls: &[Live]) -> Markup {
    if calls.is_empty() {
        return html! { p.empty { (words.no_calls) } };
    }
    let may_end = who.role.may(Right::EndCalls);
    html! {
        div.wide role="region" aria-label=(words.live) tabindex="0" {
            table {
                thead { tr {
                    th.number { (words.call) } th { (words.caller) } th { (words.called) } th { (words.from_trunk) }
                    th { (words.to_trunk) } th { (words.tenant) } th { (words.stage) }
                    @if may_end { th { (words.action) } }
                } }
                tbody {
                    @for call in calls { tr {
                        td.number { (call.call) }
                        td { (call.caller) } td { (call.called) } td { (call.from_trunk) }
                        td { (or_dash(call.to_trunk.as_deref())) } td { (or_dash(call.tenant.as_deref())) } td { (call.stage) }
                        @if may_end { td {
                            form.inline method="post" action={ "/calls/" (call.call) "/hang-up" } {
                                (word_of(who))
                                button.danger aria-label={ (words.hang_up) " " (call.call) } { (words.hang_up) }
                            }
                        } }
                    } }
                }
            }
        }
    }
}

fn past_table(words: &Words, calls: &[Past]) -> Markup {
    if calls.is_empty() {
        return html! { p.empty { (words.no_history) } };
    }
    html! {
        div.wide role="region" aria-label=(words.history) tabindex="0" {
            table {
                thead { tr {
                    th.number { (words.call) } th { (words.when) } th { (words.caller) } th { (words.called) }
                    th { (words.from_trunk) } th { (words.to_trunk) } th { (words.tenant) } th { (words.ended_so) }
                    th.number { (words.duration) } th.number { (words.mos) }
                } }
                tbody {
                    @for call in calls { tr {
                        td.number { a href={ "/history/" (call.call) } { (call.call) } }
                        td { (time::written(call.began / 1_000_000)) }
                        td { (or_dash(call.caller.as_deref())) } td { (or_dash(call.called.as_deref())) }
                        td { (or_dash(call.from_trunk.as_deref())) } td { (or_dash(call.to_trunk.as_deref())) }
                        td { (or_dash(call.tenant.as_deref())) }
                        td { (or_dash(call.ending.as_deref())) @if let Some(status) = call.status { " " (status) } }
                        td.number { @if let Some(duration) = call.duration { (duration) " " (words.seconds) } }
                        td.number { @if let Some(mos) = call.mos { (format!("{mos:.2}")) } }
                    } }
                }
            }
        }
    }
}

pub(crate) fn or_dash(text: Option<&str>) -> &str {
    text.filter(|text| !text.is_empty()).unwrap_or("–")
}
