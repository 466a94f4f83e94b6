//! Calls: those that are, those that were, and all that happened in one.
//!
//! Who sees one tenant alone is told of no other: not in lists, and not by guessing a call's number.
//!
//! Not here: the keeping (`store::trace`, in control).

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::{Path, Problem, Query};
use crate::access::Who;
use crate::accounts::{Right, Scope};
use crate::app::App;
use crate::plane::PlaneError;

/// A call that is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Live {
    /// Its number.
    pub(crate) call: u64,
    /// Calling number.
    pub(crate) caller: String,
    /// Called number.
    pub(crate) called: String,
    /// Trunk of the caller.
    pub(crate) from_trunk: String,
    /// Trunk of the callee, once chosen.
    pub(crate) to_trunk: Option<String>,
    /// Whose call it is, where it is known.
    pub(crate) tenant: Option<String>,
    /// `routing`, `ringing`, `talking`, `transferring` or `ending`.
    pub(crate) stage: String,
}

/// A call that was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Past {
    /// Its number.
    pub(crate) call: u64,
    /// Microseconds since 1970 at which it began.
    pub(crate) began: u64,
    /// And ended.
    pub(crate) ended: Option<u64>,
    /// Trunk of the caller.
    pub(crate) from_trunk: Option<String>,
    /// Trunk of the callee.
    pub(crate) to_trunk: Option<String>,
    /// Whose call it was.
    pub(crate) tenant: Option<String>,
    /// Calling number.
    pub(crate) caller: Option<String>,
    /// Called number.
    pub(crate) called: Option<String>,
    /// How it ended, as a word.
    pub(crate) ending: Option<String>,
    /// The status that the caller was told, where it was refused.
    pub(crate) status: Option<u16>,
    /// Seconds from answer to end.
    pub(crate) duration: Option<f64>,
    /// The worst opinion score of any of its ways.
    pub(crate) mos: Option<f64>,
    /// What the far end calls it.
    pub(crate) correlation: Option<String>,
    /// Call-ID of each leg.
    #[serde(default)]
    pub(crate) call_ids: Vec<String>,
}

/// A page of calls, the newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Page {
    /// The calls.
    pub(crate) calls: Vec<Past>,
    /// What to give as `after` for the next page; none behind the last.
    pub(crate) next: Option<u64>,
}

/// Which calls.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sought {
    /// In a number, a trunk, a tenant or a Call-ID.
    pub(crate) text: Option<String>,
    /// Of this tenant.
    pub(crate) tenant: Option<String>,
    /// From or to this trunk.
    pub(crate) trunk: Option<String>,
    /// Ended so.
    pub(crate) ending: Option<String>,
    /// Begun at this time or later, in microseconds since 1970.
    pub(crate) since: Option<u64>,
    /// Begun before.
    pub(crate) until: Option<u64>,
    /// Older than this one.
    pub(crate) after: Option<u64>,
    /// At most so many.
    #[param(minimum = 1, maximum = 1000)]
    pub(crate) most: Option<u16>,
}

/// All that happened in a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Ladder {
    /// The call.
    pub(crate) summary: Past,
    /// Pieces that are no longer kept.
    pub(crate) missing: u64,
    /// What happened, in order.
    pub(crate) items: Vec<Rung>,
}

/// One thing that happened: a message, something that call control told, or a gap.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Rung {
    /// When, in microseconds since 1970.
    pub(crate) at: u64,
    /// The leg of a message: 0 is the caller's.
    pub(crate) leg: Option<u8>,
    /// `received` or `sent`.
    pub(crate) way: Option<String>,
    /// `udp`, `tcp` or `tls`.
    pub(crate) transport: Option<String>,
    /// Our address.
    pub(crate) local: Option<String>,
    /// The party's.
    pub(crate) remote: Option<String>,
    /// The message, without secrets.
    pub(crate) text: Option<String>,
    /// What call control told.
    #[schema(value_type = Option<Object>)]
    pub(crate) told: Option<Value>,
    /// So many messages were left out from here on.
    pub(crate) left_out: Option<u32>,
}

/// Lists the calls that are.
#[utoipa::path(get, path = "/api/v1/calls", responses(
    (status = 200, body = [Live]),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 503, body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn live(
    State(app): State<Arc<App>>,
    who: Who,
) -> Result<Json<Vec<Live>>, Problem> {
    Ok(Json(now(&app, &who).await?))
}

/// Ends a call.
#[utoipa::path(delete, path = "/api/v1/calls/{call}", params(("call" = u64, Path)), responses(
    (status = 202, description = "Both parties are being told."),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 503, body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn hang_up(
    State(app): State<Arc<App>>,
    who: Who,
    Path(call): Path<u64>,
) -> Result<StatusCode, Problem> {
    end(&app, &who, call).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Lists calls that were.
#[utoipa::path(get, path = "/api/v1/history", params(Sought), responses(
    (status = 200, body = Page),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 503, body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn history(
    State(app): State<Arc<App>>,
    who: Who,
    Query(sought): Query<Sought>,
) -> Result<Json<Page>, Problem> {
    Ok(Json(search(&app, &who, &sought).await?))
}

/// Shows all that happened in a call.
#[utoipa::path(get, path = "/api/v1/history/{call}", params(("call" = u64, Path)), responses(
    (status = 200, body = Ladder),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 503, body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn ladder(
    State(app): State<Arc<App>>,
    who: Who,
    Path(call): Path<u64>,
) -> Result<Json<Ladder>, Problem> {
    Ok(Json(climb(&app, &who, call).await?))
}

/// The same as text.
#[utoipa::path(get, path = "/api/v1/history/{call}/text", params(("call" = u64, Path)), responses(
    (status = 200, body = String, content_type = "text/plain"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 503, body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn text(
    State(app): State<Arc<App>>,
    who: Who,
    Path(call): Path<u64>,
) -> Result<Response, Problem> {
    let ladder = climb(&app, &who, call).await?;
    Ok((
        [
            (CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
            attached(call, "txt"),
        ],
        written(&ladder),
    )
        .into_response())
}

/// The same as a capture.
#[utoipa::path(get, path = "/api/v1/history/{call}/pcapng", params(("call" = u64, Path)), responses(
    (status = 200, description = "A capture of the messages.", content_type = "application/octet-stream"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 503, body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn pcapng(
    State(app): State<Arc<App>>,
    who: Who,
    Path(call): Path<u64>,
) -> Result<Response, Problem> {
    let answer = read(&app, &who, call, "pcapng").await?;
    let capture = answer["pcapng"].as_str().unwrap_or_default();
    let capture = STANDARD
        .decode(capture)
        .map_err(|error| Problem::internal(&error))?;
    Ok((
        [
            (CONTENT_TYPE, "application/octet-stream".to_owned()),
            attached(call, "pcapng"),
        ],
        capture,
    )
        .into_response())
}

fn attached(call: u64, ending: &str) -> (axum::http::HeaderName, String) {
    let name = format!("attachment; filename=\"call-{call}.{ending}\"");
    (CONTENT_DISPOSITION, name)
}

/// The calls that are and that they may see.
pub(crate) async fn now(app: &App, who: &Who) -> Result<Vec<Live>, Problem> {
    who.may(Right::SeeCalls)?;
    let answer = app.plane.query("calls").await?;
    let mut calls: Vec<Live> = understood(answer)?;
    let scope = who.role.scope();
    calls.retain(|call| scope.covers(call.tenant.as_deref()));
    Ok(calls)
}

/// Ends a call that they may see.
pub(crate) async fn end(app: &App, who: &Who, call: u64) -> Result<(), Problem> {
    who.may(Right::EndCalls)?;
    let calls = now(app, who).await?;
    if !calls.iter().any(|live| live.call == call) {
        return Err(unknown());
    }
    let order = json!({ "command": "hang_up", "call": call });
    app.plane.ask(&order).await?;
    who.did(app, "hung_up", &call.to_string())
}

/// The calls that were, are sought, and that they may see.
pub(crate) async fn search(app: &App, who: &Who, sought: &Sought) -> Result<Page, Problem> {
    who.may(Right::SeeCalls)?;
    let scope = who.role.scope();
    let tenant = match (&scope, &sought.tenant) {
        (Scope::All, tenant) => tenant.as_deref(),
        (Scope::Tenant(own), _) => Some(own.as_str()),
    };
    let question = json!({ "history": {
        "text": sought.text, "tenant": tenant, "trunk": sought.trunk, "ending": sought.ending,
        "since": sought.since, "until": sought.until, "after": sought.after, "most": sought.most,
    } });
    let mut page: Page = understood(app.plane.ask(&question).await?)?;
    // Said twice, because it is what a tenant relies on.
    page.calls
        .retain(|call| scope.covers(call.tenant.as_deref()));
    Ok(page)
}

/// All that happened in a call that they may see.
pub(crate) async fn climb(app: &App, who: &Who, call: u64) -> Result<Ladder, Problem> {
    understood(read(app, who, call, "items").await?)
}

async fn read(app: &App, who: &Who, call: u64, form: &str) -> Result<Value, Problem> {
    who.may(Right::SeeCalls)?;
    let question = json!({ "ladder": { "call": call, "form": form } });
    let answer = match app.plane.ask(&question).await {
        Err(PlaneError::Refused(_)) => return Err(unknown()),
        answer => answer?,
    };
    let tenant = answer["summary"]["tenant"].as_str();
    if who.role.scope().covers(tenant) {
        Ok(answer)
    } else {
        Err(unknown())
    }
}

/// The same word for a call that is not there and for one of somebody else.
fn unknown() -> Problem {
    Problem::not_found("no such call")
}

fn understood<T: serde::de::DeserializeOwned>(answer: Value) -> Result<T, Problem> {
    serde_json::from_value(answer).map_err(|error| Problem::internal(&error))
}

fn written(ladder: &Ladder) -> String {
    let mut text = String::new();
    let began = ladder.summary.began;
    for rung in &ladder.items {
        let since = rung.at.saturating_sub(began) as f64 / 1e6;
        let _ = match (&rung.text, &rung.told, rung.left_out) {
            (Some(message), _, _) => writeln!(
                text,
                "{since:>10.3}  leg {} {} {} {}\n\n{message}",
                rung.leg.unwrap_or_default(),
                rung.way.as_deref().unwrap_or_default(),
                rung.transport.as_deref().unwrap_or_default(),
                rung.remote.as_deref().unwrap_or_default(),
            ),
            (None, Some(told), _) => writeln!(text, "{since:>10.3}  {told}\n"),
            (None, None, left_out) => writeln!(
                text,
                "{since:>10.3}  {} more that were left out\n",
                left_out.unwrap_or_default()
            ),
        };
    }
    text
}
