//! All goals that are being looked up: one question is asked once, whoever waits for it.
//!
//! With a warm cache a look-up answers at once; an answer that is about to run out is asked again in the background, so that a
//! call on a busy trunk never waits for the DNS. Every question must be answered in the end, by `Answer::Failed` if need be.
//!
//! Not here: time-outs of the DNS, which belong to whoever asks it.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use embassy_time::Instant;

use super::cache::{Cache, Known};
use super::question::{Answer, Question};
use super::walk::{Step, Walk};
use super::{Abilities, Goal, Hop, Unresolved};
use crate::token::Tokens;

/// Look-ups under way.
const MAX_PENDING: usize = 10_000;

/// A look-up under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(u64);

/// How a look-up begins.
#[derive(Debug)]
pub enum Lookup {
    /// Known. Ask the questions all the same, if there are any: they refresh what is about to run out.
    Ready {
        /// What to try, in order.
        hops: Result<Vec<Hop>, Unresolved>,
        /// To be asked of the DNS.
        questions: Vec<Question>,
    },
    /// To be had later under this ticket. No questions: somebody else has asked them already.
    Pending {
        /// Names it in [`Settled`].
        ticket: Ticket,
        /// To be asked of the DNS.
        questions: Vec<Question>,
    },
}

/// What an answer has brought.
#[derive(Debug, Default)]
pub struct Settled {
    /// Look-ups that are at their end.
    pub ready: Vec<(Ticket, Result<Vec<Hop>, Unresolved>)>,
    /// To be asked of the DNS next.
    pub questions: Vec<Question>,
}

/// All look-ups.
#[derive(Debug)]
pub struct Resolver {
    cache: Cache,
    tokens: Tokens,
    pending: BTreeMap<Ticket, Walk>,
    asked: HashMap<Question, Vec<Ticket>>,
    next: u64,
}

impl Resolver {
    /// Knows nothing; draws SRV orders from `seed`.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        Self {
            cache: Cache::new(),
            tokens: Tokens::new(seed),
            pending: BTreeMap::new(),
            asked: HashMap::new(),
            next: 0,
        }
    }

    /// The configuration's host table, in place of the one before.
    pub fn pin<'a>(&mut self, hosts: impl IntoIterator<Item = (&'a str, Vec<IpAddr>)>) {
        self.cache.pin(hosts);
    }

    /// Look-ups that wait.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// What answers are kept.
    #[must_use]
    pub const fn cache(&self) -> &Cache {
        &self.cache
    }

    /// Begin a look-up.
    pub fn lookup(&mut self, now: Instant, goal: &Goal, abilities: &Abilities) -> Lookup {
        let mut walk = Walk::new(goal.clone(), abilities.clone());
        let mut ageing = Vec::new();
        let missing = match self.advance(now, &mut walk, &mut ageing) {
            Err(missing) => missing,
            Ok(hops) => {
                ageing.retain(|question| !self.asked.contains_key(question));
                for question in &ageing {
                    self.asked.insert(question.clone(), Vec::new());
                }
                return Lookup::Ready {
                    hops,
                    questions: ageing,
                };
            }
        };
        if self.pending.len() >= MAX_PENDING {
            return Lookup::Ready {
                hops: Err(Unresolved::Busy),
                questions: Vec::new(),
            };
        }
        self.next += 1;
        let ticket = Ticket(self.next);
        self.pending.insert(ticket, walk);
        let questions = self.wait(ticket, missing);
        Lookup::Pending { ticket, questions }
    }

    /// Nobody waits for this look-up any more.
    pub fn forget(&mut self, ticket: Ticket) {
        self.pending.remove(&ticket);
    }

    /// The DNS has answered.
    pub fn answered(&mut self, now: Instant, question: &Question, answer: Answer) -> Settled {
        self.cache.insert(now, question, answer);
        let mut settled = Settled::default();
        for ticket in self.asked.remove(question).unwrap_or_default() {
            let Some(mut walk) = self.pending.remove(&ticket) else {
                continue;
            };
            match self.advance(now, &mut walk, &mut Vec::new()) {
                Ok(hops) => settled.ready.push((ticket, hops)),
                Err(missing) => {
                    self.pending.insert(ticket, walk);
                    settled.questions.extend(self.wait(ticket, missing));
                }
            }
        }
        settled
    }

    /// As far as the cache leads; what is then missing, if anything.
    fn advance(
        &mut self,
        now: Instant,
        walk: &mut Walk,
        ageing: &mut Vec<Question>,
    ) -> Result<Result<Vec<Hop>, Unresolved>, Vec<Question>> {
        loop {
            let questions = match walk.step(&mut self.tokens) {
                Step::Done(hops) => return Ok(hops),
                Step::Ask(questions) => questions,
            };
            let mut missing = Vec::new();
            for question in questions {
                match self.cache.look(now, &question) {
                    Known::Fresh(answer) => walk.learn(question, answer),
                    Known::Ageing(answer) => {
                        ageing.push(question.clone());
                        walk.learn(question, answer);
                    }
                    Known::Nothing => missing.push(question),
                }
            }
            if !missing.is_empty() {
                return Err(missing);
            }
        }
    }

    /// Enter a ticket for what is missing; what nobody has asked yet.
    fn wait(&mut self, ticket: Ticket, missing: Vec<Question>) -> Vec<Question> {
        let mut fresh = Vec::new();
        for question in missing {
            let waiting = self.asked.entry(question.clone()).or_insert_with(|| {
                fresh.push(question);
                Vec::new()
            });
            if !waiting.contains(&ticket) {
                waiting.push(ticket);
            }
        }
        fresh
    }
}
