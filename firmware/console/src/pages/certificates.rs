//! Certificates: those in use, requests, and the two ways to bring one in.
//!
//! Not here: what comes of it (`api::certificates`).

use std::sync::Arc;

use axum::extract::State;
use axum::response::{Html, IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::shell::{Place, word_of};
use super::{Page, Reader, Sent, shell, time};
use crate::accounts::Right;
use crate::api::Problem;
use crate::api::certificates::{Import, NewRequest, Shown, Waiting, all, ask, forget, install};
use crate::app::App;
use crate::certificates::KeyKind;
use crate::text::Words as General;
use crate::text::certificates::Words;

const DAY: i64 = 86_400;
/// Days at which a certificate is to be renewed, and at which it must.
const SOON: i64 = 30;
const NOW: i64 = 7;

#[derive(Deserialize)]
pub(crate) struct Asked {
    name: String,
    names: String,
    #[serde(default)]
    key: KeyKind,
}

#[derive(Deserialize)]
pub(crate) struct Brought {
    name: String,
    #[serde(default)]
    chain: String,
    #[serde(default)]
    key: String,
    #[serde(default)]
    archive: String,
    #[serde(default)]
    password: String,
}

#[derive(Deserialize)]
pub(crate) struct Named {
    name: String,
}

pub(crate) async fn page(State(app): State<Arc<App>>, reader: Reader) -> Page {
    let found = all(&app, &reader.who).map_err(reader.fails())?;
    let words = Words::of(reader.language);
    let general = reader.language.words();
    let now = i64::try_from(app.world.now().0).unwrap_or(i64::MAX);
    let may_change = reader.who.may(Right::Configure).is_ok();
    let body = html! {
        h1 { (words.title) }
        p.lead { (words.lead) }
        (in_use(words, general, &found.identities, now))
        @if may_change {
            @for waiting in &found.requests { (awaited(words, &reader, waiting)) }
            (forms(words, general, &reader))
        }
    };
    let place = Some(Place::Certificates);
    let page = shell::page(words.title, place, &reader.who, reader.language, &body);
    Ok(Html(page.into_string()))
}

pub(crate) async fn do_ask(State(app): State<Arc<App>>, sent: Sent<Asked>) -> Response {
    let Sent { reader, fields } = sent;
    let new = NewRequest {
        name: fields.name,
        names: fields.names.lines().map(str::to_owned).collect(),
        key: fields.key,
    };
    let done = ask(&app, &reader.who, new).await;
    back(&reader, done.map(|_| ()))
}

pub(crate) async fn do_withdraw(State(app): State<Arc<App>>, sent: Sent<Named>) -> Response {
    let done = forget(&app, &sent.reader.who, &sent.fields.name);
    back(&sent.reader, done)
}

pub(crate) async fn do_install(State(app): State<Arc<App>>, sent: Sent<Brought>) -> Response {
    let Sent { reader, fields } = sent;
    let import = if fields.archive.trim().is_empty() {
        Import::Pem {
            chain: fields.chain,
            key: Some(fields.key),
        }
    } else {
        Import::Pkcs12 {
            archive: fields.archive,
            password: fields.password,
        }
    };
    let done = install(&app, &reader.who, &fields.name, import).await;
    back(&reader, done.map(|_| ()))
}

fn back(reader: &Reader, done: Result<(), Problem>) -> Response {
    match done {
        Ok(()) => Redirect::to("/certificates").into_response(),
        Err(problem) => reader.fails()(problem).into_response(),
    }
}

fn in_use(words: &Words, general: &General, identities: &[Shown], now: i64) -> Markup {
    if identities.is_empty() {
        return html! { p.empty { (words.none) } };
    }
    html! {
        div.wide role="region" aria-label=(words.title) tabindex="0" { table {
            thead { tr {
                th { (general.name) } th { (words.hosts) } th { (words.dns) } th { (words.issuer) }
                th.number { (words.links) } th { (words.days) } th { (general.problem) }
            } }
            tbody { @for identity in identities { tr {
                td { (identity.name) }
                td { @for host in &identity.hosts { div { (host) } } }
                @match identity.chain.first() {
                    None => { td {} td {} td.number { "0" } td {} }
                    Some(first) => {
                        td { @for name in &first.names { div { (name) } } }
                        td { (first.issuer) }
                        td.number { (identity.chain.len()) }
                        (left(identity, now))
                    }
                }
                td {
                    @if let Some(fault) = &identity.fault { div.bad { (fault) } }
                    @for warning in &identity.warnings { div.warn { (warning) } }
                }
            } } }
        } }
    }
}

/// The days until the first certificate of the chain ends.
fn left(identity: &Shown, now: i64) -> Markup {
    let Some(end) = identity.chain.iter().map(|link| link.not_after).min() else {
        return html! { td {} };
    };
    let days = (end - now).div_euclid(DAY);
    let colour = match days {
        ..NOW => "bad",
        NOW..SOON => "warn",
        _ => "good",
    };
    html! { td { b class=(colour) { (days) } " " span.soft { (time::written(u64::try_from(end).unwrap_or_default())) } } }
}

fn awaited(words: &Words, reader: &Reader, waiting: &Waiting) -> Markup {
    html! {
        section {
            h2 { (waiting.name) ": " (words.waits) }
            p.soft { (waiting.names.join(", ")) }
            label { (words.request_text) textarea.short readonly { "\n" (waiting.request) } }
            form.fields method="post" action="/certificates/install" {
                (word_of(&reader.who))
                input type="hidden" name="name" value=(waiting.name);
                (chain_fields(words, &waiting.name))
                button aria-label={ (words.install) " " (waiting.name) } { (words.install) }
            }
            form.inline method="post" action="/certificates/withdraw" {
                (word_of(&reader.who))
                input type="hidden" name="name" value=(waiting.name);
                button.danger aria-label={ (words.withdraw) " " (waiting.name) } { (words.withdraw) }
            }
        }
    }
}

fn chain_fields(words: &Words, about: &str) -> Markup {
    let id = format!("chain-{about}");
    html! {
        label { (words.chain) textarea.short id=(id) name="chain" spellcheck="false" {} }
        label { (words.file) input type="file" accept=".pem,.crt,.cer" data-into=(id); }
    }
}

fn forms(words: &Words, general: &General, reader: &Reader) -> Markup {
    let name = html! {
        label { (general.name) input name="name" required maxlength="48" pattern="[A-Za-z0-9][A-Za-z0-9_\\-]*" autocomplete="off"; }
    };
    html! {
        h2 { (words.request) }
        form.fields method="post" action="/certificates/request" {
            (word_of(&reader.who)) (name)
            label { (words.names) textarea.short name="names" required spellcheck="false" {} }
            label { (words.kind) select name="key" {
                option value="rsa2048" { "RSA 2048 (Teams)" }
                option value="rsa3072" { "RSA 3072 (Teams)" }
                option value="ec_p256" { "ECDSA P-256" }
            } }
            button { (words.make) }
        }
        h2 { (words.bring) }
        form.fields method="post" action="/certificates/install" {
            (word_of(&reader.who)) (name)
            (chain_fields(words, ""))
            label { (words.key) textarea.short id="key" name="key" spellcheck="false" autocomplete="off" {} }
            label { (words.file) input type="file" accept=".pem,.key" data-into="key"; }
            button { (words.install) }
        }
        h2 { (words.archive) }
        form.fields method="post" action="/certificates/install" {
            (word_of(&reader.who)) (name)
            label { (words.archive) input type="file" required accept=".p12,.pfx" data-into="archive" data-base64; }
            input type="hidden" id="archive" name="archive";
            label { (general.password) input type="password" name="password" autocomplete="off"; }
            button { (words.install) }
        }
    }
}
