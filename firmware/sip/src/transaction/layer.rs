//! The table of all transactions: finding them, waking them, sending for them.
//!
//! Every transaction has at most one entry in the queue of deadlines, so that an idle call costs nothing and a wake costs
//! the logarithm of their number. What the machines decide (`client`, `server`) is carried out here.

use std::collections::{BTreeSet, HashMap, VecDeque};

use bytes::Bytes;
use embassy_time::{Duration, Instant};

use super::client::{Client, Due as ClientDue, Verdict};
use super::key::{AckKey, MergeKey, ServerKey};
use super::server::{Due as ServerDue, News, Sent, Server};
use super::stamp::{Return, sign};
use super::timers::{Reliability, Timers};
use super::{Census, ClientId, Event, Input, Output, ServerId};
use crate::message::{HostPort, Message, Method, Name, Request, Response, StatusCode};
use crate::token::Tokens;
use crate::transport::{Source, Target};

/// Server transactions beyond this number are answered 503 and forgotten.
pub const MAX_SERVERS: usize = 200_000;

/// Forks whose ACKs are kept for repetition; a proxy that forks wider gets its first ACK alone.
const MAX_ACKS: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Which {
    Client(ClientId),
    Server(ServerId),
}

#[derive(Debug)]
struct ClientEntry {
    machine: Client,
    method: Method,
    /// Signed, as it was sent.
    request: Request,
    branch: String,
    target: Target,
    reliability: Reliability,
    cancel: CancelState,
    /// The ACK of a refusal, or those of 2xx by To-tag.
    acks: Vec<(String, Option<(Target, Bytes)>)>,
    armed: Option<Instant>,
}

/// Whether an INVITE is to be cancelled.
#[derive(Debug, Clone, PartialEq, Eq)]
enum CancelState {
    No,
    /// With the first provisional response (RFC 3261 §9.1).
    Wanted(Option<Bytes>),
    Sent,
}

#[derive(Debug)]
struct ServerEntry {
    machine: Server,
    key: ServerKey,
    merge: Option<MergeKey>,
    ack: Option<AckKey>,
    back: Return,
    reliability: Reliability,
    /// The last response, as it was sent.
    last: Option<Bytes>,
    /// The To-tag that was given to it, for the response of a CANCEL.
    to_tag: Option<String>,
    armed: Option<Instant>,
}

/// All transactions. See the module's documentation.
#[derive(Debug)]
pub struct Layer {
    timers: Timers,
    tokens: Tokens,
    clients: HashMap<ClientId, ClientEntry>,
    by_branch: HashMap<(String, Method), ClientId>,
    servers: HashMap<ServerId, ServerEntry>,
    by_key: HashMap<ServerKey, ServerId>,
    by_merge: HashMap<MergeKey, ServerId>,
    by_ack: HashMap<AckKey, ServerId>,
    deadlines: BTreeSet<(Instant, Which)>,
    outputs: VecDeque<Output>,
    next: u64,
}

impl Layer {
    /// A layer whose branches grow from `seed`.
    #[must_use]
    pub fn new(seed: [u8; 32], timers: Timers) -> Self {
        Self {
            timers,
            tokens: Tokens::new(seed),
            clients: HashMap::new(),
            by_branch: HashMap::new(),
            servers: HashMap::new(),
            by_key: HashMap::new(),
            by_merge: HashMap::new(),
            by_ack: HashMap::new(),
            deadlines: BTreeSet::new(),
            outputs: VecDeque::new(),
            next: 0,
        }
    }

    /// A number for the next request.
    pub fn next_client_id(&mut self) -> ClientId {
        self.next += 1;
        ClientId(self.next)
    }

    /// Take an input. Drain [`Layer::poll`] afterwards.
    pub fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Received {
                message: Message::Request(request),
                source,
            } => self.request(now, request, source),
            Input::Received {
                message: Message::Response(response),
                source,
            } => self.response(now, response, source),
            Input::Send {
                id,
                request,
                target,
                sent_by,
                patience,
            } => {
                self.send(now, id, &request, target, &sent_by, patience);
            }
            Input::Respond { id, response } => self.respond(now, id, &response),
            Input::Acknowledge {
                id,
                to_tag,
                ack,
                target,
                sent_by,
            } => {
                self.acknowledge(id, to_tag, &ack, target, &sent_by);
            }
            Input::Cancel { id, reason } => self.cancel(now, id, reason),
            Input::TransportFailed { client } => self.transport_failed(client),
            Input::Wake => self.wake(now),
        }
    }

    /// The next thing to be done.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Input::Wake`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// How many transactions stand.
    #[must_use]
    pub fn census(&self) -> Census {
        Census {
            clients: self.clients.len(),
            servers: self.servers.len(),
        }
    }

    fn transmit(&mut self, target: Target, bytes: Bytes, client: Option<ClientId>) {
        self.outputs.push_back(Output::Transmit {
            target,
            bytes,
            client,
        });
    }

    fn tell(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    // ── client side ─────────────────────────────────────────────────────────────────────────────────────────────────

    fn send(
        &mut self,
        now: Instant,
        id: ClientId,
        request: &Request,
        target: Target,
        sent_by: &HostPort,
        patience: Option<Duration>,
    ) {
        let branch = self.tokens.branch();
        let request = sign(request, target.transport, sent_by, &branch);
        let method = request.method();
        let reliability = Reliability::of(target.transport);
        let patience = patience.unwrap_or_else(|| self.timers.give_up());
        let machine = match method {
            Method::Invite => Client::invite(now, &self.timers, reliability, patience),
            _ => Client::other(now, &self.timers, reliability, patience),
        };
        self.transmit(target.clone(), request.bytes().clone(), Some(id));
        self.by_branch.insert((branch.clone(), method.clone()), id);
        let entry = ClientEntry {
            machine,
            method,
            request,
            branch,
            target,
            reliability,
            cancel: CancelState::No,
            acks: Vec::new(),
            armed: None,
        };
        self.clients.insert(id, entry);
        self.arm_client(id);
    }

    fn response(&mut self, now: Instant, response: Response, source: Source) {
        let headers = response.headers();
        let (Ok(via), Ok(cseq)) = (headers.via(), headers.cseq()) else {
            return;
        };
        let Some(branch) = via.branch() else { return };
        let Some(&id) = self.by_branch.get(&(branch.to_owned(), cseq.method)) else {
            return;
        };
        let Some(entry) = self.clients.get_mut(&id) else {
            return;
        };
        let code = response.status().code();
        let verdict = entry
            .machine
            .receive(now, code, &self.timers, entry.reliability);
        match verdict {
            Verdict::Absorb => {}
            Verdict::AckAgain => {
                if let Some((_, Some((target, bytes)))) = entry.acks.first().cloned() {
                    self.transmit(target, bytes, None);
                }
            }
            Verdict::PassAndAck => {
                let ack = refusal_ack(&entry.request, &response);
                let target = entry.target.clone();
                entry.acks = vec![(String::new(), Some((target.clone(), ack.clone())))];
                self.transmit(target, ack, None);
                self.tell(Event::Response {
                    id,
                    response,
                    source,
                });
            }
            Verdict::Pass => {
                if entry.method == Method::Invite
                    && response.status().is_success()
                    && !self.first_of_fork(id, &response)
                {
                    return;
                }
                let provisional = response.status().is_provisional();
                self.tell(Event::Response {
                    id,
                    response,
                    source,
                });
                if provisional {
                    self.cancel_if_wanted(now, id);
                }
            }
        }
        self.arm_client(id);
    }

    /// Whether this 2xx is the first with its To-tag; if not, its ACK is sent again.
    fn first_of_fork(&mut self, id: ClientId, response: &Response) -> bool {
        let tag = response
            .headers()
            .to()
            .ok()
            .and_then(|to| to.tag().map(str::to_owned))
            .unwrap_or_default();
        let Some(entry) = self.clients.get_mut(&id) else {
            return false;
        };
        if let Some((_, ack)) = entry.acks.iter().find(|(known, _)| *known == tag) {
            if let Some((target, bytes)) = ack.clone() {
                self.transmit(target, bytes, None);
            }
            return false;
        }
        if entry.acks.len() < MAX_ACKS {
            entry.acks.push((tag, None));
        }
        true
    }

    fn acknowledge(
        &mut self,
        id: ClientId,
        to_tag: String,
        ack: &Request,
        target: Target,
        sent_by: &HostPort,
    ) {
        let branch = self.tokens.branch();
        let bytes = sign(ack, target.transport, sent_by, &branch)
            .bytes()
            .clone();
        if let Some(entry) = self.clients.get_mut(&id)
            && let Some((_, kept)) = entry.acks.iter_mut().find(|(known, _)| *known == to_tag)
        {
            *kept = Some((target.clone(), bytes.clone()));
        }
        self.transmit(target, bytes, None);
    }

    fn cancel(&mut self, now: Instant, id: ClientId, reason: Option<Bytes>) {
        let Some(entry) = self.clients.get_mut(&id) else {
            return;
        };
        if entry.machine.is_final() || entry.cancel != CancelState::No {
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
        let CancelState::Wanted(reason) = std::mem::replace(&mut entry.cancel, CancelState::Sent)
        else {
            entry.cancel = CancelState::No;
            return;
        };
        entry.machine.cancelled(now, &self.timers);
        let cancel = cancel_of(&entry.request, reason);
        let (target, branch) = (entry.target.clone(), entry.branch.clone());
        let reliability = entry.reliability;
        self.arm_client(id);
        // The CANCEL is a transaction of its own that nobody asks about.
        let own = self.next_client_id();
        let machine = Client::other(now, &self.timers, reliability, self.timers.give_up());
        self.transmit(target.clone(), cancel.bytes().clone(), Some(own));
        self.by_branch.insert((branch.clone(), Method::Cancel), own);
        let entry = ClientEntry {
            machine,
            method: Method::Cancel,
            request: cancel,
            branch,
            target,
            reliability,
            cancel: CancelState::No,
            acks: Vec::new(),
            armed: None,
        };
        self.clients.insert(own, entry);
        self.arm_client(own);
    }

    fn transport_failed(&mut self, id: ClientId) {
        let Some(entry) = self.clients.get(&id) else {
            return;
        };
        if entry.machine.is_final() {
            return;
        }
        self.tell(Event::Unreachable { id });
        self.end_client(id);
    }

    fn end_client(&mut self, id: ClientId) {
        let Some(entry) = self.clients.remove(&id) else {
            return;
        };
        if let Some(at) = entry.armed {
            self.deadlines.remove(&(at, Which::Client(id)));
        }
        self.by_branch.remove(&(entry.branch, entry.method));
        self.tell(Event::Ended { id });
    }

    fn arm_client(&mut self, id: ClientId) {
        let Some(entry) = self.clients.get_mut(&id) else {
            return;
        };
        let wanted = entry.machine.deadline();
        let had = std::mem::replace(&mut entry.armed, wanted);
        self.rearm(Which::Client(id), had, wanted);
    }

    // ── server side ─────────────────────────────────────────────────────────────────────────────────────────────────

    fn request(&mut self, now: Instant, request: Request, source: Source) {
        // What cannot be answered or matched is not a request (RFC 3261 §8.1.1); the shell has counted it.
        let (Ok(key), Ok(via)) = (ServerKey::of(&request), request.headers().via()) else {
            return;
        };
        if request.method() == Method::Ack {
            return self.ack(now, &key, request, source);
        }
        if let Some(&id) = self.by_key.get(&key) {
            return self.repeated(id);
        }
        let back = Return::of(&via, &source);
        if request.method() == Method::Cancel {
            return self.cancelled(now, key, back, &source, request);
        }
        let merge = MergeKey::of(&request).unwrap_or_default();
        if merge
            .as_ref()
            .is_some_and(|merge| self.by_merge.contains_key(merge))
        {
            return self.refuse(&back, &request, StatusCode::LOOP_DETECTED);
        }
        if self.servers.len() >= MAX_SERVERS {
            return self.refuse(&back, &request, StatusCode::SERVICE_UNAVAILABLE);
        }
        let is_invite = request.method() == Method::Invite;
        let machine = if is_invite {
            Server::Inviting
        } else {
            Server::Trying
        };
        let id = self.open(machine, key, merge, back, &source);
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
        merge: Option<MergeKey>,
        back: Return,
        source: &Source,
    ) -> ServerId {
        self.next += 1;
        let id = ServerId(self.next);
        self.by_key.insert(key.clone(), id);
        if let Some(merge) = &merge {
            self.by_merge.insert(merge.clone(), id);
        }
        let reliability = Reliability::of(source.transport);
        let entry = ServerEntry {
            machine,
            key,
            merge,
            ack: None,
            back,
            reliability,
            last: None,
            to_tag: None,
            armed: None,
        };
        self.servers.insert(id, entry);
        id
    }

    /// Answer without keeping anything.
    fn refuse(&mut self, back: &Return, request: &Request, status: StatusCode) {
        let response = Response::reply(request, status)
            .to_tag(&self.tokens.tag())
            .finish();
        self.transmit(
            back.target.clone(),
            back.stamp(&response).bytes().clone(),
            None,
        );
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
        let invite = ServerKey::of_cancelled(&cancel)
            .ok()
            .and_then(|key| self.by_key.get(&key).copied());
        let (status, tag) = match invite.and_then(|id| self.servers.get(&id)) {
            Some(entry) => (StatusCode::OK, entry.to_tag.clone()),
            None => (StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST, None),
        };
        let tag = tag.unwrap_or_else(|| self.tokens.tag());
        let id = self.open(Server::Trying, key, None, back, source);
        let answer = Response::reply(&cancel, status).to_tag(&tag).finish();
        self.respond(now, id, &answer);
        if let Some(invite) = invite
            && self
                .servers
                .get(&invite)
                .is_some_and(|entry| !entry.machine.is_final())
        {
            self.tell(Event::Cancelled {
                invite,
                request: cancel,
            });
        }
    }

    fn ack(&mut self, now: Instant, key: &ServerKey, ack: Request, source: Source) {
        // Of a refusal: the INVITE's own branch. Of a 2xx: a branch of its own (RFC 3261 §17.1.1.3, §13.2.2.4).
        let id = match self.by_key.get(key) {
            Some(&id) => Some(id),
            None => AckKey::of_ack(&ack)
                .ok()
                .and_then(|key| self.by_ack.get(&key).copied()),
        };
        let Some(id) = id else { return };
        let Some(entry) = self.servers.get_mut(&id) else {
            return;
        };
        let answered = entry.machine.is_answered();
        let news = entry
            .machine
            .acknowledged(now, &self.timers, entry.reliability);
        self.arm_server(id);
        if answered && news == News::Yes {
            self.tell(Event::Acked {
                invite: id,
                ack,
                source,
            });
        }
    }

    fn respond(&mut self, now: Instant, id: ServerId, response: &Response) {
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
        let response = entry.back.stamp(response);
        if entry.to_tag.is_none() {
            entry.to_tag = response
                .headers()
                .to()
                .ok()
                .and_then(|to| to.tag().map(str::to_owned));
        }
        entry.last = Some(response.bytes().clone());
        let target = entry.back.target.clone();
        if entry.machine.is_answered()
            && let Ok(key) = AckKey::of_answer(&response)
        {
            entry.ack = Some(key.clone());
            self.by_ack.insert(key, id);
        }
        self.transmit(target, response.bytes().clone(), None);
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
        if let Some(merge) = entry.merge {
            self.by_merge.remove(&merge);
        }
        if let Some(ack) = entry.ack {
            self.by_ack.remove(&ack);
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

    // ── time ────────────────────────────────────────────────────────────────────────────────────────────────────────

    fn rearm(&mut self, which: Which, had: Option<Instant>, wanted: Option<Instant>) {
        if had == wanted {
            return;
        }
        if let Some(at) = had {
            self.deadlines.remove(&(at, which));
        }
        if let Some(at) = wanted {
            self.deadlines.insert((at, which));
        }
    }

    fn wake(&mut self, now: Instant) {
        while let Some(&(at, which)) = self.deadlines.first() {
            if at > now {
                break;
            }
            match which {
                Which::Client(id) => self.wake_client(now, id),
                Which::Server(id) => self.wake_server(now, id),
            }
        }
    }

    fn wake_client(&mut self, now: Instant, id: ClientId) {
        let Some(entry) = self.clients.get_mut(&id) else {
            return;
        };
        match entry.machine.wake(now, &self.timers) {
            ClientDue::Nothing => {}
            ClientDue::Resend => {
                let (target, bytes) = (entry.target.clone(), entry.request.bytes().clone());
                self.transmit(target, bytes, Some(id));
            }
            ClientDue::TimedOut => {
                self.tell(Event::TimedOut { id });
                return self.end_client(id);
            }
            ClientDue::Ended => return self.end_client(id),
        }
        self.arm_client(id);
    }

    fn wake_server(&mut self, now: Instant, id: ServerId) {
        let Some(entry) = self.servers.get_mut(&id) else {
            return;
        };
        match entry.machine.wake(now, &self.timers) {
            ServerDue::Nothing => {}
            ServerDue::Resend => {
                if let Some(last) = entry.last.clone() {
                    let target = entry.back.target.clone();
                    self.transmit(target, last, None);
                }
            }
            ServerDue::AckMissing => {
                self.tell(Event::AckMissing { invite: id });
                return self.end_server(id);
            }
            ServerDue::Ended => return self.end_server(id),
        }
        self.arm_server(id);
    }
}

/// RFC 3261 §17.1.1.3: the ACK of a refusal has the INVITE's Via, From, Call-ID, CSeq number and Routes, and the refusal's To.
fn refusal_ack(invite: &Request, refusal: &Response) -> Bytes {
    let to = refusal.headers().get(Name::To).unwrap_or_default().to_vec();
    hop_by_hop(invite, Method::Ack, &to, None).bytes().clone()
}

/// RFC 3261 §9.1: a CANCEL has the INVITE's Via, To, From, Call-ID, CSeq number and Routes.
fn cancel_of(invite: &Request, reason: Option<Bytes>) -> Request {
    let to = invite.headers().get(Name::To).unwrap_or_default().to_vec();
    hop_by_hop(invite, Method::Cancel, &to, reason)
}

fn hop_by_hop(invite: &Request, method: Method, to: &[u8], reason: Option<Bytes>) -> Request {
    let headers = invite.headers();
    let number = headers.cseq().map_or(1, |cseq| cseq.number);
    let uri = invite
        .request_uri()
        .expect("we built this INVITE from a URI");
    let word = method.to_string();
    let mut builder = Request::build(method, &uri);
    if let Some(via) = headers.values(Name::Via).next() {
        builder = builder.header(Name::Via, via);
    }
    builder = builder.header(Name::MaxForwards, "70");
    for name in [Name::From, Name::CallId] {
        if let Some(value) = headers.get(name) {
            builder = builder.header(name, value);
        }
    }
    builder = builder
        .header(Name::To, to)
        .header(Name::CSeq, format!("{number} {word}"));
    for route in headers.all(Name::Route) {
        builder = builder.header(Name::Route, route);
    }
    if let Some(reason) = reason {
        builder = builder.header(Name::Reason, reason);
    }
    builder.finish()
}
