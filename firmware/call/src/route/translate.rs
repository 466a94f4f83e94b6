//! Number rules and header rules at work, each step kept for the record.
//!
//! NUM-01: a list is ordered and its first rule that matches is the only one applied, as in Microsoft's four translation lists; a
//! number that no rule matches is left to the trunk's dial plan. The rules themselves, and the bound on their patterns, are `config`'s.

use bytes::Bytes;
use config::document::numbers::NumberRules;
use config::document::trunk::{HeaderRule, Trunk};
use serde::Serialize;

use super::attempt::Attempt;

/// Longer numbers come out of no sensible rule; the peer would refuse them.
const MAX_NUMBER: usize = 256;

/// What the rule is called that stands behind the last one.
const DIAL_PLAN: &str = "dial plan";

/// One rule that changed a number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The list that it stands in.
    pub list: Whose,
    /// The rule's name.
    pub rule: String,
    /// The number before.
    pub before: String,
    /// The number after.
    pub after: String,
}

/// The four lists of a trunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Whose {
    /// The called number of a call that comes in.
    CalledIn,
    /// The calling number of a call that comes in.
    CallerIn,
    /// The called number of a call that goes out.
    CalledOut,
    /// The calling number of a call that goes out.
    CallerOut,
}

impl Whose {
    /// The name of the list in the configuration.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::CalledIn => "called_in",
            Self::CallerIn => "caller_in",
            Self::CalledOut => "called_out",
            Self::CallerOut => "caller_out",
        }
    }
}

/// A header of the INVITE that goes out: it stands there with these values, or with none of them not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderChange {
    /// Its name as the rule writes it.
    pub name: String,
    /// Its values.
    pub values: Vec<Bytes>,
}

/// `number` after the first rule of a list that matches it, or after the trunk's dial plan if none does.
pub(super) fn translate(
    rules: &NumberRules,
    list: Whose,
    number: &str,
    steps: &mut Vec<Step>,
) -> String {
    if number.is_empty() {
        return String::new();
    }
    let (in_order, planned) = match list {
        Whose::CalledIn => (&rules.called_in, rules.plan.normalise(number)),
        Whose::CallerIn => (&rules.caller_in, rules.plan.normalise(number)),
        Whose::CalledOut => (&rules.called_out, rules.plan.denormalise(number)),
        Whose::CallerOut => (&rules.caller_out, rules.plan.denormalise(number)),
    };
    let by_rule = in_order
        .iter()
        .find_map(|rule| Some((rule.name.as_str(), rule.apply(number)?)));
    match by_rule.or_else(|| Some((DIAL_PLAN, planned?))) {
        Some((rule, after)) if after.len() <= MAX_NUMBER => {
            let (rule, before) = (rule.to_owned(), number.to_owned());
            steps.push(Step {
                list,
                rule,
                before,
                after: after.clone(),
            });
            after
        }
        _ => number.to_owned(),
    }
}

/// The header rules of the trunk that a call goes out on.
pub(super) fn headers(trunk: &Trunk, attempt: &Attempt) -> Vec<HeaderChange> {
    let mut changes = Vec::new();
    for rule in &trunk.headers {
        let (name, values) = match rule {
            HeaderRule::Set { name, value } => (name, vec![Bytes::from(value.clone())]),
            HeaderRule::Remove { name } => (name, Vec::new()),
            HeaderRule::Pass { name } => {
                let values = attempt.values(name);
                if values.is_empty() {
                    continue;
                }
                (name, values)
            }
        };
        changes.push(HeaderChange {
            name: name.clone(),
            values,
        });
    }
    changes
}
