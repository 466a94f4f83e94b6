//! The leg that called us, until it is answered: 18x, reliable if it must be, then 200 or a refusal.
//!
//! The party sees one early dialog. Its offer is answered in the first response that carries SDP; the 200 repeats that answer
//! (RFC 6337 §3.1.1). An INVITE without an offer gets ours in the 200, and the answer comes in the ACK.

use bytes::Bytes;
use embassy_time::Instant;
use sip::dialog::{Acknowledged, Dialog, ReliableSender, ReliableWake, SessionTimer};
use sip::message::{Method, Name, Request, Response, StatusCode};
use sip::transaction::{self, ServerId};

use crate::cause::Cause;
use crate::core::Now;
use crate::desk::Desk;
use crate::media::negotiate::Description;

use super::confirmed::Confirmed;
use super::wire::{SDP, Wire};
use super::{Leg, LegEvent, LegInput, Parting, State};

/// What is known of an INVITE that we have not answered.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) server: ServerId,
    pub(crate) invite: Request,
    /// Our side of the early dialog.
    pub(crate) dialog: Dialog,
    /// The answer that has been given in a provisional response.
    answer: Option<Bytes>,
    /// Whether the offer is ours to make, in the 200.
    delayed: Delayed,
    /// Reliable provisionals (RFC 3262), where the party requires them.
    reliable: Option<ReliableSender>,
}

/// Who makes the offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Delayed {
    /// The INVITE carried one.
    No,
    /// The INVITE carried none.
    Yes,
}

impl Incoming {
    pub(crate) fn new(server: ServerId, invite: Request, dialog: Dialog) -> Self {
        let delayed = if invite.description().unwrap_or_default().is_none() {
            Delayed::Yes
        } else {
            Delayed::No
        };
        let reliable = invite
            .headers()
            .require()
            .contains("100rel")
            .then(ReliableSender::new);
        Self {
            server,
            invite,
            dialog,
            answer: None,
            delayed,
            reliable,
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.reliable.as_ref().and_then(ReliableSender::deadline)
    }

    /// Refuse it.
    pub(crate) fn turn_down(&self, desk: &mut Desk, now: Now, wire: &Wire, parting: &Parting) {
        let status = parting
            .status()
            .unwrap_or(StatusCode::TEMPORARILY_UNAVAILABLE);
        let mut reply = Response::reply(&self.invite, status).to_tag(&wire.local_tag);
        reply = wire.dress_response(reply, &Method::Invite);
        if let Some(reason) = parting.reason() {
            reply = reply.header(Name::Reason, reason);
        }
        if let Some(seconds) = parting.retry_after() {
            reply = reply.header(Name::RetryAfter, seconds);
        }
        desk.respond(now, self.server, reply.finish());
    }
}

impl Leg {
    /// Tell the caller of progress. `early` is what the other side says, to be answered with SDP (early media).
    pub(crate) fn progress(
        &mut self,
        desk: &mut Desk,
        now: Now,
        status: StatusCode,
        early: Option<&Description>,
    ) {
        let State::Incoming(incoming) = &mut self.state else {
            return;
        };
        if incoming.delayed == Delayed::No
            && incoming.answer.is_none()
            && let Some(early) = early
        {
            incoming.answer = self.stream.negotiation.answer(early, &mut desk.tokens).ok();
        }
        let mut reply = Response::reply(&incoming.invite, status).to_tag(&self.wire.local_tag);
        reply = self.wire.dress_response(reply, &Method::Invite);
        if early.is_some()
            && let Some(answer) = &incoming.answer
        {
            reply = reply.body(SDP, answer.clone());
        }
        match &mut incoming.reliable {
            Some(reliable) => {
                if let Some(response) = reliable.send(now.instant, reply, &mut desk.tokens) {
                    desk.respond(now, incoming.server, response);
                }
            }
            None => desk.respond(now, incoming.server, reply.finish()),
        }
    }

    /// Answer the caller with what the callee says.
    ///
    /// # Errors
    /// The two have no codec in common; nothing has been sent then.
    pub(crate) fn answer(
        &mut self,
        desk: &mut Desk,
        now: Now,
        callee: &Description,
    ) -> Result<(), Cause> {
        let State::Incoming(incoming) = &mut self.state else {
            return Ok(());
        };
        let body = match (incoming.delayed, &incoming.answer) {
            (Delayed::No, Some(answer)) => answer.clone(),
            (Delayed::No, None) => self
                .stream
                .negotiation
                .answer(callee, &mut desk.tokens)
                .map_err(|_| Cause::UnusableAnswer)?,
            (Delayed::Yes, _) => self
                .stream
                .negotiation
                .offer(Some(callee), &mut desk.tokens)
                .map_err(|_| Cause::UnusableAnswer)?,
        };
        let (timer, extras) =
            SessionTimer::server(now.instant, &incoming.invite, self.wire.session_timer());
        let mut reply =
            Response::reply(&incoming.invite, StatusCode::OK).to_tag(&self.wire.local_tag);
        reply = self.wire.dress_response(reply, &Method::Invite);
        for (name, value) in extras {
            reply = reply.header(name, value);
        }
        desk.respond(now, incoming.server, reply.body(SDP, body).finish());
        let State::Incoming(incoming) = std::mem::replace(&mut self.state, State::Ended) else {
            return Ok(());
        };
        let Incoming {
            dialog, delayed, ..
        } = *incoming;
        let awaiting = Some(super::confirmed::Unacknowledged {
            answer_due: delayed == Delayed::Yes,
        });
        self.state = State::Confirmed(Box::new(Confirmed::new(dialog, timer, awaiting)));
        Ok(())
    }

    pub(super) fn hear_incoming(
        &mut self,
        desk: &mut Desk,
        now: Now,
        input: LegInput,
    ) -> Vec<LegEvent> {
        let State::Incoming(incoming) = &mut self.state else {
            return Vec::new();
        };
        match input {
            LegInput::Cancelled { reason } => {
                let parting = Parting::status_only(StatusCode::REQUEST_TERMINATED);
                incoming.turn_down(desk, now, &self.wire, &parting);
                self.state = State::Ended;
                self.remove_stream(desk);
                vec![LegEvent::GaveUp(reason)]
            }
            LegInput::Request { id, request, .. } => match request.method() {
                Method::Prack => {
                    let reliable = incoming.reliable.as_mut();
                    let status = match reliable
                        .map_or(Acknowledged::Nothing, |r| r.acknowledged(&request))
                    {
                        Acknowledged::Outstanding => StatusCode::OK,
                        Acknowledged::Nothing => StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST,
                    };
                    desk.answer(now, id, &request, status, &self.wire);
                    if let Some(reliable) = &mut incoming.reliable
                        && let Some(next) = reliable.next(now.instant)
                    {
                        desk.respond(now, incoming.server, next);
                    }
                    Vec::new()
                }
                // RFC 3261 §15: a caller may end its early dialog by BYE.
                Method::Bye => {
                    desk.answer(now, id, &request, StatusCode::OK, &self.wire);
                    let parting = Parting::status_only(StatusCode::REQUEST_TERMINATED);
                    incoming.turn_down(desk, now, &self.wire, &parting);
                    self.state = State::Ended;
                    self.remove_stream(desk);
                    vec![LegEvent::GaveUp(super::reason_of(request.headers()))]
                }
                Method::Update if request.description().unwrap_or_default().is_none() => {
                    desk.answer(now, id, &request, StatusCode::OK, &self.wire);
                    Vec::new()
                }
                // RFC 3311 §5.2: our answer to its first offer is outstanding or just given.
                Method::Update | Method::Invite => {
                    desk.answer(now, id, &request, StatusCode::REQUEST_PENDING, &self.wire);
                    Vec::new()
                }
                Method::Options => {
                    desk.answer(now, id, &request, StatusCode::OK, &self.wire);
                    Vec::new()
                }
                _ => {
                    desk.answer_unused(now, id, &request, &self.wire);
                    Vec::new()
                }
            },
            // RFC 3262 §3: no PRACK for a reliable provisional.
            LegInput::AckMissing => {
                incoming.turn_down(
                    desk,
                    now,
                    &self.wire,
                    &Parting::status_only(StatusCode::SERVER_TIMEOUT),
                );
                self.state = State::Ended;
                vec![LegEvent::Lost]
            }
            _ => Vec::new(),
        }
    }

    pub(super) fn wake_incoming(&mut self, desk: &mut Desk, now: Now) -> Vec<LegEvent> {
        let State::Incoming(incoming) = &mut self.state else {
            return Vec::new();
        };
        let Some(reliable) = &mut incoming.reliable else {
            return Vec::new();
        };
        match reliable.wake(now.instant) {
            ReliableWake::Nothing => Vec::new(),
            ReliableWake::Resend(response) => {
                desk.respond(now, incoming.server, response);
                Vec::new()
            }
            ReliableWake::GaveUp => self.hear_incoming(desk, now, LegInput::AckMissing),
        }
    }
}

/// Respond on a server transaction: a short name for the input.
impl Desk {
    pub(crate) fn respond(&mut self, now: Now, id: ServerId, response: Response) {
        self.layer
            .handle(now.instant, transaction::Input::Respond { id, response });
    }

    /// A response that carries nothing but what every response of this leg carries.
    pub(crate) fn answer(
        &mut self,
        now: Now,
        id: ServerId,
        request: &Request,
        status: StatusCode,
        wire: &Wire,
    ) {
        let reply = Response::reply(request, status).to_tag(&wire.local_tag);
        let reply = wire.dress_response(reply, &request.method());
        self.respond(now, id, reply.finish());
    }
}
