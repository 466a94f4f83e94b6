//! RTCP compound packets (RFC 3550 §6): a checked view, [`Builder`] and [`translate`].
//!
//! ```text
//!  |V=2|P|  count  |  packet type  |  length in 32-bit words, less one  |  body …
//! ```
//!
//! [`Compound::parse`] walks every packet, chunk and block once; afterwards iteration cannot fail and every iterator is
//! bounded by the bytes. A compound with one bad packet is refused whole. Packets of types not known here are passed
//! over, not refused. Reduced-size packets (RFC 5506) parse too; [`Compound::is_reduced_size`] tells.
//!
//! Not here: when to send a report (the pipeline), what to put in it (`quality`), SRTCP.

mod build;
mod description;
mod extended;
mod report;
mod translate;

#[cfg(test)]
mod tests;

pub use build::Builder;
pub use description::{Chunk, Chunks};
pub use extended::{Block, Blocks, Extension, LastReference, LastReferences, UNKNOWN, VoipMetrics};
pub use report::{Ntp, ReportBlock, ReportBlocks, SenderInfo};
pub use translate::{Translate, translate};

/// Packet type of a sender report.
pub const SENDER_REPORT: u8 = 200;
/// Packet type of a receiver report.
pub const RECEIVER_REPORT: u8 = 201;
/// Packet type of a source description.
pub const SOURCE_DESCRIPTION: u8 = 202;
/// Packet type of a goodbye.
pub const GOODBYE: u8 = 203;
/// Packet type of an application-defined packet.
pub const APPLICATION: u8 = 204;
/// Packet type of transport-layer feedback (RFC 4585 §6.2).
pub const TRANSPORT_FEEDBACK: u8 = 205;
/// Packet type of payload-specific feedback (RFC 4585 §6.3).
pub const PAYLOAD_FEEDBACK: u8 = 206;
/// Packet type of an extended report (RFC 3611 §2).
pub const EXTENDED_REPORT: u8 = 207;
/// SDES item that names the source across SSRC changes (RFC 3550 §6.5.1).
pub const CNAME: u8 = 1;

/// Why bytes are no RTCP compound packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// A packet is longer than what is left, or its body shorter than its counts say.
    Truncated,
    /// The version of some packet is not 2.
    Version,
    /// Padding elsewhere than on the last packet, or a padding count that cannot be (RFC 3550 §6.4.1).
    Padding,
}

impl core::fmt::Display for Malformed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Truncated => "shorter than its lengths say",
            Self::Version => "not RTCP version 2",
            Self::Padding => "padding where none can be",
        })
    }
}

impl core::error::Error for Malformed {}

/// A compound packet whose lengths have been checked.
#[derive(Debug, Clone, Copy)]
pub struct Compound<'a> {
    bytes: &'a [u8],
}

impl<'a> Compound<'a> {
    /// Checks `bytes`, which is one whole datagram.
    ///
    /// # Errors
    /// [`Malformed`] says what does not add up.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut rest = bytes;
        loop {
            let (raw, following) = Raw::split(rest)?;
            Packet::interpret(raw)?;
            if following.is_empty() {
                return Ok(Self { bytes });
            }
            if raw.is_padded {
                return Err(Malformed::Padding);
            }
            rest = following;
        }
    }

    /// The packets in order.
    pub fn packets(&self) -> Packets<'a> {
        Packets { rest: self.bytes }
    }

    /// Whether it does not begin with a report (RFC 5506): to be expected only where negotiated.
    pub fn is_reduced_size(&self) -> bool {
        !matches!(self.bytes[1], SENDER_REPORT | RECEIVER_REPORT)
    }

    /// The whole compound packet.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

/// Iterator over the packets of a [`Compound`].
#[derive(Debug, Clone)]
pub struct Packets<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Packets<'a> {
    type Item = Packet<'a>;

    fn next(&mut self) -> Option<Packet<'a>> {
        let (raw, rest) = Raw::split(self.rest).ok()?;
        self.rest = rest;
        Packet::interpret(raw).ok()
    }
}

/// One packet cut out by its length field.
#[derive(Debug, Clone, Copy)]
struct Raw<'a> {
    count: u8,
    packet_type: u8,
    is_padded: bool,
    /// What follows the four header bytes, without padding.
    body: &'a [u8],
}

impl<'a> Raw<'a> {
    fn split(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), Malformed> {
        let Some(&[first, packet_type, high, low]) = bytes.first_chunk() else {
            return Err(Malformed::Truncated);
        };
        if first >> 6 != 2 {
            return Err(Malformed::Version);
        }
        let length = 4 + 4 * usize::from(u16::from_be_bytes([high, low]));
        let Some((packet, rest)) = bytes.split_at_checked(length) else {
            return Err(Malformed::Truncated);
        };
        let mut body = &packet[4..];
        let is_padded = first & 0x20 != 0;
        if is_padded {
            let padding = body.last().map_or(0, |count| usize::from(*count));
            if padding == 0 || padding % 4 != 0 || padding > body.len() {
                return Err(Malformed::Padding);
            }
            body = &body[..body.len() - padding];
        }
        Ok((
            Self {
                count: first & 0x1f,
                packet_type,
                is_padded,
                body,
            },
            rest,
        ))
    }
}

/// One packet of a compound.
#[derive(Debug, Clone)]
pub enum Packet<'a> {
    /// What a source sent and how it hears others.
    SenderReport {
        /// Who reports.
        ssrc: u32,
        /// What it has sent.
        info: SenderInfo,
        /// How it hears others.
        blocks: ReportBlocks<'a>,
    },
    /// How a receiver hears others.
    ReceiverReport {
        /// Who reports.
        ssrc: u32,
        /// How it hears others.
        blocks: ReportBlocks<'a>,
    },
    /// Who the sources are.
    SourceDescription(Chunks<'a>),
    /// Sources that leave.
    Goodbye {
        /// The leaving sources, four bytes each.
        sources: Sources<'a>,
        /// Why, in UTF-8 if the peer obeys.
        reason: Option<&'a [u8]>,
    },
    /// Application-defined (RFC 3550 §6.7).
    Application {
        /// Subtype, 0 to 31.
        subtype: u8,
        /// Who sends it.
        ssrc: u32,
        /// Four characters chosen by the application.
        name: [u8; 4],
        /// Application data.
        data: &'a [u8],
    },
    /// Feedback (RFC 4585 §6.1), of [`TRANSPORT_FEEDBACK`] or [`PAYLOAD_FEEDBACK`] type.
    Feedback {
        /// Which of the two types.
        packet_type: u8,
        /// FMT, 0 to 31.
        format: u8,
        /// Who sends it.
        sender: u32,
        /// Which source it is about; zero for some formats.
        media: u32,
        /// Feedback control information.
        fci: &'a [u8],
    },
    /// Extended report (RFC 3611); [`Blocks::parse`] reads its blocks.
    ExtendedReport {
        /// Who reports.
        ssrc: u32,
        /// The report blocks.
        blocks: &'a [u8],
    },
    /// A type not known here.
    Other {
        /// The packet type.
        packet_type: u8,
        /// The count field.
        count: u8,
        /// What follows the header.
        body: &'a [u8],
    },
}

impl<'a> Packet<'a> {
    fn interpret(raw: Raw<'a>) -> Result<Self, Malformed> {
        let Raw {
            count,
            packet_type,
            body,
            ..
        } = raw;
        Ok(match packet_type {
            SENDER_REPORT => {
                let (ssrc, rest) = word(body)?;
                let Some((info, rest)) = rest.split_first_chunk() else {
                    return Err(Malformed::Truncated);
                };
                Self::SenderReport {
                    ssrc,
                    info: SenderInfo::read(info),
                    blocks: ReportBlocks::split(rest, count)?,
                }
            }
            RECEIVER_REPORT => {
                let (ssrc, rest) = word(body)?;
                Self::ReceiverReport {
                    ssrc,
                    blocks: ReportBlocks::split(rest, count)?,
                }
            }
            SOURCE_DESCRIPTION => Self::SourceDescription(Chunks::check(body, count)?),
            GOODBYE => {
                let Some((sources, rest)) = body.split_at_checked(4 * usize::from(count)) else {
                    return Err(Malformed::Truncated);
                };
                let reason = match rest.split_first() {
                    None => None,
                    Some((length, text)) => Some(
                        text.get(..usize::from(*length))
                            .ok_or(Malformed::Truncated)?,
                    ),
                };
                Self::Goodbye {
                    sources: Sources {
                        words: sources.as_chunks().0,
                    },
                    reason,
                }
            }
            APPLICATION => {
                let (ssrc, rest) = word(body)?;
                let Some((name, data)) = rest.split_first_chunk() else {
                    return Err(Malformed::Truncated);
                };
                Self::Application {
                    subtype: count,
                    ssrc,
                    name: *name,
                    data,
                }
            }
            TRANSPORT_FEEDBACK | PAYLOAD_FEEDBACK => {
                let (sender, rest) = word(body)?;
                let (media, fci) = word(rest)?;
                Self::Feedback {
                    packet_type,
                    format: count,
                    sender,
                    media,
                    fci,
                }
            }
            EXTENDED_REPORT => {
                let (ssrc, blocks) = word(body)?;
                Self::ExtendedReport { ssrc, blocks }
            }
            _ => Self::Other {
                packet_type,
                count,
                body,
            },
        })
    }
}

fn word(bytes: &[u8]) -> Result<(u32, &[u8]), Malformed> {
    let (word, rest) = bytes.split_first_chunk().ok_or(Malformed::Truncated)?;
    Ok((u32::from_be_bytes(*word), rest))
}

/// Iterator over the sources of a goodbye.
#[derive(Debug, Clone)]
pub struct Sources<'a> {
    words: &'a [[u8; 4]],
}

impl Iterator for Sources<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let (word, rest) = self.words.split_first()?;
        self.words = rest;
        Some(u32::from_be_bytes(*word))
    }
}
