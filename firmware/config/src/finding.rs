//! What is wrong with a configuration: where, what, and what to do about it.
//!
//! Findings are collected, never thrown: a reader goes on behind each, so that one look shows all of them. They come sorted by
//! place. Not here: the rules that find them (`document`, `check`).

use std::fmt;
use std::ops::Range;

use thiserror::Error;

/// A place in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl Place {
    /// The place of a byte offset.
    #[must_use]
    pub fn of(text: &str, offset: usize) -> Self {
        let mut offset = offset.min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = &text[..offset];
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before
            .rsplit('\n')
            .next()
            .unwrap_or_default()
            .chars()
            .count()
            + 1;
        Self { line, column }
    }
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Problem {
    /// Not TOML.
    #[error("{0}")]
    Syntax(String),
    /// No such setting.
    #[error("there is no setting \"{key}\" here{}", meant.as_ref().map(|meant| format!("; did you mean \"{meant}\"?")).unwrap_or_default())]
    Unknown {
        /// The key.
        key: String,
        /// The most similar one that exists.
        meant: Option<String>,
    },
    /// A setting that must be there is not.
    #[error("\"{key}\" is missing: {expected}")]
    Missing {
        /// The key.
        key: &'static str,
        /// What belongs there.
        expected: &'static str,
    },
    /// A value of the wrong kind.
    #[error("expected {expected}, found {found}")]
    WrongKind {
        /// What belongs there.
        expected: &'static str,
        /// What stands there.
        found: &'static str,
    },
    /// A value of the right kind that cannot be.
    #[error("{value:?} is not {expected}")]
    BadValue {
        /// What stands there.
        value: String,
        /// What belongs there.
        expected: &'static str,
    },
    /// A name that nothing bears.
    #[error("there is no {kind} named {name:?}{}", meant.as_ref().map(|meant| format!("; did you mean {meant:?}?")).unwrap_or_default())]
    NoSuch {
        /// Listener, trunk, tenant …
        kind: &'static str,
        /// The name.
        name: String,
        /// The most similar one that exists.
        meant: Option<String>,
    },
    /// Two of a kind with the same name.
    #[error("another {kind} is named {name:?} already, on line {line}")]
    Duplicate {
        /// Listener, trunk, tenant …
        kind: &'static str,
        /// The name.
        name: String,
        /// Where the first one stands.
        line: usize,
    },
    /// A number that belongs to two tenants.
    #[error("{number} belongs to tenant {tenant:?} already")]
    NumberTaken {
        /// The number.
        number: String,
        /// Its first owner.
        tenant: String,
    },
    /// A regular expression that does not compile, or is too large.
    #[error("not a usable regular expression: {0}")]
    Regex(String),
    /// Two settings that exclude each other.
    #[error("{0}")]
    Conflict(&'static str),
    /// Something that can never take effect.
    #[error("this can never take effect: {0}")]
    Unreachable(&'static str),
}

impl Problem {
    /// What to do about it.
    #[must_use]
    pub fn cure(&self) -> String {
        match self {
            Self::Syntax(_) => "Correct the TOML at this place.".to_owned(),
            Self::Unknown {
                meant: Some(meant), ..
            } => format!("Write \"{meant}\", or remove the line."),
            Self::Unknown { meant: None, .. } => "Remove the line.".to_owned(),
            Self::Missing { key, .. } => format!("Add a line: {key} = …"),
            Self::WrongKind { expected, .. } | Self::BadValue { expected, .. } => {
                format!("Write {expected}.")
            }
            Self::NoSuch { kind, .. } => {
                format!("Name a {kind} that exists, or add one with this name.")
            }
            Self::Duplicate { kind, .. } => format!("Give this {kind} a name of its own."),
            Self::NumberTaken { .. } => "Leave the number with one of the two tenants.".to_owned(),
            Self::Regex(_) => {
                "Correct the expression; look-around and back-references do not exist here."
                    .to_owned()
            }
            Self::Conflict(_) => "Remove one of the two.".to_owned(),
            Self::Unreachable(_) => "Remove it, or move it before what hides it.".to_owned(),
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where.
    pub place: Place,
    /// The setting, as `trunk.probe.peers`.
    pub path: String,
    /// What.
    pub problem: Problem,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            place,
            path,
            problem,
        } = self;
        write!(
            f,
            "line {}, column {}: {path}: {problem}. {}",
            place.line,
            place.column,
            problem.cure()
        )
    }
}

/// Everything that is wrong, in the order of the text; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Findings(pub Vec<Finding>);

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.0 {
            writeln!(f, "{finding}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Findings {}

/// Collects findings while a text is read.
#[derive(Debug)]
pub(crate) struct Report<'t> {
    text: &'t str,
    found: Vec<Finding>,
}

impl<'t> Report<'t> {
    pub(crate) const fn new(text: &'t str) -> Self {
        Self {
            text,
            found: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, span: &Range<usize>, path: impl Into<String>, problem: Problem) {
        let place = Place::of(self.text, span.start);
        self.found.push(Finding {
            place,
            path: path.into(),
            problem,
        });
    }

    pub(crate) fn line_of(&self, span: &Range<usize>) -> usize {
        Place::of(self.text, span.start).line
    }

    /// `Ok` if nothing was found.
    pub(crate) fn close(self) -> Result<(), Findings> {
        if self.found.is_empty() {
            Ok(())
        } else {
            Err(self.findings())
        }
    }

    /// What was found, in the order of the text.
    pub(crate) fn findings(mut self) -> Findings {
        self.found
            .sort_by(|a, b| (a.place, &a.path).cmp(&(b.place, &b.path)));
        Findings(self.found)
    }
}

/// The name most like `wrong`, if one is like it.
pub(crate) fn most_similar<'n>(
    wrong: &str,
    names: impl Iterator<Item = &'n str>,
) -> Option<String> {
    names
        .map(|name| (distance(wrong, name), name))
        .filter(|(distance, name)| *distance <= 1 + name.len() / 4)
        .min()
        .map(|(_, name)| name.to_owned())
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = (above + 1)
                .min(row[j] + 1)
                .min(diagonal + usize::from(x != *y));
            diagonal = above;
        }
    }
    row[b.len()]
}
