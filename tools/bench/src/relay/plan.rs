//! The calls of a run: who sends what to where, with which keys.
//!
//! Both contenders get the same calls. Where they choose themselves (rtpengine its ports and keys), the plan learns it.
//!
//! Not here: setting them up (`ng.rs`, `media.rs`), sending (`traffic.rs`).

use std::net::SocketAddr;

/// A master key and its salt.
pub(super) const KEY_OCTETS: usize = 30;

/// How a side speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Profile {
    /// RTP.
    Plain,
    /// SRTP, AES_CM_128_HMAC_SHA1_80.
    Keyed,
}

/// One side of a call, as its party sees it.
#[derive(Debug, Clone)]
pub(super) struct Side {
    /// The party's address: all calls of a side share one.
    pub(super) here: SocketAddr,
    /// The relay's, for this side of this call.
    pub(super) relay: SocketAddr,
    pub(super) sends_with: [u8; KEY_OCTETS],
    pub(super) hears_with: [u8; KEY_OCTETS],
}

impl Side {
    /// What the relay has chosen.
    pub(super) fn learn(&mut self, port: u16, key: Option<[u8; KEY_OCTETS]>) {
        self.relay.set_port(port);
        self.hears_with = key.unwrap_or(self.hears_with);
    }
}

/// A call.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) sides: [Side; 2],
}

/// So many calls over a relay at this address, with ports from there on.
pub(super) fn calls(count: usize, parties: [SocketAddr; 2], relay: SocketAddr) -> Vec<Call> {
    (0..count)
        .map(|number| Call {
            sides: [0, 1].map(|side| {
                let mut at = relay;
                at.set_port(relay.port() + (4 * number + 2 * side) as u16);
                Side {
                    here: parties[side],
                    relay: at,
                    sends_with: key(number, side, 1),
                    hears_with: key(number, side, 2),
                }
            }),
        })
        .collect()
}

/// Keys that differ, and are the same in every run.
fn key(call: usize, side: usize, direction: u8) -> [u8; KEY_OCTETS] {
    let mut key = [direction; KEY_OCTETS];
    key[..8].copy_from_slice(&(call as u64).to_be_bytes());
    key[8] = side as u8;
    key
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// A key as SDP has it: thirty octets need no padding.
pub(super) fn base64(key: &[u8; KEY_OCTETS]) -> String {
    let (triples, _) = key.as_chunks::<3>();
    let digits = triples.iter().flat_map(|[a, b, c]| {
        let bits = u32::from_be_bytes([0, *a, *b, *c]);
        [18, 12, 6, 0].map(|shift| DIGITS[(bits >> shift & 63) as usize] as char)
    });
    digits.collect()
}

/// None for what is no key.
pub(super) fn from_base64(text: &str) -> Option<[u8; KEY_OCTETS]> {
    let (groups, _) = text.as_bytes().as_chunks::<4>();
    let mut octets = Vec::with_capacity(KEY_OCTETS);
    for group in groups {
        let mut bits = 0_u32;
        for digit in group {
            let value = DIGITS.iter().position(|known| known == digit)?;
            bits = bits << 6 | value as u32;
        }
        octets.extend(&bits.to_be_bytes()[1..]);
    }
    octets.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_the_way_through_sdp() {
        let key = key(77, 1, 2);
        assert_eq!(from_base64(&base64(&key)), Some(key));
        assert_eq!(base64(&[0xff; KEY_OCTETS]), "/".repeat(40));
        assert_eq!(from_base64("not a key"), None);
    }
}
