//! The index of calls in memory, and questions to it.
//!
//! A summary is kept as it is written, about 150 octets, and read in place without a copy: all of 100,000 calls are looked through in
//! some tens of milliseconds, whatever is asked.
//!
//! Not here: items of calls (`segment`).

use std::collections::{HashMap, VecDeque};

use serde::Deserialize;

use super::item::{CallNumber, Micros};
use super::segment::Place;
use super::summary::Summary;

/// What is looked for; what is `None` does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query {
    /// In a number, a name of a trunk or tenant, a Call-ID, the correlation id or the call's own number; ASCII letters of either case.
    pub text: Option<String>,
    /// Of this tenant alone.
    pub tenant: Option<String>,
    /// From or to this trunk.
    pub trunk: Option<String>,
    /// Ended with this word.
    pub ending: Option<String>,
    /// Began then or later.
    pub since: Option<Micros>,
    /// Began before.
    pub until: Option<Micros>,
    /// Go on behind this [`Page::next`].
    pub after: Option<u64>,
    /// At most so many.
    pub most: usize,
}

/// Some of what was found, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// The calls.
    pub calls: Vec<Summary>,
    /// For [`Query::after`], where there may be more.
    pub next: Option<u64>,
}

/// [`Summary`], read where it lies.
#[derive(Deserialize)]
struct Glance<'a> {
    call: CallNumber,
    began: Micros,
    _ended: Micros,
    from_trunk: &'a str,
    to_trunk: Option<&'a str>,
    tenant: Option<&'a str>,
    caller: &'a str,
    called: &'a str,
    ending: &'a str,
    _status: Option<u16>,
    _duration: u32,
    _opinion: Option<u16>,
    correlation: Option<&'a str>,
    #[serde(borrow)]
    call_ids: Vec<&'a str>,
}

impl Query {
    /// Whether a call is one that is looked for.
    #[must_use]
    pub fn fits(&self, call: &Summary) -> bool {
        Glance::from(call).fits(self)
    }
}

impl<'a> From<&'a Summary> for Glance<'a> {
    fn from(call: &'a Summary) -> Self {
        Self {
            call: call.call,
            began: call.began,
            _ended: call.ended,
            from_trunk: &call.from_trunk,
            to_trunk: call.to_trunk.as_deref(),
            tenant: call.tenant.as_deref(),
            caller: &call.caller,
            called: &call.called,
            ending: &call.ending,
            _status: call.status,
            _duration: call.duration,
            _opinion: call.opinion,
            correlation: call.correlation.as_deref(),
            call_ids: call.call_ids.iter().map(String::as_str).collect(),
        }
    }
}

#[derive(Debug)]
struct Entry {
    summary: Box<[u8]>,
    places: Box<[Place]>,
}

/// The calls that are over, in the order in which they ended.
#[derive(Debug, Default)]
pub(super) struct Index {
    entries: VecDeque<Entry>,
    /// Number of the first entry; each has the next one.
    first: u64,
    by_call: HashMap<CallNumber, u64>,
}

impl Index {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn push(&mut self, summary: &Summary, places: Vec<Place>) {
        let Ok(octets) = postcard::to_allocvec(summary) else {
            return;
        };
        let number = self.first + self.entries.len() as u64;
        self.by_call.insert(summary.call, number);
        self.entries.push_back(Entry {
            summary: octets.into_boxed_slice(),
            places: places.into_boxed_slice(),
        });
    }

    /// Forgets the oldest.
    pub(super) fn pop(&mut self) {
        if let Some(entry) = self.entries.pop_front() {
            if let Ok(summary) = postcard::from_bytes::<Glance<'_>>(&entry.summary)
                && self.by_call.get(&summary.call) == Some(&self.first)
            {
                self.by_call.remove(&summary.call);
            }
            self.first += 1;
        }
    }

    /// Where the pieces of the oldest one lie.
    pub(super) fn oldest(&self) -> Option<&[Place]> {
        Some(&self.entries.front()?.places)
    }

    pub(super) fn find(&self, call: CallNumber) -> Option<(Summary, &[Place])> {
        let number = self.by_call.get(&call)?.checked_sub(self.first)?;
        let entry = self.entries.get(usize::try_from(number).ok()?)?;
        let summary = postcard::from_bytes(&entry.summary).ok()?;
        Some((summary, &entry.places))
    }

    pub(super) fn search(&self, query: &Query) -> Page {
        let end = query.after.map_or(self.entries.len(), |after| {
            let place = after.saturating_sub(self.first);
            usize::try_from(place).map_or(self.entries.len(), |at| at.min(self.entries.len()))
        });
        let mut page = Page::default();
        for (place, entry) in self.entries.range(..end).enumerate().rev() {
            if page.calls.len() == query.most {
                page.next = Some(self.first + place as u64 + 1);
                break;
            }
            let Ok(glance) = postcard::from_bytes::<Glance<'_>>(&entry.summary) else {
                continue;
            };
            if glance.fits(query)
                && let Ok(summary) = postcard::from_bytes(&entry.summary)
            {
                page.calls.push(summary);
            }
        }
        page
    }
}

impl Glance<'_> {
    fn fits(&self, query: &Query) -> bool {
        let is = |wanted: &Option<String>, found: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| Some(wanted) == found)
        };
        is(&query.tenant, self.tenant)
            && is(&query.ending, Some(self.ending))
            && (is(&query.trunk, Some(self.from_trunk)) || is(&query.trunk, self.to_trunk))
            && query.since.is_none_or(|since| self.began >= since)
            && query.until.is_none_or(|until| self.began < until)
            && query.text.as_deref().is_none_or(|text| self.says(text))
    }

    fn says(&self, text: &str) -> bool {
        let text = text.trim();
        let said = [self.from_trunk, self.caller, self.called]
            .into_iter()
            .chain(self.to_trunk)
            .chain(self.tenant)
            .chain(self.correlation)
            .chain(self.call_ids.iter().copied());
        let mut said = said;
        said.any(|said| contains(said.as_bytes(), text.as_bytes()))
            || text.parse() == Ok(self.call.0)
    }
}

/// Whether something is said somewhere, in letters of either case.
fn contains(said: &[u8], text: &[u8]) -> bool {
    text.is_empty()
        || said
            .windows(text.len())
            .any(|window| window.eq_ignore_ascii_case(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(number: u64) -> Summary {
        Summary {
            from_trunk: "teams".into(),
            to_trunk: Some("Carrier".into()),
            tenant: Some(
                if number.is_multiple_of(2) {
                    "contoso"
                } else {
                    "fabrikam"
                }
                .into(),
            ),
            caller: format!("+1202555{number:04}"),
            called: "+13125550100".into(),
            ending: "busy".into(),
            call_ids: vec![format!("A{number}@box"), format!("b{number}")],
            ..Summary::of(CallNumber(number), Micros(number * 10))
        }
    }

    fn index(calls: u64) -> Index {
        let mut index = Index::default();
        for number in 0..calls {
            index.push(&call(number), Vec::new());
        }
        index
    }

    fn found(index: &Index, query: &Query) -> Vec<u64> {
        let page = index.search(query);
        page.calls.iter().map(|call| call.call.0).collect()
    }

    fn asking() -> Query {
        Query {
            most: 100,
            ..Query::default()
        }
    }

    #[test]
    fn a_call_is_found_by_whatever_is_known_of_it() {
        let index = index(20);
        for text in ["0007", "a7@BOX", " b7 ", "7"] {
            let query = Query {
                text: Some(text.into()),
                ..asking()
            };
            assert!(found(&index, &query).contains(&7), "{text}");
        }
        let query = Query {
            text: Some("carrier".into()),
            tenant: Some("contoso".into()),
            since: Some(Micros(50)),
            until: Some(Micros(100)),
            ..asking()
        };
        assert_eq!(found(&index, &query), [8, 6]);
        let query = Query {
            trunk: Some("other".into()),
            ..asking()
        };
        assert_eq!(found(&index, &query), [0_u64; 0]);
    }

    #[test]
    fn a_call_that_is_not_filed_yet_fits_as_a_filed_one_does() {
        let index = index(20);
        for text in ["0007", "a7@BOX", "7", "nobody"] {
            let query = Query {
                text: Some(text.into()),
                tenant: Some("fabrikam".into()),
                ..asking()
            };
            let fits = (0..20).rev().filter(|number| query.fits(&call(*number)));
            assert_eq!(found(&index, &query), fits.collect::<Vec<_>>(), "{text}");
        }
    }

    #[test]
    fn pages_follow_each_other_while_calls_come_and_go() {
        let mut index = index(10);
        let mut query = Query {
            most: 4,
            ..Query::default()
        };
        assert_eq!(found(&index, &query), [9, 8, 7, 6]);
        query.after = index.search(&query).next;
        index.push(&call(10), Vec::new());
        index.pop();
        assert_eq!(found(&index, &query), [5, 4, 3, 2]);
        query.after = index.search(&query).next;
        assert_eq!(found(&index, &query), [1]);
        assert_eq!(index.search(&query).next, None);
        assert!(index.find(CallNumber(0)).is_none());
        assert_eq!(
            index.find(CallNumber(3)).map(|found| found.0),
            Some(call(3))
        );
    }
}
