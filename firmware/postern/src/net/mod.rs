//! The network of control: every listener, every connection, one door for what comes and one for what goes.
//!
//! [`Network::next`] gives what came, in batches; [`Network::send`] takes what goes and never waits. A request finds the
//! connection already open to its target, transport and TLS name (RFC 5923), a response the one its request came on
//! (RFC 3261 §18.2.2). All of it lives on one thread; only handshakes run aside.
//!
//! Everything here has a bound: connections by source ([`admission`]), time for a handshake ([`tcp`]), for a message, for
//! silence ([`stream`]), bytes that wait ([`outbox`]), messages not yet taken (the channel of reports).
//!
//! Not here: what a message means, where one should go, who may call.

mod admission;
mod counts;
mod limits;
mod listening;
mod outbox;
mod plan;
mod stream;
mod tcp;
mod tls;
mod udp;

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use rustls::client::ClientConfig;
use rustls::server::ServerConfig;
use sip::framing::{self, Datagram, PONG};
use sip::message::{Message, ParseError, refuse};
use sip::transaction::ClientId;
use sip::transport::{FlowId, ListenerId, Source, Target, Transport};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

pub use counts::Counts;
pub use limits::Limits;
pub use plan::{ListenError, ListenerPlan, Plan, Trusted};
pub use stream::End;

use crate::strangers;
use crate::tls::{Store, server_name};
use admission::Admission;
use listening::{Listening, sockets};
use outbox::{Order, Outbox, Outgoing};
use tcp::Way;
use udp::{Buffers, Datagrams};

/// Reports of connections not yet taken; a connection that finds no room waits, and with it its peer.
const REPORTS: usize = 1024;
/// Reports taken at once, so that deadlines and signals have their turn.
const BATCH: usize = 64;

/// What the network tells.
#[derive(Debug)]
pub enum Event {
    /// A message.
    Message {
        /// Cut to its Content-Length; its headers are looked at only when asked for.
        message: Message,
        /// Where it came from.
        source: Source,
    },
    /// A message did not get to its target, or the connection that carried it broke.
    Failed {
        /// The transaction that sent it.
        client: Option<ClientId>,
        /// Where it was to go.
        target: Target,
    },
    /// A connection is no more.
    Closed(FlowId),
}

/// What a connection was made with, to know whether that is still in force.
enum Made {
    Plain,
    Server(Arc<ServerConfig>),
    Client(Arc<ClientConfig>),
}

/// A connection as the network knows it.
struct Opened {
    outbox: Rc<Outbox>,
    source: Source,
    made: Made,
    /// For connections of ours: what they were opened for, without a flow.
    target: Option<Target>,
}

/// What connections tell the network.
enum Report {
    Opened {
        flow: FlowId,
        opened: Opened,
    },
    Message {
        message: Message,
        source: Source,
    },
    Closed {
        flow: FlowId,
        end: End,
        clients: Vec<ClientId>,
    },
}

/// What every task of the network needs.
struct Shared {
    reports: mpsc::Sender<Report>,
    admission: Rc<Admission>,
    scratch: Rc<RefCell<Vec<u8>>>,
    counts: Counts,
    aside: Handle,
    limits: Limits,
    flows: Cell<u64>,
}

impl Shared {
    fn next_flow(&self) -> FlowId {
        let flow = self.flows.get();
        self.flows.set(flow + 1);
        FlowId(flow)
    }

    /// The answer to bytes that are no message. Strangers get none: it would go to whatever address they made up.
    fn refusal(&self, bytes: &Bytes, error: ParseError, source: &Source) -> Option<Bytes> {
        self.counts.malformed.add();
        strangers!(info, remote = %source.remote, %error, "no SIP message");
        self.admission
            .trusts(source.remote.ip())
            .then(|| refuse(bytes, error.status()))?
            .map(|response| response.bytes().clone())
    }
}

/// Listeners and connections. Lives on a local runtime.
pub struct Network {
    shared: Rc<Shared>,
    taken: mpsc::Receiver<Report>,
    listeners: Vec<Listening>,
    plans: Vec<ListenerPlan>,
    flows: HashMap<FlowId, Opened>,
    reuse: HashMap<Target, FlowId>,
    store: Arc<Store>,
    pending: VecDeque<Event>,
    buffers: Buffers,
}

impl Network {
    /// A network without listeners; `aside` is where handshakes run.
    #[must_use]
    pub fn new(aside: Handle, limits: Limits) -> Self {
        let (reports, taken) = mpsc::channel(REPORTS);
        let shared = Shared {
            reports,
            admission: Rc::default(),
            scratch: Rc::new(RefCell::new(vec![0; stream::READ_SIZE])),
            counts: Counts::default(),
            aside,
            limits,
            flows: Cell::new(1),
        };
        Self {
            shared: Rc::new(shared),
            taken,
            listeners: Vec::new(),
            plans: Vec::new(),
            flows: HashMap::new(),
            reuse: HashMap::new(),
            store: Arc::default(),
            pending: VecDeque::new(),
            buffers: Buffers::new(),
        }
    }

    /// Makes the network what `plan` says. Listeners that stay keep their sockets, connections their peers; only those made
    /// with an identity or trust no longer in force are drained (SIG-09).
    pub fn apply(&mut self, plan: Plan) -> Vec<ListenError> {
        self.shared.admission.trust(plan.trusted);
        self.store = plan.store;
        let mut before = std::mem::take(&mut self.listeners);
        let mut errors = Vec::new();
        for (index, wanted) in plan.listeners.iter().enumerate() {
            let id = ListenerId(
                u32::try_from(index).expect("a configuration has fewer listeners than that"),
            );
            let kept = before.iter().position(|open| open.serves(wanted));
            let listening = match kept {
                Some(place) => {
                    std::mem::replace(&mut before[place], Listening::Closed).keep(id, wanted)
                }
                None => Listening::open(id, wanted, &self.shared),
            };
            self.listeners.push(listening.unwrap_or_else(|cause| {
                errors.push(ListenError {
                    name: Arc::clone(&wanted.name),
                    address: wanted.address,
                    cause,
                });
                Listening::Closed
            }));
        }
        drop(before);
        self.plans = plan.listeners;
        self.drain_outdated();
        errors
    }

    fn drain_outdated(&mut self) {
        for opened in self.flows.values() {
            if !self.in_force(&opened.made, opened.target.as_ref()) {
                opened.outbox.give(Order::Drain);
                if let Some(target) = &opened.target {
                    self.reuse.remove(target);
                }
            }
        }
    }

    /// Whether a connection would be made with the same identity and trust today.
    fn in_force(&self, made: &Made, target: Option<&Target>) -> bool {
        match made {
            Made::Plain => true,
            Made::Server(config) => self
                .listeners
                .iter()
                .filter_map(Listening::tls)
                .any(|current| Arc::ptr_eq(&current, config)),
            Made::Client(config) => target
                .and_then(|target| target.tls.as_ref())
                .and_then(|tls| self.store.client(tls).ok())
                .is_some_and(|current| Arc::ptr_eq(&current, config)),
        }
    }

    /// Ends every connection once it is quiet.
    pub fn drain(&mut self) {
        self.reuse.clear();
        self.listeners
            .retain(|listening| matches!(listening, Listening::Udp(_)));
        for opened in self.flows.values() {
            opened.outbox.give(Order::Drain);
        }
    }

    /// What has happened, counted.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.shared.counts
    }

    /// How many connections are open, or being opened.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.flows.len()
    }

    /// Sends, or says later why not. A message to a target that has no connection opens one and waits for it there; a
    /// datagram waits for [`Network::flush`].
    pub fn send(&mut self, target: &Target, bytes: Bytes, client: Option<ClientId>) {
        if let Some(flow) = target.flow {
            if let Some(opened) = self.flows.get(&flow) {
                self.shared.counts.sent.add();
                return opened.outbox.push(Outgoing { bytes, client });
            }
            if let Some(socket) = self.sockets().find(|socket| socket.flow == flow) {
                return socket.send(bytes, target.clone(), client);
            }
        }
        if target.transport == Transport::Udp {
            return match self.listeners.get_mut(target.listener.0 as usize) {
                Some(Listening::Udp(socket)) => socket.send(bytes, target.clone(), client),
                _ => self.refused(target.clone(), client),
            };
        }
        let key = Target {
            flow: None,
            ..target.clone()
        };
        if let Some(opened) = self.reuse.get(&key).and_then(|flow| self.flows.get(flow)) {
            self.shared.counts.sent.add();
            return opened.outbox.push(Outgoing { bytes, client });
        }
        match self.open(key) {
            Ok(outbox) => {
                self.shared.counts.sent.add();
                outbox.push(Outgoing { bytes, client });
            }
            Err(error) => {
                strangers!(warn, remote = %target.remote, %error, "no connection can be made");
                self.refused(target.clone(), client);
            }
        }
    }

    /// Sends the datagrams given since the last time, in batches. Connections need no such word.
    pub fn flush(&mut self) {
        for listening in &mut self.listeners {
            let Listening::Udp(socket) = listening else {
                continue;
            };
            let flushed = socket.flush();
            self.shared.counts.sent.add_many(flushed.sent);
            self.shared.counts.send_dropped.add_many(flushed.dropped);
            for (target, client) in flushed.refused {
                self.shared.counts.send_refused.add();
                self.pending.push_back(Event::Failed { client, target });
            }
        }
    }

    fn refused(&mut self, target: Target, client: Option<ClientId>) {
        self.shared.counts.send_refused.add();
        self.pending.push_back(Event::Failed { client, target });
    }

    /// Opens a connection for `target`, which names no flow.
    fn open(&mut self, target: Target) -> Result<Rc<Outbox>, crate::tls::TargetError> {
        let tls = match (&target.transport, &target.tls) {
            (Transport::Tls, Some(tls)) => Some((self.store.client(tls)?, server_name(tls)?)),
            // A response whose connection has gone: without a name nobody could be recognised.
            (Transport::Tls, None) => return Err(crate::tls::TargetError::BadName(Arc::from(""))),
            _ => None,
        };
        let from = self
            .plans
            .get(target.listener.0 as usize)
            .map(|plan| plan.address);
        let flow = self.shared.next_flow();
        let outbox = Rc::new(Outbox::new());
        let made = tls
            .as_ref()
            .map_or(Made::Plain, |(config, _)| Made::Client(Arc::clone(config)));
        let unspecified = SocketAddr::new(
            if target.remote.is_ipv4() {
                IpAddr::from([0; 4])
            } else {
                IpAddr::from([0; 16])
            },
            0,
        );
        let from = from.unwrap_or(unspecified);
        let way = Way {
            flow,
            listener: target.listener,
            transport: target.transport,
            from,
            to: target.remote,
            tls,
            outbox: Rc::clone(&outbox),
        };
        let source = Source {
            flow,
            listener: target.listener,
            transport: target.transport,
            local: from,
            remote: target.remote,
            tls: None,
        };
        self.reuse.insert(target.clone(), flow);
        let opened = Opened {
            outbox: Rc::clone(&outbox),
            source,
            made,
            target: Some(target),
        };
        self.flows.insert(flow, opened);
        tokio::task::spawn_local(tcp::connect(way, Rc::clone(&self.shared)));
        Ok(outbox)
    }

    /// Waits until something came, then puts it and what else has come into `batch`. May be dropped while it waits.
    pub async fn next(&mut self, batch: &mut Vec<Event>) {
        self.flush();
        while batch.is_empty() {
            if !self.pending.is_empty() {
                batch.extend(self.pending.drain(..));
                return;
            }
            let report = poll_fn(|context| {
                for socket in sockets(&self.listeners) {
                    if socket.poll_readable(context).is_ready() {
                        return Poll::Ready(None);
                    }
                }
                self.taken.poll_recv(context)
            });
            match report.await {
                Some(report) => self.take(report, batch),
                None => self.receive(batch),
            }
            // Neither kind starves the other: each gives a bounded batch a turn.
            for _ in 0..BATCH {
                let Ok(report) = self.taken.try_recv() else {
                    break;
                };
                self.take(report, batch);
            }
        }
    }

    fn receive(&mut self, batch: &mut Vec<Event>) {
        for listening in &mut self.listeners {
            let Listening::Udp(socket) = listening else {
                continue;
            };
            let mut replies = Vec::new();
            socket.receive(&mut self.buffers, |bytes, source| {
                self.shared.counts.received.add();
                match framing::datagram(bytes.clone()) {
                    Ok(Datagram::Message(message)) => {
                        batch.push(Event::Message { message, source })
                    }
                    Ok(Datagram::Ping) => replies.push((Bytes::from_static(PONG), source.remote)),
                    Ok(Datagram::KeepAlive | Datagram::Stun) => {}
                    Err(error) => {
                        let refusal = self.shared.refusal(&bytes, error, &source);
                        replies.extend(refusal.map(|bytes| (bytes, source.remote)));
                    }
                }
            });
            for (bytes, to) in replies {
                socket.reply(bytes, to);
            }
        }
        self.flush();
    }

    fn take(&mut self, report: Report, batch: &mut Vec<Event>) {
        match report {
            Report::Opened { flow, opened } => {
                // Its handshake may have begun before the identity changed (SIG-09).
                if !self.in_force(&opened.made, opened.target.as_ref()) {
                    opened.outbox.give(Order::Drain);
                }
                self.flows.insert(flow, opened);
            }
            Report::Message { message, source } => {
                self.shared.counts.received.add();
                batch.push(Event::Message { message, source });
            }
            Report::Closed { flow, end, clients } => {
                let Some(opened) = self.flows.remove(&flow) else {
                    return;
                };
                let target = opened.target.unwrap_or(Target {
                    transport: opened.source.transport,
                    remote: opened.source.remote,
                    listener: opened.source.listener,
                    flow: Some(flow),
                    tls: None,
                });
                if self.reuse.get(&target) == Some(&flow) {
                    self.reuse.remove(&target);
                }
                // Drained when quiet: whoever sent something here has had the answer, or waits for it elsewhere.
                if end != End::Drained {
                    let failed = |client| Event::Failed {
                        client: Some(client),
                        target: target.clone(),
                    };
                    batch.extend(clients.into_iter().map(failed));
                }
                batch.push(Event::Closed(flow));
            }
        }
    }

    fn sockets(&mut self) -> impl Iterator<Item = &mut Datagrams> {
        self.listeners
            .iter_mut()
            .filter_map(|listening| match listening {
                Listening::Udp(socket) => Some(socket),
                _ => None,
            })
    }
}
