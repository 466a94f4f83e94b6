//! The session keys of SRTP as a burst uses them: expanded, hashed, multiplied once, and close together.
//!
//! They are derived a second time beside the [`super::cipher::Transform`] of the same master key, which serves SRTCP, packets
//! that come one by one, and processors without the instructions. A burst touches four or five lines of memory here, no more.
//!
//! Not here: which packet has which index (`sender.rs`, `receiver.rs`), the order of a burst (`burst.rs`).

use zeroize::{Zeroize, Zeroizing};

use super::cipher::Place;
use super::kdf::{Label, derive};
use super::simd::{BLOCK, Engine, HashKey, KEYS_128, KEYS_256, Mac, Message, SHA_BLOCK, Schedule};
use super::{MasterKey, Suite};
use crate::simd::prefetch;

/// What a burst needs of a context.
///
/// A few lines of memory: four of a counter mode's with 128 bits, six of GCM's for a packet of a telephone. So everything lies in
/// place, and begins with a line.
#[repr(align(64))]
pub(super) enum Session {
    /// This processor has no instructions for it.
    OneByOne,
    Counter128(Counter<KEYS_128>),
    Counter256(Counter<KEYS_256>),
    Galois128(Galois<KEYS_128>),
    Galois256(Galois<KEYS_256>),
}

/// AES counter mode and HMAC-SHA1.
#[repr(C, align(16))]
pub(super) struct Counter<const K: usize> {
    /// The salt as the IV has it, zeros behind.
    salt: u128,
    pads: Pads,
    engine: Engine,
    schedule: Schedule<K>,
}

/// AES-GCM.
#[repr(C, align(16))]
pub(super) struct Galois<const K: usize> {
    /// The salt as the IV has it, zeros behind.
    salt: u128,
    schedule: Schedule<K>,
    hash: HashKey,
    engine: Engine,
}

/// SHA-1's states behind the key under HMAC's pads (RFC 2104 §2).
pub(super) struct Pads {
    inner: [u32; 5],
    outer: [u32; 5],
}

/// Calls the closure-like expression for whichever key length is there.
macro_rules! by_mode {
    ($session:expr, $counter:ident => $counted:expr, $galois:ident => $multiplied:expr, $otherwise:expr) => {
        match $session {
            Session::Counter128($counter) => $counted,
            Session::Counter256($counter) => $counted,
            Session::Galois128($galois) => $multiplied,
            Session::Galois256($galois) => $multiplied,
            Session::OneByOne => $otherwise,
        }
    };
}

impl Session {
    pub(super) fn new(master: &MasterKey) -> Self {
        let Some(engine) = Engine::detect() else {
            return Self::OneByOne;
        };
        match master.suite() {
            Suite::AesCm128HmacSha1_80 | Suite::AesCm128HmacSha1_32 => {
                Self::Counter128(Counter::new(engine, master))
            }
            Suite::AesCm256HmacSha1_80 | Suite::AesCm256HmacSha1_32 => {
                Self::Counter256(Counter::new(engine, master))
            }
            Suite::AeadAes128Gcm => Self::Galois128(Galois::new(engine, master)),
            Suite::AeadAes256Gcm => Self::Galois256(Galois::new(engine, master)),
        }
    }

    /// Whether there are keys for bursts.
    #[inline]
    pub(super) fn is_ready(&self) -> bool {
        !matches!(self, Self::OneByOne)
    }

    /// Asks for the keys to be brought near.
    #[inline]
    pub(super) fn prefetch(&self) {
        by_mode!(
            self,
            keys => prefetch(keys),
            keys => prefetch(keys),
            {}
        );
    }

    /// Adds the key stream of a packet to its body: encrypts, decrypts, or takes either back.
    #[inline]
    pub(super) fn apply(&self, at: &Place, body: &mut [u8]) {
        by_mode!(
            self,
            keys => keys.engine.apply(&keys.schedule, keys.iv(at), 0, body),
            // NIST SP 800-38D §7.1: block 1 masks the tag, the text begins at 2.
            keys => keys.engine.apply(&keys.schedule, keys.iv(at), 2, body),
            {}
        );
    }

    /// GCM's encryption with its tag; nothing where tag and cipher are apart.
    #[inline]
    pub(super) fn seal(&self, at: &Place, header: &[u8], body: &mut [u8]) -> Option<Mac> {
        by_mode!(
            self,
            _keys => None,
            keys => Some(keys.engine.seal(&keys.schedule, &keys.hash, keys.iv(at), header, body)),
            None
        )
    }

    /// GCM's decryption with the tag there should have been; nothing where tag and cipher are apart.
    #[inline]
    pub(super) fn open(&self, at: &Place, header: &[u8], body: &mut [u8]) -> Option<Mac> {
        by_mode!(
            self,
            _keys => None,
            keys => Some(keys.engine.open(&keys.schedule, &keys.hash, keys.iv(at), header, body)),
            None
        )
    }

    /// What authenticates packets beside a cipher.
    #[inline]
    pub(super) fn pads(&self) -> Option<(Engine, &Pads)> {
        by_mode!(
            self,
            keys => Some((keys.engine, &keys.pads)),
            _keys => None,
            None
        )
    }
}

impl<const K: usize> Counter<K> {
    fn new(engine: Engine, master: &MasterKey) -> Self {
        let mut key = Zeroizing::new([0; 20]);
        derive(master, Label::RtpAuthentication, key.as_mut_slice());
        Self {
            engine,
            salt: salt(master),
            pads: Pads {
                inner: padded(engine, &key, 0x36),
                outer: padded(engine, &key, 0x5c),
            },
            schedule: expanded(engine, master),
        }
    }

    /// RFC 3711 §4.1.1: salt · 2^16 ⊕ SSRC · 2^64 ⊕ index · 2^16, the blocks counted in the last 16 bits.
    #[inline]
    fn iv(&self, at: &Place) -> u128 {
        self.salt ^ u128::from(at.ssrc) << 64 ^ u128::from(at.index) << 16
    }
}

impl<const K: usize> Galois<K> {
    fn new(engine: Engine, master: &MasterKey) -> Self {
        let schedule = expanded(engine, master);
        Self {
            engine,
            salt: salt(master),
            hash: engine.hash_key(&schedule),
            schedule,
        }
    }

    /// RFC 7714 §8.1: salt ⊕ (0 | SSRC | roll-over counter | sequence number), the blocks counted in the last 32 bits.
    #[inline]
    fn iv(&self, at: &Place) -> u128 {
        self.salt ^ u128::from(at.ssrc) << 80 ^ u128::from(at.index) << 32
    }
}

fn salt(master: &MasterKey) -> u128 {
    let mut salt = [0; BLOCK];
    derive(
        master,
        Label::RtpSalt,
        &mut salt[..master.suite().salt_len()],
    );
    u128::from_be_bytes(salt)
}

fn expanded<const K: usize>(engine: Engine, master: &MasterKey) -> Schedule<K> {
    let mut key = Zeroizing::new([0; 32]);
    let key = &mut key[..master.suite().key_len()];
    derive(master, Label::RtpCipher, key);
    engine.expand(key)
}

fn padded(engine: Engine, key: &[u8; 20], pad: u8) -> [u32; 5] {
    let mut block = Zeroizing::new([pad; SHA_BLOCK]);
    for (pad, key) in block.iter_mut().zip(key) {
        *pad ^= key;
    }
    engine.midstate(&block)
}

impl Pads {
    #[inline]
    pub(super) fn message<'a>(
        &'a self,
        head: &'a [[u8; SHA_BLOCK]],
        tail: &'a [[u8; SHA_BLOCK]],
    ) -> Message<'a> {
        Message {
            inner: &self.inner,
            outer: &self.outer,
            head,
            tail,
        }
    }
}

impl Drop for Pads {
    fn drop(&mut self) {
        self.inner.zeroize();
        self.outer.zeroize();
    }
}

#[cfg(test)]
mod tests;
