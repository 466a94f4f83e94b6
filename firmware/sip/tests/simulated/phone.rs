//! A telephone made of this crate's machines: it places, takes, cancels, changes and ends calls as their plans say.
//!
//! It shows how the pieces are put together, and counts what happened. Not here: media; offers and answers are words.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;

use bytes::Bytes;
use embassy_time::{Duration, Instant};
use sip::dialog::{
    Acknowledged, Dialog, Refresh, ReliableReceiver, ReliableSender, ReliableWake, Role,
    SessionTimer, SessionTimerPolicy, glare_wait,
};
use sip::message::{
    Message, Method, Name, NameAddr, Request, RequestBuilder, Response, StatusCode, Uri,
};
use sip::token::Tokens;
use sip::transaction::{ClientId, Event, Input, Layer, Output, ServerId, Timers};
use sip::transport::{FlowId, ListenerId, Source, Target, Transport};

use crate::plan::{Plan, Taking, Who};

/// A call whose peer is gone ends by itself (RFC 4028).
const TIMERS: SessionTimerPolicy = SessionTimerPolicy {
    expires: 90,
    min_se: 90,
};

/// What happened at a phone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) answered: u32,
    pub(crate) busy: u32,
    pub(crate) cancelled: u32,
    pub(crate) pracked: u32,
    pub(crate) reinvited: u32,
    pub(crate) updated: u32,
    pub(crate) glares: u32,
    pub(crate) byes: u32,
    /// Calls that nobody refreshed.
    pub(crate) expired: u32,
    /// Transactions that heard nothing in 32 s, 2xx without ACK, 18x without PRACK.
    pub(crate) given_up: u32,
}

/// What a request of ours was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Invite,
    Offer,
    Bye,
    Prack,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Alarm {
    Ring,
    Take,
    Cancel,
    Reinvite,
    Update,
    HangUp,
    ResendRinging,
    Session,
    /// Nobody has taken the call, and nobody has cancelled it.
    Patience,
}

#[derive(Debug)]
struct Call {
    plan: Plan,
    invite: Request,
    /// Of the caller.
    client: Option<ClientId>,
    /// Of the callee.
    server: Option<ServerId>,
    dialog: Option<Dialog>,
    ringing: ReliableSender,
    heard: ReliableReceiver,
    timer: SessionTimer,
    /// An offer of ours that has no answer.
    offering: Option<(ClientId, Request)>,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    SettingUp,
    Talking,
    Leaving,
}

/// The phone.
pub(crate) struct Phone {
    address: SocketAddr,
    layer: Layer,
    tokens: Tokens,
    calls: BTreeMap<String, Call>,
    clients: HashMap<ClientId, (String, Purpose)>,
    invites: HashMap<ServerId, String>,
    alarms: BTreeMap<(Instant, u64), (String, Alarm)>,
    next_alarm: u64,
    out: Vec<(SocketAddr, Bytes)>,
    pub(crate) counts: Counts,
}

impl Phone {
    pub(crate) fn new(address: &str, seed: u8) -> Self {
        let mut tokens = Tokens::new([seed; 32]);
        Self {
            address: address.parse().expect("an address"),
            layer: Layer::new(tokens.seed(), Timers::default()),
            tokens,
            calls: BTreeMap::new(),
            clients: HashMap::new(),
            invites: HashMap::new(),
            alarms: BTreeMap::new(),
            next_alarm: 0,
            out: Vec::new(),
            counts: Counts::default(),
        }
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether nothing of any call is left anywhere.
    pub(crate) fn is_idle(&self) -> bool {
        self.calls.is_empty()
            && self.clients.is_empty()
            && self.invites.is_empty()
            && self.layer.is_idle()
    }

    /// What is left, to be shown when it should be nothing.
    pub(crate) fn remains(&self) -> String {
        let stages: Vec<_> = self
            .calls
            .iter()
            .map(|(id, call)| (id, call.stage, call.plan, call.client.is_some()))
            .collect();
        format!(
            "calls {stages:?}, clients {:?}, invites {:?}, {:?}",
            self.clients,
            self.invites,
            self.layer.census()
        )
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        let alarm = self.alarms.keys().next().map(|(at, _)| *at);
        self.layer.deadline().into_iter().chain(alarm).min()
    }

    /// What is to be sent.
    pub(crate) fn outgoing(&mut self) -> Vec<(SocketAddr, Bytes)> {
        std::mem::take(&mut self.out)
    }

    pub(crate) fn place(&mut self, now: Instant, number: u64, to: SocketAddr) {
        let plan = Plan::of(number);
        let uri: Uri = format!("sip:{number}@{to}").parse().expect("a URI");
        let from = NameAddr::new(&self.uri()).with_param("tag", Some(&self.tokens.tag()));
        let id = self.tokens.call_id();
        let mut invite = Request::build(Method::Invite, &uri)
            .header(Name::MaxForwards, "70")
            .header(Name::From, from)
            .header(Name::To, NameAddr::new(&uri))
            .header(Name::CallId, &id)
            .header(Name::CSeq, "1 INVITE")
            .header(Name::Contact, NameAddr::new(&self.uri()))
            .header(Name::Supported, "100rel, timer")
            .body("text/plain", "offer");
        for (name, value) in TIMERS.headers() {
            invite = invite.header(name, value);
        }
        let invite = invite.finish();
        let client = self.send(now, &id, Purpose::Invite, invite.clone(), &uri);
        self.calls
            .insert(id.clone(), Call::new(plan, invite, Some(client), None));
        if let Some(after) = plan.cancel_after {
            self.alarm(now + after, &id, Alarm::Cancel);
        }
        self.drain(now);
    }

    pub(crate) fn receive(&mut self, now: Instant, from: SocketAddr, bytes: Bytes) {
        let message = Message::parse(bytes).expect("we built it");
        let source = Source {
            flow: FlowId(1),
            listener: ListenerId(0),
            transport: Transport::Udp,
            local: self.address,
            remote: from,
            tls: None,
        };
        self.layer.handle(now, Input::Received { message, source });
        self.drain(now);
    }

    pub(crate) fn wake(&mut self, now: Instant) {
        self.layer.handle(now, Input::Wake);
        self.drain(now);
        while let Some(entry) = self
            .alarms
            .first_entry()
            .filter(|entry| entry.key().0 <= now)
        {
            let (id, alarm) = entry.remove();
            self.ring(now, &id, alarm);
            self.drain(now);
        }
    }

    fn uri(&self) -> Uri {
        format!("sip:phone@{}", self.address)
            .parse()
            .expect("a URI")
    }

    fn alarm(&mut self, at: Instant, id: &str, alarm: Alarm) {
        self.next_alarm += 1;
        self.alarms
            .insert((at, self.next_alarm), (id.to_owned(), alarm));
    }

    fn send(
        &mut self,
        now: Instant,
        id: &str,
        purpose: Purpose,
        request: Request,
        hop: &Uri,
    ) -> ClientId {
        let client = self.layer.next_client_id();
        self.clients.insert(client, (id.to_owned(), purpose));
        let input = Input::Send {
            id: client,
            request,
            target: target(hop),
            sent_by: self.address.into(),
            patience: None,
        };
        self.layer.handle(now, input);
        client
    }

    /// A request within the dialog of a call.
    fn send_within(
        &mut self,
        now: Instant,
        id: &str,
        purpose: Purpose,
        build: impl FnOnce(&mut Dialog) -> RequestBuilder,
    ) -> Option<(ClientId, Request)> {
        let contact = NameAddr::new(&self.uri());
        let dialog = self.calls.get_mut(id)?.dialog.as_mut()?;
        let request = build(dialog).header(Name::Contact, contact).finish();
        let hop = dialog.next_hop().clone();
        let client = self.send(now, id, purpose, request.clone(), &hop);
        Some((client, request))
    }

    fn respond(&mut self, now: Instant, id: ServerId, response: Response) {
        self.layer.handle(now, Input::Respond { id, response });
    }

    fn drain(&mut self, now: Instant) {
        while let Some(output) = self.layer.poll() {
            match output {
                Output::Transmit { target, bytes, .. } => self.out.push((target.remote, bytes)),
                Output::Event(event) => self.event(now, event),
            }
        }
    }

    fn event(&mut self, now: Instant, event: Event) {
        match event {
            Event::Request { id, request, .. } => self.request(now, id, &request),
            Event::Response { id, response, .. } => {
                if let Some((call, purpose)) = self.clients.get(&id).cloned() {
                    self.response(now, id, &call, purpose, &response);
                }
            }
            Event::Cancelled { invite, .. } => {
                if let Some(id) = self.invites.remove(&invite)
                    && let Some(call) = self.calls.remove(&id)
                {
                    self.counts.cancelled += 1;
                    let tag = call.dialog.as_ref().map_or("", Dialog::local_tag);
                    let answer = Response::reply(&call.invite, StatusCode::REQUEST_TERMINATED);
                    self.respond(now, invite, answer.to_tag(tag).finish());
                }
            }
            Event::Acked { invite, .. } => {
                if let Some(id) = self.invites.remove(&invite) {
                    self.talk(now, &id, Who::Callee);
                }
            }
            Event::AckMissing { invite } => {
                self.counts.given_up += 1;
                if let Some(id) = self.invites.remove(&invite) {
                    self.hang_up(now, &id);
                }
            }
            Event::TimedOut { id } | Event::Unreachable { id } => {
                self.counts.given_up += 1;
                if let Some((call, _)) = self.clients.get(&id).cloned() {
                    self.calls.remove(&call);
                }
            }
            Event::Ended { id } => {
                self.clients.remove(&id);
            }
        }
    }

    /// The session stands: from here on the plan is the same for both sides.
    fn talk(&mut self, now: Instant, id: &str, us: Who) {
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        // The first answer alone: a re-INVITE has an ACK too.
        if call.stage != Stage::SettingUp {
            return;
        }
        call.stage = Stage::Talking;
        let plan = call.plan;
        self.counts.answered += 1;
        // The callee knows it later, by the way of the ACK: so that both offers cross.
        let sooner = if us == Who::Callee { 10 } else { 0 };
        let later = |ms| now + Duration::from_millis(ms);
        if plan.reinvites.is(us) {
            self.alarm(later(2_000 - sooner), id, Alarm::Reinvite);
        }
        if plan.updates.is(us) {
            self.alarm(later(9_000 - sooner), id, Alarm::Update);
        }
        if plan.hangs_up.is(us) {
            self.alarm(later(20_000), id, Alarm::HangUp);
        }
    }

    fn hang_up(&mut self, now: Instant, id: &str) {
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        if call.stage == Stage::Leaving {
            return;
        }
        call.stage = Stage::Leaving;
        self.counts.byes += 1;
        self.send_within(now, id, Purpose::Bye, |dialog| dialog.request(Method::Bye));
    }

    fn ring(&mut self, now: Instant, id: &str, alarm: Alarm) {
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        let offering = call.offering.is_some();
        match alarm {
            Alarm::Cancel => {
                if let Some(client) = call.client {
                    self.layer.handle(
                        now,
                        Input::Cancel {
                            id: client,
                            reason: None,
                        },
                    );
                }
            }
            Alarm::Ring => self.say_ringing(now, id),
            Alarm::ResendRinging => self.resend_ringing(now, id),
            Alarm::Take => self.take(now, id),
            Alarm::HangUp => self.hang_up(now, id),
            Alarm::Patience if call.stage == Stage::SettingUp => {
                self.refuse(now, id, StatusCode::TEMPORARILY_UNAVAILABLE);
            }
            Alarm::Patience => {}
            Alarm::Session => match call.timer.wake(now) {
                Refresh::NotDue => {}
                Refresh::Due => self.alarm(now, id, Alarm::Update),
                Refresh::Expired => {
                    self.counts.expired += 1;
                    self.hang_up(now, id);
                }
            },
            Alarm::Reinvite | Alarm::Update if call.stage != Stage::Talking => {}
            // Our own offer is out: later.
            Alarm::Reinvite | Alarm::Update if offering => {
                self.alarm(now + Duration::from_millis(500), id, alarm);
            }
            Alarm::Reinvite => self.offer(now, id, Method::Invite),
            Alarm::Update => self.offer(now, id, Method::Update),
        }
    }

    fn offer(&mut self, now: Instant, id: &str, method: Method) {
        let Some(call) = self.calls.get(id) else {
            return;
        };
        let timers = call.timer.headers();
        let sent = self.send_within(now, id, Purpose::Offer, |dialog| {
            let request = dialog
                .request(method)
                .header(Name::Supported, "timer")
                .body("text/plain", "offer");
            timers.into_iter().fold(request, |request, (name, value)| {
                request.header(name, value)
            })
        });
        if let Some(call) = self.calls.get_mut(id) {
            call.offering = sent;
        }
    }

    // ── as callee ───────────────────────────────────────────────────────────────────────────────────────────────────

    fn request(&mut self, now: Instant, server: ServerId, request: &Request) {
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

    fn refreshed_by(
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

    fn arm_session(&mut self, id: &str) {
        if let Some(at) = self.calls.get(id).and_then(|call| call.timer.deadline()) {
            self.alarm(at, id, Alarm::Session);
        }
    }

    /// What a request within a dialog is answered.
    fn within(&mut self, server: ServerId, id: &str, request: &Request) -> Option<StatusCode> {
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

    fn invited(&mut self, now: Instant, server: ServerId, id: &str, invite: &Request) {
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

    fn say_ringing(&mut self, now: Instant, id: &str) {
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

    fn ring_next(&mut self, now: Instant, id: &str) {
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        if let (Some(server), Some(next)) = (call.server, call.ringing.next(now)) {
            self.respond(now, server, next);
            self.arm_ringing(id);
        }
    }

    fn arm_ringing(&mut self, id: &str) {
        if let Some(at) = self.calls.get(id).and_then(|call| call.ringing.deadline()) {
            self.alarm(at, id, Alarm::ResendRinging);
        }
    }

    fn resend_ringing(&mut self, now: Instant, id: &str) {
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

    fn take(&mut self, now: Instant, id: &str) {
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

    fn refuse(&mut self, now: Instant, id: &str, status: StatusCode) {
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

    // ── as caller ───────────────────────────────────────────────────────────────────────────────────────────────────

    fn response(
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

    fn early(&mut self, now: Instant, id: &str, response: &Response) {
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

    fn invite_answered(&mut self, now: Instant, client: ClientId, id: &str, response: &Response) {
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        match response.status() {
            StatusCode::OK => {
                let confirmed = match call.dialog.take() {
                    Some(early) => early.confirmed_by(&call.invite, response),
                    None => Dialog::client(&call.invite, response),
                };
                let dialog = confirmed.expect("a good 200");
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

    fn offer_answered(&mut self, now: Instant, client: ClientId, id: &str, response: &Response) {
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

    fn acknowledge(&mut self, now: Instant, id: ClientId, to_tag: String, ack: Request, hop: &Uri) {
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

impl Call {
    fn new(
        plan: Plan,
        invite: Request,
        client: Option<ClientId>,
        server: Option<ServerId>,
    ) -> Self {
        Self {
            plan,
            invite,
            client,
            server,
            dialog: None,
            ringing: ReliableSender::new(),
            heard: ReliableReceiver::new(),
            timer: SessionTimer::idle(TIMERS),
            offering: None,
            stage: Stage::SettingUp,
        }
    }
}

fn target(hop: &Uri) -> Target {
    let address = hop
        .host()
        .and_then(sip::message::Host::address)
        .expect("an address");
    Target {
        transport: Transport::Udp,
        remote: SocketAddr::new(address, hop.port().unwrap_or(5060)),
        listener: ListenerId(0),
        flow: None,
        tls: None,
    }
}
