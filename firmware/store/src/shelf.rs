//! Small records by kind and name: users, tokens, the candidate of the configuration.
//!
//! A record is JSON of the type its user gives it, so that a field added later has a default and nothing must be converted.
//! Several changes in one [`Shelf::change`] are done together or not at all.
//!
//! Not here: what the records mean (`console`); secrets, which are [`sealed`](crate::sealed).

use std::ops::RangeInclusive;

use redb::{ReadableTable, Table, TableDefinition, TableError};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::database::{Database, StoreError};

const RECORDS: TableDefinition<'static, (&'static str, &'static str), &'static [u8]> =
    TableDefinition::new("records");

/// What sorts behind every name of one kind.
const LAST_NAME: &str = "\u{10ffff}";

/// The shelf of a database.
#[derive(Debug, Clone)]
pub struct Shelf {
    database: Database,
}

/// Several changes that happen together.
pub struct Change<'t> {
    table: Table<'t, (&'static str, &'static str), &'static [u8]>,
}

impl Shelf {
    /// The shelf of this database.
    #[must_use]
    pub fn of(database: &Database) -> Self {
        Self {
            database: database.clone(),
        }
    }

    /// A record.
    ///
    /// # Errors
    /// Where the database fails, or the record is of another release.
    pub fn read<T: DeserializeOwned>(
        &self,
        kind: &str,
        name: &str,
    ) -> Result<Option<T>, StoreError> {
        let table = match self.database.read()?.open_table(RECORDS) {
            Ok(table) => table,
            Err(TableError::TableDoesNotExist(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let Some(record) = table.get((kind, name))? else {
            return Ok(None);
        };
        Ok(Some(serde_json::from_slice(record.value())?))
    }

    /// All records of a kind, in the order of their names.
    ///
    /// # Errors
    /// Where the database fails, or a record is of another release.
    pub fn all<T: DeserializeOwned>(&self, kind: &str) -> Result<Vec<T>, StoreError> {
        let table = match self.database.read()?.open_table(RECORDS) {
            Ok(table) => table,
            Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        let range: RangeInclusive<(&str, &str)> = (kind, "")..=(kind, LAST_NAME);
        let mut all = Vec::new();
        for entry in table.range(range)? {
            all.push(serde_json::from_slice(entry?.1.value())?);
        }
        Ok(all)
    }

    /// Puts one record in its place.
    ///
    /// # Errors
    /// Where the database fails; nothing has changed then.
    pub fn put<T: Serialize>(&self, kind: &str, name: &str, record: &T) -> Result<(), StoreError> {
        self.change(|change| change.put(kind, name, record))
    }

    /// Takes one record away; whether it was there.
    ///
    /// # Errors
    /// Where the database fails; nothing has changed then.
    pub fn remove(&self, kind: &str, name: &str) -> Result<bool, StoreError> {
        self.change(|change| change.remove(kind, name))
    }

    /// Several changes, all of them on the disk when this returns, or none.
    ///
    /// # Errors
    /// Where the database fails or `changes` says so; nothing has changed then.
    pub fn change<R, E: From<StoreError>>(
        &self,
        changes: impl FnOnce(&mut Change<'_>) -> Result<R, E>,
    ) -> Result<R, E> {
        let transaction = self.database.write()?;
        let mut change = Change {
            table: transaction.open_table(RECORDS).map_err(StoreError::from)?,
        };
        let result = changes(&mut change)?;
        drop(change);
        transaction.commit().map_err(StoreError::from)?;
        Ok(result)
    }
}

impl Change<'_> {
    /// A record, as the changes so far have left it.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn read<T: DeserializeOwned>(
        &self,
        kind: &str,
        name: &str,
    ) -> Result<Option<T>, StoreError> {
        let Some(record) = self.table.get((kind, name))? else {
            return Ok(None);
        };
        Ok(Some(serde_json::from_slice(record.value())?))
    }

    /// All records of a kind, as the changes so far have left them.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn all<T: DeserializeOwned>(&self, kind: &str) -> Result<Vec<T>, StoreError> {
        let mut all = Vec::new();
        for entry in self.table.range((kind, "")..=(kind, LAST_NAME))? {
            all.push(serde_json::from_slice(entry?.1.value())?);
        }
        Ok(all)
    }

    /// Puts a record in its place.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn put<T: Serialize>(
        &mut self,
        kind: &str,
        name: &str,
        record: &T,
    ) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(record)?;
        self.table.insert((kind, name), bytes.as_slice())?;
        Ok(())
    }

    /// Takes a record away; whether it was there.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn remove(&mut self, kind: &str, name: &str) -> Result<bool, StoreError> {
        Ok(self.table.remove((kind, name))?.is_some())
    }
}
