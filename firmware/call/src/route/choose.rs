//! The route of a call: the first that matches takes it.
//!
//! Routes are looked at in the order of the document. A decision is kept with its call: it names the route, the trunks with what each will be
//! told, and the causes that allow another try. [`explain`](super::explain) looks over the shoulder of the same code through
//! [`weigh`]'s observer, so that what it tells is what happens.
//!
//! EMG-01: an emergency call goes to a route that names its number before any that would take it by chance, and is not screened.

use config::document::carrier::PeerOrder;
use config::document::route::{Route, ToNumber};
use config::document::tenant::Screening;
use config::document::trunk::TrunkKind;
use config::values::Endpoint;
use config::{RouteId, Snapshot, TenantId, TrunkId};
use serde::Serialize;
use sip::message::StatusCode;

use super::attempt::{Attempt, Caller, Presentation};
use super::translate::{HeaderChange, Step, Whose, headers, translate};

/// Where a call goes, and in which order it tries.
#[derive(Debug, Clone)]
pub struct Decision {
    pub(super) route: RouteId,
    pub(super) route_name: String,
    pub(super) attempt: Attempt,
    /// Groups in order of priority.
    pub(super) groups: Vec<Vec<Candidate>>,
    /// Status codes that allow another trunk.
    pub(super) failover: Vec<u16>,
}

/// A trunk that a call may go out on, with what it will be told.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) weight: u32,
    pub(super) trunk: TrunkId,
    pub(super) trunk_name: String,
    pub(super) kind: Kind,
    pub(super) hosts: Vec<Endpoint>,
    pub(super) order: PeerOrder,
    pub(super) called: String,
    pub(super) caller: Caller,
    pub(super) headers: Vec<HeaderChange>,
    pub(super) steps: Vec<Step>,
}

/// What decides about a second try (INV-13).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Teams,
    Carrier,
}

/// Why a call goes nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// No route takes it.
    NoRoute,
    /// A route takes it, but none of its trunks may be used for this tenant (MT-01).
    NoTrunk,
    /// The caller id is not one of the tenant's numbers (MT-03).
    CallerNotAllowed,
}

impl Refusal {
    /// What the caller's side is answered (spec §1.8: unallocated is 404, a caller who may not is 403).
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::NoRoute | Self::NoTrunk => StatusCode::NOT_FOUND,
            Self::CallerNotAllowed => StatusCode::FORBIDDEN,
        }
    }
}

/// Why a route did not take a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mismatch {
    /// It is for calls of another tenant.
    Tenant,
    /// It is for calls from other trunks.
    From,
    /// It is for other numbers.
    Number,
    /// It is for other times.
    Time,
    /// The call is an emergency, and another route names its number.
    NotForEmergencies,
}

/// What [`weigh`] sees on its way.
pub(super) enum Sight {
    /// A route was passed over.
    Passed(RouteId, Mismatch),
    /// MT-01: a trunk of the route belongs to another tenant.
    Foreign(TrunkId),
    /// MT-03: the caller id was overwritten.
    Overwritten(String),
}

impl Decision {
    /// The route that took the call.
    #[must_use]
    pub const fn route(&self) -> RouteId {
        self.route
    }

    /// The route's name.
    #[must_use]
    pub fn route_name(&self) -> &str {
        &self.route_name
    }

    /// What was asked for.
    #[must_use]
    pub const fn attempt(&self) -> &Attempt {
        &self.attempt
    }

    /// The tenant whose limits count.
    #[must_use]
    pub fn tenant(&self) -> Option<TenantId> {
        self.attempt.tenant()
    }
}

/// The route that takes a call at `wall` (seconds since 1970, UTC).
///
/// # Errors
/// Nobody takes it; the refusal knows its status code.
pub fn choose(snapshot: &Snapshot, attempt: &Attempt, wall: u64) -> Result<Decision, Refusal> {
    weigh(snapshot, attempt, wall, &mut |_| ())
}

/// [`choose`], with an observer.
pub(super) fn weigh(
    snapshot: &Snapshot,
    attempt: &Attempt,
    wall: u64,
    observe: &mut impl FnMut(Sight),
) -> Result<Decision, Refusal> {
    let caller = screen(snapshot, attempt, observe)?;
    let (id, route) = route_of(snapshot, attempt, wall, observe).ok_or(Refusal::NoRoute)?;
    let mut groups = Vec::new();
    for group in &route.send_to {
        let mut candidates = Vec::new();
        for &(trunk, weight) in &group.trunks {
            let owner = snapshot.trunk(trunk).tenant();
            if owner.is_some() && attempt.tenant().is_some() && owner != attempt.tenant() {
                observe(Sight::Foreign(trunk));
                continue;
            }
            candidates.push(candidate(snapshot, attempt, &caller, trunk, weight));
        }
        if !candidates.is_empty() {
            groups.push(candidates);
        }
    }
    if groups.is_empty() {
        return Err(Refusal::NoTrunk);
    }
    let failover = route.failover.clone();
    Ok(Decision {
        route: id,
        route_name: route.name.clone(),
        attempt: attempt.clone(),
        groups,
        failover,
    })
}

/// MT-03: a user of Teams can be given any number; what leaves must be one of the tenant's.
fn screen(
    snapshot: &Snapshot,
    attempt: &Attempt,
    observe: &mut impl FnMut(Sight),
) -> Result<Caller, Refusal> {
    let caller = attempt.calling_party();
    let keep = Ok(caller.clone());
    let Some(tenant) = attempt.tenant() else {
        return keep;
    };
    if attempt.is_emergency() || !snapshot.trunk(attempt.trunk()).is_teams() {
        return keep;
    }
    if snapshot.owns(tenant, &caller.number) {
        return keep;
    }
    let settings = snapshot.tenant(tenant);
    match settings.screening {
        Screening::Off => keep,
        Screening::Refuse => Err(Refusal::CallerNotAllowed),
        Screening::Overwrite => {
            let first = settings.numbers.first().ok_or(Refusal::CallerNotAllowed)?;
            let number = format!("+{}", first.first);
            observe(Sight::Overwritten(number.clone()));
            Ok(Caller {
                number,
                display: String::new(),
                presentation: caller.presentation,
            })
        }
    }
}

fn route_of<'s>(
    snapshot: &'s Snapshot,
    attempt: &Attempt,
    wall: u64,
    observe: &mut impl FnMut(Sight),
) -> Option<(RouteId, &'s Route)> {
    let all = || (0..).map(RouteId).zip(&snapshot.routes);
    if attempt.is_emergency() {
        let named = all().find(|(_, route)| {
            names(route, attempt.called()) && mismatch(snapshot, route, attempt, wall).is_none()
        });
        if let Some(found) = named {
            for (id, route) in all().take_while(|(id, _)| *id != found.0) {
                let why =
                    mismatch(snapshot, route, attempt, wall).unwrap_or(Mismatch::NotForEmergencies);
                observe(Sight::Passed(id, why));
            }
            return Some(found);
        }
    }
    all().find(
        |(id, route)| match mismatch(snapshot, route, attempt, wall) {
            Some(why) => {
                observe(Sight::Passed(*id, why));
                false
            }
            None => true,
        },
    )
}

fn names(route: &Route, number: &str) -> bool {
    route
        .to
        .iter()
        .any(|to| matches!(to, ToNumber::Exact(exact) if exact == number))
}

fn mismatch(snapshot: &Snapshot, route: &Route, attempt: &Attempt, wall: u64) -> Option<Mismatch> {
    if route.tenant.is_some() && route.tenant != attempt.tenant() {
        return Some(Mismatch::Tenant);
    }
    if !route.from.is_empty() && !route.from.contains(&attempt.trunk()) {
        return Some(Mismatch::From);
    }
    if !route.to.is_empty() && !route.to.iter().any(|to| covers(snapshot, to, attempt)) {
        return Some(Mismatch::Number);
    }
    if !route.when.is_empty() && !route.when.iter().any(|window| window.contains(wall)) {
        return Some(Mismatch::Time);
    }
    None
}

fn covers(snapshot: &Snapshot, to: &ToNumber, attempt: &Attempt) -> bool {
    let number = attempt.called();
    match to {
        // The tenant of a carrier's call is the owner of the number, unless the trunk is reserved.
        ToNumber::OfTenant => attempt
            .tenant()
            .is_some_and(|tenant| snapshot.owns(tenant, number)),
        other => other.covers(number),
    }
}

fn candidate(
    snapshot: &Snapshot,
    attempt: &Attempt,
    caller: &Caller,
    trunk: TrunkId,
    weight: u32,
) -> Candidate {
    let settings = snapshot.trunk(trunk);
    let mut steps = Vec::new();
    let called = if attempt.is_emergency() {
        attempt.called().to_owned()
    } else {
        translate(
            &settings.numbers,
            Whose::CalledOut,
            attempt.called(),
            &mut steps,
        )
    };
    let number = translate(
        &settings.numbers,
        Whose::CallerOut,
        &caller.number,
        &mut steps,
    );
    let display = match caller.presentation {
        Presentation::Shown => caller.display.clone(),
        Presentation::Withheld => String::new(),
    };
    let (kind, hosts, order) = match &settings.kind {
        TrunkKind::Teams(teams) => (Kind::Teams, teams.proxies.clone(), PeerOrder::Listed),
        TrunkKind::Carrier(carrier) => (Kind::Carrier, carrier.peers.clone(), carrier.order),
    };
    Candidate {
        weight,
        trunk,
        trunk_name: settings.name.clone(),
        kind,
        hosts,
        order,
        called,
        caller: Caller {
            number,
            display,
            presentation: caller.presentation,
        },
        headers: headers(settings, attempt),
        steps,
    }
}

/// What a trunk is told of a call that no route has led to it: a transfer that goes back where it came from (REF-03).
pub(super) fn straight_to(snapshot: &Snapshot, attempt: &Attempt, trunk: TrunkId) -> Candidate {
    candidate(snapshot, attempt, attempt.calling_party(), trunk, 1)
}
