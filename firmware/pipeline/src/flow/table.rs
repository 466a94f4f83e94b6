//! Where streams are found: by local port for packets, by id for commands, by time for what is due.
//!
//! The way by port is two flat arrays. The way by time is one flat array of moments, so a scan reads eight octets for each
//! stream. Ids and links are trees, touched by commands only.
//!
//! Not here: opening ports.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::num::NonZero;

use embassy_time::Instant;
use hal::PortId;
use media_api::StreamId;

use crate::flow::Stream;

/// The place of a stream in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot(NonZero<u32>);

impl Slot {
    fn of(place: usize) -> Self {
        // One more than the place, so that none is no longer than one.
        let number = u32::try_from(place + 1).ok().and_then(NonZero::new);
        Self(number.expect("a stream has ports, of which there are fewer"))
    }

    #[inline]
    fn place(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// What a stream uses a port for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// RTP, and RTCP where muxed.
    Rtp,
    /// RTCP.
    Rtcp,
}

/// All streams.
pub(crate) struct Table {
    capacity: usize,
    streams: Vec<Option<Box<Stream>>>,
    /// When each stream wants to be looked after; [`Instant::MAX`] is never.
    due: Vec<Instant>,
    vacant: Vec<u32>,
    by_port: Vec<Option<(Slot, Purpose)>>,
    ports: usize,
    by_id: BTreeMap<StreamId, Slot>,
    /// Who is to relay to whom, both ways, whether they are here yet or not.
    links: BTreeMap<StreamId, StreamId>,
}

impl Table {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            streams: Vec::new(),
            due: Vec::new(),
            vacant: Vec::new(),
            by_port: Vec::new(),
            ports: 0,
            by_id: BTreeMap::new(),
            links: BTreeMap::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Ports in use.
    pub(crate) fn ports(&self) -> usize {
        self.ports
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len() >= self.capacity
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = StreamId> {
        self.by_id.keys().copied()
    }

    pub(crate) fn find(&self, id: StreamId) -> Option<Slot> {
        self.by_id.get(&id).copied()
    }

    /// The stream that owns a port.
    #[inline]
    pub(crate) fn owner(&self, port: PortId) -> Option<(Slot, Purpose)> {
        self.by_port.get(port.0 as usize).copied().flatten()
    }

    #[inline]
    pub(crate) fn stream_mut(&mut self, slot: Slot) -> Option<&mut Stream> {
        self.streams.get_mut(slot.place())?.as_deref_mut()
    }

    pub(crate) fn stream(&self, slot: Slot) -> Option<&Stream> {
        self.streams.get(slot.place())?.as_deref()
    }

    /// The peer of a stream.
    #[inline]
    pub(crate) fn peer(&self, stream: &Stream) -> Option<&Stream> {
        self.stream(stream.peer?)
    }

    /// A stream and its peer.
    #[inline]
    pub(crate) fn pair(&mut self, slot: Slot) -> Option<(&mut Stream, Option<&mut Stream>)> {
        let peer = self.stream(slot)?.peer;
        let Some(peer) = peer.filter(|peer| *peer != slot) else {
            return self.stream_mut(slot).map(|stream| (stream, None));
        };
        let places = self.streams.get_disjoint_mut([slot.place(), peer.place()]);
        match places {
            Ok([Some(stream), Some(peer)]) => Some((stream, Some(peer))),
            _ => None,
        }
    }

    /// Takes a stream in, gives it its ports and joins it with its peer.
    pub(crate) fn insert(&mut self, stream: Box<Stream>) -> Slot {
        let id = stream.id();
        let (rtp, rtcp) = (stream.rtp_port, stream.rtcp_port);
        let stream = Some(stream);
        let slot = match self.vacant.pop() {
            Some(place) => {
                self.streams[place as usize] = stream;
                Slot::of(place as usize)
            }
            None => {
                self.streams.push(stream);
                self.due.push(Instant::MAX);
                Slot::of(self.streams.len() - 1)
            }
        };
        self.by_id.insert(id, slot);
        self.own(rtp, Some((slot, Purpose::Rtp)));
        if let Some(rtcp) = rtcp {
            self.own(rtcp, Some((slot, Purpose::Rtcp)));
        }
        self.join(id);
        slot
    }

    /// Takes a stream out, with its link.
    pub(crate) fn remove(&mut self, id: StreamId) -> Option<Box<Stream>> {
        self.part(id);
        let slot = self.by_id.remove(&id)?;
        let stream = self.streams[slot.place()].take()?;
        self.due[slot.place()] = Instant::MAX;
        self.vacant.push(slot.place() as u32);
        self.own(stream.rtp_port, None);
        if let Some(rtcp) = stream.rtcp_port {
            self.own(rtcp, None);
        }
        Some(stream)
    }

    /// Says whose a port is.
    pub(crate) fn own(&mut self, port: PortId, owner: Option<(Slot, Purpose)>) {
        let place = port.0 as usize;
        if place >= self.by_port.len() {
            self.by_port.resize(place + 1, None);
        }
        let before = core::mem::replace(&mut self.by_port[place], owner);
        self.ports = self.ports + usize::from(owner.is_some()) - usize::from(before.is_some());
    }

    /// Whether two more links can be remembered.
    pub(crate) fn has_room_for_link(&self) -> bool {
        self.links.len() + 2 <= 2 * self.capacity.max(1)
    }

    pub(crate) fn link(&mut self, a: StreamId, b: StreamId) {
        if self.links.get(&a) == Some(&b) {
            return;
        }
        self.part(a);
        self.part(b);
        self.links.insert(a, b);
        self.links.insert(b, a);
        self.join(a);
    }

    pub(crate) fn unlink(&mut self, a: StreamId, b: StreamId) {
        if self.links.get(&a) == Some(&b) {
            self.part(a);
        }
    }

    /// Joins a stream with the one it is linked to, if both are here.
    fn join(&mut self, a: StreamId) {
        let Some(b) = self.links.get(&a).copied() else {
            return;
        };
        let (Some(a), Some(b)) = (self.find(a), self.find(b)) else {
            return;
        };
        self.set_peer(a, Some(b));
        self.set_peer(b, Some(a));
    }

    fn part(&mut self, a: StreamId) {
        let Some(b) = self.links.remove(&a) else {
            return;
        };
        self.links.remove(&b);
        for id in [a, b] {
            if let Some(slot) = self.find(id) {
                self.set_peer(slot, None);
            }
        }
    }

    fn set_peer(&mut self, slot: Slot, peer: Option<Slot>) {
        if let Some(stream) = self.stream_mut(slot).filter(|stream| stream.peer != peer) {
            stream.peer = peer;
            // Another peer may use the SSRC of the one before.
            stream.outgoing.end_run();
        }
    }

    /// Says when a stream wants to be looked after.
    pub(crate) fn set_due(&mut self, slot: Slot, due: Instant) {
        self.due[slot.place()] = due;
    }

    /// The next stream at or behind a place that is due, and the place behind it.
    pub(crate) fn next_due(&self, from: usize, now: Instant) -> Option<(Slot, usize)> {
        let place = from + self.due.get(from..)?.iter().position(|due| *due <= now)?;
        Some((Slot::of(place), place + 1))
    }

    /// The earliest time at which any stream is due.
    pub(crate) fn earliest(&self) -> Option<Instant> {
        self.due
            .iter()
            .copied()
            .min()
            .filter(|due| *due != Instant::MAX)
    }
}
