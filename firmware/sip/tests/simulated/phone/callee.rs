//! The phone that is called: it rings (reliably, if the plan says so), takes the call or does not, and answers what comes
//! within a dialog, on either side of it.
//!
//! Not here: what the caller does with the answers.

use embassy_time::{Duration, Instant};
use sip::dialog::{Acknowledged, Dialog, ReliableSender, ReliableWake};
use sip::message::{Method, Name, NameAddr, Request, Response, StatusCode};
use sip::transaction::ServerId;

use super::{Alarm, Call, Phone, Stage};
use crate::plan::{Plan, Taking};

impl Phone {
    pub(super) fn request(&mut self, now: Instant, server: ServerId, request: &Request) {
        let headers = request.headers();
        let id = headers.call_id().expect("checked").as_str().to_owned();
        if headers.to().expect("checked").tag().is_none() {
            return self.invited(now, server, &id, request);
        }
        let status = self.within(server, &id, request);
        let Some(status) = status else { return };
        let mut answer =
            Response::reply(request, status).header(Name::Contact, NameAddr::new(&self.uri()));
        if status == StatusCode::OK && matches!(request.method(), Method::Invite | Method::Update) {
            answer = answer.body("text/plain", "answer");
            for (name, value) in self.refreshed_by(now, &id, request) {
                answer = answer.header(name, value);
            }
        }
        self.respond(now, server, answer.finish());
        if request.method() == Method::Prack {
            self.ring_next(now, &id);
        }
    }

    pub(super) fn refreshed_by(
        &mut self,
        now: Instant,
        id: &str,
        request: &Request,
    ) -> Vec<(Name<'static>, String)> {
        let Some(call) = self.calls.get_mut(id) else {
            return Vec::new();
        };
        let headers = call.timer.refreshed_by(now, request);
        self.arm_session(id);
        headers
    }

    pub(super) fn arm_session(&mut self, id: &str) {
        if let Some(at) = self.calls.get(id).and_then(|call| call.timer.deadline()) {
            self.alarm(at, id, Alarm::Session);
        }
    }

    /// What a request within a dialog is answered.
    pub(super) fn within(
        &mut self,
        server: ServerId,
        id: &str,
        request: &Request,
    ) -> Option<StatusCode> {
        let unknown = StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST;
        let Some(call) = self.calls.get_mut(id) else {
            return Some(unknown);
        };
        let Some(dialog) = call
            .dialog
            .as_mut()
            .filter(|dialog| dialog.matches(request))
        else {
            return Some(unknown);
        };
        if dialog.receive(request).is_err() {
            return Some(StatusCode::SERVER_INTERNAL_ERROR);
        }
        Some(match request.method() {
            Method::Bye => {
                if call.stage != Stage::Leaving {
                    self.calls.remove(id);
                }
                StatusCode::OK
            }
            Method::Invite | Method::Update if call.offering.is_some() => {
                self.counts.glares += 1;
                StatusCode::REQUEST_PENDING
            }
            Method::Invite => {
                self.invites.insert(server, id.to_owned());
                StatusCode::OK
            }
            Method::Update => StatusCode::OK,
            Method::Prack => match call.ringing.acknowledged(request) {
                Acknowledged::Outstanding => {
                    self.counts.pracked += 1;
                    StatusCode::OK
                }
                Acknowledged::Nothing => unknown,
            },
            _ => StatusCode::METHOD_NOT_ALLOWED,
        })
    }

    pub(super) fn invited(&mut self, now: Instant, server: ServerId, id: &str, invite: &Request) {
        let uri = invite.request_uri().expect("checked");
        let number = uri
            .user()
            .and_then(|user| user.parse().ok())
            .expect("a number");
        let plan = Plan::of(number);
        let tag = self.tokens.tag();
        let mut call = Call::new(plan, invite.clone(), None, Some(server));
        call.dialog = Some(Dialog::server(invite, &tag).expect("a good INVITE"));
        self.calls.insert(id.to_owned(), call);
        self.invites.insert(server, id.to_owned());
        self.alarm(now + Duration::from_millis(100), id, Alarm::Ring);
        self.alarm(now + Duration::from_secs(60), id, Alarm::Patience);
        if plan.taking != Taking::LetsRing {
            self.alarm(now + plan.answer_after, id, Alarm::Take);
        }
    }

    pub(super) fn say_ringing(&mut self, now: Instant, id: &str) {
        let contact = NameAddr::new(&self.uri());
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        let (Some(server), Some(dialog)) = (call.server, &call.dialog) else {
            return;
        };
        let ringing = Response::reply(&call.invite, StatusCode::RINGING)
            .to_tag(dialog.local_tag())
            .header(Name::Contact, contact);
        if !call.plan.reliable {
            return self.respond(now, server, ringing.finish());
        }
        let ready = call.ringing.send(now, ringing.clone(), &mut self.tokens);
        // A second one that has to wait for the PRACK of the first.
        let waits = call.ringing.send(now, ringing, &mut self.tokens);
        assert!(waits.is_none());
        if let Some(ready) = ready {
            self.respond(now, server, ready);
        }
        self.arm_ringing(id);
    }

    pub(super) fn ring_next(&mut self, now: Instant, id: &str) {
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        if let (Some(server), Some(next)) = (call.server, call.ringing.next(now)) {
            self.respond(now, server, next);
            self.arm_ringing(id);
        }
    }

    pub(super) fn arm_ringing(&mut self, id: &str) {
        if let Some(at) = self.calls.get(id).and_then(|call| call.ringing.deadline()) {
            self.alarm(at, id, Alarm::ResendRinging);
        }
    }

    pub(super) fn resend_ringing(&mut self, now: Instant, id: &str) {
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        let (Some(server), Stage::SettingUp) = (call.server, call.stage) else {
            return;
        };
        match call.ringing.wake(now) {
            ReliableWake::Nothing => {}
            ReliableWake::Resend(ringing) => {
                self.respond(now, server, ringing);
                self.arm_ringing(id);
            }
            ReliableWake::GaveUp => self.counts.given_up += 1,
        }
    }

    pub(super) fn take(&mut self, now: Instant, id: &str) {
        let contact = NameAddr::new(&self.uri());
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        let (Some(server), Some(dialog)) = (call.server, &call.dialog) else {
            return;
        };
        let tag = dialog.local_tag().to_owned();
        call.ringing = ReliableSender::new();
        if call.plan.taking == Taking::IsBusy {
            return self.refuse(now, id, StatusCode::BUSY_HERE);
        }
        let invite = call.invite.clone();
        let mut answer = Response::reply(&invite, StatusCode::OK)
            .to_tag(&tag)
            .header(Name::Contact, contact)
            .body("text/plain", "answer");
        for (name, value) in self.refreshed_by(now, id, &invite) {
            answer = answer.header(name, value);
        }
        self.respond(now, server, answer.finish());
    }

    pub(super) fn refuse(&mut self, now: Instant, id: &str, status: StatusCode) {
        let Some(call) = self.calls.remove(id) else {
            return;
        };
        let (Some(server), Some(dialog)) = (call.server, &call.dialog) else {
            return;
        };
        self.invites.remove(&server);
        let refusal = Response::reply(&call.invite, status).to_tag(dialog.local_tag());
        self.respond(now, server, refusal.finish());
    }
}
