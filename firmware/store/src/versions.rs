//! Versions of the configuration: every document that was ever in force, which one is, and whether it must still be confirmed.
//!
//! ```text
//! commit ──► in force ──► (confirmed: stays)
//!               └─ not confirmed in time ──► what was in force before, as a version of its own
//! ```
//!
//! The document also lies in a file, for people and programs; the store knows which version it has written there, so that after a
//! power cut a file that was not yet written is told apart from one that somebody has edited.
//!
//! Not here: what a document may say (`config`), who may commit (`console`).

use std::fs;
use std::path::Path;

use redb::{ReadableTable, Table, TableDefinition, TableError, WriteTransaction};
use serde::{Deserialize, Serialize};

use crate::Wall;
use crate::database::{Database, StoreError};
use crate::file;

const VERSIONS: TableDefinition<'static, u64, &'static [u8]> = TableDefinition::new("versions");
const TEXTS: TableDefinition<'static, u64, &'static [u8]> = TableDefinition::new("texts");
const STATE: TableDefinition<'static, &'static str, &'static [u8]> = TableDefinition::new("state");
const STANDING: &str = "versions";

/// Versions kept; the oldest go.
pub const KEPT: u64 = 500;

/// One version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Its number: one more than the one before.
    pub number: u64,
    /// When it was committed.
    pub at: Wall,
    /// Who did it.
    pub author: String,
    /// Why, in their words.
    pub comment: String,
    /// How it came to be.
    pub origin: Origin,
}

/// How a version came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The candidate was committed.
    Commit,
    /// The file was edited.
    File,
    /// Somebody went back to this earlier version.
    Rollback(u64),
    /// The version in between was not confirmed, or was given up: back to this one.
    Undone(u64),
}

/// What is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The version in force.
    pub current: u64,
    /// The version last written to the file.
    pub exported: u64,
    /// What happens unless somebody confirms.
    pub pending: Option<Pending>,
}

/// A commit that is not yet confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// Until when it may be confirmed.
    pub until: Wall,
    /// The version that comes back.
    pub back_to: u64,
}

/// What is to be committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The document.
    pub text: String,
    /// Who commits it.
    pub author: String,
    /// Why.
    pub comment: String,
    /// How it came to be.
    pub origin: Origin,
    /// The version that it was made from; another one in force meanwhile is not overwritten.
    pub based_on: u64,
    /// Until when it must be confirmed, if it must.
    pub confirm_until: Option<Wall>,
}

/// Why nothing was committed.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The database fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Somebody else has committed meanwhile.
    #[error("version {current} has come into force meanwhile")]
    Moved {
        /// What is in force.
        current: u64,
    },
    /// The last commit waits to be confirmed.
    #[error("version {current} waits to be confirmed, or to be undone")]
    Unconfirmed {
        /// What is in force.
        current: u64,
    },
    /// Nothing waits to be confirmed.
    #[error("nothing waits to be confirmed")]
    NothingPending,
    /// No such version is kept.
    #[error("no version {0} is kept")]
    NoSuchVersion(u64),
}

macro_rules! from_redb {
    ($($error:ident),+) => {
        $(impl From<redb::$error> for CommitError {
            fn from(error: redb::$error) -> Self {
                Self::Store(error.into())
            }
        })+
    };
}

from_redb!(TableError, StorageError);

/// What the file is, beside what is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileState {
    /// The same.
    Same,
    /// A commit was cut off before the file was written: write it.
    Behind,
    /// Somebody has edited it: if it is good, it is the next version.
    Edited,
    /// Nothing has ever been committed: if the file is good, it is the first version.
    First,
}

/// The versions of a database.
#[derive(Debug, Clone)]
pub struct Versions {
    database: Database,
}

impl Versions {
    /// The versions of this database.
    #[must_use]
    pub fn of(database: &Database) -> Self {
        Self {
            database: database.clone(),
        }
    }

    /// What is in force; `None` before the first commit.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn standing(&self) -> Result<Option<Standing>, StoreError> {
        match self.database.read()?.open_table(STATE) {
            Ok(table) => standing_in(&table),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The document of a version; `None` if no such version is kept.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn text(&self, number: u64) -> Result<Option<String>, StoreError> {
        match self.database.read()?.open_table(TEXTS) {
            Ok(table) => text_in(&table, number),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// One version; `None` if it is not kept.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn version(&self, number: u64) -> Result<Option<Version>, StoreError> {
        let found = self.list(number.checked_add(1), 1)?;
        Ok(found.into_iter().find(|version| version.number == number))
    }

    /// Versions, the newest first: at most so many of those before `before`.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn list(&self, before: Option<u64>, most: usize) -> Result<Vec<Version>, StoreError> {
        let table = match self.database.read()?.open_table(VERSIONS) {
            Ok(table) => table,
            Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        let mut listed = Vec::new();
        for entry in table.range(..before.unwrap_or(u64::MAX))?.rev().take(most) {
            listed.push(serde_json::from_slice(entry?.1.value())?);
        }
        Ok(listed)
    }

    /// Brings a document into force. It is on the disk when this returns.
    ///
    /// # Errors
    /// Where it is made from what is no longer in force, or another commit waits to be confirmed; nothing has changed then.
    pub fn commit(&self, draft: &Draft, now: Wall) -> Result<Version, CommitError> {
        self.change(|tables| {
            let Some(standing) = tables.standing()? else {
                return tables.append(draft, now, 1, None);
            };
            let current = standing.current;
            if standing.pending.is_some() {
                return Err(CommitError::Unconfirmed { current });
            }
            if current != draft.based_on {
                return Err(CommitError::Moved { current });
            }
            tables.append(draft, now, current + 1, Some(&standing))
        })
    }

    /// Says that the last commit stays.
    ///
    /// # Errors
    /// Where none waits for it.
    pub fn confirm(&self) -> Result<u64, CommitError> {
        self.change(|tables| {
            let mut standing = tables.standing()?.ok_or(CommitError::NothingPending)?;
            if standing.pending.take().is_none() {
                return Err(CommitError::NothingPending);
            }
            tables.stand(&standing)?;
            Ok(standing.current)
        })
    }

    /// Goes back to what was in force before the commit that waits to be confirmed.
    ///
    /// # Errors
    /// Where none waits.
    pub fn undo(&self, author: &str, now: Wall) -> Result<Version, CommitError> {
        self.change(|tables| {
            let standing = tables.standing()?.ok_or(CommitError::NothingPending)?;
            let pending = standing.pending.ok_or(CommitError::NothingPending)?;
            let text = text_in(&tables.texts, pending.back_to)?
                .ok_or(CommitError::NoSuchVersion(pending.back_to))?;
            let draft = Draft {
                text,
                author: author.to_owned(),
                comment: String::new(),
                origin: Origin::Undone(pending.back_to),
                based_on: standing.current,
                confirm_until: None,
            };
            tables.append(&draft, now, standing.current + 1, Some(&standing))
        })
    }

    /// Writes what is in force into the file, as a whole, and remembers that it is there.
    ///
    /// # Errors
    /// Where the file cannot be written, or the database fails; the file is whole all the same.
    pub fn export(&self, path: &Path) -> Result<(), StoreError> {
        let Some(standing) = self.standing()? else {
            return Ok(());
        };
        let text = self.text(standing.current)?.unwrap_or_default();
        if fs::read(path).is_ok_and(|there| there == text.as_bytes()) {
            return self.exported(standing.current);
        }
        file::replace(path, text.as_bytes())?;
        self.exported(standing.current)
    }

    fn exported(&self, number: u64) -> Result<(), StoreError> {
        let noted = self.change(|tables| {
            if let Some(mut standing) = tables.standing()?
                && standing.exported != number
            {
                standing.exported = number;
                tables.stand(&standing)?;
            }
            Ok(())
        });
        noted.map_err(|error| match error {
            CommitError::Store(error) => error,
            other => StoreError::Record(other.to_string()),
        })
    }

    /// What the file's content is, beside what is in force.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn compare(&self, file: &str) -> Result<FileState, StoreError> {
        let Some(standing) = self.standing()? else {
            return Ok(FileState::First);
        };
        if self.text(standing.current)?.as_deref() == Some(file) {
            return Ok(FileState::Same);
        }
        // The note of what was written may be one step behind the file itself.
        for number in standing.exported..standing.current {
            if self.text(number)?.as_deref() == Some(file) {
                return Ok(FileState::Behind);
            }
        }
        Ok(FileState::Edited)
    }

    fn change<R>(
        &self,
        change: impl FnOnce(&mut Tables<'_>) -> Result<R, CommitError>,
    ) -> Result<R, CommitError> {
        let transaction = self.database.write()?;
        let mut tables = Tables::of(&transaction)?;
        let result = change(&mut tables)?;
        drop(tables);
        transaction.commit().map_err(StoreError::from)?;
        Ok(result)
    }
}

/// The tables of one transaction.
struct Tables<'t> {
    versions: Table<'t, u64, &'static [u8]>,
    texts: Table<'t, u64, &'static [u8]>,
    state: Table<'t, &'static str, &'static [u8]>,
}

impl<'t> Tables<'t> {
    fn of(transaction: &'t WriteTransaction) -> Result<Self, StoreError> {
        Ok(Self {
            versions: transaction.open_table(VERSIONS)?,
            texts: transaction.open_table(TEXTS)?,
            state: transaction.open_table(STATE)?,
        })
    }

    fn standing(&self) -> Result<Option<Standing>, StoreError> {
        standing_in(&self.state)
    }

    fn stand(&mut self, standing: &Standing) -> Result<(), StoreError> {
        let record = serde_json::to_vec(standing)?;
        self.state.insert(STANDING, record.as_slice())?;
        Ok(())
    }

    fn append(
        &mut self,
        draft: &Draft,
        now: Wall,
        number: u64,
        before: Option<&Standing>,
    ) -> Result<Version, CommitError> {
        let version = Version {
            number,
            at: now,
            author: draft.author.clone(),
            comment: draft.comment.clone(),
            origin: draft.origin,
        };
        let record = serde_json::to_vec(&version).map_err(StoreError::from)?;
        self.versions.insert(number, record.as_slice())?;
        let packed = lz4_flex::compress_prepend_size(draft.text.as_bytes());
        self.texts.insert(number, packed.as_slice())?;
        let pending = before
            .zip(draft.confirm_until)
            .map(|(before, until)| Pending {
                until,
                back_to: before.current,
            });
        self.stand(&Standing {
            current: number,
            exported: before.map_or(0, |before| before.exported),
            pending,
        })?;
        if let Some(oldest) = number.checked_sub(KEPT) {
            self.versions.retain_in(..=oldest, |_, _| false)?;
            self.texts.retain_in(..=oldest, |_, _| false)?;
        }
        Ok(version)
    }
}

fn standing_in(
    table: &impl ReadableTable<&'static str, &'static [u8]>,
) -> Result<Option<Standing>, StoreError> {
    match table.get(STANDING)? {
        Some(record) => Ok(Some(serde_json::from_slice(record.value())?)),
        None => Ok(None),
    }
}

fn text_in(
    table: &impl ReadableTable<u64, &'static [u8]>,
    number: u64,
) -> Result<Option<String>, StoreError> {
    let Some(packed) = table.get(number)? else {
        return Ok(None);
    };
    let unreadable = || StoreError::Record(format!("the text of version {number}"));
    let bytes = lz4_flex::decompress_size_prepended(packed.value()).map_err(|_| unreadable())?;
    Ok(Some(String::from_utf8(bytes).map_err(|_| unreadable())?))
}
