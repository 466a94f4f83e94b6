//! STUN messages (RFC 8489), as far as binding checks and consent need them.
//!
//! ```text
//!  |0 0|  type: method and class  |  length of attributes  |
//!  |                   magic cookie 0x2112A442             |
//!  |                 transaction id, 12 bytes              |  attributes: type, length, value padded to words …
//! ```
//!
//! [`Message::parse`] walks all attributes once. Integrity and fingerprint are checked on request, each over the bytes it
//! covers; attributes behind MESSAGE-INTEGRITY other than FINGERPRINT are not shown (RFC 8489 §14.5).
//!
//! Not here: transactions, ICE, TURN, MESSAGE-INTEGRITY-SHA256, the classification of datagrams (RFC 7983).

mod attribute;
mod build;

#[cfg(test)]
mod tests;

pub use attribute::{Attribute, Attributes};
pub use build::Builder;

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use subtle::ConstantTimeEq;

/// Bytes of the header.
pub const HEADER: usize = 20;

/// The magic cookie of RFC 5389 and later.
pub const MAGIC_COOKIE: u32 = 0x2112_A442;

/// Method of a binding.
pub const BINDING: u16 = 0x001;

/// What role a message plays (RFC 8489 §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Asks.
    Request,
    /// Says without asking.
    Indication,
    /// Answers well.
    Success,
    /// Answers with an error.
    Error,
}

impl Class {
    const fn bits(self) -> u16 {
        match self {
            Self::Request => 0x000,
            Self::Indication => 0x010,
            Self::Success => 0x100,
            Self::Error => 0x110,
        }
    }

    const fn of(message_type: u16) -> Self {
        match message_type & 0x110 {
            0x000 => Self::Request,
            0x010 => Self::Indication,
            0x100 => Self::Success,
            _ => Self::Error,
        }
    }
}

/// Twelve bytes that tie an answer to its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TransactionId(pub [u8; 12]);

/// Why bytes are no STUN message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// Fewer or more bytes than header and length say, or an attribute reaches out of the message.
    Length,
    /// The first two bits or the magic cookie are those of another protocol.
    NotStun,
}

impl core::fmt::Display for Malformed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Length => "lengths do not add up",
            Self::NotStun => "not a STUN message",
        })
    }
}

impl core::error::Error for Malformed {}

/// Verdict on MESSAGE-INTEGRITY or FINGERPRINT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// It is there and right.
    Valid,
    /// It is there and wrong.
    Invalid,
    /// It is not there.
    Absent,
}

/// A message whose lengths have been checked.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    bytes: &'a [u8],
}

impl<'a> Message<'a> {
    /// Checks `bytes`, which is one whole datagram.
    ///
    /// # Errors
    /// [`Malformed`] says what does not add up.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let Some(header) = bytes.first_chunk::<HEADER>() else {
            return Err(Malformed::Length);
        };
        // RFC 8489 §5: two zero bits and the cookie tell STUN from what shares its port.
        if header[0] & 0xc0 != 0 || header[4..8] != MAGIC_COOKIE.to_be_bytes() {
            return Err(Malformed::NotStun);
        }
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        if length % 4 != 0
            || bytes.len() != HEADER + length
            || !attribute::is_whole(&bytes[HEADER..])
        {
            return Err(Malformed::Length);
        }
        Ok(Self { bytes })
    }

    /// The method, [`BINDING`] or another.
    pub fn method(&self) -> u16 {
        let bits = self.message_type();
        // RFC 8489 §5: the class bits lie between the method bits.
        bits & 0x000f | (bits & 0x00e0) >> 1 | (bits & 0x3e00) >> 2
    }

    /// The class.
    pub fn class(&self) -> Class {
        Class::of(self.message_type())
    }

    fn message_type(&self) -> u16 {
        u16::from_be_bytes([self.bytes[0], self.bytes[1]])
    }

    /// The transaction id.
    pub fn transaction_id(&self) -> TransactionId {
        TransactionId(
            *self.bytes[8..]
                .first_chunk()
                .expect("parse found a whole header"),
        )
    }

    /// The attributes in order, up to MESSAGE-INTEGRITY and FINGERPRINT.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.bytes)
    }

    /// Checks MESSAGE-INTEGRITY with `key`, the password of short-term credentials (RFC 8489 §14.5).
    pub fn integrity(&self, key: &[u8]) -> Check {
        let Some((at, value)) = attribute::find(self.bytes, attribute::MESSAGE_INTEGRITY) else {
            return Check::Absent;
        };
        let valid = value.len() == 20
            && bool::from(integrity(&self.bytes[..at], key).as_slice().ct_eq(value));
        if valid { Check::Valid } else { Check::Invalid }
    }

    /// Checks FINGERPRINT, which is the last attribute (RFC 8489 §14.7).
    pub fn fingerprint(&self) -> Check {
        let Some((at, value)) = attribute::find(self.bytes, attribute::FINGERPRINT) else {
            return Check::Absent;
        };
        let is_last = at + 8 == self.bytes.len();
        let valid = is_last && value == fingerprint(&self.bytes[..at]).to_be_bytes();
        if valid { Check::Valid } else { Check::Invalid }
    }
}

/// HMAC-SHA1 over the message up to MESSAGE-INTEGRITY, its length field as if that attribute were the last.
fn integrity(before: &[u8], key: &[u8]) -> [u8; 20] {
    let mut mac =
        <Hmac<Sha1> as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(&before[..2]);
    mac.update(&((before.len() - HEADER + 24) as u16).to_be_bytes());
    mac.update(&before[4..]);
    mac.finalize().into_bytes().into()
}

/// CRC-32 over the message up to FINGERPRINT, its length field already counting it, XORed so that it is no other's CRC.
fn fingerprint(before: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in before {
        crc = CRC[usize::from(crc as u8 ^ byte)] ^ crc >> 8;
    }
    !crc ^ 0x5354_554e
}

static CRC: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut crc = index as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 0 {
                crc >> 1
            } else {
                0xedb8_8320 ^ crc >> 1
            };
            bit += 1;
        }
        table[index] = crc;
        index += 1;
    }
    table
};
