//! A number belongs to one tenant (MT-01): it decides whose call an incoming one is.

use crate::document::Read;
use crate::finding::{Problem, Report};

pub(super) fn check(read: &Read, report: &mut Report<'_>) {
    let mut all: Vec<(u8, u64, u64, usize, usize)> = Vec::new();
    for (tenant, entry) in read.document.tenants.iter().enumerate() {
        for (index, range) in entry.numbers.iter().enumerate() {
            all.push((range.digits, range.first, range.last, tenant, index));
        }
    }
    all.sort_unstable();
    // Sorted by first number, each overlap shows against the one that reaches furthest so far.
    let mut furthest: Option<(u8, u64, usize)> = None;
    for (digits, first, last, tenant, index) in all {
        if let Some((before, reach, owner)) = furthest
            && before == digits
            && first <= reach
            && owner != tenant
        {
            let span = read.number_spans[tenant][index].clone();
            let owner = read.document.tenants[owner].name.clone();
            let path = format!("tenant.{}.numbers", read.document.tenants[tenant].name);
            report.add(
                &span,
                path,
                Problem::NumberTaken {
                    number: format!("+{first}"),
                    tenant: owner,
                },
            );
        }
        if furthest.is_none_or(|(before, reach, _)| before != digits || last > reach) {
            furthest = Some((digits, last, tenant));
        }
    }
}
