//! The configuration as the console handles it: judged, compared, committed, confirmed, taken back.
//!
//! A commit is on the disk and in the file before control is told of it; a commit that must be confirmed and is not comes back by
//! itself, also over a restart of the box. What somebody has written into the file by hand becomes a version of its own at the next
//! start.
//!
//! Not here: how versions are kept (`store::versions`), what a document may say (`config`, and the [`Judge`]).

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use config::Snapshot;
use serde::{Deserialize, Serialize};
use similar::{ChangeTag, TextDiff};
use store::versions::{
    CommitError, Draft, FileState, Origin, Pending, Standing, Version, Versions,
};
use store::{StoreError, Wall};
use utoipa::ToSchema;

/// Lines around a change that are shown with it.
const CONTEXT: usize = 3;

/// What is wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Fault {
    /// The line, from 1, where it has one.
    pub line: Option<usize>,
    /// The column, from 1.
    pub column: Option<usize>,
    /// The setting, as `trunk.probe.peers`.
    pub path: String,
    /// What is wrong, and what to do.
    pub problem: String,
}

/// Says whether a document could come into force on this box: the files that it names are there, their certificates are good.
pub trait Judge: Send + Sync {
    /// What should be known of a document that is good.
    ///
    /// # Errors
    /// All that is wrong with one that is not.
    fn judge(&self, text: &str) -> Result<Vec<String>, Vec<Fault>>;
}

/// Why a document did not come into force.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DocumentError {
    /// It is wrong.
    #[error("the document has {} faults", .0.len())]
    Faulty(Vec<Fault>),
    /// The versions do not allow it.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

impl From<StoreError> for DocumentError {
    fn from(error: StoreError) -> Self {
        Self::Commit(error.into())
    }
}

/// Lines of two documents, side by side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Line {
    /// `same`, `added` or `removed`; `gap` where lines were left out.
    pub(crate) change: Change,
    /// The line.
    pub(crate) text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    Same,
    Added,
    Removed,
    Gap,
}

/// The documents of this box.
pub(crate) struct Documents {
    versions: Versions,
    file: PathBuf,
    judge: Box<dyn Judge>,
    /// One commit at a time, with the file that it writes.
    turn: Mutex<()>,
    seen: Mutex<Option<(u64, Arc<Snapshot>)>>,
}

/// What is in force.
#[derive(Debug, Clone)]
pub(crate) struct InForce {
    pub(crate) version: u64,
    pub(crate) text: String,
    pub(crate) pending: Option<Pending>,
}

impl Documents {
    pub(crate) fn new(versions: Versions, file: PathBuf, judge: Box<dyn Judge>) -> Self {
        Self {
            versions,
            file,
            judge,
            turn: Mutex::new(()),
            seen: Mutex::new(None),
        }
    }

    /// Makes file and versions one: at the start, after whatever happened.
    ///
    /// # Errors
    /// The store, or the file.
    pub(crate) fn settle(&self, text: &str, now: Wall) -> Result<(), StoreError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        match self.versions.compare(text)? {
            FileState::Same => {}
            FileState::Behind => self.versions.export(&self.file)?,
            FileState::Edited | FileState::First if self.judge.judge(text).is_err() => {
                tracing::warn!("the configuration's file has faults; it becomes no version");
            }
            FileState::Edited | FileState::First => {
                let draft = Draft {
                    text: text.to_owned(),
                    author: "file".to_owned(),
                    comment: String::new(),
                    origin: Origin::File,
                    based_on: self
                        .versions
                        .standing()?
                        .map_or(0, |standing| standing.current),
                    confirm_until: None,
                };
                match self.versions.commit(&draft, now) {
                    Ok(_) => self.versions.export(&self.file)?,
                    Err(CommitError::Store(error)) => return Err(error),
                    Err(error) => tracing::warn!(%error, "the edited file becomes no version"),
                }
            }
        }
        Ok(())
    }

    pub(crate) fn in_force(&self) -> Result<Option<InForce>, StoreError> {
        let Some(Standing {
            current, pending, ..
        }) = self.versions.standing()?
        else {
            return Ok(None);
        };
        Ok(self.versions.text(current)?.map(|text| InForce {
            version: current,
            text,
            pending,
        }))
    }

    pub(crate) fn standing(&self) -> Result<Option<Standing>, StoreError> {
        self.versions.standing()
    }

    pub(crate) fn list(
        &self,
        before: Option<u64>,
        most: usize,
    ) -> Result<Vec<Version>, StoreError> {
        self.versions.list(before, most)
    }

    pub(crate) fn text(&self, number: u64) -> Result<Option<String>, StoreError> {
        self.versions.text(number)
    }

    pub(crate) fn judge(&self, text: &str) -> Result<Vec<String>, Vec<Fault>> {
        self.judge.judge(text)
    }

    /// Brings a document into force, in the store and in the file.
    pub(crate) fn commit(&self, draft: &Draft, now: Wall) -> Result<Version, DocumentError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.judge
            .judge(&draft.text)
            .map_err(DocumentError::Faulty)?;
        let version = self.versions.commit(draft, now)?;
        self.versions.export(&self.file)?;
        Ok(version)
    }

    pub(crate) fn confirm(&self) -> Result<u64, CommitError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.versions.confirm()
    }

    /// Takes the commit back that waits to be confirmed.
    pub(crate) fn undo(&self, author: &str, now: Wall) -> Result<Version, CommitError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let version = self.versions.undo(author, now)?;
        self.versions.export(&self.file)?;
        Ok(version)
    }

    /// What is in force, as calls use it.
    pub(crate) fn snapshot(&self) -> Result<Option<Arc<Snapshot>>, StoreError> {
        let Some(InForce { version, text, .. }) = self.in_force()? else {
            return Ok(None);
        };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, snapshot)) = seen.as_ref().filter(|(number, _)| *number == version) {
            return Ok(Some(Arc::clone(snapshot)));
        }
        let snapshot = config::parse(&text).ok().map(config::Document::snapshot);
        *seen = snapshot.clone().map(|snapshot| (version, snapshot));
        Ok(snapshot)
    }
}

/// What differs between two documents, with a few lines around each change.
pub(crate) fn difference(before: &str, after: &str) -> Vec<Line> {
    let diff = TextDiff::from_lines(before, after);
    let mut lines = Vec::new();
    for (number, group) in diff.grouped_ops(CONTEXT).iter().enumerate() {
        if number > 0 {
            lines.push(Line {
                change: Change::Gap,
                text: String::new(),
            });
        }
        let changes = group.iter().flat_map(|op| diff.iter_changes(op));
        lines.extend(changes.map(|change| Line {
            change: match change.tag() {
                ChangeTag::Equal => Change::Same,
                ChangeTag::Delete => Change::Removed,
                ChangeTag::Insert => Change::Added,
            },
            text: change.value().trim_end_matches('\n').to_owned(),
        }));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_shows_what_changes_and_a_little_around_it() {
        let before = "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\nl\n";
        let after = "a\nB\nc\nd\ne\nf\ng\nh\ni\nj\nk\nl\nm\n";
        let shown: Vec<String> = difference(before, after)
            .iter()
            .map(|line| {
                let mark = match line.change {
                    Change::Same => ' ',
                    Change::Added => '+',
                    Change::Removed => '-',
                    Change::Gap => '~',
                };
                format!("{mark}{}", line.text)
            })
            .collect();
        let expected = [
            " a", "-b", "+B", " c", " d", " e", "~", " j", " k", " l", "+m",
        ];
        assert_eq!(shown, expected);
        assert_eq!(difference(before, before), []);
    }
}
