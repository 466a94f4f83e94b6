//! Reliable provisional responses (RFC 3262): both sides.
//!
//! The sender repeats one at a time until its PRACK; the receiver acknowledges each once and in order. Each leg of a call does so
//! for itself; towards Teams there are none (INV-07).

use std::collections::VecDeque;

use embassy_time::{Duration, Instant};

use crate::message::{Method, Name, RAck, Request, RequestBuilder, Response, ResponseBuilder};
use crate::token::{RngCore, Tokens};

use super::Dialog;

const T1: Duration = Duration::from_millis(500);

/// More than this many provisionals behind an unacknowledged one are not told.
const MAX_WAITING: usize = 8;

/// What is due.
#[derive(Debug)]
pub enum ReliableWake {
    /// Nothing.
    Nothing,
    /// Send it again.
    Resend(Response),
    /// No PRACK in 64*T1: refuse the INVITE with a 5xx (RFC 3262 §3).
    GaveUp,
}

/// The side that sends reliable provisionals.
#[derive(Debug, Default)]
pub struct ReliableSender {
    /// The next RSeq; begins at random (RFC 3262 §3).
    next: Option<u32>,
    outstanding: Option<Outstanding>,
    waiting: VecDeque<Response>,
}

#[derive(Debug)]
struct Outstanding {
    response: Response,
    rack: RAck,
    resend_at: Instant,
    interval: Duration,
    give_up_at: Instant,
}

impl ReliableSender {
    /// Nothing sent yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Make a provisional reliable. It is given back if it may go out now; otherwise it waits for the PRACK of the one before.
    pub fn send(
        &mut self,
        now: Instant,
        response: ResponseBuilder,
        tokens: &mut Tokens,
    ) -> Option<Response> {
        let rseq = self.next.unwrap_or_else(|| tokens.next_u32() >> 1 | 1);
        self.next = Some(rseq.wrapping_add(1));
        let response = response
            .header(Name::Require, "100rel")
            .header(Name::RSeq, rseq)
            .finish();
        if self.outstanding.is_some() {
            if self.waiting.len() < MAX_WAITING {
                self.waiting.push_back(response);
            }
            return None;
        }
        self.put(now, response.clone());
        Some(response)
    }

    fn put(&mut self, now: Instant, response: Response) {
        let Some(rack) = rack_of(&response) else {
            return;
        };
        let outstanding = Outstanding {
            response,
            rack,
            resend_at: now + T1,
            interval: T1,
            give_up_at: now + T1 * 64,
        };
        self.outstanding = Some(outstanding);
    }

    /// A PRACK was received. Whether it acknowledges what is outstanding (200) or nothing (481).
    pub fn acknowledged(&mut self, prack: &Request) -> Acknowledged {
        let Ok(Some(rack)) = prack.headers().rack() else {
            return Acknowledged::Nothing;
        };
        match &self.outstanding {
            Some(outstanding) if outstanding.rack == rack => {
                self.outstanding = None;
                Acknowledged::Outstanding
            }
            _ => Acknowledged::Nothing,
        }
    }

    /// The next that waits, after an acknowledgement.
    pub fn next(&mut self, now: Instant) -> Option<Response> {
        if self.outstanding.is_some() {
            return None;
        }
        let response = self.waiting.pop_front()?;
        self.put(now, response.clone());
        Some(response)
    }

    /// When [`ReliableSender::wake`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.outstanding
            .as_ref()
            .map(|outstanding| outstanding.resend_at.min(outstanding.give_up_at))
    }

    /// What is due.
    pub fn wake(&mut self, now: Instant) -> ReliableWake {
        let Some(outstanding) = &mut self.outstanding else {
            return ReliableWake::Nothing;
        };
        if outstanding.give_up_at <= now {
            self.outstanding = None;
            return ReliableWake::GaveUp;
        }
        if outstanding.resend_at > now {
            return ReliableWake::Nothing;
        }
        outstanding.interval *= 2;
        outstanding.resend_at = now + outstanding.interval;
        ReliableWake::Resend(outstanding.response.clone())
    }
}

/// What a PRACK acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acknowledged {
    /// The response that was outstanding.
    Outstanding,
    /// Nothing that is known.
    Nothing,
}

/// The side that receives reliable provisionals of one early dialog.
#[derive(Debug, Clone, Default)]
pub struct ReliableReceiver {
    last: Option<u32>,
}

impl ReliableReceiver {
    /// Nothing received yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The PRACK for a reliable provisional; `None` for one that is repeated or out of order (RFC 3262 §4).
    pub fn prack(&mut self, dialog: &mut Dialog, response: &Response) -> Option<RequestBuilder> {
        if !response.headers().require().contains("100rel") {
            return None;
        }
        let rack = rack_of(response)?;
        if self
            .last
            .is_some_and(|last| rack.rseq != last.wrapping_add(1))
        {
            return None;
        }
        self.last = Some(rack.rseq);
        Some(dialog.request(Method::Prack).header(Name::RAck, rack))
    }
}

/// What a PRACK of this response says (RFC 3262 §7.2).
fn rack_of(response: &Response) -> Option<RAck> {
    let headers = response.headers();
    let rseq = headers.rseq().ok().flatten()?;
    let cseq = headers.cseq().ok()?;
    Some(RAck {
        rseq,
        cseq: cseq.number,
        method: cseq.method,
    })
}
