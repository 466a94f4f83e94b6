//! What the DNS has said, for as long as it holds; and what the configuration says, which holds always.
//!
//! Bounded. An answer that has run out is kept for a while: when the name servers then fail, it still serves (RFC 8767), because a
//! box that cannot ask must not stop calls that went well a minute ago.
//!
//! Not here: asking.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use embassy_time::{Duration, Instant};

use super::question::{Answer, Question, RecordKind, normal};

/// Answers kept; beyond, the one that runs out first goes.
const MAX_ANSWERS: usize = 8_192;

/// A TTL of 0 would be asked anew for every call.
const LEAST: Duration = Duration::from_secs(1);

/// RFC 8767 §4.
const LONGEST: Duration = Duration::from_secs(86_400);

/// RFC 2308 §5 allows three hours; a trunk whose name has just been made should not wait so long.
const LONGEST_NONE: Duration = Duration::from_secs(60);

/// RFC 8767 §5: a failure is not asked again for so long.
const FAILURE: Duration = Duration::from_secs(5);

/// RFC 8767 §5: how long an old answer serves when a failure has revived it.
const REVIVED: Duration = Duration::from_secs(30);

/// RFC 8767 §5: how old an answer may be and still be revived.
const STALE: Duration = Duration::from_secs(86_400);

#[derive(Debug)]
struct Entry {
    answer: Arc<Answer>,
    asked_again_at: Instant,
    fresh_until: Instant,
    gone_at: Instant,
}

/// What the cache knows of a question.
#[derive(Debug, Clone)]
pub(super) enum Known {
    /// An answer that holds.
    Fresh(Arc<Answer>),
    /// An answer that holds, and so nearly runs out that it should be asked again before a call has to wait.
    Ageing(Arc<Answer>),
    /// Nothing.
    Nothing,
}

/// Answers by question.
#[derive(Debug, Default)]
pub struct Cache {
    pinned: HashMap<Arc<str>, Vec<IpAddr>>,
    entries: HashMap<Question, Entry>,
    order: BTreeSet<(Instant, Question)>,
}

impl Cache {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// These names have these addresses, whatever the DNS says: the configuration's host table, in place of the one before.
    pub fn pin<'a>(&mut self, hosts: impl IntoIterator<Item = (&'a str, Vec<IpAddr>)>) {
        self.pinned = hosts
            .into_iter()
            .map(|(name, addresses)| (normal(name), addresses))
            .collect();
    }

    /// Take an answer.
    pub fn insert(&mut self, now: Instant, question: &Question, answer: Answer) {
        let (answer, life) = match answer {
            Answer::Records { ttl, .. } => (Arc::new(answer), ttl.clamp(LEAST, LONGEST)),
            Answer::None { ttl } => (Arc::new(answer), ttl.clamp(LEAST, LONGEST_NONE)),
            Answer::Failed => match self.entries.get(question) {
                Some(old) if old.gone_at > now && *old.answer != Answer::Failed => {
                    (Arc::clone(&old.answer), REVIVED)
                }
                _ => (Arc::new(Answer::Failed), FAILURE),
            },
        };
        let kept = match *answer {
            Answer::Records { .. } if life == REVIVED => {
                self.entries.get(question).map(|old| old.gone_at)
            }
            Answer::Records { .. } => Some(now + life + STALE),
            Answer::None { .. } | Answer::Failed => None,
        };
        let fresh_until = now + life;
        self.remove(question);
        self.make_room();
        let entry = Entry {
            answer,
            asked_again_at: now + life * 9 / 10,
            fresh_until,
            gone_at: kept.unwrap_or(fresh_until).max(fresh_until),
        };
        self.order.insert((entry.gone_at, question.clone()));
        self.entries.insert(question.clone(), entry);
    }

    fn make_room(&mut self) {
        while self.entries.len() >= MAX_ANSWERS {
            let Some((_, question)) = self.order.pop_first() else {
                return;
            };
            self.entries.remove(&question);
        }
    }

    fn remove(&mut self, question: &Question) {
        if let Some(entry) = self.entries.remove(question) {
            self.order.remove(&(entry.gone_at, question.clone()));
        }
    }

    /// Answers kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Forget everything that the DNS has said.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.order.clear();
    }

    pub(super) fn look(&self, now: Instant, question: &Question) -> Known {
        if let Some(addresses) = self.pinned.get(question.name()) {
            return Known::Fresh(Arc::new(pinned(addresses, question.kind())));
        }
        match self.entries.get(question) {
            Some(entry) if entry.asked_again_at > now => Known::Fresh(Arc::clone(&entry.answer)),
            Some(entry) if entry.fresh_until > now => Known::Ageing(Arc::clone(&entry.answer)),
            _ => Known::Nothing,
        }
    }
}

fn pinned(addresses: &[IpAddr], kind: RecordKind) -> Answer {
    let of_kind = addresses.iter().copied().filter(|address| match kind {
        RecordKind::A => address.is_ipv4(),
        RecordKind::Aaaa => address.is_ipv6(),
        RecordKind::Naptr | RecordKind::Srv => false,
    });
    Answer::addresses(of_kind, LONGEST)
}
