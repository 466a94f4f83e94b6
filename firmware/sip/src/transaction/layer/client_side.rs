//! Requests of ours: sent, resent, cancelled, acknowledged (RFC 3261 §17.1, §9.1, §13.2.2.4).
//!
//! An entry lives until its machine ends; `Event::Ended` is the last that the user hears of it. CANCELs are entries of the
//! layer's own, of which the user hears nothing.
//!
//! Not here: when to resend (`client`), which response belongs to which dialog.

use std::sync::Arc;

use bytes::Bytes;
use embassy_time::{Duration, Instant};

use super::super::client::{Client, Due, Verdict};
use super::super::stamp::sign;
use super::super::timers::Reliability;
use super::super::{ClientId, Event};
use super::{Layer, Which};
use crate::message::{HostPort, Message, Method, Name, Request, Response};
use crate::transport::{FlowId, Source, Target};

/// Forks whose ACKs are kept for repetition; a proxy that forks wider gets its first ACK alone.
const MAX_ACKS: usize = 16;

#[derive(Debug)]
pub(super) struct ClientEntry {
    machine: Client,
    asker: Asker,
    method: Method,
    /// Signed, as it was sent; empty once there is a final response, after which it is not sent again.
    request: Bytes,
    branch: Arc<str>,
    target: Target,
    reliability: Reliability,
    cancel: CancelState,
    acks: Acks,
    armed: Option<Instant>,
}

/// Who wants to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asker {
    User,
    /// Nobody: a CANCEL.
    Layer,
}

/// Whether an INVITE is to be cancelled.
#[derive(Debug, Clone, PartialEq, Eq)]
enum CancelState {
    No,
    /// With the first provisional response (RFC 3261 §9.1).
    Wanted(Option<Bytes>),
    Sent,
}

/// The ACKs of an INVITE, kept to be repeated.
#[derive(Debug)]
enum Acks {
    None,
    /// Of a refusal.
    Refusal(Bytes),
    /// Of 2xx, by To-tag; `None` until the user has acknowledged it.
    Forks(Vec<Fork>),
}

#[derive(Debug)]
struct Fork {
    to_tag: Box<str>,
    ack: Option<(Target, Bytes)>,
}

impl Layer {
    pub(super) fn send(
        &mut self,
        now: Instant,
        id: ClientId,
        request: &Request,
        target: Target,
        sent_by: &HostPort,
        patience: Option<Duration>,
    ) {
        let branch: Arc<str> = self.tokens.branch().into();
        let method = request.method();
        let signed = sign(request, target.transport, sent_by, &branch);
        let patience = patience.unwrap_or_else(|| self.timers.give_up());
        self.begin(now, id, method, signed, branch, target, patience);
    }

    #[expect(clippy::too_many_arguments, reason = "each is one field of the entry")]
    fn begin(
        &mut self,
        now: Instant,
        id: ClientId,
        method: Method,
        request: Bytes,
        branch: Arc<str>,
        target: Target,
        patience: Duration,
    ) {
        let asker = match method {
            Method::Cancel => Asker::Layer,
            _ => Asker::User,
        };
        let reliability = Reliability::of(target.transport);
        let machine = match method {
            Method::Invite => Client::invite(now, &self.timers, reliability, patience),
            _ => Client::other(now, &self.timers, reliability, patience),
        };
        self.transmit(target.clone(), request.clone(), Some(id));
        match asker {
            Asker::User => self.by_branch.insert(Arc::clone(&branch), id),
            Asker::Layer => self.cancels.insert(Arc::clone(&branch), id),
        };
        if let Some(flow) = target.flow {
            self.by_flow.entry(flow).or_default().insert(id);
        }
        let entry = ClientEntry {
            machine,
            asker,
            method,
            request,
            branch,
            target,
            reliability,
            cancel: CancelState::No,
            acks: Acks::None,
            armed: None,
        };
        self.clients.insert(id, entry);
        self.arm_client(id);
    }

    pub(super) fn response(&mut self, now: Instant, response: Response, source: Source) {
        let Some(id) = self.client_of(&response) else {
            return;
        };
        let Some(entry) = self.clients.get_mut(&id) else {
            return;
        };
        let first = !entry.machine.has_heard();
        let flow = entry.target.flow;
        let code = response.status().code();
        let verdict = entry
            .machine
            .receive(now, code, &self.timers, entry.reliability);
        match verdict {
            Verdict::Absorb => {}
            Verdict::AckAgain => {
                if let Acks::Refusal(ack) = &entry.acks {
                    let (target, ack) = (entry.target.clone(), ack.clone());
                    self.transmit(target, ack, None);
                }
            }
            Verdict::PassAndAck => {
                let to = response.headers().get(Name::To);
                if let Some(ack) = hop_by_hop(&entry.request, Method::Ack, to, None) {
                    let target = entry.target.clone();
                    entry.acks = Acks::Refusal(ack.clone());
                    self.transmit(target, ack, None);
                }
                self.pass(id, response, source);
            }
            Verdict::Pass if response.status().is_provisional() => {
                self.pass(id, response, source);
                self.cancel_if_wanted(now, id);
            }
            Verdict::Pass => {
                if entry.method != Method::Invite || self.is_first_of_fork(id, &response) {
                    self.pass(id, response, source);
                }
            }
        }
        if first {
            self.leave_flow(flow, id);
        }
        if let Some(entry) = self.clients.get_mut(&id)
            && entry.machine.is_final()
        {
            entry.request = Bytes::new();
        }
        self.arm_client(id);
    }

    /// RFC 3261 §17.1.3. What has more than one Via was not meant for us (§8.1.3.3).
    fn client_of(&self, response: &Response) -> Option<ClientId> {
        let headers = response.headers();
        let via = headers.via().ok()?;
        if headers.values(Name::Via).nth(1).is_some() {
            return None;
        }
        let branch = via.branch()?;
        let method = headers.cseq().ok()?.method;
        if method == Method::Cancel {
            return self.cancels.get(branch).copied();
        }
        let id = *self.by_branch.get(branch)?;
        (self.clients.get(&id)?.method == method).then_some(id)
    }

    fn pass(&mut self, id: ClientId, response: Response, source: Source) {
        if self
            .clients
            .get(&id)
            .is_some_and(|entry| entry.asker == Asker::User)
        {
            self.tell(Event::Response {
                id,
                response,
                source,
            });
        }
    }

    /// Whether this 2xx is the first with its To-tag; if not, its ACK is sent again.
    fn is_first_of_fork(&mut self, id: ClientId, response: &Response) -> bool {
        let tag = response.headers().to_tag().unwrap_or_default();
        let Some(entry) = self.clients.get_mut(&id) else {
            return false;
        };
        let forks = entry.acks.forks();
        if let Some(fork) = forks.iter().find(|fork| *fork.to_tag == *tag) {
            if let Some((target, bytes)) = fork.ack.clone() {
                self.transmit(target, bytes, None);
            }
            return false;
        }
        if forks.len() < MAX_ACKS {
            forks.push(Fork {
                to_tag: tag.into(),
                ack: None,
            });
        }
        true
    }

    pub(super) fn acknowledge(
        &mut self,
        id: ClientId,
        to_tag: &str,
        ack: &Request,
        target: Target,
        sent_by: &HostPort,
    ) {
        let branch = self.tokens.branch();
        let bytes = sign(ack, target.transport, sent_by, &branch);
        if let Some(entry) = self.clients.get_mut(&id)
            && let Some(fork) = entry
                .acks
                .forks()
                .iter_mut()
                .find(|fork| *fork.to_tag == *to_tag)
        {
            fork.ack = Some((target.clone(), bytes.clone()));
        }
        self.transmit(target, bytes, None);
    }

    pub(super) fn cancel(&mut self, now: Instant, id: ClientId, reason: Option<Bytes>) {
        let Some(entry) = self.clients.get_mut(&id) else {
            return;
        };
        let begun = entry.machine.is_final() || entry.cancel != CancelState::No;
        if begun || entry.method != Method::Invite {
            return;
        }
        entry.cancel = CancelState::Wanted(reason);
        if entry.machine.has_heard() {
            self.cancel_if_wanted(now, id);
        }
    }

    fn cancel_if_wanted(&mut self, now: Instant, id: ClientId) {
        let Some(entry) = self.clients.get_mut(&id) else {
            return;
        };
        let CancelState::Wanted(reason) = &mut entry.cancel else {
            return;
        };
        let reason = reason.take();
        entry.cancel = CancelState::Sent;
        entry.machine.cancelled(now, &self.timers);
        let cancel = hop_by_hop(&entry.request, Method::Cancel, None, reason);
        let (target, branch) = (entry.target.clone(), Arc::clone(&entry.branch));
        self.arm_client(id);
        let Some(cancel) = cancel else { return };
        let own = self.next_client_id();
        let patience = self.timers.give_up();
        self.begin(now, own, Method::Cancel, cancel, branch, target, patience);
    }

    pub(super) fn transport_failed(&mut self, id: ClientId) {
        let Some(entry) = self.clients.get(&id) else {
            return;
        };
        if entry.machine.is_final() {
            return;
        }
        if entry.asker == Asker::User {
            self.tell(Event::Unreachable { id });
        }
        self.end_client(id);
    }

    /// Requests that went out on it unanswered will not be answered. One that has been answered provisionally may be: the
    /// peer opens a connection of its own for the rest (RFC 3261 §18.2.2).
    pub(super) fn flow_closed(&mut self, flow: FlowId) {
        let mut waiting: Vec<ClientId> = self.by_flow.remove(&flow).into_iter().flatten().collect();
        waiting.sort_unstable();
        for id in waiting {
            self.transport_failed(id);
        }
    }

    fn leave_flow(&mut self, flow: Option<FlowId>, id: ClientId) {
        let Some(flow) = flow else { return };
        if let Some(waiting) = self.by_flow.get_mut(&flow) {
            waiting.remove(&id);
            if waiting.is_empty() {
                self.by_flow.remove(&flow);
            }
        }
    }

    pub(super) fn wake_client(&mut self, now: Instant, id: ClientId) {
        let Some(entry) = self.clients.get_mut(&id) else {
            return;
        };
        match entry.machine.wake(now, &self.timers) {
            Due::Nothing => {}
            Due::Resend => {
                let (target, bytes) = (entry.target.clone(), entry.request.clone());
                self.transmit(target, bytes, Some(id));
            }
            Due::TimedOut => {
                if entry.asker == Asker::User {
                    self.tell(Event::TimedOut { id });
                }
                return self.end_client(id);
            }
            Due::Ended => return self.end_client(id),
        }
        self.arm_client(id);
    }

    fn end_client(&mut self, id: ClientId) {
        let Some(entry) = self.clients.remove(&id) else {
            return;
        };
        if let Some(at) = entry.armed {
            self.deadlines.remove(&(at, Which::Client(id)));
        }
        self.leave_flow(entry.target.flow, id);
        match entry.asker {
            Asker::User => {
                self.by_branch.remove(&entry.branch);
                self.tell(Event::Ended { id });
            }
            Asker::Layer => {
                self.cancels.remove(&entry.branch);
            }
        }
    }

    fn arm_client(&mut self, id: ClientId) {
        let Some(entry) = self.clients.get_mut(&id) else {
            return;
        };
        let wanted = entry.machine.deadline();
        let had = std::mem::replace(&mut entry.armed, wanted);
        self.rearm(Which::Client(id), had, wanted);
    }
}

impl Acks {
    fn forks(&mut self) -> &mut Vec<Fork> {
        if !matches!(self, Self::Forks(_)) {
            // Nearly always there is one.
            *self = Self::Forks(Vec::with_capacity(1));
        }
        match self {
            Self::Forks(forks) => forks,
            Self::None | Self::Refusal(_) => unreachable!("made so above"),
        }
    }
}

/// What goes the way of an INVITE, hop by hop, but for To: the ACK of a refusal, which has the refusal's, or a CANCEL. Both have
/// the INVITE's Request-URI, Via, From, Call-ID, CSeq number and Routes (RFC 3261 §9.1, §17.1.1.3).
fn hop_by_hop(
    invite: &Bytes,
    method: Method,
    to: Option<&[u8]>,
    reason: Option<Bytes>,
) -> Option<Bytes> {
    let Ok(Message::Request(invite)) = Message::parse(invite.clone()) else {
        return None;
    };
    let headers = invite.headers();
    let cseq = format!("{} {method}", headers.cseq().ok()?.number);
    let to = to.or_else(|| headers.get(Name::To));
    let lines = [
        (Name::Via, headers.get(Name::Via)),
        (Name::From, headers.get(Name::From)),
        (Name::To, to),
        (Name::CallId, headers.get(Name::CallId)),
    ];
    let mut builder = Request::build(method, &invite.request_uri().ok()?);
    for (name, value) in lines {
        if let Some(value) = value {
            builder = builder.header(name, value);
        }
    }
    builder = builder
        .header(Name::CSeq, cseq)
        .header(Name::MaxForwards, "70");
    for route in headers.all(Name::Route) {
        builder = builder.header(Name::Route, route);
    }
    if let Some(reason) = reason {
        builder = builder.header(Name::Reason, reason);
    }
    Some(builder.finish().bytes().clone())
}
