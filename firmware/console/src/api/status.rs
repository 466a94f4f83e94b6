//! How the box is.
//!
//! Not here: calls.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use tokio::task::block_in_place;
use utoipa::ToSchema;

use super::Problem;
use crate::access::Who;
use crate::accounts::Right;
use crate::app::App;

/// How the box is.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Status {
    /// What control holds: calls, dialogs, ports, connections; whether media is there. None where control does not answer.
    #[schema(value_type = Option<Object>)]
    pub(crate) census: Option<Value>,
    /// What came and went by the network.
    #[schema(value_type = Option<Object>)]
    pub(crate) network: Option<Value>,
    /// The version of the configuration that is in force.
    pub(crate) configuration: Option<u64>,
    /// Seconds since 1970 until which that version must be confirmed, or the one before comes back.
    pub(crate) confirm_until: Option<u64>,
    /// Calls, a sample every five seconds, the oldest first; none where control did not answer.
    pub(crate) pulse: Vec<Option<u32>>,
}

/// Says how the box is.
#[utoipa::path(get, path = "/api/v1/status", responses(
    (status = 200, body = Status),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn status(State(app): State<Arc<App>>, who: Who) -> Result<Json<Status>, Problem> {
    who.may(Right::SeeBox)?;
    Ok(Json(of(&app).await?))
}

pub(crate) async fn of(app: &App) -> Result<Status, Problem> {
    let census = app.plane.query("census").await.ok();
    let network = app.plane.query("network").await.ok();
    let standing = block_in_place(|| app.documents.standing())?;
    let pending = standing.as_ref().and_then(|standing| standing.pending);
    Ok(Status {
        census,
        network,
        configuration: standing.map(|standing| standing.current),
        confirm_until: pending.map(|pending| pending.until.0),
        pulse: app.pulse.samples(),
    })
}
