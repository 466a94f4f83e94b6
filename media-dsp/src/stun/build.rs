//! Writing STUN messages into the caller's buffer.
//!
//! Attributes go in the order of the calls; [`Builder::integrity`] and then [`Builder::fingerprint`] come last (RFC 8489
//! §14.5, §14.7). The length field is right after every call.

use core::net::{IpAddr, SocketAddr};

use crate::NoRoom;

use super::attribute::{
    ERROR_CODE, FINGERPRINT, ICE_CONTROLLED, ICE_CONTROLLING, MESSAGE_INTEGRITY, PRIORITY,
    UNKNOWN_ATTRIBUTES, USE_CANDIDATE, USERNAME, XOR_MAPPED_ADDRESS, mask, xor,
};
use super::{BINDING, Class, HEADER, MAGIC_COOKIE, TransactionId, fingerprint, integrity};

/// Writes one message.
#[derive(Debug)]
pub struct Builder<'a> {
    out: &'a mut [u8],
    length: usize,
    id: TransactionId,
}

impl<'a> Builder<'a> {
    /// Begins a binding message.
    ///
    /// # Errors
    /// [`NoRoom`] when not even the header fits.
    pub fn binding(class: Class, id: TransactionId, out: &'a mut [u8]) -> Result<Self, NoRoom> {
        if out.len() < HEADER {
            return Err(NoRoom { needed: HEADER });
        }
        out[..2].copy_from_slice(&(BINDING | class.bits()).to_be_bytes());
        out[2..4].fill(0);
        out[4..8].copy_from_slice(&MAGIC_COOKIE.to_be_bytes());
        out[8..HEADER].copy_from_slice(&id.0);
        Ok(Self {
            out,
            length: HEADER,
            id,
        })
    }

    /// Adds USERNAME.
    ///
    /// # Errors
    /// [`NoRoom`]; what was written before stays whole.
    pub fn username(&mut self, name: &[u8]) -> Result<&mut Self, NoRoom> {
        self.attribute(USERNAME, &[name])
    }

    /// Adds XOR-MAPPED-ADDRESS.
    ///
    /// # Errors
    /// [`NoRoom`]; what was written before stays whole.
    pub fn xor_mapped_address(&mut self, address: SocketAddr) -> Result<&mut Self, NoRoom> {
        let mask = mask(self.id);
        let [high, low] = (address.port() ^ (MAGIC_COOKIE >> 16) as u16).to_be_bytes();
        match address.ip() {
            IpAddr::V4(ip) => self.attribute(
                XOR_MAPPED_ADDRESS,
                &[&[0, 1, high, low], &xor(ip.octets(), &mask)],
            ),
            IpAddr::V6(ip) => self.attribute(
                XOR_MAPPED_ADDRESS,
                &[&[0, 2, high, low], &xor(ip.octets(), &mask)],
            ),
        }
    }

    /// Adds ERROR-CODE; `code` is 300 to 699.
    ///
    /// # Errors
    /// [`NoRoom`]; what was written before stays whole.
    pub fn error_code(&mut self, code: u16, reason: &str) -> Result<&mut Self, NoRoom> {
        let code = code.clamp(300, 699);
        self.attribute(
            ERROR_CODE,
            &[
                &[0, 0, (code / 100) as u8, (code % 100) as u8],
                reason.as_bytes(),
            ],
        )
    }

    /// Adds UNKNOWN-ATTRIBUTES with one type.
    ///
    /// # Errors
    /// [`NoRoom`]; what was written before stays whole.
    pub fn unknown_attribute(&mut self, kind: u16) -> Result<&mut Self, NoRoom> {
        self.attribute(UNKNOWN_ATTRIBUTES, &[&kind.to_be_bytes()])
    }

    /// Adds PRIORITY.
    ///
    /// # Errors
    /// [`NoRoom`]; what was written before stays whole.
    pub fn priority(&mut self, priority: u32) -> Result<&mut Self, NoRoom> {
        self.attribute(PRIORITY, &[&priority.to_be_bytes()])
    }

    /// Adds USE-CANDIDATE.
    ///
    /// # Errors
    /// [`NoRoom`]; what was written before stays whole.
    pub fn use_candidate(&mut self) -> Result<&mut Self, NoRoom> {
        self.attribute(USE_CANDIDATE, &[])
    }

    /// Adds ICE-CONTROLLING with the tie-breaker.
    ///
    /// # Errors
    /// [`NoRoom`]; what was written before stays whole.
    pub fn ice_controlling(&mut self, tie_breaker: u64) -> Result<&mut Self, NoRoom> {
        self.attribute(ICE_CONTROLLING, &[&tie_breaker.to_be_bytes()])
    }

    /// Adds ICE-CONTROLLED with the tie-breaker.
    ///
    /// # Errors
    /// [`NoRoom`]; what was written before stays whole.
    pub fn ice_controlled(&mut self, tie_breaker: u64) -> Result<&mut Self, NoRoom> {
        self.attribute(ICE_CONTROLLED, &[&tie_breaker.to_be_bytes()])
    }

    /// Adds MESSAGE-INTEGRITY over all that was written.
    ///
    /// # Errors
    /// [`NoRoom`]; what was written before stays whole.
    pub fn integrity(&mut self, key: &[u8]) -> Result<&mut Self, NoRoom> {
        let value = integrity(&self.out[..self.length], key);
        self.attribute(MESSAGE_INTEGRITY, &[&value])
    }

    /// Adds FINGERPRINT over all that was written.
    ///
    /// # Errors
    /// [`NoRoom`]; what was written before stays whole.
    pub fn fingerprint(&mut self) -> Result<&mut Self, NoRoom> {
        let at = self.length;
        self.attribute(FINGERPRINT, &[&[0; 4]])?;
        // RFC 8489 §14.7: the length field counts FINGERPRINT before the CRC is taken.
        let value = fingerprint(&self.out[..at]);
        self.out[at + 4..at + 8].copy_from_slice(&value.to_be_bytes());
        Ok(self)
    }

    /// The length of the message.
    pub fn finish(&self) -> usize {
        self.length
    }

    fn attribute(&mut self, kind: u16, parts: &[&[u8]]) -> Result<&mut Self, NoRoom> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let needed = self.length + 4 + length.next_multiple_of(4);
        let attributes = u16::try_from(needed - HEADER);
        let (Ok(attributes), Some(place)) = (attributes, self.out.get_mut(self.length..needed))
        else {
            return Err(NoRoom { needed });
        };
        place[..2].copy_from_slice(&kind.to_be_bytes());
        place[2..4].copy_from_slice(&(length as u16).to_be_bytes());
        let mut at = 4;
        for part in parts {
            place[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
        place[at..].fill(0);
        self.length = needed;
        self.out[2..4].copy_from_slice(&attributes.to_be_bytes());
        Ok(self)
    }
}
