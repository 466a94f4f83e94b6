//! What a party hears is one stream: one SSRC, numbers without holes of ours, timestamps that go on.
//!
//! Sources come and go behind it: the peer's party, another fork, a new party after a transfer, a tone. Each is a *run*; within
//! a run numbers and timestamps are moved by a constant, so loss and reordering of the source stay visible. A new run begins
//! at the next number, and at the time that has passed since the last packet.
//!
//! Not here: payload types (`relay.rs`), the numbers SRTP adds (`media_dsp::srtp`).

use embassy_time::Instant;
use measure::DropReason;
use media_dsp::rtp::Header;

use crate::verdict::Step;

/// A step forward up to this is loss, beyond it a restart (RFC 3550 A.1).
const MAX_DROPOUT: u16 = 3_000;
/// A step back up to this is reordering (RFC 3550 A.1).
const MAX_MISORDER: u16 = 100;

/// Who is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A source of the peer stream, by its SSRC.
    Peer(u32),
    /// A tone of ours.
    Tone,
}

/// What is sent to one party: a line of memory.
#[derive(Debug, Clone)]
#[repr(align(64))]
pub(crate) struct Outgoing {
    ssrc: u32,
    clock_rate: u32,
    next_sequence: u16,
    /// Timestamp of the newest packet and when it was sent; before the first, where to begin.
    timestamp: u32,
    sent_at: Option<Instant>,
    run: Option<Run>,
}

#[derive(Debug, Clone, Copy)]
struct Run {
    origin: Origin,
    sequence_offset: u16,
    timestamp_offset: u32,
    /// Our number of its first packet.
    first: u16,
    /// The source's newest number, its wraps in the upper half.
    highest: u32,
}

impl Outgoing {
    /// Starts at a number in the lower half, so that a receiver who misses the first packets does not miss a roll-over
    /// (RFC 3711 §3.3.1).
    pub(crate) fn new(ssrc: u32, sequence: u16, timestamp: u32, clock_rate: u32) -> Self {
        Self {
            ssrc,
            clock_rate,
            next_sequence: sequence & 0x7fff,
            timestamp,
            sent_at: None,
            run: None,
        }
    }

    /// Our SSRC, the same for the life of the stream.
    pub(crate) fn ssrc(&self) -> u32 {
        self.ssrc
    }

    pub(crate) fn set_clock_rate(&mut self, clock_rate: u32) {
        if self.clock_rate != clock_rate {
            self.clock_rate = clock_rate;
            self.run = None;
        }
    }

    /// The next packet begins a new run, whoever it is from.
    pub(crate) fn end_run(&mut self) {
        self.run = None;
    }

    /// The header under which a packet of this source is sent; its payload type is left to the caller.
    ///
    /// # Errors
    /// [`DropReason::Late`] for a packet from before its run, whose number has been given to another.
    #[inline]
    pub(crate) fn place(&mut self, origin: Origin, header: &Header, now: Instant) -> Step<Header> {
        let run = self.run.filter(|run| run.origin == origin);
        let step = run.map(|run| header.sequence.wrapping_sub(run.highest as u16));
        let (mut run, step) = match (run, step) {
            (Some(run), Some(step)) if !(MAX_DROPOUT..=u16::MAX - MAX_MISORDER).contains(&step) => {
                (run, step)
            }
            _ => return Ok(self.begin(origin, header, now)),
        };
        let sequence = header.sequence.wrapping_add(run.sequence_offset);
        let timestamp = header.timestamp.wrapping_add(run.timestamp_offset);
        if step >= 0x8000 {
            if sequence.wrapping_sub(run.first) >= 0x8000 {
                return Err(DropReason::Late);
            }
        } else if step > 0 {
            run.highest = run.highest.wrapping_add(u32::from(step));
            self.run = Some(run);
            self.next_sequence = sequence.wrapping_add(1);
            (self.timestamp, self.sent_at) = (timestamp, Some(now));
        }
        Ok(Header {
            sequence,
            timestamp,
            ssrc: self.ssrc,
            ..*header
        })
    }

    fn begin(&mut self, origin: Origin, header: &Header, now: Instant) -> Header {
        let sequence = self.next_sequence;
        if let Some(sent_at) = self.sent_at {
            let passed = now.saturating_duration_since(sent_at).as_micros();
            let ticks = u128::from(passed) * u128::from(self.clock_rate) / 1_000_000;
            // At least a frame: two packets of one moment would be one frame twice.
            self.timestamp = self
                .timestamp
                .wrapping_add((ticks as u32).max(self.clock_rate / 50));
        }
        self.run = Some(Run {
            origin,
            sequence_offset: sequence.wrapping_sub(header.sequence),
            timestamp_offset: self.timestamp.wrapping_sub(header.timestamp),
            first: sequence,
            highest: u32::from(header.sequence),
        });
        self.next_sequence = sequence.wrapping_add(1);
        self.sent_at = Some(now);
        // RFC 3551 §4.1: the marker says that a talk spurt begins, so that the jitter buffer may adjust.
        Header {
            marker: true,
            sequence,
            timestamp: self.timestamp,
            ssrc: self.ssrc,
            payload_type: header.payload_type,
        }
    }

    /// The peer's source that is heard now, for telling the same story in RTCP.
    pub(crate) fn peer_source(&self) -> Option<u32> {
        match self.run?.origin {
            Origin::Peer(ssrc) => Some(ssrc),
            Origin::Tone => None,
        }
    }

    /// Our timestamp for a timestamp of the source heard now.
    pub(crate) fn timestamp_of(&self, theirs: u32) -> u32 {
        self.run
            .map_or(theirs, |run| theirs.wrapping_add(run.timestamp_offset))
    }

    /// The extended number of the source heard now for an extended number of ours, which the party has counted its own way.
    pub(crate) fn sequence_of(&self, ours: u32) -> u32 {
        let Some(run) = self.run else { return ours };
        let low = (ours as u16).wrapping_sub(run.sequence_offset);
        let ahead = low.wrapping_sub(run.highest as u16) as i16;
        run.highest.wrapping_add_signed(i32::from(ahead))
    }
}

#[cfg(test)]
mod tests;
