//! The digest itself (RFC 7616 §3.4): hashes of texts parted by colons.
//!
//! MD5 is here because nearly every trunk still asks for it (RFC 8760 §2.3 lets a client go on with it). Values are hashed as
//! they stand between their quotes.
//!
//! Not here: headers, nonces, counting.

use md5::Md5;
use sha2::{Digest, Sha256, Sha512_256};

/// A digest algorithm (RFC 8760 §2.1); `-sess` hashes nonce and cnonce into the secret (RFC 7616 §3.4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// `MD5`, and what an absent parameter means.
    Md5,
    /// `MD5-sess`
    Md5Sess,
    /// `SHA-256`
    Sha256,
    /// `SHA-256-sess`
    Sha256Sess,
    /// `SHA-512-256`
    Sha512_256,
    /// `SHA-512-256-sess`
    Sha512_256Sess,
}

impl Algorithm {
    const ALL: [Self; 6] = [
        Self::Md5,
        Self::Md5Sess,
        Self::Sha256,
        Self::Sha256Sess,
        Self::Sha512_256,
        Self::Sha512_256Sess,
    ];

    /// The one that a parameter names, without case.
    #[must_use]
    pub fn parse(token: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.token().eq_ignore_ascii_case(token))
    }

    /// Its name.
    #[must_use]
    pub const fn token(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Md5Sess => "MD5-sess",
            Self::Sha256 => "SHA-256",
            Self::Sha256Sess => "SHA-256-sess",
            Self::Sha512_256 => "SHA-512-256",
            Self::Sha512_256Sess => "SHA-512-256-sess",
        }
    }

    const fn is_session(self) -> bool {
        matches!(
            self,
            Self::Md5Sess | Self::Sha256Sess | Self::Sha512_256Sess
        )
    }

    /// The hash, in lower-case hexadecimal, of parts joined by colons.
    fn hash(self, parts: &[&[u8]]) -> String {
        match self {
            Self::Md5 | Self::Md5Sess => hash::<Md5>(parts),
            Self::Sha256 | Self::Sha256Sess => hash::<Sha256>(parts),
            Self::Sha512_256 | Self::Sha512_256Sess => hash::<Sha512_256>(parts),
        }
    }
}

fn hash<D: Digest>(parts: &[&[u8]]) -> String {
    let mut digest = D::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            digest.update(b":");
        }
        digest.update(part);
    }
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digest = digest.finalize();
    let bytes: &[u8] = digest.as_ref();
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

/// Quality of protection: what the digest covers besides method and URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Qop {
    /// Nothing more.
    Auth,
    /// The body.
    AuthInt,
}

impl Qop {
    pub(super) const fn token(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::AuthInt => "auth-int",
        }
    }

    pub(super) fn parse(token: &str) -> Option<Self> {
        [Self::Auth, Self::AuthInt]
            .into_iter()
            .find(|qop| qop.token().eq_ignore_ascii_case(token))
    }
}

/// What a digest covers. Texts stand as between their quotes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Covered<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) username: &'a str,
    pub(super) realm: &'a str,
    pub(super) password: &'a [u8],
    pub(super) nonce: &'a str,
    pub(super) cnonce: &'a str,
    /// Eight digits; and what they count for. `None`: RFC 2069, as a challenge without `qop` asks.
    pub(super) counted: Option<(Qop, &'a str)>,
    pub(super) method: &'a str,
    pub(super) uri: &'a str,
    pub(super) body: &'a [u8],
}

impl Covered<'_> {
    /// The `response` parameter (RFC 7616 §3.4.1).
    pub(super) fn response(&self) -> String {
        let hash = |parts: &[&[u8]]| self.algorithm.hash(parts);
        let mut secret = hash(&[
            self.username.as_bytes(),
            self.realm.as_bytes(),
            self.password,
        ]);
        if self.algorithm.is_session() {
            secret = hash(&[
                secret.as_bytes(),
                self.nonce.as_bytes(),
                self.cnonce.as_bytes(),
            ]);
        }
        let action = match self.counted {
            Some((Qop::AuthInt, _)) => {
                let body = hash(&[self.body]);
                hash(&[self.method.as_bytes(), self.uri.as_bytes(), body.as_bytes()])
            }
            _ => hash(&[self.method.as_bytes(), self.uri.as_bytes()]),
        };
        match self.counted {
            Some((qop, count)) => hash(&[
                secret.as_bytes(),
                self.nonce.as_bytes(),
                count.as_bytes(),
                self.cnonce.as_bytes(),
                qop.token().as_bytes(),
                action.as_bytes(),
            ]),
            None => hash(&[secret.as_bytes(), self.nonce.as_bytes(), action.as_bytes()]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mufasa(algorithm: Algorithm) -> Covered<'static> {
        // RFC 7616 §3.9.1.
        Covered {
            algorithm,
            username: "Mufasa",
            realm: "http-auth@example.org",
            password: b"Circle of Life",
            nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
            counted: Some((Qop::Auth, "00000001")),
            method: "GET",
            uri: "/dir/index.html",
            body: b"",
        }
    }

    #[test]
    fn the_vectors_of_rfc_7616() {
        assert_eq!(
            mufasa(Algorithm::Md5).response(),
            "8ca523f5e9506fed4657c9700eebdbec"
        );
        assert_eq!(
            mufasa(Algorithm::Sha256).response(),
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
        );
    }

    #[test]
    fn the_vector_of_rfc_2617() {
        // §3.5.
        let covered = Covered {
            realm: "testrealm@host.com",
            password: b"Circle Of Life",
            nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
            cnonce: "0a4f113b",
            ..mufasa(Algorithm::Md5)
        };
        assert_eq!(covered.response(), "6629fae49393a05397450978507c4ef1");
    }

    #[test]
    fn the_vector_of_rfc_2069() {
        // §2.4, with the response as its erratum 749 has it.
        let covered = Covered {
            realm: "testrealm@host.com",
            password: b"CircleOfLife",
            nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
            counted: None,
            ..mufasa(Algorithm::Md5)
        };
        assert_eq!(covered.response(), "1949323746fe6a43ef61f9606e7febea");
    }

    #[test]
    fn the_vectors_of_rfc_8760_sha_512_256() {
        // RFC 7616 §3.9.2 prints a hash made with another SHA-512 truncation (erratum 4897); this is FIPS 180-4 itself.
        assert_eq!(
            hash::<Sha512_256>(&[b"abc"]),
            "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23"
        );
    }

    #[test]
    fn every_part_counts() {
        let plain = mufasa(Algorithm::Sha256);
        let integrity = Covered {
            counted: Some((Qop::AuthInt, "00000001")),
            ..plain
        };
        let session = Covered {
            algorithm: Algorithm::Sha256Sess,
            ..plain
        };
        let body = Covered {
            body: b"v=0",
            ..integrity
        };
        let all = [plain, integrity, session, body].map(|covered| covered.response());
        for (index, one) in all.iter().enumerate() {
            assert!(!all[index + 1..].contains(one));
        }
    }
}
