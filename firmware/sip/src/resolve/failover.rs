//! Which address is tried next, by the cause of the failure (RFC 3263 §4.3; INV-13, INV-14, OPT-04).
//!
//! Only silence, a broken connection and 503 lead on to another address. Any other answer is the answer: a user who is busy
//! here is busy at the next proxy too, and a call that was declined must not ring again.
//!
//! Not here: other trunks and routes, which the call hunts through by its own rules.

use std::collections::HashMap;
use std::net::SocketAddr;

use embassy_time::{Duration, Instant};

use super::Hop;
use crate::message::{RetryAfter, StatusCode};
use crate::transport::Transport;

/// How long a target may be silent while there is another one: it must not cost the caller more.
pub const SILENCE: Duration = Duration::from_secs(4);

/// How long a target that was silent or refused the connection is tried last.
const REST: Duration = Duration::from_secs(30);

/// The longest Retry-After that is believed.
const LONGEST_REST: Duration = Duration::from_secs(3_600);

/// Targets remembered; beyond, the one that comes back first is forgotten.
const MAX_OUTAGES: usize = 4_096;

/// Why a target failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Nothing at all was heard. A target that has said 100 is not silent.
    Silence,
    /// The connection was refused, broke, or failed its TLS checks.
    Unreachable,
    /// A final response.
    Answered {
        /// Its status.
        status: StatusCode,
        /// Its Retry-After.
        retry_after: Option<RetryAfter>,
    },
}

/// What follows from a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Send the request there, as a new transaction.
    Next(Hop),
    /// The last target has failed too.
    Exhausted,
    /// The answer holds.
    Final,
}

/// Targets that are not worth asking now.
#[derive(Debug, Clone, Default)]
pub struct Outages {
    until: HashMap<(Transport, SocketAddr), Instant>,
}

impl Outages {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether a target is out.
    #[must_use]
    pub fn is_out(&self, now: Instant, transport: Transport, addr: SocketAddr) -> bool {
        self.until
            .get(&(transport, addr))
            .is_some_and(|until| *until > now)
    }

    /// A target has failed; whether another may be tried for the same request.
    pub fn failed(&mut self, now: Instant, hop: &Hop, cause: Cause) -> bool {
        let rest = match cause {
            Cause::Silence | Cause::Unreachable => Some(REST),
            Cause::Answered {
                status: StatusCode::SERVICE_UNAVAILABLE,
                retry_after,
            } => {
                // OPT-04. Without Retry-After it is one request that was refused (RFC 3261 §21.5.4).
                retry_after
                    .map(|after| Duration::from_secs(u64::from(after.seconds)).min(LONGEST_REST))
            }
            // INV-13, INV-14.
            Cause::Answered { .. } => return false,
        };
        if let Some(rest) = rest {
            self.put(now, (hop.transport, hop.addr), now + rest);
        }
        true
    }

    /// A target has answered.
    pub fn recovered(&mut self, transport: Transport, addr: SocketAddr) {
        self.until.remove(&(transport, addr));
    }

    fn put(&mut self, now: Instant, target: (Transport, SocketAddr), until: Instant) {
        if self.until.len() >= MAX_OUTAGES {
            self.until.retain(|_, until| *until > now);
        }
        if self.until.len() >= MAX_OUTAGES
            && let Some(first) = self
                .until
                .iter()
                .min_by_key(|(_, until)| **until)
                .map(|(target, _)| *target)
        {
            self.until.remove(&first);
        }
        self.until.insert(target, until);
    }
}

/// One request's way along its hops.
#[derive(Debug, Clone)]
pub struct Failover {
    current: Hop,
    /// In reverse.
    rest: Vec<Hop>,
}

impl Failover {
    /// Begin with the first hop that is not out; those that are out are tried last, rather than not at all. `None`: no hops.
    #[must_use]
    pub fn new(now: Instant, hops: Vec<Hop>, outages: &Outages) -> Option<Self> {
        let (out, well): (Vec<Hop>, Vec<Hop>) = hops
            .into_iter()
            .partition(|hop| outages.is_out(now, hop.transport, hop.addr));
        let mut rest: Vec<Hop> = well.into_iter().chain(out).collect();
        rest.reverse();
        let current = rest.pop()?;
        Some(Self { current, rest })
    }

    /// Where the request goes.
    #[must_use]
    pub const fn current(&self) -> &Hop {
        &self.current
    }

    /// How long to wait for a first response (`transaction::Input::Send::patience`): [`SILENCE`] while there is another target.
    #[must_use]
    pub fn patience(&self) -> Option<Duration> {
        (!self.rest.is_empty()).then_some(SILENCE)
    }

    /// The request has failed at the current target.
    pub fn failed(&mut self, now: Instant, cause: Cause, outages: &mut Outages) -> Verdict {
        if !outages.failed(now, &self.current, cause) {
            return Verdict::Final;
        }
        match self.rest.pop() {
            Some(next) => {
                self.current = next.clone();
                Verdict::Next(next)
            }
            None => Verdict::Exhausted,
        }
    }
}
