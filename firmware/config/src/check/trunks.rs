//! A trunk must be able to do what its kind demands.
//!
//! Each fault is one that would otherwise show as calls that never connect: the wrong kind of listener, media that Teams refuses, a
//! certificate that nobody has. Whether the peer is there, or likes us, cannot be told from a document.

use std::net::IpAddr;

use crate::document::Read;
use crate::document::carrier::Carrier;
use crate::document::listener::Listener;
use crate::document::teams::Teams;
use crate::document::trunk::{Profile, Trunk, TrunkKind};
use crate::finding::{Problem, Report};
use crate::values::{Endpoint, Transport};

pub(super) fn check(read: &Read<'_>, report: &mut Report<'_>) {
    for (index, trunk) in read.document.trunks.iter().enumerate() {
        let mut fault = |key: &str, problem: Problem| {
            let span = read.span("trunk", index, key);
            report.add(&span, format!("trunk.{}.{key}", trunk.name), problem);
        };
        if trunk.sources.is_empty() && !read.sets("trunk", index, "sources") {
            let expected = "a list of the addresses and networks that its requests come from";
            fault(
                "sources",
                Problem::Missing {
                    key: "sources",
                    expected,
                },
            );
        }
        if trunk.media.profile == Profile::Dtls && !trunk.media.rtcp_mux {
            let problem = Problem::Conflict {
                what: "a handshake keys one port, and RTCP goes over it too",
                cure: "Remove rtcp_mux.",
            };
            fault("media", problem);
        }
        // One that could not be read stands at the first listener.
        let Some(listener) = read.document.listeners.get(trunk.listener.index()) else {
            continue;
        };
        match &trunk.kind {
            TrunkKind::Teams(settings) => teams(read, trunk, settings, listener, &mut fault),
            TrunkKind::Carrier(settings) => carrier(settings, listener, &mut fault),
        }
    }
}

fn teams(
    read: &Read<'_>,
    trunk: &Trunk,
    teams: &Teams,
    listener: &Listener,
    fault: &mut impl FnMut(&str, Problem),
) {
    if listener.transport != Transport::Tls {
        let problem = Problem::Conflict {
            what: "Teams speaks TLS only, this listener does not",
            cure: "Name a listener with transport = \"tls\".",
        };
        fault("listener", problem);
    }
    let mut faces = read.document.media.faces.iter();
    if teams.media_bypass && !faces.any(|face| face.advertised.is_ipv4()) {
        let problem = Problem::Conflict {
            what: "Teams has media bypass over IPv4 only (SIG-12)",
            cure: "Remove media_bypass, or advertise an IPv4 address for media.",
        };
        fault("media_bypass", problem);
    }
    let refused = match trunk.media.profile {
        Profile::Savp => None,
        Profile::Avp => Some("Teams refuses media in the clear (MED-02)"),
        Profile::Dtls => Some("Teams keys media in SDP alone (MED-02)"),
    };
    if let Some(what) = refused {
        let problem = Problem::Conflict {
            what,
            cure: "Remove profile, or write \"savp\".",
        };
        fault("media", problem);
    }
    let identity = read
        .document
        .tenants
        .get(teams.tenant.index())
        .and_then(|tenant| tenant.identity);
    if identity.is_none() && listener.identity.is_none() && listener.transport == Transport::Tls {
        let expected =
            "an identity of the tenant or of the listener, to be shown to Teams (SIG-06)";
        fault(
            "tenant",
            Problem::Missing {
                key: "identity",
                expected,
            },
        );
    }
    if teams
        .proxies
        .iter()
        .any(|proxy| address_of(proxy).is_some())
    {
        let problem = Problem::Conflict {
            what: "a proxy of Microsoft is known by its name, which its certificate bears",
            cure: "Write the names, like \"sip.pstnhub.microsoft.com:5061\".",
        };
        fault("proxies", problem);
    }
}

fn carrier(carrier: &Carrier, listener: &Listener, fault: &mut impl FnMut(&str, Problem)) {
    // UDP goes over to TCP for long messages, so both count as one kind here.
    let secure = |transport| transport == Transport::Tls;
    if secure(carrier.transport) != secure(listener.transport) {
        let problem = Problem::Conflict {
            what: "one of the trunk and its listener speaks TLS, the other does not",
            cure: "Give the trunk the transport of its listener, or name another listener.",
        };
        fault("transport", problem);
    }
    let version = listener.address.ip().is_ipv4();
    if carrier
        .peers
        .iter()
        .filter_map(address_of)
        .any(|peer| peer.is_ipv4() != version)
    {
        let problem = Problem::Conflict {
            what: "a peer and the listener have addresses of different versions of IP",
            cure: "Name a listener of the peer's version.",
        };
        fault("peers", problem);
    }
}

fn address_of(endpoint: &Endpoint) -> Option<IpAddr> {
    endpoint.host.parse().ok()
}
