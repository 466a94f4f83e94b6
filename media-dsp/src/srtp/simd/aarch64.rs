//! The cryptographic extensions of ARMv8: AES, SHA-1 and polynomial multiplication, 128 bits wide.
//!
//! `unsafe` is here for two things: to enter code compiled for instructions whose presence a [`Neon`] proves, and to read and
//! write sixteen octets that a reference already vouches for. The arithmetic itself is safe code.
//!
//! Not here: processors without the extensions, such as the Raspberry Pi 4's; they take the one-by-one path.
#![allow(
    unsafe_code,
    reason = "instructions beyond the baseline need it; the plain code is several times slower"
)]

use core::arch::aarch64::*;

use zeroize::Zeroize;

use super::{
    BLOCK, HashKey, Mac, Message, OUTER_BITS, POWERS, SHA_BLOCK, SHA_INITIAL, SHA_ROUND, Schedule,
    lengths,
};

cpufeatures::new!(present, "aes", "sha2");

/// Proof of the instructions this file needs.
#[derive(Clone, Copy)]
pub(in super::super) struct Neon(());

impl Neon {
    pub(super) fn detect() -> Option<Self> {
        present::get().then_some(Self(()))
    }

    pub(super) fn expand<const K: usize>(self, key: &[u8]) -> Schedule<K> {
        // SAFETY: `self` exists, so this processor has the instructions.
        unsafe { expand(key) }
    }

    #[inline]
    pub(super) fn apply<const K: usize>(
        self,
        key: &Schedule<K>,
        iv: u128,
        first: u32,
        body: &mut [u8],
    ) {
        // SAFETY: `self` exists, so this processor has the instructions.
        unsafe { apply(key, iv, first, body) }
    }

    pub(super) fn midstate(self, block: &[u8; SHA_BLOCK]) -> [u32; 5] {
        // SAFETY: `self` exists, so this processor has the instructions.
        unsafe { midstate(block) }
    }

    /// Pairs of messages with equally many blocks go together, whoever finds no partner alone.
    #[inline]
    pub(super) fn authenticate(self, messages: &[Message<'_>], macs: &mut [Mac]) {
        let mut at = 0;
        while at < messages.len() {
            match &messages[at..] {
                [a, b, ..] if a.head.len() == b.head.len() && a.tail.len() == b.tail.len() => {
                    // SAFETY: `self` exists, so this processor has the instructions.
                    let both = unsafe { hmac([a, b]) };
                    macs[at..at + 2].copy_from_slice(&both);
                    at += 2;
                }
                rest => {
                    // SAFETY: `self` exists, so this processor has the instructions.
                    [macs[at]] = unsafe { hmac([&rest[0]]) };
                    at += 1;
                }
            }
        }
    }

    pub(super) fn powers(self, first: [u8; BLOCK]) -> HashKey {
        // SAFETY: `self` exists, so this processor has the instructions.
        unsafe { powers(first) }
    }

    #[inline]
    pub(super) fn seal<const K: usize>(
        self,
        key: &Schedule<K>,
        hash: &HashKey,
        iv: u128,
        clear: &[u8],
        body: &mut [u8],
    ) -> Mac {
        self.apply(key, iv, 2, body);
        // SAFETY: `self` exists, so this processor has the instructions.
        unsafe { tag(key, hash, iv, clear, body) }
    }

    #[inline]
    pub(super) fn open<const K: usize>(
        self,
        key: &Schedule<K>,
        hash: &HashKey,
        iv: u128,
        clear: &[u8],
        body: &mut [u8],
    ) -> Mac {
        // SAFETY: `self` exists, so this processor has the instructions.
        let tag = unsafe { tag(key, hash, iv, clear, body) };
        self.apply(key, iv, 2, body);
        tag
    }
}

#[target_feature(enable = "neon")]
#[inline]
fn load(bytes: &[u8; 16]) -> uint8x16_t {
    // SAFETY: the reference vouches for sixteen readable octets; the load wants no alignment.
    unsafe { vld1q_u8(bytes.as_ptr()) }
}

#[target_feature(enable = "neon")]
#[inline]
fn store(value: uint8x16_t, bytes: &mut [u8; 16]) {
    // SAFETY: the reference vouches for sixteen writable octets; the store wants no alignment.
    unsafe { vst1q_u8(bytes.as_mut_ptr(), value) }
}

#[target_feature(enable = "neon")]
#[inline]
fn load_words(words: &[u32; 4]) -> uint32x4_t {
    // SAFETY: the reference vouches for four readable words; the load wants no more than theirs of alignment.
    unsafe { vld1q_u32(words.as_ptr()) }
}

#[target_feature(enable = "neon")]
#[inline]
fn store_words(value: uint32x4_t, words: &mut [u32; 4]) {
    // SAFETY: the reference vouches for four writable words; the store wants no more than theirs of alignment.
    unsafe { vst1q_u32(words.as_mut_ptr(), value) }
}

// AES (FIPS 197).

#[target_feature(enable = "aes,neon")]
fn expand<const K: usize>(key: &[u8]) -> Schedule<K> {
    let words = key.len() / 4;
    let mut flat = [0_u32; 60];
    for (word, bytes) in flat.iter_mut().zip(key.as_chunks::<4>().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    let mut constant = 1_u32;
    for at in words..4 * K {
        let mut word = flat[at - 1];
        if at % words == 0 {
            // RotWord is a rotation the other way here, for words are little-endian.
            word = substitute(word).rotate_right(8) ^ constant;
            constant = (constant << 1) ^ ((constant >> 7) * 0x11b);
        } else if words == 8 && at % 8 == 4 {
            word = substitute(word);
        }
        flat[at] = flat[at - words] ^ word;
    }
    let mut keys = [[0; BLOCK]; K];
    for (key, words) in keys.iter_mut().zip(flat.as_chunks::<4>().0) {
        store(vreinterpretq_u8_u32(load_words(words)), key);
    }
    flat.zeroize();
    Schedule(keys)
}

/// SubWord: with the same word in each column ShiftRows changes nothing.
#[target_feature(enable = "aes,neon")]
fn substitute(word: u32) -> u32 {
    let columns = vreinterpretq_u8_u32(vdupq_n_u32(word));
    vgetq_lane_u32::<0>(vreinterpretq_u32_u8(vaeseq_u8(columns, vdupq_n_u8(0))))
}

/// Blocks that are encrypted side by side.
const ABREAST: usize = 8;

#[target_feature(enable = "aes,neon")]
fn apply<const K: usize>(key: &Schedule<K>, iv: u128, mut number: u32, body: &mut [u8]) {
    let (blocks, rest) = body.as_chunks_mut::<BLOCK>();
    let (wide, few) = blocks.as_chunks_mut::<ABREAST>();
    for blocks in wide {
        abreast::<K, ABREAST>(key, iv, number, blocks);
        number += ABREAST as u32;
    }
    let (twos, ones) = few.as_chunks_mut::<2>();
    for two in twos {
        abreast::<K, 2>(key, iv, number, two);
        number += 2;
    }
    if let [one] = ones.as_chunks_mut::<1>().0 {
        abreast::<K, 1>(key, iv, number, one);
        number += 1;
    }
    if !rest.is_empty() {
        let mut last = [[0; BLOCK]];
        last[0][..rest.len()].copy_from_slice(rest);
        abreast::<K, 1>(key, iv, number, &mut last);
        rest.copy_from_slice(&last[0][..rest.len()]);
    }
}

#[target_feature(enable = "aes,neon")]
#[inline]
fn abreast<const K: usize, const N: usize>(
    key: &Schedule<K>,
    iv: u128,
    number: u32,
    blocks: &mut [[u8; BLOCK]; N],
) {
    let iv = vreinterpretq_u32_u8(load(&iv.to_be_bytes()));
    let mut states = [vdupq_n_u8(0); N];
    for (at, state) in states.iter_mut().enumerate() {
        // The block's number at the end, most significant octet first.
        let numbers = vsetq_lane_u32::<3>((number + at as u32).swap_bytes(), vdupq_n_u32(0));
        *state = vreinterpretq_u8_u32(veorq_u32(iv, numbers));
    }
    for round in &key.0[..K - 2] {
        let round = load(round);
        for state in &mut states {
            *state = vaesmcq_u8(vaeseq_u8(*state, round));
        }
    }
    let (before, last) = (load(&key.0[K - 2]), load(&key.0[K - 1]));
    for (state, block) in states.into_iter().zip(blocks) {
        let stream = veorq_u8(vaeseq_u8(state, before), last);
        store(veorq_u8(stream, load(block)), block);
    }
}

// SHA-1 (FIPS 180-4) and HMAC (RFC 2104).

/// States of `N` hashes: four words and the fifth.
#[derive(Clone, Copy)]
struct States<const N: usize> {
    abcd: [uint32x4_t; N],
    e: [u32; N],
}

#[target_feature(enable = "neon")]
#[inline]
fn states<const N: usize>(from: [&[u32; 5]; N]) -> States<N> {
    let mut states = States {
        abcd: [vdupq_n_u32(0); N],
        e: [0; N],
    };
    for (lane, from) in from.into_iter().enumerate() {
        let [abcd @ .., e] = from;
        states.abcd[lane] = load_words(abcd);
        states.e[lane] = *e;
    }
    states
}

/// One block of each of `N` hashes; `schedule` holds the message words, four in each.
#[target_feature(enable = "sha2,neon")]
#[inline]
fn compress<const N: usize>(states: &mut States<N>, mut schedule: [[uint32x4_t; 4]; N]) {
    let (mut abcd, mut e) = (states.abcd, states.e);
    // Four rounds of each hash; the hashes do not wait for each other.
    macro_rules! four {
        ($group:literal, $function:ident) => {
            for lane in 0..N {
                let w = &mut schedule[lane];
                if $group >= 4 {
                    w[$group % 4] = vsha1su1q_u32(
                        vsha1su0q_u32(w[$group % 4], w[($group + 1) % 4], w[($group + 2) % 4]),
                        w[($group + 3) % 4],
                    );
                }
                let added = vaddq_u32(w[$group % 4], vdupq_n_u32(SHA_ROUND[$group / 5]));
                let next = vsha1h_u32(vgetq_lane_u32::<0>(abcd[lane]));
                abcd[lane] = $function(abcd[lane], e[lane], added);
                e[lane] = next;
            }
        };
    }
    macro_rules! twenty {
        ($function:ident: $($group:literal)*) => { $(four!($group, $function);)* };
    }
    twenty!(vsha1cq_u32: 0 1 2 3 4);
    twenty!(vsha1pq_u32: 5 6 7 8 9);
    twenty!(vsha1mq_u32: 10 11 12 13 14);
    twenty!(vsha1pq_u32: 15 16 17 18 19);
    for lane in 0..N {
        states.abcd[lane] = vaddq_u32(states.abcd[lane], abcd[lane]);
        states.e[lane] = states.e[lane].wrapping_add(e[lane]);
    }
}

#[target_feature(enable = "sha2,neon")]
#[inline]
fn absorb<const N: usize>(states: &mut States<N>, blocks: [&[u8; SHA_BLOCK]; N]) {
    let mut schedule = [[vdupq_n_u32(0); 4]; N];
    for (w, block) in schedule.iter_mut().zip(blocks) {
        for (w, bytes) in w.iter_mut().zip(block.as_chunks::<16>().0) {
            *w = vreinterpretq_u32_u8(vrev32q_u8(load(bytes)));
        }
    }
    compress(states, schedule);
}

#[target_feature(enable = "sha2,neon")]
fn midstate(block: &[u8; SHA_BLOCK]) -> [u32; 5] {
    let mut states = states([&SHA_INITIAL]);
    absorb(&mut states, [block]);
    let mut words = [0; 4];
    store_words(states.abcd[0], &mut words);
    let [a, b, c, d] = words;
    [a, b, c, d, states.e[0]]
}

/// Messages of equally many blocks, side by side.
#[target_feature(enable = "sha2,neon")]
fn hmac<const N: usize>(messages: [&Message<'_>; N]) -> [Mac; N] {
    let mut inner = states(messages.map(|message| message.inner));
    for at in 0..messages[0].blocks() {
        absorb(&mut inner, messages.map(|message| message.block(at)));
    }
    let mut outer = states(messages.map(|message| message.outer));
    let zero = vdupq_n_u32(0);
    let mut schedule = [[zero; 4]; N];
    for (lane, w) in schedule.iter_mut().enumerate() {
        let end = vsetq_lane_u32::<1>(1 << 31, zero);
        *w = [
            inner.abcd[lane],
            vsetq_lane_u32::<0>(inner.e[lane], end),
            zero,
            vsetq_lane_u32::<3>(OUTER_BITS, zero),
        ];
    }
    compress(&mut outer, schedule);
    let mut macs = [[0; 16]; N];
    for (mac, abcd) in macs.iter_mut().zip(outer.abcd) {
        store(vrev32q_u8(vreinterpretq_u8_u32(abcd)), mac);
    }
    macs
}

// GHASH (NIST SP 800-38D §6.4) as POLYVAL (RFC 8452 §3).

/// A sum of products, not reduced.
#[derive(Clone, Copy)]
struct Product {
    low: uint64x2_t,
    middle: uint64x2_t,
    high: uint64x2_t,
}

#[target_feature(enable = "neon")]
#[inline]
fn no_product() -> Product {
    let zero = vdupq_n_u64(0);
    Product {
        low: zero,
        middle: zero,
        high: zero,
    }
}

/// The product of two polynomials of degree 63.
#[target_feature(enable = "aes,neon")]
#[inline]
fn halves(a: u64, b: u64) -> uint64x2_t {
    vreinterpretq_u64_p128(vmull_p64(a, b))
}

/// Karatsuba's three multiplications.
#[target_feature(enable = "aes,neon")]
#[inline]
fn multiply(sum: Product, a: uint64x2_t, b: uint64x2_t) -> Product {
    let (a0, a1) = (vgetq_lane_u64::<0>(a), vgetq_lane_u64::<1>(a));
    let (b0, b1) = (vgetq_lane_u64::<0>(b), vgetq_lane_u64::<1>(b));
    Product {
        low: veorq_u64(sum.low, halves(a0, b0)),
        middle: veorq_u64(sum.middle, halves(a0 ^ a1, b0 ^ b1)),
        high: veorq_u64(sum.high, halves(a1, b1)),
    }
}

/// Divides by x^128 modulo x^128 + x^127 + x^126 + x^121 + 1: twice, the low half is cancelled by a multiple of the modulus.
#[target_feature(enable = "aes,neon")]
#[inline]
fn reduce(product: Product) -> uint64x2_t {
    const MODULUS: u64 = 0xc2 << 56;
    let zero = vdupq_n_u64(0);
    let middle = veorq_u64(product.middle, veorq_u64(product.low, product.high));
    let low = veorq_u64(product.low, vextq_u64::<1>(zero, middle));
    let high = veorq_u64(product.high, vextq_u64::<1>(middle, zero));
    let once = halves(vgetq_lane_u64::<0>(low), MODULUS);
    let low = veorq_u64(vextq_u64::<1>(low, low), once);
    let twice = halves(vgetq_lane_u64::<0>(low), MODULUS);
    veorq_u64(high, veorq_u64(vextq_u64::<1>(low, low), twice))
}

/// A block with its octets reversed.
#[target_feature(enable = "neon")]
#[inline]
fn reversed(bytes: &[u8; BLOCK]) -> uint64x2_t {
    let halves = vrev64q_u8(load(bytes));
    vreinterpretq_u64_u8(vextq_u8::<8>(halves, halves))
}

#[target_feature(enable = "aes,neon")]
fn powers(first: [u8; BLOCK]) -> HashKey {
    let mut table = [[0; BLOCK]; POWERS];
    let h = vreinterpretq_u64_u8(load(&first));
    let mut power = h;
    for place in table[..POWERS].iter_mut().rev() {
        store(vreinterpretq_u8_u64(power), place);
        power = reduce(multiply(no_product(), power, h));
    }
    HashKey(table)
}

/// Blocks that are hashed before a reduction.
const AT_ONCE: usize = 8;

/// Hashes `data`, filled up with zeros to whole blocks.
#[target_feature(enable = "aes,neon")]
#[inline]
fn hash(mut y: uint64x2_t, powers: &HashKey, data: &[u8]) -> uint64x2_t {
    for chunk in data.chunks(AT_ONCE * BLOCK) {
        let count = chunk.len().div_ceil(BLOCK);
        let mut sum = no_product();
        for (bytes, power) in chunk.chunks(BLOCK).zip(&powers.0[POWERS - count..POWERS]) {
            let x = match bytes.first_chunk() {
                Some(block) => reversed(block),
                None => {
                    let mut last = [0; BLOCK];
                    last[..bytes.len()].copy_from_slice(bytes);
                    reversed(&last)
                }
            };
            sum = multiply(sum, veorq_u64(x, y), vreinterpretq_u64_u8(load(power)));
            y = vdupq_n_u64(0);
        }
        y = reduce(sum);
    }
    y
}

#[target_feature(enable = "aes,neon")]
fn tag<const K: usize>(
    key: &Schedule<K>,
    powers: &HashKey,
    iv: u128,
    clear: &[u8],
    ciphertext: &[u8],
) -> Mac {
    let y = hash(vdupq_n_u64(0), powers, clear);
    let y = hash(y, powers, ciphertext);
    let y = hash(y, powers, &lengths(clear.len(), ciphertext.len()));
    let mut tag = [0; BLOCK];
    store(vreinterpretq_u8_u64(y), &mut tag);
    tag.reverse();
    apply(key, iv, 1, &mut tag);
    tag
}
