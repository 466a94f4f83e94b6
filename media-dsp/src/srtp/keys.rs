//! What SDES hands over: suite, master key and salt, MKI, lifetime (RFC 4568 §6.1, RFC 6188 §4, RFC 7714 §14.2).
//!
//! Parsed once into types that cannot be wrong: a [`MasterKey`] has the lengths of its suite, a [`Lifetime`] is within
//! RFC 3711's bounds. Keys are wiped when dropped, compared in constant time and never printed.
//!
//! Not here: base64 and the grammar of `a=crypto`.

use alloc::boxed::Box;
use core::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// A crypto suite of SDES.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Suite {
    /// `AES_CM_128_HMAC_SHA1_80` (RFC 4568 §6.2): what Teams speaks (MED-02).
    AesCm128HmacSha1_80,
    /// `AES_CM_128_HMAC_SHA1_32` (RFC 4568 §6.2); SRTCP keeps the 80-bit tag.
    AesCm128HmacSha1_32,
    /// `AES_256_CM_HMAC_SHA1_80` (RFC 6188 §4).
    AesCm256HmacSha1_80,
    /// `AES_256_CM_HMAC_SHA1_32` (RFC 6188 §4).
    AesCm256HmacSha1_32,
    /// `AEAD_AES_128_GCM` (RFC 7714 §14.2).
    AeadAes128Gcm,
    /// `AEAD_AES_256_GCM` (RFC 7714 §14.2).
    AeadAes256Gcm,
}

impl Suite {
    /// Every suite, strongest habit first.
    pub const ALL: [Self; 6] = [
        Self::AesCm128HmacSha1_80,
        Self::AesCm128HmacSha1_32,
        Self::AesCm256HmacSha1_80,
        Self::AesCm256HmacSha1_32,
        Self::AeadAes128Gcm,
        Self::AeadAes256Gcm,
    ];

    /// The name in `a=crypto`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Self::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
            Self::AesCm256HmacSha1_80 => "AES_256_CM_HMAC_SHA1_80",
            Self::AesCm256HmacSha1_32 => "AES_256_CM_HMAC_SHA1_32",
            Self::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Self::AeadAes256Gcm => "AEAD_AES_256_GCM",
        }
    }

    /// The suite of this name, if it is one of ours.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|suite| suite.name().eq_ignore_ascii_case(name))
    }

    /// Bytes of the master key.
    pub const fn key_len(self) -> usize {
        match self {
            Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 | Self::AeadAes128Gcm => 16,
            Self::AesCm256HmacSha1_80 | Self::AesCm256HmacSha1_32 | Self::AeadAes256Gcm => 32,
        }
    }

    /// Bytes of the master salt.
    pub const fn salt_len(self) -> usize {
        match self {
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 12,
            _ => 14,
        }
    }

    /// Whether it encrypts and authenticates in one (RFC 7714): the tag then lies before index and MKI.
    pub(super) const fn is_aead(self) -> bool {
        matches!(self, Self::AeadAes128Gcm | Self::AeadAes256Gcm)
    }

    /// Bytes of the tag on SRTP.
    pub const fn rtp_tag_len(self) -> usize {
        match self {
            Self::AesCm128HmacSha1_80 | Self::AesCm256HmacSha1_80 => 10,
            Self::AesCm128HmacSha1_32 | Self::AesCm256HmacSha1_32 => 4,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 16,
        }
    }

    /// Bytes of the tag on SRTCP (RFC 4568 §6.2.2: 80 bits for the _32 suites too).
    pub const fn rtcp_tag_len(self) -> usize {
        match self {
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 16,
            _ => 10,
        }
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Key material that does not fit its suite or its bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidKey {
    /// Key and salt together have not the length of the suite.
    Length {
        /// Bytes the suite wants, key and salt together.
        expected: usize,
        /// Bytes given.
        given: usize,
    },
    /// An MKI is 1 to 128 bytes long (RFC 4568 §6.1).
    MkiLength,
}

impl fmt::Display for InvalidKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { expected, given } => write!(
                f,
                "key and salt are {given} bytes, the suite wants {expected}"
            ),
            Self::MkiLength => f.write_str("an MKI is 1 to 128 bytes long"),
        }
    }
}

impl core::error::Error for InvalidKey {}

/// Master key and master salt of a suite.
#[derive(Clone)]
pub struct MasterKey {
    suite: Suite,
    material: [u8; 46],
}

impl MasterKey {
    /// Takes key and salt as they stand concatenated in `inline:` (RFC 4568 §6.1).
    ///
    /// # Errors
    /// [`InvalidKey::Length`] when the length is not the suite's.
    pub fn new(suite: Suite, key_and_salt: &[u8]) -> Result<Self, InvalidKey> {
        let expected = suite.key_len() + suite.salt_len();
        if key_and_salt.len() != expected {
            return Err(InvalidKey::Length {
                expected,
                given: key_and_salt.len(),
            });
        }
        let mut material = [0; 46];
        material[..expected].copy_from_slice(key_and_salt);
        Ok(Self { suite, material })
    }

    /// The suite this key belongs to.
    pub fn suite(&self) -> Suite {
        self.suite
    }

    pub(super) fn key(&self) -> &[u8] {
        &self.material[..self.suite.key_len()]
    }

    pub(super) fn salt(&self) -> &[u8] {
        &self.material[self.suite.key_len()..][..self.suite.salt_len()]
    }
}

impl Drop for MasterKey {
    fn drop(&mut self) {
        self.material.zeroize();
    }
}

impl PartialEq for MasterKey {
    fn eq(&self, other: &Self) -> bool {
        self.suite == other.suite && bool::from(self.material.ct_eq(&other.material))
    }
}

impl Eq for MasterKey {}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({}, …)", self.suite)
    }
}

/// A master key identifier: the bytes that name the key in each packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mki(Box<[u8]>);

impl Mki {
    /// An MKI of these bytes.
    ///
    /// # Errors
    /// [`InvalidKey::MkiLength`] unless there are 1 to 128 of them.
    pub fn new(bytes: &[u8]) -> Result<Self, InvalidKey> {
        match bytes.len() {
            1..=128 => Ok(Self(bytes.into())),
            _ => Err(InvalidKey::MkiLength),
        }
    }

    /// An MKI as `a=crypto` writes it: a number and the bytes it takes, most significant first (`1:4` is 00 00 00 01).
    ///
    /// # Errors
    /// [`InvalidKey::MkiLength`] when the length is out of bounds or the number does not fit it.
    pub fn from_value(value: u128, length: u8) -> Result<Self, InvalidKey> {
        let length = usize::from(length);
        let digits = value.to_be_bytes();
        let significant = digits.len() - digits.iter().take_while(|byte| **byte == 0).count();
        if length == 0 || length > 128 || significant > length {
            return Err(InvalidKey::MkiLength);
        }
        let mut bytes = alloc::vec![0; length];
        let copied = length.min(digits.len());
        bytes[length - copied..].copy_from_slice(&digits[digits.len() - copied..]);
        Ok(Self(bytes.into()))
    }

    /// The bytes on the wire.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// What MKI a packet carries. A sender writes what [`MkiRule::Exact`] says and nothing otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum MkiRule {
    /// No packet carries an MKI.
    #[default]
    Absent,
    /// Every packet carries this MKI; another value is another key, which we do not have.
    Exact(Mki),
    /// Every packet carries an MKI of so many bytes (1 to 128), whatever its value.
    AnyValue(u8),
    /// A packet may carry an MKI of so many bytes or none: for a peer that lists an MKI and leaves it out (MED-03).
    /// The tag decides, and the form that last verified is tried first.
    Optional(u8),
}

/// How many packets a master key may protect (RFC 3711 §9.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lifetime(u64);

impl Lifetime {
    /// 2^48 SRTP packets; SRTCP is further bound to 2^31 by its index.
    pub const MAXIMUM: Self = Self(1 << 48);

    /// So many packets, at least one and at most [`Self::MAXIMUM`].
    pub fn packets(count: u64) -> Self {
        Self(count.clamp(1, Self::MAXIMUM.0))
    }

    /// The number of packets.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl Default for Lifetime {
    fn default() -> Self {
        Self::MAXIMUM
    }
}

/// All that one direction needs: what one `a=crypto` line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keying {
    /// Suite, key and salt.
    pub master: MasterKey,
    /// The MKI rule of this direction.
    pub mki: MkiRule,
    /// The declared lifetime.
    pub lifetime: Lifetime,
}

impl Keying {
    /// Keying without MKI and with the default lifetime.
    pub fn new(master: MasterKey) -> Self {
        Self {
            master,
            mki: MkiRule::Absent,
            lifetime: Lifetime::MAXIMUM,
        }
    }
}

/// What a change of keying did (MED-04).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rekey {
    /// Same suite, key and salt: roll-over counters, windows and counters go on; MKI rule and lifetime are the new ones.
    Kept,
    /// Another key: every SSRC starts again with roll-over counter 0 and an empty window.
    Replaced,
}
