//! Users, tokens, sessions, and the log of what was done.
//!
//! Not here: whether it may be done (`api::users`).

use std::sync::Arc;

use axum::extract::State;
use axum::response::{Html, IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::calls::or_dash;
use super::shell::{Place, word_of};
use super::{Page, Reader, Sent, shell, time};
use crate::accounts::Role;
use crate::api::configuration::Before;
use crate::api::users::{
    NewToken, NewUser, all, close, deeds, issue, issued, make, open, unmake, withdraw,
};
use crate::api::{Problem, Query};
use crate::app::App;
use crate::text::Words;

#[derive(Deserialize)]
pub(crate) struct NewUserForm {
    name: String,
    role: String,
    #[serde(default)]
    tenant: String,
    password: String,
}

#[derive(Deserialize)]
pub(crate) struct NewTokenForm {
    name: String,
    role: String,
    #[serde(default)]
    tenant: String,
}

#[derive(Deserialize)]
pub(crate) struct Named {
    name: String,
}

#[derive(Deserialize)]
pub(crate) struct Numbered {
    session: u64,
}

pub(crate) async fn users(State(app): State<Arc<App>>, reader: Reader) -> Page {
    people(&app, &reader, None).map_err(reader.fails())
}

pub(crate) async fn do_add(State(app): State<Arc<App>>, sent: Sent<NewUserForm>) -> Response {
    let Sent { reader, fields } = sent;
    let done = match role_of(&fields.role, &fields.tenant) {
        Ok(role) => {
            let new = NewUser {
                name: fields.name,
                role,
                password: fields.password,
            };
            make(&app, &reader.who, new).await
        }
        Err(problem) => Err(problem),
    };
    back(&reader, done)
}

pub(crate) async fn do_remove(State(app): State<Arc<App>>, sent: Sent<Named>) -> Response {
    let done = unmake(&app, &sent.reader.who, &sent.fields.name);
    back(&sent.reader, done)
}

pub(crate) async fn do_end_session(State(app): State<Arc<App>>, sent: Sent<Numbered>) -> Response {
    let done = close(&app, &sent.reader.who, sent.fields.session);
    back(&sent.reader, done)
}

/// Shows the token this once.
pub(crate) async fn do_add_token(State(app): State<Arc<App>>, sent: Sent<NewTokenForm>) -> Page {
    let Sent { reader, fields } = sent;
    let role = role_of(&fields.role, &fields.tenant).map_err(reader.fails())?;
    let new = NewToken {
        name: fields.name,
        role,
    };
    let secret = issue(&app, &reader.who, new).map_err(reader.fails())?;
    people(&app, &reader, Some(&secret)).map_err(reader.fails())
}

pub(crate) async fn do_remove_token(State(app): State<Arc<App>>, sent: Sent<Named>) -> Response {
    let done = withdraw(&app, &sent.reader.who, &sent.fields.name);
    back(&sent.reader, done)
}

pub(crate) async fn audit(
    State(app): State<Arc<App>>,
    reader: Reader,
    asked: Result<Query<Before>, Problem>,
) -> Page {
    let words = reader.language.words();
    let Query(Before { before }) = asked.map_err(reader.fails())?;
    let deeds = deeds(&app, &reader.who, before).map_err(reader.fails())?;
    let body = html! {
        h1 { (words.audit) }
        div.wide role="region" aria-label=(words.audit) tabindex="0" { table {
            thead { tr {
                th.number { (words.number) } th { (words.when) } th { (words.who) } th { (words.address) } th { (words.what) } th { (words.about) }
            } }
            tbody { @for deed in &deeds { tr {
                td.number { (deed.number) } td { (time::written(deed.at)) } td { (deed.who) }
                td { (or_dash(deed.from.as_deref())) } td { (deed.what) } td { (deed.about) }
            } } }
        } }
        @if let Some(last) = deeds.last().filter(|last| last.number > 1) {
            p { a href={ "/audit?before=" (last.number) } { (words.next_page) } }
        }
    };
    let page = shell::page(
        words.audit,
        Some(Place::Audit),
        &reader.who,
        reader.language,
        &body,
    );
    Ok(Html(page.into_string()))
}

fn role_of(word: &str, tenant: &str) -> Result<Role, Problem> {
    Role::of(word, tenant)
        .ok_or_else(|| Problem::bad("a tenant's admin needs the name of a tenant"))
}

fn back(reader: &Reader, done: Result<(), Problem>) -> Response {
    match done {
        Ok(()) => Redirect::to("/users").into_response(),
        Err(problem) => reader.fails()(problem).into_response(),
    }
}

fn people(app: &App, reader: &Reader, secret: Option<&str>) -> Result<Html<String>, Problem> {
    let words = reader.language.words();
    let who = &reader.who;
    let (users, tokens, sessions) = (all(app, who)?, issued(app, who)?, open(app, who)?);
    let removal = |action: &str, name: &str| {
        html! {
            form.inline method="post" action=(action) {
                (word_of(who))
                input type="hidden" name="name" value=(name);
                button.danger aria-label={ (words.remove) " " (name) } { (words.remove) }
            }
        }
    };
    let body = html! {
        h1 { (words.users) }
        div.wide role="region" aria-label=(words.users) tabindex="0" { table {
            thead { tr { th { (words.name) } th { (words.role) } th { (words.since) } th { (words.action) } } }
            tbody { @for user in &users { tr {
                td { (user.name) } td { (role_name(words, &user.role)) } td { (time::written(user.since)) }
                td { @if user.name == who.name { (words.you) } @else { (removal("/users/remove", &user.name)) } }
            } } }
        } }
        form.row method="post" action="/users/add" {
            (word_of(who))
            label { (words.name) input name="name" autocomplete="off" required; }
            (role_fields(words))
            label { (words.password) input name="password" type="password" autocomplete="new-password" minlength="10" required; }
            button { (words.add) }
        }
        h2 { (words.programs) }
        @if let Some(secret) = secret {
            div.note role="status" { p { (words.token_once) } pre tabindex="0" { (secret) } }
        }
        @if !tokens.is_empty() {
            div.wide role="region" aria-label=(words.programs) tabindex="0" { table {
                thead { tr {
                    th { (words.name) } th { (words.role) } th { (words.by) } th { (words.since) } th { (words.action) }
                } }
                tbody { @for token in &tokens { tr {
                    td { (token.name) } td { (role_name(words, &token.role)) } td { (token.by) } td { (time::written(token.since)) }
                    td { (removal("/tokens/remove", &token.name)) }
                } } }
            } }
        }
        form.row method="post" action="/tokens/add" {
            (word_of(who))
            label { (words.name) input name="name" autocomplete="off" required; }
            (role_fields(words))
            button { (words.add) }
        }
        h2 { (words.sessions) }
        div.wide role="region" aria-label=(words.sessions) tabindex="0" { table {
            thead { tr { th { (words.user) } th { (words.address) } th { (words.began) } th { (words.since) } th { (words.action) } } }
            tbody { @for session in &sessions { tr {
                td { (session.user) } td { (session.from) } td { (time::written(session.began)) } td { (time::written(session.seen)) }
                td {
                    form.inline method="post" action="/sessions/end" {
                        (word_of(who))
                        input type="hidden" name="session" value=(session.session);
                        button.danger aria-label={ (words.end) " " (session.session) } { (words.end) }
                    }
                }
            } } }
        } }
    };
    let page = shell::page(words.users, Some(Place::Users), who, reader.language, &body);
    Ok(Html(page.into_string()))
}

fn role_fields(words: &Words) -> Markup {
    html! {
        label { (words.role) select name="role" {
            option value="viewer" { (words.viewer) }
            option value="operator" { (words.operator) }
            option value="tenant_admin" { (words.tenant_admin) }
            option value="admin" { (words.admin) }
        } }
        label { (words.tenant) input name="tenant" autocomplete="off"; }
    }
}

fn role_name(words: &Words, role: &Role) -> String {
    match role {
        Role::Admin => words.admin.to_owned(),
        Role::Operator => words.operator.to_owned(),
        Role::Viewer => words.viewer.to_owned(),
        Role::TenantAdmin { tenant } => format!("{}: {tenant}", words.tenant_admin),
    }
}
