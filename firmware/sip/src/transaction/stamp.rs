//! Via, coming and going: ours on requests, `received` and `rport` on responses (RFC 3261 §18.2.1, RFC 3581).
//!
//! A response goes back to where the request came from: on its connection, or for UDP to the source port if the sender asked by
//! `rport`, to the port of its Via otherwise (RFC 3261 §18.2.2).

use std::net::SocketAddr;

use crate::message::{HostPort, Name, Request, Response, Via};
use crate::transport::{Source, Target, Transport};

/// What a response's Via is given, and where the response goes.
#[derive(Debug, Clone)]
pub(super) struct Return {
    pub(super) target: Target,
    /// The topmost Via with `received` and `rport`, where they are needed.
    stamped: Option<Via>,
}

impl Return {
    pub(super) fn of(via: &Via, source: &Source) -> Self {
        let asked = via.params().contains("rport");
        let foreign = via.sent_by().host.address() != Some(source.remote.ip());
        let mut stamped = None;
        if asked || foreign {
            let received = source.remote.ip().to_string();
            let mut via = via.with_param("received", Some(&received));
            if asked {
                via = via.with_param("rport", Some(&source.remote.port().to_string()));
            }
            stamped = Some(via);
        }
        let port = match source.transport {
            Transport::Udp if asked => source.remote.port(),
            transport => via
                .sent_by()
                .port
                .unwrap_or_else(|| transport.default_port()),
        };
        let target = Target {
            transport: source.transport,
            remote: SocketAddr::new(source.remote.ip(), port),
            listener: source.listener,
            flow: Some(source.flow),
            tls: None,
        };
        Self { target, stamped }
    }

    /// The response with its Via stamped.
    pub(super) fn stamp(&self, response: &Response) -> Response {
        let Some(stamped) = &self.stamped else {
            return response.clone();
        };
        let headers = response.headers();
        let below: Vec<_> = headers
            .values(Name::Via)
            .skip(1)
            .map(|value| headers.share(value))
            .collect();
        let mut builder = response.rebuild().remove(Name::Via);
        for via in below.iter().rev() {
            builder = builder.first(Name::Via, via);
        }
        builder.first(Name::Via, stamped).finish()
    }
}

/// A request with our Via on top. RFC 3581: we always ask for `rport`; RFC 5923: a connection of ours may be used by the peer.
pub(super) fn sign(
    request: &Request,
    transport: Transport,
    sent_by: &HostPort,
    branch: &str,
) -> Request {
    let mut via = Via::new(transport, sent_by, branch);
    via = match transport {
        Transport::Udp => via.with_param("rport", None),
        Transport::Tcp | Transport::Tls => via.with_param("alias", None),
    };
    request.rebuild().first(Name::Via, &via).finish()
}
