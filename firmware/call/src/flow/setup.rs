//! From the INVITE to the answer: hunting, ringing, early media, forks, and giving up.
//!
//! The caller sees one early dialog, however many forks and targets there are behind it. What it is told never goes
//! back: 100, then 180 or 183 with SDP, then a final answer. INV-17: a 183 with SDP of the callee's side is passed on as such only once
//! its media really arrives; until then it is a 180, and the caller's own side makes the ringing tone.
//! INV-11: if nothing is heard from the callee's side in time, a 180 is made up, so that Teams does not fail over.

use embassy_time::{Duration, Instant};
use sip::message::StatusCode;

use crate::api::{Ending, Event};
use crate::call::{Call, MAX_LEGS, Stage, Talking};
use crate::cause::Cause;
use crate::core::Now;
use crate::desk::Desk;
use crate::leg::wire::Invitation;
use crate::leg::{Leg, LegEvent, LegNo, Parting};
use crate::media::negotiate::Description;
use crate::route::hunt::{Hunt, Next};

/// What the caller has been told so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    Trying,
    Ringing,
    EarlyMedia,
}

/// A call that nobody has answered yet.
#[derive(Debug)]
pub(crate) struct Setup {
    /// The leg of the caller.
    pub(crate) caller: LegNo,
    /// The target being tried.
    attempt: Option<LegNo>,
    /// The targets left, and what may follow which failure.
    hunt: Hunt,
    told: Told,
    /// An early answer whose media has not arrived yet.
    early: Option<Description>,
    /// Whether media of the target being tried has arrived.
    heard: bool,
    /// When a 180 is made up (INV-11).
    ring_by: Option<Instant>,
    /// When the target being tried has rung long enough.
    give_up: Option<Instant>,
}

impl Setup {
    pub(crate) fn new(caller: LegNo, hunt: Hunt, ring_by: Option<Instant>) -> Self {
        Self {
            caller,
            attempt: None,
            hunt,
            told: Told::Trying,
            early: None,
            heard: false,
            ring_by,
            give_up: None,
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        [self.ring_by, self.give_up].into_iter().flatten().min()
    }

    /// Whether this leg is the target being tried.
    pub(crate) fn is_attempt(&self, leg: LegNo) -> bool {
        self.attempt == Some(leg)
    }

    pub(crate) const fn is_ringing(&self) -> bool {
        !matches!(self.told, Told::Trying)
    }
}

impl Call {
    fn setup(&mut self) -> Option<&mut Setup> {
        match &mut self.stage {
            Stage::Setup(setup) => Some(setup),
            Stage::Talking(_) | Stage::Ending { .. } => None,
        }
    }

    /// Try the first target. `offer` is what the caller offers, or `None` if it leaves the offer to us.
    pub(crate) fn begin(&mut self, desk: &mut Desk, now: Now) {
        self.try_next(desk, now, None);
    }

    /// Try the next target that `failure` of the last one allows; give the caller its answer if there is none.
    fn try_next(&mut self, desk: &mut Desk, now: Now, failure: Option<Cause>) {
        let no = LegNo::of(self.legs.len());
        let full = self.legs.len() >= MAX_LEGS;
        let id = self.id;
        let Some(setup) = self.setup() else { return };
        let caller = setup.caller;
        let next = setup
            .hunt
            .next(failure.as_ref().map(Cause::for_hunting), &mut desk.tokens);
        let target = match next {
            Next::Try(target) if !full => target,
            Next::Try(_) | Next::GiveUp => {
                let cause = failure.unwrap_or(Cause::Unreachable);
                let parting = Parting::because(&cause);
                return self.finish(desk, now, &parting, cause.ending());
            }
        };
        setup.early = None;
        setup.heard = false;
        // RFC 3261 §16.6 timer C has the same purpose.
        let rings_for = self.snapshot.trunk(target.trunk()).no_answer.as_secs();
        if let Some(setup) = self.setup() {
            setup.give_up = Some(now.instant + Duration::from_secs(rings_for.clamp(1, 3_600)));
        }
        let offer = self.leg(caller).described().cloned();
        desk.tell(Event::Trying {
            call: id,
            trunk: target.trunk_name().to_owned(),
            called: target.called().to_owned(),
        });
        self.record.to_trunk = Some(target.trunk_name().to_owned());
        if let Some(ticket) = &mut self.ticket
            && desk
                .limits
                .enter(&self.snapshot, ticket, target.trunk(), now.instant)
                .is_err()
        {
            let full = Cause::status(StatusCode::SERVICE_UNAVAILABLE);
            return self.try_next(desk, now, Some(full));
        }
        let invitation = Invitation::to_target(&self.snapshot, &target);
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
                if let Some(setup) = self.setup() {
                    setup.attempt = Some(no);
                }
            }
            // No codec in common, or no port: no other target of this trunk would do better, another trunk may.
            Err(cause) => self.try_next(desk, now, Some(cause)),
        }
    }

    pub(crate) fn told_in_setup(
        &mut self,
        desk: &mut Desk,
        now: Now,
        from: LegNo,
        event: LegEvent,
    ) {
        let Some(setup) = self.setup() else { return };
        let caller = setup.caller;
        if from == caller {
            return self.caller_said(desk, now, event);
        }
        if setup.attempt != Some(from) {
            // A target that was given up: its answer crossed our CANCEL.
            if let LegEvent::Answered(_) = event {
                self.leg(from)
                    .part(desk, now, &Parting::completed_elsewhere());
            }
            return;
        }
        match event {
            LegEvent::Progress {
                status,
                description,
            } => self.progress(desk, now, from, status, description),
            LegEvent::Answered(description) => self.answered(desk, now, from, &description),
            LegEvent::Failed(cause) => self.try_next(desk, now, Some(cause)),
            // UPDATE in an early dialog (RFC 3311): the caller has no answer yet that could change.
            LegEvent::Offered { .. } => self.leg(from).accept_offer_unchanged(desk, now),
            LegEvent::Parted { .. } | LegEvent::Lost => {
                self.try_next(desk, now, Some(Cause::NoAnswer))
            }
            LegEvent::Transfer(_) => {
                self.leg(from)
                    .refuse_transfer(desk, now, StatusCode::TEMPORARILY_UNAVAILABLE)
            }
            LegEvent::Agreed(_)
            | LegEvent::OfferRefused(_)
            | LegEvent::GaveUp(_)
            | LegEvent::Correlated(_) => {}
        }
    }

    fn caller_said(&mut self, desk: &mut Desk, now: Now, event: LegEvent) {
        match event {
            LegEvent::GaveUp(reason) => {
                let parting = Parting::gave_up(reason);
                self.finish(desk, now, &parting, Ending::CallerGaveUp);
            }
            LegEvent::Lost | LegEvent::Parted { .. } => {
                self.finish(desk, now, &Parting::gave_up(None), Ending::CallerGaveUp);
            }
            LegEvent::Offered { .. } => {
                let Some(setup) = self.setup() else { return };
                let caller = setup.caller;
                self.leg(caller).accept_offer_unchanged(desk, now);
            }
            LegEvent::Transfer(_) => {
                let Some(setup) = self.setup() else { return };
                let caller = setup.caller;
                self.leg(caller)
                    .refuse_transfer(desk, now, StatusCode::TEMPORARILY_UNAVAILABLE);
            }
            _ => {}
        }
    }

    /// A provisional response of the target, of whichever fork (INV-16).
    fn progress(
        &mut self,
        desk: &mut Desk,
        now: Now,
        from: LegNo,
        status: StatusCode,
        early: Option<Description>,
    ) {
        let id = self.id;
        let Some(setup) = self.setup() else { return };
        let caller = setup.caller;
        if early.is_some() {
            setup.early = early;
        }
        if setup.told < Told::Ringing && status == StatusCode::RINGING {
            desk.tell(Event::Ringing { call: id });
        }
        // The call's packets can flow both ways from the first early answer on: the pipeline relays what comes.
        if self.setup().is_some_and(|setup| setup.early.is_some()) {
            self.join(desk, caller, from);
        }
        let early_counts = !Desk::waits_for_media(self.leg(from));
        let Some(setup) = self.setup() else { return };
        if setup.early.is_some() && (setup.heard || early_counts) {
            let again = setup.told == Told::EarlyMedia && status == StatusCode::RINGING;
            self.pass_early_media(desk, now);
            if again {
                // 180 after 183: say so, in the same early dialog; the media path stays as it is.
                self.leg(caller)
                    .progress(desk, now, StatusCode::RINGING, None);
            }
            return;
        }
        if setup.told == Told::Trying
            || (setup.told == Told::Ringing && status == StatusCode::RINGING)
        {
            setup.told = Told::Ringing;
            setup.ring_by = None;
            self.leg(caller)
                .progress(desk, now, StatusCode::RINGING, None);
        } else if setup.told == Told::EarlyMedia && status == StatusCode::RINGING {
            self.leg(caller)
                .progress(desk, now, StatusCode::RINGING, None);
        }
    }

    pub(crate) fn heard_in_setup(&mut self, desk: &mut Desk, now: Now, from: LegNo) {
        let Some(setup) = self.setup() else { return };
        if setup.attempt == Some(from) {
            setup.heard = true;
            self.pass_early_media(desk, now);
        }
    }

    /// INV-17: tell the caller of early media that really flows, once.
    fn pass_early_media(&mut self, desk: &mut Desk, now: Now) {
        let Some(setup) = self.setup() else { return };
        let caller = setup.caller;
        if setup.told == Told::EarlyMedia {
            return;
        }
        match setup.early.clone() {
            Some(description) => {
                setup.told = Told::EarlyMedia;
                setup.ring_by = None;
                self.leg(caller).progress(
                    desk,
                    now,
                    StatusCode::SESSION_PROGRESS,
                    Some(&description),
                );
                self.rejoin(desk);
            }
            None if setup.told == Told::Trying => {
                setup.told = Told::Ringing;
                setup.ring_by = None;
                self.leg(caller)
                    .progress(desk, now, StatusCode::RINGING, None);
            }
            None => {}
        }
    }

    /// Another leg of the callee's side takes the ringing one's place (RFC 3891 §3, early dialogs).
    pub(crate) fn picked_up(
        &mut self,
        desk: &mut Desk,
        now: Now,
        caller: LegNo,
        ringing: LegNo,
        by: LegNo,
    ) {
        let offered = self.leg(caller).described().cloned();
        let answered = offered.map(|offered| self.leg(by).answer(desk, now, &offered));
        let Some(Ok(())) = answered else {
            return self.leg(by).part(
                desk,
                now,
                &Parting::status_only(StatusCode::NOT_ACCEPTABLE_HERE),
            );
        };
        self.leg(ringing)
            .part(desk, now, &Parting::completed_elsewhere());
        if let Some(description) = self.leg(by).described().cloned() {
            self.answered(desk, now, by, &description);
        }
    }

    /// The target answered.
    fn answered(&mut self, desk: &mut Desk, now: Now, from: LegNo, description: &Description) {
        let id = self.id;
        let Some(setup) = self.setup() else { return };
        let caller = setup.caller;
        if let Err(cause) = self.leg(caller).answer(desk, now, description) {
            let parting = Parting::because(&cause);
            return self.finish(desk, now, &parting, cause.ending());
        }
        self.record.answered = Some(now);
        self.stage = Stage::Talking(Talking::boxed([caller, from]));
        self.join(desk, caller, from);
        desk.tell(Event::Answered { call: id });
        self.journal(desk);
        self.align(desk, now, caller, from);
    }

    pub(crate) fn wake_in_setup(&mut self, desk: &mut Desk, now: Now) {
        let Some(setup) = self.setup() else { return };
        let caller = setup.caller;
        if setup.ring_by.is_some_and(|at| at <= now.instant) {
            setup.ring_by = None;
            if setup.told == Told::Trying {
                setup.told = Told::Ringing;
                self.leg(caller)
                    .progress(desk, now, StatusCode::RINGING, None);
            }
        }
        let Some(setup) = self.setup() else { return };
        if setup.give_up.is_some_and(|at| at <= now.instant) {
            setup.give_up = None;
            if let Some(attempt) = setup.attempt.take() {
                self.leg(attempt).part(desk, now, &Parting::default());
            }
            self.try_next(desk, now, Some(Cause::NoAnswer));
        }
    }

    /// Let the pipeline relay between two legs, as far as both are known.
    pub(crate) fn join(&mut self, desk: &mut Desk, a: LegNo, b: LegNo) {
        let incoming = |leg: &Leg| leg.stream.negotiation.incoming().to_vec();
        let (from_a, from_b) = (incoming(self.leg(a)), incoming(self.leg(b)));
        self.leg(a).install(desk, &from_b);
        self.leg(b).install(desk, &from_a);
        let (a, b) = (self.leg(a).stream(), self.leg(b).stream());
        desk.link(a, b);
    }

    fn rejoin(&mut self, desk: &mut Desk) {
        if let Some(Setup {
            caller,
            attempt: Some(attempt),
            ..
        }) = self.setup()
        {
            let (caller, attempt) = (*caller, *attempt);
            self.join(desk, caller, attempt);
        }
    }
}
