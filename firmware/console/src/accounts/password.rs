//! Passwords: kept as what Argon2id makes of them (RFC 9106), with the costs that OWASP asks for.
//!
//! Not here: who has one.

use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::hex;

/// Kibibytes, passes and lanes.
const MEMORY: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Octets of a salt and of a hash.
pub(crate) const SALT: usize = 16;
const HASH: usize = 32;

/// Characters of a password.
const SHORTEST: usize = 10;
const LONGEST: usize = 256;

/// A password that is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PasswordError {
    /// Too short.
    #[error("a password has at least {SHORTEST} characters")]
    TooShort,
    /// So long that it is no password.
    #[error("a password has at most {LONGEST} characters")]
    TooLong,
    /// There is no memory for it.
    #[error("the box has no memory to check a password; try again")]
    NoMemory,
}

/// What is kept of a password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Password {
    salt: String,
    hash: String,
    memory: u32,
    passes: u32,
    lanes: u32,
}

impl Password {
    /// What is to be kept of a new one. Takes some ten milliseconds.
    pub(crate) fn new(password: &str, salt: [u8; SALT]) -> Result<Self, PasswordError> {
        match password.chars().count() {
            ..SHORTEST => return Err(PasswordError::TooShort),
            SHORTEST..=LONGEST => {}
            _ => return Err(PasswordError::TooLong),
        }
        let mut kept = Self {
            salt: hex(&salt),
            hash: String::new(),
            memory: MEMORY,
            passes: PASSES,
            lanes: LANES,
        };
        kept.hash = kept.hash_of(password)?;
        Ok(kept)
    }

    /// Of nobody: to take as long over a name that is not known as over one that is.
    pub(crate) fn of_nobody() -> Self {
        Self {
            salt: hex(&[0; SALT]),
            hash: String::new(),
            memory: MEMORY,
            passes: PASSES,
            lanes: LANES,
        }
    }

    /// Whether this is it. Takes some ten milliseconds.
    pub(crate) fn is(&self, password: &str) -> Result<bool, PasswordError> {
        if password.chars().count() > LONGEST {
            return Ok(false);
        }
        let hash = self.hash_of(password)?;
        Ok(bool::from(hash.as_bytes().ct_eq(self.hash.as_bytes())))
    }

    fn hash_of(&self, password: &str) -> Result<String, PasswordError> {
        let no_memory = |_| PasswordError::NoMemory;
        let params =
            Params::new(self.memory, self.passes, self.lanes, Some(HASH)).map_err(no_memory)?;
        let mut hash = [0; HASH];
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(password.as_bytes(), self.salt.as_bytes(), &mut hash)
            .map_err(no_memory)?;
        Ok(hex(&hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_again_and_another_is_not() {
        let kept = Password::new("correct horse", [7; SALT]).expect("it is long enough");
        assert_eq!(kept.is("correct horse"), Ok(true));
        assert_eq!(kept.is("correct hors"), Ok(false));
        assert_eq!(Password::of_nobody().is(""), Ok(false));
        assert!(!format!("{kept:?}").contains("horse"));
    }

    #[test]
    fn a_password_has_a_length() {
        let new = |password: &str| Password::new(password, [0; SALT]).err();
        assert_eq!(new("short"), Some(PasswordError::TooShort));
        assert_eq!(new(&"x".repeat(257)), Some(PasswordError::TooLong));
    }
}
