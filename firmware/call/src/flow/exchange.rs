//! An offer of one party in mid-call, carried to the other: hold, resume, a change of codecs (RFC 3264, RFC 6337).
//!
//! One offer is under way in a call at a time; a second one is answered 491 and comes again (RFC 3261 §14.1). Offers that change
//! nothing for the other side (a session refresh, a new address or key) never get here: the leg answers them itself (INV-19).

use sip::message::StatusCode;

use crate::call::{Call, Stage};
use crate::core::Now;
use crate::desk::Desk;
use crate::leg::LegNo;
use crate::media::negotiate::Description;

/// An offer under way from one leg to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exchange {
    /// The leg whose party offered and waits for our answer; `None` where we offer by ourselves.
    asker: Option<LegNo>,
    /// The leg whose party has been asked.
    asked: LegNo,
}

impl Exchange {
    /// An offer of our own to `asked`, which nobody waits for.
    pub(crate) const fn of_our_own(asked: LegNo) -> Self {
        Self { asker: None, asked }
    }
}

impl Call {
    /// The party of `from` wants to change the session.
    pub(crate) fn carry_offer(
        &mut self,
        desk: &mut Desk,
        now: Now,
        from: LegNo,
        offered: Description,
    ) {
        let Stage::Talking(talking) = &self.stage else {
            return;
        };
        let Some(peer) = talking.peer_of(from) else {
            return;
        };
        if talking.exchange.is_some() {
            return self
                .leg(from)
                .refuse_offer(desk, now, StatusCode::REQUEST_PENDING);
        }
        if !self.leg(peer).would_change(&offered) {
            // The other side cannot tell the difference: answer for it.
            let current = self.leg(peer).spoken();
            return self.settle(desk, now, from, peer, current);
        }
        if !self.leg(peer).may_offer() {
            return self
                .leg(from)
                .refuse_offer(desk, now, StatusCode::REQUEST_PENDING);
        }
        match self.leg(peer).offer(desk, now, &offered) {
            Ok(()) => {
                if let Stage::Talking(talking) = &mut self.stage {
                    talking.exchange = Some(Exchange {
                        asker: Some(from),
                        asked: peer,
                    });
                }
            }
            Err(_) => self
                .leg(from)
                .refuse_offer(desk, now, StatusCode::NOT_ACCEPTABLE_HERE),
        }
    }

    /// The party of `from` answered an offer, or gave the answer of a delayed offer in its ACK.
    pub(crate) fn carry_answer(
        &mut self,
        desk: &mut Desk,
        now: Now,
        from: LegNo,
        answered: Description,
    ) {
        let Stage::Talking(talking) = &mut self.stage else {
            return;
        };
        let Some(peer) = talking.peer_of(from) else {
            return;
        };
        match talking.exchange {
            Some(Exchange {
                asker: Some(asker),
                asked,
            }) if asked == from => {
                talking.exchange = None;
                self.settle(desk, now, asker, from, Some(answered));
            }
            Some(exchange) if exchange.asked == from => {
                talking.exchange = None;
                self.join(desk, peer, from);
                self.journal(desk);
            }
            Some(_) | None => {
                self.join(desk, peer, from);
                self.align(desk, now, peer, from);
                self.journal(desk);
            }
        }
    }

    /// The party of `from` refused an offer; the session stays as it was (RFC 3261 §14.1).
    pub(crate) fn carry_refusal(
        &mut self,
        desk: &mut Desk,
        now: Now,
        from: LegNo,
        status: StatusCode,
    ) {
        let Stage::Talking(talking) = &mut self.stage else {
            return;
        };
        let Some(Exchange { asker, asked }) = talking.exchange else {
            return;
        };
        if asked != from {
            return;
        }
        talking.exchange = None;
        if let Some(asker) = asker {
            let told = match status.code() {
                491 => StatusCode::REQUEST_PENDING,
                _ => StatusCode::NOT_ACCEPTABLE_HERE,
            };
            self.leg(asker).refuse_offer(desk, now, told);
        }
    }

    /// Answer `asker` with what `asked` says, and let the pipeline know.
    fn settle(
        &mut self,
        desk: &mut Desk,
        now: Now,
        asker: LegNo,
        asked: LegNo,
        answer: Option<Description>,
    ) {
        let answered = match &answer {
            Some(answer) => self.leg(asker).answer_offer(desk, now, answer),
            None => Err(crate::cause::Cause::UnusableAnswer),
        };
        if answered.is_err() {
            self.leg(asker)
                .refuse_offer(desk, now, StatusCode::NOT_ACCEPTABLE_HERE);
        }
        self.join(desk, asker, asked);
        self.journal(desk);
    }

    /// After two legs have been joined that were negotiated apart: offer `leg` what the party of `model` speaks, if
    /// it does not speak it yet. Nothing is transcoded, so both must end with the same codec.
    pub(crate) fn align(&mut self, desk: &mut Desk, now: Now, leg: LegNo, model: LegNo) {
        let Some(spoken) = self.leg(model).spoken() else {
            return;
        };
        if !self.leg(leg).would_change(&spoken) || !self.leg(leg).may_offer() {
            return;
        }
        if self.leg(leg).offer(desk, now, &spoken).is_ok()
            && let Stage::Talking(talking) = &mut self.stage
        {
            talking.exchange = Some(Exchange::of_our_own(leg));
        }
    }
}
