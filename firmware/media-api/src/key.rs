//! Keys of one direction, as SDES hands them over (RFC 4568).
//!
//! Key bytes are wiped when dropped and never printed.
//!
//! Not here: the grammar of `a=crypto` (sip::sdp), what is done with keys (media-dsp). Lengths are checked there, when the
//! stream is installed; a wrong one is `Refusal::BadKey`.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

/// A crypto suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Suite {
    /// `AES_CM_128_HMAC_SHA1_80` (MED-02).
    AesCm128HmacSha1_80,
    /// `AES_CM_128_HMAC_SHA1_32`.
    AesCm128HmacSha1_32,
    /// `AES_256_CM_HMAC_SHA1_80`.
    AesCm256HmacSha1_80,
    /// `AES_256_CM_HMAC_SHA1_32`.
    AesCm256HmacSha1_32,
    /// `AEAD_AES_128_GCM`.
    AeadAes128Gcm,
    /// `AEAD_AES_256_GCM`.
    AeadAes256Gcm,
}

/// Master key and salt as they stand concatenated in `inline:`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyMaterial(Vec<u8>);

impl KeyMaterial {
    /// Takes the bytes after base64.
    #[must_use]
    pub fn new(key_and_salt: &[u8]) -> Self {
        Self(key_and_salt.to_vec())
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for KeyMaterial {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl core::fmt::Debug for KeyMaterial {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("KeyMaterial(…)")
    }
}

/// What master key identifier packets carry. What we send carries one only under [`MkiRule::Exact`] (MED-02).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum MkiRule {
    /// None.
    #[default]
    Absent,
    /// These bytes.
    Exact(Vec<u8>),
    /// So many bytes, whatever they are.
    AnyValue(u8),
    /// So many bytes or none: for a party that lists an identifier and leaves it out (MED-03).
    Optional(u8),
}

/// One direction's keying: what one `a=crypto` line says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sdes {
    /// The suite.
    pub suite: Suite,
    /// Key and salt, of the suite's lengths.
    pub key: KeyMaterial,
    /// Identifier in the packets.
    pub mki: MkiRule,
    /// Packets the key may protect; none is the suite's maximum.
    pub lifetime: Option<u64>,
}
