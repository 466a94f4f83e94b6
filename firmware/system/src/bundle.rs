//! An update on its way: a signed description, then the image itself.
//!
//! ```text
//! "PSTRNUP1" │ length of description (u32, little end first) │ description (JSON) │ key (8) │ signature (64) │ image
//! ```
//!
//! The signature (Ed25519) covers the magic, the length and the description; the description has the image's size and SHA-256. So
//! nothing of the image need be believed before all of it has been hashed, and nothing of the description is even read before
//! its signature holds. The key is named by the first octets of its SHA-256: a box may trust several, which is how keys are
//! changed: release N carries both, release N+1 the new one alone.
//!
//! Not here: whether a box may take a bundle (`update`).

use std::io::{self, Read, Write};

use ring::digest::{self, SHA256};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

use crate::release::Version;

const MAGIC: &[u8; 8] = b"PSTRNUP1";
/// No description is longer.
const DESCRIPTION: usize = 16 * 1024;
/// No image is larger.
const IMAGE: u64 = 256 << 20;
const PIECE: usize = 64 * 1024;

/// What a bundle brings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// The board that it is for.
    pub board: String,
    /// The release in it.
    pub version: Version,
    /// When its sources were made, in seconds since 1970-01-01 UTC.
    pub built: u64,
    /// Octets of the image.
    pub size: u64,
    /// SHA-256 of the image, in hexadecimal.
    pub sha256: String,
}

/// A key that bundles are checked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// A key from its file: 64 hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.trim().as_bytes();
        let mut key = [0; 32];
        if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        for (octet, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).ok()?;
            *octet = u8::from_str_radix(pair, 16).ok()?;
        }
        Some(Self(key))
    }

    /// As its file has it.
    #[must_use]
    pub fn to_text(&self) -> String {
        hexadecimal(&self.0)
    }

    fn name(&self) -> [u8; 8] {
        let digest = digest::digest(&SHA256, &self.0);
        *digest
            .as_ref()
            .first_chunk()
            .expect("SHA-256 has 32 octets")
    }
}

/// A key that bundles are signed with: PKCS #8 in its file.
#[derive(Debug)]
pub struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    /// Reads one.
    #[must_use]
    pub fn from_pkcs8(file: &[u8]) -> Option<Self> {
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(file)
            .ok()
            .map(Self)
    }

    /// What checks its signatures.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        let octets = self.0.public_key().as_ref();
        PublicKey(octets.try_into().expect("an Ed25519 key has 32 octets"))
    }
}

/// Why a bundle is refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It is something else.
    #[error("this is no update bundle")]
    NotABundle,
    /// Signed by nobody we know.
    #[error("it is signed by a key that this box does not trust")]
    UnknownKey,
    /// The signature does not hold.
    #[error("its signature does not hold: it was changed on its way")]
    Forged,
    /// The image is not the one that was signed.
    #[error("the image in it is not the one that was signed")]
    Changed,
    /// It ended early, or there was no room.
    #[error("it could not be read or stored: {0}")]
    Io(#[from] io::Error),
}

/// Writes a bundle.
///
/// # Errors
/// Where it cannot be written.
pub fn write(
    mut to: impl Write,
    board: &str,
    version: Version,
    built: u64,
    image: &[u8],
    key: &SigningKey,
) -> io::Result<()> {
    let description = Description {
        board: board.to_owned(),
        version,
        built,
        size: image.len() as u64,
        sha256: hexadecimal(digest::digest(&SHA256, image).as_ref()),
    };
    let description = serde_json::to_vec(&description)?;
    let signed = signed_part(&description);
    to.write_all(&signed)?;
    to.write_all(&key.public().name())?;
    to.write_all(key.0.sign(&signed).as_ref())?;
    to.write_all(image)
}

fn signed_part(description: &[u8]) -> Vec<u8> {
    let length = u32::try_from(description.len()).expect("a description is short");
    [&MAGIC[..], &length.to_le_bytes(), description].concat()
}

/// A bundle whose description is believed and whose image is still to come.
#[derive(Debug)]
pub struct Opened<R> {
    description: Description,
    rest: R,
}

impl<R: Read> Opened<R> {
    /// Reads as far as the image, and checks who signed.
    ///
    /// # Errors
    /// Where it is no bundle, or of nobody among `trusted`.
    pub fn read(mut from: R, trusted: &[PublicKey]) -> Result<Self, Refusal> {
        let mut head = [0; 12];
        from.read_exact(&mut head)?;
        let (magic, length) = head.split_at(8);
        let length = u32::from_le_bytes(length.try_into().expect("four of twelve octets"));
        let length = length as usize;
        if magic != MAGIC || length > DESCRIPTION {
            return Err(Refusal::NotABundle);
        }
        let mut description = vec![0; length];
        from.read_exact(&mut description)?;
        let mut name = [0; 8];
        from.read_exact(&mut name)?;
        let mut signature = [0; 64];
        from.read_exact(&mut signature)?;
        let key = trusted.iter().find(|key| key.name() == name);
        let key = key.ok_or(Refusal::UnknownKey)?;
        UnparsedPublicKey::new(&ED25519, key.0)
            .verify(&signed_part(&description), &signature)
            .map_err(|_| Refusal::Forged)?;
        let description: Description =
            serde_json::from_slice(&description).map_err(|_| Refusal::NotABundle)?;
        if description.size > IMAGE {
            return Err(Refusal::NotABundle);
        }
        Ok(Self {
            description,
            rest: from,
        })
    }

    /// What it brings.
    pub const fn description(&self) -> &Description {
        &self.description
    }

    /// Copies the image. Only if this returns well is what was written the image that was signed.
    ///
    /// # Errors
    /// Where it ends early, is another, or cannot be written.
    pub fn copy_image(mut self, mut to: impl Write) -> Result<(), Refusal> {
        let mut hash = digest::Context::new(&SHA256);
        let mut left = self.description.size;
        let mut piece = vec![0; PIECE];
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            let count = self.rest.read(&mut piece[..most])?;
            if count == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            hash.update(&piece[..count]);
            to.write_all(&piece[..count])?;
            left -= count as u64;
        }
        if hexadecimal(hash.finish().as_ref()) != self.description.sha256 {
            return Err(Refusal::Changed);
        }
        Ok(())
    }
}

/// Octets as hexadecimal digits.
#[must_use]
pub fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;

    use super::*;

    fn key() -> SigningKey {
        let file = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("randomness");
        SigningKey::from_pkcs8(file.as_ref()).expect("as it was made")
    }

    fn bundle(key: &SigningKey) -> Vec<u8> {
        let mut bundle = Vec::new();
        let version = "1.2.3".parse().expect("a version");
        write(&mut bundle, "x86", version, 7, b"the image", key).expect("memory");
        bundle
    }

    fn take(bundle: &[u8], trusted: &[PublicKey]) -> Result<Vec<u8>, Refusal> {
        let mut image = Vec::new();
        Opened::read(bundle, trusted)?.copy_image(&mut image)?;
        Ok(image)
    }

    #[test]
    fn what_was_signed_comes_out_again() {
        let (old, new) = (key(), key());
        let trusted = [old.public(), new.public()];
        for key in [old, new] {
            let bundle = bundle(&key);
            assert_eq!(take(&bundle, &trusted).expect("trusted"), b"the image");
            let opened = Opened::read(&bundle[..], &trusted).expect("trusted");
            assert_eq!(opened.description().version.to_string(), "1.2.3");
        }
    }

    #[test]
    fn no_bit_of_it_may_change() {
        let key = key();
        let trusted = [key.public()];
        let whole = bundle(&key);
        for bit in 0..whole.len() * 8 {
            let mut changed = whole.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(take(&changed, &trusted).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_part_of_it_is_nothing_and_what_follows_is_not_read() {
        let key = key();
        let trusted = [key.public()];
        let whole = bundle(&key);
        for length in 0..whole.len() {
            assert!(take(&whole[..length], &trusted).is_err(), "{length} octets");
        }
        let longer = [&whole[..], b"more"].concat();
        assert_eq!(take(&longer, &trusted).expect("trusted"), b"the image");
    }

    #[test]
    fn another_key_is_refused_by_name() {
        let refusal = take(&bundle(&key()), &[key().public()]);
        assert!(matches!(refusal, Err(Refusal::UnknownKey)));
    }

    #[test]
    fn a_key_is_read_as_it_is_written() {
        let key = key().public();
        assert_eq!(PublicKey::parse(&key.to_text()), Some(key));
        assert_eq!(PublicKey::parse("00"), None);
        assert_eq!(PublicKey::parse(&"+1".repeat(32)), None);
    }
}
