//! A tone of ours, paced in frames of 20 ms.
//!
//! Not here: how tones sound (`media_dsp::tone`), how frames become packets of the stream (`report.rs`).

use embassy_time::{Duration, Instant};
use media_api::{Law, Region, Tone, ToneFormat};
use media_dsp::codec::{self, FRAME};
use media_dsp::rtp::Header;
use media_dsp::tone::{self, Generator};

/// Time of a frame.
pub(crate) const PACE: Duration = Duration::from_millis(20);

/// Behind by more than this, frames are skipped instead of sent in a heap.
const LAG: Duration = Duration::from_millis(100);

/// A tone being played.
#[derive(Debug, Clone)]
pub(crate) struct Playing {
    pub(crate) tone: Tone,
    generator: Generator,
    due: Instant,
    payload_type: u8,
    sequence: u16,
    timestamp: u32,
}

impl Playing {
    pub(crate) fn new(tone: Tone, format: ToneFormat, now: Instant) -> Self {
        let kind = match tone {
            Tone::Ringback => tone::Tone::Ringback,
            Tone::Busy => tone::Tone::Busy,
            Tone::Congestion => tone::Tone::Congestion,
        };
        let region = match format.region {
            Region::Europe => tone::Region::Europe,
            Region::NorthAmerica => tone::Region::NorthAmerica,
            Region::UnitedKingdom => tone::Region::UnitedKingdom,
            Region::France => tone::Region::France,
            Region::Brazil => tone::Region::Brazil,
            Region::Australia => tone::Region::Australia,
        };
        let law = match format.law {
            Law::Mu => codec::Law::Mu,
            Law::A => codec::Law::A,
        };
        Self {
            tone,
            generator: Generator::new(kind, region, law),
            due: now,
            payload_type: format.payload_type,
            sequence: 0,
            timestamp: 0,
        }
    }

    /// When the next frame is due.
    pub(crate) fn due(&self) -> Instant {
        self.due
    }

    /// The frame that is due, numbered by itself.
    pub(crate) fn frame(&mut self, now: Instant, out: &mut [u8; FRAME]) -> Option<Header> {
        if self.due > now {
            return None;
        }
        let late = now.saturating_duration_since(self.due);
        self.due = if late > LAG {
            now + PACE
        } else {
            self.due + PACE
        };
        self.generator.frame(out);
        let header = Header {
            marker: false,
            payload_type: self.payload_type,
            sequence: self.sequence,
            timestamp: self.timestamp,
            ssrc: 0,
        };
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(FRAME as u32);
        Some(header)
    }
}
