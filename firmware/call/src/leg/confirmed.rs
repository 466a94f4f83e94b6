//! A leg that has been answered: what it holds, what it hears in its dialog, and how it ends.
//!
//! Requests are answered here or handed to the file of their kind: offers and refreshes to `offers`, REFER to `refer`.
//!
//! Not here: what the other leg makes of it (`flow`).

use embassy_time::Instant;
use sip::auth::Exchange;
use sip::dialog::{Dialog, Refresh, SessionTimer};
use sip::message::{Headers, Method, Name, Request, StatusCode};
use sip::transaction::{ClientId, ServerId};

use crate::api::CallId;
use crate::core::Now;
use crate::desk::{Desk, Owner};
use crate::media::negotiate::Description;

use super::wire::Wire;
use super::{Leg, LegEvent, LegInput, LegNo, Parting, Referral, State};

/// A 2xx of ours that has no ACK yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unacknowledged {
    /// The ACK carries the answer to our offer.
    pub(crate) answer_due: bool,
}

/// An offer (or a refresh) of ours that has no final response.
#[derive(Debug)]
pub(super) struct Ours {
    pub(super) client: ClientId,
    pub(super) purpose: Purpose,
    pub(super) request: Request,
    /// The request's way through challenges.
    pub(super) exchange: Exchange,
}

#[derive(Debug, Clone)]
pub(super) enum Purpose {
    /// A new session, which the call waits for; kept to be offered again after a 491.
    Offer(Description),
    /// A session refresh (RFC 4028).
    Refresh,
}

/// An offer of theirs that waits for our answer.
#[derive(Debug)]
pub(super) struct Theirs {
    pub(super) server: ServerId,
    pub(super) request: Request,
    pub(super) until: Instant,
}

/// An answered leg.
#[derive(Debug)]
pub(crate) struct Confirmed {
    pub(crate) dialog: Dialog,
    pub(crate) timer: SessionTimer,
    pub(super) unacknowledged: Option<Unacknowledged>,
    /// The INVITE that made the leg, if we sent it: later 2xx of other forks belong to it.
    pub(super) made_by: Option<(ClientId, Request)>,
    pub(super) ours: Option<Ours>,
    pub(super) theirs: Option<Theirs>,
    /// An offer that met a 491 and waits for its time.
    pub(super) again: Option<(Instant, Purpose)>,
    /// A REFER that has been received and not been answered.
    pub(super) referred: Option<(ServerId, Request)>,
    /// The implicit subscription of an accepted REFER.
    pub(super) subscription: Option<sip::dialog::refer::Subscription>,
    /// Whether the party understands UPDATE.
    pub(super) updates: bool,
}

impl Confirmed {
    pub(crate) fn new(
        dialog: Dialog,
        timer: SessionTimer,
        unacknowledged: Option<Unacknowledged>,
    ) -> Self {
        Self {
            dialog,
            timer,
            unacknowledged,
            made_by: None,
            ours: None,
            theirs: None,
            again: None,
            referred: None,
            subscription: None,
            updates: false,
        }
    }

    pub(super) fn invited_by(&mut self, client: ClientId, invite: Request) {
        self.made_by = Some((client, invite));
    }

    /// What the party's headers say of its abilities.
    pub(super) fn learn(&mut self, headers: Headers<'_>) {
        self.updates = headers.allow().contains("UPDATE");
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        let again = self.again.as_ref().map(|(at, _)| *at);
        let theirs = self.theirs.as_ref().map(|theirs| theirs.until);
        [self.timer.deadline(), again, theirs]
            .into_iter()
            .flatten()
            .min()
    }

    /// Say BYE, and answer what still waits for an answer.
    pub(super) fn hang_up(
        &mut self,
        desk: &mut Desk,
        now: Now,
        call: CallId,
        no: LegNo,
        wire: &Wire,
        parting: &Parting,
    ) -> ClientId {
        if let Some(theirs) = self.theirs.take() {
            desk.answer(
                now,
                theirs.server,
                &theirs.request,
                StatusCode::REQUEST_TERMINATED,
                wire,
            );
        }
        if let Some((server, request)) = self.referred.take() {
            desk.answer(now, server, &request, StatusCode::DECLINE, wire);
        }
        let mut bye = wire.dress_request(self.dialog.request(Method::Bye), &Method::Bye);
        if let Some(reason) = parting.reason() {
            bye = bye.header(Name::Reason, reason);
        }
        desk.send(
            now,
            Owner::Leg(call, no),
            bye.finish(),
            &wire.in_dialog(&self.dialog),
            None,
        )
    }
}

impl Leg {
    pub(super) fn confirmed(&mut self) -> Option<&mut Confirmed> {
        match &mut self.state {
            State::Confirmed(confirmed) => Some(confirmed),
            _ => None,
        }
    }

    pub(super) fn hear_confirmed(
        &mut self,
        desk: &mut Desk,
        now: Now,
        input: LegInput,
    ) -> Vec<LegEvent> {
        match input {
            LegInput::Request { id, request, .. } => {
                self.in_dialog_request(desk, now, id, &request)
            }
            LegInput::Response {
                client, response, ..
            } => self.in_dialog_response(desk, now, client, &response),
            LegInput::Acked(ack) => self.acked(desk, now, &ack),
            // RFC 3261 §13.3.1.4: without an ACK the session is ended.
            LegInput::AckMissing => {
                self.part(desk, now, &Parting::default());
                vec![LegEvent::Lost]
            }
            LegInput::TimedOut { client } | LegInput::Unreachable { client } => {
                self.unanswered(desk, now, client)
            }
            // A CANCEL that comes after the 200 changes nothing (RFC 3261 §9.2).
            LegInput::Cancelled { .. } => Vec::new(),
        }
    }

    fn acked(&mut self, desk: &mut Desk, _now: Now, ack: &Request) -> Vec<LegEvent> {
        let Some(confirmed) = self.confirmed() else {
            return Vec::new();
        };
        let Some(due) = confirmed.unacknowledged.take() else {
            return Vec::new();
        };
        if !due.answer_due {
            return Vec::new();
        }
        let answer = ack.description().unwrap_or_default().unwrap_or_default();
        match self.stream.negotiation.receive_answer(answer) {
            Ok(description) => {
                self.stream.install_again(desk);
                vec![LegEvent::Agreed(description)]
            }
            Err(_) => {
                self.part(desk, _now, &Parting::default());
                vec![LegEvent::Lost]
            }
        }
    }

    fn in_dialog_request(
        &mut self,
        desk: &mut Desk,
        now: Now,
        id: ServerId,
        request: &Request,
    ) -> Vec<LegEvent> {
        let State::Confirmed(confirmed) = &mut self.state else {
            return Vec::new();
        };
        // RFC 3261 §12.2.2: a lower CSeq is out of order.
        if confirmed.dialog.receive(request).is_err() {
            desk.answer(
                now,
                id,
                request,
                StatusCode::SERVER_INTERNAL_ERROR,
                &self.wire,
            );
            return Vec::new();
        }
        match request.method() {
            Method::Bye => {
                desk.answer(now, id, request, StatusCode::OK, &self.wire);
                if let Some(theirs) = confirmed.theirs.take() {
                    desk.answer(
                        now,
                        theirs.server,
                        &theirs.request,
                        StatusCode::REQUEST_TERMINATED,
                        &self.wire,
                    );
                }
                self.state = State::Ended;
                self.remove_stream(desk);
                vec![LegEvent::Parted {
                    reason: super::reason_of(request.headers()),
                }]
            }
            Method::Invite | Method::Update => self.offered(desk, now, id, request),
            Method::Refer => match Referral::read(request) {
                Ok(referral)
                    if confirmed.referred.is_none() && confirmed.subscription.is_none() =>
                {
                    confirmed.referred = Some((id, request.clone()));
                    vec![LegEvent::Transfer(Box::new(referral))]
                }
                Ok(_) => {
                    desk.answer(now, id, request, StatusCode::REQUEST_PENDING, &self.wire);
                    Vec::new()
                }
                Err(_) => {
                    desk.answer(now, id, request, StatusCode::BAD_REQUEST, &self.wire);
                    Vec::new()
                }
            },
            Method::Options | Method::Notify => {
                desk.answer(now, id, request, StatusCode::OK, &self.wire);
                Vec::new()
            }
            Method::Prack => {
                desk.answer(
                    now,
                    id,
                    request,
                    StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST,
                    &self.wire,
                );
                Vec::new()
            }
            _ => {
                desk.answer_unused(now, id, request, &self.wire);
                Vec::new()
            }
        }
    }

    /// The party does not know the dialog any more, or does not answer at all.
    pub(super) fn dialog_gone(&mut self, desk: &mut Desk, now: Now) -> Vec<LegEvent> {
        self.part(desk, now, &Parting::default());
        vec![LegEvent::Lost]
    }

    fn unanswered(&mut self, desk: &mut Desk, now: Now, client: ClientId) -> Vec<LegEvent> {
        let Some(confirmed) = self.confirmed() else {
            return Vec::new();
        };
        if confirmed
            .made_by
            .as_ref()
            .is_some_and(|(made_by, _)| *made_by == client)
        {
            return Vec::new();
        }
        // A NOTIFY that is not answered ends its subscription, not the session (RFC 6665 §4.2.2).
        match confirmed.ours.take_if(|ours| ours.client == client) {
            Some(_) => self.dialog_gone(desk, now),
            None => {
                confirmed.subscription = None;
                Vec::new()
            }
        }
    }

    pub(super) fn wake_confirmed(&mut self, desk: &mut Desk, now: Now) -> Vec<LegEvent> {
        let Some(confirmed) = self.confirmed() else {
            return Vec::new();
        };
        if confirmed
            .theirs
            .as_ref()
            .is_some_and(|theirs| theirs.until <= now.instant)
        {
            self.refuse_offer(desk, now, StatusCode::NOT_ACCEPTABLE_HERE);
        }
        let Some(confirmed) = self.confirmed() else {
            return Vec::new();
        };
        if let Some((_, purpose)) = confirmed.again.take_if(|(at, _)| *at <= now.instant) {
            return self.make_again(desk, now, purpose);
        }
        let Some(confirmed) = self.confirmed() else {
            return Vec::new();
        };
        match confirmed.timer.wake(now.instant) {
            Refresh::NotDue => Vec::new(),
            Refresh::Due => {
                self.refresh(desk, now);
                Vec::new()
            }
            // RFC 4028 §10: the party has not refreshed in time.
            Refresh::Expired => self.dialog_gone(desk, now),
        }
    }
}
