//! The way from a goal to addresses (RFC 3263 §4.1, §4.2), one question after another.
//!
//! A [`Walk`] keeps the answers it has been given and starts over with each: that is a few look-ups in a short list, and
//! leaves no half-way state to get wrong. Its order of SRV records is drawn once per priority and level of answers.
//!
//! Not here: remembering answers for the next walk (`cache`).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::question::{Answer, Naptr, Question, Record, RecordKind, Srv};
use super::{Abilities, Goal, Hop, Security, Unresolved};
use crate::digits::push_address;
use crate::token::Tokens;
use crate::transport::Transport;

/// Records of one answer that are looked at.
const MAX_RECORDS: usize = 32;

/// Hops that one goal leads to.
const MAX_HOPS: usize = 32;

/// A walk under way.
#[derive(Debug)]
pub(super) struct Walk {
    goal: Goal,
    abilities: Abilities,
    known: Vec<(Question, Arc<Answer>)>,
}

/// How far a walk has come.
#[derive(Debug)]
pub(super) enum Step {
    /// These must be answered first.
    Ask(Vec<Question>),
    /// At the end.
    Done(Result<Vec<Hop>, Unresolved>),
}

/// What stops a walk: questions, or a dead end.
enum Stop {
    Ask(Vec<Question>),
    End(Unresolved),
}

impl Walk {
    pub(super) const fn new(goal: Goal, abilities: Abilities) -> Self {
        Self {
            goal,
            abilities,
            known: Vec::new(),
        }
    }

    pub(super) fn learn(&mut self, question: Question, answer: Arc<Answer>) {
        self.known.push((question, answer));
    }

    pub(super) fn step(&self, tokens: &mut Tokens) -> Step {
        match self.hops(tokens) {
            Ok(hops) => Step::Done(Ok(hops)),
            Err(Stop::Ask(questions)) => Step::Ask(questions),
            Err(Stop::End(end)) => Step::Done(Err(end)),
        }
    }

    fn hops(&self, tokens: &mut Tokens) -> Result<Vec<Hop>, Stop> {
        let goal = &self.goal;
        let speaks = |transport: &Transport| {
            self.abilities.transports.contains(transport)
                && (goal.security == Security::Any || *transport == Transport::Tls)
        };
        if goal.transport.is_some_and(|transport| !speaks(&transport)) {
            return Err(Stop::End(Unresolved::NothingInCommon));
        }
        // RFC 3263 §4.1: a number or a port leaves nothing to look up; UDP, or TLS for sips.
        let customary = match goal.security {
            Security::Tls => Transport::Tls,
            Security::Any => Transport::Udp,
        };
        let customary = goal
            .transport
            .or_else(|| Some(customary).filter(speaks))
            .or_else(|| self.abilities.transports.iter().copied().find(speaks))
            .ok_or(Stop::End(Unresolved::NothingInCommon))?;
        let Some(name) = goal.host.name() else {
            let port = goal.port.unwrap_or_else(|| customary.default_port());
            let address = goal
                .host
                .address()
                .ok_or(Stop::End(Unresolved::NoAddress))?;
            return self.end(vec![self.hop(customary, address, port)]);
        };
        if let Some(port) = goal.port {
            return self.end(self.at_addresses(customary, name, port)?);
        }
        let services: Vec<(Transport, String)> = match goal.transport {
            Some(transport) => vec![(transport, srv_name(transport, name))],
            None => {
                let named = self.by_naptr(name, &speaks)?;
                if named.is_empty() {
                    let ours = self.abilities.transports.iter().copied().filter(speaks);
                    ours.map(|transport| (transport, srv_name(transport, name)))
                        .collect()
                } else {
                    named
                }
            }
        };
        match self.at_services(&services, tokens)? {
            // No SRV at all: the name itself, at the customary port.
            None => self.end(self.at_addresses(customary, name, customary.default_port())?),
            Some(hops) => self.end(hops),
        }
    }

    fn end(&self, mut hops: Vec<Hop>) -> Result<Vec<Hop>, Stop> {
        hops.truncate(MAX_HOPS);
        if !hops.is_empty() {
            return Ok(hops);
        }
        let failed = self
            .known
            .iter()
            .any(|(_, answer)| **answer == Answer::Failed);
        Err(Stop::End(if failed {
            Unresolved::NoAnswer
        } else {
            Unresolved::NoAddress
        }))
    }

    fn hop(&self, transport: Transport, address: IpAddr, port: u16) -> Hop {
        let server_name = match self.goal.host.name() {
            Some(name) => name.strip_suffix('.').unwrap_or(name).into(),
            None => {
                let mut text = String::new();
                push_address(&mut text, address);
                text.into()
            }
        };
        Hop {
            transport,
            addr: SocketAddr::new(address, port),
            server_name,
        }
    }

    /// Services in the order of their NAPTR records, those that we speak.
    fn by_naptr(
        &self,
        name: &str,
        speaks: &dyn Fn(&Transport) -> bool,
    ) -> Result<Vec<(Transport, String)>, Stop> {
        let answer = self.answer(name, RecordKind::Naptr)?;
        let mut records: Vec<&Naptr> = answer
            .records()
            .iter()
            .filter_map(|record| match record {
                Record::Naptr(naptr) if naptr.flags.eq_ignore_ascii_case("s") => Some(naptr),
                _ => None,
            })
            .take(MAX_RECORDS)
            .collect();
        records.sort_by_key(|naptr| (naptr.order, naptr.preference));
        let service = |naptr: &Naptr| {
            let transport = match naptr.service.to_ascii_uppercase().as_str() {
                "SIP+D2U" => Transport::Udp,
                "SIP+D2T" => Transport::Tcp,
                "SIPS+D2T" => Transport::Tls,
                _ => return None,
            };
            speaks(&transport).then(|| (transport, naptr.replacement.clone()))
        };
        Ok(records.into_iter().filter_map(service).collect())
    }

    /// The addresses of all services in turn; `None` if none of them has SRV records.
    fn at_services(
        &self,
        services: &[(Transport, String)],
        tokens: &mut Tokens,
    ) -> Result<Option<Vec<Hop>>, Stop> {
        let answers = self.all(services, |(_, name)| self.answer(name, RecordKind::Srv))?;
        if answers.iter().all(|answer| answer.records().is_empty()) {
            return Ok(None);
        }
        let mut ordered = Vec::new();
        for ((transport, _), answer) in services.iter().zip(&answers) {
            let records = answer.records().iter().filter_map(|record| match record {
                Record::Srv(srv) => Some(srv),
                _ => None,
            });
            let offered = records.filter(|srv| !matches!(srv.target.as_str(), "." | ""));
            let mut records: Vec<&Srv> = offered.take(MAX_RECORDS).collect();
            // The questions first: the order is drawn when all is known.
            records.sort_by_key(|srv| srv.priority);
            ordered.push((*transport, records));
        }
        let flat: Vec<(Transport, &Srv)> = ordered
            .iter()
            .flat_map(|(transport, records)| records.iter().map(|srv| (*transport, *srv)))
            .collect();
        self.all(&flat, |(transport, srv)| {
            self.at_addresses(*transport, &srv.target, srv.port)
        })?;
        let mut hops = Vec::new();
        for (transport, records) in ordered {
            for srv in draw(records, tokens) {
                hops.extend(self.at_addresses(transport, &srv.target, srv.port)?);
            }
        }
        Ok(Some(hops))
    }

    fn at_addresses(&self, transport: Transport, name: &str, port: u16) -> Result<Vec<Hop>, Stop> {
        if let Ok(address) = name.parse() {
            return Ok(vec![self.hop(transport, address, port)]);
        }
        let kinds = self.abilities.families.kinds();
        let answers = self.all(kinds, |kind| self.answer(name, *kind))?;
        let records = answers.iter().flat_map(|answer| answer.records());
        let addresses = records.filter_map(|record| match record {
            Record::Address(address) => Some(*address),
            _ => None,
        });
        Ok(addresses
            .take(MAX_RECORDS)
            .map(|address| self.hop(transport, address, port))
            .collect())
    }

    fn answer(&self, name: &str, kind: RecordKind) -> Result<&Answer, Stop> {
        let question = Question::new(name, kind);
        match self.known.iter().find(|(known, _)| *known == question) {
            Some((_, answer)) => Ok(answer),
            None => Err(Stop::Ask(vec![question])),
        }
    }

    /// What each of `items` leads to, or all questions that any of them has: they are asked together.
    fn all<'a, T, U>(
        &self,
        items: &'a [T],
        lead: impl Fn(&'a T) -> Result<U, Stop>,
    ) -> Result<Vec<U>, Stop> {
        let mut found = Vec::with_capacity(items.len());
        let mut missing: Vec<Question> = Vec::new();
        for item in items {
            match lead(item) {
                Ok(one) => found.push(one),
                Err(Stop::Ask(questions)) => {
                    for question in questions {
                        if !missing.contains(&question) {
                            missing.push(question);
                        }
                    }
                }
                Err(end) => return Err(end),
            }
        }
        if missing.is_empty() {
            Ok(found)
        } else {
            Err(Stop::Ask(missing))
        }
    }
}

fn srv_name(transport: Transport, name: &str) -> String {
    match transport {
        Transport::Udp => format!("_sip._udp.{name}"),
        Transport::Tcp => format!("_sip._tcp.{name}"),
        Transport::Tls => format!("_sips._tcp.{name}"),
    }
}

/// RFC 2782: by priority, and among equals drawn by weight, those of weight 0 with a very small chance.
fn draw<'a>(mut records: Vec<&'a Srv>, tokens: &mut Tokens) -> Vec<&'a Srv> {
    let mut drawn = Vec::with_capacity(records.len());
    while let Some(first) = records.first() {
        let equals = records
            .iter()
            .take_while(|srv| srv.priority == first.priority)
            .count();
        let mut group: Vec<&Srv> = records.drain(..equals).collect();
        group.sort_by_key(|srv| srv.weight != 0);
        while !group.is_empty() {
            let sum: u64 = group.iter().map(|srv| u64::from(srv.weight)).sum();
            let lot = tokens.number() % (sum + 1);
            let mut running = 0;
            let chosen = group
                .iter()
                .position(|srv| {
                    running += u64::from(srv.weight);
                    running >= lot
                })
                .unwrap_or(0);
            drawn.push(group.remove(chosen));
        }
    }
    drawn
}
