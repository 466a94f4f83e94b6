//! Secrets at rest: sealed with a key that lies in a file of its own, so that the database alone, a backup of it or a disk thrown
//! away without that file tells nothing.
//!
//! ```text
//! version 1 (one octet) │ nonce (12) │ ChaCha20-Poly1305 (RFC 8439) of the secret, with its name as associated data
//! ```
//!
//! A secret put under another's name does not open. Nonces are random: each call is given one.
//!
//! Not here: a key held by hardware, which would take the place of the file.

use std::path::Path;
use std::{fs, io};

use redb::{TableDefinition, TableError};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::{Zeroize, Zeroizing};

use crate::database::{Database, StoreError};
use crate::file;

const SECRETS: TableDefinition<'static, &'static str, &'static [u8]> =
    TableDefinition::new("secrets");
const VERSION: u8 = 1;
/// Octets of the key and of its file.
pub const KEY: usize = 32;
/// Octets of a nonce.
pub const NONCE: usize = NONCE_LEN;

/// The secrets of a database.
#[derive(Clone)]
pub struct Secrets {
    database: Database,
    key: LessSafeKey,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets")
    }
}

/// A secret cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The database fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It was sealed with another key or under another name, or has been changed since.
    #[error("the secret {0:?} does not open with this key")]
    Sealed(String),
    /// The key's file does not hold a key.
    #[error("the key file does not hold {KEY} octets")]
    Key,
}

impl From<io::Error> for SecretError {
    fn from(error: io::Error) -> Self {
        Self::Store(error.into())
    }
}

impl Secrets {
    /// The secrets of this database, with the key of this file; where there is no such file it begins with `fresh` as its key.
    ///
    /// # Errors
    /// Where the file cannot be read or made, or holds no key.
    pub fn open(
        database: &Database,
        key_file: &Path,
        mut fresh: [u8; KEY],
    ) -> Result<Self, SecretError> {
        let key = match fs::read(key_file) {
            Ok(key) => Zeroizing::new(key),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                file::replace(key_file, &fresh)?;
                Zeroizing::new(fresh.to_vec())
            }
            Err(error) => return Err(error.into()),
        };
        fresh.zeroize();
        let key = UnboundKey::new(&CHACHA20_POLY1305, &key).map_err(|_| SecretError::Key)?;
        Ok(Self {
            database: database.clone(),
            key: LessSafeKey::new(key),
        })
    }

    /// Keeps a secret. `nonce` must come from the system's generator and never again.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn put(&self, name: &str, secret: &[u8], nonce: [u8; NONCE]) -> Result<(), SecretError> {
        let mut sealed = Zeroizing::new(secret.to_vec());
        let aad = Aad::from(name.as_bytes());
        let nonce_of_it = Nonce::assume_unique_for_key(nonce);
        self.key
            .seal_in_place_append_tag(nonce_of_it, aad, &mut *sealed)
            .map_err(|_| SecretError::Sealed(name.to_owned()))?;
        let record = [&[VERSION], nonce.as_slice(), sealed.as_slice()].concat();
        let transaction = self.database.write()?;
        transaction
            .open_table(SECRETS)
            .map_err(StoreError::from)?
            .insert(name, record.as_slice())
            .map_err(StoreError::from)?;
        transaction.commit().map_err(StoreError::from)?;
        Ok(())
    }

    /// A secret.
    ///
    /// # Errors
    /// Where the database fails, or the secret does not open.
    pub fn read(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, SecretError> {
        let table = match self.database.read()?.open_table(SECRETS) {
            Ok(table) => table,
            Err(TableError::TableDoesNotExist(_)) => return Ok(None),
            Err(error) => return Err(StoreError::from(error).into()),
        };
        let Some(record) = table.get(name).map_err(StoreError::from)? else {
            return Ok(None);
        };
        let broken = || SecretError::Sealed(name.to_owned());
        let [VERSION, rest @ ..] = record.value() else {
            return Err(broken());
        };
        let (nonce, sealed) = rest.split_first_chunk::<NONCE>().ok_or_else(broken)?;
        let mut opened = Zeroizing::new(sealed.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = self
            .key
            .open_in_place(nonce, Aad::from(name.as_bytes()), &mut opened)
            .map_err(|_| broken())?
            .len();
        opened.truncate(length);
        Ok(Some(opened))
    }
}
