//! Requests that begin something, and those that belong to something: who is asked, and who is turned away.
//!
//! In-dialog requests find their leg by our own tag (never by connection or address: spec §1.2). An INVITE becomes a call if a
//! trunk has its source, a route its number and the limits room; OPTIONS is answered; everything else is refused by its RFC code.
//! Strangers never get this far: [`is_stranger`] is asked before the transaction layer, so that they hear nothing at all (SIG-03).

use embassy_time::Duration;
use sip::dialog::refer::Replaces;
use sip::dialog::{Dialog, IntervalTooSmall};
use sip::message::{Message, Method, Name, Request, Response, StatusCode, UnfitBody};
use sip::transaction::ServerId;
use sip::transport::Source;

use config::TrunkId;

use crate::api::{CallId, Event, TurnedAway};
use crate::call::{Call, Record, Stage};
use crate::cause::Cause;
use crate::core::{Core, Now};
use crate::desk::{LegRef, Owner};
use crate::flow::setup::Setup;
use crate::leg::incoming::Incoming;
use crate::leg::wire::{Wire, session_timer};
use crate::leg::{Leg, LegInput, LegNo, State};
use crate::route::hunt::Hunt;
use crate::route::{Attempt, choose};

/// What a request may require of us (RFC 3261 §8.2.2.3).
const EXTENSIONS: [&str; 4] = ["100rel", "timer", "replaces", "histinfo"];

impl Core {
    /// Whether nobody here knows the sender of a request. Responses are let through: they must match a transaction.
    #[must_use]
    pub fn is_stranger(&self, message: &Message, source: &Source) -> bool {
        matches!(message, Message::Request(_))
            && !self
                .snapshot()
                .is_known(config::ListenerId(source.listener.0), source.remote.ip())
    }

    /// A request, new or in a dialog.
    pub(crate) fn receive(&mut self, now: Now, id: ServerId, request: Request, source: Source) {
        let tag = request.headers().to_tag().map(str::to_owned);
        if let Some(tag) = tag {
            return self.receive_in_dialog(now, id, request, source, &tag);
        }
        if request.method() == Method::Ack {
            return;
        }
        if let Some(refusal) = self.faulty(&request) {
            self.turned_away(&source, refusal.1);
            return self.desk().respond(now, id, refusal.0);
        }
        match request.method() {
            Method::Invite => self.invited(now, id, &request, &source),
            Method::Options => self.asked(now, id, &request, &source),
            method => {
                self.turned_away(&source, TurnedAway::Method);
                let status = match method {
                    Method::Other(_) => StatusCode::NOT_IMPLEMENTED,
                    _ => StatusCode::METHOD_NOT_ALLOWED,
                };
                let reply =
                    Response::reply(&request, status).header(Name::Allow, crate::leg::wire::ALLOW);
                let tag = self.desk().tokens.tag();
                self.desk().respond(now, id, reply.to_tag(&tag).finish());
            }
        }
    }

    fn turned_away(&mut self, source: &Source, reason: TurnedAway) {
        self.desk().tell(Event::TurnedAway {
            reason,
            from: source.remote,
        });
    }

    fn refuse(&mut self, now: Now, id: ServerId, request: &Request, status: StatusCode) {
        let tag = self.desk().tokens.tag();
        self.desk().respond(
            now,
            id,
            Response::reply(request, status).to_tag(&tag).finish(),
        );
    }

    /// RFC 3261 §8.2.3.
    fn unfit(&mut self, now: Now, id: ServerId, request: &Request, unfit: UnfitBody) {
        let tag = self.desk().tokens.tag();
        let (name, value) = unfit.cure();
        let reply = Response::reply(request, StatusCode::UNSUPPORTED_MEDIA_TYPE).to_tag(&tag);
        self.desk()
            .respond(now, id, reply.header(name, value).finish());
    }

    fn receive_in_dialog(
        &mut self,
        now: Now,
        id: ServerId,
        request: Request,
        source: Source,
        tag: &str,
    ) {
        let found = self.desk().leg_of_tag(tag);
        match found {
            Some(_)
                if matches!(request.method(), Method::Invite | Method::Update)
                    && let Err(unfit) = request.description() =>
            {
                self.unfit(now, id, &request, unfit);
            }
            Some(LegRef { call, leg }) => {
                let owner = Owner::Leg(call, leg);
                self.deliver(
                    now,
                    owner,
                    LegInput::Request {
                        id,
                        request,
                        source,
                    },
                );
            }
            None if request.method() == Method::Ack => {}
            None => {
                self.turned_away(&source, TurnedAway::NoSuchDialog);
                self.refuse(
                    now,
                    id,
                    &request,
                    StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST,
                );
            }
        }
    }

    /// What is wrong with a request that would begin something (RFC 3261 §8.2).
    fn faulty(&mut self, request: &Request) -> Option<(Response, TurnedAway)> {
        let headers = request.headers();
        let tag = self.desk().tokens.tag();
        let reply = |status| Response::reply(request, status).to_tag(&tag);
        if headers.from().is_err() || headers.to().is_err() || request.request_uri().is_err() {
            return Some((
                reply(StatusCode::BAD_REQUEST).finish(),
                TurnedAway::Malformed,
            ));
        }
        if headers.max_forwards().ok().flatten() == Some(0) && request.method() != Method::Options {
            return Some((
                reply(StatusCode::TOO_MANY_HOPS).finish(),
                TurnedAway::Malformed,
            ));
        }
        let unknown: Vec<String> = headers
            .require()
            .iter()
            .filter(|option| {
                !EXTENSIONS
                    .iter()
                    .any(|known| known.eq_ignore_ascii_case(option))
            })
            .map(str::to_owned)
            .collect();
        if !unknown.is_empty() {
            let reply =
                reply(StatusCode::BAD_EXTENSION).header(Name::Unsupported, unknown.join(", "));
            return Some((reply.finish(), TurnedAway::Extension));
        }
        None
    }

    /// OPT-03: OPTIONS is answered with Contact and Allow.
    fn asked(&mut self, now: Now, id: ServerId, request: &Request, source: &Source) {
        let Some(trunk) = self.trunk_of(request, source) else {
            return self.refuse(now, id, request, StatusCode::NOT_FOUND);
        };
        let name = self.desk().snapshot.trunk(trunk).name.clone();
        self.desk().asked_us.insert(name, now.instant);
        let wire = self.wire_for(request, trunk);
        self.desk().answer(now, id, request, StatusCode::OK, &wire);
    }

    /// The trunk that a request belongs to: by listener and source, and among several by the host of its Request-URI.
    fn trunk_of(&mut self, request: &Request, source: &Source) -> Option<TrunkId> {
        let uri = request.request_uri().ok()?;
        let host = uri.host().map(ToString::to_string);
        let listener = config::ListenerId(source.listener.0);
        self.desk()
            .snapshot
            .trunk_of(listener, source.remote.ip(), host.as_deref())
    }

    fn wire_for(&mut self, request: &Request, trunk: TrunkId) -> Wire {
        let user = request
            .request_uri()
            .ok()
            .and_then(|uri| uri.user().map(str::to_owned))
            .unwrap_or_default();
        let snapshot = std::sync::Arc::clone(&self.desk().snapshot);
        Wire::new(self.desk(), &snapshot, trunk, &user)
    }

    fn invited(&mut self, now: Now, id: ServerId, request: &Request, source: &Source) {
        let Some(trunk) = self.trunk_of(request, source) else {
            // A Teams tenant that is not ours (MT-01).
            return self.refuse(now, id, request, StatusCode::NOT_FOUND);
        };
        if self.desk().draining || !self.desk().media_is_up() {
            self.turned_away(source, TurnedAway::Unavailable);
            return self.refuse(now, id, request, StatusCode::SERVICE_UNAVAILABLE);
        }
        if let Err(unfit) = request.description() {
            self.turned_away(source, TurnedAway::Malformed);
            return self.unfit(now, id, request, unfit);
        }
        let session = session_timer(self.desk().snapshot.trunk(trunk));
        if let Err(IntervalTooSmall { min_se }) = session.check(request) {
            // RFC 4028 §8: INV-18.
            self.turned_away(source, TurnedAway::Malformed);
            let tag = self.desk().tokens.tag();
            let reply = Response::reply(request, StatusCode::SESSION_INTERVAL_TOO_SMALL)
                .to_tag(&tag)
                .header(Name::MinSe, min_se.to_string());
            return self.desk().respond(now, id, reply.finish());
        }
        if let Ok(Some(replaces)) = request.headers().replaces() {
            return self.replacing(now, id, request, trunk, &replaces);
        }
        let snapshot = std::sync::Arc::clone(&self.desk().snapshot);
        let Ok(attempt) = Attempt::read(&snapshot, trunk, request) else {
            return self.refuse(now, id, request, StatusCode::ADDRESS_INCOMPLETE);
        };
        let call = self.desk().new_call();
        self.desk().tell(Event::Started {
            call,
            from_trunk: snapshot.trunk(trunk).name.clone(),
            tenant: attempt.tenant_name().map(str::to_owned),
            caller: attempt.caller().to_owned(),
            called: attempt.called().to_owned(),
        });
        self.tell_caller(call, LegNo(0), trunk, request);
        let decision = match choose(&snapshot, &attempt, now.wall) {
            Ok(decision) => decision,
            Err(refusal) => {
                return self.stillborn(
                    now,
                    id,
                    request,
                    call,
                    refusal.status(),
                    crate::api::Ending::NotRouted,
                );
            }
        };
        let Ok(ticket) = self.desk().limits.admit(&snapshot, &decision, now.instant) else {
            let limit = crate::api::Ending::LimitReached;
            return self.stillborn(
                now,
                id,
                request,
                call,
                StatusCode::SERVICE_UNAVAILABLE,
                limit,
            );
        };
        let leg = match self.incoming_leg(now, id, request, trunk, call, LegNo(0)) {
            Ok(leg) => leg,
            Err(cause) => {
                self.desk().limits.release(ticket);
                return self.stillborn(
                    now,
                    id,
                    request,
                    call,
                    cause.status_for_caller(),
                    cause.ending(),
                );
            }
        };
        let ring_by = snapshot.trunk(trunk).ring_within.map(|within| {
            let within = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
            now.instant + Duration::from_millis(within.min(60_000))
        });
        let record = Record {
            caller: attempt.caller().to_owned(),
            called: attempt.called().to_owned(),
            from_trunk: snapshot.trunk(trunk).name.clone(),
            to_trunk: None,
            tenant: attempt.tenant_name().map(str::to_owned),
            answered: None,
            correlation: crate::teams::correlation(request.headers()),
            ending: None,
        };
        let setup = Setup::new(LegNo(0), Hunt::new(decision), ring_by);
        let mut born = Call {
            id: call,
            snapshot,
            legs: vec![leg],
            stage: Stage::Setup(Box::new(setup)),
            record,
            ticket: Some(ticket),
        };
        born.begin(self.desk(), now);
        self.admit(now, born);
    }

    /// A leg that begins with this INVITE.
    fn tell_caller(&mut self, call: CallId, leg: LegNo, trunk: TrunkId, request: &Request) {
        let trunk = self.desk().snapshot.trunk(trunk).name.clone();
        if let Ok(call_id) = request.headers().call_id() {
            self.desk().tell(Event::Leg {
                call,
                leg: leg.0,
                trunk,
                call_id: call_id.to_string(),
            });
        }
    }

    /// A call that ends before it has a leg.
    fn stillborn(
        &mut self,
        now: Now,
        id: ServerId,
        request: &Request,
        call: CallId,
        status: StatusCode,
        ending: crate::api::Ending,
    ) {
        self.refuse(now, id, request, status);
        let status = Some(status.code());
        self.desk().tell(Event::Ended {
            call,
            ending,
            status,
            duration: 0,
            correlation: None,
        });
    }

    fn incoming_leg(
        &mut self,
        now: Now,
        id: ServerId,
        request: &Request,
        trunk: TrunkId,
        call: CallId,
        no: LegNo,
    ) -> Result<Leg, Cause> {
        let wire = self.wire_for(request, trunk);
        let dialog = Dialog::server(request, &wire.local_tag)
            .map_err(|_| Cause::status(StatusCode::BAD_REQUEST))?;
        let desk = self.desk();
        let mut stream = desk.open_stream(now, call, no, &wire)?;
        if let Some(offer) = request.description().unwrap_or_default()
            && stream.negotiation.receive_offer(offer).is_err()
        {
            stream.release(desk, now);
            return Err(Cause::UnusableAnswer);
        }
        desk.enlist(&wire.local_tag, call, no);
        desk.enlist_invite(id, call, no);
        let incoming = Incoming::new(id, request.clone(), dialog);
        Ok(Leg {
            no,
            call,
            wire,
            stream,
            state: State::Incoming(Box::new(incoming)),
            invites: vec![id],
        })
    }

    /// RFC 3891, REF-06: an INVITE that takes the place of a leg of ours.
    fn replacing(
        &mut self,
        now: Now,
        id: ServerId,
        request: &Request,
        trunk: TrunkId,
        replaces: &Replaces,
    ) {
        let Some(LegRef { call, leg: old }) = self.desk().find_replaced(replaces) else {
            return self.refuse(
                now,
                id,
                request,
                StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST,
            );
        };
        let Some(no) = self.next_leg(call) else {
            return self.refuse(
                now,
                id,
                request,
                StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST,
            );
        };
        match self.incoming_leg(now, id, request, trunk, call, no) {
            Ok(leg) => {
                self.tell_caller(call, no, trunk, request);
                self.with_call(now, call, |call, desk| call.replaced(desk, now, leg, old));
            }
            Err(cause) => self.refuse(now, id, request, cause.status_for_caller()),
        }
    }
}
