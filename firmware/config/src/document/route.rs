//! `[[route]]`: where calls go; the first route that matches takes the call.
//!
//! A route says for which calls it is (tenant, trunk, number, time) and which trunks are tried in which order. INV-14: only codes that
//! speak for a trunk, and not for the party called, can be set to lead to another. How a call is held against it is `call`'s business.

use regex::Regex;

use super::window::Window;
use super::{Known, TenantId, TrunkId};
use crate::finding::Problem;
use crate::read::{Section, field_of_text};
use crate::values::{NumberRange, UtcOffset};

use super::numbers::pattern;

/// A route.
#[derive(Debug, Clone)]
pub struct Route {
    /// Its name.
    pub name: String,
    /// Calls of this tenant alone.
    pub tenant: Option<TenantId>,
    /// Calls from these trunks alone; none: from all.
    pub from: Vec<TrunkId>,
    /// Called numbers; none: all.
    pub to: Vec<ToNumber>,
    /// Times; none: always.
    pub when: Vec<Window>,
    /// Where to: groups in order of priority, weighted within.
    pub send_to: Vec<Group>,
    /// Codes after which the next target is tried, beside timeouts and unreachable targets (INV-13).
    pub failover: Vec<u16>,
}

/// Called numbers.
#[derive(Debug, Clone)]
pub enum ToNumber {
    /// Those of the tenant.
    OfTenant,
    /// Those that begin so.
    Prefix(String),
    /// This one.
    Exact(String),
    /// Those of a range.
    Range(NumberRange),
    /// Those that match.
    Pattern(Regex),
}

impl ToNumber {
    /// Whether it covers a number that is written out. Whether a number is the tenant's only the snapshot knows.
    #[must_use]
    pub fn covers(&self, number: &str) -> bool {
        match self {
            Self::OfTenant => false,
            Self::Prefix(prefix) => number.starts_with(prefix.as_str()),
            Self::Exact(exact) => number == exact,
            Self::Range(range) => range.contains(number),
            Self::Pattern(pattern) => pattern.is_match(number),
        }
    }
}

field_of_text!(
    ToNumber,
    "\"tenant\", a number, a range like \"+12025550100-+12025550199\" or a stem like \"+4930123*\"",
    |text| match text {
        "tenant" => Some(ToNumber::OfTenant),
        _ => match NumberRange::parse(text) {
            Some(range) if range.first == range.last && !text.ends_with('*') =>
                Some(ToNumber::Exact(text.to_owned())),
            Some(range) => Some(ToNumber::Range(range)),
            None => Digits::parse(text).map(|Digits(number)| ToNumber::Exact(number)),
        },
    }
);

/// Trunks of one priority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Trunks and weights.
    pub trunks: Vec<(TrunkId, u32)>,
}

/// A status code that a route may fail over on.
#[derive(Debug, Clone, Copy)]
struct FailoverCode(u16);

impl crate::read::Field for FailoverCode {
    const EXPECTED: &'static str = "a code of 408, 480 or 500 to 599; others end the call (INV-14)";

    fn read(value: &toml::de::DeValue<'_>) -> Result<Self, Problem> {
        let code = u32::read(value)?;
        match u16::try_from(code) {
            Ok(code @ (408 | 480 | 500..=599)) => Ok(Self(code)),
            _ => Err(Problem::BadValue {
                value: code.to_string(),
                expected: Self::EXPECTED,
            }),
        }
    }
}

/// A trunk with an optional weight: `probe` or `probe*3`.
#[derive(Debug, Clone)]
struct Weighted {
    name: String,
    weight: Option<u32>,
}

field_of_text!(
    Weighted,
    "the name of a trunk, with a weight from 1 to 1000 where wanted: \"carrier-a*3\"",
    |text| {
        let (name, weight) = match text.split_once('*') {
            Some((name, weight)) => {
                let weight = weight.trim().parse().ok();
                (
                    name,
                    Some(weight.filter(|weight| (1..=1_000).contains(weight))?),
                )
            }
            None => (text, None),
        };
        let name = name.trim().to_owned();
        (!name.is_empty()).then_some(Weighted { name, weight })
    }
);

/// A piece of a number.
#[derive(Debug, Clone)]
struct Digits(String);

impl Digits {
    fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('+').unwrap_or(text);
        let dialled = |byte: u8| byte.is_ascii_digit() || b"*#".contains(&byte);
        let good = text.len() <= 32 && !digits.is_empty() && digits.bytes().all(dialled);
        good.then(|| Self(text.to_owned()))
    }
}

// A prefix, which may be "+" alone: every number in E.164 form.
field_of_text!(
    Digits,
    "digits, perhaps with \"+\" first",
    |text| match text {
        "+" => Some(Digits(text.to_owned())),
        _ => Digits::parse(text),
    }
);

impl Route {
    pub(super) fn read(
        section: &mut Section<'_, '_>,
        name: String,
        known: &Known,
        local: UtcOffset,
    ) -> Self {
        let tenant = known.tenants.maybe(section, "tenant").map(TenantId);
        let mut from = Vec::new();
        for at in section.list::<String>("from") {
            from.extend(
                known
                    .trunks
                    .find(section, "from", &at.value, &at.span)
                    .map(TrunkId),
            );
        }
        let to = called(section);
        let mut when = Vec::new();
        for at in section.list::<String>("when") {
            match Window::parse(&at.value, local) {
                Some(window) => when.push(window),
                None => {
                    let expected = "days and hours like \"mon-fri 08:00-17:30\", perhaps with an offset like \"+01:00\"";
                    let value = at.value;
                    section.fault(
                        Some(&at.span),
                        "when",
                        Problem::BadValue { value, expected },
                    );
                }
            }
        }
        let send_to = targets(section, known);
        let failover = if section.has("failover") {
            let codes = section.list::<FailoverCode>("failover");
            codes.into_iter().map(|at| at.value.0).collect()
        } else {
            section.list::<FailoverCode>("failover");
            FAILOVER.to_vec()
        };
        Self {
            name,
            tenant,
            from,
            to,
            when,
            send_to,
            failover,
        }
    }
}

/// INV-12, INV-13: what says that a trunk is not able to, rather than that somebody does not want to.
const FAILOVER: [u16; 3] = [408, 503, 504];

fn called(section: &mut Section<'_, '_>) -> Vec<ToNumber> {
    let numbers = section.list::<ToNumber>("to_numbers");
    let mut to: Vec<ToNumber> = numbers.into_iter().map(|at| at.value).collect();
    let prefixes = section.list::<Digits>("prefix");
    to.extend(prefixes.into_iter().map(|at| ToNumber::Prefix(at.value.0)));
    for at in section.list::<String>("pattern") {
        match pattern(&at.value) {
            Ok(pattern) => to.push(ToNumber::Pattern(pattern)),
            Err(error) => section.fault(Some(&at.span), "pattern", Problem::Regex(error)),
        }
    }
    to
}

/// Trunks with a weight stand in one group with their neighbours that have one; others are tried one after another.
fn targets(section: &mut Section<'_, '_>, known: &Known) -> Vec<Group> {
    if !section.has("send_to") {
        let expected = "a list of trunks, the first tried first";
        section.fault(
            None,
            "send_to",
            Problem::Missing {
                key: "send_to",
                expected,
            },
        );
    }
    let listed = section.list::<Weighted>("send_to");
    let mut groups: Vec<Group> = Vec::new();
    let mut before = None;
    for at in listed {
        let Weighted { name, weight } = at.value;
        let found = known.trunks.find(section, "send_to", &name, &at.span);
        let Some(trunk) = found.map(TrunkId) else {
            continue;
        };
        match groups.last_mut() {
            Some(group) if weight.is_some() && before.is_some() => {
                group.trunks.push((trunk, weight.unwrap_or(1)))
            }
            _ => groups.push(Group {
                trunks: vec![(trunk, weight.unwrap_or(1))],
            }),
        }
        before = weight;
    }
    groups
}
