//! Pages for people: HTML made on the box, which works without a script and is only livelier with ours.
//!
//! Pages call the functions of the API and show what they answer; a page has no right of its own. `maud` escapes whatever stands
//! in a page, so what a party wrote into a SIP message is text here.
//!
//! Not here: words (`text`), what may be seen (`accounts`).

mod assets;
mod calls;
mod certificates;
mod configuration;
mod doctor;
mod entry;
mod home;
mod ladder;
mod people;
mod shell;
mod time;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use maud::{Markup, html};
use serde::Deserialize;

use crate::access::{Visitor, Who};
use crate::api::Problem;
use crate::app::App;
use crate::text::Language;

pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(home::page))
        .route("/parts/home", get(home::part))
        .route("/set-up", get(entry::set_up).post(entry::do_set_up))
        .route("/sign-in", get(entry::sign_in).post(entry::do_sign_in))
        .route("/sign-out", post(entry::do_sign_out))
        .route("/language", post(entry::do_choose_language))
        .route("/calls", get(calls::live))
        .route("/parts/calls", get(calls::live_part))
        .route("/calls/{call}/hang-up", post(calls::do_hang_up))
        .route("/history", get(calls::history))
        .route("/history/{call}", get(ladder::page))
        .route("/parts/history/{call}", get(ladder::part))
        .route("/configuration", get(configuration::edit))
        .route("/configuration/check", post(configuration::do_check))
        .route("/configuration/commit", post(configuration::do_commit))
        .route("/configuration/confirm", post(configuration::do_confirm))
        .route("/configuration/undo", post(configuration::do_undo))
        .route("/versions", get(configuration::versions))
        .route("/versions/{version}", get(configuration::version))
        .route(
            "/versions/{version}/roll-back",
            post(configuration::do_roll_back),
        )
        .route("/doctor", get(doctor::page).post(doctor::do_examine))
        .route("/certificates", get(certificates::page))
        .route("/certificates/request", post(certificates::do_ask))
        .route("/certificates/withdraw", post(certificates::do_withdraw))
        .route("/certificates/install", post(certificates::do_install))
        .route("/explain", get(configuration::explain))
        .route("/users", get(people::users))
        .route("/users/add", post(people::do_add))
        .route("/users/remove", post(people::do_remove))
        .route("/sessions/end", post(people::do_end_session))
        .route("/tokens/add", post(people::do_add_token))
        .route("/tokens/remove", post(people::do_remove_token))
        .route("/audit", get(people::audit))
        .route("/style.css", get(assets::style))
        .route("/page.js", get(assets::script))
        .route("/icon.svg", get(assets::icon))
        .fallback(nowhere)
}

async fn nowhere(visitor: Visitor, request: Request) -> PageError {
    let language = Language::of(request.headers());
    let problem = Problem::not_found(format!("there is no page {}", request.uri().path()));
    PageError::shown(problem, &visitor.0, language)
}

/// What a page needs of a request: who asks, and in which language.
pub(crate) struct Reader {
    pub(crate) who: Who,
    pub(crate) language: Language,
}

impl axum::extract::FromRequestParts<Arc<App>> for Reader {
    type Rejection = Response;

    async fn from_request_parts(
        parts: &mut axum::http::request::Parts,
        app: &Arc<App>,
    ) -> Result<Self, Response> {
        let Visitor(who) = Visitor::from_request_parts(parts, app).await?;
        Ok(Self {
            who,
            language: Language::of(&parts.headers),
        })
    }
}

impl Reader {
    /// What a page says when it cannot do what it was asked.
    pub(crate) fn fails(&self) -> impl Fn(Problem) -> PageError + '_ {
        |problem| PageError::shown(problem, &self.who, self.language)
    }
}

/// A form that a page of ours, of this session, has sent.
pub(crate) struct Sent<T> {
    pub(crate) reader: Reader,
    pub(crate) fields: T,
}

/// The word of the session, beside the fields.
#[derive(Deserialize)]
struct Worded {
    #[serde(default)]
    form: String,
}

impl<T: serde::de::DeserializeOwned> FromRequest<Arc<App>> for Sent<T> {
    type Rejection = Response;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let reader =
            <Reader as axum::extract::FromRequestParts<_>>::from_request_parts(&mut parts, app)
                .await?;
        let request = Request::from_parts(parts, body);
        let body = Bytes::from_request(request, app)
            .await
            .map_err(|rejection| {
                reader.fails()(Problem::bad(rejection.body_text())).into_response()
            })?;
        let bad = |error| reader.fails()(Problem::bad(error)).into_response();
        let Worded { form } = serde_urlencoded::from_bytes(&body).map_err(bad)?;
        let fields = serde_urlencoded::from_bytes(&body).map_err(bad)?;
        if !reader.who.is_form(&form) {
            return Err(reader.fails()(Problem::forged()).into_response());
        }
        Ok(Self { reader, fields })
    }
}

/// A page that says what went wrong.
pub(crate) struct PageError {
    status: StatusCode,
    page: Markup,
}

impl PageError {
    fn shown(problem: Problem, who: &Who, language: Language) -> Self {
        let words = language.words();
        let body = html! {
            h1 { (words.something_wrong) }
            p.note.bad { (problem.title) ": " (problem.detail) }
            @if !problem.faults.is_empty() { (configuration::faults(words, &problem.faults)) }
        };
        Self {
            status: StatusCode::from_u16(problem.status)
                .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            page: shell::page(words.something_wrong, None, who, language, &body),
        }
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        (self.status, Html(self.page.into_string())).into_response()
    }
}

type Page = Result<Html<String>, PageError>;
