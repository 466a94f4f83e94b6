//! RTP packets (RFC 3550 §5): a checked view, a writable view, and a header as a value.
//!
//! ```text
//!  0                   1                   2                   3
//! |V=2|P|X|  CC   |M|     PT      |       sequence number         |
//! |                           timestamp                           |
//! |                             SSRC                              |
//! |                      CSRC (0 to 15 of them)                   |
//! |  extension profile (if X)     |  length in 32-bit words       | …
//! ```
//!
//! [`Packet::parse`] checks every length once; after it no accessor can fail. An *encrypted* packet keeps its padding
//! under the cipher, so before SRTP only [`Header::read`] is meaningful.
//!
//! Not here: sequence arithmetic over time (`quality`, `srtp`), which payload type means what (the pipeline's map).

use crate::NoRoom;

#[cfg(test)]
mod tests;

/// Bytes of the fixed header, the least an RTP packet can have.
pub const FIXED_HEADER: usize = 12;

/// Why bytes are no RTP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// Fewer bytes than the header, its CSRC list or its extension announces.
    Truncated,
    /// The version is not 2.
    Version,
    /// The padding count is zero or reaches into the header (RFC 3550 §5.1).
    Padding,
}

impl core::fmt::Display for Malformed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Truncated => "shorter than its header says",
            Self::Version => "not RTP version 2",
            Self::Padding => "padding count out of range",
        })
    }
}

impl core::error::Error for Malformed {}

/// The fixed header as a value: what a sender chooses for each packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Marker bit: for audio the first packet of a talk spurt (RFC 3551 §4.1).
    pub marker: bool,
    /// Payload type, 0 to 127; the top bit is ignored when written.
    pub payload_type: u8,
    /// Sequence number.
    pub sequence: u16,
    /// Media timestamp, in units of the clock rate.
    pub timestamp: u32,
    /// Synchronisation source.
    pub ssrc: u32,
}

impl Header {
    /// Reads the header of a plain or encrypted packet; also gives its full length with CSRCs and extension.
    ///
    /// # Errors
    /// [`Malformed::Truncated`] or [`Malformed::Version`]. Padding is not looked at: under SRTP it is ciphertext.
    #[inline]
    pub fn read(bytes: &[u8]) -> Result<(Self, usize), Malformed> {
        let Some((fixed, _)) = bytes.split_first_chunk::<FIXED_HEADER>() else {
            return Err(Malformed::Truncated);
        };
        if fixed[0] >> 6 != 2 {
            return Err(Malformed::Version);
        }
        let mut length = FIXED_HEADER + 4 * usize::from(fixed[0] & 0x0f);
        if fixed[0] & 0x10 != 0 {
            let Some(words) = bytes.get(length + 2..length + 4) else {
                return Err(Malformed::Truncated);
            };
            length += 4 + 4 * usize::from(u16::from_be_bytes([words[0], words[1]]));
        }
        if bytes.len() < length {
            return Err(Malformed::Truncated);
        }
        Ok((Self::of(fixed), length))
    }

    fn of(fixed: &[u8; FIXED_HEADER]) -> Self {
        Self {
            marker: fixed[1] & 0x80 != 0,
            payload_type: fixed[1] & 0x7f,
            sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
            timestamp: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
            ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
        }
    }

    /// Writes a packet of this header and `payload` (no CSRC, extension or padding) and gives its length.
    ///
    /// # Errors
    /// [`NoRoom`] when `out` is shorter than header and payload.
    #[inline]
    pub fn emit(&self, payload: &[u8], out: &mut [u8]) -> Result<usize, NoRoom> {
        let needed = FIXED_HEADER + payload.len();
        let Some(out) = out.get_mut(..needed) else {
            return Err(NoRoom { needed });
        };
        out[0] = 0x80;
        self.overwrite(out);
        out[FIXED_HEADER..].copy_from_slice(payload);
        Ok(needed)
    }

    /// Everything but the first byte, which says how the packet is laid out. `out` has at least a fixed header.
    fn overwrite(&self, out: &mut [u8]) {
        out[1] = u8::from(self.marker) << 7 | self.payload_type & 0x7f;
        out[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        out[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        out[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
    }
}

/// A header extension (RFC 3550 §5.3.1), opaque here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extension<'a> {
    /// "Defined by profile": 0xBEDE and 0x100x are the forms of RFC 8285.
    pub profile: u16,
    /// The extension's words.
    pub data: &'a [u8],
}

/// A plain RTP packet whose lengths have been checked.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    bytes: &'a [u8],
    header: Header,
    payload_at: usize,
    payload_end: usize,
}

impl<'a> Packet<'a> {
    /// Checks `bytes`, which is one whole datagram.
    ///
    /// # Errors
    /// [`Malformed`] says what does not add up.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (header, payload_at) = Header::read(bytes)?;
        let mut payload_end = bytes.len();
        if bytes[0] & 0x20 != 0 {
            // RFC 3550 §5.1: the last octet counts the padding, itself included.
            let padding = usize::from(bytes[bytes.len() - 1]);
            if padding == 0 || padding > bytes.len() - payload_at {
                return Err(Malformed::Padding);
            }
            payload_end -= padding;
        }
        Ok(Self {
            bytes,
            header,
            payload_at,
            payload_end,
        })
    }

    /// The fixed header as a value.
    #[inline]
    pub fn header(&self) -> Header {
        self.header
    }

    /// Marker bit.
    #[inline]
    pub fn marker(&self) -> bool {
        self.header.marker
    }

    /// Payload type, 0 to 127.
    #[inline]
    pub fn payload_type(&self) -> u8 {
        self.header.payload_type
    }

    /// Sequence number.
    #[inline]
    pub fn sequence(&self) -> u16 {
        self.header.sequence
    }

    /// Media timestamp.
    #[inline]
    pub fn timestamp(&self) -> u32 {
        self.header.timestamp
    }

    /// Synchronisation source.
    #[inline]
    pub fn ssrc(&self) -> u32 {
        self.header.ssrc
    }

    /// The contributing sources, at most 15.
    pub fn csrcs(&self) -> impl ExactSizeIterator<Item = u32> + 'a {
        let end = FIXED_HEADER + 4 * usize::from(self.bytes[0] & 0x0f);
        let (words, _) = self.bytes[FIXED_HEADER..end].as_chunks::<4>();
        words.iter().map(|word| u32::from_be_bytes(*word))
    }

    /// The header extension, if the X bit is set.
    pub fn extension(&self) -> Option<Extension<'a>> {
        if self.bytes[0] & 0x10 == 0 {
            return None;
        }
        let at = FIXED_HEADER + 4 * usize::from(self.bytes[0] & 0x0f);
        Some(Extension {
            profile: u16::from_be_bytes([self.bytes[at], self.bytes[at + 1]]),
            data: &self.bytes[at + 4..self.payload_at],
        })
    }

    /// Bytes before the payload: fixed header, CSRCs, extension.
    #[inline]
    pub fn header_len(&self) -> usize {
        self.payload_at
    }

    /// The payload without padding.
    #[inline]
    pub fn payload(&self) -> &'a [u8] {
        &self.bytes[self.payload_at..self.payload_end]
    }

    /// How many bytes of padding follow the payload.
    #[inline]
    pub fn padding_len(&self) -> usize {
        self.bytes.len() - self.payload_end
    }

    /// The whole packet.
    #[inline]
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

/// A plain RTP packet to be rewritten where it lies. CSRCs, extension, payload and padding stay as they are.
#[derive(Debug)]
pub struct PacketMut<'a> {
    bytes: &'a mut [u8],
}

impl<'a> PacketMut<'a> {
    /// Checks `bytes` as [`Packet::parse`] does.
    ///
    /// # Errors
    /// [`Malformed`] says what does not add up.
    #[inline]
    pub fn parse(bytes: &'a mut [u8]) -> Result<Self, Malformed> {
        Packet::parse(bytes)?;
        Ok(Self { bytes })
    }

    /// The fixed header as it stands now.
    #[inline]
    pub fn header(&self) -> Header {
        let fixed = self
            .bytes
            .first_chunk()
            .expect("parse found a fixed header");
        Header::of(fixed)
    }

    /// Replaces marker, payload type, sequence number, timestamp and SSRC at once.
    #[inline]
    pub fn set_header(&mut self, header: Header) {
        header.overwrite(self.bytes);
    }

    /// Replaces the payload type; the marker stays. The top bit of `payload_type` is ignored.
    #[inline]
    pub fn set_payload_type(&mut self, payload_type: u8) {
        self.bytes[1] = self.bytes[1] & 0x80 | payload_type & 0x7f;
    }

    /// Replaces the sequence number.
    #[inline]
    pub fn set_sequence(&mut self, sequence: u16) {
        self.bytes[2..4].copy_from_slice(&sequence.to_be_bytes());
    }

    /// Replaces the timestamp.
    #[inline]
    pub fn set_timestamp(&mut self, timestamp: u32) {
        self.bytes[4..8].copy_from_slice(&timestamp.to_be_bytes());
    }

    /// Replaces the SSRC.
    #[inline]
    pub fn set_ssrc(&mut self, ssrc: u32) {
        self.bytes[8..12].copy_from_slice(&ssrc.to_be_bytes());
    }
}
