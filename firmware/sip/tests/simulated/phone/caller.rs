//! The phone that calls: what it makes of responses, and its own offers on either side of a call.
//!
//! Not here: what the callee answers.

use embassy_time::Instant;
use sip::dialog::{Dialog, Role, SessionTimer, glare_wait};
use sip::message::{Method, Request, Response, StatusCode, Uri};
use sip::transaction::{ClientId, Input};

use super::{Alarm, Phone, Purpose, Stage, TIMERS, target};
use crate::plan::Who;

impl Phone {
    pub(super) fn response(
        &mut self,
        now: Instant,
        client: ClientId,
        id: &str,
        purpose: Purpose,
        response: &Response,
    ) {
        match purpose {
            Purpose::Invite if response.status().is_provisional() => self.early(now, id, response),
            Purpose::Invite => self.invite_answered(now, client, id, response),
            Purpose::Offer if response.status().is_final() => {
                self.offer_answered(now, client, id, response)
            }
            Purpose::Bye if response.status().is_final() => {
                self.calls.remove(id);
            }
            Purpose::Offer | Purpose::Bye | Purpose::Prack => {}
        }
    }

    pub(super) fn early(&mut self, now: Instant, id: &str, response: &Response) {
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        if call.stage != Stage::SettingUp {
            return;
        }
        if call.dialog.is_none() {
            // 100 makes none.
            call.dialog = Dialog::client(&call.invite, response).ok();
        }
        let Some(dialog) = &mut call.dialog else {
            return;
        };
        let Some(prack) = call.heard.prack(dialog, response) else {
            return;
        };
        self.send_within(now, id, Purpose::Prack, |_| prack);
    }

    pub(super) fn invite_answered(
        &mut self,
        now: Instant,
        client: ClientId,
        id: &str,
        response: &Response,
    ) {
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        match response.status() {
            StatusCode::OK => {
                let answer = Dialog::client(&call.invite, response).expect("a good 200");
                let dialog = match call.dialog.take() {
                    Some(early) => early.confirmed_by(answer),
                    None => answer,
                };
                let (ack, hop) = (dialog.ack().finish(), dialog.next_hop().clone());
                let to_tag = dialog.remote_tag().to_owned();
                call.dialog = Some(dialog);
                call.timer = SessionTimer::client(now, response, TIMERS);
                self.arm_session(id);
                self.acknowledge(now, client, to_tag, ack, &hop);
                let plan = self.calls[id].plan;
                self.talk(now, id, Who::Caller);
                if plan.cancel_after.is_some() {
                    // The answer was faster than the CANCEL.
                    self.hang_up(now, id);
                }
            }
            StatusCode::BUSY_HERE => {
                self.counts.busy += 1;
                self.calls.remove(id);
            }
            StatusCode::REQUEST_TERMINATED => {
                self.counts.cancelled += 1;
                self.calls.remove(id);
            }
            other => panic!("nobody answers {other}"),
        }
    }

    pub(super) fn offer_answered(
        &mut self,
        now: Instant,
        client: ClientId,
        id: &str,
        response: &Response,
    ) {
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        let Some((_, request)) = call.offering.take_if(|(offer, _)| *offer == client) else {
            return;
        };
        let Some(dialog) = &mut call.dialog else {
            return;
        };
        match response.status() {
            StatusCode::OK => {
                dialog.refresh_target(response);
                call.timer.refreshed(now, response);
                if request.method() == Method::Update {
                    self.counts.updated += 1;
                } else {
                    self.counts.reinvited += 1;
                    let (ack, hop) = (dialog.ack_of(&request).finish(), dialog.next_hop().clone());
                    let to_tag = dialog.remote_tag().to_owned();
                    self.acknowledge(now, client, to_tag, ack, &hop);
                }
                self.arm_session(id);
            }
            StatusCode::REQUEST_PENDING => {
                let role = dialog.role();
                let again = match request.method() {
                    Method::Update => Alarm::Update,
                    _ => Alarm::Reinvite,
                };
                let wait = glare_wait(role, &mut self.tokens);
                assert_eq!(role == Role::Caller, call.client.is_some());
                self.alarm(now + wait, id, again);
            }
            // The peer has hung up meanwhile.
            _ => {}
        }
    }

    pub(super) fn acknowledge(
        &mut self,
        now: Instant,
        id: ClientId,
        to_tag: String,
        ack: Request,
        hop: &Uri,
    ) {
        let input = Input::Acknowledge {
            id,
            to_tag,
            ack,
            target: target(hop),
            sent_by: self.address.into(),
        };
        self.layer.handle(now, input);
    }
}
