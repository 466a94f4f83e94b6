//! What call control tells, in the log.
//!
//! Numbers of people are not written there: a call is found by its number in the box, and in the journal and records by
//! whoever may read those.
//!
//! A call's progress is said for who looks for faults (`POSTERN_LOG=debug`): a line costs as much as a message.
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
            tracing::debug!(%call, %from_trunk, tenant = tenant.as_deref(), "call started");
        }
        Event::Trying { call, trunk, .. } => tracing::debug!(%call, %trunk, "trying"),
        Event::Ringing { call } => tracing::debug!(%call, "ringing"),
        Event::Answered { call } => tracing::debug!(%call, "answered"),
        Event::Transferred { call } => tracing::debug!(%call, "transferred"),
        Event::Ended {
            call,
            ending,
            status,
            duration,
            correlation,
        } => {
            let correlation = correlation.as_deref();
            tracing::debug!(%call, ?ending, status, duration, correlation, "call ended");
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
