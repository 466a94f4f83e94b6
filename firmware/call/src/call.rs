//! One call: its legs, what stage it is in, and what the other leg must do when one of them says something.
//!
//! The stages are structs that hold only what they know: [`Setup`] hunts for somebody who answers, [`Talking`] joins two
//! confirmed legs, `Ending` waits for the last transactions. Every event of a leg comes through [`Call::told`], which hands it to
//! the flow that knows the stage. A call is over when all its legs have ended; then nothing of it is left but its record.
//!
//! Not here: what is said on the wire (`leg`), where to go (`route`).

use std::sync::Arc;

use config::document::trunk::OnSilence;
use embassy_time::{Duration, Instant};
use measure::Insecurity;
use media_api::{Fingerprint, Millis};
use sip::message::StatusCode;

use crate::api::{self, CallId, CallView, Ending, Event};
use crate::core::{Now, Output};
use crate::desk::Desk;
use crate::flow::exchange::Exchange;
use crate::flow::setup::Setup;
use crate::flow::transfer::Transfer;
use crate::journal;
use crate::leg::{Leg, LegEvent, LegInput, LegNo, Parting};

/// More legs than any chain of hunting and transfers needs; beyond it a call is refused another target.
pub(crate) const MAX_LEGS: usize = 16;

/// How long a call whose legs do not end by themselves is kept before it is dropped (64*T1 for the last
/// transaction, doubled).
const ENDING_PATIENCE: Duration = Duration::from_secs(64);

/// Two parties that hear each other.
#[derive(Debug)]
pub(crate) struct Talking {
    /// The two legs, the older one first.
    pub(crate) pair: [LegNo; 2],
    /// An offer that is being carried from one to the other.
    pub(crate) exchange: Option<Exchange>,
    /// A party that is being replaced.
    pub(crate) transfer: Option<Transfer>,
}

impl Talking {
    pub(crate) fn boxed(pair: [LegNo; 2]) -> Box<Self> {
        Box::new(Self {
            pair,
            exchange: None,
            transfer: None,
        })
    }

    /// The other one of the pair, if `leg` is in it.
    pub(crate) fn peer_of(&self, leg: LegNo) -> Option<LegNo> {
        match self.pair {
            [a, b] if a == leg => Some(b),
            [a, b] if b == leg => Some(a),
            _ => None,
        }
    }

    /// Put `new` where `old` was.
    pub(crate) fn replace(&mut self, old: LegNo, new: LegNo) {
        for no in &mut self.pair {
            if *no == old {
                *no = new;
            }
        }
    }
}

/// Where a call stands.
#[derive(Debug)]
pub(crate) enum Stage {
    /// Somebody who answers is being looked for.
    Setup(Box<Setup>),
    /// Two parties hear each other.
    Talking(Box<Talking>),
    /// Every leg has been told goodbye; dropped at `until` if one never ends.
    Ending {
        /// When patience ends.
        until: Instant,
    },
}

/// What is kept for the record of a call.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) caller: String,
    pub(crate) called: String,
    pub(crate) from_trunk: String,
    pub(crate) to_trunk: Option<String>,
    pub(crate) tenant: Option<String>,
    pub(crate) answered: Option<Now>,
    /// INV-23: Microsoft's correlation id.
    pub(crate) correlation: Option<String>,
    pub(crate) ending: Option<(Ending, Option<u16>)>,
}

/// One call.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) id: CallId,
    pub(crate) snapshot: Arc<config::Snapshot>,
    pub(crate) legs: Vec<Leg>,
    pub(crate) stage: Stage,
    pub(crate) record: Record,
    pub(crate) ticket: Option<crate::route::limit::Ticket>,
}

impl Call {
    /// The leg with this number.
    pub(crate) fn leg(&mut self, no: LegNo) -> &mut Leg {
        &mut self.legs[usize::from(no.0)]
    }

    /// Whether everything has ended.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        match &self.stage {
            Stage::Ending { until } => *until <= now || self.legs.iter().all(Leg::is_ended),
            Stage::Setup(_) | Stage::Talking(_) => false,
        }
    }

    /// An event of one of the legs.
    pub(crate) fn told(&mut self, desk: &mut Desk, now: Now, from: LegNo, event: LegEvent) {
        // What concerns one leg alone, in any stage.
        let event = match event {
            LegEvent::Correlated(id) => {
                self.record.correlation.get_or_insert(id);
                return;
            }
            other => other,
        };
        match &mut self.stage {
            Stage::Setup(_) => self.told_in_setup(desk, now, from, event),
            Stage::Talking(_) => self.told_in_talk(desk, now, from, event),
            Stage::Ending { .. } => self.told_at_the_end(desk, now, from, event),
        }
    }

    /// The first packet of a leg's stream has passed the gate.
    pub(crate) fn heard(&mut self, desk: &mut Desk, now: Now, from: LegNo) {
        if matches!(self.stage, Stage::Setup(_)) {
            self.heard_in_setup(desk, now, from);
        } else {
            self.heard_in_transfer(desk, now, from);
        }
    }

    /// The party of a leg should speak and has not been heard for so long.
    pub(crate) fn silent(&mut self, desk: &mut Desk, now: Now, from: LegNo, since: Millis) {
        let trunk = self.leg(from).wire.trunk();
        let (name, then) = (trunk.name.clone(), trunk.media.silence.then);
        desk.tell(Event::Silent {
            call: self.id,
            trunk: name,
            milliseconds: since.0,
        });
        // Before the answer a party owes no audio.
        if then == OnSilence::HangUp && matches!(self.stage, Stage::Talking(_)) {
            self.finish(desk, now, &Parting::default(), Ending::Lost);
        }
    }

    /// Whatever is due at `now`.
    pub(crate) fn wake(&mut self, desk: &mut Desk, now: Now) {
        for index in 0..self.legs.len() {
            let events = self.legs[index].wake(desk, now);
            let no = self.legs[index].no;
            for event in events {
                self.told(desk, now, no, event);
            }
        }
        match &self.stage {
            Stage::Setup(_) => self.wake_in_setup(desk, now),
            Stage::Talking(_) => self.wake_in_talk(desk, now),
            Stage::Ending { .. } => {}
        }
    }

    /// When `wake` is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let of_stage = match &self.stage {
            Stage::Setup(setup) => setup.deadline(),
            Stage::Talking(talking) => talking.transfer.as_ref().and_then(Transfer::deadline),
            Stage::Ending { until } => Some(*until),
        };
        self.legs
            .iter()
            .filter_map(Leg::deadline)
            .chain(of_stage)
            .min()
    }

    /// End the call: every leg is told goodbye in the way that fits its state.
    pub(crate) fn finish(&mut self, desk: &mut Desk, now: Now, parting: &Parting, ending: Ending) {
        let status = parting.status();
        self.record.ending = self
            .record
            .ending
            .or_else(|| Some((ending, status.map(StatusCode::code))));
        for leg in &mut self.legs {
            leg.part(desk, now, parting);
        }
        self.stage = Stage::Ending {
            until: now.instant + ENDING_PATIENCE,
        };
        // A party that is slow to answer its BYE keeps nobody from calling.
        self.give_back_ticket(desk);
    }

    fn give_back_ticket(&mut self, desk: &mut Desk) {
        if let Some(ticket) = self.ticket.take() {
            desk.limits.release(ticket);
        }
    }

    /// Events while every leg is ending: only what would leave something behind matters.
    fn told_at_the_end(&mut self, desk: &mut Desk, now: Now, from: LegNo, event: LegEvent) {
        match event {
            // RFC 3261 §15.1.2, §9.1: the answer crossed our CANCEL; the leg has acknowledged it and must be ended.
            LegEvent::Answered(_) => self.leg(from).part(desk, now, &Parting::default()),
            LegEvent::Offered { .. } => {
                self.leg(from)
                    .refuse_offer(desk, now, StatusCode::REQUEST_TERMINATED)
            }
            _ => {}
        }
    }

    /// Ended by command.
    pub(crate) fn hang_up(&mut self, desk: &mut Desk, now: Now) {
        if !matches!(self.stage, Stage::Ending { .. }) {
            let parting = Parting::status_only(StatusCode::TEMPORARILY_UNAVAILABLE);
            self.finish(desk, now, &parting, Ending::Administrative);
        }
    }

    /// The last word: ports are given back, the record is told.
    pub(crate) fn close(mut self, desk: &mut Desk, now: Now) {
        for leg in &mut self.legs {
            leg.abandon(desk, now);
        }
        self.give_back_ticket(desk);
        let (ending, status) = self.record.ending.unwrap_or((Ending::Internal, None));
        let duration = self.record.answered.map_or(0, |at| {
            u32::try_from(now.instant.saturating_duration_since(at.instant).as_secs())
                .unwrap_or(u32::MAX)
        });
        desk.tell(Event::Ended {
            call: self.id,
            ending,
            status,
            duration,
            correlation: self.record.correlation,
        });
        desk.outputs
            .push_back(Output::Journal(journal::Record::Over(self.id)));
    }

    /// An input of the layer below, for one of the legs.
    pub(crate) fn hear(&mut self, desk: &mut Desk, now: Now, leg: LegNo, input: LegInput) {
        let Some(heard) = self.legs.get_mut(usize::from(leg.0)) else {
            return;
        };
        for event in heard.hear(desk, now, input) {
            self.told(desk, now, leg, event);
        }
    }

    /// How many legs there are, ended ones included.
    pub(crate) fn leg_count(&self) -> usize {
        self.legs.len()
    }

    /// The pipeline has been started afresh: tell it everything again.
    pub(crate) fn reinstall(&mut self, desk: &mut Desk) {
        for leg in self.legs.iter_mut().filter(|leg| !leg.is_gone()) {
            leg.stream.reinstall(desk);
        }
        if let Stage::Talking(talking) = &self.stage {
            let [a, b] = talking.pair;
            let (a, b) = (self.leg(a).stream(), self.leg(b).stream());
            desk.link(a, b);
        }
    }

    /// Media shakes hands by this certificate. Whoever was told of another has keys with a process that is gone.
    pub(crate) fn certified(&mut self, desk: &mut Desk, now: Now, certificate: Fingerprint) {
        for place in 0..self.legs.len() {
            let leg = &mut self.legs[place];
            if leg.is_gone() || !leg.stream.negotiation.is_outdated(certificate) {
                continue;
            }
            if leg.offer_handshake(desk, now, certificate).is_err() {
                return self.without_media(desk, now);
            }
        }
    }

    /// The pipeline refuses a stream of this call: there is nothing to talk through.
    pub(crate) fn without_media(&mut self, desk: &mut Desk, now: Now) {
        if !matches!(self.stage, Stage::Ending { .. }) {
            let parting = Parting::status_only(StatusCode::SERVICE_UNAVAILABLE);
            self.finish(desk, now, &parting, Ending::Internal);
        }
    }

    /// The party of a leg has shown another certificate than it said, or no keys came of its handshake (RFC 5763 §5).
    pub(crate) fn insecure(&mut self, desk: &mut Desk, now: Now, from: LegNo, reason: Insecurity) {
        if matches!(self.stage, Stage::Ending { .. }) {
            return;
        }
        desk.tell(Event::Insecure {
            call: self.id,
            trunk: self.leg(from).wire.trunk().name.clone(),
            reason,
        });
        let parting = Parting::status_only(StatusCode::NOT_ACCEPTABLE_HERE);
        self.finish(desk, now, &parting, Ending::NoCommonMedia);
    }

    /// Take in a leg of another call.
    pub(crate) fn take_in(&mut self, desk: &mut Desk, mut leg: Leg) -> LegNo {
        let no = LegNo::of(self.legs.len());
        let moved = leg.move_to(desk, self.id, no);
        self.legs.push(moved);
        no
    }

    /// The call as seen from outside.
    pub(crate) fn view(&self) -> CallView {
        CallView {
            call: self.id,
            caller: self.record.caller.clone(),
            called: self.record.called.clone(),
            from_trunk: self.record.from_trunk.clone(),
            to_trunk: self.record.to_trunk.clone(),
            tenant: self.record.tenant.clone(),
            stage: match &self.stage {
                Stage::Setup(setup) if setup.is_ringing() => api::Stage::Ringing,
                Stage::Setup(_) => api::Stage::Routing,
                Stage::Talking(talking) if talking.transfer.is_some() => api::Stage::Transferring,
                Stage::Talking(_) => api::Stage::Talking,
                Stage::Ending { .. } => api::Stage::Ending,
            },
        }
    }
}
