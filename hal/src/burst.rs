//! Buffers for a handful of packets, owned by the caller of a port.
//!
//! A [`Burst`] is filled by `Ports::rx_burst`, or packet by packet with [`Burst::add`]; whoever works on it marks those that are
//! to leave, and `Ports::tx_burst` sends the marked ones. Packets never move from their places, so nothing is copied.
//!
//! Not here: what is in a packet.

use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use crate::PortId;

/// Packets in a burst: enough to spread the cost of a system call, few enough to stay in the second-level cache.
pub const BURST: usize = 32;

/// Octets of a buffer: an Ethernet frame's UDP payload with room for a tag behind it.
pub const BUFFER: usize = 2_048;

/// One datagram and where it comes from or goes to.
#[derive(Clone)]
pub struct Packet {
    /// The port of ours it arrived on, or is to leave from.
    pub port: PortId,
    /// The party's address: source of what arrived, destination of what leaves.
    pub remote: SocketAddr,
    length: u16,
    is_cut: bool,
    bytes: [u8; BUFFER],
}

impl Packet {
    const VACANT: Self = Self {
        port: PortId(0),
        remote: SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0)),
        length: 0,
        is_cut: false,
        bytes: [0; BUFFER],
    };

    /// The payload of the datagram.
    #[must_use]
    #[inline]
    pub fn data(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    /// The payload, to be rewritten.
    #[inline]
    pub fn data_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..usize::from(self.length)]
    }

    /// The whole buffer, of which the first [`Self::len`] octets count.
    #[inline]
    pub fn buffer_mut(&mut self) -> &mut [u8; BUFFER] {
        &mut self.bytes
    }

    /// Octets of the payload.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        usize::from(self.length)
    }

    /// Whether the datagram has no payload.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Sets the length of the payload; what is beyond the buffer is cut.
    #[inline]
    pub fn set_len(&mut self, length: usize) {
        self.length = length.min(BUFFER) as u16;
    }

    /// Whether the datagram was longer than the buffer and is not whole.
    #[must_use]
    #[inline]
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// For ports: the buffer holds a datagram of `length` octets, of which those beyond the buffer are lost.
    #[inline]
    pub fn arrived(&mut self, port: PortId, remote: SocketAddr, length: usize) {
        self.port = port;
        self.remote = remote;
        self.is_cut = length > BUFFER;
        self.set_len(length);
    }
}

/// Up to [`BURST`] packets.
pub struct Burst {
    packets: [Packet; BURST],
    filled: usize,
    leaving: Marks,
}

impl Default for Burst {
    fn default() -> Self {
        Self::new()
    }
}

impl Burst {
    /// An empty burst. It is large: keep it on the heap.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            packets: [Packet::VACANT; BURST],
            filled: 0,
            leaving: Marks::NONE,
        }
    }

    /// Empties it; bytes stay until overwritten.
    #[inline]
    pub fn clear(&mut self) {
        self.filled = 0;
        self.leaving = Marks::NONE;
    }

    /// Packets in it.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.filled
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// Whether there is no room for another.
    #[must_use]
    #[inline]
    pub fn is_full(&self) -> bool {
        self.filled == BURST
    }

    /// The packets in order.
    #[must_use]
    pub fn packets(&self) -> &[Packet] {
        &self.packets[..self.filled]
    }

    /// The packets in order, to be rewritten.
    #[inline]
    pub fn packets_mut(&mut self) -> &mut [Packet] {
        &mut self.packets[..self.filled]
    }

    /// For ports: the places not yet filled. [`Self::fill`] says how many have been.
    #[inline]
    pub fn vacant(&mut self) -> &mut [Packet] {
        &mut self.packets[self.filled..]
    }

    /// For ports: so many of [`Self::vacant`] now hold packets.
    #[inline]
    pub fn fill(&mut self, count: usize) {
        self.filled = (self.filled + count).min(BURST);
    }

    /// Takes the next place for a packet of our own making, if there is one. It is marked to leave.
    #[inline]
    pub fn add(&mut self) -> Option<&mut Packet> {
        let packet = self.packets.get_mut(self.filled)?;
        self.leaving.insert(self.filled);
        self.filled += 1;
        packet.is_cut = false;
        Some(packet)
    }

    /// Gives back the place last taken with [`Self::add`].
    pub fn take_back(&mut self) {
        self.filled = self.filled.saturating_sub(1);
        self.leaving.remove(self.filled);
    }

    /// Marks the packet at this place to leave.
    #[inline]
    pub fn leave(&mut self, place: usize) {
        self.leaving.insert(place);
    }

    /// The places of the packets that are to leave.
    #[must_use]
    #[inline]
    pub fn leaving(&self) -> Marks {
        self.leaving
    }
}

/// A set of places in a burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Marks(u32);

impl Marks {
    /// No place.
    pub const NONE: Self = Self(0);

    /// Adds a place; one beyond a burst is ignored.
    #[inline]
    pub fn insert(&mut self, place: usize) {
        if place < BURST {
            self.0 |= 1 << place;
        }
    }

    /// Takes a place out.
    #[inline]
    pub fn remove(&mut self, place: usize) {
        if place < BURST {
            self.0 &= !(1 << place);
        }
    }

    /// Whether the place is in it.
    #[must_use]
    #[inline]
    pub fn contains(self, place: usize) -> bool {
        place < BURST && self.0 >> place & 1 != 0
    }

    /// How many there are.
    #[must_use]
    #[inline]
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether there is none.
    #[must_use]
    #[inline]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// Places in ascending order.
impl Iterator for Marks {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        let place = self.0.trailing_zeros() as usize;
        // Clears the lowest bit that is set.
        self.0 &= self.0.wrapping_sub(1);
        (place < BURST).then_some(place)
    }
}

#[cfg(test)]
mod tests {
    extern crate alloc;

    use super::*;
    use alloc::boxed::Box;
    use alloc::vec::Vec;

    #[test]
    fn marks_are_a_set_of_places_in_order() {
        let mut marks = Marks::NONE;
        for place in [31, 0, 7, 7, 32, 99] {
            marks.insert(place);
        }
        assert_eq!(marks.collect::<Vec<_>>(), [0, 7, 31]);
        marks.remove(7);
        assert!(marks.contains(31) && !marks.contains(7) && !marks.contains(32));
        assert_eq!(marks.len(), 2);
    }

    #[test]
    fn a_burst_holds_no_more_than_it_can() {
        let mut burst = Box::new(Burst::new());
        for _ in 0..BURST {
            assert!(burst.add().is_some());
        }
        assert!(burst.is_full() && burst.add().is_none());
        burst.take_back();
        assert_eq!((burst.len(), burst.leaving().len()), (BURST - 1, BURST - 1));
        burst.clear();
        assert!(burst.is_empty() && burst.leaving().is_empty());
    }

    #[test]
    fn a_datagram_longer_than_the_buffer_is_known_to_be_cut() {
        let mut packet = Box::new(Packet::VACANT);
        packet.arrived(PortId(3), packet.remote, BUFFER + 1);
        assert!(packet.is_cut() && packet.len() == BUFFER);
        packet.arrived(PortId(3), packet.remote, 12);
        assert!(!packet.is_cut() && packet.data().len() == 12);
    }
}
