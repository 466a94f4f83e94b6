//! Requests of peers: found again when repeated, answered, acknowledged, cancelled (RFC 3261 §17.2, §8.2.2.2, §9.2).
//!
//! What is answered here without the user keeps nothing: malformed requests, merged ones, CANCELs of nothing, all requests
//! when the table is full. So nobody can fill the table but by requests that deserve an answer.
//!
//! Not here: when to repeat a response (`server`), what to answer.

use std::sync::Arc;

use bytes::Bytes;
use embassy_time::Instant;

use super::super::key::{PlaceKey, ServerKey};
use super::super::server::{Due, News, Sent, Server};
use super::super::stamp::Return;
use super::super::timers::Reliability;
use super::super::{Event, ServerId};
use super::{Layer, Which};
use crate::message::{Method, Request, Response, StatusCode, refuse};
use crate::transport::Source;

#[derive(Debug)]
pub(super) struct ServerEntry {
    machine: Server,
    key: Arc<ServerKey>,
    place: Option<Arc<PlaceKey>>,
    back: Return,
    reliability: Reliability,
    /// The last response, as it was sent.
    last: Option<Bytes>,
    /// The To-tag that was given to it, for the response of a CANCEL.
    to_tag: Option<Box<str>>,
    armed: Option<Instant>,
}

impl Layer {
    pub(super) fn request(&mut self, now: Instant, request: Request, source: Source) {
        // Without a Via nobody can be answered.
        let Ok(via) = request.headers().via() else {
            return;
        };
        let Ok(key) = ServerKey::of(&request, &via) else {
            return;
        };
        if request.method() == Method::Ack {
            return self.ack(now, &key, request, source);
        }
        if let Some(&id) = self.by_key.get(&key) {
            return self.repeated(id);
        }
        let back = Return::of(&via, &source);
        if let Err(error) = request.check() {
            return self.refuse(&back, &request, error.status());
        }
        if request.method() == Method::Cancel {
            return self.cancelled(now, key, back, &source, request);
        }
        let is_invite = request.method() == Method::Invite;
        let is_first = request.headers().to_tag().is_none();
        let mut place = None;
        if is_first || is_invite {
            place = PlaceKey::of(&request);
        }
        let known = |place: &PlaceKey| self.by_place.contains_key(place);
        if is_first && place.as_ref().is_some_and(known) {
            return self.refuse(&back, &request, StatusCode::LOOP_DETECTED);
        }
        if self.servers.len() >= self.max_servers {
            // INV-12.
            return self.refuse(&back, &request, StatusCode::SERVICE_UNAVAILABLE);
        }
        let machine = if is_invite {
            Server::Inviting
        } else {
            Server::Trying
        };
        let id = self.open(machine, key, place, back, &source);
        if is_invite {
            // INV-11: before anybody has thought about it.
            let trying = Response::reply(&request, StatusCode::TRYING).finish();
            self.respond(now, id, &trying);
        }
        self.tell(Event::Request {
            id,
            request,
            source,
        });
    }

    fn open(
        &mut self,
        machine: Server,
        key: ServerKey,
        place: Option<PlaceKey>,
        back: Return,
        source: &Source,
    ) -> ServerId {
        self.next += 1;
        let id = ServerId(self.next);
        let key = Arc::new(key);
        self.by_key.insert(Arc::clone(&key), id);
        let place = place.map(Arc::new);
        if let Some(place) = &place {
            self.by_place.insert(Arc::clone(place), id);
        }
        let entry = ServerEntry {
            machine,
            key,
            place,
            back,
            reliability: Reliability::of(source.transport),
            last: None,
            to_tag: None,
            armed: None,
        };
        self.servers.insert(id, entry);
        id
    }

    /// Answer without keeping anything (RFC 3261 §8.2.7: a repeated request gets the same answer).
    fn refuse(&mut self, back: &Return, request: &Request, status: StatusCode) {
        if let Some(response) = refuse(request.bytes(), status) {
            let bytes = back.stamp(&response);
            self.transmit(back.target.clone(), bytes, None);
        }
    }

    /// The last response again, if there is one (RFC 3261 §17.2.1, §17.2.2); an answered INVITE is silent (RFC 6026 §7.1).
    fn repeated(&mut self, id: ServerId) {
        let Some(entry) = self.servers.get(&id) else {
            return;
        };
        if entry.machine.is_answered() {
            return;
        }
        if let Some(last) = entry.last.clone() {
            self.transmit(entry.back.target.clone(), last, None);
        }
    }

    /// RFC 3261 §9.2.
    fn cancelled(
        &mut self,
        now: Instant,
        key: ServerKey,
        back: Return,
        source: &Source,
        cancel: Request,
    ) {
        let invite = self.by_key.get(&key.clone().of_cancelled()).copied();
        let Some((invite, entry)) = invite.and_then(|id| Some((id, self.servers.get(&id)?))) else {
            let status = StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST;
            return self.refuse(&back, &cancel, status);
        };
        let is_final = entry.machine.is_final();
        let tag = entry.to_tag.as_deref();
        let tag = tag.map_or_else(|| self.tokens.tag(), str::to_owned);
        let id = self.open(Server::Trying, key, None, back, source);
        let answer = Response::reply(&cancel, StatusCode::OK).to_tag(&tag);
        self.respond(now, id, &answer.finish());
        if !is_final {
            self.tell(Event::Cancelled {
                invite,
                request: cancel,
            });
        }
    }

    fn ack(&mut self, now: Instant, key: &ServerKey, ack: Request, source: Source) {
        // Of a refusal: the INVITE's own branch. Of a 2xx: a branch of its own (RFC 3261 §17.1.1.3, §13.2.2.4).
        let by_branch = self.by_key.get(key).copied();
        let by_place = || self.by_place.get(&PlaceKey::of(&ack)?).copied();
        let Some(id) = by_branch.or_else(by_place) else {
            return;
        };
        let Some(entry) = self.servers.get_mut(&id) else {
            return;
        };
        // Of another fork, beyond the proxy that forked.
        let tag = ack.headers().to_tag().unwrap_or_default();
        if by_branch.is_none() && entry.to_tag.as_deref() != Some(tag) {
            return;
        }
        let answered = entry.machine.is_answered();
        let news = entry
            .machine
            .acknowledged(now, &self.timers, entry.reliability);
        if !entry.machine.may_repeat() {
            entry.last = None;
        }
        self.arm_server(id);
        if answered && news == News::Yes {
            self.tell(Event::Acked {
                invite: id,
                ack,
                source,
            });
        }
    }

    pub(super) fn respond(&mut self, now: Instant, id: ServerId, response: &Response) {
        let Some(entry) = self.servers.get_mut(&id) else {
            return;
        };
        let code = response.status().code();
        if entry
            .machine
            .respond(now, code, &self.timers, entry.reliability)
            == Sent::TooLate
        {
            return;
        }
        if entry.to_tag.is_none() {
            entry.to_tag = response.headers().to_tag().map(Into::into);
        }
        let bytes = entry.back.stamp(response);
        entry.last = Some(bytes.clone());
        let target = entry.back.target.clone();
        self.transmit(target, bytes, None);
        self.arm_server(id);
    }

    pub(super) fn wake_server(&mut self, now: Instant, id: ServerId) {
        let Some(entry) = self.servers.get_mut(&id) else {
            return;
        };
        match entry.machine.wake(now, &self.timers) {
            Due::Nothing => {}
            Due::Resend => {
                if let Some(last) = entry.last.clone() {
                    let target = entry.back.target.clone();
                    self.transmit(target, last, None);
                }
            }
            Due::AckMissing => {
                self.tell(Event::AckMissing { invite: id });
                return self.end_server(id);
            }
            Due::Ended => return self.end_server(id),
        }
        self.arm_server(id);
    }

    fn end_server(&mut self, id: ServerId) {
        let Some(entry) = self.servers.remove(&id) else {
            return;
        };
        if let Some(at) = entry.armed {
            self.deadlines.remove(&(at, Which::Server(id)));
        }
        self.by_key.remove(&entry.key);
        // A later request may have taken the place.
        if let Some(place) = entry.place
            && self.by_place.get(&place) == Some(&id)
        {
            self.by_place.remove(&place);
        }
    }

    fn arm_server(&mut self, id: ServerId) {
        let Some(entry) = self.servers.get_mut(&id) else {
            return;
        };
        let wanted = entry.machine.deadline();
        let had = std::mem::replace(&mut entry.armed, wanted);
        self.rearm(Which::Server(id), had, wanted);
    }
}
