//! A trunk must be able to do what its kind demands.

use crate::document::Read;
use crate::document::trunk::{Profile, TrunkKind};
use crate::finding::{Problem, Report};
use crate::values::Transport;

pub(super) fn check(read: &Read, report: &mut Report<'_>) {
    let document = &read.document;
    for (trunk, span) in document.trunks.iter().zip(&read.trunk_spans) {
        let path = format!("trunk.{}", trunk.name);
        let Some(listener) = document.listeners.get(trunk.listener.index()) else {
            continue;
        };
        if trunk.sources.is_empty() {
            let problem = Problem::Missing {
                key: "sources",
                expected: "the addresses that its requests come from",
            };
            report.add(span, path.clone(), problem);
        }
        match &trunk.kind {
            TrunkKind::Teams(teams) => {
                if listener.transport != Transport::Tls {
                    report.add(
                        span,
                        path.clone(),
                        Problem::Conflict("Teams speaks TLS only, this listener does not"),
                    );
                }
                if trunk.media.profile == Profile::Avp {
                    report.add(
                        span,
                        path.clone(),
                        Problem::Conflict("Teams refuses media in the clear (MED-02)"),
                    );
                }
                let identity = document
                    .tenants
                    .get(teams.tenant.index())
                    .and_then(|tenant| tenant.identity);
                if identity.is_none() && listener.identity.is_none() {
                    let expected = "an identity of the tenant or of the listener, to be shown to Teams (SIG-06)";
                    report.add(
                        span,
                        path.clone(),
                        Problem::Missing {
                            key: "identity",
                            expected,
                        },
                    );
                }
            }
            TrunkKind::Carrier(carrier) => {
                // UDP may go over to TCP for long messages, so both count as one kind here.
                let secure = |transport| transport == Transport::Tls;
                if secure(carrier.transport) != secure(listener.transport) {
                    let problem =
                        Problem::Conflict("the trunk's transport is not the one of its listener");
                    report.add(span, path, problem);
                }
            }
        }
    }
}
