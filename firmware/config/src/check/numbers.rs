//! A number must lead to one tenant wherever it decides whose call it is (MT-01).
//!
//! A range within a wider one takes its numbers out of it, so only equal ranges and ranges that overlap in part are faults. Where every
//! carrier trunk is reserved for a tenant, numbers decide nothing between tenants and may be shared.

use crate::document::Read;
use crate::finding::{Problem, Report};
use crate::number::Key;
use crate::snapshot::Ownership;

/// A span of numbers, and whose it is: the tenant and the range among its numbers.
struct Owned {
    first: Key,
    last: Key,
    tenant: usize,
    range: usize,
}

pub(super) fn check(read: &Read<'_>, report: &mut Report<'_>) {
    let tenants = &read.document.tenants;
    let shared = read.document.ownership() == Ownership::Shared;
    let mut all = Vec::new();
    for (tenant, settings) in tenants.iter().enumerate() {
        for (range, spans) in settings.numbers.iter().enumerate() {
            all.extend(spans.spans().map(|(first, last)| Owned {
                first,
                last,
                tenant,
                range,
            }));
        }
    }
    // Wider ones first, so that a range comes after those that it lies in.
    all.sort_by_key(|owned| {
        (
            owned.first,
            std::cmp::Reverse(owned.last),
            owned.tenant,
            owned.range,
        )
    });
    let mut around: Vec<&Owned> = Vec::new();
    let mut told = std::collections::HashSet::new();
    for owned in &all {
        around.retain(|wider| wider.last >= owned.first);
        let clash = around.iter().find(|wider| {
            let same = wider.first == owned.first && wider.last == owned.last;
            let partly = wider.last < owned.last;
            let matters = wider.tenant == owned.tenant || !shared;
            // A stem covers one span for each length: it does not clash with itself.
            let other = (wider.tenant, wider.range) != (owned.tenant, owned.range);
            (same || partly) && matters && other
        });
        if let Some(other) = clash
            && told.insert((owned.tenant, owned.range))
        {
            let at = |owned: &Owned| read.number_spans[owned.tenant][owned.range].clone();
            let number = owned.first.to_string();
            let line = report.line_of(&at(other));
            let problem = if other.tenant == owned.tenant {
                Problem::NumberTwice { number, line }
            } else {
                Problem::NumberTaken {
                    number,
                    tenant: tenants[other.tenant].name.clone(),
                    line,
                }
            };
            let path = format!("tenant.{}.numbers", tenants[owned.tenant].name);
            report.add(&at(owned), path, problem);
        }
        around.push(owned);
    }
}
