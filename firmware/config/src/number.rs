//! Numbers, ranges of numbers, and the map from a number to what it belongs to.
//!
//! A range is a number, numbers of one length from first to last, or everything that begins with some digits (a trunk with
//! direct dialling, whose extensions have any length). Where a narrower range lies within a wider one the narrower wins, as a
//! ported number does. The map is built once and looked up by binary search: 100,000 numbers cost 17 comparisons.

use std::collections::BTreeMap;
use std::fmt;

use crate::read::field_of_text;

/// The longest number (E.164 §6.1).
const LONGEST: u8 = 15;

/// Numbers in E.164 form that lie together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NumberRange {
    /// Digits of the first number, without `+`.
    pub first: u64,
    /// Digits of the last number.
    pub last: u64,
    /// How many digits they have.
    pub digits: u8,
    /// Whether more digits may follow.
    pub tail: Tail,
}

/// Whether more digits may follow a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tail {
    /// None.
    Closed,
    /// As many as E.164 allows.
    Open,
}

impl NumberRange {
    /// The range that a text means: `+12025550100`, `+12025550100-+12025550199`, `+4930123*`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(stem) = text.strip_suffix('*') {
            let digits = e164(stem.trim())?;
            let first = digits.parse().ok()?;
            let digits = u8::try_from(digits.len()).ok()?;
            return Some(Self {
                first,
                last: first,
                digits,
                tail: Tail::Open,
            });
        }
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = (e164(first.trim())?, e164(last.trim())?);
        if first.len() != last.len() {
            return None;
        }
        let digits = u8::try_from(first.len()).ok()?;
        let (first, last) = (first.parse().ok()?, last.parse().ok()?);
        (first <= last).then_some(Self {
            first,
            last,
            digits,
            tail: Tail::Closed,
        })
    }

    /// Whether a number in E.164 form lies in it.
    #[must_use]
    pub fn contains(&self, number: &str) -> bool {
        Key::of(number).is_some_and(|key| {
            self.spans()
                .any(|(first, last)| first <= key && key <= last)
        })
    }

    /// What it covers: one span for each length.
    pub(crate) fn spans(&self) -> impl Iterator<Item = (Key, Key)> {
        let (first, last, digits) = (self.first, self.last, self.digits);
        let longest = match self.tail {
            Tail::Closed => digits,
            Tail::Open => LONGEST,
        };
        (digits..=longest).map(move |length| {
            let scale = 10_u64.pow(u32::from(length - digits));
            (
                Key::new(length, first * scale),
                Key::new(length, last * scale + (scale - 1)),
            )
        })
    }
}

impl fmt::Display for NumberRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.tail {
            Tail::Open => write!(f, "+{}*", self.first),
            Tail::Closed if self.first == self.last => write!(f, "+{}", self.first),
            Tail::Closed => write!(f, "+{}-+{}", self.first, self.last),
        }
    }
}

field_of_text!(
    NumberRange,
    "a number like \"+12025550100\", a range of one length like \"+12025550100-+12025550199\", or a stem like \"+4930123*\"",
    NumberRange::parse
);

/// The digits of a number in E.164 form: `+`, then 2 to 15 digits of which the first is not 0.
#[must_use]
pub fn e164(number: &str) -> Option<&str> {
    let digits = number.strip_prefix('+')?;
    let good = (2..=usize::from(LONGEST)).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0');
    good.then_some(digits)
}

/// A number, ordered by length and then by value: 15 digits take 50 bits, the length stands above them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key(u64);

impl Key {
    fn new(digits: u8, value: u64) -> Self {
        Self(u64::from(digits) << 50 | value)
    }

    fn of(number: &str) -> Option<Self> {
        let digits = e164(number)?;
        Some(Self::new(
            u8::try_from(digits.len()).ok()?,
            digits.parse().ok()?,
        ))
    }

    fn next(self) -> Self {
        Self(self.0 + 1)
    }

    fn before(self) -> Self {
        Self(self.0 - 1)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}", self.0 & ((1 << 50) - 1))
    }
}

/// From a number to what it belongs to.
#[derive(Debug, Clone, Default)]
pub(crate) struct NumberMap<T> {
    /// Sorted, and none overlaps another.
    spans: Vec<(Key, Key, T)>,
}

impl<T: Copy> NumberMap<T> {
    pub(crate) fn new<'r>(ranges: impl Iterator<Item = (&'r NumberRange, T)>) -> Self {
        let mut all: Vec<_> = ranges
            .flat_map(|(range, owner)| range.spans().map(move |(first, last)| (first, last, owner)))
            .collect();
        // The widest is laid first, so that narrower ones come to lie upon it.
        all.sort_by_key(|(first, last, _)| std::cmp::Reverse(last.0 - first.0));
        let mut laid: BTreeMap<Key, (Key, T)> = BTreeMap::new();
        for (first, last, owner) in all {
            if let Some((&start, &(end, below))) = laid.range(..first).next_back()
                && end >= first
            {
                laid.insert(start, (first.before(), below));
                if end > last {
                    laid.insert(last.next(), (end, below));
                }
            }
            while let Some((&start, &(end, below))) = laid.range(first..=last).next() {
                laid.remove(&start);
                if end > last {
                    laid.insert(last.next(), (end, below));
                }
            }
            laid.insert(first, (last, owner));
        }
        let spans = laid.into_iter();
        Self {
            spans: spans
                .map(|(first, (last, owner))| (first, last, owner))
                .collect(),
        }
    }

    pub(crate) fn find(&self, number: &str) -> Option<T> {
        let key = Key::of(number)?;
        let behind = self.spans.partition_point(|(first, ..)| *first <= key);
        let (_, last, owner) = self.spans[..behind].last()?;
        (key <= *last).then_some(*owner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(ranges: &[(&str, char)]) -> NumberMap<char> {
        let ranges: Vec<_> = ranges
            .iter()
            .map(|(text, owner)| (NumberRange::parse(text).expect("a range"), *owner))
            .collect();
        NumberMap::new(ranges.iter().map(|(range, owner)| (range, *owner)))
    }

    #[test]
    fn ranges_are_read_and_written() {
        for text in ["+12025550100", "+12025550100-+12025550199", "+4930123*"] {
            assert_eq!(
                NumberRange::parse(text).map(|range| range.to_string()),
                Some(text.to_owned())
            );
        }
        for wrong in [
            "",
            "+",
            "+1",
            "*",
            "+*",
            "1202",
            "+0123",
            "+1-+2",
            "+19-+12",
            "+12-+123",
            "+12*-+13",
            "+1234567890123456",
            "+12a",
        ] {
            assert_eq!(NumberRange::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_narrowest_range_wins() {
        let map = map(&[
            ("+12025550142", 'p'),
            ("+4930*", 'b'),
            ("+12025550100-+12025550199", 'c'),
            ("+49301234*", 'd'),
            ("+12025550140-+12025550149", 'm'),
            ("+493012345", 'e'),
        ]);
        for (number, owner) in [
            ("+12025550100", Some('c')),
            ("+12025550139", Some('c')),
            ("+12025550140", Some('m')),
            ("+12025550142", Some('p')),
            ("+12025550143", Some('m')),
            ("+12025550150", Some('c')),
            ("+12025550199", Some('c')),
            ("+12025550200", None),
            ("+1202555014", None),
            ("+4930", Some('b')),
            ("+49301", Some('b')),
            ("+49301234", Some('d')),
            ("+493012345", Some('e')),
            ("+4930123456", Some('d')),
            ("+493012399999999", Some('b')),
            ("+4930123999999999", None),
            ("+4931", None),
            ("12025550142", None),
        ] {
            assert_eq!(map.find(number), owner, "{number}");
        }
    }

    #[test]
    fn a_hundred_thousand_numbers_find_their_owners() {
        let ranges: Vec<_> = (0..100_000_u64)
            .map(|n| NumberRange::parse(&format!("+1202{:07}", n * 7)).expect("a number"))
            .collect();
        let map = NumberMap::new(ranges.iter().zip(0_u64..));
        assert_eq!(map.find("+12020000000"), Some(0));
        assert_eq!(map.find("+12020349993"), Some(49_999));
        assert_eq!(map.find("+12020349994"), None);
        assert_eq!(map.find("+12020699993"), Some(99_999));
    }
}
