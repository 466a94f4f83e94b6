//! Offers in mid-call on one leg: ours, theirs, refreshes, and what crosses (RFC 3261 §14, RFC 3264, RFC 4028).
//!
//! One offer is under way on a leg at a time; what crosses is answered 491 and comes again. A refresh that changes nothing ends
//! here (INV-19); our own refresh repeats the same SDP, version and keys included (spec §1.7).
//!
//! Not here: what an offer means for the other leg (`flow::exchange`).

use bytes::Bytes;
use embassy_time::Duration;
use media_api::Fingerprint;
use sip::auth::Exchange;
use sip::dialog::{Raised, glare_wait};
use sip::message::{Method, Name, Request, Response, StatusCode};
use sip::transaction::{ClientId, ServerId};

use crate::cause::Cause;
use crate::core::Now;
use crate::desk::{Desk, Owner};
use crate::media::negotiate::Description;

use super::confirmed::{Ours, Purpose, Theirs, Unacknowledged};
use super::wire::SDP;
use super::{Leg, LegEvent, State};

/// How long the other side may take to answer an offer that we carry to it.
const OFFER_PATIENCE: Duration = Duration::from_secs(30);

impl Leg {
    /// Whether an offer of ours may go out now (RFC 3261 §14.1, RFC 3264 §4).
    pub(crate) fn may_offer(&self) -> bool {
        match &self.state {
            State::Confirmed(confirmed) => {
                confirmed.ours.is_none()
                    && confirmed.theirs.is_none()
                    && confirmed.again.is_none()
                    && !confirmed.unacknowledged.is_some_and(|due| due.answer_due)
            }
            _ => false,
        }
    }

    /// Offer the party what the other one says.
    ///
    /// # Errors
    /// The leg has nothing in common with it.
    pub(crate) fn offer(
        &mut self,
        desk: &mut Desk,
        now: Now,
        description: &Description,
    ) -> Result<(), Cause> {
        let body = self
            .stream
            .negotiation
            .offer(Some(description), &mut desk.tokens)
            .map_err(|_| Cause::UnusableAnswer)?;
        let purpose = Purpose::Offer(description.clone());
        self.ask(desk, now, Method::Invite, Some(body), purpose);
        Ok(())
    }

    /// Media has been started again with another certificate, and the party's keys are gone: it is offered new ones.
    ///
    /// # Errors
    /// No offer can be made now.
    pub(crate) fn offer_handshake(
        &mut self,
        desk: &mut Desk,
        now: Now,
        certificate: Fingerprint,
    ) -> Result<(), Cause> {
        let told = self.stream.negotiation.told().cloned();
        let told = told.filter(|_| self.may_offer());
        let told = told.ok_or(Cause::UnusableAnswer)?;
        self.stream.negotiation.forget_handshake(certificate);
        self.offer(desk, now, &told)
    }

    /// Sends a request of ours, which keeps the session: INVITE with an offer, or UPDATE without.
    fn ask(
        &mut self,
        desk: &mut Desk,
        now: Now,
        method: Method,
        offer: Option<Bytes>,
        purpose: Purpose,
    ) {
        let owner = Owner::Leg(self.call, self.no);
        let State::Confirmed(confirmed) = &mut self.state else {
            return;
        };
        let mut request = self
            .wire
            .dress_request(confirmed.dialog.request(method.clone()), &method);
        for (name, value) in confirmed.timer.headers() {
            request = request.header(name, value);
        }
        if let Some(offer) = offer {
            request = request.body(SDP, offer);
        }
        let request = request.finish();
        let client = desk.send(
            now,
            owner,
            request.clone(),
            &self.wire.in_dialog(&confirmed.dialog),
            None,
        );
        confirmed.ours = Some(Ours {
            client,
            purpose,
            request,
            exchange: Exchange::default(),
        });
    }

    /// Answer the party's offer with what the other one says.
    ///
    /// # Errors
    /// The two have nothing in common; the offer still waits.
    pub(crate) fn answer_offer(
        &mut self,
        desk: &mut Desk,
        now: Now,
        other: &Description,
    ) -> Result<(), Cause> {
        let body = self
            .stream
            .negotiation
            .answer(other, &mut desk.tokens)
            .map_err(|_| Cause::UnusableAnswer)?;
        self.accept(desk, now, &body, AnswerDue::No);
        Ok(())
    }

    /// Answer the party's offer as if it changed nothing for anybody else.
    pub(crate) fn accept_offer_unchanged(&mut self, desk: &mut Desk, now: Now) {
        let Some(described) = self.described().cloned() else {
            return self.refuse_offer(desk, now, StatusCode::NOT_ACCEPTABLE_HERE);
        };
        if self.answer_offer(desk, now, &described).is_err() {
            self.refuse_offer(desk, now, StatusCode::NOT_ACCEPTABLE_HERE);
        }
    }

    /// Refuse the party's offer; the session stays as it is.
    pub(crate) fn refuse_offer(&mut self, desk: &mut Desk, now: Now, status: StatusCode) {
        self.stream.negotiation.refuse();
        let State::Confirmed(confirmed) = &mut self.state else {
            return;
        };
        if let Some(theirs) = confirmed.theirs.take() {
            desk.answer(now, theirs.server, &theirs.request, status, &self.wire);
        }
    }

    fn accept(&mut self, desk: &mut Desk, now: Now, body: &Bytes, answer_due: AnswerDue) {
        let State::Confirmed(confirmed) = &mut self.state else {
            return;
        };
        let Some(theirs) = confirmed.theirs.take() else {
            return;
        };
        let method = theirs.request.method();
        let mut reply =
            Response::reply(&theirs.request, StatusCode::OK).to_tag(&self.wire.local_tag);
        reply = self.wire.dress_response(reply, &method);
        for (name, value) in confirmed.timer.refreshed_by(now.instant, &theirs.request) {
            reply = reply.header(name, value);
        }
        desk.respond(now, theirs.server, reply.body(SDP, body.clone()).finish());
        if method == Method::Invite {
            let answer_due = answer_due == AnswerDue::Yes;
            confirmed.unacknowledged = Some(Unacknowledged { answer_due });
        }
        self.stream.install_again(desk);
    }

    pub(super) fn offered(
        &mut self,
        desk: &mut Desk,
        now: Now,
        id: ServerId,
        request: &Request,
    ) -> Vec<LegEvent> {
        let State::Confirmed(confirmed) = &mut self.state else {
            return Vec::new();
        };
        if let Err(too_small) = confirmed.timer.check(request) {
            // RFC 4028 §8: INV-18.
            let reply = Response::reply(request, StatusCode::SESSION_INTERVAL_TOO_SMALL)
                .to_tag(&self.wire.local_tag)
                .header(Name::MinSe, too_small.min_se.to_string());
            desk.respond(now, id, reply.finish());
            return Vec::new();
        }
        // RFC 3261 §14.2, RFC 3311 §5.2: one offer at a time.
        if confirmed.theirs.is_some() || confirmed.unacknowledged.is_some_and(|due| due.answer_due)
        {
            let reply = Response::reply(request, StatusCode::SERVER_INTERNAL_ERROR)
                .to_tag(&self.wire.local_tag)
                .header(Name::RetryAfter, "2");
            desk.respond(now, id, reply.finish());
            return Vec::new();
        }
        if confirmed.ours.is_some() {
            desk.answer(now, id, request, StatusCode::REQUEST_PENDING, &self.wire);
            return Vec::new();
        }
        if request.method() == Method::Invite {
            desk.enlist_invite(id, self.call, self.no);
            self.invites.push(id);
        }
        confirmed.theirs = Some(Theirs {
            server: id,
            request: request.clone(),
            until: now.instant + OFFER_PATIENCE,
        });
        let Some(offer) = request.description().unwrap_or_default() else {
            if request.method() == Method::Update {
                // A refresh without an offer: no SDP in the answer either.
                let State::Confirmed(confirmed) = &mut self.state else {
                    return Vec::new();
                };
                let Some(theirs) = confirmed.theirs.take() else {
                    return Vec::new();
                };
                let mut reply =
                    Response::reply(&theirs.request, StatusCode::OK).to_tag(&self.wire.local_tag);
                reply = self.wire.dress_response(reply, &Method::Update);
                for (name, value) in confirmed.timer.refreshed_by(now.instant, &theirs.request) {
                    reply = reply.header(name, value);
                }
                desk.respond(now, theirs.server, reply.finish());
                return Vec::new();
            }
            // A re-INVITE that leaves the offer to us: what stands is offered, the ACK answers.
            match self.stream.negotiation.offer_again() {
                Some(body) => self.accept(desk, now, &body, AnswerDue::Yes),
                None => self.refuse_offer(desk, now, StatusCode::NOT_ACCEPTABLE_HERE),
            }
            return Vec::new();
        };
        let refresh = self.stream.negotiation.is_refresh(offer);
        match self.stream.negotiation.receive_offer(offer) {
            Ok(_) if refresh => {
                // INV-19: nothing that the other side could notice.
                match self.stream.negotiation.answer_again(&mut desk.tokens) {
                    Ok(body) => self.accept(desk, now, &body, AnswerDue::No),
                    Err(_) => self.refuse_offer(desk, now, StatusCode::NOT_ACCEPTABLE_HERE),
                }
                Vec::new()
            }
            Ok(description) => vec![LegEvent::Offered { description }],
            Err(_) => {
                self.refuse_offer(desk, now, StatusCode::NOT_ACCEPTABLE_HERE);
                Vec::new()
            }
        }
    }

    pub(super) fn in_dialog_response(
        &mut self,
        desk: &mut Desk,
        now: Now,
        client: ClientId,
        response: &Response,
    ) -> Vec<LegEvent> {
        let code = response.status().code();
        let State::Confirmed(confirmed) = &mut self.state else {
            return Vec::new();
        };
        if let Some((made_by, invite)) = &confirmed.made_by
            && *made_by == client
        {
            // RFC 3261 §13.2.2.4: another fork has answered too.
            let tag = response
                .headers()
                .to()
                .ok()
                .and_then(|to| to.tag().map(str::to_owned));
            if (200..300).contains(&code) && tag.as_deref() != Some(confirmed.dialog.remote_tag()) {
                let invite = invite.clone();
                self.end_fork(desk, now, client, &invite, response);
            }
            return Vec::new();
        }
        let Some(mut ours) = confirmed.ours.take_if(|ours| ours.client == client) else {
            // NOTIFY, BYE, PRACK: only the end of the dialog matters.
            if matches!(code, 408 | 481) {
                return self.dialog_gone(desk, now);
            }
            return Vec::new();
        };
        match code {
            0..=199 => {
                confirmed.ours = Some(ours);
                Vec::new()
            }
            200..=299 => self.offer_answered(desk, now, ours, response),
            // RFC 3261 §14.1: try again after a random while that depends on who made the Call-ID.
            491 => {
                let wait = glare_wait(confirmed.dialog.role(), &mut desk.tokens);
                self.stream.negotiation.withdraw();
                let Some(confirmed) = self.confirmed() else {
                    return Vec::new();
                };
                confirmed.again = Some((now.instant + wait, ours.purpose));
                Vec::new()
            }
            // RFC 4028 §7.2, INV-18: the same with a longer interval.
            422 if confirmed.timer.raise(response) == Raised::AskAgain => {
                self.stream.negotiation.withdraw();
                self.make_again(desk, now, ours.purpose)
            }
            401 | 407 => {
                match desk.with_credentials(&self.wire, &mut ours.exchange, &ours.request, response)
                {
                    Some(again) => {
                        let owner = Owner::Leg(self.call, self.no);
                        let State::Confirmed(confirmed) = &mut self.state else {
                            return Vec::new();
                        };
                        confirmed.dialog.sent(&again);
                        let destination = self.wire.in_dialog(&confirmed.dialog);
                        let client = desk.send(now, owner, again.clone(), &destination, None);
                        confirmed.ours = Some(Ours {
                            client,
                            request: again,
                            ..ours
                        });
                        Vec::new()
                    }
                    None => self.offer_refused(response.status(), &ours),
                }
            }
            // RFC 3261 §12.2.1.2.
            408 | 481 => self.dialog_gone(desk, now),
            _ => self.offer_refused(response.status(), &ours),
        }
    }

    fn offer_refused(&mut self, status: StatusCode, ours: &Ours) -> Vec<LegEvent> {
        match ours.purpose {
            Purpose::Offer(_) => {
                self.stream.negotiation.withdraw();
                vec![LegEvent::OfferRefused(status)]
            }
            // A refresh that is refused leaves the session; the timer asks again before it expires.
            Purpose::Refresh => Vec::new(),
        }
    }

    fn offer_answered(
        &mut self,
        desk: &mut Desk,
        now: Now,
        ours: Ours,
        response: &Response,
    ) -> Vec<LegEvent> {
        let State::Confirmed(confirmed) = &mut self.state else {
            return Vec::new();
        };
        confirmed.dialog.refresh_target(response);
        confirmed.timer.refreshed(now.instant, response);
        if ours.request.method() == Method::Invite {
            let tag = confirmed.dialog.remote_tag().to_owned();
            let ack = self
                .wire
                .dress_request(confirmed.dialog.ack_of(&ours.request), &Method::Ack)
                .finish();
            let destination = self.wire.in_dialog(&confirmed.dialog);
            desk.acknowledge(now, ours.client, &tag, ack, &destination);
        }
        let Some(answer) = response.description().unwrap_or_default() else {
            return match ours.purpose {
                Purpose::Offer(_) => self.offer_refused(StatusCode::NOT_ACCEPTABLE_HERE, &ours),
                Purpose::Refresh => Vec::new(),
            };
        };
        let answered = self.stream.negotiation.receive_answer(answer);
        self.stream.install_again(desk);
        match (ours.purpose, answered) {
            (Purpose::Refresh, _) => Vec::new(),
            (Purpose::Offer(_), Ok(description)) => vec![LegEvent::Agreed(description)],
            (Purpose::Offer(_), Err(_)) => {
                self.stream.negotiation.withdraw();
                vec![LegEvent::OfferRefused(StatusCode::NOT_ACCEPTABLE_HERE)]
            }
        }
    }

    pub(super) fn make_again(
        &mut self,
        desk: &mut Desk,
        now: Now,
        purpose: Purpose,
    ) -> Vec<LegEvent> {
        match purpose {
            Purpose::Offer(description) => match self.offer(desk, now, &description) {
                Ok(()) => Vec::new(),
                Err(_) => vec![LegEvent::OfferRefused(StatusCode::NOT_ACCEPTABLE_HERE)],
            },
            Purpose::Refresh => {
                self.refresh(desk, now);
                Vec::new()
            }
        }
    }

    /// RFC 4028 §9: UPDATE where the party knows it, re-INVITE with the same SDP otherwise (INV-07: always so towards Teams).
    pub(super) fn refresh(&mut self, desk: &mut Desk, now: Now) {
        if !self.may_offer() {
            return;
        }
        let Some(confirmed) = self.confirmed() else {
            return;
        };
        if confirmed.updates && self.wire.may_update() {
            self.ask(desk, now, Method::Update, None, Purpose::Refresh);
        } else if let Some(body) = self.stream.negotiation.repeat() {
            self.ask(desk, now, Method::Invite, Some(body), Purpose::Refresh);
        }
    }
}

/// Whether the ACK to a 2xx of ours must carry an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AnswerDue {
    No,
    Yes,
}
