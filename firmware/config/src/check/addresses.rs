//! Addresses that do not collide, and that peers can use.
//!
//! Two listeners, or a listener and the media ports, must not want the same socket; and what peers are told must be an address,
//! not the word for all of them. Whether this machine has the address is known when it is bound, not here.

use std::net::{IpAddr, SocketAddr};

use crate::document::Read;
use crate::document::listener::Listener;
use crate::finding::{Problem, Report};
use crate::values::Transport;

pub(super) fn check(read: &Read<'_>, report: &mut Report<'_>) {
    let listeners = &read.document.listeners;
    for (index, listener) in listeners.iter().enumerate() {
        let path = format!("listener.{}.address", listener.name);
        let span = read.span("listener", index, "address");
        if let Some(first) = listeners[..index]
            .iter()
            .position(|other| collide(other, listener))
        {
            let problem = Problem::Taken {
                what: "address and port",
                kind: "listener",
                name: listeners[first].name.clone(),
                line: report.line_of(&read.span("listener", first, "address")),
            };
            report.add(&span, path.clone(), problem);
        }
        if listener.address.ip().is_unspecified() && !read.sets("listener", index, "advertised") {
            let expected =
                "the address that peers reach this listener at, because it listens on all";
            let problem = Problem::Missing {
                key: "advertised",
                expected,
            };
            report.add(&span, path.clone(), problem);
        }
        let media = &read.document.media;
        if listener.transport == Transport::Udp
            && media
                .faces
                .iter()
                .any(|face| meet(listener.address.ip(), face.bound))
            && (media.ports.first..=media.ports.last).contains(&listener.address.port())
        {
            let problem = Problem::Conflict {
                what: "this port is one of the media ports",
                cure: "Take a port outside of media.ports.",
            };
            report.add(&span, path, problem);
        }
    }
    media(read, report);
}

fn media(read: &Read<'_>, report: &mut Report<'_>) {
    let media = &read.document.media;
    if media
        .faces
        .iter()
        .any(|face| face.advertised.is_unspecified())
    {
        let problem = Problem::Missing {
            key: "advertised",
            expected: "the address that stands in SDP, because media is bound to all",
        };
        report.add(&read.span_in("media", "address"), "media.address", problem);
    }
    if let Some(problem) = media.packets_problem() {
        report.add(&read.span_in("media", "packets"), "media.packets", problem);
    }
}

/// TCP and TLS share the port space; UDP has its own. Port 0 is chosen by the system.
fn collide(a: &Listener, b: &Listener) -> bool {
    let udp = |listener: &Listener| listener.transport == Transport::Udp;
    udp(a) == udp(b) && a.address.port() != 0 && same_port(a.address, b.address)
}

fn same_port(a: SocketAddr, b: SocketAddr) -> bool {
    a.port() == b.port() && meet(a.ip(), b.ip())
}

/// Whether a socket on one would get what is meant for the other.
fn meet(a: IpAddr, b: IpAddr) -> bool {
    a == b || (a.is_ipv4() == b.is_ipv4() && (a.is_unspecified() || b.is_unspecified()))
}
