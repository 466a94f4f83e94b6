//! The way of a burst: five passes over its packets, so that the cryptography of all is done together.
//!
//! ```text
//!  1  of each packet: its stream, whether that is keyed and lets this source speak
//!  2  unprotect all that are keyed                                      (media_dsp::srtp::burst)
//!  3  of each packet: gate, peer, direction, payload type, new header   (relay.rs); RTCP and all else from end to end
//!  4  protect all that leave for keyed parties                          (media_dsp::srtp::burst)
//!  5  of each packet: counts
//! ```
//!
//! Where the next burst is known, what it touches is fetched while this one is worked on: with thousands of calls that is a third
//! of what a packet would cost. Fetched all at once it is waited for.
//!
//! What comes of each packet is what [`Pipeline::packet`] would have made of it, one after the other (`tests/bursts.rs`).
//!
//! Not here: what is done to a packet (`relay.rs`, `rtcp.rs`).

use hal::{BURST, Burst, Packet};
use measure::MediaCounter;
use media_dsp::simd::prefetch_front;
use media_dsp::srtp::burst::{Contexts, Job, protect, unprotect};
use media_dsp::srtp::{Receiver, Sender};

use crate::classify::{Kind, classify};
use crate::flow::{Incoming, Purpose, Slot, Stream, Table};
use crate::relay::{Departure, Passage, Pipeline, Sealing};
use crate::verdict::Verdict;
use crate::worker::Moment;

impl Pipeline {
    /// Passes a burst through: what leaves is marked in it. What the next one will touch is asked for meanwhile, so that memory
    /// is fetched while there is work to be done; it may be empty.
    pub fn burst(&mut self, moment: Moment, burst: &mut Burst, next: &Burst) {
        if self.expected == Expected::Nothing {
            self.expect_streams(burst);
            self.expect_arrivals(burst.packets());
            self.expect_departures(burst.packets());
        }
        self.expect_streams(next);
        let mut sealings = [Sealing::Closed; BURST];
        self.open(burst, &mut sealings);
        let mut departures = [None; BURST];
        for (place, sealing) in sealings.into_iter().enumerate().take(burst.len()) {
            let packet = &mut burst.packets_mut()[place];
            match self.receive(moment, packet, sealing) {
                Passage::Departs(departure) => departures[place] = Some(departure),
                Passage::Ends(Verdict::Leaves) => burst.leave(place),
                Passage::Ends(Verdict::Taken | Verdict::Dropped(_)) => {}
            }
            self.expect_arrivals(next.packets().get(place..=place).unwrap_or_default());
        }
        self.close(burst, &departures, next);
        self.expected = if next.is_empty() {
            Expected::Nothing
        } else {
            Expected::Next
        };
    }

    /// Asks for the first lines of the streams that packets come on.
    fn expect_streams(&self, burst: &Burst) {
        for packet in burst.packets() {
            if let Some(stream) = self.stream_of(packet) {
                prefetch_front(stream, 1);
            }
        }
    }

    /// Asks for what arriving packets touch, and for the first lines of the streams they leave by.
    #[inline]
    fn expect_arrivals(&self, packets: &[Packet]) {
        for stream in packets.iter().filter_map(|packet| self.stream_of(packet)) {
            stream.prefetch_arrival();
            if let Some(incoming) = &stream.receiver {
                incoming.current.prefetch();
            }
            if let Some(peer) = self.table.peer(stream) {
                peer.prefetch_departure();
            }
        }
    }

    /// Asks for the keys that packets leave with.
    #[inline]
    fn expect_departures(&self, packets: &[Packet]) {
        for stream in packets.iter().filter_map(|packet| self.stream_of(packet)) {
            let peer = self.table.peer(stream);
            if let Some(sender) = peer.and_then(|peer| peer.sender.as_ref()) {
                sender.prefetch();
            }
        }
    }

    #[inline]
    fn stream_of(&self, packet: &Packet) -> Option<&Stream> {
        let (slot, _) = self.table.owner(packet.port)?;
        self.table.stream(slot)
    }

    /// Passes 1 and 2.
    fn open(&mut self, burst: &mut Burst, sealings: &mut [Sealing; BURST]) {
        let mut places = [0; BURST];
        let mut jobs = heapless::Vec::<_, BURST>::new();
        for (place, packet) in burst.packets_mut().iter_mut().enumerate() {
            self.totals.add(MediaCounter::PacketsReceived, 1);
            self.totals.add(MediaCounter::OctetsReceived, packet.len());
            if let Some(slot) = self.sealed_on(packet) {
                let length = packet.len();
                places[jobs.len()] = place;
                // There is room for as many as there are packets.
                let _ = jobs.push(Job::new(slot, &mut packet.buffer_mut()[..], length));
            }
        }
        unprotect(&mut self.table, &mut jobs);
        for (job, place) in jobs.iter().zip(places) {
            sealings[place] = Sealing::Tried(job.outcome);
        }
    }

    /// The stream of a packet that is encrypted RTP from whom that stream lets speak. All others are seen to in their turn.
    #[inline]
    fn sealed_on(&self, packet: &Packet) -> Option<Slot> {
        let (slot, purpose) = self.table.owner(packet.port)?;
        let stream = self.table.stream(slot)?;
        let is_sealed = stream.receiver.is_some()
            && purpose == Purpose::Rtp
            && !packet.is_cut()
            && classify(packet.data()) == Kind::Rtp
            && stream.gate.ask_rtp(packet.remote).is_ok();
        is_sealed.then_some(slot)
    }

    /// Passes 4 and 5.
    fn close(&mut self, burst: &mut Burst, departures: &[Option<Departure>; BURST], next: &Burst) {
        let mut jobs = heapless::Vec::<_, BURST>::new();
        for (packet, departure) in burst.packets_mut().iter_mut().zip(departures) {
            if let Some(departure) = departure {
                let length = packet.len();
                // There is room for as many as there are packets.
                let _ = jobs.push(Job::new(departure.to, &mut packet.buffer_mut()[..], length));
            }
        }
        protect(&mut self.table, &mut jobs);
        let mut outcomes = [Ok(0); BURST];
        for (outcome, job) in outcomes.iter_mut().zip(&jobs) {
            *outcome = job.outcome;
        }
        drop(jobs);
        let leaving = departures.iter().enumerate();
        let leaving = leaving.filter_map(|(place, departure)| Some((place, departure.as_ref()?)));
        for ((place, departure), outcome) in leaving.zip(outcomes) {
            self.expect_departures(next.packets().get(place..=place).unwrap_or_default());
            let packet = &mut burst.packets_mut()[place];
            if self.depart(packet, departure, outcome) == Verdict::Leaves {
                burst.leave(place);
            }
        }
    }
}

/// Of whose packets the memory has been asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    Nothing,
    /// Those of the burst that comes next.
    Next,
}

impl Contexts<Receiver> for Table {
    type Key = Slot;

    #[inline]
    fn context(&self, slot: Slot) -> Option<&Receiver> {
        let incoming: &Incoming = self.stream(slot)?.receiver.as_ref()?;
        Some(&incoming.current)
    }

    #[inline]
    fn context_mut(&mut self, slot: Slot) -> Option<&mut Receiver> {
        let incoming: &mut Incoming = self.stream_mut(slot)?.receiver.as_mut()?;
        Some(&mut incoming.current)
    }
}

impl Contexts<Sender> for Table {
    type Key = Slot;

    #[inline]
    fn context(&self, slot: Slot) -> Option<&Sender> {
        self.stream(slot)?.sender.as_deref()
    }

    #[inline]
    fn context_mut(&mut self, slot: Slot) -> Option<&mut Sender> {
        self.stream_mut(slot)?.sender.as_deref_mut()
    }
}
