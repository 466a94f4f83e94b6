//! Whether there is room for another call: at the same time, and per second, on the box, for a tenant, on a trunk.
//!
//! Gauges are kept by name, so that a new configuration finds them as they are: a limit that is lowered ends no call, it only
//! keeps new ones out. All that concern a call are asked before any is taken from. What was taken is in the call's [`Ticket`], and
//! goes back with it.
//!
//! The rate is a leaky bucket of one second (GCRA): a burst of as many calls as the limit says, then one each interval.
//! EMG-01: an emergency call is counted and never refused. INV-12: a call that finds no room is answered 503.

use std::collections::HashMap;

use config::document::tenant::Limits as Ceiling;
use config::{Snapshot, TrunkId};
use embassy_time::{Duration, Instant};
use serde::{Deserialize, Serialize};

use super::choose::Decision;

/// The depth of the bucket.
const BURST: Duration = Duration::from_secs(1);

/// Calls in progress and lately begun.
#[derive(Debug, Default)]
pub struct Limits {
    whole: Gauge,
    tenants: HashMap<String, Gauge>,
    trunks: HashMap<String, Gauge>,
}

/// What a call has taken: to be given back by [`Limits::release`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[must_use = "a ticket that is not released is counted for ever"]
pub struct Ticket {
    tenant: Option<String>,
    from: String,
    to: Option<String>,
    urgency: Urgency,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Urgency {
    Ordinary,
    Emergency,
}

/// A limit that is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LimitReached {
    /// Whose limit it is.
    pub of: Scope,
    /// What there would be too many of.
    pub what: Measure,
}

/// Whose limit it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// The box as a whole.
    Appliance,
    /// The tenant.
    Tenant,
    /// The trunk that the call came in on, or would go out on.
    Trunk,
}

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Calls at the same time.
    Concurrent,
    /// Calls begun in a second.
    Rate,
}

/// What is in progress under one name.
#[derive(Debug, Clone, Copy)]
struct Gauge {
    active: u32,
    /// When the bucket is empty again; in the past if it is.
    drained: Instant,
}

impl Default for Gauge {
    fn default() -> Self {
        Self {
            active: 0,
            drained: Instant::from_ticks(0),
        }
    }
}

impl Gauge {
    fn room(self, of: Scope, ceiling: Ceiling, now: Instant) -> Result<(), LimitReached> {
        if ceiling
            .concurrent_calls
            .is_some_and(|most| self.active >= most)
        {
            return Err(LimitReached {
                of,
                what: Measure::Concurrent,
            });
        }
        let Some(rate) = ceiling.calls_per_second else {
            return Ok(());
        };
        match interval(rate) {
            Some(interval) if self.drained.max(now) + interval <= now + BURST => Ok(()),
            _ => Err(LimitReached {
                of,
                what: Measure::Rate,
            }),
        }
    }

    fn take(&mut self, ceiling: Ceiling, now: Instant) {
        self.active = self.active.saturating_add(1);
        if let Some(interval) = ceiling.calls_per_second.and_then(interval) {
            self.drained = self.drained.max(now) + interval;
        }
    }

    /// A call that has begun before: it is there, but nothing begins.
    const fn resume(&mut self) {
        self.active = self.active.saturating_add(1);
    }

    const fn give_back(&mut self) {
        self.active = self.active.saturating_sub(1);
    }
}

/// The time that one call takes up; none if there may be no call at all.
fn interval(rate: u32) -> Option<Duration> {
    1_000_000_u64
        .checked_div(u64::from(rate))
        .map(Duration::from_micros)
}

impl Limits {
    /// Make room for a call on the box, for its tenant and on the trunk that it came in on.
    ///
    /// # Errors
    /// The first limit that is reached; nothing has been taken then.
    pub fn admit(
        &mut self,
        snapshot: &Snapshot,
        decision: &Decision,
        now: Instant,
    ) -> Result<Ticket, LimitReached> {
        let attempt = decision.attempt();
        let urgency = if attempt.is_emergency() {
            Urgency::Emergency
        } else {
            Urgency::Ordinary
        };
        let tenant = attempt.tenant().map(|id| snapshot.tenant(id));
        let from = snapshot.trunk(attempt.trunk());
        if urgency == Urgency::Ordinary {
            self.whole.room(Scope::Appliance, snapshot.limits, now)?;
            if let Some(tenant) = tenant {
                gauge(&self.tenants, &tenant.name).room(Scope::Tenant, tenant.limits, now)?;
            }
            gauge(&self.trunks, &from.name).room(Scope::Trunk, from.limits, now)?;
        }
        self.whole.take(snapshot.limits, now);
        if let Some(tenant) = tenant {
            self.tenants
                .entry(tenant.name.clone())
                .or_default()
                .take(tenant.limits, now);
        }
        self.trunks
            .entry(from.name.clone())
            .or_default()
            .take(from.limits, now);
        Ok(Ticket {
            tenant: tenant.map(|tenant| tenant.name.clone()),
            from: from.name.clone(),
            to: None,
            urgency,
        })
    }

    /// Make room for the call on the trunk that it is about to try, and give back the one that it tried before.
    ///
    /// # Errors
    /// The trunk's limit is reached: the hunt goes on as after a 503 of it.
    pub fn enter(
        &mut self,
        snapshot: &Snapshot,
        ticket: &mut Ticket,
        trunk: TrunkId,
        now: Instant,
    ) -> Result<(), LimitReached> {
        let to = snapshot.trunk(trunk);
        if ticket.to.as_ref() == Some(&to.name) {
            return Ok(());
        }
        self.leave(ticket);
        if ticket.urgency == Urgency::Ordinary {
            gauge(&self.trunks, &to.name).room(Scope::Trunk, to.limits, now)?;
        }
        self.trunks
            .entry(to.name.clone())
            .or_default()
            .take(to.limits, now);
        ticket.to = Some(to.name.clone());
        Ok(())
    }

    /// A call goes on over a restart: what it had taken is taken again, whatever the limits say by now.
    pub fn resume(&mut self, ticket: &Ticket) {
        self.whole.resume();
        if let Some(tenant) = &ticket.tenant {
            self.tenants.entry(tenant.clone()).or_default().resume();
        }
        for trunk in [Some(&ticket.from), ticket.to.as_ref()]
            .into_iter()
            .flatten()
        {
            self.trunks.entry(trunk.clone()).or_default().resume();
        }
    }

    /// The call is over.
    pub fn release(&mut self, mut ticket: Ticket) {
        self.leave(&mut ticket);
        self.whole.give_back();
        if let Some(gauge) = ticket
            .tenant
            .as_ref()
            .and_then(|name| self.tenants.get_mut(name))
        {
            gauge.give_back();
        }
        if let Some(gauge) = self.trunks.get_mut(&ticket.from) {
            gauge.give_back();
        }
    }

    /// Forget the names that a new configuration does not have, once their last call has ended.
    pub fn configure(&mut self, snapshot: &Snapshot) {
        self.trunks
            .retain(|name, gauge| gauge.active > 0 || snapshot.trunk_named(name).is_some());
        self.tenants.retain(|name, gauge| {
            gauge.active > 0 || snapshot.tenants.iter().any(|tenant| tenant.name == *name)
        });
    }

    /// Calls in progress on the box.
    #[must_use]
    pub const fn calls(&self) -> u32 {
        self.whole.active
    }

    /// Calls in progress on a trunk, in both directions.
    #[must_use]
    pub fn calls_on_trunk(&self, name: &str) -> u32 {
        gauge(&self.trunks, name).active
    }

    /// Calls in progress of a tenant.
    #[must_use]
    pub fn calls_of_tenant(&self, name: &str) -> u32 {
        gauge(&self.tenants, name).active
    }

    fn leave(&mut self, ticket: &mut Ticket) {
        if let Some(gauge) = ticket.to.take().and_then(|name| self.trunks.get_mut(&name)) {
            gauge.give_back();
        }
    }
}

fn gauge(gauges: &HashMap<String, Gauge>, name: &str) -> Gauge {
    gauges.get(name).copied().unwrap_or_default()
}
