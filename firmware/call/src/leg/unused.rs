//! Requests that a leg has no use for: INFO, and methods that mean nothing within a call. Each gets the answer that tells its
//! sender why, and none of them changes the call.
//!
//! Not here: requests that are answered elsewhere because of the state of the leg.

use sip::message::{Method, Name, Request, Response, StatusCode};
use sip::transaction::ServerId;

use crate::core::Now;
use crate::desk::Desk;

use super::wire::{ALLOW, Wire};

/// RFC 6086.
const INFO_PACKAGE: Name = Name::Other("Info-Package");
const RECV_INFO: Name = Name::Other("Recv-Info");

impl Desk {
    /// Answer a request that a leg has no use for.
    pub(crate) fn answer_unused(&mut self, now: Now, id: ServerId, request: &Request, wire: &Wire) {
        let (status, says) = verdict(request);
        let mut reply = Response::reply(request, status).to_tag(&wire.local_tag);
        reply = wire.dress_response(reply, &request.method());
        if let Some((name, value)) = says {
            reply = reply.header(name, value);
        }
        self.respond(now, id, reply.finish());
    }
}

fn verdict(request: &Request) -> (StatusCode, Option<(Name<'static>, &'static str)>) {
    match request.method() {
        // RFC 6086 §4.2.2: we take no package, and say so.
        Method::Info if request.headers().get(INFO_PACKAGE).is_some() => {
            (StatusCode::BAD_INFO_PACKAGE, Some((RECV_INFO, "")))
        }
        // The same: without a body there is nothing that could be misunderstood.
        Method::Info if request.body().is_empty() => (StatusCode::OK, None),
        // RFC 3261 §21.4.13, §20.1: an empty Accept says that no kind of body is taken.
        Method::Info => (StatusCode::UNSUPPORTED_MEDIA_TYPE, Some((Name::Accept, ""))),
        // RFC 3261 §21.5.2.
        Method::Other(_) => (StatusCode::NOT_IMPLEMENTED, None),
        // RFC 3261 §8.2.1.
        _ => (StatusCode::METHOD_NOT_ALLOWED, Some((Name::Allow, ALLOW))),
    }
}
