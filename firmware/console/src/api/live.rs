//! What happens now, as server-sent events: the calls, whenever they have changed.
//!
//! Not here: what each view is made of (`calls`, `status`).

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, KeepAliveStream, Sse};
use futures_core::Stream;
use tokio::sync::mpsc;
use tokio::time::interval;

use super::{Problem, calls};
use crate::access::Who;
use crate::accounts::Right;
use crate::app::App;

/// How often calls are looked at for somebody who watches.
const EVERY: Duration = Duration::from_secs(1);

/// Events that somebody slow has not taken; beyond it he misses some, and gets the next.
const WAITING: usize = 4;

/// Events as they come.
pub(crate) struct Events(mpsc::Receiver<Event>);

impl Stream for Events {
    type Item = Result<Event, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context).map(|event| event.map(Ok))
    }
}

/// Tells of the calls, whenever they have changed, until whoever listens goes away or may no longer.
#[utoipa::path(get, path = "/api/v1/events", responses(
    (status = 200, description = "Events `calls`, each with what GET /api/v1/calls answers.", content_type = "text/event-stream"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn events(
    State(app): State<Arc<App>>,
    who: Who,
) -> Result<Sse<KeepAliveStream<Events>>, Problem> {
    who.may(Right::SeeCalls)?;
    let (give, take) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        let mut beat = interval(EVERY);
        let mut told = None;
        loop {
            tokio::select! {
                _ = beat.tick() => {}
                () = give.closed() => return,
            }
            if !is_still_there(&app, &who) {
                return;
            }
            let Ok(calls) = calls::now(&app, &who).await else {
                continue;
            };
            let text = serde_json::to_string(&calls).unwrap_or_default();
            if told.as_ref() == Some(&text) {
                continue;
            }
            if give
                .try_send(Event::default().event("calls").data(&text))
                .is_ok()
            {
                told = Some(text);
            }
        }
    });
    Ok(Sse::new(Events(take)).keep_alive(KeepAlive::default()))
}

/// Whether the session that began to listen is still one, with the same rights.
fn is_still_there(app: &App, who: &Who) -> bool {
    let Some(session) = &who.session else {
        return true;
    };
    let is_listed = app
        .sessions
        .list(app.world.now())
        .iter()
        .any(|listed| listed.number == session.number);
    let user = tokio::task::block_in_place(|| app.users.find(&who.name));
    is_listed && matches!(user, Ok(Some(user)) if user.role == who.role)
}
