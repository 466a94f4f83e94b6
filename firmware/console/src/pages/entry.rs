//! Entering and leaving, and the choice of a language.
//!
//! Not here: whether somebody may enter (`api::entry`).

use std::sync::Arc;

use axum::Form;
use axum::extract::{Extension, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::{Sent, shell};
use crate::access::{Origin, forgotten, kept};
use crate::api::Problem;
use crate::api::entry::{SetUp, SignIn, begin, enter, leave};
use crate::app::App;
use crate::text::{LANGUAGE_COOKIE, Language, Words};

/// A field that is empty in every form without one.
#[derive(Deserialize)]
pub(crate) struct Nothing {}

#[derive(Deserialize)]
pub(crate) struct Choice {
    language: String,
}

pub(crate) async fn sign_in(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    if app.setup_code().is_some() {
        return Redirect::to("/set-up").into_response();
    }
    let language = Language::of(&headers);
    Html(sign_in_page(language, None).into_string()).into_response()
}

pub(crate) async fn do_sign_in(
    State(app): State<Arc<App>>,
    Extension(Origin(from)): Extension<Origin>,
    headers: HeaderMap,
    Form(SignIn { name, password }): Form<SignIn>,
) -> Response {
    let language = Language::of(&headers);
    match enter(&app, from, &name, password).await {
        Ok(secret) => ([(SET_COOKIE, kept(&secret))], Redirect::to("/")).into_response(),
        Err(problem) => refused(&problem, &sign_in_page(language, Some(&problem))),
    }
}

pub(crate) async fn set_up(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    if app.setup_code().is_none() {
        return Redirect::to("/sign-in").into_response();
    }
    let language = Language::of(&headers);
    Html(set_up_page(language, None).into_string()).into_response()
}

pub(crate) async fn do_set_up(
    State(app): State<Arc<App>>,
    Extension(Origin(from)): Extension<Origin>,
    headers: HeaderMap,
    Form(asked): Form<SetUp>,
) -> Response {
    let language = Language::of(&headers);
    match begin(&app, from, asked).await {
        Ok(secret) => ([(SET_COOKIE, kept(&secret))], Redirect::to("/")).into_response(),
        Err(problem) => refused(&problem, &set_up_page(language, Some(&problem))),
    }
}

pub(crate) async fn do_sign_out(State(app): State<Arc<App>>, sent: Sent<Nothing>) -> Response {
    if let Err(problem) = leave(&app, &sent.reader.who) {
        return sent.reader.fails()(problem).into_response();
    }
    ([(SET_COOKIE, forgotten())], Redirect::to("/sign-in")).into_response()
}

/// Changes nothing but the cookie of this browser.
pub(crate) async fn do_choose_language(Form(choice): Form<Choice>) -> Response {
    let language = Language::tagged(&choice.language).unwrap_or(Language::English);
    let cookie = format!(
        "{LANGUAGE_COOKIE}={}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=31536000",
        language.tag()
    );
    ([(SET_COOKIE, cookie)], Redirect::to("/")).into_response()
}

fn refused(problem: &Problem, page: &Markup) -> Response {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::BAD_REQUEST);
    (status, Html(page.clone().into_string())).into_response()
}

fn told(words: &Words, problem: Option<&Problem>) -> Markup {
    html! {
        @if let Some(problem) = problem {
            p.note.bad role="alert" {
                @if problem.kind == "wrong_password" { (words.wrong_password) } @else { (problem.detail) }
            }
        }
    }
}

fn sign_in_page(language: Language, problem: Option<&Problem>) -> Markup {
    let words = language.words();
    let body = html! {
        h1 { "Postern" }
        (told(words, problem))
        form.fields method="post" action="/sign-in" {
            label { (words.name) input name="name" autocomplete="username" required autofocus; }
            label {
                (words.password)
                input name="password" type="password" autocomplete="current-password" required;
            }
            button { (words.sign_in) }
        }
    };
    shell::bare(words.sign_in, language, &body)
}

fn set_up_page(language: Language, problem: Option<&Problem>) -> Markup {
    let words = language.words();
    let body = html! {
        h1 { "Postern" }
        p.lead { (words.set_up_lead) }
        (told(words, problem))
        form.fields method="post" action="/set-up" {
            label {
                (words.setup_code)
                input name="code" autocomplete="one-time-code" autocapitalize="characters" required autofocus;
            }
            label { (words.name) input name="name" autocomplete="username" required; }
            label {
                (words.password)
                small { (words.password_hint) }
                input name="password" type="password" autocomplete="new-password" minlength="10" required;
            }
            button { (words.set_up) }
        }
    };
    shell::bare(words.set_up, language, &body)
}
