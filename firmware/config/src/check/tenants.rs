//! A tenant is known by its FQDN, so no two have the same (MT-01).
//!
//! The FQDN stands in Contact and is what Teams finds the tenant by, and what the box finds it by in a Request-URI. Numbers are the
//! business of `numbers`.

use std::collections::HashMap;

use crate::document::Read;
use crate::finding::{Problem, Report};

pub(super) fn check(read: &Read<'_>, report: &mut Report<'_>) {
    let mut first: HashMap<&str, usize> = HashMap::new();
    for (index, tenant) in read.document.tenants.iter().enumerate() {
        if !read.sets("tenant", index, "fqdn") {
            continue;
        }
        match first.get(tenant.fqdn.as_str()) {
            None => {
                first.insert(&tenant.fqdn, index);
            }
            Some(&other) if !tenant.fqdn.is_empty() => {
                let problem = Problem::Taken {
                    what: "FQDN",
                    kind: "tenant",
                    name: read.document.tenants[other].name.clone(),
                    line: report.line_of(&read.span("tenant", other, "fqdn")),
                };
                let span = read.span("tenant", index, "fqdn");
                report.add(&span, format!("tenant.{}.fqdn", tenant.name), problem);
            }
            Some(_) => {}
        }
    }
}
