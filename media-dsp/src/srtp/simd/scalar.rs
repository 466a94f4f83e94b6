//! The twins: what each routine of an engine computes, written down as the standards do, or by crates that others keep.
//!
//! Oracles for tests, not a way for packets: a processor without the instructions takes the one-by-one path, whose ciphers run
//! in constant time in plain code.

use aes::cipher::{KeyIvInit, StreamCipher};
use aes::{Aes128, Aes256};
use ctr::Ctr128BE;

use super::{BLOCK, Mac, Message, SHA_BLOCK, SHA_INITIAL};

/// AES in counter mode under a key of 16 or 32 octets.
pub(super) fn apply(key: &[u8], iv: [u8; BLOCK], first: u32, body: &mut [u8]) {
    let iv = (u128::from_be_bytes(iv) ^ u128::from(first)).to_be_bytes();
    match key.len() {
        16 => Ctr128BE::<Aes128>::new_from_slices(key, &iv)
            .expect("both have their lengths")
            .apply_keystream(body),
        _ => Ctr128BE::<Aes256>::new_from_slices(key, &iv)
            .expect("both have their lengths")
            .apply_keystream(body),
    }
}

/// SHA-1's state behind one block.
pub(super) fn midstate(block: &[u8; SHA_BLOCK]) -> [u32; 5] {
    let mut state = SHA_INITIAL;
    sha1::block_api::compress(&mut state, &[*block]);
    state
}

/// HMAC-SHA1 from its midstates (RFC 2104).
pub(super) fn authenticate(message: &Message<'_>) -> Mac {
    let mut inner = *message.inner;
    sha1::block_api::compress(&mut inner, message.head);
    sha1::block_api::compress(&mut inner, message.tail);
    let mut block = [0; SHA_BLOCK];
    for (bytes, word) in block.as_chunks_mut::<4>().0.iter_mut().zip(inner) {
        *bytes = word.to_be_bytes();
    }
    block[20] = 0x80;
    block[56..].copy_from_slice(&(8 * (SHA_BLOCK as u64 + 20)).to_be_bytes());
    let mut outer = *message.outer;
    sha1::block_api::compress(&mut outer, &[block]);
    let mut mac = [0; 16];
    for (bytes, word) in mac.as_chunks_mut::<4>().0.iter_mut().zip(outer) {
        *bytes = word.to_be_bytes();
    }
    mac
}

/// GCM's tag, a bit at a time (NIST SP 800-38D §6.3, §6.4, §7.1).
pub(super) fn tag(key: &[u8], iv: [u8; BLOCK], clear: &[u8], ciphertext: &[u8]) -> Mac {
    let mut h = [0; BLOCK];
    apply(key, [0; BLOCK], 0, &mut h);
    let h = u128::from_be_bytes(h);
    let lengths =
        u128::from(8 * clear.len() as u64) << 64 | u128::from(8 * ciphertext.len() as u64);
    let blocks = clear
        .chunks(BLOCK)
        .chain(ciphertext.chunks(BLOCK))
        .map(|chunk| {
            let mut block = [0; BLOCK];
            block[..chunk.len()].copy_from_slice(chunk);
            u128::from_be_bytes(block)
        });
    let y = blocks
        .chain([lengths])
        .fold(0, |y, block| multiply(y ^ block, h));
    let mut tag = y.to_be_bytes();
    apply(key, iv, 1, &mut tag);
    tag
}

/// The product of GCM's field, whose bits are numbered from the left.
fn multiply(x: u128, y: u128) -> u128 {
    let (mut product, mut shifted) = (0, y);
    for bit in (0..128).rev() {
        if x >> bit & 1 == 1 {
            product ^= shifted;
        }
        let carry = shifted & 1;
        shifted >>= 1;
        if carry == 1 {
            shifted ^= 0xe1 << 120;
        }
    }
    product
}
