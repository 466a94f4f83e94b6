//! The lines by which two sides key SRTP in a handshake of their own: `a=fingerprint` (RFC 8122) and `a=setup` (RFC 4145,
//! RFC 5763).
//!
//! Invariant: what is printed is read again as the same value.
//!
//! Not here: the handshake (the media plane), which fingerprints are believed (policy, in `call::media`).

use std::fmt;
use std::str::FromStr;

use super::limit;

/// The DTLS lines of a level.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dtls {
    /// `a=fingerprint`, in order; one of them must be the certificate's (RFC 8122 §6.2).
    pub fingerprints: Vec<Fingerprint>,
    /// `a=setup`
    pub setup: Option<Setup>,
}

impl Dtls {
    /// No lines.
    pub const NONE: Self = Self {
        fingerprints: Vec::new(),
        setup: None,
    };

    /// Takes an attribute; whether it was one of these and understood.
    pub(super) fn take(&mut self, name: &str, value: &str) -> bool {
        match name {
            "fingerprint" => match value.parse() {
                Ok(fingerprint) if self.fingerprints.len() < limit::FINGERPRINTS => {
                    self.fingerprints.push(fingerprint);
                    true
                }
                _ => false,
            },
            "setup" if self.setup.is_none() => {
                self.setup = Setup::parse(value);
                self.setup.is_some()
            }
            _ => false,
        }
    }
}

/// A certificate by the hash of its DER form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// The name of the hash, in lower case: `sha-256`, …
    hash: String,
    value: Vec<u8>,
}

/// The hash that every implementation knows (RFC 8122 §5).
const SHA_256: &str = "sha-256";

/// Bytes of the longest hash that is met (SHA-512).
const LONGEST: usize = 64;

impl Fingerprint {
    /// By SHA-256.
    pub fn sha_256(value: [u8; 32]) -> Self {
        Self {
            hash: SHA_256.to_owned(),
            value: value.to_vec(),
        }
    }

    /// The value, if it is one of SHA-256.
    pub fn as_sha_256(&self) -> Option<[u8; 32]> {
        (self.hash == SHA_256)
            .then(|| self.value.as_slice().try_into().ok())
            .flatten()
    }
}

/// Why a text is no fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoFingerprint;

impl FromStr for Fingerprint {
    type Err = NoFingerprint;

    fn from_str(text: &str) -> Result<Self, NoFingerprint> {
        let (hash, value) = text.split_once(' ').ok_or(NoFingerprint)?;
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if hash.is_empty() || !hash.bytes().all(is_token) {
            return Err(NoFingerprint);
        }
        // Small letters are met, though RFC 8122 §5 wants capitals.
        let octet = |pair: &str| {
            let is_pair = pair.len() == 2 && pair.bytes().all(|byte| byte.is_ascii_hexdigit());
            is_pair
                .then(|| u8::from_str_radix(pair, 16).ok())
                .flatten()
                .ok_or(NoFingerprint)
        };
        let octets = value.trim().split(':').take(LONGEST + 1).map(octet);
        let value = octets.collect::<Result<Vec<u8>, _>>()?;
        if value.len() > LONGEST {
            return Err(NoFingerprint);
        }
        Ok(Self {
            hash: hash.to_ascii_lowercase(),
            value,
        })
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hash)?;
        for (place, octet) in self.value.iter().enumerate() {
            let before = if place == 0 { ' ' } else { ':' };
            write!(f, "{before}{octet:02X}")?;
        }
        Ok(())
    }
}

/// Who begins the handshake (RFC 4145 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// The writer.
    Active,
    /// The reader.
    Passive,
    /// Whom the answer says.
    ActPass,
    /// Nobody for now.
    HoldConn,
}

impl Setup {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "active" => Self::Active,
            "passive" => Self::Passive,
            "actpass" => Self::ActPass,
            "holdconn" => Self::HoldConn,
            _ => return None,
        })
    }
}

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Active => "active",
            Self::Passive => "passive",
            Self::ActPass => "actpass",
            Self::HoldConn => "holdconn",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_as_it_is_written() {
        let mut value = [0x0a; 32];
        value[31] = 0xf1;
        let fingerprint = Fingerprint::sha_256(value);
        let text = fingerprint.to_string();
        assert!(text.starts_with("sha-256 0A:0A:"), "{text}");
        assert!(text.ends_with(":0A:F1"), "{text}");
        assert_eq!(text.parse(), Ok(fingerprint.clone()));
        // As some write it.
        let small = text.to_lowercase().replace("sha", "SHA");
        assert_eq!(small.parse(), Ok(fingerprint.clone()));
        assert_eq!(fingerprint.as_sha_256(), Some(value));
        let other: Fingerprint = "sha-1 0A:0B".parse().expect("another hash");
        assert_eq!(other.as_sha_256(), None);
    }

    #[test]
    fn what_is_no_fingerprint_is_none() {
        let long = format!("sha-256 00{}", ":00".repeat(64));
        for text in [
            "",
            "sha-256",
            "sha-256 ",
            " 0A",
            "sha-256 0",
            "sha-256 0A:",
            "sha-256 0A:+1",
            "sha/256 0A",
            "sha-256 0A0B",
            long.as_str(),
        ] {
            assert_eq!(text.parse::<Fingerprint>(), Err(NoFingerprint), "{text}");
        }
    }

    #[test]
    fn lines_are_taken_while_there_is_room() {
        let mut dtls = Dtls::default();
        assert!(dtls.take("setup", "actpass") && !dtls.take("setup", "active"));
        assert_eq!(dtls.setup, Some(Setup::ActPass));
        assert!(!dtls.take("setup", "both") && !dtls.take("fingerprint", "x"));
        let taken = (0..20).filter(|_| dtls.take("fingerprint", "sha-1 0A"));
        assert_eq!(taken.count(), limit::FINGERPRINTS);
    }
}
