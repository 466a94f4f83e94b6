//! The decision told aloud: which route, which numbers step by step, which headers, and why the others were not taken.
//!
//! It runs [`weigh`](super::choose::weigh), which also decides for real calls, and writes down what that sees; there is no second
//! set of rules that could differ. As text for people ([`std::fmt::Display`]) and as a value for programs (serde).

use std::fmt;

use config::document::carrier::PeerOrder;
use config::{Snapshot, TrunkId};
use serde::Serialize;

use super::attempt::{Attempt, Caller};
use super::choose::{Candidate, Decision, Mismatch, Refusal, Sight, weigh};
use super::limit::Scope;
use super::translate::Step;

/// What would happen to a call, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The trunk that it comes in on.
    pub from: String,
    /// The tenant whose call it is.
    pub tenant: Option<String>,
    /// EMG-01: whether it is an emergency call.
    pub emergency: bool,
    /// The called number as dialled.
    pub dialled: String,
    /// The called number that routes look at.
    pub called: String,
    /// The calling party that routes look at.
    pub caller: Caller,
    /// Rules of the incoming trunk that changed a number.
    pub steps: Vec<Step>,
    /// MT-03: the caller id that screening put in place of the caller's.
    pub screened: Option<String>,
    /// Routes that were looked at before the one that took the call, in order.
    pub passed: Vec<Passed>,
    /// Trunks of the route that belong to another tenant (MT-01).
    pub foreign: Vec<String>,
    /// What becomes of it.
    pub outcome: Outcome,
}

/// A route that did not take the call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Passed {
    /// Its name.
    pub route: String,
    /// Why not.
    pub why: Mismatch,
}

/// What becomes of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A route takes it.
    Routed {
        /// The route's name.
        route: String,
        /// Groups in order of priority.
        groups: Vec<Vec<Choice>>,
        /// Codes after which the next trunk is tried.
        failover: Vec<u16>,
        /// Limits that count it.
        limits: Vec<LimitInForce>,
    },
    /// Nobody takes it.
    Refused {
        /// Why.
        why: Refusal,
        /// The code that the caller's side gets.
        status: u16,
    },
}

/// A trunk that may be tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Choice {
    /// Its name.
    pub trunk: String,
    /// The chance, in percent, that it is the first of its group.
    pub percent: u32,
    /// Its hosts: in order, or in any if `random`.
    pub hosts: Vec<String>,
    /// Whether each call draws its own order of hosts.
    pub random: bool,
    /// The called number as it is sent.
    pub called: String,
    /// The calling party as it is sent.
    pub caller: Caller,
    /// Rules of this trunk that changed a number.
    pub steps: Vec<Step>,
    /// Headers that its rules put in, or with no value leave out. Headers that are passed on are only known of a real INVITE.
    pub headers: Vec<(String, Vec<String>)>,
}

/// A limit that counts the call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LimitInForce {
    /// Whose.
    pub of: Scope,
    /// Calls at the same time.
    pub concurrent_calls: Option<u32>,
    /// Calls begun in a second.
    pub calls_per_second: Option<u32>,
}

/// What would happen at `wall` (seconds since 1970, UTC) to a call that `caller` makes on a trunk to `dialled`.
#[must_use]
pub fn explain(
    snapshot: &Snapshot,
    trunk: TrunkId,
    dialled: &str,
    caller: Caller,
    wall: u64,
) -> Explanation {
    let attempt = Attempt::new(snapshot, trunk, dialled, caller);
    let (mut passed, mut foreign, mut screened) = (Vec::new(), Vec::new(), None);
    let decision = weigh(snapshot, &attempt, wall, &mut |sight| match sight {
        Sight::Passed(route, why) => passed.push(Passed {
            route: snapshot.route(route).name.clone(),
            why,
        }),
        Sight::Foreign(trunk) => foreign.push(snapshot.trunk(trunk).name.clone()),
        Sight::Overwritten(number) => screened = Some(number),
    });
    let outcome = match decision {
        Ok(decision) => routed(snapshot, decision),
        Err(why) => Outcome::Refused {
            why,
            status: why.status().code(),
        },
    };
    Explanation {
        from: snapshot.trunk(trunk).name.clone(),
        tenant: attempt.tenant_name().map(str::to_owned),
        emergency: attempt.is_emergency(),
        dialled: attempt.dialled().to_owned(),
        called: attempt.called().to_owned(),
        caller: attempt.calling_party().clone(),
        steps: attempt.steps().to_vec(),
        screened,
        passed,
        foreign,
        outcome,
    }
}

fn routed(snapshot: &Snapshot, decision: Decision) -> Outcome {
    let limits = limits(snapshot, &decision);
    let groups = decision.groups.into_iter().map(|group| {
        let total: u64 = group
            .iter()
            .map(|candidate| u64::from(candidate.weight))
            .sum();
        group
            .into_iter()
            .map(|candidate| choice(candidate, total))
            .collect()
    });
    Outcome::Routed {
        route: decision.route_name,
        groups: groups.collect(),
        failover: decision.failover,
        limits,
    }
}

fn choice(candidate: Candidate, total: u64) -> Choice {
    let percent = (u64::from(candidate.weight) * 100)
        .checked_div(total)
        .unwrap_or(100);
    let text = |value: &bytes::Bytes| String::from_utf8_lossy(value).into_owned();
    let headers = candidate.headers.into_iter();
    Choice {
        trunk: candidate.trunk_name,
        percent: u32::try_from(percent).unwrap_or(100),
        hosts: candidate.hosts.iter().map(ToString::to_string).collect(),
        random: candidate.order == PeerOrder::Random,
        called: candidate.called,
        caller: candidate.caller,
        steps: candidate.steps,
        headers: headers
            .map(|change| (change.name, change.values.iter().map(text).collect()))
            .collect(),
    }
}

/// EMG-01: an emergency call knows no limit.
fn limits(snapshot: &Snapshot, decision: &Decision) -> Vec<LimitInForce> {
    if decision.attempt.is_emergency() {
        return Vec::new();
    }
    let appliance = Some((Scope::Appliance, snapshot.limits));
    let tenant = decision
        .tenant()
        .map(|id| (Scope::Tenant, snapshot.tenant(id).limits));
    let trunk = Some((
        Scope::Trunk,
        snapshot.trunk(decision.attempt.trunk()).limits,
    ));
    [appliance, tenant, trunk]
        .into_iter()
        .flatten()
        .map(|(of, limits)| LimitInForce {
            of,
            concurrent_calls: limits.concurrent_calls,
            calls_per_second: limits.calls_per_second,
        })
        .filter(|limit| limit.concurrent_calls.is_some() || limit.calls_per_second.is_some())
        .collect()
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let urgency = if self.emergency {
            " (emergency: no limits, no screening, no number rules)"
        } else {
            ""
        };
        writeln!(
            f,
            "A call to {}{urgency} comes in on trunk {}",
            self.dialled, self.from
        )?;
        for step in &self.steps {
            writeln!(f, "  {step}")?;
        }
        writeln!(
            f,
            "  called {}, caller {}",
            self.called,
            Named(&self.caller)
        )?;
        match &self.tenant {
            Some(tenant) => writeln!(f, "  it is a call of tenant {tenant}")?,
            None => writeln!(f, "  it is no tenant's call")?,
        }
        if let Some(number) = &self.screened {
            writeln!(
                f,
                "  the caller id is none of the tenant's and becomes {number}"
            )?;
        }
        for Passed { route, why } in &self.passed {
            writeln!(f, "Route {route} does not take it: {}", why.words())?;
        }
        match &self.outcome {
            Outcome::Routed {
                route,
                groups,
                failover,
                limits,
            } => {
                writeln!(f, "Route {route} takes it")?;
                for trunk in &self.foreign {
                    writeln!(
                        f,
                        "  trunk {trunk} is left out: it belongs to another tenant"
                    )?;
                }
                for (index, group) in groups.iter().enumerate() {
                    for choice in group {
                        write_choice(f, index, group.len(), choice)?;
                    }
                }
                let codes: Vec<String> = failover.iter().map(u16::to_string).collect();
                writeln!(
                    f,
                    "  the next is tried when one is silent, cannot be reached or answers {}",
                    codes.join(", ")
                )?;
                for limit in limits {
                    writeln!(f, "  {limit}")?;
                }
                Ok(())
            }
            Outcome::Refused { why, status } => {
                for trunk in &self.foreign {
                    writeln!(
                        f,
                        "  trunk {trunk} is left out: it belongs to another tenant"
                    )?;
                }
                writeln!(f, "Refused with {status}: {}", why.words())
            }
        }
    }
}

fn write_choice(
    f: &mut fmt::Formatter<'_>,
    index: usize,
    among: usize,
    choice: &Choice,
) -> fmt::Result {
    write!(f, "  {}. trunk {}", index + 1, choice.trunk)?;
    if among > 1 {
        write!(f, " (first in {} of 100 calls)", choice.percent)?;
    }
    let between = if choice.random { " or " } else { ", then " };
    writeln!(f, " at {}", choice.hosts.join(between))?;
    for step in &choice.steps {
        writeln!(f, "     {step}")?;
    }
    writeln!(
        f,
        "     called {}, caller {}",
        choice.called,
        Named(&choice.caller)
    )?;
    for (name, values) in &choice.headers {
        if values.is_empty() {
            writeln!(f, "     header {name} is left out")?;
        }
        for value in values {
            writeln!(f, "     header {name}: {value}")?;
        }
    }
    Ok(())
}

/// A party in a few words.
struct Named<'a>(&'a Caller);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Caller {
            number,
            display,
            presentation,
        } = self.0;
        f.write_str(if number.is_empty() { "unknown" } else { number })?;
        if !display.is_empty() {
            write!(f, " \"{display}\"")?;
        }
        match presentation {
            super::Presentation::Shown => Ok(()),
            super::Presentation::Withheld => f.write_str(" (withheld)"),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} becomes {} by rule {} of {}",
            self.before,
            self.after,
            self.rule,
            self.list.key()
        )
    }
}

impl fmt::Display for LimitInForce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.of {
            Scope::Appliance => "limit of the box:",
            Scope::Tenant => "limit of the tenant:",
            Scope::Trunk => "limit of the incoming trunk:",
        })?;
        if let Some(calls) = self.concurrent_calls {
            write!(f, " {calls} calls at the same time")?;
        }
        if let Some(calls) = self.calls_per_second {
            write!(f, " {calls} calls a second")?;
        }
        Ok(())
    }
}

impl Mismatch {
    const fn words(self) -> &'static str {
        match self {
            Self::Tenant => "it is for calls of another tenant",
            Self::From => "it is for calls from other trunks",
            Self::Number => "it is for other numbers",
            Self::Time => "it is for other times",
            Self::NotForEmergencies => "a later route names this emergency number",
        }
    }
}

impl Refusal {
    const fn words(self) -> &'static str {
        match self {
            Self::NoRoute => "no route takes it",
            Self::NoTrunk => "every trunk of the route belongs to another tenant",
            Self::CallerNotAllowed => "the caller id is none of the tenant's numbers",
        }
    }
}
