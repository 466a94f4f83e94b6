//! The table of all transactions: finding them, waking them, sending for them.
//!
//! Every transaction has at most one entry in the queue of deadlines, so that an idle call costs nothing and a wake costs
//! the logarithm of their number. What the machines decide (`client`, `server`) is carried out here: requests of ours in
//! `client_side`, requests of peers in `server_side`.

mod client_side;
mod server_side;

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use embassy_time::Instant;

use super::key::{PlaceKey, ServerKey};
use super::timers::Timers;
use super::{Census, ClientId, Event, Input, Output, ServerId};
use crate::message::Message;
use crate::token::Tokens;
use crate::transport::{FlowId, Target};
use client_side::ClientEntry;
use server_side::ServerEntry;

/// Server transactions beyond this number are answered 503 and forgotten.
pub const MAX_SERVERS: usize = 200_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Which {
    Client(ClientId),
    Server(ServerId),
}

/// All transactions. See the module's documentation.
#[derive(Debug)]
pub struct Layer {
    timers: Timers,
    max_servers: usize,
    tokens: Tokens,
    clients: HashMap<ClientId, ClientEntry>,
    by_branch: HashMap<Arc<str>, ClientId>,
    /// CANCELs have the branch of their INVITE.
    cancels: HashMap<Arc<str>, ClientId>,
    /// Clients that have heard nothing yet on a connection that was chosen for them.
    by_flow: HashMap<FlowId, HashSet<ClientId>>,
    servers: HashMap<ServerId, ServerEntry>,
    by_key: HashMap<Arc<ServerKey>, ServerId>,
    /// INVITEs, and requests outside dialogs.
    by_place: HashMap<Arc<PlaceKey>, ServerId>,
    deadlines: BTreeSet<(Instant, Which)>,
    outputs: VecDeque<Output>,
    next: u64,
}

impl Layer {
    /// A layer whose branches grow from `seed`.
    #[must_use]
    pub fn new(seed: [u8; 32], timers: Timers) -> Self {
        Self::with_limit(seed, timers, MAX_SERVERS)
    }

    /// One that answers 503 beyond `max_servers` server transactions.
    #[must_use]
    pub fn with_limit(seed: [u8; 32], timers: Timers, max_servers: usize) -> Self {
        Self {
            timers,
            max_servers,
            tokens: Tokens::new(seed),
            clients: HashMap::new(),
            by_branch: HashMap::new(),
            cancels: HashMap::new(),
            by_flow: HashMap::new(),
            servers: HashMap::new(),
            by_key: HashMap::new(),
            by_place: HashMap::new(),
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
            } => self.send(now, id, &request, target, &sent_by, patience),
            Input::Respond { id, response } => self.respond(now, id, &response),
            Input::Acknowledge {
                id,
                to_tag,
                ack,
                target,
                sent_by,
            } => self.acknowledge(id, &to_tag, &ack, target, &sent_by),
            Input::Cancel { id, reason } => self.cancel(now, id, reason),
            Input::TransportFailed { client } => self.transport_failed(client),
            Input::FlowClosed(flow) => self.flow_closed(flow),
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

    /// Whether nothing is left of any transaction, in any table.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.clients.is_empty()
            && self.by_branch.is_empty()
            && self.cancels.is_empty()
            && self.by_flow.is_empty()
            && self.servers.is_empty()
            && self.by_key.is_empty()
            && self.by_place.is_empty()
            && self.deadlines.is_empty()
            && self.outputs.is_empty()
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
}
