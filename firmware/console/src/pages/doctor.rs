//! The doctor's page: a button, and what was found, the worst first.
//!
//! Not here: the examination (`api::doctor`).

use std::sync::Arc;

use axum::extract::State;
use axum::response::Html;
use maud::{Markup, html};

use super::entry::Nothing;
use super::shell::{Place, word_of};
use super::{Page, Reader, Sent, shell};
use crate::accounts::Right;
use crate::api::doctor::examined;
use crate::app::App;
use crate::doctor::{Finding, Light, Report};
use crate::text::doctor::Words;

pub(crate) async fn page(State(_app): State<Arc<App>>, reader: Reader) -> Page {
    reader.who.may(Right::SeeBox).map_err(reader.fails())?;
    let words = Words::of(reader.language);
    let body = html! {
        h1 { (words.title) }
        p.lead { (words.lead) }
        (button(words.examine, &reader))
    };
    Ok(shown(&reader, words, &body))
}

pub(crate) async fn do_examine(State(app): State<Arc<App>>, sent: Sent<Nothing>) -> Page {
    let reader = sent.reader;
    let words = Words::of(reader.language);
    let report = examined(&app, &reader.who).await.map_err(reader.fails())?;
    let body = html! {
        h1 { (words.title) }
        (figures(words, &report))
        (button(words.again, &reader))
        @for (about, findings) in by_subject(&report) { (section(words, about, &findings)) }
    };
    Ok(shown(&reader, words, &body))
}

fn shown(reader: &Reader, words: &Words, body: &Markup) -> Html<String> {
    let place = Some(Place::Doctor);
    let page = shell::page(words.title, place, &reader.who, reader.language, body);
    Html(page.into_string())
}

fn button(word: &str, reader: &Reader) -> Markup {
    html! { form method="post" action="/doctor" { (word_of(&reader.who)) button { (word) } } }
}

fn figures(words: &Words, report: &Report) -> Markup {
    html! {
        dl.figures {
            @for light in [Light::Red, Light::Amber, Light::Green] {
                div { dt { (name(words, light)) } dd class=(colour(light)) { (report.count(light)) } }
            }
        }
    }
}

/// What is found of each thing together, things with the worst light first.
fn by_subject(report: &Report) -> Vec<(&str, Vec<&Finding>)> {
    let mut subjects: Vec<(&str, Vec<&Finding>)> = Vec::new();
    for finding in &report.findings {
        match subjects.last_mut() {
            Some((about, findings)) if *about == finding.about => findings.push(finding),
            _ => subjects.push((&finding.about, vec![finding])),
        }
    }
    let worst = |findings: &[&Finding]| findings.iter().map(|finding| finding.light).max();
    subjects.sort_by_key(|(_, findings)| std::cmp::Reverse(worst(findings)));
    subjects
}

fn section(words: &Words, about: &str, findings: &[&Finding]) -> Markup {
    html! {
        h2 { (about) }
        div.wide role="region" aria-label=(about) tabindex="0" { table {
            thead { tr { th scope="col" { (words.light) } th scope="col" { (words.seen) } } }
            tbody { @for finding in findings { tr {
                td { b class=(colour(finding.light)) { (name(words, finding.light)) } }
                td {
                    (finding.seen)
                    @if let Some(cure) = &finding.cure { br; span.soft { (cure) } }
                }
            } } }
        } }
    }
}

const fn name(words: &Words, light: Light) -> &'static str {
    match light {
        Light::Green => words.green,
        Light::Amber => words.amber,
        Light::Red => words.red,
    }
}

const fn colour(light: Light) -> &'static str {
    match light {
        Light::Green => "good",
        Light::Amber => "warn",
        Light::Red => "bad",
    }
}
