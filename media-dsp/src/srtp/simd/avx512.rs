//! AVX-512 with VAES and VPCLMULQDQ: four blocks in a register, or one word of each of sixteen messages.
//!
//! SHA-1 is not done by its own instructions here: sixteen messages side by side, a lane each, need about half the time of two
//! interleaved by SHA-NI. Where few messages wait, SHA-NI is the quicker and is taken.
//!
//! Not here: key expansion and other work of set-up, which `x86.rs` does; the twins (`scalar.rs`).
#![allow(
    unsafe_code,
    reason = "instructions beyond the baseline need it; worth a factor of two over 128 bits"
)]

use core::arch::x86_64::*;

use super::x86::{Sse, block, fold};
use super::{
    BLOCK, HashKey, Mac, Message, OUTER_BITS, POWERS, SHA_BLOCK, SHA_ROUND, Schedule, lengths,
};

cpufeatures::new!(
    present,
    "avx512f",
    "avx512bw",
    "avx512vl",
    "vaes",
    "vpclmulqdq"
);

/// Proof of the instructions this file needs.
#[derive(Clone, Copy)]
pub(in super::super) struct Avx512(Sse);

/// Octets of a register.
const WIDE: usize = 64;
/// Lanes of 32 bits.
const LANES: usize = 16;
/// Messages from which on a pass over all lanes is quicker than pairs.
const WORTH_IT: usize = 7;

impl Avx512 {
    pub(super) fn detect() -> Option<Self> {
        Sse::detect().filter(|_| present::get()).map(Self)
    }

    pub(super) fn expand<const K: usize>(self, key: &[u8]) -> Schedule<K> {
        self.0.expand(key)
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
        self.0.midstate(block)
    }

    #[inline]
    pub(super) fn authenticate(self, messages: &[Message<'_>], macs: &mut [Mac]) {
        for (messages, macs) in messages.chunks(LANES).zip(macs.chunks_mut(LANES)) {
            if messages.len() < WORTH_IT {
                self.0.authenticate(messages, macs);
            } else {
                // SAFETY: `self` exists, so this processor has the instructions.
                unsafe { hmac(messages, macs) }
            }
        }
    }

    pub(super) fn powers(self, first: [u8; BLOCK]) -> HashKey {
        self.0.powers(first)
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
        // SAFETY: `self` exists, so this processor has the instructions.
        unsafe { galois::<K, SEAL>(key, hash, iv, clear, body) }
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
        unsafe { galois::<K, OPEN>(key, hash, iv, clear, body) }
    }
}

#[target_feature(enable = "avx512f")]
#[inline]
fn load(bytes: &[u8; WIDE]) -> __m512i {
    // SAFETY: the reference vouches for 64 readable octets; the load wants no alignment.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

#[target_feature(enable = "avx512f")]
#[inline]
fn store(value: __m512i, bytes: &mut [u8; WIDE]) {
    // SAFETY: the reference vouches for 64 writable octets; the store wants no alignment.
    unsafe { _mm512_storeu_si512(bytes.as_mut_ptr().cast(), value) }
}

#[target_feature(enable = "avx512f")]
#[inline]
fn load_small(bytes: &[u8; BLOCK]) -> __m128i {
    // SAFETY: the reference vouches for sixteen readable octets; the load wants no alignment.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

/// A lane for each of the first octets.
#[inline(always)]
fn mask(octets: usize) -> __mmask64 {
    debug_assert!((1..=WIDE).contains(&octets));
    u64::MAX >> (WIDE - octets)
}

/// At most 64 octets, zeros behind.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn load_some(bytes: &[u8]) -> __m512i {
    // SAFETY: the mask has a lane for each octet of the slice and none beyond, and lanes without are not read.
    unsafe { _mm512_maskz_loadu_epi8(mask(bytes.len()), bytes.as_ptr().cast()) }
}

#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn store_some(value: __m512i, bytes: &mut [u8]) {
    // SAFETY: the mask has a lane for each octet of the slice and none beyond, and lanes without are not written.
    unsafe { _mm512_mask_storeu_epi8(bytes.as_mut_ptr().cast(), mask(bytes.len()), value) }
}

// AES.

#[target_feature(enable = "avx512f,avx512bw,vaes")]
fn apply<const K: usize>(key: &Schedule<K>, iv: u128, mut number: u32, body: &mut [u8]) {
    for chunk in body.chunks_mut(4 * WIDE) {
        match chunk.len().div_ceil(WIDE) {
            1 => add_stream(stream::<K, 1>(key, iv, number), chunk),
            2 => add_stream(stream::<K, 2>(key, iv, number), chunk),
            3 => add_stream(stream::<K, 3>(key, iv, number), chunk),
            _ => add_stream(stream::<K, 4>(key, iv, number), chunk),
        }
        number += 16;
    }
}

#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn add_stream<const N: usize>(streams: [__m512i; N], body: &mut [u8]) {
    let (wide, rest) = body.as_chunks_mut::<WIDE>();
    for (bytes, stream) in wide.iter_mut().zip(streams) {
        store(_mm512_xor_si512(stream, load(bytes)), bytes);
    }
    if !rest.is_empty() {
        let stream = streams[wide.len()];
        store_some(_mm512_xor_si512(stream, load_some(rest)), rest);
    }
}

/// Key stream of `4 * N` blocks.
#[target_feature(enable = "avx512f,avx512bw,vaes")]
#[inline]
fn stream<const K: usize, const N: usize>(
    key: &Schedule<K>,
    iv: u128,
    number: u32,
) -> [__m512i; N] {
    let white = _mm512_broadcast_i32x4(_mm_xor_si128(block(iv), load_small(&key.0[0])));
    // The number of the block in the last word of each, most significant octet first.
    let swap = _mm512_broadcast_i32x4(_mm_set_epi8(
        12, 13, 14, 15, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    ));
    let numbers = _mm512_set_epi32(3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0);
    let mut states = [white; N];
    for (at, state) in states.iter_mut().enumerate() {
        let numbers = _mm512_add_epi32(numbers, _mm512_set1_epi32((number + 4 * at as u32) as i32));
        *state = _mm512_xor_si512(white, _mm512_shuffle_epi8(numbers, swap));
    }
    for round in &key.0[1..K - 1] {
        let round = _mm512_broadcast_i32x4(load_small(round));
        for state in &mut states {
            *state = _mm512_aesenc_epi128(*state, round);
        }
    }
    let last = _mm512_broadcast_i32x4(load_small(&key.0[K - 1]));
    for state in &mut states {
        *state = _mm512_aesenclast_epi128(*state, last);
    }
    states
}

/// Key stream of one block.
#[target_feature(enable = "avx512f,aes")]
#[inline]
fn stream_one<const K: usize>(key: &Schedule<K>, iv: u128, number: u32) -> __m128i {
    let number = _mm_set_epi32(number.swap_bytes() as i32, 0, 0, 0);
    let mut state = _mm_xor_si128(_mm_xor_si128(block(iv), number), load_small(&key.0[0]));
    for round in &key.0[1..K - 1] {
        state = _mm_aesenc_si128(state, load_small(round));
    }
    _mm_aesenclast_si128(state, load_small(&key.0[K - 1]))
}

// SHA-1 and HMAC: register `n` holds word `n` of sixteen messages.

type State = [__m512i; 5];

#[target_feature(enable = "avx512f")]
#[inline]
fn gather(of: &[&[u32; 5]; LANES]) -> State {
    let mut state = [_mm512_setzero_si512(); 5];
    for (word, register) in state.iter_mut().enumerate() {
        let of = |lane: usize| of[lane][word] as i32;
        *register = _mm512_set_epi32(
            of(15),
            of(14),
            of(13),
            of(12),
            of(11),
            of(10),
            of(9),
            of(8),
            of(7),
            of(6),
            of(5),
            of(4),
            of(3),
            of(2),
            of(1),
            of(0),
        );
    }
    state
}

/// Rows become columns: from a block of each message to a word of all messages.
#[target_feature(enable = "avx512f")]
#[inline]
fn transpose(rows: [__m512i; LANES]) -> [__m512i; LANES] {
    let mut pairs = rows;
    for at in (0..LANES).step_by(2) {
        pairs[at] = _mm512_unpacklo_epi32(rows[at], rows[at + 1]);
        pairs[at + 1] = _mm512_unpackhi_epi32(rows[at], rows[at + 1]);
    }
    // Word `n` of four rows, in lanes of 128 bits: words n, n + 4, n + 8, n + 12.
    let mut fours = pairs;
    for at in (0..LANES).step_by(4) {
        fours[at] = _mm512_unpacklo_epi64(pairs[at], pairs[at + 2]);
        fours[at + 1] = _mm512_unpackhi_epi64(pairs[at], pairs[at + 2]);
        fours[at + 2] = _mm512_unpacklo_epi64(pairs[at + 1], pairs[at + 3]);
        fours[at + 3] = _mm512_unpackhi_epi64(pairs[at + 1], pairs[at + 3]);
    }
    let mut columns = fours;
    for word in 0..4 {
        let [a, b, c, d] = [
            fours[word],
            fours[word + 4],
            fours[word + 8],
            fours[word + 12],
        ];
        let (ab_even, ab_odd) = (
            _mm512_shuffle_i32x4::<0x88>(a, b),
            _mm512_shuffle_i32x4::<0xdd>(a, b),
        );
        let (cd_even, cd_odd) = (
            _mm512_shuffle_i32x4::<0x88>(c, d),
            _mm512_shuffle_i32x4::<0xdd>(c, d),
        );
        columns[word] = _mm512_shuffle_i32x4::<0x88>(ab_even, cd_even);
        columns[word + 8] = _mm512_shuffle_i32x4::<0xdd>(ab_even, cd_even);
        columns[word + 4] = _mm512_shuffle_i32x4::<0x88>(ab_odd, cd_odd);
        columns[word + 12] = _mm512_shuffle_i32x4::<0xdd>(ab_odd, cd_odd);
    }
    columns
}

/// One block of each; lanes outside `live` keep their state.
#[target_feature(enable = "avx512f")]
#[inline]
fn compress(state: &mut State, mut w: [__m512i; LANES], live: __mmask16) {
    let [mut a, mut b, mut c, mut d, mut e] = *state;
    // The truth tables of choose, parity and majority.
    macro_rules! round {
        ($t:literal, $table:literal) => {
            if $t >= 16 {
                let sum = _mm512_xor_si512(w[($t + 13) % 16], w[($t + 8) % 16]);
                let sum = _mm512_ternarylogic_epi32::<0x96>(sum, w[($t + 2) % 16], w[$t % 16]);
                w[$t % 16] = _mm512_rol_epi32::<1>(sum);
            }
            let constant = _mm512_set1_epi32(SHA_ROUND[$t / 20] as i32);
            let f = _mm512_ternarylogic_epi32::<$table>(b, c, d);
            let early = _mm512_add_epi32(_mm512_add_epi32(e, constant), w[$t % 16]);
            let late = _mm512_add_epi32(f, _mm512_rol_epi32::<5>(a));
            (e, d, c, b, a) = (
                d,
                c,
                _mm512_rol_epi32::<30>(b),
                a,
                _mm512_add_epi32(early, late),
            );
        };
    }
    macro_rules! twenty {
        ($table:literal: $($t:literal)*) => { $(round!($t, $table);)* };
    }
    twenty!(0xca: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19);
    twenty!(0x96: 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39);
    twenty!(0xe8: 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59);
    twenty!(0x96: 60 61 62 63 64 65 66 67 68 69 70 71 72 73 74 75 76 77 78 79);
    for (state, word) in state.iter_mut().zip([a, b, c, d, e]) {
        *state = _mm512_mask_add_epi32(*state, live, *state, word);
    }
}

/// At most sixteen messages, of any lengths: who is done waits for the longest.
#[target_feature(enable = "avx512f,avx512bw")]
fn hmac(messages: &[Message<'_>], macs: &mut [Mac]) {
    let mut of = [&messages[0]; LANES];
    for (place, message) in of.iter_mut().zip(messages) {
        *place = message;
    }
    let most = of
        .iter()
        .fold(0, |most, message| most.max(message.blocks()));
    let swap = _mm512_broadcast_i32x4(_mm_set_epi8(
        12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3,
    ));
    let mut inner = gather(&of.map(|message| message.inner));
    for at in 0..most {
        let mut rows = [_mm512_setzero_si512(); LANES];
        let mut live = 0;
        for (lane, message) in of.iter().enumerate() {
            rows[lane] = _mm512_shuffle_epi8(load(message.block(at)), swap);
            live |= __mmask16::from(at < message.blocks()) << lane;
        }
        compress(&mut inner, transpose(rows), live);
    }
    // RFC 2104: the outer hash is over the pad, which its state has seen, and the inner digest.
    let mut block = [_mm512_setzero_si512(); LANES];
    block[..5].copy_from_slice(&inner);
    block[5] = _mm512_set1_epi32(1 << 31);
    block[15] = _mm512_set1_epi32(OUTER_BITS as i32);
    let mut outer = gather(&of.map(|message| message.outer));
    compress(&mut outer, block, __mmask16::MAX);
    let mut words = [[0; WIDE]; 4];
    for (words, register) in words.iter_mut().zip(outer) {
        store(_mm512_shuffle_epi8(register, swap), words);
    }
    for (lane, mac) in macs.iter_mut().enumerate() {
        for (word, bytes) in words.iter().zip(mac.as_chunks_mut::<4>().0) {
            *bytes = word.as_chunks::<4>().0[lane];
        }
    }
}

// GHASH.

/// A sum of products, not reduced.
#[derive(Clone, Copy)]
struct Product {
    low: __m512i,
    middle: __m512i,
    high: __m512i,
}

#[target_feature(enable = "avx512f,vpclmulqdq")]
#[inline]
fn multiply(sum: Product, a: __m512i, b: __m512i) -> Product {
    let across = _mm512_clmulepi64_epi128::<0x01>(a, b);
    let back = _mm512_clmulepi64_epi128::<0x10>(a, b);
    Product {
        low: _mm512_xor_si512(sum.low, _mm512_clmulepi64_epi128::<0x00>(a, b)),
        middle: _mm512_ternarylogic_epi32::<0x96>(sum.middle, across, back),
        high: _mm512_xor_si512(sum.high, _mm512_clmulepi64_epi128::<0x11>(a, b)),
    }
}

/// The sum of the four blocks of a register.
#[target_feature(enable = "avx512f")]
#[inline]
fn across(register: __m512i) -> __m128i {
    let two = _mm256_xor_si256(
        _mm512_castsi512_si256(register),
        _mm512_extracti64x4_epi64::<1>(register),
    );
    _mm_xor_si128(
        _mm256_castsi256_si128(two),
        _mm256_extracti128_si256::<1>(two),
    )
}

#[target_feature(enable = "avx512f,avx512bw,vpclmulqdq,pclmulqdq")]
#[inline]
fn reduce(product: Product) -> __m128i {
    let middle = product.middle;
    let low = _mm512_xor_si512(product.low, _mm512_bslli_epi128::<8>(middle));
    let high = _mm512_xor_si512(product.high, _mm512_bsrli_epi128::<8>(middle));
    fold(across(low), across(high))
}

#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn reversal() -> __m512i {
    _mm512_broadcast_i32x4(_mm_set_epi64x(0x0001_0203_0405_0607, 0x0809_0a0b_0c0d_0e0f))
}

/// Four powers from this place of the table on.
#[target_feature(enable = "avx512f")]
#[inline]
fn four(powers: &HashKey, at: usize) -> __m512i {
    let powers = powers.0[at..].first_chunk::<4>().expect("four powers");
    load(powers.as_flattened().as_array().expect("64 octets"))
}

/// So many powers, one to four, from this place of the table on, zeros behind.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn some(powers: &HashKey, at: usize, count: usize) -> __m512i {
    load_some(powers.0[at..at + count].as_flattened())
}

#[target_feature(enable = "avx512f")]
#[inline]
fn no_product() -> Product {
    let zero = _mm512_setzero_si512();
    Product {
        low: zero,
        middle: zero,
        high: zero,
    }
}

/// Hashes `data`, filled up with zeros to whole blocks, sixteen blocks at a time.
#[target_feature(enable = "avx512f,avx512bw,vpclmulqdq,pclmulqdq")]
fn hash(mut y: __m128i, powers: &HashKey, data: &[u8]) -> __m128i {
    for chunk in data.chunks(POWERS * BLOCK) {
        let mut at = POWERS - chunk.len().div_ceil(BLOCK);
        let mut sum = no_product();
        let mut before = _mm512_zextsi128_si512(y);
        for bytes in chunk.chunks(WIDE) {
            let x = _mm512_shuffle_epi8(load_some(bytes), reversal());
            let blocks = bytes.len().div_ceil(BLOCK);
            sum = multiply(sum, _mm512_xor_si512(x, before), some(powers, at, blocks));
            before = _mm512_setzero_si512();
            at += blocks;
        }
        y = reduce(sum);
    }
    y
}

/// To encrypt, or to decrypt.
const SEAL: bool = true;
const OPEN: bool = false;

/// GCM, either way: gives the tag over what is in the clear and the ciphertext.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,vaes,vpclmulqdq,pclmulqdq,aes")]
fn galois<const K: usize, const SEALS: bool>(
    key: &Schedule<K>,
    powers: &HashKey,
    iv: u128,
    clear: &[u8],
    body: &mut [u8],
) -> Mac {
    // What a telephone sends: a header, and no more than is hashed in one sum.
    if (1..=3 * BLOCK).contains(&clear.len()) && body.len() <= 12 * BLOCK {
        return match body.len().div_ceil(WIDE) {
            0 => short::<K, 0, SEALS>(key, powers, iv, clear, body),
            1 => short::<K, 1, SEALS>(key, powers, iv, clear, body),
            2 => short::<K, 2, SEALS>(key, powers, iv, clear, body),
            _ => short::<K, 3, SEALS>(key, powers, iv, clear, body),
        };
    }
    if SEALS {
        apply(key, iv, 2, body);
    }
    let mut y = hash(_mm_setzero_si128(), powers, clear);
    y = hash(y, powers, body);
    y = hash(y, powers, &lengths(clear.len(), body.len()));
    if !SEALS {
        apply(key, iv, 2, body);
    }
    finish(y, stream_one(key, iv, 1))
}

/// A header of one to three blocks and a body of `N` registers, the last perhaps not full: all in one sum.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,vaes,vpclmulqdq,pclmulqdq,aes")]
#[inline]
fn short<const K: usize, const N: usize, const SEALS: bool>(
    key: &Schedule<K>,
    powers: &HashKey,
    iv: u128,
    clear: &[u8],
    body: &mut [u8],
) -> Mac {
    let mask = stream_one(key, iv, 1);
    let streams = stream::<K, N>(key, iv, 2);
    let ahead = clear.len().div_ceil(BLOCK);
    let mut at = POWERS - 1 - body.len().div_ceil(BLOCK) - ahead;
    // The lengths come last of all, but lie with the header, in a lane it has free.
    let lengths = _mm_set_epi64x(8 * clear.len() as i64, 8 * body.len() as i64);
    let x = _mm512_shuffle_epi8(load_some(clear), reversal());
    let x = _mm512_inserti32x4::<3>(x, lengths);
    let power = _mm512_inserti32x4::<3>(some(powers, at, ahead), load_small(&powers.0[POWERS - 1]));
    let mut sum = multiply(no_product(), x, power);
    at += ahead;
    let (wide, rest) = body.as_chunks_mut::<WIDE>();
    let mut streams = streams.into_iter();
    for (bytes, stream) in wide.iter_mut().zip(&mut streams) {
        let before = load(bytes);
        let after = _mm512_xor_si512(before, stream);
        store(after, bytes);
        let x = _mm512_shuffle_epi8(if SEALS { after } else { before }, reversal());
        sum = multiply(sum, x, four(powers, at));
        at += 4;
    }
    if let Some(stream) = streams.next().filter(|_| !rest.is_empty()) {
        let live = self::mask(rest.len());
        let before = load_some(rest);
        let after = _mm512_maskz_mov_epi8(live, _mm512_xor_si512(before, stream));
        store_some(after, rest);
        let x = _mm512_shuffle_epi8(if SEALS { after } else { before }, reversal());
        sum = multiply(sum, x, some(powers, at, rest.len().div_ceil(BLOCK)));
    }
    finish(reduce(sum), mask)
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
#[inline]
fn finish(y: __m128i, mask: __m128i) -> Mac {
    let reversed = _mm_set_epi64x(0x0001_0203_0405_0607, 0x0809_0a0b_0c0d_0e0f);
    let tag = _mm_xor_si128(_mm_shuffle_epi8(y, reversed), mask);
    let mut mac = [0; BLOCK];
    // SAFETY: the reference vouches for sixteen writable octets; the store wants no alignment.
    unsafe { _mm_storeu_si128(mac.as_mut_ptr().cast(), tag) };
    mac
}
