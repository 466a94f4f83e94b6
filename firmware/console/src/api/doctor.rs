//! The examination of the box.
//!
//! Not here: what is looked at (the [`crate::doctor::Physician`]), what follows from it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::Problem;
use crate::access::Who;
use crate::accounts::Right;
use crate::app::App;
use crate::doctor::Report;

/// Examines the box: configuration, certificates, names, peers, trunks. Takes some seconds; one at a time.
#[utoipa::path(post, path = "/api/v1/doctor", responses(
    (status = 200, body = Report),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn doctor(State(app): State<Arc<App>>, who: Who) -> Result<Json<Report>, Problem> {
    Ok(Json(examined(&app, &who).await?))
}

pub(crate) async fn examined(app: &App, who: &Who) -> Result<Report, Problem> {
    who.may(Right::SeeBox)?;
    let _turn = app.examination.lock().await;
    Ok(app.physician.examine().await)
}
