//! The API: everything the console can do, as JSON under `/api/v1`, described by an OpenAPI document made from this code.
//!
//! Not here: pages, which call the same functions.

pub(crate) mod calls;
pub(crate) mod certificates;
pub(crate) mod configuration;
pub(crate) mod doctor;
pub(crate) mod entry;
pub(crate) mod live;
mod problem;
pub(crate) mod status;
pub(crate) mod trunks;
pub(crate) mod users;

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts};
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use utoipa::OpenApi;

pub(crate) use problem::Problem;

use crate::app::App;

/// No document is longer.
const LONGEST_BODY: usize = 16 << 20;

/// JSON of a request; what is not that is a [`Problem`].
#[derive(FromRequest)]
#[from_request(via(Json), rejection(Problem))]
pub(crate) struct Body<T>(pub(crate) T);

/// A part of the path.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(Problem))]
pub(crate) struct Path<T>(pub(crate) T);

/// What stands behind the question mark.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Problem))]
pub(crate) struct Query<T>(pub(crate) T);

/// All of the API.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Postern",
        description = "The session border controller's console."
    ),
    paths(
        entry::sign_in,
        entry::set_up,
        entry::me,
        entry::sign_out,
        status::status,
        live::events,
        doctor::doctor,
        trunks::trunks,
        certificates::list,
        certificates::request,
        certificates::withdraw,
        certificates::import,
        calls::live,
        calls::hang_up,
        calls::history,
        calls::ladder,
        calls::text,
        calls::pcapng,
        configuration::read,
        configuration::commit,
        configuration::check,
        configuration::confirm,
        configuration::undo,
        configuration::versions,
        configuration::version,
        configuration::roll_back,
        configuration::explain,
        users::list,
        users::add,
        users::change,
        users::remove,
        users::sessions,
        users::end_session,
        users::tokens,
        users::add_token,
        users::remove_token,
        users::audit,
    )
)]
struct Document;

/// The OpenAPI document, as JSON.
///
/// # Panics
/// Never: what it is made of is the same at every call.
#[must_use]
pub fn document() -> String {
    Document::openapi()
        .to_pretty_json()
        .expect("it is made of words and maps")
}

pub(crate) fn router() -> Router<Arc<App>> {
    let v1 = Router::new()
        .route("/openapi.json", get(|| async { document_response() }))
        .route(
            "/session",
            get(entry::me).post(entry::sign_in).delete(entry::sign_out),
        )
        .route("/setup", post(entry::set_up))
        .route("/status", get(status::status))
        .route("/doctor", post(doctor::doctor))
        .route("/trunks", get(trunks::trunks))
        .route("/certificates", get(certificates::list))
        .route("/certificates/requests", post(certificates::request))
        .route(
            "/certificates/requests/{name}",
            delete(certificates::withdraw),
        )
        .route("/certificates/{name}", put(certificates::import))
        .route("/events", get(live::events))
        .route("/calls", get(calls::live))
        .route("/calls/{call}", delete(calls::hang_up))
        .route("/history", get(calls::history))
        .route("/history/{call}", get(calls::ladder))
        .route("/history/{call}/text", get(calls::text))
        .route("/history/{call}/pcapng", get(calls::pcapng))
        .route(
            "/configuration",
            get(configuration::read).put(configuration::commit),
        )
        .route("/configuration/check", post(configuration::check))
        .route("/configuration/confirm", post(configuration::confirm))
        .route("/configuration/undo", post(configuration::undo))
        .route("/configuration/versions", get(configuration::versions))
        .route(
            "/configuration/versions/{version}",
            get(configuration::version),
        )
        .route(
            "/configuration/versions/{version}/roll-back",
            post(configuration::roll_back),
        )
        .route("/explain", post(configuration::explain))
        .route("/users", get(users::list).post(users::add))
        .route("/users/{name}", put(users::change).delete(users::remove))
        .route("/sessions", get(users::sessions))
        .route("/sessions/{session}", delete(users::end_session))
        .route("/tokens", get(users::tokens).post(users::add_token))
        .route("/tokens/{name}", delete(users::remove_token))
        .route("/audit", get(users::audit))
        .fallback(|| async {
            Problem::not_found("there is nothing here; see /api/v1/openapi.json")
        })
        .method_not_allowed_fallback(|| async {
            Problem::new(
                axum::http::StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "Not this way",
                "see /api/v1/openapi.json",
            )
        })
        .layer(DefaultBodyLimit::max(LONGEST_BODY));
    Router::new().nest("/api/v1", v1)
}

fn document_response() -> ([(&'static str, &'static str); 1], String) {
    ([("content-type", "application/json")], document())
}
