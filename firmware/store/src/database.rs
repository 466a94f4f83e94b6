//! The one database file of settings: opened once, shared by [`versions`](crate::versions), [`shelf`](crate::shelf) and
//! [`sealed`](crate::sealed).
//!
//! What a commit has acknowledged is on the disk; what was under way when the power went has never been. redb sees to that with
//! a copy-on-write tree and an fsync for each commit.
//!
//! Not here: what is kept in it.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use redb::{ReadTransaction, ReadableDatabase, WriteTransaction};

/// The database could not do it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file cannot be used.
    #[error("the store: {0}")]
    File(#[from] std::io::Error),
    /// The database says no: the disk is full, the file is damaged or another process has it.
    #[error("the store: {0}")]
    Database(#[from] Box<redb::Error>),
    /// What is written there cannot be read, though the database is whole: another release wrote it.
    #[error("the store holds a record that this release cannot read: {0}")]
    Record(String),
}

macro_rules! from_redb {
    ($($error:ident),+) => {
        $(impl From<redb::$error> for StoreError {
            fn from(error: redb::$error) -> Self {
                Self::Database(Box::new(error.into()))
            }
        })+
    };
}

from_redb!(
    DatabaseError,
    TransactionError,
    TableError,
    StorageError,
    CommitError
);

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        Self::Record(error.to_string())
    }
}

/// The database, open. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Database(Arc<redb::Database>);

impl Database {
    /// Opens the database of a folder, or begins one. The folder and the file are their owner's alone.
    ///
    /// # Errors
    /// Where the folder cannot be used, or another process has the database.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        let file = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(folder.join("settings.redb"))?;
        let backend = redb::backends::FileBackend::new(file)?;
        Ok(Self(Arc::new(
            redb::Builder::new().create_with_backend(backend)?,
        )))
    }

    pub(crate) fn read(&self) -> Result<ReadTransaction, StoreError> {
        Ok(self.0.begin_read()?)
    }

    pub(crate) fn write(&self) -> Result<WriteTransaction, StoreError> {
        Ok(self.0.begin_write()?)
    }
}
