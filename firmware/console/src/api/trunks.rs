//! Trunks as they are: whether their targets answer, and why not; registrations.
//!
//! Who sees one tenant alone is told of that tenant's trunks alone.
//!
//! Not here: their settings (`configuration`), what would be wrong with them (`doctor`).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use call::api::{Outcome, Reachability, RegistrationState, TrunkView};
use serde::Serialize;
use utoipa::ToSchema;

use super::Problem;
use crate::access::Who;
use crate::accounts::Right;
use crate::app::App;
use crate::plane::PlaneError;

/// A trunk.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Trunk {
    /// Its name.
    pub(crate) trunk: String,
    /// The tenant whose it is, where it is one's alone.
    pub(crate) tenant: Option<String>,
    /// Whom it calls, as far as they are asked for by OPTIONS.
    pub(crate) targets: Vec<Target>,
    /// `registered`, `trying` or `refused`, where it registers.
    pub(crate) registration: Option<String>,
    /// Seconds since the peer last asked us by OPTIONS.
    pub(crate) asked_us: Option<u64>,
}

/// A target of a trunk.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Target {
    /// Its name or address, and port.
    pub(crate) target: String,
    /// `up`, `down` or `unknown`.
    pub(crate) state: String,
    /// What came of the last OPTIONS, in words.
    pub(crate) reason: Option<String>,
    /// Seconds since then.
    pub(crate) ago: Option<u64>,
}

impl From<TrunkView> for Trunk {
    fn from(view: TrunkView) -> Self {
        let targets = view.targets.into_iter().map(|target| Target {
            target: target.target,
            state: match target.reachable {
                Reachability::Unknown => "unknown",
                Reachability::Up => "up",
                Reachability::Down => "down",
            }
            .to_owned(),
            reason: target.last.map(said),
            ago: target.ago,
        });
        Self {
            trunk: view.trunk,
            tenant: view.tenant,
            targets: targets.collect(),
            registration: view.registration.map(|state| {
                match state {
                    RegistrationState::Registered => "registered",
                    RegistrationState::Trying => "trying",
                    RegistrationState::Refused => "refused",
                }
                .to_owned()
            }),
            asked_us: view.asked_us,
        }
    }
}

fn said(outcome: Outcome) -> String {
    match outcome {
        Outcome::Answered {
            status,
            milliseconds,
        } => format!("{status} after {milliseconds} ms"),
        Outcome::NoAnswer => "no answer".to_owned(),
        Outcome::NotSent => "not reached".to_owned(),
    }
}

/// Lists the trunks.
#[utoipa::path(get, path = "/api/v1/trunks", responses(
    (status = 200, body = [Trunk]),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 503, body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn trunks(
    State(app): State<Arc<App>>,
    who: Who,
) -> Result<Json<Vec<Trunk>>, Problem> {
    Ok(Json(seen(&app, &who).await?))
}

/// Those that somebody sees.
pub(crate) async fn seen(app: &App, who: &Who) -> Result<Vec<Trunk>, Problem> {
    who.may(Right::SeeCalls)?;
    let scope = who.role.scope();
    let told = app.plane.query("trunks").await?;
    let views: Vec<TrunkView> = serde_json::from_value(told).map_err(PlaneError::from)?;
    let own = views
        .into_iter()
        .filter(|view| scope.covers(view.tenant.as_deref()));
    Ok(own.map(Trunk::from).collect())
}
