//! The leg we call, until it is answered: forks, early dialogs, PRACK, challenges, CANCEL.
//!
//! Every provisional response may open an early dialog of its own and every fork may answer. The first 2xx makes the leg; a
//! later one is acknowledged and ended (RFC 3261 §13.2.2.4). A challenge or a too small session interval is answered with a second INVITE of the
//! same Call-ID before anybody is told.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use config::Snapshot;
use embassy_time::{Duration, Instant};
use sip::auth::Exchange;
use sip::dialog::{Dialog, Raised, ReliableReceiver, SessionTimer, SessionTimerPolicy};
use sip::message::{Method, Name, Request, Response, StatusCode};
use sip::transaction::{self, ClientId};

use crate::api::CallId;
use crate::cause::Cause;
use crate::core::Now;
use crate::courier::Destination;
use crate::desk::{Desk, Owner};
use crate::media::negotiate::Description;

use super::confirmed::Confirmed;
use super::wire::{Invitation, Privacy, SDP, Wire};
use super::{Leg, LegEvent, LegInput, LegNo, Parting, State};

/// More early dialogs than any fork set of Teams opens; further ones are heard but not kept.
const MAX_EARLY: usize = 16;

/// A target that says nothing at all for this long is a black hole.
const FIRST_RESPONSE: Duration = Duration::from_secs(4);

/// How long a cancelled INVITE may take to end (RFC 3261 §9.1: 64*T1).
const CANCEL_PATIENCE: Duration = Duration::from_secs(32);

/// What is known of an INVITE of ours that has no final answer.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) client: ClientId,
    invite: Request,
    destination: Destination,
    /// Early dialogs by the party's tag.
    early: HashMap<String, Early>,
    heard: Heard,
    /// The INVITE's way through challenges.
    exchange: Exchange,
    /// What we ask of the session, as far as a 422 has raised it.
    timer: SessionTimerPolicy,
    raised: u8,
}

#[derive(Debug)]
struct Early {
    dialog: Dialog,
    reliability: ReliableReceiver,
}

/// Whether the target has said anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    Nothing,
    Something,
}

/// An INVITE of ours that nobody waits for any more.
#[derive(Debug)]
pub(crate) struct Cancelling {
    client: ClientId,
    invite: Request,
    /// CANCEL goes out with the first provisional response at the earliest (RFC 3261 §9.1).
    due: Option<Option<Bytes>>,
    pub(crate) until: Instant,
}

impl Outgoing {
    /// The call does not want it any more.
    pub(crate) fn give_up(self: Box<Self>, desk: &mut Desk, now: Now, parting: &Parting) -> State {
        let reason = parting.reason().cloned();
        let due = match self.heard {
            Heard::Something => {
                desk.cancel(now, self.client, reason);
                None
            }
            Heard::Nothing => Some(reason),
        };
        State::Cancelling(Box::new(Cancelling {
            client: self.client,
            invite: self.invite,
            due,
            until: now.instant + CANCEL_PATIENCE,
        }))
    }
}

impl Leg {
    /// Call somebody, offering what the caller's side offers (or what we can, if it offers nothing).
    ///
    /// # Errors
    /// There is no port, or nothing of the offer may be offered there.
    pub(crate) fn outgoing(
        desk: &mut Desk,
        now: Now,
        call: CallId,
        no: LegNo,
        snapshot: &Arc<Snapshot>,
        invitation: &Invitation,
        offer: Option<&Description>,
    ) -> Result<Self, Cause> {
        let user = match invitation.caller.privacy {
            Privacy::Shown => invitation.caller.number.as_str(),
            Privacy::Withheld => "",
        };
        let wire = Wire::new(desk, snapshot, invitation.trunk, user);
        let mut stream = desk.open_stream(now, call, no, &wire)?;
        let Ok(body) = stream.negotiation.offer(offer, &mut desk.tokens) else {
            stream.release(desk, now);
            return Err(Cause::UnusableAnswer);
        };
        let invite = wire.invite(desk, invitation, &body);
        let invite = desk.authorized(&wire, invite);
        let destination = wire.destination(&invitation.next_hop);
        desk.enlist(&wire.local_tag, call, no);
        if let Ok(call_id) = invite.headers().call_id() {
            desk.tell_leg(call, no, &wire, &call_id);
        }
        let client = desk.send(
            now,
            Owner::Leg(call, no),
            invite.clone(),
            &destination,
            Some(FIRST_RESPONSE),
        );
        let outgoing = Outgoing {
            client,
            invite,
            destination,
            early: HashMap::new(),
            heard: Heard::Nothing,
            exchange: Exchange::default(),
            timer: wire.session_timer(),
            raised: 0,
        };
        Ok(Self {
            no,
            call,
            wire,
            stream,
            state: State::Outgoing(Box::new(outgoing)),
            invites: Vec::new(),
        })
    }

    pub(super) fn hear_outgoing(
        &mut self,
        desk: &mut Desk,
        now: Now,
        input: LegInput,
    ) -> Vec<LegEvent> {
        let State::Outgoing(outgoing) = &mut self.state else {
            return Vec::new();
        };
        match input {
            LegInput::Response {
                client, response, ..
            } if client == outgoing.client => {
                outgoing.heard = Heard::Something;
                match response.status().code() {
                    0..=100 => Vec::new(),
                    101..=199 => self.provisional(desk, now, &response),
                    200..=299 => self.answered(desk, now, &response),
                    _ => self.refused(desk, now, &response),
                }
            }
            // A PRACK's response needs no action.
            LegInput::Response { .. } => Vec::new(),
            LegInput::TimedOut { client } if client == outgoing.client => {
                let cause = if outgoing.heard == Heard::Nothing {
                    Cause::Silent
                } else {
                    Cause::NoAnswer
                };
                self.fail(desk, cause)
            }
            LegInput::Unreachable { client } if client == outgoing.client => {
                self.fail(desk, Cause::Unreachable)
            }
            LegInput::Request { id, request, .. } => self.early_request(desk, now, id, &request),
            _ => Vec::new(),
        }
    }

    fn fail(&mut self, desk: &mut Desk, cause: Cause) -> Vec<LegEvent> {
        self.state = State::Ended;
        self.remove_stream(desk);
        vec![LegEvent::Failed(cause)]
    }

    fn provisional(&mut self, desk: &mut Desk, now: Now, response: &Response) -> Vec<LegEvent> {
        let State::Outgoing(outgoing) = &mut self.state else {
            return Vec::new();
        };
        let Some(tag) = response.headers().to_tag().map(str::to_owned) else {
            return vec![LegEvent::Progress {
                status: response.status(),
                description: None,
            }];
        };
        if !outgoing.early.contains_key(&tag)
            && outgoing.early.len() < MAX_EARLY
            && let Ok(dialog) = Dialog::client(&outgoing.invite, response)
        {
            {
                outgoing.early.insert(
                    tag.clone(),
                    Early {
                        dialog,
                        reliability: ReliableReceiver::new(),
                    },
                );
            }
        }
        // RFC 3262: each reliable provisional is acknowledged once, in order, within its early dialog.
        if response.headers().require().contains("100rel")
            && let Some(early) = outgoing.early.get_mut(&tag)
        {
            let Some(prack) = early.reliability.prack(&mut early.dialog, response) else {
                return Vec::new();
            };
            let prack = self.wire.dress_request(prack, &Method::Prack).finish();
            let destination = self.wire.in_dialog(&early.dialog);
            desk.send(
                now,
                Owner::Leg(self.call, self.no),
                prack,
                &destination,
                None,
            );
        }
        let description = response
            .description()
            .unwrap_or_default()
            .and_then(|answer| self.stream.negotiation.receive_answer(answer).ok());
        vec![LegEvent::Progress {
            status: response.status(),
            description,
        }]
    }

    /// RFC 3261 §13.2.2.4: the first answer of any fork makes the leg.
    fn answered(&mut self, desk: &mut Desk, now: Now, response: &Response) -> Vec<LegEvent> {
        let state = std::mem::replace(&mut self.state, State::Ended);
        let State::Outgoing(outgoing) = state else {
            return Vec::new();
        };
        let mut outgoing = *outgoing;
        let tag = response.headers().to_tag().unwrap_or_default().to_owned();
        let made = Dialog::client(&outgoing.invite, response).map(|fresh| {
            match outgoing.early.remove(&tag) {
                // The route set is the 2xx's, the CSeq goes on where PRACK left it (RFC 3261 §13.2.2.4).
                Some(early) => early.dialog.confirmed_by(fresh),
                None => fresh,
            }
        });
        let Ok(mut dialog) = made else {
            self.remove_stream(desk);
            return vec![LegEvent::Failed(Cause::UnusableAnswer)];
        };
        self.acknowledge(desk, now, outgoing.client, &mut dialog, &tag);
        let description = match response.description() {
            // RFC 6337 §3.1.1: the answer may have come in a reliable provisional.
            Ok(None) => self.stream.negotiation.described().cloned(),
            Ok(Some(answer)) => self.stream.negotiation.receive_answer(answer).ok(),
            Err(_) => None,
        };
        let timer = SessionTimer::client(now.instant, response, outgoing.timer);
        let mut confirmed = Confirmed::new(dialog, timer, None);
        confirmed.invited_by(outgoing.client, outgoing.invite);
        confirmed.learn(response.headers());
        match description {
            Some(description) => {
                self.state = State::Confirmed(Box::new(confirmed));
                let mut events = Vec::new();
                if let Some(id) = crate::teams::correlation(response.headers()) {
                    events.push(LegEvent::Correlated(id));
                }
                events.push(LegEvent::Answered(description));
                events
            }
            None => {
                let bye = confirmed.hang_up(
                    desk,
                    now,
                    self.call,
                    self.no,
                    &self.wire,
                    &Parting::default(),
                );
                self.state = State::Leaving(bye);
                self.remove_stream(desk);
                vec![LegEvent::Failed(Cause::UnusableAnswer)]
            }
        }
    }

    /// Send the ACK of a 2xx; the layer repeats it when the 2xx is repeated.
    pub(super) fn acknowledge(
        &self,
        desk: &mut Desk,
        now: Now,
        client: ClientId,
        dialog: &mut Dialog,
        tag: &str,
    ) {
        let ack = self.wire.dress_request(dialog.ack(), &Method::Ack).finish();
        let destination = self.wire.in_dialog(dialog);
        desk.acknowledge(now, client, tag, ack, &destination);
    }

    fn refused(&mut self, desk: &mut Desk, now: Now, response: &Response) -> Vec<LegEvent> {
        let State::Outgoing(outgoing) = &mut self.state else {
            return Vec::new();
        };
        let again = match response.status().code() {
            401 | 407 => desk.with_credentials(
                &self.wire,
                &mut outgoing.exchange,
                &outgoing.invite,
                response,
            ),
            // INV-18: once more with the interval that the other side wants.
            422 if outgoing.raised < 2 => {
                outgoing.raised += 1;
                let mut timer = SessionTimer::idle(outgoing.timer);
                match timer.raise(response) {
                    Raised::AskAgain => {
                        outgoing.timer = timer.policy();
                        Some(super::wire::with_session_timer(
                            &outgoing.invite,
                            outgoing.timer,
                        ))
                    }
                    Raised::NoUse => None,
                }
            }
            _ => None,
        };
        if let Some(again) = again {
            outgoing.invite = again.clone();
            outgoing.early.clear();
            let owner = Owner::Leg(self.call, self.no);
            outgoing.client = desk.send(now, owner, again, &outgoing.destination.clone(), None);
            return Vec::new();
        }
        let cause = Cause::Status {
            status: response.status(),
            reason: super::reason_of(response.headers()),
            retry_after: response
                .headers()
                .retry_after()
                .ok()
                .flatten()
                .map(|after| after.seconds),
        };
        self.fail(desk, cause)
    }

    /// A request of the party before its answer: UPDATE of an early dialog, or one that came too early.
    fn early_request(
        &mut self,
        desk: &mut Desk,
        now: Now,
        id: transaction::ServerId,
        request: &Request,
    ) -> Vec<LegEvent> {
        let offer = request.description().unwrap_or_default();
        match (request.method(), offer) {
            (Method::Update, None) => {
                desk.answer(now, id, request, StatusCode::OK, &self.wire);
            }
            (Method::Update, Some(offer)) => match self.stream.negotiation.receive_offer(offer) {
                Ok(described) => {
                    let answer = self.stream.negotiation.answer(&described, &mut desk.tokens);
                    match answer {
                        Ok(body) => {
                            let reply = Response::reply(request, StatusCode::OK)
                                .to_tag(&self.wire.local_tag);
                            let reply = self
                                .wire
                                .dress_response(reply, &Method::Update)
                                .body(SDP, body);
                            desk.respond(now, id, reply.finish());
                        }
                        Err(_) => desk.answer(
                            now,
                            id,
                            request,
                            StatusCode::NOT_ACCEPTABLE_HERE,
                            &self.wire,
                        ),
                    }
                }
                Err(_) => desk.answer(
                    now,
                    id,
                    request,
                    StatusCode::NOT_ACCEPTABLE_HERE,
                    &self.wire,
                ),
            },
            (Method::Options | Method::Notify, _) => {
                desk.answer(now, id, request, StatusCode::OK, &self.wire)
            }
            (Method::Bye, _) => {
                desk.answer(now, id, request, StatusCode::OK, &self.wire);
            }
            _ => desk.answer_unused(now, id, request, &self.wire),
        }
        Vec::new()
    }

    pub(super) fn hear_cancelling(
        &mut self,
        desk: &mut Desk,
        now: Now,
        input: LegInput,
    ) -> Vec<LegEvent> {
        let State::Cancelling(cancelling) = &mut self.state else {
            return Vec::new();
        };
        match input {
            LegInput::Response {
                client, response, ..
            } if client == cancelling.client => {
                match response.status().code() {
                    100..=199 => {
                        if let Some(reason) = cancelling.due.take() {
                            desk.cancel(now, client, reason);
                        }
                    }
                    // RFC 3261 §9.1: the answer crossed the CANCEL. Acknowledge and end it.
                    200..=299 => {
                        let invite = cancelling.invite.clone();
                        self.state = State::Ended;
                        self.end_fork(desk, now, client, &invite, &response);
                    }
                    _ => self.state = State::Ended,
                }
            }
            LegInput::TimedOut { client } | LegInput::Unreachable { client }
                if client == cancelling.client =>
            {
                self.state = State::Ended;
            }
            LegInput::Request { id, request, .. } => {
                desk.answer(
                    now,
                    id,
                    &request,
                    StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST,
                    &self.wire,
                );
            }
            _ => {}
        }
        Vec::new()
    }

    /// Acknowledge a 2xx of a fork that is not wanted, and say BYE to it.
    pub(super) fn end_fork(
        &self,
        desk: &mut Desk,
        now: Now,
        client: ClientId,
        invite: &Request,
        response: &Response,
    ) {
        let Ok(mut dialog) = Dialog::client(invite, response) else {
            return;
        };
        let tag = dialog.remote_tag().to_owned();
        self.acknowledge(desk, now, client, &mut dialog, &tag);
        let mut bye = self
            .wire
            .dress_request(dialog.request(Method::Bye), &Method::Bye);
        bye = bye.header(
            Name::Reason,
            "SIP;cause=200;text=\"Call completed elsewhere\"",
        );
        desk.send(
            now,
            Owner::Leg(self.call, self.no),
            bye.finish(),
            &self.wire.in_dialog(&dialog),
            None,
        );
    }

    pub(super) fn wake_cancelling(&mut self, now: Now) {
        if let State::Cancelling(cancelling) = &self.state
            && cancelling.until <= now.instant
        {
            self.state = State::Ended;
        }
    }
}
