//! What control says, done.
//!
//! Answers go into the outbox in the order of the commands. A command that is refused has changed nothing.
//!
//! Not here: the wire between the planes; who is control and whether it is there, beyond [`Presence`].

use alloc::boxed::Box;

use embassy_time::{Duration, Instant};
use hal::{OpenError, PortId, Ports};
use measure::{MediaCounter, Refusal};
use media_api::{
    Command, Event, Millis, ORPHAN_AFTER, Rtcp, Statistics, StreamId, StreamSpec, Tone, VERSION,
};

use crate::flow::install::{self, Checked};
use crate::flow::{Purpose, Slot};
use crate::relay::Pipeline;
use crate::tone::Playing;
use crate::worker::Moment;

/// Whether there is a control.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    /// There is.
    Here,
    /// There is none since then.
    Gone(Instant),
}

impl Presence {
    /// Whether a stream is nobody's any more: neither its party nor its peer's has been heard since then.
    pub(crate) fn orphans(self, quiet_since: Instant, now: Instant) -> bool {
        let Millis(patience) = ORPHAN_AFTER;
        let patience = Duration::from_millis(u64::from(patience));
        let is_over = |since: Instant| now.saturating_duration_since(since) >= patience;
        matches!(self, Self::Gone(since) if is_over(since) && is_over(quiet_since))
    }
}

/// The clock of G.711, in which tones are.
const TONE_CLOCK: u32 = 8_000;

impl Pipeline {
    /// A control is there.
    pub fn control_came(&mut self) {
        self.presence = Presence::Here;
    }

    /// Control is gone; streams go on.
    pub fn control_left(&mut self, now: Instant) {
        if self.presence == Presence::Here {
            self.presence = Presence::Gone(now);
        }
    }

    /// Does what control says. `process` is what `Event::Hello` is to tell.
    pub fn command(
        &mut self,
        moment: Moment,
        command: Command,
        process: u32,
        ports: &mut impl Ports,
    ) {
        match command {
            Command::Hello { .. } => self.outbox.answer(Event::Hello {
                version: VERSION,
                pid: process,
                capacity: u32::try_from(self.table.capacity()).unwrap_or(u32::MAX),
            }),
            Command::Put(spec) => {
                let id = spec.id;
                match self.put(moment.now, spec, ports) {
                    Ok(slot) => self.look_after(slot),
                    Err(reason) => self.refuse(id, Some(reason)),
                }
            }
            Command::Link { a, b } => {
                let refusal = if a == b {
                    Some(Refusal::SelfLink)
                } else if !self.table.has_room_for_link() {
                    Some(Refusal::Full)
                } else {
                    self.table.link(a, b);
                    None
                };
                self.refuse(a, refusal);
            }
            Command::Unlink { a, b } => self.table.unlink(a, b),
            Command::Remove(id) => self.remove(id, ports),
            Command::Tone { stream, tone } => {
                let refusal = self.tone(moment.now, stream, tone).err();
                self.refuse(stream, refusal);
            }
            Command::List => {
                let ids = self.table.ids().collect();
                self.outbox.answer(Event::Streams(ids));
            }
            Command::Statistics(id) => {
                let stream = self.table.find(id).and_then(|slot| self.table.stream(slot));
                let event = match stream {
                    Some(stream) => Event::Statistics {
                        id,
                        statistics: Box::new(stream.statistics()),
                    },
                    None => Event::Refused {
                        id,
                        reason: Refusal::UnknownStream,
                    },
                };
                self.outbox.answer(event);
            }
            Command::Ping => self.outbox.answer(Event::Pong),
        }
    }

    fn refuse(&mut self, id: StreamId, refusal: Option<Refusal>) {
        if let Some(reason) = refusal {
            self.outbox.answer(Event::Refused { id, reason });
        }
    }

    fn put(
        &mut self,
        now: Instant,
        spec: StreamSpec,
        ports: &mut impl Ports,
    ) -> Result<Slot, Refusal> {
        let checked = install::check(&spec)?;
        match self.table.find(spec.id) {
            Some(slot) => self.replace(now, slot, spec, checked, ports),
            None if self.table.is_full() => Err(Refusal::Full),
            None => {
                let opened = open(&spec, &checked, ports)?;
                let fresh = self.handshakes.fresh();
                let mut stream =
                    install::create(spec, checked, opened, fresh, &mut self.chance, now);
                self.handshakes.changed(None, Some(&mut stream));
                let slot = self.table.insert(Box::new(stream));
                self.count_streams();
                Ok(slot)
            }
        }
    }

    fn replace(
        &mut self,
        now: Instant,
        slot: Slot,
        spec: StreamSpec,
        checked: Checked,
        ports: &mut impl Ports,
    ) -> Result<Slot, Refusal> {
        let Some(stream) = self.table.stream_mut(slot) else {
            return Err(Refusal::UnknownStream);
        };
        // MED-05
        if spec.local != stream.spec.local {
            return Err(Refusal::MovedAddress);
        }
        let (before, mut owned) = (stream.rtcp_port, None);
        match (spec.rtcp, before) {
            (Rtcp::Separate, None) => {
                let port = ports.open(above(&spec), checked.dscp).map_err(refusal)?;
                stream.rtcp_port = Some(port);
                owned = Some((port, Some((slot, Purpose::Rtcp))));
            }
            (Rtcp::Muxed, Some(port)) => {
                ports.close(port);
                stream.rtcp_port = None;
                owned = Some((port, None));
            }
            (Rtcp::Separate, Some(_)) | (Rtcp::Muxed, None) => {}
        }
        for port in [Some(stream.rtp_port), stream.rtcp_port]
            .into_iter()
            .flatten()
        {
            ports.mark(port, checked.dscp);
        }
        let before = stream.dtls;
        let fresh = self.handshakes.fresh();
        install::replace(stream, spec, checked, fresh, &mut self.chance, now);
        self.handshakes.changed(before, Some(stream));
        if let Some((port, owner)) = owned {
            self.table.own(port, owner);
        }
        self.count_streams();
        Ok(slot)
    }

    fn tone(&mut self, now: Instant, id: StreamId, tone: Option<Tone>) -> Result<(), Refusal> {
        let slot = self.table.find(id).ok_or(Refusal::UnknownStream)?;
        let stream = self.table.stream_mut(slot).ok_or(Refusal::UnknownStream)?;
        match tone {
            None => stream.tone = None,
            Some(tone)
                if stream
                    .tone
                    .as_ref()
                    .is_some_and(|playing| playing.tone == tone) => {}
            Some(tone) => {
                let format = stream
                    .spec
                    .tones
                    .filter(|_| stream.spec.clock_rate == TONE_CLOCK);
                let format = format.ok_or(Refusal::NoToneCodec)?;
                // A tone that follows another is a run of its own.
                stream.outgoing.end_run();
                stream.tone = Some(Box::new(Playing::new(tone, format, now)));
            }
        }
        self.look_after(slot);
        Ok(())
    }

    /// Ends a stream and tells its counts.
    pub(crate) fn remove(&mut self, id: StreamId, ports: &mut impl Ports) {
        let statistics = match self.table.remove(id) {
            Some(stream) => {
                self.handshakes.changed(stream.dtls, None);
                ports.close(stream.rtp_port);
                if let Some(rtcp) = stream.rtcp_port {
                    ports.close(rtcp);
                }
                Box::new(stream.statistics())
            }
            None => Box::<Statistics>::default(),
        };
        self.count_streams();
        self.outbox.answer(Event::Removed { id, statistics });
    }

    /// Lets time come by when the stream wants it to.
    fn look_after(&mut self, slot: Slot) {
        let Some(due) = self.table.stream(slot).map(|stream| stream.due()) else {
            return;
        };
        self.look_after_by(slot, due);
    }

    /// Lets time come by the stream at a moment.
    pub(crate) fn look_after_by(&mut self, slot: Slot, due: Instant) {
        self.table.set_due(slot, due);
        self.due = Some(self.due.map_or(due, |earliest| earliest.min(due)));
    }

    pub(crate) fn count_streams(&mut self) {
        self.totals.set(MediaCounter::Streams, self.table.len());
        self.totals.set(MediaCounter::PortsOpen, self.table.ports());
    }
}

/// Opens the ports of a spec, both or none.
fn open(
    spec: &StreamSpec,
    checked: &Checked,
    ports: &mut impl Ports,
) -> Result<(PortId, Option<PortId>), Refusal> {
    let rtp = ports.open(spec.local, checked.dscp).map_err(refusal)?;
    if spec.rtcp == Rtcp::Muxed {
        return Ok((rtp, None));
    }
    match ports.open(above(spec), checked.dscp) {
        Ok(rtcp) => Ok((rtp, Some(rtcp))),
        Err(error) => {
            ports.close(rtp);
            Err(refusal(error))
        }
    }
}

/// RFC 3550 §11: RTCP is one above RTP. The check has seen that there is one above.
fn above(spec: &StreamSpec) -> core::net::SocketAddr {
    let mut address = spec.local;
    address.set_port(spec.local.port() | 1);
    address
}

fn refusal(error: OpenError) -> Refusal {
    match error {
        OpenError::AddressInUse => Refusal::AddressInUse,
        OpenError::AddressUnavailable => Refusal::AddressUnavailable,
        OpenError::OutOfPorts => Refusal::OutOfPorts,
    }
}
