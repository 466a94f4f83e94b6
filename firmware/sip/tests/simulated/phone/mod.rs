//! A telephone made of this crate's machines: it places, takes, cancels, changes and ends calls as their plans say.
//!
//! It shows how the pieces are put together, and counts what happened. Not here: media; offers and answers are words.

mod callee;
mod caller;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;

use bytes::Bytes;
use embassy_time::{Duration, Instant};
use sip::dialog::{
    Dialog, Refresh, ReliableReceiver, ReliableSender, SessionTimer, SessionTimerPolicy,
};
use sip::message::{
    Message, Method, Name, NameAddr, Request, RequestBuilder, Response, StatusCode, Uri,
};
use sip::token::Tokens;
use sip::transaction::{ClientId, Event, Input, Layer, Output, ServerId, Timers};
use sip::transport::{FlowId, ListenerId, Source, Target, Transport};

use crate::plan::{Plan, Who};

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
