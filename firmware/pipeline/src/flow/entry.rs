//! One stream as the pipeline holds it.
//!
//! Not here: how a spec becomes one (`install.rs`).

use alloc::boxed::Box;
use core::mem::offset_of;
use core::net::SocketAddr;

use embassy_time::Instant;
use hal::{Packet, PortId};
use measure::DropReason;
use media_api::{Direction, StreamId, StreamSpec};
use media_dsp::quality::{Reception, Transmission};
use media_dsp::simd::prefetch_front;
use media_dsp::srtp::{Receiver, Sender, UnprotectError};

use crate::counters::{Counts, Tally};
use crate::dtls::Link;
use crate::flow::Slot;
use crate::gate::Gate;
use crate::ice::Agent;
use crate::report::Reports;
use crate::rewrite::Outgoing;
use crate::tone::Playing;
use crate::verdict::{self, Step};
use crate::vigil::Vigil;

/// In a payload map: nothing of this type passes.
pub(crate) const UNMAPPED: u8 = 0xff;

/// What a payload map says of one type. Nearly all packets of a stream are of one.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(crate) struct Mapping {
    from: u8,
    to: u8,
}

impl Mapping {
    /// Of no type.
    pub(crate) const NONE: Self = Self {
        from: UNMAPPED,
        to: UNMAPPED,
    };
}

/// One stream. With thousands of streams memory is what a packet waits for, so what a packet touches lies together: the first
/// line of memory is everybody's, the next two are an arriving packet's, and of the last two each has one part of what a leaving
/// packet touches. What no packet touches is elsewhere, or between.
#[repr(C, align(64))]
pub(crate) struct Stream {
    pub(crate) peer: Option<Slot>,
    pub(crate) rtp_port: PortId,
    pub(crate) receiver: Option<Box<Incoming>>,
    pub(crate) sender: Option<Box<Sender>>,
    pub(crate) usual: Mapping,
    pub(crate) direction: Direction,
    pub(crate) gate: Gate,
    pub(crate) received: Tally,
    pub(crate) vigil: Vigil,
    pub(crate) reception: Reception,
    pub(crate) reports: Box<Reports>,
    pub(crate) id: StreamId,
    pub(crate) rtcp_port: Option<PortId>,
    pub(crate) counts: Counts,
    pub(crate) outgoing: Outgoing,
    pub(crate) transmission: Transmission,
    pub(crate) sent: Tally,
    pub(crate) tone: Option<Box<Playing>>,
    /// The party's payload type for each of the peer's.
    pub(crate) payloads: [u8; 128],
    pub(crate) spec: Box<StreamSpec>,
    pub(crate) ice: Option<Box<Agent>>,
    pub(crate) dtls: Option<Link>,
}

/// Octets of a line of memory.
const LINE: usize = 64;

const _: () = {
    assert!(offset_of!(Stream, gate) + size_of::<Option<SocketAddr>>() == LINE);
    assert!(offset_of!(Stream, received) < 2 * LINE);
    assert!(offset_of!(Stream, reception) + 40 == 3 * LINE);
    assert!(offset_of!(Stream, transmission) == offset_of!(Stream, outgoing) + LINE);
    assert!(offset_of!(Stream, payloads) <= offset_of!(Stream, outgoing) + 2 * LINE);
};

impl Stream {
    pub(crate) fn id(&self) -> StreamId {
        self.id
    }

    /// Asks for what an arriving packet touches to be brought near, the first line apart.
    #[inline]
    pub(crate) fn prefetch_arrival(&self) {
        prefetch_front(&self.received, 1);
        prefetch_front(&self.reception, 1);
    }

    /// Asks for what a leaving packet touches to be brought near.
    #[inline]
    pub(crate) fn prefetch_departure(&self) {
        prefetch_front(self, 1);
        prefetch_front(&self.outgoing, 1);
        prefetch_front(&self.transmission, 1);
    }

    /// The party's payload type for one of the peer's, if it passes.
    #[inline]
    pub(crate) fn payload_type(&mut self, theirs: u8) -> Option<u8> {
        let from = theirs & 0x7f;
        if self.usual.from != from {
            let to = self.payloads[usize::from(from)];
            self.usual = Mapping { from, to };
        }
        (self.usual.to != UNMAPPED).then_some(self.usual.to)
    }

    /// The port by which RTCP leaves.
    pub(crate) fn rtcp_port(&self) -> PortId {
        self.rtcp_port.unwrap_or(self.rtp_port)
    }

    /// Decrypts what is keyed; afterwards the packet holds plain RTP, or is dropped as it came.
    #[inline]
    pub(crate) fn unprotect_rtp(&mut self, packet: &mut Packet, now: Instant) -> Step<()> {
        let Some(incoming) = &mut self.receiver else {
            return Ok(());
        };
        let unprotect = |receiver: &mut Receiver| receiver.unprotect_rtp(packet.data_mut());
        let length = incoming
            .with_keys(now, unprotect)
            .map_err(verdict::unprotect_rtp)?;
        packet.set_len(length);
        Ok(())
    }

    /// The same where a burst has tried the current key: what failed may still be under the one before.
    #[inline]
    pub(crate) fn take_opened(
        &mut self,
        packet: &mut Packet,
        now: Instant,
        outcome: Result<usize, UnprotectError>,
    ) -> Step<()> {
        let length = outcome.or_else(|error| {
            // The key before lies elsewhere, and only what fails asks for it.
            let incoming = self.receiver.as_mut().ok_or(error)?;
            incoming.with_previous(now, error, |receiver| {
                receiver.unprotect_rtp(packet.data_mut())
            })
        });
        packet.set_len(length.map_err(verdict::unprotect_rtp)?);
        Ok(())
    }

    /// Decrypts RTCP that is keyed.
    pub(crate) fn unprotect_rtcp(&mut self, packet: &mut Packet, now: Instant) -> Step<()> {
        let Some(incoming) = &mut self.receiver else {
            return Ok(());
        };
        let unprotect = |receiver: &mut Receiver| receiver.unprotect_rtcp(packet.data_mut());
        let length = incoming
            .with_keys(now, unprotect)
            .map_err(verdict::unprotect_rtcp)?;
        packet.set_len(length);
        Ok(())
    }

    /// Makes ready to leave by RTP: encrypted where keyed, addressed to the party.
    #[inline]
    pub(crate) fn dispatch_rtp(&mut self, packet: &mut Packet) -> Step<()> {
        let remote = self.gate.rtp_target().ok_or(DropReason::NoRemote)?;
        if let Some(sender) = &mut self.sender {
            let length = packet.len();
            let protected = sender
                .protect_rtp(packet.buffer_mut(), length)
                .map_err(verdict::protect)?;
            packet.set_len(protected);
        }
        (packet.port, packet.remote) = (self.rtp_port, remote);
        Ok(())
    }

    /// The same for RTCP.
    pub(crate) fn dispatch_rtcp(&mut self, packet: &mut Packet) -> Step<()> {
        if self.dtls.is_some_and(Link::is_locked) {
            return Err(DropReason::NoKeyYet);
        }
        let remote = self.gate.rtcp_target().ok_or(DropReason::NoRemote)?;
        if let Some(sender) = &mut self.sender {
            let length = packet.len();
            let protected = sender
                .protect_rtcp(packet.buffer_mut(), length)
                .map_err(verdict::protect)?;
            packet.set_len(protected);
        }
        (packet.port, packet.remote) = (self.rtcp_port(), remote);
        self.counts.sent_rtcp += 1;
        Ok(())
    }

    /// Lets go of the keys before a re-key once they are no longer tried.
    pub(crate) fn forget_previous_key(&mut self, now: Instant) {
        if let Some(incoming) = &mut self.receiver {
            incoming.previous.take_if(|previous| previous.1 <= now);
        }
    }
}

/// The keys of what arrives: those of the last spec, and for a moment after a re-key those before (MED-04), because the party
/// changes over at another moment than we do.
pub(crate) struct Incoming {
    pub(crate) current: Receiver,
    pub(crate) previous: Option<Box<(Receiver, Instant)>>,
}

impl Incoming {
    #[inline]
    fn with_keys(
        &mut self,
        now: Instant,
        mut unprotect: impl FnMut(&mut Receiver) -> Result<usize, UnprotectError>,
    ) -> Result<usize, UnprotectError> {
        unprotect(&mut self.current).or_else(|error| self.with_previous(now, error, unprotect))
    }

    /// What failed with one key may succeed with the one before; if not, the first failure counts.
    fn with_previous(
        &mut self,
        now: Instant,
        error: UnprotectError,
        unprotect: impl FnOnce(&mut Receiver) -> Result<usize, UnprotectError>,
    ) -> Result<usize, UnprotectError> {
        match self.previous.as_deref_mut() {
            Some((previous, until)) if *until > now => unprotect(previous).map_err(|_| error),
            _ => Err(error),
        }
    }
}
