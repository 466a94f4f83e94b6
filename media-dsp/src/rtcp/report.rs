//! The parts of sender and receiver reports (RFC 3550 §6.4.1): NTP time, sender information, report blocks.
//!
//! Values that read from and write to their fixed places; the same structs serve view, builder and `quality`.
//!
//! Not here: computing them (`quality`).

use super::Malformed;

/// An NTP timestamp: seconds since 1900 in the upper half, their fraction in the lower (RFC 3550 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Ntp(pub u64);

impl Ntp {
    /// Seconds from the NTP epoch (1900) to the Unix epoch (1970).
    const UNIX_EPOCH: u64 = 2_208_988_800;

    /// The NTP time of a Unix time; it wraps in 2036 as the wire format does.
    pub fn from_unix(seconds: u64, nanoseconds: u32) -> Self {
        let fraction = (u64::from(nanoseconds) << 32) / 1_000_000_000;
        Self(seconds.wrapping_add(Self::UNIX_EPOCH) << 32 | fraction)
    }

    /// The middle 32 bits: 1/65,536 seconds, as LSR and DLSR count them.
    pub fn middle(self) -> u32 {
        (self.0 >> 16) as u32
    }
}

/// What a sender has sent so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SenderInfo {
    /// Wall clock at the time of the report.
    pub ntp: Ntp,
    /// The same instant on the media clock.
    pub rtp_timestamp: u32,
    /// Packets sent.
    pub packets: u32,
    /// Payload octets sent, without headers and padding.
    pub octets: u32,
}

impl SenderInfo {
    pub(super) const LENGTH: usize = 20;

    pub(super) fn read(bytes: &[u8; Self::LENGTH]) -> Self {
        let (words, _) = bytes.as_chunks::<4>();
        let at = |index: usize| u32::from_be_bytes(words[index]);
        Self {
            ntp: Ntp(u64::from(at(0)) << 32 | u64::from(at(1))),
            rtp_timestamp: at(2),
            packets: at(3),
            octets: at(4),
        }
    }

    pub(super) fn bytes(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        bytes[..8].copy_from_slice(&self.ntp.0.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.rtp_timestamp.to_be_bytes());
        bytes[12..16].copy_from_slice(&self.packets.to_be_bytes());
        bytes[16..].copy_from_slice(&self.octets.to_be_bytes());
        bytes
    }
}

/// How one source is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReportBlock {
    /// The source this block is about.
    pub ssrc: u32,
    /// Loss since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Packets lost since the beginning; negative when duplicates outnumber losses. 24 bits on the wire.
    pub cumulative_lost: i32,
    /// Highest sequence number, with the count of wraps in the upper half.
    pub highest_sequence: u32,
    /// Interarrival jitter in timestamp units.
    pub jitter: u32,
    /// [`Ntp::middle`] of the last sender report heard from the source; zero if none.
    pub last_sender_report: u32,
    /// Time since then in 1/65,536 seconds; zero if none.
    pub delay: u32,
}

impl ReportBlock {
    pub(super) const LENGTH: usize = 24;

    pub(super) fn read(bytes: &[u8; Self::LENGTH]) -> Self {
        let (words, _) = bytes.as_chunks::<4>();
        let at = |index: usize| u32::from_be_bytes(words[index]);
        Self {
            ssrc: at(0),
            fraction_lost: bytes[4],
            // Arithmetic shift: the lower 24 bits are a signed number.
            cumulative_lost: ((at(1) << 8) as i32) >> 8,
            highest_sequence: at(2),
            jitter: at(3),
            last_sender_report: at(4),
            delay: at(5),
        }
    }

    pub(super) fn bytes(&self) -> [u8; Self::LENGTH] {
        let lost = self.cumulative_lost.clamp(-0x80_0000, 0x7f_ffff) as u32 & 0xff_ffff;
        let words = [
            self.ssrc,
            u32::from(self.fraction_lost) << 24 | lost,
            self.highest_sequence,
            self.jitter,
            self.last_sender_report,
            self.delay,
        ];
        let mut bytes = [0; Self::LENGTH];
        for (place, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(words) {
            *place = word.to_be_bytes();
        }
        bytes
    }
}

/// Iterator over the report blocks of a report, at most 31.
#[derive(Debug, Clone)]
pub struct ReportBlocks<'a> {
    blocks: &'a [[u8; ReportBlock::LENGTH]],
}

impl<'a> ReportBlocks<'a> {
    /// The first `count` blocks; what follows them is a profile's extension (RFC 3550 §6.4.3).
    pub(super) fn split(bytes: &'a [u8], count: u8) -> Result<Self, Malformed> {
        let blocks = bytes
            .as_chunks()
            .0
            .get(..usize::from(count))
            .ok_or(Malformed::Truncated)?;
        Ok(Self { blocks })
    }
}

impl Iterator for ReportBlocks<'_> {
    type Item = ReportBlock;

    fn next(&mut self) -> Option<ReportBlock> {
        let (block, rest) = self.blocks.split_first()?;
        self.blocks = rest;
        Some(ReportBlock::read(block))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.blocks.len(), Some(self.blocks.len()))
    }
}

impl ExactSizeIterator for ReportBlocks<'_> {}
