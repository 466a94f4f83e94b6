//! From a URI to a transaction: resolve it, choose the address, and try the next one when an address fails.
//!
//! What a name means is answered from the cache when it is warm, so a call costs no look-up; what must be looked up waits here. The addresses
//! of one name are tried in order (RFC 3263 §4.3) before the owner of the request hears that it failed; which *target* comes next is
//! the hunt's business (`route::hunt`). INV-21: a request too long for UDP goes over TCP first (RFC 3261 §18.1.1).
//!
//! Not here: DNS itself, connections.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use config::document::trunk::TrunkKind;
use config::values::Endpoint;
use config::{Snapshot, TrunkId};
use embassy_time::Duration;
use sip::message::{HostPort, Request, StatusCode, Uri};
use sip::resolve::{
    Abilities, Answer, Cause, Failover, Families, Goal, Hop, Lookup, Outages, Question, Resolver,
    Ticket, Unresolved, Verdict,
};
use sip::transaction::{ClientId, Input, Layer};
use sip::transport::{ListenerId, Target, TlsTarget, Transport};

use crate::core::Now;

/// RFC 3261 §18.1.1: 200 bytes less than the MTU of Ethernet.
const LONGEST_DATAGRAM: usize = 1_300;

/// Where a request goes, and on whose behalf.
#[derive(Debug, Clone)]
pub(crate) struct Destination {
    goal: Option<Goal>,
    sent_by: HostPort,
    listener: ListenerId,
    abilities: Abilities,
    tls: Option<Security>,
}

/// What a trunk says of TLS.
#[derive(Debug, Clone)]
struct Security {
    identity: Arc<str>,
    trust: Arc<str>,
    /// The one name of the trunk's peers. Who of them is reached by address, because a Contact or Record-Route says so, must
    /// show a certificate for this name: few have one for an address, and the connection that stands was checked for it.
    peer: Option<Arc<str>>,
}

/// What became of a request that was handed over.
#[derive(Debug)]
pub(crate) enum Dispatched {
    /// It is on its way; these questions refresh what is about to run out.
    Sent(Vec<Question>),
    /// It waits for the answers to these questions (none: they have been asked already).
    Waiting(Vec<Question>),
    /// There is no way to it.
    NoWay,
}

/// A request under way, as long as it may have to be sent elsewhere.
#[derive(Debug)]
struct Trip {
    request: Request,
    destination: Destination,
    failover: Failover,
    patience: Option<Duration>,
    /// The end of the transaction before this one is still to come.
    superseded: u8,
}

#[derive(Debug)]
enum Parcel {
    Request {
        id: ClientId,
        request: Request,
        destination: Destination,
        patience: Option<Duration>,
    },
    Ack {
        client: ClientId,
        tag: String,
        ack: Request,
        destination: Destination,
    },
}

/// Resolves and sends.
#[derive(Debug)]
pub(crate) struct Courier {
    resolver: Resolver,
    outages: Outages,
    waiting: HashMap<Ticket, Parcel>,
    trips: HashMap<ClientId, Trip>,
}

/// The transport of the configuration as SIP's.
pub(crate) const fn transport_of(transport: config::values::Transport) -> Transport {
    match transport {
        config::values::Transport::Udp => Transport::Udp,
        config::values::Transport::Tcp => Transport::Tcp,
        config::values::Transport::Tls => Transport::Tls,
    }
}

impl Destination {
    pub(crate) fn new(
        snapshot: &Snapshot,
        trunk: TrunkId,
        next_hop: &Uri,
        sent_by: HostPort,
    ) -> Self {
        let settings = snapshot.trunk(trunk);
        let listener = snapshot.listener(settings.listener);
        let (transport, identity, trust) = match &settings.kind {
            TrunkKind::Teams(teams) => {
                let tenant = snapshot.tenant(teams.tenant);
                (
                    Transport::Tls,
                    tenant.identity.or(listener.identity),
                    Some(teams.trust),
                )
            }
            TrunkKind::Carrier(carrier) => (
                transport_of(carrier.transport),
                carrier.identity.or(listener.identity),
                carrier.trust,
            ),
        };
        let transports = match transport {
            Transport::Tls => vec![Transport::Tls],
            Transport::Tcp => vec![Transport::Tcp, Transport::Udp],
            Transport::Udp => vec![Transport::Udp, Transport::Tcp],
        };
        let families = if listener.address.is_ipv4() {
            Families::V4
        } else {
            Families::V6
        };
        let goal = Goal::of_uri(next_hop).ok().map(|mut goal| {
            // Within a trunk its transport holds unless the peer names another; on TLS it always holds.
            if transport == Transport::Tls || goal.transport.is_none() {
                goal.transport = Some(transport);
            }
            goal
        });
        let tls = trust.map(|trust| Security {
            // None: a carrier that asks for no certificate of ours.
            identity: identity.map_or_else(
                || Arc::from(""),
                |identity| Arc::from(snapshot.identities[identity.index()].name.as_str()),
            ),
            trust: Arc::from(snapshot.trusts[trust.index()].name.as_str()),
            peer: match &settings.kind {
                TrunkKind::Carrier(carrier) => one_name(&carrier.peers),
                // Teams names itself by FQDN everywhere.
                TrunkKind::Teams(_) => None,
            },
        });
        let listener = ListenerId(settings.listener.0);
        Self {
            goal,
            sent_by,
            listener,
            abilities: Abilities {
                transports,
                families,
            },
            tls,
        }
    }

    fn target(&self, hop: &Hop) -> Target {
        let tls = match (hop.transport, &self.tls) {
            (Transport::Tls, Some(security)) => Some(TlsTarget {
                server_name: match &security.peer {
                    Some(peer) if is_address(&hop.server_name) => Arc::clone(peer),
                    _ => Arc::clone(&hop.server_name),
                },
                identity: Arc::clone(&security.identity),
                trust: Arc::clone(&security.trust),
            }),
            _ => None,
        };
        Target {
            transport: hop.transport,
            remote: hop.addr,
            listener: self.listener,
            flow: None,
            tls,
        }
    }
}

impl Courier {
    pub(crate) fn new(snapshot: &Snapshot, seed: [u8; 32]) -> Self {
        let mut courier = Self {
            resolver: Resolver::new(seed),
            outages: Outages::new(),
            waiting: HashMap::new(),
            trips: HashMap::new(),
        };
        courier.configure(snapshot);
        courier
    }

    pub(crate) fn configure(&mut self, snapshot: &Snapshot) {
        self.resolver.pin(
            snapshot
                .dns
                .hosts
                .iter()
                .map(|(name, addresses)| (name.as_str(), addresses.clone())),
        );
    }

    /// Requests that wait for a name.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn dispatch(
        &mut self,
        now: Now,
        layer: &mut Layer,
        id: ClientId,
        request: Request,
        destination: &Destination,
        patience: Option<Duration>,
    ) -> Dispatched {
        let Some(goal) = &destination.goal else {
            return Dispatched::NoWay;
        };
        match self
            .resolver
            .lookup(now.instant, goal, &destination.abilities)
        {
            Lookup::Ready { hops, questions } => {
                match self.set_out(now, layer, id, request, destination.clone(), patience, hops) {
                    Ok(()) => Dispatched::Sent(questions),
                    Err(NoHop) => Dispatched::NoWay,
                }
            }
            Lookup::Pending { ticket, questions } => {
                let destination = destination.clone();
                self.waiting.insert(
                    ticket,
                    Parcel::Request {
                        id,
                        request,
                        destination,
                        patience,
                    },
                );
                Dispatched::Waiting(questions)
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one request")]
    fn set_out(
        &mut self,
        now: Now,
        layer: &mut Layer,
        id: ClientId,
        request: Request,
        destination: Destination,
        patience: Option<Duration>,
        hops: Result<Vec<Hop>, Unresolved>,
    ) -> Result<(), NoHop> {
        let mut hops = hops.map_err(|_| NoHop)?;
        if request.bytes().len() > LONGEST_DATAGRAM {
            hops = hops.into_iter().flat_map(over_tcp_first).collect();
        }
        let failover = Failover::new(now.instant, hops, &self.outages).ok_or(NoHop)?;
        let trip = Trip {
            request,
            destination,
            failover,
            patience,
            superseded: 0,
        };
        send(now, layer, id, &trip);
        self.trips.insert(id, trip);
        Ok(())
    }

    /// The ACK of a 2xx goes where the dialog says.
    pub(crate) fn acknowledge(
        &mut self,
        now: Now,
        layer: &mut Layer,
        client: ClientId,
        tag: &str,
        ack: Request,
        destination: &Destination,
    ) -> Dispatched {
        let Some(goal) = &destination.goal else {
            return Dispatched::NoWay;
        };
        match self
            .resolver
            .lookup(now.instant, goal, &destination.abilities)
        {
            Lookup::Ready { hops, questions } => {
                match self.acknowledge_at(
                    now,
                    layer,
                    client,
                    tag.to_owned(),
                    ack,
                    destination,
                    hops,
                ) {
                    Ok(()) => Dispatched::Sent(questions),
                    Err(NoHop) => Dispatched::NoWay,
                }
            }
            Lookup::Pending { ticket, questions } => {
                let destination = destination.clone();
                self.waiting.insert(
                    ticket,
                    Parcel::Ack {
                        client,
                        tag: tag.to_owned(),
                        ack,
                        destination,
                    },
                );
                Dispatched::Waiting(questions)
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one ACK")]
    fn acknowledge_at(
        &self,
        now: Now,
        layer: &mut Layer,
        id: ClientId,
        to_tag: String,
        ack: Request,
        destination: &Destination,
        hops: Result<Vec<Hop>, Unresolved>,
    ) -> Result<(), NoHop> {
        let hops = hops.map_err(|_| NoHop)?;
        let failover = Failover::new(now.instant, hops, &self.outages).ok_or(NoHop)?;
        let target = destination.target(failover.current());
        let sent_by = destination.sent_by.clone();
        layer.handle(
            now.instant,
            Input::Acknowledge {
                id,
                to_tag,
                ack,
                target,
                sent_by,
            },
        );
        Ok(())
    }

    /// A question is answered: what waited for it goes on.
    pub(crate) fn resolved(
        &mut self,
        now: Now,
        layer: &mut Layer,
        question: &Question,
        answer: Answer,
    ) -> (Vec<(ClientId, Dispatched)>, Vec<Question>) {
        let settled = self.resolver.answered(now.instant, question, answer);
        let mut done = Vec::new();
        for (ticket, hops) in settled.ready {
            let Some(parcel) = self.waiting.remove(&ticket) else {
                continue;
            };
            let (id, went) = match parcel {
                Parcel::Request {
                    id,
                    request,
                    destination,
                    patience,
                } => (
                    id,
                    self.set_out(now, layer, id, request, destination, patience, hops),
                ),
                Parcel::Ack {
                    client,
                    tag,
                    ack,
                    destination,
                } => (
                    client,
                    self.acknowledge_at(now, layer, client, tag, ack, &destination, hops),
                ),
            };
            let dispatched = went.map_or(Dispatched::NoWay, |()| Dispatched::Sent(Vec::new()));
            done.push((id, dispatched));
        }
        (done, settled.questions)
    }

    /// A request failed at its address. Whether it is on its way to another address of the same name.
    pub(crate) fn retry(
        &mut self,
        now: Now,
        layer: &mut Layer,
        id: ClientId,
        cause: Cause,
    ) -> Retried {
        let Some(trip) = self.trips.get_mut(&id) else {
            return Retried::No;
        };
        match trip.failover.failed(now.instant, cause, &mut self.outages) {
            Verdict::Next(_) => {
                trip.superseded += 1;
                send(now, layer, id, trip);
                Retried::Yes
            }
            Verdict::Exhausted | Verdict::Final => Retried::No,
        }
    }

    /// A response was heard: its address is well again, and after a final one the request goes nowhere else.
    pub(crate) fn heard(&mut self, id: ClientId, status: StatusCode) {
        if let Some(trip) = self.trips.get(&id) {
            let hop = trip.failover.current();
            self.outages.recovered(hop.transport, hop.addr);
            if !status.is_provisional() {
                self.trips.remove(&id);
            }
        }
    }

    /// A transaction has ended. Whether it was the last of its number.
    pub(crate) fn ended(&mut self, id: ClientId) -> Last {
        if let Some(trip) = self.trips.get_mut(&id)
            && trip.superseded > 0
        {
            trip.superseded -= 1;
            return Last::No;
        }
        self.trips.remove(&id);
        Last::Yes
    }
}

/// No address to send to.
struct NoHop;

/// Whether a failed request is on its way again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retried {
    Yes,
    No,
}

/// Whether a transaction's end is the end of its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Last {
    Yes,
    No,
}

fn send(now: Now, layer: &mut Layer, id: ClientId, trip: &Trip) {
    let target = trip.destination.target(trip.failover.current());
    let input = Input::Send {
        id,
        request: trip.request.clone(),
        target,
        sent_by: trip.destination.sent_by.clone(),
        patience: trip.failover.patience().or(trip.patience),
    };
    layer.handle(now.instant, input);
}

fn is_address(host: &str) -> bool {
    host.parse::<IpAddr>().is_ok()
}

/// The name that all these peers have, if it is one.
fn one_name(peers: &[Endpoint]) -> Option<Arc<str>> {
    let mut names = peers.iter().map(|peer| peer.host.as_str());
    let first = names.next().filter(|name| !is_address(name))?;
    names.all(|name| name == first).then(|| Arc::from(first))
}

/// INV-21: the same address over TCP, then over UDP after all.
fn over_tcp_first(hop: Hop) -> Vec<Hop> {
    if hop.transport == Transport::Udp {
        vec![
            Hop {
                transport: Transport::Tcp,
                ..hop.clone()
            },
            hop,
        ]
    } else {
        vec![hop]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_have_one_name_or_none() {
        let named = |texts: &[&str]| {
            let peers: Vec<_> = texts
                .iter()
                .map(|text| Endpoint::parse(text).expect("an endpoint"))
                .collect();
            one_name(&peers)
        };
        assert_eq!(named(&["a.example:5061"]).as_deref(), Some("a.example"));
        assert_eq!(
            named(&["a.example", "a.example:5063"]).as_deref(),
            Some("a.example")
        );
        assert_eq!(named(&["a.example", "b.example"]), None);
        assert_eq!(named(&["192.0.2.1", "a.example"]), None);
        assert_eq!(named(&["a.example", "[2001:db8::1]:5061"]), None);
        assert_eq!(named(&[]), None);
    }
}
