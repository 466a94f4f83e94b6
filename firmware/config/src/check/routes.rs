//! A route behind one that takes everything from the same trunks never sees a call.

use crate::document::Read;
use crate::document::route::Route;
use crate::finding::{Problem, Report};

pub(super) fn check(read: &Read, report: &mut Report<'_>) {
    let routes = &read.document.routes;
    for (index, route) in routes.iter().enumerate() {
        if routes[..index].iter().any(|earlier| hides(earlier, route)) {
            let span = &read.route_spans[index];
            let problem =
                Problem::Unreachable("an earlier route takes every call that this one could take");
            report.add(span, format!("route.{}", route.name), problem);
        }
    }
}

fn hides(earlier: &Route, later: &Route) -> bool {
    let everything = earlier.to.is_empty() && earlier.when.is_empty();
    let tenants = earlier.tenant.is_none() || earlier.tenant == later.tenant;
    let trunks = earlier.from.is_empty()
        || (!later.from.is_empty() && later.from.iter().all(|trunk| earlier.from.contains(trunk)));
    everything && tenants && trunks
}
