//! AES, SHA-1 and GHASH by the instructions that processors have for them, several packets at a time.
//!
//! An [`Engine`] is proof that this processor has the instructions it is named for: it comes from [`Engine::detect`] alone, and
//! only through it are the routines beside this file reached. Each does what its twin in `scalar.rs` does; tests hold every engine
//! that the machine has to that twin.
//!
//! ```text
//!  engine     AES-CTR                HMAC-SHA1                      GHASH
//!  Sse        AES-NI, ten blocks     SHA-NI, two packets            PCLMULQDQ, eight blocks
//!  Avx512     VAES, sixteen blocks   sixteen packets, a word each   VPCLMULQDQ, sixteen blocks
//!  Neon       AESE, eight blocks     SHA1C, two packets             PMULL, eight blocks
//! ```
//!
//! Not here: what is encrypted under which counter, what is authenticated (`session.rs`), when (`burst.rs`).

use zeroize::Zeroize;

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(test)]
mod scalar;
#[cfg(test)]
mod tests;

/// Octets of an AES block.
pub(super) const BLOCK: usize = 16;
/// Octets of a SHA-1 block.
pub(super) const SHA_BLOCK: usize = 64;
/// Powers of the hash key that are kept: so many blocks are hashed before one reduction.
const POWERS: usize = 16;

/// An expanded AES key: eleven round keys of a 128-bit key, fifteen of a 256-bit one.
#[repr(C, align(16))]
pub(super) struct Schedule<const K: usize>([[u8; BLOCK]; K]);

/// Round keys of AES-128.
pub(super) const KEYS_128: usize = 11;
/// Round keys of AES-256.
pub(super) const KEYS_256: usize = 15;

impl<const K: usize> Drop for Schedule<K> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Powers of the hash key `AES(0)` of GCM: the sixteenth first, the first last.
///
/// They are kept as POLYVAL wants them (RFC 8452 §3, appendix A): octets reversed, once multiplied by x, each the product of the
/// one behind with the first. So a sum of products is reduced once, and no product need be shifted.
#[repr(C, align(16))]
pub(super) struct HashKey([[u8; BLOCK]; POWERS]);

impl Drop for HashKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// A message to be authenticated by HMAC-SHA1 under a key whose pads are hashed already.
#[derive(Clone, Copy)]
pub(super) struct Message<'a> {
    /// State behind the inner pad.
    pub(super) inner: &'a [u32; 5],
    /// State behind the outer pad.
    pub(super) outer: &'a [u32; 5],
    /// Whole blocks.
    pub(super) head: &'a [[u8; SHA_BLOCK]],
    /// The last block or two, SHA-1's padding and length in it.
    pub(super) tail: &'a [[u8; SHA_BLOCK]],
}

impl Message<'_> {
    /// Nothing: holds a place in an array.
    pub(super) const VACANT: Self = Self {
        inner: &[0; 5],
        outer: &[0; 5],
        head: &[],
        tail: &[[0; SHA_BLOCK]],
    };

    fn blocks(&self) -> usize {
        self.head.len() + self.tail.len()
    }

    /// The block at this place, the last one where there are fewer.
    #[inline(always)]
    fn block(&self, at: usize) -> &[u8; SHA_BLOCK] {
        match self.head.get(at) {
            Some(block) => block,
            None => &self.tail[(at - self.head.len()).min(self.tail.len() - 1)],
        }
    }
}

/// The first sixteen octets of an HMAC; tags are cut from it.
pub(super) type Mac = [u8; 16];

/// SHA-1's initial state (FIPS 180-4 §5.3.1).
const SHA_INITIAL: [u32; 5] = [
    0x6745_2301,
    0xefcd_ab89,
    0x98ba_dcfe,
    0x1032_5476,
    0xc3d2_e1f0,
];

/// SHA-1's constants (FIPS 180-4 §4.2.1).
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
const SHA_ROUND: [u32; 4] = [0x5a82_7999, 0x6ed9_eba1, 0x8f1b_bcdc, 0xca62_c1d6];

/// Bits of what the outer hash is over: a pad's block and the inner digest.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
const OUTER_BITS: u32 = 8 * (SHA_BLOCK as u32 + 20);

/// The instructions this processor has.
#[derive(Clone, Copy)]
pub(super) enum Engine {
    #[cfg(target_arch = "x86_64")]
    Sse(x86::Sse),
    #[cfg(target_arch = "x86_64")]
    Avx512(avx512::Avx512),
    #[cfg(target_arch = "aarch64")]
    Neon(aarch64::Neon),
}

/// Calls the routine of that name, of the engine that is there.
macro_rules! by_engine {
    ($engine:expr, $token:ident => $call:expr) => {
        match $engine {
            #[cfg(target_arch = "x86_64")]
            Engine::Sse($token) => $call,
            #[cfg(target_arch = "x86_64")]
            Engine::Avx512($token) => $call,
            #[cfg(target_arch = "aarch64")]
            Engine::Neon($token) => $call,
        }
    };
}

#[cfg_attr(
    not(any(target_arch = "x86_64", target_arch = "aarch64")),
    allow(unused_variables, reason = "there is no engine to call")
)]
impl Engine {
    /// The widest that this processor has; nothing where it has none.
    pub(super) fn detect() -> Option<Self> {
        Self::all().last()
    }

    /// All that this processor has, the widest last.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        #[cfg(target_arch = "x86_64")]
        let all = [
            x86::Sse::detect().map(Self::Sse),
            avx512::Avx512::detect().map(Self::Avx512),
        ];
        #[cfg(target_arch = "aarch64")]
        let all = [aarch64::Neon::detect().map(Self::Neon)];
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        let all: [Option<Self>; 0] = [];
        all.into_iter().flatten()
    }

    /// Expands a key of 16 octets to eleven, or of 32 to fifteen.
    pub(super) fn expand<const K: usize>(self, key: &[u8]) -> Schedule<K> {
        debug_assert_eq!(K, key.len() / 4 + 7, "FIPS 197 §5");
        by_engine!(self, it => it.expand(key))
    }

    /// Adds the key stream: AES of `iv`, the most significant octet first, exclusive-or the number of the block, which counts
    /// from `first` (below 2^32).
    #[inline]
    pub(super) fn apply<const K: usize>(
        self,
        key: &Schedule<K>,
        iv: u128,
        first: u32,
        body: &mut [u8],
    ) {
        by_engine!(self, it => it.apply(key, iv, first, body));
    }

    /// The state of SHA-1 behind one block.
    pub(super) fn midstate(self, block: &[u8; SHA_BLOCK]) -> [u32; 5] {
        by_engine!(self, it => it.midstate(block))
    }

    /// Authenticates each message; `macs` has as many places.
    #[inline]
    pub(super) fn authenticate(self, messages: &[Message<'_>], macs: &mut [Mac]) {
        debug_assert_eq!(messages.len(), macs.len(), "a place for each");
        by_engine!(self, it => it.authenticate(messages, macs));
    }

    /// The powers of GCM's hash key under this key.
    pub(super) fn hash_key<const K: usize>(self, key: &Schedule<K>) -> HashKey {
        let mut h = [0; BLOCK];
        self.apply(key, 0, 0, &mut h);
        let first = times_x(h);
        h.zeroize();
        by_engine!(self, it => it.powers(first))
    }

    /// Encrypts `body` by GCM and gives its tag, which is over `clear` too (NIST SP 800-38D §7.1).
    #[inline]
    pub(super) fn seal<const K: usize>(
        self,
        key: &Schedule<K>,
        hash: &HashKey,
        iv: u128,
        clear: &[u8],
        body: &mut [u8],
    ) -> Mac {
        by_engine!(self, it => it.seal(key, hash, iv, clear, body))
    }

    /// Decrypts `body` by GCM and gives the tag it should have had. Whoever finds another calls [`Self::apply`] from block 2, which
    /// takes back what was done.
    #[inline]
    pub(super) fn open<const K: usize>(
        self,
        key: &Schedule<K>,
        hash: &HashKey,
        iv: u128,
        clear: &[u8],
        body: &mut [u8],
    ) -> Mac {
        by_engine!(self, it => it.open(key, hash, iv, clear, body))
    }
}

/// GHASH's key as POLYVAL's (RFC 8452 appendix A): octets reversed, multiplied by x.
fn times_x(h: [u8; BLOCK]) -> [u8; BLOCK] {
    let h = u128::from_be_bytes(h);
    let carry = 0_u128.wrapping_sub(h >> 127);
    ((h << 1) ^ (carry & (0xc2 << 120 | 1))).to_le_bytes()
}

/// GHASH's last block: the lengths in bits of what was hashed.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[inline(always)]
fn lengths(clear: usize, ciphertext: usize) -> [u8; BLOCK] {
    (u128::from(8 * clear as u64) << 64 | u128::from(8 * ciphertext as u64)).to_be_bytes()
}
