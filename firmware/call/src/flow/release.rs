//! The end of a call whose parties were talking: BYE from either side, or one of them lost.
//!
//! The first goodbye ends both legs; one that crosses it is answered by its leg and changes nothing (BYE race).

use crate::api::Ending;
use crate::call::{Call, Stage};
use crate::core::Now;
use crate::desk::Desk;
use crate::leg::{LegEvent, LegNo, Parting};

impl Call {
    pub(crate) fn told_in_talk(&mut self, desk: &mut Desk, now: Now, from: LegNo, event: LegEvent) {
        let Stage::Talking(talking) = &mut self.stage else {
            return;
        };
        if talking
            .transfer
            .as_ref()
            .is_some_and(|transfer| transfer.concerns(from))
        {
            return self.told_in_transfer(desk, now, from, event);
        }
        if talking.peer_of(from).is_none() {
            // A leg that was replaced, or a target that was given up, takes its time to end.
            return self.told_at_the_side(desk, now, from, event);
        }
        match event {
            LegEvent::Parted { reason } => {
                let ending = if talking.pair[0] == from {
                    Ending::CallerHungUp
                } else {
                    Ending::CalleeHungUp
                };
                self.finish(desk, now, &Parting::hung_up(reason), ending);
            }
            LegEvent::Lost => self.finish(desk, now, &Parting::default(), Ending::Lost),
            LegEvent::Offered { description } => self.carry_offer(desk, now, from, description),
            LegEvent::Agreed(description) => self.carry_answer(desk, now, from, description),
            LegEvent::OfferRefused(status) => self.carry_refusal(desk, now, from, status),
            LegEvent::Transfer(transfer) => self.transfer(desk, now, from, transfer),
            // A further fork's answer has been acknowledged and ended by the leg itself.
            LegEvent::Answered(_) | LegEvent::Progress { .. } | LegEvent::Failed(_) => {}
            LegEvent::GaveUp(_) | LegEvent::Correlated(_) => {}
        }
    }

    /// An event of a leg that is no longer one of the pair.
    pub(crate) fn told_at_the_side(
        &mut self,
        desk: &mut Desk,
        now: Now,
        from: LegNo,
        event: LegEvent,
    ) {
        match event {
            LegEvent::Answered(_) => self.leg(from).part(desk, now, &Parting::default()),
            LegEvent::Offered { .. } => self.leg(from).accept_offer_unchanged(desk, now),
            LegEvent::Transfer(_) => {
                self.leg(from).refuse_transfer(
                    desk,
                    now,
                    sip::message::StatusCode::TEMPORARILY_UNAVAILABLE,
                );
            }
            _ => {}
        }
    }
}
