//! Extended reports (RFC 3611): reference times, by which who only listens learns the round trip, and metrics of a conversation.
//!
//! ```text
//!  |  block type  |  type-specific  |  length in 32-bit words, less one  |  body …
//! ```
//!
//! [`Blocks::parse`] walks the blocks once; a block of another type, or of another length than its type has, is passed over as
//! [`Block::Other`], as RFC 3611 §3 wants it.
//!
//! Not here: the run-length blocks of losses and times (types 1 to 3), which nobody in telephony sends; computing (`quality`).

use super::{Malformed, Ntp};

const REFERENCE_TIME: u8 = 4;
const LAST_REFERENCE: u8 = 5;
const VOIP_METRICS: u8 = 7;

/// One block of an extended report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Block<'a> {
    /// When the report was sent, by the clock of its sender (§4.4).
    ReferenceTime(Ntp),
    /// The last reference times heard, for their senders to learn the round trip (§4.5).
    LastReferences(LastReferences<'a>),
    /// What a conversation is like for the reporter (§4.7).
    VoipMetrics(VoipMetrics),
    /// Another block.
    Other {
        /// Its type.
        kind: u8,
        /// What follows its four octets.
        body: &'a [u8],
    },
}

/// The blocks of an extended report.
#[derive(Debug, Clone, Copy)]
pub struct Blocks<'a> {
    rest: &'a [u8],
}

impl<'a> Blocks<'a> {
    /// Checks the blocks of a [`super::Packet::ExtendedReport`].
    ///
    /// # Errors
    /// [`Malformed::Truncated`] when a block is longer than what is left.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut rest = bytes;
        while !rest.is_empty() {
            (_, _, rest) = split(rest).ok_or(Malformed::Truncated)?;
        }
        Ok(Self { rest: bytes })
    }
}

impl<'a> Iterator for Blocks<'a> {
    type Item = Block<'a>;

    fn next(&mut self) -> Option<Block<'a>> {
        let (kind, body, rest) = split(self.rest)?;
        self.rest = rest;
        let other = Block::Other { kind, body };
        Some(match kind {
            REFERENCE_TIME => body.as_array().map_or(other, |time| {
                Block::ReferenceTime(Ntp(u64::from_be_bytes(*time)))
            }),
            LAST_REFERENCE => {
                let (entries, excess) = body.as_chunks();
                if excess.is_empty() {
                    Block::LastReferences(LastReferences { entries })
                } else {
                    other
                }
            }
            VOIP_METRICS => body
                .as_array()
                .map_or(other, |body| Block::VoipMetrics(VoipMetrics::read(body))),
            _ => other,
        })
    }
}

/// Type, body and what is behind.
fn split(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[kind, _, high, low], rest) = bytes.split_first_chunk()?;
    let length = 4 * usize::from(u16::from_be_bytes([high, low]));
    let (body, rest) = rest.split_at_checked(length)?;
    Some((kind, body, rest))
}

/// How long ago a reference time was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LastReference {
    /// Whose it was.
    pub ssrc: u32,
    /// [`Ntp::middle`] of it; zero if none was heard.
    pub last: u32,
    /// Time since then in 1/65,536 seconds; zero if none was heard.
    pub delay: u32,
}

impl LastReference {
    const LENGTH: usize = 12;
}

/// Iterator over the entries of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastReferences<'a> {
    entries: &'a [[u8; LastReference::LENGTH]],
}

impl Iterator for LastReferences<'_> {
    type Item = LastReference;

    fn next(&mut self) -> Option<LastReference> {
        let (entry, rest) = self.entries.split_first()?;
        self.entries = rest;
        let (words, _) = entry.as_chunks::<4>();
        let [ssrc, last, delay] = [0, 1, 2].map(|at| u32::from_be_bytes(words[at]));
        Some(LastReference { ssrc, last, delay })
    }
}

/// Metrics of a conversation (RFC 3611 §4.7). Times are in milliseconds, rates and densities in 1/256.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VoipMetrics {
    /// The source this is about.
    pub ssrc: u32,
    /// Packets lost in the network.
    pub loss_rate: u8,
    /// Packets thrown away by the player, too late or too early.
    pub discard_rate: u8,
    /// Lost and thrown away within bursts.
    pub burst_density: u8,
    /// Lost and thrown away between them.
    pub gap_density: u8,
    /// How long a burst lasts on average.
    pub burst_duration: u16,
    /// How long there is none.
    pub gap_duration: u16,
    /// The last round trip; zero if unknown.
    pub round_trip: u16,
    /// From packet to ear and from mouth to packet; zero if unknown.
    pub end_system_delay: u16,
    /// Level of speech in dBm0; 127 if unknown.
    pub signal_level: i8,
    /// Level of silence in dBm0; 127 if unknown.
    pub noise_level: i8,
    /// Residual echo return loss in dB; 127 if unknown.
    pub echo_return_loss: u8,
    /// Packets that must arrive for a burst to be over, 16 as a rule.
    pub gap_threshold: u8,
    /// R, 0 to 100; 127 if unknown.
    pub rating: u8,
    /// R of what lies behind; 127 if unknown.
    pub external_rating: u8,
    /// Mean opinion of listening, in tenths; 127 if unknown.
    pub listening_opinion: u8,
    /// Mean opinion of conversing, in tenths; 127 if unknown.
    pub conversing_opinion: u8,
    /// Concealment and kind of buffer (§4.7.6).
    pub receiver: u8,
    /// The player's buffer now.
    pub buffer_nominal: u16,
    /// The longest it may be now.
    pub buffer_maximum: u16,
    /// The longest it may ever be.
    pub buffer_limit: u16,
}

/// In the octets of [`VoipMetrics`] that have a word for it: nobody knows.
pub const UNKNOWN: u8 = 127;

impl Default for VoipMetrics {
    /// Nothing lost, nothing known.
    fn default() -> Self {
        Self {
            ssrc: 0,
            loss_rate: 0,
            discard_rate: 0,
            burst_density: 0,
            gap_density: 0,
            burst_duration: 0,
            gap_duration: 0,
            round_trip: 0,
            end_system_delay: 0,
            signal_level: UNKNOWN as i8,
            noise_level: UNKNOWN as i8,
            echo_return_loss: UNKNOWN,
            gap_threshold: 16,
            rating: UNKNOWN,
            external_rating: UNKNOWN,
            listening_opinion: UNKNOWN,
            conversing_opinion: UNKNOWN,
            receiver: 0,
            buffer_nominal: 0,
            buffer_maximum: 0,
            buffer_limit: 0,
        }
    }
}

impl VoipMetrics {
    const LENGTH: usize = 32;

    fn read(body: &[u8; Self::LENGTH]) -> Self {
        let half = |at: usize| u16::from_be_bytes([body[at], body[at + 1]]);
        Self {
            ssrc: u32::from_be_bytes([body[0], body[1], body[2], body[3]]),
            loss_rate: body[4],
            discard_rate: body[5],
            burst_density: body[6],
            gap_density: body[7],
            burst_duration: half(8),
            gap_duration: half(10),
            round_trip: half(12),
            end_system_delay: half(14),
            signal_level: body[16] as i8,
            noise_level: body[17] as i8,
            echo_return_loss: body[18],
            gap_threshold: body[19],
            rating: body[20],
            external_rating: body[21],
            listening_opinion: body[22],
            conversing_opinion: body[23],
            receiver: body[24],
            buffer_nominal: half(26),
            buffer_maximum: half(28),
            buffer_limit: half(30),
        }
    }

    fn write(&self, body: &mut [u8]) {
        let halves = [
            (8, self.burst_duration),
            (10, self.gap_duration),
            (12, self.round_trip),
            (14, self.end_system_delay),
            (26, self.buffer_nominal),
            (28, self.buffer_maximum),
            (30, self.buffer_limit),
        ];
        for (at, value) in halves {
            body[at..at + 2].copy_from_slice(&value.to_be_bytes());
        }
        body[..4].copy_from_slice(&self.ssrc.to_be_bytes());
        body[4..8].copy_from_slice(&[
            self.loss_rate,
            self.discard_rate,
            self.burst_density,
            self.gap_density,
        ]);
        body[16..26].copy_from_slice(&[
            self.signal_level as u8,
            self.noise_level as u8,
            self.echo_return_loss,
            self.gap_threshold,
            self.rating,
            self.external_rating,
            self.listening_opinion,
            self.conversing_opinion,
            self.receiver,
            0,
        ]);
    }
}

/// A block to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extension<'a> {
    /// See [`Block::ReferenceTime`].
    ReferenceTime(Ntp),
    /// See [`Block::LastReferences`].
    LastReferences(&'a [LastReference]),
    /// See [`Block::VoipMetrics`].
    VoipMetrics(&'a VoipMetrics),
}

impl Extension<'_> {
    /// Octets with the block's own header.
    pub(super) fn length(&self) -> usize {
        4 + match self {
            Self::ReferenceTime(_) => 8,
            Self::LastReferences(entries) => LastReference::LENGTH * entries.len(),
            Self::VoipMetrics(_) => VoipMetrics::LENGTH,
        }
    }

    /// Writes the block into exactly so many octets.
    pub(super) fn write(&self, out: &mut [u8]) {
        let words = (out.len() / 4 - 1) as u16;
        let (header, body) = out.split_at_mut(4);
        let kind = match self {
            Self::ReferenceTime(time) => {
                body.copy_from_slice(&time.0.to_be_bytes());
                REFERENCE_TIME
            }
            Self::LastReferences(entries) => {
                let places = body.as_chunks_mut::<{ LastReference::LENGTH }>().0;
                for (place, entry) in places.iter_mut().zip(*entries) {
                    let words = place.as_chunks_mut::<4>().0;
                    for (word, value) in words.iter_mut().zip([entry.ssrc, entry.last, entry.delay])
                    {
                        *word = value.to_be_bytes();
                    }
                }
                LAST_REFERENCE
            }
            Self::VoipMetrics(metrics) => {
                metrics.write(body);
                VOIP_METRICS
            }
        };
        header[..2].copy_from_slice(&[kind, 0]);
        header[2..].copy_from_slice(&words.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::super::{Builder, Compound, Packet};
    use super::*;

    fn blocks_of(compound: &[u8]) -> Vec<Block<'_>> {
        let compound = Compound::parse(compound).unwrap();
        let Some(Packet::ExtendedReport { ssrc: 7, blocks }) = compound.packets().last() else {
            panic!("an extended report of 7");
        };
        Blocks::parse(blocks).unwrap().collect()
    }

    #[test]
    fn what_is_written_is_read() {
        let metrics = VoipMetrics {
            ssrc: 9,
            loss_rate: 12,
            burst_duration: 0x1234,
            round_trip: 250,
            signal_level: -20,
            noise_level: -65,
            rating: 82,
            listening_opinion: 41,
            conversing_opinion: 40,
            receiver: 0b1011_0000,
            buffer_limit: 300,
            ..VoipMetrics::default()
        };
        let references = [
            LastReference {
                ssrc: 1,
                last: 2,
                delay: 3,
            },
            LastReference::default(),
        ];
        let mut out = [0; 256];
        let mut builder = Builder::new(&mut out);
        builder
            .receiver_report(7, &[])
            .unwrap()
            .extended_report(
                7,
                &[
                    Extension::ReferenceTime(Ntp(0x0102_0304_0506_0708)),
                    Extension::LastReferences(&references),
                    Extension::VoipMetrics(&metrics),
                ],
            )
            .unwrap();
        let length = builder.finish();
        let blocks = blocks_of(&out[..length]);
        assert_eq!(blocks[0], Block::ReferenceTime(Ntp(0x0102_0304_0506_0708)));
        let Block::LastReferences(read) = blocks[1] else {
            panic!("{:?}", blocks[1]);
        };
        assert!(read.eq(references));
        assert_eq!(blocks[2], Block::VoipMetrics(metrics));
        assert_eq!(blocks.len(), 3);
    }

    /// The octets in the order in which RFC 3611 §4.7 draws them.
    #[test]
    fn metrics_lie_where_the_rfc_draws_them() {
        let drawn: [u8; 40] = [
            0x80, 207, 0, 9, 0, 0, 0, 7, 7, 0, 0, 8, 0, 0, 0, 9, 1, 2, 3, 4, 0, 5, 0, 6, 0, 7, 0,
            8, 0xf0, 0xc0, 30, 16, 93, 127, 44, 43, 0xb0, 0, 0, 60,
        ];
        let drawn = [&drawn[..], &[0, 100, 0, 200]].concat();
        let mut drawn = drawn;
        drawn[3] = 10;
        let [Block::VoipMetrics(metrics)] = blocks_of(&drawn)[..] else {
            panic!("one block of metrics");
        };
        assert_eq!(
            (metrics.ssrc, metrics.loss_rate, metrics.gap_density),
            (9, 1, 4)
        );
        assert_eq!((metrics.burst_duration, metrics.end_system_delay), (5, 8));
        assert_eq!((metrics.signal_level, metrics.noise_level), (-16, -64));
        assert_eq!((metrics.rating, metrics.conversing_opinion), (93, 43));
        assert_eq!((metrics.buffer_nominal, metrics.buffer_limit), (60, 200));
    }

    #[test]
    fn other_blocks_are_passed_over_and_short_ones_refused() {
        let strange = [200, 1, 0, 1, 1, 2, 3, 4, 4, 0, 0, 1, 1, 2, 3, 4];
        let blocks: Vec<_> = Blocks::parse(&strange).unwrap().collect();
        assert_eq!(
            blocks,
            [
                Block::Other {
                    kind: 200,
                    body: &[1, 2, 3, 4]
                },
                // A reference time of another length than §4.4 says.
                Block::Other {
                    kind: 4,
                    body: &[1, 2, 3, 4]
                },
            ]
        );
        assert_eq!(
            Blocks::parse(&strange[..14]).err(),
            Some(Malformed::Truncated)
        );
        assert_eq!(
            Blocks::parse(&strange[..10]).err(),
            Some(Malformed::Truncated)
        );
    }
}
