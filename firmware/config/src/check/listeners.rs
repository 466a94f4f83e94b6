//! Two listeners cannot share an address, and two tenants no name.

use std::collections::HashMap;

use crate::document::Read;
use crate::finding::{Problem, Report};
use crate::values::Transport;

pub(super) fn check(read: &Read, report: &mut Report<'_>) {
    let mut taken: HashMap<(bool, std::net::SocketAddr), &str> = HashMap::new();
    for (listener, span) in read.document.listeners.iter().zip(&read.listener_spans) {
        // TCP and TLS share the port space; UDP has its own. Port 0 is chosen by the system.
        let key = (listener.transport == Transport::Udp, listener.address);
        if listener.address.port() != 0 && taken.insert(key, &listener.name).is_some() {
            let path = format!("listener.{}", listener.name);
            report.add(
                span,
                path,
                Problem::Conflict("another listener has this address and port"),
            );
        }
    }
    let mut names: HashMap<&str, &str> = HashMap::new();
    for (index, tenant) in read.document.tenants.iter().enumerate() {
        if names.insert(&tenant.fqdn, &tenant.name).is_some() {
            let span = read
                .number_spans
                .get(index)
                .and_then(|spans| spans.first())
                .cloned()
                .unwrap_or(0..0);
            let path = format!("tenant.{}.fqdn", tenant.name);
            report.add(
                &span,
                path,
                Problem::Conflict("another tenant has this FQDN"),
            );
        }
    }
}
