//! One target after another: which comes next, and what may follow which failure.
//!
//! Groups are tried in order; within a group the order is drawn by weight without putting back; each trunk's hosts are tried in
//! the order of the configuration (SIG-01), or in any if it says so. A hunt holds only what has not been tried, so it ends.
//!
//! INV-13: a black hole, a connection that fails and 503 lead to the next host of the same trunk, then to the next trunk.
//! INV-14: whoever was reached and said no is believed: 486, 603 and every 4xx that the route does not list end the hunt.

use std::collections::VecDeque;

use config::document::carrier::PeerOrder;
use config::values::Endpoint;
use config::{Snapshot, TrunkId};
use sip::token::Tokens;

use super::attempt::{Attempt, Caller};
use super::choose::{Candidate, Decision, Kind, straight_to};
use super::translate::HeaderChange;

/// What is left to try.
#[derive(Debug, Clone)]
pub struct Hunt {
    current: Option<Current>,
    groups: VecDeque<Vec<Candidate>>,
    failover: Vec<u16>,
}

/// The trunk being tried, and its hosts that have not been.
#[derive(Debug, Clone)]
struct Current {
    candidate: Candidate,
    hosts: VecDeque<Endpoint>,
}

/// What comes next.
#[derive(Debug, Clone)]
pub enum Next {
    /// Try this.
    Try(Target),
    /// The caller gets its answer.
    GiveUp,
}

/// Where one INVITE goes, and what it says.
#[derive(Debug, Clone)]
pub struct Target {
    trunk: TrunkId,
    trunk_name: String,
    host: Endpoint,
    called: String,
    caller: Caller,
    headers: Vec<HeaderChange>,
}

/// Why the last target failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// It said no, with this status and perhaps a Retry-After in seconds.
    Status(u16, Option<u32>),
    /// It said nothing at all.
    Silent,
    /// It rang, and nobody answered in time.
    NoAnswer,
    /// It could not be reached.
    Unreachable,
    /// There was no codec or key that it could have been offered, or its answer cannot be used.
    NoMedia,
}

/// How far a failure lets a hunt go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    NextHost,
    NextTrunk,
    Stop,
}

impl Target {
    /// The trunk.
    #[must_use]
    pub const fn trunk(&self) -> TrunkId {
        self.trunk
    }

    /// The trunk's name.
    #[must_use]
    pub fn trunk_name(&self) -> &str {
        &self.trunk_name
    }

    /// The proxy or peer: host of the Request-URI, and where it is sent.
    #[must_use]
    pub const fn host(&self) -> &Endpoint {
        &self.host
    }

    /// The called number as it is sent.
    #[must_use]
    pub fn called(&self) -> &str {
        &self.called
    }

    /// The calling party as it is sent; a party that withholds its name has none.
    #[must_use]
    pub const fn caller(&self) -> &Caller {
        &self.caller
    }

    /// What the trunk's header rules make of the INVITE, in the order of the rules.
    #[must_use]
    pub fn headers(&self) -> &[HeaderChange] {
        &self.headers
    }
}

impl Hunt {
    /// Everything that a decision allows.
    #[must_use]
    pub fn new(decision: Decision) -> Self {
        Self {
            current: None,
            groups: decision.groups.into(),
            failover: decision.failover,
        }
    }

    /// One trunk's hosts and nothing else: for a transfer that goes back to Teams (REF-03).
    #[must_use]
    pub fn on_trunk(snapshot: &Snapshot, attempt: &Attempt, trunk: TrunkId) -> Self {
        let groups = VecDeque::from([vec![straight_to(snapshot, attempt, trunk)]]);
        Self {
            current: None,
            groups,
            failover: Vec::new(),
        }
    }

    /// The first target, or the next one that `failure` of the last allows.
    pub fn next(&mut self, failure: Option<Failure>, rng: &mut Tokens) -> Next {
        if let (Some(current), Some(failure)) = (&mut self.current, failure) {
            match verdict(failure, current.candidate.kind, &self.failover) {
                Verdict::NextHost => {}
                Verdict::NextTrunk => current.hosts.clear(),
                Verdict::Stop => {
                    current.hosts.clear();
                    self.groups.clear();
                }
            }
        }
        loop {
            if let Some(current) = &mut self.current
                && let Some(host) = current.hosts.pop_front()
            {
                return Next::Try(current.candidate.target(host));
            }
            let Some(group) = self.groups.front_mut() else {
                return Next::GiveUp;
            };
            if group.is_empty() {
                self.groups.pop_front();
                continue;
            }
            let candidate = group.swap_remove(draw(group, rng));
            let hosts = arranged(&candidate, rng);
            self.current = Some(Current { candidate, hosts });
        }
    }
}

impl Candidate {
    fn target(&self, host: Endpoint) -> Target {
        Target {
            trunk: self.trunk,
            trunk_name: self.trunk_name.clone(),
            host,
            called: self.called.clone(),
            caller: self.caller.clone(),
            headers: self.headers.clone(),
        }
    }
}

/// The hosts of a trunk in the order of this call.
fn arranged(candidate: &Candidate, rng: &mut Tokens) -> VecDeque<Endpoint> {
    let mut hosts = candidate.hosts.clone();
    if candidate.order == PeerOrder::Random {
        for last in (1..hosts.len()).rev() {
            hosts.swap(last, below(last + 1, rng));
        }
    }
    hosts.into()
}

/// A random number below `end`, uniform to within 2^-32.
fn below(end: usize, rng: &mut Tokens) -> usize {
    let high = (u128::from(rng.number()) * end as u128) >> 64;
    usize::try_from(high).unwrap_or(0)
}

/// A position, with a chance as large as its weight.
fn draw(group: &[Candidate], rng: &mut Tokens) -> usize {
    let total: usize = group
        .iter()
        .map(|candidate| candidate.weight as usize)
        .sum();
    if group.len() < 2 || total == 0 {
        return 0;
    }
    let mut point = below(total, rng);
    for (index, candidate) in group.iter().enumerate() {
        match point.checked_sub(candidate.weight as usize) {
            Some(rest) => point = rest,
            None => return index,
        }
    }
    group.len() - 1
}

fn verdict(failure: Failure, kind: Kind, failover: &[u16]) -> Verdict {
    match failure {
        // INV-13. A 503 is the host's word for itself, so it holds for Teams and carriers alike.
        Failure::Silent | Failure::Unreachable | Failure::Status(503, _) => Verdict::NextHost,
        // Other trunks may have other codecs.
        Failure::NoMedia => Verdict::NextTrunk,
        // Somebody's telephone has rung; it rings again elsewhere only if the route says so.
        Failure::NoAnswer if failover.contains(&480) => Verdict::NextTrunk,
        // INV-14: after any other answer of Teams a second INVITE is a second missed call.
        Failure::Status(code, _) if kind == Kind::Carrier && failover.contains(&code) => {
            Verdict::NextTrunk
        }
        Failure::NoAnswer | Failure::Status(..) => Verdict::Stop,
    }
}
