//! REFER as its receiver: what was asked for, the 202, and the NOTIFYs that say how it goes (RFC 3515, REF-02).
//!
//! The Refer-To and Referred-By of Teams are kept as the bytes they came in (REF-03): their parameters hold raw colons and
//! slashes, and the number in them may be incomplete by design.

use bytes::Bytes;
use sip::dialog::refer::{Replaces, Subscription};
use sip::message::{Method, Name, Request, Response, StatusCode, Uri};

use crate::core::Now;
use crate::desk::{Desk, Owner};

use super::{Leg, State};

/// What a party wants to be replaced by.
#[derive(Debug, Clone)]
pub(crate) struct Referral {
    /// The URI of Refer-To, without its headers.
    pub(crate) target: Uri,
    /// The Referred-By header as it came.
    pub(crate) referred_by: Option<Bytes>,
    /// The Replaces that the Refer-To carried.
    replaces: Option<Replaces>,
}

/// A REFER that names no target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoTarget;

impl Referral {
    /// Read a REFER.
    pub(super) fn read(request: &Request) -> Result<Self, NoTarget> {
        let headers = request.headers();
        let refer_to = headers.refer_to().map_err(|_| NoTarget)?;
        let (target, replaces) = sip::dialog::refer::split(refer_to.uri());
        Ok(Self {
            target,
            referred_by: headers.get(Name::ReferredBy).map(Bytes::copy_from_slice),
            replaces,
        })
    }

    /// The dialog that the new party is to be taken from.
    pub(crate) const fn replaces(&self) -> Option<&Replaces> {
        self.replaces.as_ref()
    }
}

impl Leg {
    /// 202, and the subscription that comes with it.
    pub(crate) fn accept_transfer(&mut self, desk: &mut Desk, now: Now) {
        let State::Confirmed(confirmed) = &mut self.state else {
            return;
        };
        let Some((server, request)) = confirmed.referred.take() else {
            return;
        };
        let reply = Response::reply(&request, StatusCode::ACCEPTED).to_tag(&self.wire.local_tag);
        desk.respond(
            now,
            server,
            self.wire.dress_response(reply, &Method::Refer).finish(),
        );
        confirmed.subscription = Subscription::of_refer(&request);
    }

    /// Refuse the REFER.
    pub(crate) fn refuse_transfer(&mut self, desk: &mut Desk, now: Now, status: StatusCode) {
        let State::Confirmed(confirmed) = &mut self.state else {
            return;
        };
        if let Some((server, request)) = confirmed.referred.take() {
            desk.answer(now, server, &request, status, &self.wire);
        }
    }

    /// Tell the transferor how the transfer goes; a final status ends the subscription.
    pub(crate) fn report_transfer(&mut self, desk: &mut Desk, now: Now, status: StatusCode) {
        let owner = Owner::Leg(self.call, self.no);
        let State::Confirmed(confirmed) = &mut self.state else {
            return;
        };
        let Some(subscription) = &mut confirmed.subscription else {
            return;
        };
        let notify = subscription.notify(confirmed.dialog.request(Method::Notify), status);
        let ended = status.code() >= 200;
        let notify = self.wire.dress_request(notify, &Method::Notify).finish();
        desk.send(
            now,
            owner,
            notify,
            &self.wire.in_dialog(&confirmed.dialog),
            None,
        );
        if ended {
            confirmed.subscription = None;
        }
    }
}
