//! One party is replaced by another: REFER (RFC 3515, 5589), INVITE with Replaces (RFC 3891).
//!
//! A REFER is acted on here, never passed on. REF-03: one from Teams becomes a new INVITE back to Teams with the Refer-To URI as it
//! came; REF-07: one from a trunk is routed like a call. The old leg stays until the new party has answered (REF-05), the kept
//! party hears ringing meanwhile, and the transferor is told by NOTIFY how it goes (REF-02).
//!
//! Attended: a Replaces in the Refer-To that names a dialog of this box joins the two calls here (the kept party of one with the
//! kept party of the other); no Replaces ever goes to Teams (INV-06).

use embassy_time::{Duration, Instant};
use sip::message::StatusCode;

use crate::api::{Ending, Event};
use crate::call::{Call, MAX_LEGS, Stage};
use crate::cause::Cause;
use crate::core::Now;
use crate::desk::{Desk, Errand};
use crate::leg::wire::Invitation;
use crate::leg::{Leg, LegEvent, LegNo, Parting, Referral};
use crate::media::negotiate::Description;
use crate::route::hunt::{Hunt, Next};
use crate::route::{Attempt, Caller, Presentation, choose};

/// How long a new party may ring before the transfer counts as failed.
const RINGING_LIMIT: Duration = Duration::from_secs(120);

/// How long the transferor has for its own BYE after the success (spec §1.9 step 7: Teams sends it).
const BYE_PATIENCE: Duration = Duration::from_secs(10);

/// A transfer under way, or one that has succeeded and waits for the transferor's BYE.
#[derive(Debug)]
pub(crate) struct Transfer {
    /// Who asked for it; ends when the new party has answered.
    transferor: LegNo,
    /// Who stays.
    kept: LegNo,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The new party is being called.
    Calling {
        attempt: Option<LegNo>,
        hunt: Box<Hunt>,
        back: Option<Box<Referral>>,
        early: bool,
        until: Instant,
    },
    /// The new party talks; the transferor's BYE is awaited.
    Done { until: Instant },
}

impl Transfer {
    /// Whether events of `leg` belong to the transfer and not to the conversation.
    pub(crate) fn concerns(&self, leg: LegNo) -> bool {
        match self.state {
            State::Calling { attempt, .. } => attempt == Some(leg) || leg == self.transferor,
            State::Done { .. } => leg == self.transferor,
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Calling { until, .. } | State::Done { until } => Some(until),
        }
    }
}

impl Call {
    /// A REFER of the party of `from`.
    pub(crate) fn transfer(
        &mut self,
        desk: &mut Desk,
        now: Now,
        from: LegNo,
        referral: Box<Referral>,
    ) {
        let Stage::Talking(talking) = &self.stage else {
            return;
        };
        let Some(kept) = talking.peer_of(from) else {
            return;
        };
        if talking.transfer.is_some() || talking.exchange.is_some() {
            return self
                .leg(from)
                .refuse_transfer(desk, now, StatusCode::REQUEST_PENDING);
        }
        if let Some(replaces) = referral.replaces()
            && let Some(dialog) = desk.find_replaced(replaces)
            && dialog.call != self.id
        {
            self.leg(from).accept_transfer(desk, now);
            desk.errand(Errand::Merge {
                call: self.id,
                kept,
                transferor: from,
                other: dialog,
            });
            return;
        }
        let Some((hunt, back)) = self.targets_of_referral(now, from, kept, referral) else {
            return self
                .leg(from)
                .refuse_transfer(desk, now, StatusCode::DECLINE);
        };
        self.leg(from).accept_transfer(desk, now);
        self.leg(from)
            .report_transfer(desk, now, StatusCode::TRYING);
        if let Stage::Talking(talking) = &mut self.stage {
            let until = now.instant + RINGING_LIMIT;
            let state = State::Calling {
                attempt: None,
                hunt: Box::new(hunt),
                back,
                early: false,
                until,
            };
            talking.transfer = Some(Transfer {
                transferor: from,
                kept,
                state,
            });
        }
        self.call_new_party(desk, now, None);
    }

    /// Where the new party is looked for: back at Teams with the URI as it came (REF-03), or wherever the routes send a call
    /// of the referring trunk's (REF-07). The remaining party is named as the caller.
    fn targets_of_referral(
        &mut self,
        now: Now,
        from: LegNo,
        kept: LegNo,
        referral: Box<Referral>,
    ) -> Option<(Hunt, Option<Box<Referral>>)> {
        let number = if self.legs.first().is_some_and(|leg| leg.no == kept) {
            self.record.caller.clone()
        } else {
            self.record.called.clone()
        };
        let caller = Caller {
            number,
            display: String::new(),
            presentation: Presentation::Shown,
        };
        let trunk = self.leg(from).wire.trunk_id();
        let dialled = referral
            .target
            .telephone()
            .or_else(|| referral.target.user())
            .unwrap_or_default()
            .to_owned();
        let attempt = Attempt::new(&self.snapshot, trunk, &dialled, caller);
        if self.snapshot.trunk(trunk).is_teams() {
            return Some((
                Hunt::on_trunk(&self.snapshot, &attempt, trunk),
                Some(referral),
            ));
        }
        let decision = choose(&self.snapshot, &attempt, now.wall).ok()?;
        Some((Hunt::new(decision), None))
    }

    fn transfer_state(&mut self) -> Option<&mut Transfer> {
        match &mut self.stage {
            Stage::Talking(talking) => talking.transfer.as_mut(),
            Stage::Setup(_) | Stage::Ending { .. } => None,
        }
    }

    fn call_new_party(&mut self, desk: &mut Desk, now: Now, failure: Option<Cause>) {
        let no = LegNo::of(self.legs.len());
        let full = self.legs.len() >= MAX_LEGS;
        let id = self.id;
        let Some(Transfer {
            kept,
            state:
                State::Calling {
                    attempt,
                    hunt,
                    back,
                    ..
                },
            ..
        }) = self.transfer_state()
        else {
            return;
        };
        let (kept, back) = (*kept, back.clone());
        *attempt = None;
        let next = hunt.next(failure.as_ref().map(Cause::for_hunting), &mut desk.tokens);
        let target = match next {
            Next::Try(target) if !full => target,
            Next::Try(_) | Next::GiveUp => {
                return self.transfer_failed(desk, now, &failure.unwrap_or(Cause::Unreachable));
            }
        };
        let offer = self.leg(kept).described().map(Description::wide_open);
        let mut invitation = Invitation::to_target(&self.snapshot, &target);
        if let Some(referral) = back {
            // REF-03: the Refer-To as it came; the number in it may be incomplete by design.
            invitation.uri = referral.target.clone();
            invitation.referred_by = referral.referred_by.clone();
        }
        match Leg::outgoing(
            desk,
            now,
            id,
            no,
            &self.snapshot,
            &invitation,
            offer.as_ref(),
        ) {
            Ok(leg) => {
                self.legs.push(leg);
                if let Some(Transfer {
                    state: State::Calling { attempt, .. },
                    ..
                }) = self.transfer_state()
                {
                    *attempt = Some(no);
                }
            }
            Err(cause) => self.call_new_party(desk, now, Some(cause)),
        }
    }

    /// REF-05: the old leg stays up, the parties go on as before.
    fn transfer_failed(&mut self, desk: &mut Desk, now: Now, cause: &Cause) {
        let Stage::Talking(talking) = &mut self.stage else {
            return;
        };
        let Some(Transfer {
            transferor, kept, ..
        }) = talking.transfer.take()
        else {
            return;
        };
        self.leg(kept).tone(desk, None);
        self.leg(transferor)
            .report_transfer(desk, now, cause.status_for_caller());
        if self.leg(transferor).is_gone() {
            // The transferor left at once (blind): nobody is there to talk to.
            let ending = cause.ending();
            return self.finish(desk, now, &Parting::because(cause), ending);
        }
        self.join(desk, kept, transferor);
    }

    pub(crate) fn told_in_transfer(
        &mut self,
        desk: &mut Desk,
        now: Now,
        from: LegNo,
        event: LegEvent,
    ) {
        let Some(Transfer {
            transferor,
            kept,
            state,
        }) = self.transfer_state()
        else {
            return;
        };
        let (transferor, kept) = (*transferor, *kept);
        if from == transferor {
            return match (event, state) {
                // Some transferors leave right after the 202; the new party may still come.
                (LegEvent::Parted { .. } | LegEvent::Lost, State::Done { .. }) => {
                    if let Stage::Talking(talking) = &mut self.stage {
                        talking.transfer = None;
                    }
                }
                (LegEvent::Offered { .. }, _) => self.leg(from).accept_offer_unchanged(desk, now),
                (LegEvent::Transfer(_), _) => {
                    self.leg(from)
                        .refuse_transfer(desk, now, StatusCode::REQUEST_PENDING)
                }
                _ => {}
            };
        }
        match event {
            LegEvent::Progress {
                status,
                description,
            } => {
                self.leg(transferor).report_transfer(desk, now, status);
                let has_media = description.is_some();
                if let Some(Transfer {
                    state: State::Calling { early, .. },
                    ..
                }) = self.transfer_state()
                {
                    *early |= has_media;
                }
                if has_media {
                    self.join(desk, kept, from);
                    // Ringing until media really comes (INV-17): `heard_in_transfer` stops it.
                }
                self.leg(kept).tone(desk, Some(media_api::Tone::Ringback));
            }
            LegEvent::Answered(_) => {
                self.leg(kept).tone(desk, None);
                self.new_party(desk, now, transferor, kept, from);
            }
            LegEvent::Failed(cause) => self.call_new_party(desk, now, Some(cause)),
            LegEvent::Parted { .. } | LegEvent::Lost => {
                self.call_new_party(desk, now, Some(Cause::NoAnswer))
            }
            LegEvent::Offered { .. } => self.leg(from).accept_offer_unchanged(desk, now),
            LegEvent::Transfer(_) => {
                self.leg(from)
                    .refuse_transfer(desk, now, StatusCode::REQUEST_PENDING)
            }
            LegEvent::Agreed(_)
            | LegEvent::OfferRefused(_)
            | LegEvent::GaveUp(_)
            | LegEvent::Correlated(_) => {}
        }
    }

    pub(crate) fn heard_in_transfer(&mut self, desk: &mut Desk, _now: Now, from: LegNo) {
        let Some(Transfer {
            kept,
            state:
                State::Calling {
                    attempt,
                    early: true,
                    ..
                },
            ..
        }) = self.transfer_state()
        else {
            return;
        };
        if *attempt == Some(from) {
            let kept = *kept;
            self.leg(kept).tone(desk, None);
        }
    }

    /// REF-05, REF-02: the new party talks to the kept one, the transferor is told and has its time to say BYE.
    fn new_party(&mut self, desk: &mut Desk, now: Now, transferor: LegNo, kept: LegNo, new: LegNo) {
        let id = self.id;
        self.leg(transferor)
            .report_transfer(desk, now, StatusCode::OK);
        let gone = self.leg(transferor).is_gone();
        if let Stage::Talking(talking) = &mut self.stage {
            talking.replace(transferor, new);
            let until = now.instant + BYE_PATIENCE;
            talking.transfer = (!gone).then_some(Transfer {
                transferor,
                kept,
                state: State::Done { until },
            });
        }
        self.join(desk, kept, new);
        desk.tell(Event::Transferred { call: id });
        self.align(desk, now, kept, new);
        self.journal(desk);
    }

    pub(crate) fn wake_in_talk(&mut self, desk: &mut Desk, now: Now) {
        let Some(transfer) = self.transfer_state() else {
            return;
        };
        let transferor = transfer.transferor;
        match &mut transfer.state {
            State::Calling { attempt, until, .. } if *until <= now.instant => {
                if let Some(attempt) = attempt.take() {
                    self.leg(attempt).part(desk, now, &Parting::default());
                }
                self.transfer_failed(desk, now, &Cause::NoAnswer);
            }
            State::Done { until } if *until <= now.instant => {
                if let Stage::Talking(talking) = &mut self.stage {
                    talking.transfer = None;
                }
                self.leg(transferor).part(desk, now, &Parting::default());
            }
            State::Calling { .. } | State::Done { .. } => {}
        }
    }

    /// RFC 3891, REF-06: a new leg of the same party takes the place of `old`. `new` has been received and not answered.
    pub(crate) fn replaced(&mut self, desk: &mut Desk, now: Now, new: Leg, old: LegNo) {
        let no = new.no;
        self.legs.push(new);
        let peer = match &self.stage {
            Stage::Talking(talking) => talking.peer_of(old),
            Stage::Setup(setup) if setup.is_attempt(old) => Some(setup.caller),
            Stage::Setup(_) | Stage::Ending { .. } => None,
        };
        let Some(peer) = peer else {
            return self.leg(no).part(
                desk,
                now,
                &Parting::status_only(StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST),
            );
        };
        if let Stage::Setup(_) = self.stage {
            return self.picked_up(desk, now, peer, old, no);
        }
        let spoken = self.leg(peer).described().cloned();
        let answered = spoken
            .as_ref()
            .map(|spoken| self.leg(no).answer(desk, now, spoken));
        let Some(Ok(())) = answered else {
            return self.leg(no).part(
                desk,
                now,
                &Parting::status_only(StatusCode::NOT_ACCEPTABLE_HERE),
            );
        };
        let id = self.id;
        if let Stage::Talking(talking) = &mut self.stage {
            talking.replace(old, no);
            talking.exchange = None;
            talking.transfer = None;
        }
        self.join(desk, peer, no);
        self.leg(old).part(desk, now, &Parting::default());
        desk.tell(Event::Transferred { call: id });
        self.align(desk, now, peer, no);
        self.journal(desk);
    }

    /// The second half of [`Errand::Merge`]: `joined` was the kept leg of another call and now talks to ours.
    pub(crate) fn merged(
        &mut self,
        desk: &mut Desk,
        now: Now,
        kept: LegNo,
        transferor: LegNo,
        joined: LegNo,
    ) {
        let id = self.id;
        if let Stage::Talking(talking) = &mut self.stage {
            talking.replace(transferor, joined);
        }
        self.leg(transferor)
            .report_transfer(desk, now, StatusCode::OK);
        if let Stage::Talking(talking) = &mut self.stage {
            let until = now.instant + BYE_PATIENCE;
            talking.transfer = Some(Transfer {
                transferor,
                kept,
                state: State::Done { until },
            });
        }
        self.join(desk, kept, joined);
        desk.tell(Event::Transferred { call: id });
        self.align(desk, now, kept, joined);
        self.journal(desk);
    }

    /// The kept leg of a call that is merged into another: what is left of this call ends.
    pub(crate) fn give_away(&mut self, desk: &mut Desk, now: Now, leg: LegNo) -> Option<Leg> {
        let Stage::Talking(talking) = &self.stage else {
            return None;
        };
        let kept = talking.peer_of(leg)?;
        let index = usize::from(kept.0);
        let id = self.id;
        // The numbers are given anew by the call that takes it in.
        let given = self.legs[index].move_to(desk, id, kept);
        self.finish(desk, now, &Parting::default(), Ending::CallerHungUp);
        Some(given)
    }
}
