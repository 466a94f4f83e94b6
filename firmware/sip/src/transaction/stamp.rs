//! Via, coming and going: ours on requests, `received` and `rport` on responses (RFC 3261 §18.2.1, RFC 3581).
//!
//! A response goes back to where the request came from: on its connection, or for UDP to the source port if the sender asked by
//! `rport`, to the port of its Via otherwise (RFC 3261 §18.2.2).
//!
//! Both are done on the bytes: one line is put in or exchanged, the rest is copied as it is.

use std::net::SocketAddr;

use bytes::Bytes;

use crate::digits::push_address;
use crate::message::{HostPort, Name, Request, Response, Via};
use crate::transport::{Source, Target, Transport};

/// What a response's Via is given, and where the response goes.
#[derive(Debug, Clone)]
pub(super) struct Return {
    pub(super) target: Target,
    /// The topmost Via with `received` and `rport`, where they are needed.
    stamped: Option<Bytes>,
}

impl Return {
    pub(super) fn of(via: &Via, source: &Source) -> Self {
        let asked = via.params().contains("rport");
        let foreign = via.sent_by().host.address() != Some(source.remote.ip());
        let mut stamped = None;
        if asked || foreign {
            let mut received = String::new();
            push_address(&mut received, source.remote.ip());
            let mut via = via.with_param("received", Some(&received));
            if asked {
                via = via.with_param("rport", Some(&source.remote.port().to_string()));
            }
            stamped = Some(via.bytes().clone());
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
    pub(super) fn stamp(&self, response: &Response) -> Bytes {
        let bytes = response.bytes();
        let top = response.headers().values(Name::Via).next();
        let (Some(stamped), Some(top)) = (&self.stamped, top) else {
            return bytes.clone();
        };
        // `top` is a part of `bytes`.
        let start = top.as_ptr() as usize - bytes.as_ptr() as usize;
        exchange(bytes, start..start + top.len(), stamped)
    }
}

fn exchange(bytes: &Bytes, place: std::ops::Range<usize>, with: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(bytes.len() - place.len() + with.len());
    out.extend_from_slice(&bytes[..place.start]);
    out.extend_from_slice(with);
    out.extend_from_slice(&bytes[place.end..]);
    Bytes::from(out)
}

/// A request with our Via on top. RFC 3581: we always ask for `rport`; RFC 5923: a connection of ours may be used by the peer.
pub(super) fn sign(
    request: &Request,
    transport: Transport,
    sent_by: &HostPort,
    branch: &str,
) -> Bytes {
    let more = match transport {
        Transport::Udp => "rport",
        Transport::Tcp | Transport::Tls => "alias",
    };
    let mut via = String::with_capacity(128);
    via.push_str("Via: SIP/2.0/");
    via.push_str(transport.via_token());
    via.push(' ');
    sent_by.write_to(&mut via);
    for part in [";branch=", branch, ";", more, "\r\n"] {
        via.push_str(part);
    }
    let bytes = request.bytes();
    let first_line = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |end| end + 1);
    exchange(bytes, first_line..first_line, via.as_bytes())
}
