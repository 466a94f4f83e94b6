//! What call control tells, in the log.
//!
//! Numbers of people are not written there: a call is found by its number in the box, and in the journal and records by
//! whoever may read those.
//!
//! Not here: counters and records (they read the same events).

use call::api::Event;

use crate::strangers;

/// Writes an event to the log.
pub(super) fn tell(event: &Event) {
    match event {
        Event::Started {
            call,
            from_trunk,
            tenant,
            ..
        } => {
            tracing::info!(%call, %from_trunk, tenant = tenant.as_deref(), "call started");
        }
        Event::Trying { call, trunk, .. } => tracing::info!(%call, %trunk, "trying"),
        Event::Ringing { call } => tracing::info!(%call, "ringing"),
        Event::Answered { call } => tracing::info!(%call, "answered"),
        Event::Transferred { call } => tracing::info!(%call, "transferred"),
        Event::Ended {
            call,
            ending,
            status,
            duration,
            correlation,
        } => {
            let correlation = correlation.as_deref();
            tracing::info!(%call, ?ending, status, duration, correlation, "call ended");
        }
        // Anybody can cause this.
        Event::TurnedAway { reason, from } => strangers!(info, ?reason, %from, "turned away"),
        Event::Target {
            trunk,
            target,
            reachable,
        } => tracing::info!(%trunk, %target, ?reachable, "target"),
        Event::Registration { trunk, state } => tracing::info!(%trunk, ?state, "registration"),
    }
}
