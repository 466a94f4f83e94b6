//! What is done for trunks whether there are calls or not: OPTIONS to their targets (OPT-01), registration to their registrars.
//!
//! Each target of a Teams trunk is asked every 60 s, each of a carrier trunk if its configuration says so; the answers make the
//! trunk's health. A target that says 503 rests for its Retry-After, at least one period (OPT-04); any other answer proves that it is
//! there. While the box drains, Teams is asked no more, so that it demotes us (spec §1.4).
//!
//! Not here: what a call makes of a target that does not answer (`flow::setup`).

use std::collections::HashMap;

use config::TrunkId;
use config::document::carrier::Carrier;
use config::document::trunk::TrunkKind;
use config::values::Endpoint;
use embassy_time::{Duration, Instant};
use sip::message::{Method, Name, NameAddr, Request, Uri};
use sip::transaction::ClientId;

use crate::api::{Event, Outcome, Reachability, TargetView, TrunkView};
use crate::core::Now;
use crate::desk::{Desk, Owner};
use crate::leg::LegInput;
use crate::leg::wire::{Wire, host_of};
use crate::registration::Registrations;

/// What a transaction of a trunk is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Duty {
    /// OPTIONS to a target; the number is the probe's.
    Probe(usize),
    /// REGISTER; the number is the registration's.
    Register(usize),
}

/// The state of every trunk.
#[derive(Debug)]
pub(crate) struct Trunks {
    probes: Vec<Probe>,
    registrations: Registrations,
}

#[derive(Debug)]
struct Probe {
    trunk: TrunkId,
    /// The trunk's name, by which another configuration knows it again.
    name: String,
    target: Endpoint,
    period: Duration,
    due: Instant,
    asked: Option<ClientId>,
    asked_at: Instant,
    reachable: Reachability,
    last: Option<(Instant, Outcome)>,
}

/// What is known of a target, which another configuration need not find out anew.
#[derive(Debug, Clone, Copy)]
struct Known {
    due: Instant,
    reachable: Reachability,
    last: Option<(Instant, Outcome)>,
}

impl Trunks {
    pub(crate) fn new(desk: &mut Desk, now: Now) -> Self {
        let mut trunks = Self {
            probes: Vec::new(),
            registrations: Registrations::default(),
        };
        trunks.configure(desk, now);
        trunks.wake(desk, now);
        trunks
    }

    /// Another configuration: targets that it names as before keep their state, and are asked no sooner for it (OPT-01).
    pub(crate) fn configure(&mut self, desk: &mut Desk, now: Now) {
        let snapshot = std::sync::Arc::clone(&desk.snapshot);
        // Trunks of several tenants have the same targets.
        let mut known: HashMap<(String, String), Known> = self
            .probes
            .drain(..)
            .map(|probe| {
                let key = (probe.name, probe.target.to_string());
                let known = Known {
                    due: probe.due,
                    reachable: probe.reachable,
                    last: probe.last,
                };
                (key, known)
            })
            .collect();
        for (id, trunk) in snapshot.trunks() {
            let (targets, period) = match &trunk.kind {
                TrunkKind::Teams(teams) => (&teams.proxies, Some(teams.options)),
                TrunkKind::Carrier(Carrier { peers, options, .. }) => (peers, *options),
            };
            let Some(period) = period else { continue };
            let period = Duration::from_millis(u64::try_from(period.as_millis()).unwrap_or(60_000));
            for target in targets {
                let nothing = Known {
                    due: now.instant,
                    reachable: Reachability::Unknown,
                    last: None,
                };
                let Known {
                    due,
                    reachable,
                    last,
                } = known
                    .remove(&(trunk.name.clone(), target.to_string()))
                    .unwrap_or(nothing);
                self.probes.push(Probe {
                    trunk: id,
                    name: trunk.name.clone(),
                    target: target.clone(),
                    period,
                    due,
                    asked: None,
                    asked_at: now.instant,
                    reachable,
                    last,
                });
            }
        }
        self.registrations.configure(desk, now);
    }

    /// Every trunk of the configuration, as it is.
    pub(crate) fn views(&self, desk: &Desk, now: Instant) -> Vec<TrunkView> {
        let ago = |then: Instant| now.saturating_duration_since(then).as_secs();
        let trunks = desk.snapshot.trunks();
        let views = trunks.map(|(id, trunk)| {
            let targets = self.probes.iter().filter(|probe| probe.trunk == id);
            TrunkView {
                trunk: trunk.name.clone(),
                tenant: trunk
                    .tenant()
                    .map(|tenant| desk.snapshot.tenant(tenant).name.clone()),
                targets: targets
                    .map(|probe| TargetView {
                        target: probe.target.to_string(),
                        reachable: probe.reachable,
                        last: probe.last.map(|(_, outcome)| outcome),
                        ago: probe.last.map(|(at, _)| ago(at)),
                    })
                    .collect(),
                registration: self.registrations.state(&trunk.name),
                asked_us: desk.asked_us.get(&trunk.name).copied().map(ago),
            }
        });
        views.collect()
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        let probe = self.probes.iter().map(|probe| probe.due).min();
        [probe, self.registrations.deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    pub(crate) fn wake(&mut self, desk: &mut Desk, now: Now) {
        for (index, probe) in self.probes.iter_mut().enumerate() {
            if probe.due > now.instant {
                continue;
            }
            probe.due = now.instant + probe.period;
            if probe.asked.is_some() || desk.draining {
                continue;
            }
            if let Some((request, destination)) = ask(desk, probe) {
                let owner = Owner::Trunk(Duty::Probe(index));
                probe.asked = Some(desk.send(now, owner, request, &destination, None));
                probe.asked_at = now.instant;
            }
        }
        self.registrations.wake(desk, now);
    }

    pub(crate) fn hear(&mut self, desk: &mut Desk, now: Now, duty: Duty, input: LegInput) {
        match duty {
            Duty::Probe(index) => self.probed(desk, now, index, &input),
            Duty::Register(index) => self.registrations.hear(desk, now, index, input),
        }
    }

    fn probed(&mut self, desk: &mut Desk, now: Now, index: usize, input: &LegInput) {
        let Some(probe) = self.probes.get_mut(index) else {
            return;
        };
        let (client, reachable, outcome) = match input {
            LegInput::Response {
                client, response, ..
            } => {
                if response.status().is_provisional() {
                    return;
                }
                let took = now.instant.saturating_duration_since(probe.asked_at);
                let outcome = Outcome::Answered {
                    status: response.status().code(),
                    milliseconds: took.as_millis(),
                };
                if response.status().code() == 503 {
                    let rest = response
                        .headers()
                        .retry_after()
                        .ok()
                        .flatten()
                        .map_or(0, |after| after.seconds);
                    probe.due = now.instant
                        + Duration::from_secs(u64::from(rest.min(600))).max(probe.period);
                    (*client, Reachability::Down, outcome)
                } else {
                    (*client, Reachability::Up, outcome)
                }
            }
            LegInput::TimedOut { client } => (*client, Reachability::Down, Outcome::NoAnswer),
            LegInput::Unreachable { client } => (*client, Reachability::Down, Outcome::NotSent),
            _ => return,
        };
        // An answer to a probe of an earlier configuration says nothing.
        if probe.asked.take_if(|asked| *asked == client).is_none() {
            return;
        }
        probe.last = Some((now.instant, outcome));
        if probe.reachable != reachable {
            probe.reachable = reachable;
            desk.tell(Event::Target {
                trunk: probe.name.clone(),
                target: probe.target.to_string(),
                reachable,
            });
        }
    }
}

/// The URI of a target on a trunk.
pub(crate) fn uri_of(target: &Endpoint, transport: config::values::Transport) -> Uri {
    let transport = crate::courier::transport_of(transport).uri_param();
    Uri::sip(host_of(&target.host))
        .port(target.port)
        .param("transport", transport)
        .finish()
}

/// OPT-02: no user part anywhere, Contact with our FQDN, Allow.
fn ask(desk: &mut Desk, probe: &Probe) -> Option<(Request, crate::courier::Destination)> {
    let snapshot = std::sync::Arc::clone(&desk.snapshot);
    let trunk = snapshot.trunk(probe.trunk);
    let transport = match &trunk.kind {
        TrunkKind::Teams(_) => config::values::Transport::Tls,
        TrunkKind::Carrier(carrier) => carrier.transport,
    };
    let uri = uri_of(&probe.target, transport);
    let wire = Wire::new(desk, &snapshot, probe.trunk, "");
    let us = crate::leg::wire::name_on(&snapshot, trunk);
    let from = NameAddr::new(&Uri::sip(us.host).port(us.port).finish());
    let request = Request::build(Method::Options, &uri)
        .header(Name::MaxForwards, "70")
        .header(Name::From, from.with_param("tag", Some(&wire.local_tag)))
        .header(Name::To, NameAddr::new(&uri))
        .header(Name::CallId, desk.tokens.call_id())
        .header(Name::CSeq, "1 OPTIONS");
    let request = wire.dress_request(request, &Method::Options).finish();
    Some((request, wire.destination(&uri)))
}
