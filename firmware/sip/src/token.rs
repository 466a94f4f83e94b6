//! Branches, tags, Call-IDs: unguessable, from a seeded generator, so that a test's run repeats itself.
//!
//! RFC 3261 §19.3 wants tags of at least 32 random bits; all tokens here have 96 or more. Not here: keys (the call's media
//! takes them from the same generator through `RngCore`).

use rand_chacha::ChaCha12Rng;
pub use rand_chacha::rand_core::{RngCore, SeedableRng};

/// What every branch begins with (RFC 3261 §8.1.1.7).
pub const MAGIC_COOKIE: &str = "z9hG4bK";

/// A source of tokens.
#[derive(Debug, Clone)]
pub struct Tokens(ChaCha12Rng);

impl Tokens {
    /// From a seed of the system's generator, or of a test.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        Self(ChaCha12Rng::from_seed(seed))
    }

    /// A seed for another generator.
    pub fn seed(&mut self) -> [u8; 32] {
        let mut seed = [0; 32];
        self.0.fill_bytes(&mut seed);
        seed
    }

    /// A random number.
    pub fn number(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A Via branch.
    pub fn branch(&mut self) -> String {
        self.word(MAGIC_COOKIE)
    }

    /// A From or To tag.
    pub fn tag(&mut self) -> String {
        self.word("")
    }

    /// A Call-ID without a host: nothing of this box stands in it.
    pub fn call_id(&mut self) -> String {
        self.word("")
    }

    /// `prefix` and 20 characters of 5 random bits each.
    fn word(&mut self, prefix: &str) -> String {
        const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
        let mut bits = u128::from(self.0.next_u64()) << 64 | u128::from(self.0.next_u64());
        let mut word = String::with_capacity(prefix.len() + 20);
        word.push_str(prefix);
        for _ in 0..20 {
            word.push(char::from(ALPHABET[(bits & 31) as usize]));
            bits >>= 5;
        }
        word
    }
}

impl RngCore for Tokens {
    fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    fn fill_bytes(&mut self, dst: &mut [u8]) {
        self.0.fill_bytes(dst);
    }
}
