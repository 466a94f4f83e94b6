//! What one leg hears (RFC 3550 A.1 sequence, A.3 loss, A.8 jitter).
//!
//! A new SSRC begins a new source; the totals of [`Summary`] go on over all of them. There is no probation: the packets
//! counted here have passed the source gate, and SRTP where it is used.

use crate::rtcp::{Ntp, ReportBlock};
use crate::rtp::Header;

use super::Micros;

/// A step forward up to this is loss, beyond it a restart (RFC 3550 A.1).
const MAX_DROPOUT: u16 = 3_000;
/// A step back up to this is reordering (RFC 3550 A.1).
const MAX_MISORDER: u16 = 100;

/// Statistics of the source heard on one leg.
#[derive(Debug, Clone)]
#[repr(C)]
pub struct Reception {
    clock_rate: u32,
    source: Option<Source>,
    /// Of the source heard now. Not in it, or whether there is a source would be told by a word of this one, far from the rest.
    sender_report: Option<(u32, Micros)>,
    /// Of sources, or runs of one source, that are over.
    past: Summary,
}

/// Totals since the leg began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Packets received, duplicates and late ones included.
    pub received: u64,
    /// Packets the sequence numbers say were sent.
    pub expected: u64,
    /// Packets that arrived after a later one, or twice.
    pub disordered: u64,
    /// Holes in the numbers: packets lost one after the other are one, and so are those of which some came late.
    pub holes: u64,
    /// Highest jitter so far, in timestamp units.
    pub max_jitter: u32,
    /// How often a source began: new SSRCs and restarts of sequence numbers.
    pub sources: u32,
}

impl Summary {
    /// Packets expected and not received.
    pub fn lost(&self) -> u64 {
        self.expected.saturating_sub(self.received)
    }
}

/// One run of one SSRC. What a packet touches lies in front.
#[derive(Debug, Clone)]
#[repr(C)]
struct Source {
    ssrc: u32,
    /// Highest sequence number with the wraps in the upper half.
    highest: u32,
    received: u32,
    last_timestamp: u32,
    transit: u32,
    /// Jitter times 16, as A.8 keeps it.
    jitter: u32,
    max_jitter: u32,
    /// Where a restart would go on: set by a packet far off, taken if its successor comes.
    restart_at: Option<u16>,
    base: u32,
    disordered: u32,
    holes: u32,
    expected_prior: u32,
    received_prior: u32,
}

impl Source {
    fn begin(header: &Header, transit: u32) -> Self {
        let sequence = u32::from(header.sequence);
        Self {
            ssrc: header.ssrc,
            base: sequence,
            highest: sequence,
            restart_at: None,
            received: 1,
            disordered: 0,
            holes: 0,
            expected_prior: 0,
            received_prior: 0,
            last_timestamp: header.timestamp,
            transit,
            jitter: 0,
            max_jitter: 0,
        }
    }

    fn expected(&self) -> u32 {
        self.highest.wrapping_sub(self.base).wrapping_add(1)
    }

    fn add_to(&self, summary: Summary) -> Summary {
        Summary {
            received: summary.received + u64::from(self.received),
            expected: summary.expected + u64::from(self.expected()),
            disordered: summary.disordered + u64::from(self.disordered),
            holes: summary.holes + u64::from(self.holes),
            max_jitter: summary.max_jitter.max(self.max_jitter),
            sources: summary.sources + 1,
        }
    }

    fn measure_jitter(&mut self, timestamp: u32, transit: u32) {
        // Packets of one frame, and those of one telephone event (RFC 4733 §2.5.1.2), share a timestamp on purpose.
        if timestamp == self.last_timestamp {
            return;
        }
        let difference = (transit.wrapping_sub(self.transit) as i32).unsigned_abs();
        self.jitter = self
            .jitter
            .wrapping_add(difference)
            .wrapping_sub(self.jitter.wrapping_add(8) >> 4);
        self.max_jitter = self.max_jitter.max(self.jitter >> 4);
        self.last_timestamp = timestamp;
        self.transit = transit;
    }
}

impl Reception {
    /// Nothing heard yet. `clock_rate` is that of the timestamps: 8,000 for G.711, also for G.722.
    pub fn new(clock_rate: u32) -> Self {
        Self {
            clock_rate,
            source: None,
            sender_report: None,
            past: Summary::default(),
        }
    }

    /// Counts a packet.
    pub fn packet(&mut self, header: &Header, arrival: Micros) {
        let transit = arrival
            .ticks(self.clock_rate)
            .wrapping_sub(header.timestamp);
        let Some(source) = self
            .source
            .as_mut()
            .filter(|source| source.ssrc == header.ssrc)
        else {
            return self.begin(header, transit);
        };
        let step = header.sequence.wrapping_sub(source.highest as u16);
        if (1..MAX_DROPOUT).contains(&step) {
            source.highest = source.highest.wrapping_add(u32::from(step));
            source.holes += u32::from(step > 1);
        } else if step == 0 || step > u16::MAX - MAX_MISORDER {
            source.disordered += 1;
        } else if source.restart_at == Some(header.sequence) {
            return self.begin(header, transit);
        } else {
            // RFC 3550 A.1: one packet far off proves nothing; two in a row are a restart.
            source.restart_at = Some(header.sequence.wrapping_add(1));
            return;
        }
        source.restart_at = None;
        source.received = source.received.wrapping_add(1);
        source.measure_jitter(header.timestamp, transit);
    }

    fn begin(&mut self, header: &Header, transit: u32) {
        if let Some(source) = self.source.take() {
            self.past = source.add_to(self.past);
        }
        self.source = Some(Source::begin(header, transit));
        self.sender_report = None;
    }

    /// Notes a sender report of the source, for LSR and DLSR.
    pub fn sender_report(&mut self, ssrc: u32, ntp: Ntp, arrival: Micros) {
        if self.ssrc() == Some(ssrc) {
            self.sender_report = Some((ntp.middle(), arrival));
        }
    }

    /// The report block about the source, for a report sent `now`; begins a new interval of `fraction_lost`.
    ///
    /// None before the first packet.
    pub fn report(&mut self, now: Micros) -> Option<ReportBlock> {
        let source = self.source.as_mut()?;
        let expected = source.expected();
        let lost = i64::from(expected) - i64::from(source.received);
        let expected_interval = expected.wrapping_sub(source.expected_prior);
        let received_interval = source.received.wrapping_sub(source.received_prior);
        source.expected_prior = expected;
        source.received_prior = source.received;
        let lost_interval = expected_interval.saturating_sub(received_interval);
        let fraction = (u64::from(lost_interval) << 8)
            .checked_div(u64::from(expected_interval))
            .unwrap_or(0);
        let (last_sender_report, delay) = match self.sender_report {
            None => (0, 0),
            Some((middle, at)) => (
                middle,
                ((u128::from(now.since(at).0) << 16) / 1_000_000) as u32,
            ),
        };
        Some(ReportBlock {
            ssrc: source.ssrc,
            fraction_lost: fraction.min(255) as u8,
            cumulative_lost: lost.clamp(-0x80_0000, 0x7f_ffff) as i32,
            highest_sequence: source.highest,
            jitter: source.jitter >> 4,
            last_sender_report,
            delay,
        })
    }

    /// The source heard now.
    pub fn ssrc(&self) -> Option<u32> {
        self.source.as_ref().map(|source| source.ssrc)
    }

    /// Jitter now, in timestamp units.
    pub fn jitter(&self) -> u32 {
        self.source.as_ref().map_or(0, |source| source.jitter >> 4)
    }

    /// The totals so far.
    pub fn summary(&self) -> Summary {
        self.source
            .as_ref()
            .map_or(self.past, |source| source.add_to(self.past))
    }
}
