//! The configuration: edited, checked, compared, brought into force, confirmed; its versions; where a call would go.
//!
//! Not here: what it means.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{Html, IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;
use store::versions::Origin;
use tokio::task::block_in_place;

use super::entry::Nothing;
use super::shell::{Place, word_of};
use super::{Page, Reader, Sent, shell, time};
use crate::access::Who;
use crate::accounts::Right;
use crate::api::configuration::{
    Before, Commit, Question, Verdict, back_to, bring, explained, judged, keep, list, take_back,
    text_of,
};
use crate::api::{Path, Problem, Query};
use crate::app::App;
use crate::documents::{Change, Fault, Line, difference};
use crate::text::Words;

/// Seconds within which a commit is to be confirmed, as the form offers them; 0 is not at all.
const TRIALS: [u32; 4] = [300, 60, 1_800, 0];

/// What the editor sends.
#[derive(Deserialize)]
pub(crate) struct Edited {
    text: String,
    based_on: u64,
    #[serde(default)]
    comment: String,
    #[serde(default)]
    confirm_within: u32,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
    #[serde(default)]
    caller: String,
}

pub(crate) async fn edit(State(app): State<Arc<App>>, reader: Reader) -> Page {
    reader.who.may(Right::Configure).map_err(reader.fails())?;
    let in_force = block_in_place(|| app.documents.in_force())
        .map_err(Problem::from)
        .and_then(|in_force| in_force.ok_or_else(|| Problem::not_found("nothing is in force yet")))
        .map_err(reader.fails())?;
    let words = reader.language.words();
    let body = html! {
        h1 { (words.configuration) }
        p.soft { (words.version) " " (in_force.version) " · " (words.in_force) }
        @if let Some(waiting) = in_force.pending { (pending(words, &reader.who, waiting.until.0)) }
        (editor(words, &reader.who, &in_force.text, in_force.version))
    };
    Ok(shown(
        &reader,
        words.configuration,
        Place::Configuration,
        &body,
    ))
}

/// Shows what would come of it, with the way to bring it into force.
pub(crate) async fn do_check(State(app): State<Arc<App>>, sent: Sent<Edited>) -> Page {
    let Sent {
        reader,
        fields: edited,
    } = sent;
    reader.who.may(Right::Configure).map_err(reader.fails())?;
    let words = reader.language.words();
    // A browser sends lines as the protocol of mails has them.
    let text = edited.text.replace("\r\n", "\n");
    let verdict = judged(&app, &text).map_err(reader.fails())?;
    let body = html! {
        h1 { (words.configuration) }
        (told(words, &verdict))
        @if verdict.is_good && !verdict.changes.is_empty() {
            form.fields method="post" action="/configuration/commit" {
                (word_of(&reader.who))
                input type="hidden" name="based_on" value=(edited.based_on);
                textarea name="text" hidden { "\n" (text) }
                label { (words.comment) input name="comment" maxlength="500"; }
                label {
                    (words.confirm_within)
                    select name="confirm_within" {
                        @for trial in TRIALS {
                            option value=(trial) {
                                @if trial == 0 { (words.not_confirm) } @else { (trial / 60) " " (words.minutes) }
                            }
                        }
                    }
                }
                button { (words.commit) }
            }
        }
        h2 { (words.document) }
        (editor(words, &reader.who, &text, edited.based_on))
    };
    Ok(shown(
        &reader,
        words.configuration,
        Place::Configuration,
        &body,
    ))
}

pub(crate) async fn do_commit(State(app): State<Arc<App>>, sent: Sent<Edited>) -> Response {
    let Sent {
        reader,
        fields: edited,
    } = sent;
    let commit = Commit {
        text: edited.text.replace("\r\n", "\n"),
        comment: edited.comment,
        confirm_within: (edited.confirm_within > 0).then_some(edited.confirm_within),
    };
    match bring(&app, &reader.who, commit, edited.based_on, Origin::Commit).await {
        Ok(_) => Redirect::to("/configuration").into_response(),
        Err(problem) => reader.fails()(problem).into_response(),
    }
}

pub(crate) async fn do_confirm(State(app): State<Arc<App>>, sent: Sent<Nothing>) -> Response {
    match keep(&app, &sent.reader.who) {
        Ok(()) => Redirect::to("/configuration").into_response(),
        Err(problem) => sent.reader.fails()(problem).into_response(),
    }
}

pub(crate) async fn do_undo(State(app): State<Arc<App>>, sent: Sent<Nothing>) -> Response {
    match take_back(&app, &sent.reader.who).await {
        Ok(_) => Redirect::to("/configuration").into_response(),
        Err(problem) => sent.reader.fails()(problem).into_response(),
    }
}

pub(crate) async fn versions(
    State(app): State<Arc<App>>,
    reader: Reader,
    asked: Result<Query<Before>, Problem>,
) -> Page {
    let words = reader.language.words();
    let Query(Before { before }) = asked.map_err(reader.fails())?;
    let versions = list(&app, &reader.who, before).map_err(reader.fails())?;
    let standing = block_in_place(|| app.documents.standing())
        .map_err(Problem::from)
        .map_err(reader.fails())?;
    let current = standing.map(|standing| standing.current);
    let body = html! {
        h1 { (words.versions) }
        div.wide role="region" aria-label=(words.versions) tabindex="0" { table {
            thead { tr {
                th.number { (words.version) } th { (words.when) } th { (words.author) } th { (words.what) } th { (words.comment) }
                th { (words.action) }
            } }
            tbody {
                @for version in &versions { tr {
                    td.number { a href={ "/versions/" (version.version) } { (version.version) } }
                    td { (time::written(version.at)) }
                    td { (version.author) }
                    td { (version.origin) @if let Some(to) = version.back_to { " → " (to) } }
                    td { (version.comment) }
                    td {
                        @if current == Some(version.version) { (words.in_force) } @else {
                            form.inline method="post" action={ "/versions/" (version.version) "/roll-back" } {
                                (word_of(&reader.who))
                                button.quiet aria-label={ (words.roll_back) " " (version.version) } { (words.roll_back) }
                            }
                        }
                    }
                } }
            }
        } }
        @if let Some(last) = versions.last().filter(|last| last.version > 1) {
            p { a href={ "/versions?before=" (last.version) } { (words.next_page) } }
        }
    };
    Ok(shown(&reader, words.versions, Place::Versions, &body))
}

pub(crate) async fn version(
    State(app): State<Arc<App>>,
    reader: Reader,
    Path(number): Path<u64>,
) -> Page {
    let words = reader.language.words();
    let text = text_of(&app, &reader.who, number).map_err(reader.fails())?;
    let before = number
        .checked_sub(1)
        .and_then(|before| text_of(&app, &reader.who, before).ok());
    let title = format!("{} {number}", words.version);
    let body = html! {
        h1 { (title) }
        @if let Some(before) = before {
            h2 { (words.changes) }
            (lines(words, &difference(&before, &text)))
        }
        h2 { (words.document) }
        pre tabindex="0" { (text) }
    };
    Ok(shown(&reader, &title, Place::Versions, &body))
}

pub(crate) async fn do_roll_back(
    State(app): State<Arc<App>>,
    Path(version): Path<u64>,
    sent: Sent<Nothing>,
) -> Response {
    match back_to(&app, &sent.reader.who, version).await {
        Ok(_) => Redirect::to("/versions").into_response(),
        Err(problem) => sent.reader.fails()(problem).into_response(),
    }
}

pub(crate) async fn explain(
    State(app): State<Arc<App>>,
    reader: Reader,
    asked: Result<Query<Asked>, Problem>,
) -> Page {
    reader.who.may(Right::Configure).map_err(reader.fails())?;
    let words = reader.language.words();
    let Query(asked) = asked.map_err(reader.fails())?;
    let snapshot = block_in_place(|| app.documents.snapshot())
        .map_err(Problem::from)
        .map_err(reader.fails())?;
    let trunks: Vec<String> = snapshot
        .iter()
        .flat_map(|snapshot| snapshot.trunks.iter().map(|trunk| trunk.name.clone()))
        .collect();
    let answer = if asked.to.is_empty() {
        None
    } else {
        let question = Question {
            from: asked.from.clone(),
            to: asked.to.clone(),
            caller: asked.caller.clone(),
        };
        let (_, text) = explained(&app, &reader.who, &question).map_err(reader.fails())?;
        Some(text)
    };
    let body = html! {
        h1 { (words.explain) }
        p.lead { (words.explain_lead) }
        form.row method="get" action="/explain" {
            label { (words.from_trunk) select name="from" {
                @for trunk in &trunks { option value=(trunk) selected[*trunk == asked.from] { (trunk) } }
            } }
            label { (words.caller) input name="caller" value=(asked.caller); }
            label { (words.called) input name="to" value=(asked.to) required; }
            button { (words.explain) }
        }
        @if let Some(answer) = answer { pre tabindex="0" { (answer) } }
    };
    Ok(shown(&reader, words.explain, Place::Explain, &body))
}

fn shown(reader: &Reader, title: &str, place: Place, body: &Markup) -> Html<String> {
    let page = shell::page(title, Some(place), &reader.who, reader.language, body);
    Html(page.into_string())
}

/// What waits to be confirmed, with both ways on.
pub(crate) fn pending(words: &Words, who: &Who, until: u64) -> Markup {
    html! {
        div.note.warn role="status" {
            p { strong { (words.waits) } " " (words.back_by_itself) " " (time::written(until)) " UTC" }
            @if who.role.may(Right::Configure) {
                form.inline method="post" action="/configuration/confirm" { (word_of(who)) button { (words.confirm) } }
                " "
                form.inline method="post" action="/configuration/undo" {
                    (word_of(who)) button.danger { (words.never_mind) }
                }
            }
        }
    }
}

fn editor(words: &Words, who: &Who, text: &str, based_on: u64) -> Markup {
    html! {
        form method="post" action="/configuration/check" {
            (word_of(who))
            input type="hidden" name="based_on" value=(based_on);
            // The first line break behind the tag is not the document's.
            textarea name="text" aria-label=(words.document) spellcheck="false" autocomplete="off" { "\n" (text) }
            p { button { (words.check) } }
        }
    }
}

fn told(words: &Words, verdict: &Verdict) -> Markup {
    html! {
        @if !verdict.faults.is_empty() { (faults(words, &verdict.faults)) }
        @if !verdict.warnings.is_empty() {
            h2 { (words.warnings) }
            ul { @for warning in &verdict.warnings { li { (warning) } } }
        }
        h2 { (words.changes) }
        @if verdict.changes.is_empty() { p.empty { (words.no_changes) } } @else { (lines(words, &verdict.changes)) }
    }
}

pub(crate) fn faults(words: &Words, faults: &[Fault]) -> Markup {
    html! {
        h2 { (words.faults) }
        div.wide role="region" aria-label=(words.faults) tabindex="0" { table {
            thead { tr { th { (words.place) } th { (words.problem) } } }
            tbody { @for fault in faults { tr {
                td {
                    @if let (Some(line), Some(column)) = (fault.line, fault.column) { (line) ":" (column) " " }
                    code { (fault.path) }
                }
                td.bad { (fault.problem) }
            } } }
        } }
    }
}

fn lines(words: &Words, lines: &[Line]) -> Markup {
    html! {
        pre.diff tabindex="0" {
            @for line in lines {
                @match line.change {
                    Change::Same => span { "  " (line.text) },
                    Change::Added => span.added { "+ " (line.text) },
                    Change::Removed => span.removed { "- " (line.text) },
                    Change::Gap => span.soft { (words.gap) },
                }
            }
        }
    }
}
