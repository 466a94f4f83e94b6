//! AES-NI, SHA-NI and PCLMULQDQ: what every x86-64 server of the last years has, 128 bits wide.
//!
//! `unsafe` is here for two things: to enter code compiled for instructions whose presence a [`Sse`] proves, and to read and write
//! sixteen octets that a reference already vouches for. The arithmetic itself is safe code.
//!
//! Not here: the wider forms (`avx512.rs`), the twins (`scalar.rs`).
#![allow(
    unsafe_code,
    reason = "instructions beyond the baseline need it; worth a factor of two to four"
)]

use core::arch::x86_64::*;

use zeroize::Zeroize;

use super::{
    BLOCK, HashKey, Mac, Message, OUTER_BITS, POWERS, SHA_BLOCK, SHA_INITIAL, Schedule, lengths,
};

cpufeatures::new!(present, "aes", "pclmulqdq", "sha", "ssse3", "sse4.1");

/// Proof of the instructions this file needs.
#[derive(Clone, Copy)]
pub(in super::super) struct Sse(());

impl Sse {
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

#[target_feature(enable = "sse2")]
#[inline]
fn load(bytes: &[u8; 16]) -> __m128i {
    // SAFETY: the reference vouches for sixteen readable octets; the load wants no alignment.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

#[target_feature(enable = "sse2")]
#[inline]
fn store(value: __m128i, bytes: &mut [u8; 16]) {
    // SAFETY: the reference vouches for sixteen writable octets; the store wants no alignment.
    unsafe { _mm_storeu_si128(bytes.as_mut_ptr().cast(), value) }
}

/// A block from its number. By way of registers: from memory it would have to wait until two halves are written.
#[target_feature(enable = "sse2")]
#[inline]
pub(super) fn block(number: u128) -> __m128i {
    _mm_set_epi64x(
        (number as u64).swap_bytes() as i64,
        ((number >> 64) as u64).swap_bytes() as i64,
    )
}

#[target_feature(enable = "sse2")]
#[inline]
fn load_words(words: &[u32; 4]) -> __m128i {
    // SAFETY: the reference vouches for sixteen readable octets; the load wants no alignment.
    unsafe { _mm_loadu_si128(words.as_ptr().cast()) }
}

// AES (FIPS 197).

#[target_feature(enable = "aes,sse2")]
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
        store(load_words(words), key);
    }
    flat.zeroize();
    Schedule(keys)
}

/// SubWord.
#[target_feature(enable = "aes,sse2")]
fn substitute(word: u32) -> u32 {
    let lanes = _mm_set1_epi32(word as i32);
    _mm_cvtsi128_si32(_mm_aeskeygenassist_si128::<0>(lanes)) as u32
}

/// Blocks that are encrypted side by side: with their key they fill the registers.
const ABREAST: usize = 10;

#[target_feature(enable = "aes,ssse3")]
fn apply<const K: usize>(key: &Schedule<K>, iv: u128, mut number: u32, body: &mut [u8]) {
    let iv = block(iv);
    let (wide, rest) = body.as_chunks_mut::<{ ABREAST * BLOCK }>();
    for chunk in wide {
        let (blocks, _) = chunk.as_chunks_mut::<BLOCK>();
        abreast::<K, ABREAST>(key, iv, number, blocks.as_mut_array().expect("ten blocks"));
        number += ABREAST as u32;
    }
    let (blocks, rest) = rest.as_chunks_mut::<BLOCK>();
    let whole = blocks.len() as u32;
    few::<K>(key, iv, number, blocks);
    if !rest.is_empty() {
        let mut last = [[0; BLOCK]];
        last[0][..rest.len()].copy_from_slice(rest);
        abreast::<K, 1>(key, iv, number + whole, &mut last);
        rest.copy_from_slice(&last[0][..rest.len()]);
    }
}

/// Fewer blocks than fill the registers.
#[target_feature(enable = "aes,ssse3")]
#[inline]
fn few<const K: usize>(
    key: &Schedule<K>,
    iv: __m128i,
    mut number: u32,
    blocks: &mut [[u8; BLOCK]],
) {
    let (fives, rest) = blocks.as_chunks_mut::<5>();
    for five in fives {
        abreast::<K, 5>(key, iv, number, five);
        number += 5;
    }
    let (twos, rest) = rest.as_chunks_mut::<2>();
    for two in twos {
        abreast::<K, 2>(key, iv, number, two);
        number += 2;
    }
    if let [one] = rest.as_chunks_mut::<1>().0 {
        abreast::<K, 1>(key, iv, number, one);
    }
}

/// The block's number at the end of the counter block, most significant octet first.
#[target_feature(enable = "sse2")]
#[inline]
fn numbered(iv: __m128i, number: u32) -> __m128i {
    _mm_xor_si128(iv, _mm_set_epi32(number.swap_bytes() as i32, 0, 0, 0))
}

#[target_feature(enable = "aes,ssse3")]
#[inline]
fn abreast<const K: usize, const N: usize>(
    key: &Schedule<K>,
    iv: __m128i,
    number: u32,
    blocks: &mut [[u8; BLOCK]; N],
) {
    let white = load(&key.0[0]);
    let mut states: [__m128i; N] = [white; N];
    for (at, state) in states.iter_mut().enumerate() {
        *state = _mm_xor_si128(white, numbered(iv, number + at as u32));
    }
    for round in &key.0[1..K - 1] {
        let round = load(round);
        for state in &mut states {
            *state = _mm_aesenc_si128(*state, round);
        }
    }
    let last = load(&key.0[K - 1]);
    for (state, block) in states.into_iter().zip(blocks) {
        let stream = _mm_aesenclast_si128(state, last);
        store(_mm_xor_si128(stream, load(block)), block);
    }
}

// SHA-1 (FIPS 180-4) and HMAC (RFC 2104).

/// Words most significant octet first, the first word in the highest lane, as the instructions want them.
#[target_feature(enable = "ssse3")]
#[inline]
fn words(bytes: &[u8; 16]) -> __m128i {
    let reversed = _mm_set_epi64x(0x0001_0203_0405_0607, 0x0809_0a0b_0c0d_0e0f);
    _mm_shuffle_epi8(load(bytes), reversed)
}

/// States of `N` hashes: four words and the fifth.
#[derive(Clone, Copy)]
struct States<const N: usize> {
    abcd: [__m128i; N],
    e: [__m128i; N],
}

#[target_feature(enable = "sha,ssse3,sse4.1")]
#[inline]
fn states<const N: usize>(from: [&[u32; 5]; N]) -> States<N> {
    let zero = _mm_setzero_si128();
    let mut states = States {
        abcd: [zero; N],
        e: [zero; N],
    };
    for (lane, from) in from.into_iter().enumerate() {
        let [a, b, c, d, e] = *from;
        states.abcd[lane] = _mm_set_epi32(a as i32, b as i32, c as i32, d as i32);
        states.e[lane] = _mm_set_epi32(e as i32, 0, 0, 0);
    }
    states
}

/// One block of each of `N` hashes; `schedule` holds the message words, four in each.
#[target_feature(enable = "sha,ssse3,sse4.1")]
#[inline]
fn compress<const N: usize>(states: &mut States<N>, mut schedule: [[__m128i; 4]; N]) {
    let before = *states;
    let (mut abcd, mut e) = (states.abcd, states.e);
    // Four rounds of each hash; the hashes do not wait for each other.
    macro_rules! four {
        ($group:literal, $function:literal) => {
            for lane in 0..N {
                let w = &mut schedule[lane];
                if $group >= 4 {
                    w[$group % 4] = _mm_sha1msg2_epu32(
                        _mm_xor_si128(
                            _mm_sha1msg1_epu32(w[$group % 4], w[($group + 1) % 4]),
                            w[($group + 2) % 4],
                        ),
                        w[($group + 3) % 4],
                    );
                }
                let added = if $group == 0 {
                    _mm_add_epi32(e[lane], w[0])
                } else {
                    _mm_sha1nexte_epu32(e[lane], w[$group % 4])
                };
                e[lane] = abcd[lane];
                abcd[lane] = _mm_sha1rnds4_epu32::<$function>(abcd[lane], added);
            }
        };
    }
    macro_rules! twenty {
        ($function:literal: $($group:literal)*) => { $(four!($group, $function);)* };
    }
    twenty!(0: 0 1 2 3 4);
    twenty!(1: 5 6 7 8 9);
    twenty!(2: 10 11 12 13 14);
    twenty!(3: 15 16 17 18 19);
    for lane in 0..N {
        states.abcd[lane] = _mm_add_epi32(abcd[lane], before.abcd[lane]);
        states.e[lane] = _mm_sha1nexte_epu32(e[lane], before.e[lane]);
    }
}

#[target_feature(enable = "sha,ssse3,sse4.1")]
#[inline]
fn absorb<const N: usize>(states: &mut States<N>, blocks: [&[u8; SHA_BLOCK]; N]) {
    let mut schedule = [[_mm_setzero_si128(); 4]; N];
    for (w, block) in schedule.iter_mut().zip(blocks) {
        for (w, bytes) in w.iter_mut().zip(block.as_chunks::<16>().0) {
            *w = words(bytes);
        }
    }
    compress(states, schedule);
}

#[target_feature(enable = "sha,ssse3,sse4.1")]
fn midstate(block: &[u8; SHA_BLOCK]) -> [u32; 5] {
    let mut states = states([&SHA_INITIAL]);
    absorb(&mut states, [block]);
    let (abcd, e) = (states.abcd[0], states.e[0]);
    [
        _mm_extract_epi32::<3>(abcd) as u32,
        _mm_extract_epi32::<2>(abcd) as u32,
        _mm_extract_epi32::<1>(abcd) as u32,
        _mm_extract_epi32::<0>(abcd) as u32,
        _mm_extract_epi32::<3>(e) as u32,
    ]
}

/// Messages of equally many blocks, side by side.
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn hmac<const N: usize>(messages: [&Message<'_>; N]) -> [Mac; N] {
    let mut inner = states(messages.map(|message| message.inner));
    for at in 0..messages[0].blocks() {
        absorb(&mut inner, messages.map(|message| message.block(at)));
    }
    let mut outer = states(messages.map(|message| message.outer));
    let zero = _mm_setzero_si128();
    let end = _mm_set_epi32(0, 1 << 31, 0, 0);
    let length = _mm_set_epi32(0, 0, 0, OUTER_BITS as i32);
    let mut schedule = [[zero, zero, zero, length]; N];
    for (lane, w) in schedule.iter_mut().enumerate() {
        w[0] = inner.abcd[lane];
        w[1] = _mm_or_si128(inner.e[lane], end);
    }
    compress(&mut outer, schedule);
    let mut macs = [[0; 16]; N];
    for (mac, abcd) in macs.iter_mut().zip(outer.abcd) {
        let mut bytes = [0; 16];
        store(abcd, &mut bytes);
        *mac = u128::from_le_bytes(bytes).to_be_bytes();
    }
    macs
}

// GHASH (NIST SP 800-38D §6.4) as POLYVAL (RFC 8452 §3).

/// A sum of products, not reduced.
#[derive(Clone, Copy)]
struct Product {
    low: __m128i,
    middle: __m128i,
    high: __m128i,
}

#[target_feature(enable = "pclmulqdq,sse2")]
#[inline]
fn no_product() -> Product {
    let zero = _mm_setzero_si128();
    Product {
        low: zero,
        middle: zero,
        high: zero,
    }
}

/// Karatsuba's three multiplications.
#[target_feature(enable = "pclmulqdq,sse2")]
#[inline]
fn multiply(sum: Product, a: __m128i, b: __m128i) -> Product {
    let low = _mm_clmulepi64_si128::<0x00>(a, b);
    let high = _mm_clmulepi64_si128::<0x11>(a, b);
    let a = _mm_xor_si128(a, _mm_shuffle_epi32::<0x4e>(a));
    let b = _mm_xor_si128(b, _mm_shuffle_epi32::<0x4e>(b));
    let middle = _mm_clmulepi64_si128::<0x00>(a, b);
    Product {
        low: _mm_xor_si128(sum.low, low),
        middle: _mm_xor_si128(sum.middle, middle),
        high: _mm_xor_si128(sum.high, high),
    }
}

#[target_feature(enable = "pclmulqdq,sse2")]
#[inline]
fn reduce(product: Product) -> __m128i {
    let middle = _mm_xor_si128(product.middle, _mm_xor_si128(product.low, product.high));
    let low = _mm_xor_si128(product.low, _mm_slli_si128::<8>(middle));
    let high = _mm_xor_si128(product.high, _mm_srli_si128::<8>(middle));
    fold(low, high)
}

/// Divides by x^128 modulo x^128 + x^127 + x^126 + x^121 + 1: twice, the low half is cancelled by a multiple of the modulus.
#[target_feature(enable = "pclmulqdq,sse2")]
#[inline]
pub(super) fn fold(low: __m128i, high: __m128i) -> __m128i {
    let modulus = _mm_set_epi64x(0, 0xc2 << 56);
    let once = _mm_clmulepi64_si128::<0x00>(low, modulus);
    let low = _mm_xor_si128(_mm_shuffle_epi32::<0x4e>(low), once);
    let twice = _mm_clmulepi64_si128::<0x00>(low, modulus);
    _mm_xor_si128(high, _mm_xor_si128(_mm_shuffle_epi32::<0x4e>(low), twice))
}

#[target_feature(enable = "pclmulqdq,sse2")]
fn powers(first: [u8; BLOCK]) -> HashKey {
    let mut table = [[0; BLOCK]; POWERS];
    let h = load(&first);
    let mut power = h;
    for place in table[..POWERS].iter_mut().rev() {
        store(power, place);
        power = reduce(multiply(no_product(), power, h));
    }
    HashKey(table)
}

/// Blocks that are hashed before a reduction.
const AT_ONCE: usize = 8;

/// Hashes `data`, filled up with zeros to whole blocks.
#[target_feature(enable = "pclmulqdq,ssse3")]
#[inline]
fn hash(mut y: __m128i, powers: &[[u8; BLOCK]; POWERS], data: &[u8]) -> __m128i {
    for chunk in data.chunks(AT_ONCE * BLOCK) {
        let (blocks, rest) = chunk.as_chunks::<BLOCK>();
        let count = blocks.len() + usize::from(!rest.is_empty());
        let powers = &powers[POWERS - count..POWERS];
        let mut sum = no_product();
        for (block, power) in blocks.iter().zip(powers) {
            let x = _mm_xor_si128(words(block), y);
            y = _mm_setzero_si128();
            sum = multiply(sum, x, load(power));
        }
        if !rest.is_empty() {
            let mut last = [0; BLOCK];
            last[..rest.len()].copy_from_slice(rest);
            let x = _mm_xor_si128(words(&last), y);
            sum = multiply(sum, x, load(&powers[count - 1]));
        }
        y = reduce(sum);
    }
    y
}

#[target_feature(enable = "aes,pclmulqdq,ssse3")]
fn tag<const K: usize>(
    key: &Schedule<K>,
    powers: &HashKey,
    iv: u128,
    clear: &[u8],
    ciphertext: &[u8],
) -> Mac {
    let mut y = _mm_setzero_si128();
    y = hash(y, &powers.0, clear);
    y = hash(y, &powers.0, ciphertext);
    y = hash(y, &powers.0, &lengths(clear.len(), ciphertext.len()));
    let mut tag = [0; BLOCK];
    store(y, &mut tag);
    tag.reverse();
    apply(key, iv, 1, &mut tag);
    tag
}
