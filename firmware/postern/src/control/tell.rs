//! What call control tells, in the log.
//!
//! Numbers of people are not written there: a call is found by its number in the box, and in the journal and records by
//! whoever may read those.
//!
//! A call's progress is said for who looks for faults (`POSTERN_LOG=debug`): a line costs as much as a message. How a leg sounded is said
//! to everybody where many would have complained.
//!
//! Not here: counters and records (they read the same events).

use call::api::{CallId, Event, Opinion, Sound};

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
        Event::Leg {
            call,
            leg,
            trunk,
            call_id,
        } => tracing::debug!(%call, leg, %trunk, %call_id, "leg"),
        Event::Restored { call, .. } => tracing::debug!(%call, "call taken over"),
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
        Event::Silent {
            call,
            trunk,
            milliseconds,
        } => tracing::info!(%call, %trunk, milliseconds, "a party is not heard any more"),
        Event::Insecure {
            call,
            trunk,
            reason,
        } => tracing::warn!(%call, %trunk, %reason, "a party's media could not be secured"),
        Event::Sounded { call, trunk, sound } => sounded(*call, trunk, sound),
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

/// ITU-T G.107 annex B, table B.1: below R = 70 many are dissatisfied.
const MANY_DISSATISFIED: Opinion = Opinion(360);

fn sounded(call: CallId, trunk: &str, sound: &Sound) {
    let [from, to] = [sound.from_party, sound.to_party];
    let is_bad = [from.mos, to.mos]
        .into_iter()
        .flatten()
        .any(|opinion| opinion < MANY_DISSATISFIED);
    let mos = |opinion: Option<Opinion>| opinion.map(f64::from);
    macro_rules! say {
        ($level:ident) => {
            tracing::$level!(
                %call,
                %trunk,
                from_packets = from.packets,
                from_lost = from.lost,
                from_jitter_us = from.jitter_us,
                from_mos = mos(from.mos),
                to_packets = to.packets,
                to_lost = to.lost,
                to_jitter_us = to.jitter_us,
                to_mos = mos(to.mos),
                round_trip_us = sound.round_trip_us,
                dropped = sound.dropped,
                "leg sounded"
            )
        };
    }
    if is_bad { say!(info) } else { say!(debug) }
}
