//! An emergency number that no route takes would be refused (EMG-01).
//!
//! A route takes it if it is for all numbers or covers this one as it is dialled; its trunks and times are not looked at, because an
//! emergency number may be meant for some sites alone.

use crate::document::Read;
use crate::finding::{Problem, Report};

pub(super) fn check(read: &Read<'_>, report: &mut Report<'_>) {
    let document = &read.document;
    for number in &document.emergency {
        let takes = |route: &crate::document::route::Route| {
            route.to.is_empty() || route.to.iter().any(|to| to.covers(number))
        };
        if !document.routes.iter().any(takes) {
            let problem = Problem::Unrouted {
                number: number.clone(),
            };
            report.add(
                &read.span_in("emergency", "numbers"),
                "emergency.numbers",
                problem,
            );
        }
    }
}
