//! `a=crypto`: SRTP keys in SDP (RFC 4568, RFC 6188 not used, RFC 7714 for AEAD).
//!
//! Read are the lifetime in both forms (`2^31`, `2147483648`), an MKI (`1:1`), both in either order of presence, several
//! keys in one line, and session parameters. A line whose suite or parameters we do not know stays typed
//! ([`Suite::Other`], [`SessionParameter::Other`]) so that an answer can be chosen around it.
//!
//! Keys never appear in `Debug`. Not here: which line to choose (`call::media`), key derivation (`media-dsp`).

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::{Deserialize, Serialize};

use super::limit;

/// Written with the padding of RFC 4648 §4; read with or without it, since both are met.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// One `a=crypto` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crypto {
    /// Names the line; an answer repeats the tag it chose (RFC 4568 §5.1.2).
    pub tag: u32,
    /// The crypto suite.
    pub suite: Suite,
    /// Its keys: at least one; several only with MKIs.
    pub keys: Vec<KeyParameter>,
    /// `KDR=…`, `WSH=…`, and their like.
    pub parameters: Vec<SessionParameter>,
}

impl Crypto {
    /// A line with one key, the form Teams documents: `inline:key|2^31`, no MKI (MED-02).
    pub fn new(tag: u32, suite: Suite, key: MasterKey, lifetime: Option<Lifetime>) -> Self {
        Self {
            tag,
            suite,
            keys: vec![KeyParameter {
                key,
                lifetime,
                mki: None,
            }],
            parameters: Vec::new(),
        }
    }

    /// Whether we can do what the line asks: a known suite, a key of its length, no parameter that changes the packets.
    pub fn is_usable(&self) -> bool {
        self.suite
            .key_length()
            .is_some_and(|length| self.keys.iter().all(|k| k.key.bytes().len() == length))
            && self.parameters.iter().all(SessionParameter::is_harmless)
            && !self.keys.is_empty()
    }
}

impl FromStr for Crypto {
    type Err = NotCrypto;

    /// Reads the value after `a=crypto:`.
    fn from_str(text: &str) -> Result<Self, NotCrypto> {
        let mut fields = text.split_ascii_whitespace();
        let tag = fields.next().ok_or(NotCrypto)?;
        if tag.len() > 9 {
            return Err(NotCrypto);
        }
        let tag = decimal(tag).ok_or(NotCrypto)?;
        let suite = Suite::parse(fields.next().ok_or(NotCrypto)?);
        let mut keys = Vec::with_capacity(1);
        for key in fields.next().ok_or(NotCrypto)?.split(';') {
            if key.is_empty() {
                continue;
            }
            if keys.len() == limit::KEYS {
                return Err(NotCrypto);
            }
            keys.push(KeyParameter::parse(key).ok_or(NotCrypto)?);
        }
        let parameters: Vec<_> = fields.map(SessionParameter::parse).collect();
        if keys.is_empty() || parameters.len() > limit::SESSION_PARAMETERS {
            return Err(NotCrypto);
        }
        Ok(Self {
            tag,
            suite,
            keys,
            parameters,
        })
    }
}

impl fmt::Display for Crypto {
    /// Writes the value after `a=crypto:`, keys included.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.tag, self.suite)?;
        for (index, key) in self.keys.iter().enumerate() {
            if index > 0 {
                f.write_str(";")?;
            }
            write!(f, "inline:{}", BASE64.encode(key.key.bytes()))?;
            if let Some(lifetime) = key.lifetime {
                write!(f, "|{lifetime}")?;
            }
            if let Some(mki) = key.mki {
                write!(f, "|{}:{}", mki.value, mki.length)?;
            }
        }
        for parameter in &self.parameters {
            write!(f, " {parameter}")?;
        }
        Ok(())
    }
}

/// The text is no `a=crypto` value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a crypto attribute of RFC 4568")]
pub struct NotCrypto;

/// A crypto suite (RFC 4568 §6.2, RFC 7714 §14.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Suite {
    /// `AES_CM_128_HMAC_SHA1_80`: the one Teams wants (MED-02).
    AesCm128HmacSha1_80,
    /// `AES_CM_128_HMAC_SHA1_32`: short tag on RTP, long on RTCP.
    AesCm128HmacSha1_32,
    /// `AEAD_AES_128_GCM`
    AeadAes128Gcm,
    /// `AEAD_AES_256_GCM`
    AeadAes256Gcm,
    /// A suite we do not have, as written.
    Other(String),
}

impl Suite {
    /// Reads the suite's name; RFC 4568 compares without case.
    pub fn parse(text: &str) -> Self {
        [
            Self::AesCm128HmacSha1_80,
            Self::AesCm128HmacSha1_32,
            Self::AeadAes128Gcm,
            Self::AeadAes256Gcm,
        ]
        .into_iter()
        .find(|suite| suite.name().eq_ignore_ascii_case(text))
        .unwrap_or_else(|| Self::Other(text.to_owned()))
    }

    /// The registered name.
    pub fn name(&self) -> &str {
        match self {
            Self::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Self::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
            Self::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Self::AeadAes256Gcm => "AEAD_AES_256_GCM",
            Self::Other(name) => name,
        }
    }

    /// Bytes of master key and master salt together; `None` for a suite we do not have.
    pub const fn key_length(&self) -> Option<usize> {
        match self {
            Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 => Some(16 + 14),
            Self::AeadAes128Gcm => Some(16 + 12),
            Self::AeadAes256Gcm => Some(32 + 12),
            Self::Other(_) => None,
        }
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One `inline:` key with its lifetime and MKI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyParameter {
    /// Master key and master salt, concatenated.
    pub key: MasterKey,
    /// How many packets the key may protect.
    pub lifetime: Option<Lifetime>,
    /// The identifier packets of this key carry.
    pub mki: Option<Mki>,
}

impl KeyParameter {
    fn parse(text: &str) -> Option<Self> {
        let (method, value) = text.split_once(':')?;
        if !method.eq_ignore_ascii_case("inline") {
            return None;
        }
        let mut parts = value.split('|');
        let key = MasterKey::parse(parts.next()?)?;
        let (mut lifetime, mut mki) = (None, None);
        for part in parts {
            // RFC 4568 §6.1: lifetime, then MKI; only the MKI holds a colon, so either may be absent.
            if part.contains(':') {
                if mki.replace(Mki::parse(part)?).is_some() {
                    return None;
                }
            } else if mki.is_some() || lifetime.replace(Lifetime::parse(part)?).is_some() {
                return None;
            }
        }
        Some(Self { key, lifetime, mki })
    }
}

/// Master key and salt, as one string of bytes. `Debug` does not show them.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterKey(Vec<u8>);

impl MasterKey {
    /// The longest key taken: room for suites of other people's, so that their lines are read and passed over.
    pub const LONGEST: usize = 64;

    /// Takes `bytes` of key and salt; `None` when there are none or too many.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (1..=Self::LONGEST)
            .contains(&bytes.len())
            .then(|| Self(bytes.to_vec()))
    }

    /// Key and salt.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn parse(text: &str) -> Option<Self> {
        // Four characters for three bytes: whatever is longer is no key, and is not decoded.
        if text.len() > Self::LONGEST / 3 * 4 + 4 {
            return None;
        }
        Self::new(&BASE64.decode(text).ok()?)
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({} bytes)", self.0.len())
    }
}

/// How many packets a key may protect: `2^31` or `2147483648`; each form is written as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lifetime {
    /// `2^n`
    PowerOfTwo(u8),
    /// A plain number.
    Packets(u64),
}

impl Lifetime {
    /// The form Teams documents (MED-02).
    pub const TEAMS: Self = Self::PowerOfTwo(31);

    /// The number of packets.
    pub const fn packets(self) -> u64 {
        match self {
            Self::PowerOfTwo(power) => 1 << power,
            Self::Packets(packets) => packets,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix("2^") {
            // RFC 4568 §6.1: the default and the most is 2^48.
            Some(power) => decimal(power)
                .filter(|power| *power <= 48)
                .map(Self::PowerOfTwo),
            None => decimal(text).map(Self::Packets),
        }
    }
}

impl fmt::Display for Lifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PowerOfTwo(power) => write!(f, "2^{power}"),
            Self::Packets(packets) => write!(f, "{packets}"),
        }
    }
}

/// Master key identifier: `value:length` (RFC 4568 §6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mki {
    /// Its value.
    pub value: u128,
    /// Bytes it takes in each packet: 1 to 128.
    pub length: u8,
}

impl Mki {
    /// The bytes at the end of a packet: `value`, big-endian, in `length` bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let value = self.value.to_be_bytes();
        let length = usize::from(self.length);
        let mut bytes = vec![0; length.saturating_sub(value.len())];
        bytes.extend_from_slice(&value[value.len().saturating_sub(length)..]);
        bytes
    }

    fn parse(text: &str) -> Option<Self> {
        let (value, length) = text.split_once(':')?;
        let mki = Self {
            value: decimal(value)?,
            length: decimal(length)?,
        };
        let fits = mki.length >= 16 || mki.value < 1 << (u32::from(mki.length) * 8);
        ((1..=128).contains(&mki.length) && fits).then_some(mki)
    }
}

/// A session parameter of a crypto line (RFC 4568 §6.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionParameter {
    /// `KDR=n`: keys are derived anew every 2^n packets.
    KeyDerivationRate(u8),
    /// `WSH=n`: size of the replay window that is hoped for.
    WindowSizeHint(u16),
    /// An extension that may be ignored: begins with `-` (RFC 4568 §6.3.7).
    Ignorable(String),
    /// One that may not: `UNENCRYPTED_SRTP`, `FEC_ORDER=…`, or unknown.
    Other(String),
}

impl SessionParameter {
    fn parse(text: &str) -> Self {
        let number = |name: &str| {
            text.split_once('=')
                .filter(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, value)| value)
        };
        if text.starts_with('-') {
            return Self::Ignorable(text.to_owned());
        }
        if let Some(rate) = number("KDR").and_then(decimal).filter(|rate| *rate <= 24) {
            return Self::KeyDerivationRate(rate);
        }
        if let Some(size) = number("WSH").and_then(decimal) {
            return Self::WindowSizeHint(size);
        }
        Self::Other(text.to_owned())
    }

    /// Whether packets look the same to us with it. A key derivation rate other than 2^0 is not implemented.
    const fn is_harmless(&self) -> bool {
        match self {
            Self::WindowSizeHint(_) | Self::Ignorable(_) => true,
            Self::KeyDerivationRate(_) | Self::Other(_) => false,
        }
    }
}

impl fmt::Display for SessionParameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyDerivationRate(rate) => write!(f, "KDR={rate}"),
            Self::WindowSizeHint(size) => write!(f, "WSH={size}"),
            Self::Ignorable(text) | Self::Other(text) => f.write_str(text),
        }
    }
}

/// Digits only: `FromStr` of the integers would also take a sign.
fn decimal<T: FromStr>(text: &str) -> Option<T> {
    super::parse::decimal(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

    fn read(line: &str) -> Crypto {
        line.parse().expect("a crypto line")
    }

    #[test]
    fn the_examples_of_rfc_4568_read_and_print_the_same() {
        for line in [
            "1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4",
            "2 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4;inline:QUJjZGVmMTIzNDU2Nzg5QUJDREUwMTIzNDU2Nzg5|2^20|2:4 WSH=128",
            "1 AES_CM_128_HMAC_SHA1_32 inline:NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Zj|2^20|1:32",
            "1 F8_128_HMAC_SHA1_80 inline:MTIzNDU2Nzg5QUJDREUwMTIzNDU2Nzg5QUJjZGVm|2^20|1:4 KDR=1",
        ] {
            assert_eq!(read(line).to_string(), line);
        }
    }

    /// MED-02, MED-03: what Teams sends, and what others send to it.
    #[test]
    fn lifetime_and_mki_in_every_form() {
        let parts = |tail: &str| {
            let crypto = read(&format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}{tail}"));
            assert!(crypto.is_usable());
            (crypto.keys[0].lifetime, crypto.keys[0].mki)
        };
        let mki = Some(Mki {
            value: 1,
            length: 1,
        });
        assert_eq!(parts(""), (None, None));
        assert_eq!(parts("|2^31"), (Some(Lifetime::TEAMS), None));
        assert_eq!(
            parts("|2147483648"),
            (Some(Lifetime::Packets(1 << 31)), None)
        );
        assert_eq!(parts("|1:1"), (None, mki));
        assert_eq!(parts("|2^31|1:1"), (Some(Lifetime::TEAMS), mki));
        assert_eq!(
            Lifetime::TEAMS.packets(),
            Lifetime::Packets(1 << 31).packets()
        );
    }

    #[test]
    fn suites_have_their_key_lengths() {
        let gcm = format!("3 AEAD_AES_128_GCM inline:{}", BASE64.encode([7; 28]));
        assert!(read(&gcm).is_usable());
        assert_eq!(read(&gcm).to_string(), gcm);
        assert!(
            read(gcm.trim_end_matches('=')).is_usable(),
            "padding is optional"
        );
        assert!(
            read(&format!(
                "4 aead_aes_256_gcm inline:{}",
                BASE64.encode([7; 44])
            ))
            .is_usable()
        );
        let short = format!(
            "1 AES_CM_128_HMAC_SHA1_80 inline:{}",
            BASE64.encode([7; 16])
        );
        assert!(!read(&short).is_usable());
    }

    #[test]
    fn what_changes_packets_is_not_usable() {
        let with = |tail: &str| {
            read(&format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} {tail}")).is_usable()
        };
        assert!(with("WSH=64"));
        assert!(with("-vendor=1"));
        assert!(!with("UNENCRYPTED_SRTP"));
        assert!(!with("KDR=1"));
        assert!(!with("FEC_ORDER=FEC_SRTP"));
        assert!(!with("novel"));
    }

    #[test]
    fn what_is_no_crypto_line_is_refused() {
        for line in [
            "",
            "1",
            "x AES_CM_128_HMAC_SHA1_80 inline:AAAA",
            "+1 AES_CM_128_HMAC_SHA1_80 inline:AAAA",
            "1234567890 AES_CM_128_HMAC_SHA1_80 inline:AAAA",
            "1 AES_CM_128_HMAC_SHA1_80",
            "1 AES_CM_128_HMAC_SHA1_80 inline:",
            "1 AES_CM_128_HMAC_SHA1_80 inline:!!!!",
            "1 AES_CM_128_HMAC_SHA1_80 uri:http",
            "1 AES_CM_128_HMAC_SHA1_80 inline:AAAA|2^49",
            "1 AES_CM_128_HMAC_SHA1_80 inline:AAAA|1:0",
            "1 AES_CM_128_HMAC_SHA1_80 inline:AAAA|256:1",
            "1 AES_CM_128_HMAC_SHA1_80 inline:AAAA|1:1|2^31",
        ] {
            assert_eq!(line.parse::<Crypto>(), Err(NotCrypto), "{line}");
        }
    }

    #[test]
    fn mki_bytes_are_big_endian_and_padded() {
        let bytes = |value, length| Mki { value, length }.bytes();
        assert_eq!(bytes(1, 1), [1]);
        assert_eq!(bytes(0x0102, 4), [0, 0, 1, 2]);
        assert_eq!(bytes(5, 18).len(), 18);
        assert_eq!(bytes(5, 18)[17], 5);
    }

    #[test]
    fn debug_hides_the_key() {
        let shown = format!(
            "{:?}",
            read(&format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"))
        );
        assert!(shown.contains("30 bytes") && !shown.contains(KEY));
    }
}
