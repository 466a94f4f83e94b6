//! The packets of a leg: its port, its negotiation, and what the pipeline has been told.
//!
//! The port is the leg's own from its birth to its end and never moves (MED-05). The pipeline is told a stream only when there is
//! something new to tell; repeating the same is free here and harmless there.

use media_api::{Command, StreamId, StreamSpec, Tone};

use crate::core::Now;
use crate::desk::Desk;
use crate::media::NumberedFormat;
use crate::media::negotiate::Negotiation;
use crate::media::ports::Port;

use super::Leg;

/// A leg's side of the relay.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) id: StreamId,
    /// Given back when the leg is abandoned.
    pub(crate) port: Option<Port>,
    pub(crate) negotiation: Negotiation,
    /// What the pipeline was last told.
    installed: Option<StreamSpec>,
    /// What comes in on the other leg.
    peer: Vec<NumberedFormat>,
    tone: Option<Tone>,
}

impl Stream {
    pub(crate) const fn new(id: StreamId, port: Port, negotiation: Negotiation) -> Self {
        Self {
            id,
            port: Some(port),
            negotiation,
            installed: None,
            peer: Vec::new(),
            tone: None,
        }
    }

    /// Tell the pipeline what has been negotiated, if it is news; `peer` is what comes in on the other leg.
    pub(crate) fn install(&mut self, desk: &mut Desk, peer: &[NumberedFormat]) {
        self.peer = peer.to_vec();
        self.install_again(desk);
    }

    /// As before, with what the other leg last said.
    pub(crate) fn install_again(&mut self, desk: &mut Desk) {
        let Some(port) = &self.port else { return };
        let bind = desk.bind_address(port, self.negotiation.local().address);
        let Some(spec) = self.negotiation.spec(self.id, bind, &self.peer) else {
            return;
        };
        if self.installed.as_ref() != Some(&spec) {
            self.installed = Some(spec.clone());
            desk.media(Command::Put(spec));
        }
    }

    /// The pipeline has been started afresh and knows nothing.
    pub(crate) fn reinstall(&mut self, desk: &mut Desk) {
        self.installed = None;
        self.install_again(desk);
        if let Some(tone) = self.tone.take() {
            self.play(desk, Some(tone));
        }
    }

    pub(crate) fn play(&mut self, desk: &mut Desk, tone: Option<Tone>) {
        if self.tone != tone && self.installed.is_some() {
            self.tone = tone;
            desk.media(Command::Tone {
                stream: self.id,
                tone,
            });
        }
    }

    /// The port goes back to the pool, to rest.
    pub(crate) fn release(&mut self, desk: &mut Desk, now: Now) {
        if self.installed.take().is_some() {
            desk.media(Command::Remove(self.id));
        }
        if let Some(port) = self.port.take() {
            desk.forget_stream(self.id);
            desk.ports.release(port, now.instant);
        }
    }

    /// Everything of it, for a leg that moves; what is left behind has no port and no stream.
    pub(crate) fn take(&mut self) -> Self {
        let left = Self {
            id: self.id,
            port: None,
            negotiation: self.negotiation.clone(),
            installed: None,
            peer: Vec::new(),
            tone: None,
        };
        std::mem::replace(self, left)
    }
}

impl Leg {
    /// Tell the pipeline what has been negotiated on this leg.
    pub(crate) fn install(&mut self, desk: &mut Desk, peer: &[NumberedFormat]) {
        if !self.is_gone() {
            self.stream.install(desk, peer);
        }
    }

    /// No more packets: the party has been told goodbye.
    pub(crate) fn remove_stream(&mut self, desk: &mut Desk) {
        if self.stream.installed.take().is_some() {
            desk.part_with(self.stream.id, self.call, &self.wire.trunk().name);
        }
        self.stream.tone = None;
    }

    /// Let the party hear a tone, or no tone any more.
    pub(crate) fn tone(&mut self, desk: &mut Desk, tone: Option<Tone>) {
        self.stream.play(desk, tone);
    }
}
