//! A request must lead to one trunk: by its listener, its source and, on Teams trunks, the tenant that it names.
//!
//! The narrowest network wins, so only equal networks of two trunks on one listener are a fault.

use std::collections::HashMap;

use crate::document::{ListenerId, Read, TenantId};
use crate::finding::{Problem, Report};
use crate::values::Network;

pub(super) fn check(read: &Read<'_>, report: &mut Report<'_>) {
    let mut teams: HashMap<(ListenerId, TenantId), usize> = HashMap::new();
    let mut carriers: HashMap<(ListenerId, Network), usize> = HashMap::new();
    let trunks = &read.document.trunks;
    for (index, trunk) in trunks.iter().enumerate() {
        // A listener or tenant that could not be read is another finding's business.
        if !read.sets("trunk", index, "listener") {
            continue;
        }
        let (what, key, other) = if trunk.is_teams() {
            let Some(tenant) = trunk
                .tenant()
                .filter(|_| read.sets("trunk", index, "tenant"))
            else {
                continue;
            };
            let other = *teams.entry((trunk.listener, tenant)).or_insert(index);
            ("tenant and listener", "tenant", other)
        } else {
            let mut sources = trunk.sources.iter();
            let other = sources
                .find_map(|network| {
                    let other = *carriers.entry((trunk.listener, *network)).or_insert(index);
                    (other != index).then_some(other)
                })
                .unwrap_or(index);
            ("source and listener", "sources", other)
        };
        if other != index {
            let problem = Problem::Taken {
                what,
                kind: "trunk",
                name: trunks[other].name.clone(),
                line: report.line_of(&read.span("trunk", other, key)),
            };
            let span = read.span("trunk", index, key);
            report.add(&span, format!("trunk.{}.{key}", trunk.name), problem);
        }
    }
}
