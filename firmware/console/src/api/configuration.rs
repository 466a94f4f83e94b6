//! The configuration: read, checked, compared, committed, confirmed, taken back; its versions; where a call would go.
//!
//! Whoever reads it gets its version as an ETag and shows it again to commit: what somebody else has committed meanwhile is not
//! overwritten.
//!
//! Not here: how versions are kept (`documents`).

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::header::{ETAG, IF_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use call::route::{self, Caller};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::versions::{Draft, Origin, Version as Kept};
use tokio::task::block_in_place;
use utoipa::{IntoParams, ToSchema};

use super::{Body, Path, Problem, Query};
use crate::access::Who;
use crate::accounts::Right;
use crate::app::App;
use crate::documents::{Fault, Line, difference};

/// A commit is confirmed within this time, if it must be.
const LONGEST_TRIAL: Duration = Duration::from_secs(60 * 60);

/// Versions on a page.
const PAGE: usize = 50;

/// What is in force.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Current {
    /// Its version.
    version: u64,
    /// The document, as TOML.
    text: String,
    /// Seconds since 1970 until which it must be confirmed.
    confirm_until: Option<u64>,
}

/// What is to come into force.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Commit {
    /// The document, as TOML.
    pub(crate) text: String,
    /// Why.
    #[serde(default)]
    pub(crate) comment: String,
    /// Seconds within which it must be confirmed, or what is in force now comes back; at most an hour.
    #[serde(default)]
    #[schema(minimum = 5, maximum = 3600)]
    pub(crate) confirm_within: Option<u32>,
}

/// A document to be looked at.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Candidate {
    /// The document, as TOML.
    pub(crate) text: String,
}

/// What would come of a document.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Verdict {
    /// Whether it could come into force.
    pub(crate) is_good: bool,
    /// What is wrong with it.
    pub(crate) faults: Vec<Fault>,
    /// What should be known of it.
    pub(crate) warnings: Vec<String>,
    /// What it changes of what is in force.
    pub(crate) changes: Vec<Line>,
}

/// A version.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Version {
    /// Its number.
    pub(crate) version: u64,
    /// Seconds since 1970 at which it came into force.
    pub(crate) at: u64,
    /// Who brought it.
    pub(crate) author: String,
    /// Why.
    pub(crate) comment: String,
    /// How: `commit`, `file`, `rollback` or `undone`.
    pub(crate) origin: String,
    /// The version that it goes back to.
    pub(crate) back_to: Option<u64>,
}

/// Which versions.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Before {
    /// Older than this one.
    pub(crate) before: Option<u64>,
}

/// A call that might be.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Question {
    /// The trunk that it would come from.
    pub(crate) from: String,
    /// The number called.
    pub(crate) to: String,
    /// The number calling.
    #[serde(default)]
    pub(crate) caller: String,
}

impl From<Kept> for Version {
    fn from(kept: Kept) -> Self {
        let (origin, back_to) = match kept.origin {
            Origin::Commit => ("commit", None),
            Origin::File => ("file", None),
            Origin::Rollback(to) => ("rollback", Some(to)),
            Origin::Undone(to) => ("undone", Some(to)),
        };
        Self {
            version: kept.number,
            at: kept.at.0,
            author: kept.author,
            comment: kept.comment,
            origin: origin.to_owned(),
            back_to,
        }
    }
}

/// Reads what is in force.
#[utoipa::path(get, path = "/api/v1/configuration", responses(
    (status = 200, body = Current, headers(("etag" = String, description = "The version, to be shown again in If-Match."))),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn read(State(app): State<Arc<App>>, who: Who) -> Result<Response, Problem> {
    who.may(Right::Configure)?;
    let in_force = block_in_place(|| app.documents.in_force())?
        .ok_or_else(|| Problem::not_found("nothing is in force yet"))?;
    let tag = format!("\"{}\"", in_force.version);
    let current = Current {
        version: in_force.version,
        text: in_force.text,
        confirm_until: in_force.pending.map(|pending| pending.until.0),
    };
    Ok(([(ETAG, tag)], Json(current)).into_response())
}

/// Brings a document into force.
#[utoipa::path(put, path = "/api/v1/configuration", request_body = Commit,
    params(("if-match" = String, Header, description = "The ETag of the configuration that it was made from.")), responses(
    (status = 200, body = Version),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 409, body = Problem, content_type = "application/problem+json"),
    (status = 412, body = Problem, content_type = "application/problem+json"),
    (status = 413, body = Problem, content_type = "application/problem+json"),
    (status = 415, body = Problem, content_type = "application/problem+json"),
    (status = 422, body = Problem, content_type = "application/problem+json"),
    (status = 428, body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn commit(
    State(app): State<Arc<App>>,
    who: Who,
    headers: HeaderMap,
    Body(asked): Body<Commit>,
) -> Result<Json<Version>, Problem> {
    who.may(Right::Configure)?;
    let tag = headers.get(IF_MATCH).ok_or_else(|| {
        let detail = "show the ETag of the configuration that this was made from as If-Match";
        Problem::new(
            StatusCode::PRECONDITION_REQUIRED,
            "if_match",
            "Made from what?",
            detail,
        )
    })?;
    let based_on = tag
        .to_str()
        .ok()
        .and_then(|tag| tag.trim_matches('"').parse().ok())
        .ok_or_else(|| Problem::bad("If-Match is an ETag of this API, as \"7\""))?;
    Ok(Json(
        bring(&app, &who, asked, based_on, Origin::Commit).await?,
    ))
}

/// Says what would come of a document.
#[utoipa::path(post, path = "/api/v1/configuration/check", request_body = Candidate, responses(
    (status = 200, body = Verdict),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 413, body = Problem, content_type = "application/problem+json"),
    (status = 415, body = Problem, content_type = "application/problem+json"),
    (status = 422, body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn check(
    State(app): State<Arc<App>>,
    who: Who,
    Body(Candidate { text }): Body<Candidate>,
) -> Result<Json<Verdict>, Problem> {
    who.may(Right::Configure)?;
    Ok(Json(judged(&app, &text)?))
}

/// Says that the last commit stays.
#[utoipa::path(post, path = "/api/v1/configuration/confirm", responses(
    (status = 204, description = "It stays."),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 409, body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn confirm(State(app): State<Arc<App>>, who: Who) -> Result<StatusCode, Problem> {
    keep(&app, &who)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes the commit back that waits to be confirmed.
#[utoipa::path(post, path = "/api/v1/configuration/undo", responses(
    (status = 200, body = Version),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 409, body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn undo(State(app): State<Arc<App>>, who: Who) -> Result<Json<Version>, Problem> {
    Ok(Json(take_back(&app, &who).await?))
}

/// Lists versions, the newest first.
#[utoipa::path(get, path = "/api/v1/configuration/versions", params(Before), responses(
    (status = 200, body = [Version]),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn versions(
    State(app): State<Arc<App>>,
    who: Who,
    Query(Before { before }): Query<Before>,
) -> Result<Json<Vec<Version>>, Problem> {
    Ok(Json(list(&app, &who, before)?))
}

/// Reads the document of a version.
#[utoipa::path(get, path = "/api/v1/configuration/versions/{version}", params(("version" = u64, Path)), responses(
    (status = 200, body = String, content_type = "text/plain"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn version(
    State(app): State<Arc<App>>,
    who: Who,
    Path(version): Path<u64>,
) -> Result<String, Problem> {
    text_of(&app, &who, version)
}

/// Brings an earlier version into force again, as a version of its own.
#[utoipa::path(post, path = "/api/v1/configuration/versions/{version}/roll-back", params(("version" = u64, Path)), responses(
    (status = 200, body = Version),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 409, body = Problem, content_type = "application/problem+json"),
    (status = 412, body = Problem, content_type = "application/problem+json"),
    (status = 422, body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn roll_back(
    State(app): State<Arc<App>>,
    who: Who,
    Path(version): Path<u64>,
) -> Result<Json<Version>, Problem> {
    Ok(Json(back_to(&app, &who, version).await?))
}

/// Says which way a call would take at this moment, and why.
#[utoipa::path(post, path = "/api/v1/explain", request_body = Question, responses(
    (status = 200, description = "The decision, and what was passed over.", body = Object),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 413, body = Problem, content_type = "application/problem+json"),
    (status = 415, body = Problem, content_type = "application/problem+json"),
    (status = 422, body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn explain(
    State(app): State<Arc<App>>,
    who: Who,
    Body(question): Body<Question>,
) -> Result<Json<Value>, Problem> {
    let (explanation, _) = explained(&app, &who, &question)?;
    Ok(Json(explanation))
}

/// Brings a document into force and tells control.
pub(crate) async fn bring(
    app: &App,
    who: &Who,
    asked: Commit,
    based_on: u64,
    origin: Origin,
) -> Result<Version, Problem> {
    who.may(Right::Configure)?;
    let now = app.world.now();
    let confirm_until = match asked.confirm_within.map(u64::from) {
        None => None,
        Some(within) if (5..=LONGEST_TRIAL.as_secs()).contains(&within) => Some(now.after(within)),
        Some(_) => return Err(Problem::bad("confirm_within is 5 to 3600 seconds")),
    };
    let draft = Draft {
        text: asked.text,
        author: who.name.clone(),
        comment: asked.comment.chars().take(500).collect(),
        origin,
        based_on,
        confirm_until,
    };
    let version = block_in_place(|| app.documents.commit(&draft, now))?;
    who.did(app, "configuration_committed", &version.number.to_string())?;
    app.reload().await;
    Ok(version.into())
}

/// What would come of a document.
pub(crate) fn judged(app: &App, text: &str) -> Result<Verdict, Problem> {
    block_in_place(|| {
        let before = app.documents.in_force()?;
        let before = before.map(|before| before.text).unwrap_or_default();
        let (faults, warnings) = match app.documents.judge(text) {
            Ok(warnings) => (Vec::new(), warnings),
            Err(faults) => (faults, Vec::new()),
        };
        Ok(Verdict {
            is_good: faults.is_empty(),
            faults,
            warnings,
            changes: difference(&before, text),
        })
    })
}

pub(crate) fn keep(app: &App, who: &Who) -> Result<(), Problem> {
    who.may(Right::Configure)?;
    let version = block_in_place(|| app.documents.confirm())?;
    who.did(app, "configuration_confirmed", &version.to_string())
}

pub(crate) async fn take_back(app: &App, who: &Who) -> Result<Version, Problem> {
    who.may(Right::Configure)?;
    let version = block_in_place(|| app.documents.undo(&who.name, app.world.now()))?;
    who.did(app, "configuration_undone", &version.number.to_string())?;
    app.reload().await;
    Ok(version.into())
}

pub(crate) fn list(app: &App, who: &Who, before: Option<u64>) -> Result<Vec<Version>, Problem> {
    who.may(Right::Configure)?;
    let versions = block_in_place(|| app.documents.list(before, PAGE))?;
    Ok(versions.into_iter().map(Version::from).collect())
}

pub(crate) fn text_of(app: &App, who: &Who, version: u64) -> Result<String, Problem> {
    who.may(Right::Configure)?;
    block_in_place(|| app.documents.text(version))?
        .ok_or_else(|| Problem::not_found("no such version is kept"))
}

pub(crate) async fn back_to(app: &App, who: &Who, version: u64) -> Result<Version, Problem> {
    let text = text_of(app, who, version)?;
    let standing = block_in_place(|| app.documents.standing())?;
    let asked = Commit {
        text,
        comment: String::new(),
        confirm_within: None,
    };
    let based_on = standing.map_or(0, |standing| standing.current);
    bring(app, who, asked, based_on, Origin::Rollback(version)).await
}

/// Which way a call would take: for programs, and for people.
pub(crate) fn explained(
    app: &App,
    who: &Who,
    question: &Question,
) -> Result<(Value, String), Problem> {
    who.may(Right::Configure)?;
    let snapshot = block_in_place(|| app.documents.snapshot())?
        .ok_or_else(|| Problem::not_found("nothing is in force yet"))?;
    let trunk = snapshot
        .trunk_named(&question.from)
        .ok_or_else(|| Problem::not_found("there is no such trunk"))?;
    let caller = Caller::numbered(&question.caller);
    let explanation = route::explain(&snapshot, trunk, &question.to, caller, app.world.now().0);
    let value = serde_json::to_value(&explanation).map_err(|error| Problem::internal(&error))?;
    Ok((value, explanation.to_string()))
}
