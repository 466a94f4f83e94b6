//! `[[route]]`: where calls go; the first route that matches takes the call.

use regex::Regex;

use super::{Known, TenantId, TrunkId};
use crate::finding::Problem;
use crate::read::{Section, field_of_text};

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
    /// Those that match.
    Pattern(Regex),
}

/// Trunks of one priority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Trunks and weights.
    pub trunks: Vec<(TrunkId, u32)>,
}

/// Days and hours, in the route's own offset from UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Bit 0: Monday … bit 6: Sunday.
    pub days: u8,
    /// Minutes after midnight, the first included.
    pub from: u16,
    /// Minutes after midnight, not included; below `from` it lies on the next day.
    pub until: u16,
    /// Minutes east of UTC.
    pub offset: i16,
}

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl Window {
    /// `mon-fri 08:00-17:30 +01:00`; the offset may be left out.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let days = words.next()?;
        let hours = words.next()?;
        let offset = words.next().map_or(Some(0), offset_of)?;
        if words.next().is_some() {
            return None;
        }
        let day = |name: &str| DAYS.iter().position(|day| day.eq_ignore_ascii_case(name));
        let mut mask = 0u8;
        for part in days.split(',') {
            match part.split_once('-') {
                Some((first, last)) => {
                    let (first, last) = (day(first)?, day(last)?);
                    let mut at = first;
                    loop {
                        mask |= 1 << at;
                        if at == last {
                            break;
                        }
                        at = (at + 1) % 7;
                    }
                }
                None => mask |= 1 << day(part)?,
            }
        }
        let (from, until) = hours.split_once('-')?;
        Some(Self {
            days: mask,
            from: minutes_of(from)?,
            until: minutes_of(until)?,
            offset,
        })
    }

    /// Whether a moment (seconds since 1970 UTC) lies in it.
    #[must_use]
    pub fn contains(&self, wall: u64) -> bool {
        let minutes = i64::try_from(wall / 60).unwrap_or(i64::MAX / 2) + i64::from(self.offset);
        let minute = minutes.rem_euclid(1_440);
        // 1970-01-01 was a Thursday.
        let day = (minutes.div_euclid(1_440) + 3).rem_euclid(7);
        let on = |day: i64| self.days & (1 << day.rem_euclid(7)) != 0;
        let (from, until) = (i64::from(self.from), i64::from(self.until));
        if from < until {
            on(day) && (from..until).contains(&minute)
        } else {
            (on(day) && minute >= from) || (on(day - 1) && minute < until)
        }
    }
}

fn minutes_of(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    let total = hours.checked_mul(60)?.checked_add(minutes)?;
    (minutes < 60 && total <= 1_440).then_some(total)
}

fn offset_of(text: &str) -> Option<i16> {
    let (sign, rest) = match (text.strip_prefix('+'), text.strip_prefix('-')) {
        (Some(rest), _) => (1, rest),
        (_, Some(rest)) => (-1, rest),
        _ => return None,
    };
    let minutes = i16::try_from(minutes_of(rest)?).ok()?;
    (minutes <= 14 * 60).then_some(sign * minutes)
}

field_of_text!(
    Window,
    "days and hours like \"mon-fri 08:00-17:30 +01:00\"",
    Window::parse
);

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
    weight: u32,
}

field_of_text!(
    Weighted,
    "the name of a trunk, with a weight where wanted: \"carrier-a*3\"",
    |text| {
        let (name, weight) = match text.split_once('*') {
            Some((name, weight)) => (
                name,
                weight
                    .trim()
                    .parse()
                    .ok()
                    .filter(|weight| (1..=1_000).contains(weight))?,
            ),
            None => (text, 1),
        };
        Some(Weighted {
            name: name.trim().to_owned(),
            weight,
        })
    }
);

/// A piece of a number.
#[derive(Debug, Clone)]
struct Digits(String);

field_of_text!(Digits, "digits, perhaps with \"+\" first", |text| {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let good = text.len() <= 32
        && !digits.is_empty()
        && digits
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b"*#".contains(&byte));
    good.then(|| Digits(text.to_owned()))
});

impl Route {
    pub(super) fn read(section: &mut Section<'_, '_>, name: String, known: &Known) -> Self {
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
        let mut to = Vec::new();
        for at in section.list::<String>("to_numbers") {
            match at.value.as_str() {
                "tenant" => to.push(ToNumber::OfTenant),
                number => to.push(ToNumber::Exact(number.to_owned())),
            }
        }
        to.extend(
            section
                .list::<Digits>("prefix")
                .into_iter()
                .map(|at| ToNumber::Prefix(at.value.0)),
        );
        for at in section.list::<String>("pattern") {
            match regex::RegexBuilder::new(&at.value)
                .size_limit(1 << 18)
                .build()
            {
                Ok(pattern) => to.push(ToNumber::Pattern(pattern)),
                Err(error) => {
                    let error = error
                        .to_string()
                        .lines()
                        .last()
                        .unwrap_or_default()
                        .to_owned();
                    section.fault(Some(&at.span), "pattern", Problem::Regex(error));
                }
            }
        }
        let when = section
            .list::<Window>("when")
            .into_iter()
            .map(|at| at.value)
            .collect();
        let mut send_to = Vec::new();
        let listed = section.list::<Weighted>("send_to");
        if listed.is_empty() && !section.has("send_to") {
            let problem = Problem::Missing {
                key: "send_to",
                expected: "a list of trunks, the first tried first",
            };
            section.fault(None, "send_to", problem);
        }
        // Trunks with a weight stand in one group with their neighbours that have one; others are tried one after another.
        let mut last_weighted = false;
        for at in listed {
            let Some(trunk) = known
                .trunks
                .find(section, "send_to", &at.value.name, &at.span)
                .map(TrunkId)
            else {
                continue;
            };
            let weighted = at.value.weight > 1;
            match send_to.last_mut() {
                Some(Group { trunks }) if weighted && last_weighted => {
                    trunks.push((trunk, at.value.weight))
                }
                _ => send_to.push(Group {
                    trunks: vec![(trunk, at.value.weight)],
                }),
            }
            last_weighted = weighted;
        }
        let failover: Vec<u16> = section
            .list::<FailoverCode>("failover")
            .into_iter()
            .map(|at| at.value.0)
            .collect();
        let failover = if failover.is_empty() && !section.has("failover") {
            vec![408, 503, 504]
        } else {
            failover
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_knows_its_days_hours_and_offset() {
        let office = Window::parse("mon-fri 08:00-17:30 +01:00").expect("a window");
        // 2026-11-23 is a Monday; 07:00 UTC is 08:00 there.
        let monday = 1_795_392_000;
        assert!(!office.contains(monday + 7 * 3_600 - 60));
        assert!(office.contains(monday + 7 * 3_600));
        assert!(!office.contains(monday + 16 * 3_600 + 1_800));
        assert!(!office.contains(monday + 5 * 86_400 + 8 * 3_600));
        let night = Window::parse("fri 22:00-06:00").expect("a window");
        assert!(night.contains(monday + 4 * 86_400 + 23 * 3_600));
        assert!(night.contains(monday + 5 * 86_400 + 5 * 3_600));
        assert!(!night.contains(monday + 4 * 86_400 + 5 * 3_600));
        for odd in [
            "",
            "mon",
            "mon 8-9",
            "mon 08:00-25:00",
            "mon 08:00-09:00 UTC",
            "xyz 08:00-09:00",
        ] {
            assert_eq!(Window::parse(odd), None, "{odd}");
        }
    }
}
