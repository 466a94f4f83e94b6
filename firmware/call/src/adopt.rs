//! Calls over a restart of control: their images, and the calls made from images.
//!
//! Only a call whose two parties talk is kept: one that rings is lost with its transactions, and its parties ask again.
//!
//! Not here: the file (the rim), the format (`journal`).

use std::sync::Arc;

use embassy_time::{Duration, Instant};
use media_api::StreamId;
use sip::dialog::{Dialog, SessionTimer};

use crate::api::Event;
use crate::call::{Call, Record, Stage, Talking};
use crate::core::{Now, Output};
use crate::desk::Desk;
use crate::journal::{self, CallImage, LegImage};
use crate::leg::confirmed::Confirmed;
use crate::leg::stream::Stream;
use crate::leg::wire::Wire;
use crate::leg::{Leg, LegNo, State};
use crate::media::negotiate::{LegPolicy, Negotiation};

impl Call {
    /// Write down how the call stands, if it can be taken over.
    pub(crate) fn journal(&self, desk: &mut Desk) {
        if let Some(image) = self.image() {
            desk.outputs
                .push_back(Output::Journal(journal::Record::Call(Box::new(image))));
        }
    }

    /// The call as it could be taken over.
    pub(crate) fn image(&self) -> Option<CallImage> {
        let Stage::Talking(talking) = &self.stage else {
            return None;
        };
        let [a, b] = talking.pair.map(|no| self.legs.get(usize::from(no.0)));
        Some(CallImage {
            id: self.id,
            caller: self.record.caller.clone(),
            called: self.record.called.clone(),
            correlation: self.record.correlation.clone(),
            answered: self.record.answered?.wall,
            ticket: self.ticket.clone(),
            legs: [a?.image()?, b?.image()?],
        })
    }

    /// Make a call from its image; `None` if its trunks are gone or its ports are taken.
    pub(crate) fn restore(desk: &mut Desk, now: Now, image: CallImage) -> Option<Self> {
        let [a, b] = image.legs;
        let first = Leg::restore(desk, now, image.id, LegNo(0), a)?;
        let Some(second) = Leg::restore(desk, now, image.id, LegNo(1), b) else {
            let mut first = first;
            first.abandon(desk, now);
            return None;
        };
        let (from_trunk, to_trunk) = (
            first.wire.trunk().name.clone(),
            second.wire.trunk().name.clone(),
        );
        let tenant = [&first, &second]
            .into_iter()
            .find_map(|leg| leg.wire.trunk().tenant())
            .map(|tenant| desk.snapshot.tenant(tenant).name.clone());
        let mut call = Self {
            id: image.id,
            snapshot: Arc::clone(&desk.snapshot),
            legs: vec![first, second],
            stage: Stage::Talking(Talking::boxed([LegNo(0), LegNo(1)])),
            record: Record {
                caller: image.caller,
                called: image.called,
                from_trunk,
                to_trunk: Some(to_trunk),
                tenant,
                answered: Some(Now {
                    instant: before(now, image.answered),
                    wall: image.answered,
                }),
                correlation: image.correlation,
                ending: None,
            },
            ticket: image.ticket,
        };
        if let Some(ticket) = &call.ticket {
            desk.limits.resume(ticket);
        }
        desk.tell(Event::Restored {
            call: call.id,
            from_trunk: call.record.from_trunk.clone(),
            to_trunk: call.record.to_trunk.clone(),
            tenant: call.record.tenant.clone(),
            caller: call.record.caller.clone(),
            called: call.record.called.clone(),
        });
        for leg in &call.legs {
            leg.announce(desk);
        }
        // The pipeline has both streams already; putting them again changes nothing there.
        call.join(desk, LegNo(0), LegNo(1));
        Some(call)
    }
}

/// A moment of the wall clock on the one that timers go by.
fn before(now: Now, wall: u64) -> Instant {
    let ago = Duration::from_secs(now.wall.saturating_sub(wall));
    now.instant.checked_sub(ago).unwrap_or(Instant::MIN)
}

impl Leg {
    fn image(&self) -> Option<LegImage> {
        let State::Confirmed(confirmed) = &self.state else {
            return None;
        };
        Some(LegImage {
            trunk: self.wire.trunk().name.clone(),
            user: self.wire.user.clone(),
            stream: self.stream.id.0,
            port: self.stream.port.as_ref()?.rtp(),
            dialog: confirmed.dialog.image(),
            timer: confirmed.timer.image(),
            negotiation: self.stream.negotiation.image()?,
        })
    }

    fn restore(
        desk: &mut Desk,
        now: Now,
        call: crate::api::CallId,
        no: LegNo,
        image: LegImage,
    ) -> Option<Self> {
        let snapshot = Arc::clone(&desk.snapshot);
        let trunk = snapshot.trunk_named(&image.trunk)?;
        let dialog = Dialog::restore(image.dialog).ok()?;
        let policy = LegPolicy::of(snapshot.trunk(trunk), desk.certificate);
        let negotiation = Negotiation::restore(policy, &image.negotiation).ok()?;
        let port = desk.ports.adopt(image.port)?;
        let wire = Wire::with_tag(&snapshot, trunk, &image.user, dialog.local_tag().to_owned());
        let stream = Stream::new(StreamId(image.stream), port, negotiation);
        desk.enlist(&wire.local_tag, call, no);
        desk.enlist_stream(stream.id, call, no);
        // A refresh soon tells whether the party is still there.
        let timer = SessionTimer::restore(now.instant + Duration::from_secs(1), &image.timer);
        let state = State::Confirmed(Box::new(Confirmed::new(dialog, timer, None)));
        Some(Self {
            no,
            call,
            wire,
            stream,
            state,
            invites: Vec::new(),
        })
    }
}
