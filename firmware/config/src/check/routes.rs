//! A route must be able to get a call, and to lead somewhere.
//!
//! Hidden is a route whose every call an earlier one takes: one that is open always and to at least the same tenants, trunks and numbers.
//! Only what can be told for certain is told: patterns and windows are not compared.

use crate::document::Read;
use crate::document::route::{Route, ToNumber};
use crate::finding::{Problem, Report};

pub(super) fn check(read: &Read<'_>, report: &mut Report<'_>) {
    let routes = &read.document.routes;
    for (index, route) in routes.iter().enumerate() {
        let hiding = (0..index)
            .find(|&earlier| !half_read(read, earlier) && hides(read, &routes[earlier], route));
        if let Some(earlier) = hiding {
            let problem = Problem::Hidden {
                route: routes[earlier].name.clone(),
                line: report.line_of(&read.span("route", earlier, "name")),
            };
            let span = read.span("route", index, "name");
            report.add(&span, format!("route.{}", route.name), problem);
        }
        if leads_nowhere(read, route) {
            let problem = Problem::Conflict {
                what: "each of these trunks belongs to another tenant than the calls of this route (MT-01)",
                cure: "Send to a trunk of the same tenant.",
            };
            let span = read.span("route", index, "send_to");
            report.add(&span, format!("route.{}.send_to", route.name), problem);
        }
    }
}

/// Whether a condition is written that could not be read, so that the route looks wider than it is.
fn half_read(read: &Read<'_>, index: usize) -> bool {
    let route = &read.document.routes[index];
    let lost = |key, empty| empty && read.sets("route", index, key);
    lost("from", route.from.is_empty())
        || lost("when", route.when.is_empty())
        || lost("tenant", route.tenant.is_none())
        || ["to_numbers", "prefix", "pattern"]
            .into_iter()
            .any(|key| lost(key, route.to.is_empty()))
}

fn hides(read: &Read<'_>, earlier: &Route, later: &Route) -> bool {
    let tenants = earlier.tenant.is_none() || earlier.tenant == later.tenant;
    let trunks = earlier.from.is_empty()
        || (!later.from.is_empty() && later.from.iter().all(|trunk| earlier.from.contains(trunk)));
    let numbers = earlier.to.is_empty()
        || (!later.to.is_empty()
            && later
                .to
                .iter()
                .all(|number| earlier.to.iter().any(|wider| within(number, wider))));
    // EMG-01: a route that names an emergency number gets its calls wherever it stands.
    let named = later
        .to
        .iter()
        .any(|to| matches!(to, ToNumber::Exact(exact) if read.document.emergency.contains(exact)));
    earlier.when.is_empty() && tenants && trunks && numbers && !named
}

fn within(number: &ToNumber, wider: &ToNumber) -> bool {
    match (number, wider) {
        (ToNumber::OfTenant, ToNumber::OfTenant) => true,
        (ToNumber::Exact(number), wider) => wider.covers(number),
        (ToNumber::Prefix(prefix), ToNumber::Prefix(shorter)) => {
            prefix.starts_with(shorter.as_str())
        }
        (ToNumber::Range(range), ToNumber::Prefix(prefix)) => {
            format!("+{}", range.first).starts_with(prefix.as_str())
                && format!("+{}", range.last).starts_with(prefix.as_str())
        }
        (ToNumber::Range(range), ToNumber::Range(other)) => range == other,
        (ToNumber::Pattern(pattern), ToNumber::Pattern(other)) => {
            pattern.as_str() == other.as_str()
        }
        _ => false,
    }
}

fn leads_nowhere(read: &Read<'_>, route: &Route) -> bool {
    let trunk = |id: &crate::TrunkId| read.document.trunks.get(id.index());
    // The tenants whose calls it can get, if that can be told.
    let own: Vec<_> = match route.tenant {
        Some(tenant) => vec![tenant],
        None if route.from.is_empty() => return false,
        None => {
            let tenants: Option<Vec<_>> = route.from.iter().map(|id| trunk(id)?.tenant()).collect();
            match tenants {
                Some(tenants) => tenants,
                None => return false,
            }
        }
    };
    let mut targets = route
        .send_to
        .iter()
        .flat_map(|group| &group.trunks)
        .peekable();
    targets.peek().is_some()
        && targets.all(|(id, _)| {
            let owner = trunk(id).and_then(crate::document::trunk::Trunk::tenant);
            owner.is_some_and(|owner| !own.contains(&owner))
        })
}
