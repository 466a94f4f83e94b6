//! STUN attributes (RFC 8489 §14, RFC 8445 §16.1).
//!
//! Those that binding checks use are typed; the rest come as they are, for 420 Unknown Attribute.

use core::net::{IpAddr, SocketAddr};

use super::{HEADER, MAGIC_COOKIE, TransactionId};

pub(super) const USERNAME: u16 = 0x0006;
pub(super) const MESSAGE_INTEGRITY: u16 = 0x0008;
pub(super) const ERROR_CODE: u16 = 0x0009;
pub(super) const UNKNOWN_ATTRIBUTES: u16 = 0x000a;
pub(super) const XOR_MAPPED_ADDRESS: u16 = 0x0020;
pub(super) const PRIORITY: u16 = 0x0024;
pub(super) const USE_CANDIDATE: u16 = 0x0025;
pub(super) const SOFTWARE: u16 = 0x8022;
pub(super) const FINGERPRINT: u16 = 0x8028;
pub(super) const ICE_CONTROLLED: u16 = 0x8029;
pub(super) const ICE_CONTROLLING: u16 = 0x802a;

/// One attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attribute<'a> {
    /// `remote-ufrag:local-ufrag` in ICE.
    Username(&'a [u8]),
    /// The address a request came from.
    XorMappedAddress(SocketAddr),
    /// Code 300 to 699 and its reason phrase.
    ErrorCode(u16, &'a [u8]),
    /// Types the peer did not understand, two bytes each.
    UnknownAttributes(&'a [u8]),
    /// Priority of a peer-reflexive candidate.
    Priority(u32),
    /// The controlling side nominates this pair.
    UseCandidate,
    /// The sender controls, with its tie-breaker.
    IceControlling(u64),
    /// The sender is controlled, with its tie-breaker.
    IceControlled(u64),
    /// Who speaks.
    Software(&'a [u8]),
    /// Any other type, or a known one with a value that cannot be.
    Other(u16, &'a [u8]),
}

impl<'a> Attribute<'a> {
    /// Whether a receiver that does not know it must refuse the message (RFC 8489 §14).
    pub fn is_required_and_unknown(&self) -> bool {
        matches!(self, Self::Other(kind, _) if *kind < 0x8000)
    }

    fn read(kind: u16, value: &'a [u8], id: TransactionId) -> Self {
        let known = match kind {
            USERNAME => Some(Self::Username(value)),
            XOR_MAPPED_ADDRESS => address(value, id).map(Self::XorMappedAddress),
            ERROR_CODE => match value {
                [_, _, class @ 3..=6, number @ 0..=99, reason @ ..] => Some(Self::ErrorCode(
                    u16::from(*class) * 100 + u16::from(*number),
                    reason,
                )),
                _ => None,
            },
            UNKNOWN_ATTRIBUTES => Some(Self::UnknownAttributes(value)),
            PRIORITY => value
                .try_into()
                .ok()
                .map(|bytes| Self::Priority(u32::from_be_bytes(bytes))),
            USE_CANDIDATE => value.is_empty().then_some(Self::UseCandidate),
            ICE_CONTROLLING => value
                .try_into()
                .ok()
                .map(|bytes| Self::IceControlling(u64::from_be_bytes(bytes))),
            ICE_CONTROLLED => value
                .try_into()
                .ok()
                .map(|bytes| Self::IceControlled(u64::from_be_bytes(bytes))),
            SOFTWARE => Some(Self::Software(value)),
            _ => None,
        };
        known.unwrap_or(Self::Other(kind, value))
    }
}

/// XOR-MAPPED-ADDRESS (RFC 8489 §14.2): the cookie, and for IPv6 the transaction id, laid over port and address.
fn address(value: &[u8], id: TransactionId) -> Option<SocketAddr> {
    let mask = mask(id);
    match *value {
        [_, 0x01, high, low, ref octets @ ..] => {
            let octets: [u8; 4] = octets.try_into().ok()?;
            Some(SocketAddr::new(
                IpAddr::from(xor(octets, &mask)),
                port(high, low),
            ))
        }
        [_, 0x02, high, low, ref octets @ ..] => {
            let octets: [u8; 16] = octets.try_into().ok()?;
            Some(SocketAddr::new(
                IpAddr::from(xor(octets, &mask)),
                port(high, low),
            ))
        }
        _ => None,
    }
}

fn port(high: u8, low: u8) -> u16 {
    u16::from_be_bytes([high, low]) ^ (MAGIC_COOKIE >> 16) as u16
}

pub(super) fn xor<const N: usize>(octets: [u8; N], mask: &[u8; 16]) -> [u8; N] {
    core::array::from_fn(|index| octets[index] ^ mask[index])
}

pub(super) fn mask(id: TransactionId) -> [u8; 16] {
    let mut mask = [0; 16];
    mask[..4].copy_from_slice(&MAGIC_COOKIE.to_be_bytes());
    mask[4..].copy_from_slice(&id.0);
    mask
}

/// Iterator over the attributes of a message.
#[derive(Debug, Clone)]
pub struct Attributes<'a> {
    raw: RawAttributes<'a>,
    id: TransactionId,
}

impl<'a> Attributes<'a> {
    pub(super) fn new(message: &'a [u8]) -> Self {
        let id = TransactionId(
            *message[8..]
                .first_chunk()
                .expect("a parsed message has a whole header"),
        );
        Self {
            raw: RawAttributes {
                rest: &message[HEADER..],
            },
            id,
        }
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        match self.raw.next()? {
            (MESSAGE_INTEGRITY | FINGERPRINT, _) => {
                self.raw.rest = &[];
                None
            }
            (kind, value) => Some(Attribute::read(kind, value, self.id)),
        }
    }
}

#[derive(Debug, Clone)]
struct RawAttributes<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for RawAttributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<(u16, &'a [u8])> {
        let (&[t1, t2, l1, l2], after) = self.rest.split_first_chunk()?;
        let length = usize::from(u16::from_be_bytes([l1, l2]));
        let value = after.get(..length)?;
        self.rest = after.get(length.next_multiple_of(4)..)?;
        Some((u16::from_be_bytes([t1, t2]), value))
    }
}

/// Whether attributes fill `bytes` without a rest.
pub(super) fn is_whole(bytes: &[u8]) -> bool {
    let mut raw = RawAttributes { rest: bytes };
    while raw.next().is_some() {}
    raw.rest.is_empty()
}

/// Place and value of the first attribute of a type in a parsed message.
pub(super) fn find(message: &[u8], wanted: u16) -> Option<(usize, &[u8])> {
    let mut raw = RawAttributes {
        rest: &message[HEADER..],
    };
    loop {
        let at = message.len() - raw.rest.len();
        let (kind, value) = raw.next()?;
        if kind == wanted {
            return Some((at, value));
        }
    }
}
