//! The pipeline, and the way of an RTP packet through it.
//!
//! A packet comes from the party of one stream and leaves, where it lies, for the party of the peer stream. What is counted
//! against a stream is what arrived on it, also when the peer is the cause.
//!
//! Not here: bursts (`burst.rs`), RTCP (`rtcp.rs`), commands (`commands.rs`), what is due without a packet (`report.rs`).

use alloc::boxed::Box;

use embassy_time::Instant;
use hal::{BUFFER, Burst, Marks, Packet};
use measure::{DropReason, MediaCounter};
use media_api::Event;
use media_dsp::quality::Micros;
use media_dsp::rtp::{self, Header};
use media_dsp::srtp::{ProtectError, UnprotectError};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::burst::Expected;
use crate::classify::{Kind, classify};
use crate::commands::Presence;
use crate::counters::Totals;
use crate::dtls::Handshakes;
use crate::flow::{Purpose, Slot, Stream, Table, UNMAPPED};
use crate::gate::{Admission, Moved};
use crate::news::Outbox;
use crate::rewrite::Origin;
use crate::verdict::{self, Step, Verdict};
use crate::vigil::Heard;
use crate::worker::Moment;

/// Streams, and all that is needed to move their packets.
pub struct Pipeline {
    pub(crate) table: Table,
    pub(crate) totals: Totals,
    pub(crate) outbox: Outbox,
    pub(crate) chance: ChaCha12Rng,
    pub(crate) presence: Presence,
    pub(crate) handshakes: Handshakes,
    pub(crate) expected: Expected,
    /// When the earliest stream may want to be looked after.
    pub(crate) due: Option<Instant>,
    /// Packets of our own making.
    pub(crate) own: Box<Burst>,
    pub(crate) scratch: Box<[u8; BUFFER]>,
}

impl Pipeline {
    /// No stream yet, room for so many. All numbers it chooses follow from the seed, which nobody may guess.
    #[must_use]
    pub fn new(capacity: usize, seed: [u8; 32]) -> Self {
        Self {
            table: Table::new(capacity),
            totals: Totals::default(),
            outbox: Outbox::new(),
            chance: ChaCha12Rng::from_seed(seed),
            presence: Presence::Here,
            handshakes: Handshakes::default(),
            expected: Expected::Nothing,
            due: None,
            own: Box::new(Burst::new()),
            scratch: Box::new([0; BUFFER]),
        }
    }

    /// The same as one of several, by its number among them.
    #[must_use]
    pub fn numbered(self, worker: u8) -> Self {
        Self {
            handshakes: Handshakes::of(worker),
            ..self
        }
    }

    /// Says what became of a burst at the ports.
    pub fn sent(&mut self, burst: &Burst, lost: Marks) {
        account(&mut self.table, &mut self.totals, burst, lost);
    }

    /// The next thing to tell control.
    pub fn poll(&mut self) -> Option<Event> {
        self.outbox.take()
    }

    /// The counts so far.
    #[must_use]
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Passes one packet through by itself. A burst gives the same, sooner.
    pub fn packet(&mut self, moment: Moment, packet: &mut Packet) -> Verdict {
        match self.receive(moment, packet, Sealing::Closed) {
            Passage::Ends(verdict) => verdict,
            Passage::Departs(departure) => {
                let length = packet.len();
                let sender = self.table.stream_mut(departure.to);
                let outcome = match sender.and_then(|stream| stream.sender.as_mut()) {
                    Some(sender) => sender.protect_rtp(packet.buffer_mut(), length),
                    None => Ok(length),
                };
                self.depart(packet, &departure, outcome)
            }
        }
    }

    /// The way of a packet up to where it would be protected.
    pub(crate) fn receive(
        &mut self,
        moment: Moment,
        packet: &mut Packet,
        sealing: Sealing,
    ) -> Passage {
        let Some((slot, purpose)) = self.table.owner(packet.port) else {
            self.totals.drop(DropReason::UnknownPort);
            return Passage::Ends(Verdict::Dropped(DropReason::UnknownPort));
        };
        let step = if packet.is_cut() {
            Err(DropReason::Oversize)
        } else {
            match (classify(packet.data()), purpose) {
                (Kind::Rtp, Purpose::Rtp) => self
                    .rtp(moment.now, packet, slot, sealing)
                    .map(Passage::Departs),
                (Kind::Rtp, Purpose::Rtcp) => Err(DropReason::MisplacedRtp),
                (Kind::Rtcp, _) => self.rtcp(moment, packet, slot).map(Passage::Ends),
                (Kind::Stun, purpose) => self.stun(packet, slot, purpose).map(Passage::Ends),
                (Kind::Dtls, Purpose::Rtp) => {
                    self.dtls(moment.now, packet, slot).map(Passage::Ends)
                }
                (Kind::Dtls, Purpose::Rtcp) => Err(DropReason::UnexpectedDtls),
                (Kind::Unknown, _) => Err(DropReason::Unclassified),
            }
        };
        step.unwrap_or_else(|reason| {
            self.drop(slot, reason);
            Passage::Ends(Verdict::Dropped(reason))
        })
    }

    /// The way of a packet from where it has been protected, or not.
    pub(crate) fn depart(
        &mut self,
        packet: &mut Packet,
        departure: &Departure,
        outcome: Result<usize, ProtectError>,
    ) -> Verdict {
        let (length, stream) = match (outcome, self.table.stream_mut(departure.to)) {
            (Ok(length), Some(stream)) => (length, stream),
            (Ok(_), None) => return Verdict::Dropped(DropReason::NotLinked),
            (Err(error), _) => {
                let reason = verdict::protect(error);
                self.drop(departure.from, reason);
                return Verdict::Dropped(reason);
            }
        };
        packet.set_len(length);
        stream.sent.add(departure.payload);
        self.totals.add(MediaCounter::PacketsRelayed, 1);
        Verdict::Leaves
    }

    pub(crate) fn drop(&mut self, slot: Slot, reason: DropReason) {
        self.totals.drop(reason);
        if let Some(stream) = self.table.stream_mut(slot) {
            stream.counts.drops[reason.index()] += 1;
        }
    }

    fn rtp(
        &mut self,
        now: Instant,
        packet: &mut Packet,
        slot: Slot,
        sealing: Sealing,
    ) -> Step<Departure> {
        let (stream, peer) = self.table.pair(slot).ok_or(DropReason::UnknownPort)?;
        let admission = stream.gate.ask_rtp(packet.remote)?;
        match sealing {
            Sealing::Closed => stream.unprotect_rtp(packet, now)?,
            Sealing::Tried(outcome) => stream.take_opened(packet, now, outcome)?,
        }
        let (header, payload) = read(packet.data())?;
        if admission == Admission::Candidate && stream.receiver.is_none() {
            // A stranger on a plain stream must at least speak the language.
            let is_known = peer.as_ref().is_none_or(|peer| passes(peer, &header));
            is_known.then_some(()).ok_or(DropReason::UnmappedPayload)?;
        }
        // RFC 3550 §8.2: two streams whose parties are each other would send one packet round for ever. A party that returns
        // what it hears is no loop: it returns the name we use towards itself.
        if peer
            .as_ref()
            .is_some_and(|peer| peer.outgoing.ssrc() == header.ssrc)
        {
            return Err(DropReason::Looped);
        }
        let moved = stream.gate.prove(admission, packet.remote, &header, now)?;
        if let Moved::To(address) = moved {
            let id = stream.id();
            self.outbox.tell(Event::Latched { id, address });
        }
        stream
            .direction
            .receives()
            .then_some(())
            .ok_or(DropReason::NotReceiving)?;
        stream.reception.packet(&header, Micros(now.as_micros()));
        stream.received.add(payload);
        match stream.vigil.heard(now) {
            Heard::Again => {}
            Heard::First => self.outbox.tell(Event::RtpStarted { id: stream.id() }),
            Heard::AfterSilence => self.outbox.tell(Event::Resumed { id: stream.id() }),
        }
        let to = stream.peer.ok_or(DropReason::NotLinked)?;
        let peer = peer.ok_or(DropReason::NotLinked)?;
        let written = rewrite(peer, packet, &header, now)?;
        // Now and not at its departure: a report behind it in the same burst counts it. So are repetitions counted, which SRTP
        // will not send a second time.
        peer.transmission
            .packet(&written, payload, Micros(now.as_micros()));
        Ok(Departure {
            from: slot,
            to,
            payload,
        })
    }
}

/// What has been done about a packet's encryption.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Sealing {
    /// Nothing.
    Closed,
    /// The current key has been tried, in a burst.
    Tried(Result<usize, UnprotectError>),
}

/// A plain packet that is as its receiver wants it, but for encryption.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Departure {
    /// The stream it came on.
    pub(crate) from: Slot,
    /// The stream it leaves by.
    pub(crate) to: Slot,
    /// Octets of its payload.
    pub(crate) payload: usize,
}

/// How far a packet has come.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Passage {
    /// To its end.
    Ends(Verdict),
    /// To its departure.
    Departs(Departure),
}

/// Counts what left, and against its stream what did not.
pub(crate) fn account(table: &mut Table, totals: &mut Totals, burst: &Burst, lost: Marks) {
    for place in burst.leaving() {
        let packet = &burst.packets()[place];
        if lost.contains(place) {
            totals.drop(DropReason::NotSent);
            let owner = table.owner(packet.port);
            if let Some(stream) = owner.and_then(|(slot, _)| table.stream_mut(slot)) {
                stream.counts.drops[DropReason::NotSent.index()] += 1;
            }
        } else {
            totals.add(MediaCounter::PacketsSent, 1);
            totals.add(MediaCounter::OctetsSent, packet.len());
        }
    }
}

fn passes(peer: &Stream, header: &Header) -> bool {
    peer.payloads[usize::from(header.payload_type & 0x7f)] != UNMAPPED
}

/// Header and payload length of plain RTP.
#[inline]
fn read(datagram: &[u8]) -> Step<(Header, usize)> {
    let packet = rtp::Packet::parse(datagram).map_err(|_| DropReason::MalformedRtp)?;
    Ok((packet.header(), packet.payload().len()))
}

/// Makes a plain packet of the peer one for this stream's party, to be protected; gives what is written in it.
#[inline]
fn rewrite(
    stream: &mut Stream,
    packet: &mut Packet,
    header: &Header,
    now: Instant,
) -> Step<Header> {
    stream
        .direction
        .sends()
        .then_some(())
        .ok_or(DropReason::NotSending)?;
    if stream.tone.is_some() {
        return Err(DropReason::CoveredByTone);
    }
    let payload_type = stream
        .payload_type(header.payload_type)
        .ok_or(DropReason::UnmappedPayload)?;
    let remote = stream.gate.rtp_target().ok_or(DropReason::NoRemote)?;
    let placed = stream
        .outgoing
        .place(Origin::Peer(header.ssrc), header, now)?;
    let placed = Header {
        payload_type,
        ..placed
    };
    let mut view =
        rtp::PacketMut::parse(packet.data_mut()).map_err(|_| DropReason::MalformedRtp)?;
    view.set_header(placed);
    (packet.port, packet.remote) = (stream.rtp_port, remote);
    Ok(placed)
}
