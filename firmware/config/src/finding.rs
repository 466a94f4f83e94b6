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

/// Where the lines of a text begin.
#[derive(Debug)]
struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    fn new(text: &'t str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts = std::iter::once(0).chain(breaks.map(|(at, _)| at + 1));
        Self {
            text,
            starts: starts.collect(),
        }
    }

    /// The place of a byte offset; one that lies within a character, or behind the text, is that of the character before.
    fn place(&self, offset: usize) -> Place {
        let offset = self.text.floor_char_boundary(offset);
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        let column = self.text[self.starts[line - 1]..offset].chars().count() + 1;
        Place { line, column }
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
    #[error("\"{key}\" is missing")]
    Missing {
        /// The key.
        key: &'static str,
        /// What belongs there.
        expected: &'static str,
    },
    /// A value of the wrong kind.
    #[error("{found} cannot stand here")]
    WrongKind {
        /// What belongs there.
        expected: &'static str,
        /// What stands there.
        found: &'static str,
    },
    /// A value of the right kind that cannot be.
    #[error("{value:?} cannot stand here")]
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
    #[error("{number} belongs to tenant {tenant:?} already, on line {line}")]
    NumberTaken {
        /// The number.
        number: String,
        /// Its first owner.
        tenant: String,
        /// Where the first owner has it.
        line: usize,
    },
    /// A number that a tenant has twice.
    #[error("{number} is among the tenant's numbers already, on line {line}")]
    NumberTwice {
        /// The number.
        number: String,
        /// Where it stands first.
        line: usize,
    },
    /// A regular expression that does not compile, or is too large.
    #[error("not a usable regular expression: {0}")]
    Regex(String),
    /// Something of which only one can be.
    #[error("{kind} {name:?} on line {line} has the same {what}")]
    Taken {
        /// Address, FQDN …
        what: &'static str,
        /// Listener, tenant …
        kind: &'static str,
        /// Who has it.
        name: String,
        /// Where.
        line: usize,
    },
    /// Settings that are each in order and together are not.
    #[error("{what}")]
    Conflict {
        /// What does not go together.
        what: &'static str,
        /// What to do about it.
        cure: &'static str,
    },
    /// A route that never gets a call.
    #[error("route {route:?} on line {line} takes every call that this one could take")]
    Hidden {
        /// The route that gets them.
        route: String,
        /// Where it stands.
        line: usize,
    },
    /// An emergency number that leads nowhere.
    #[error("no route takes calls to {number}")]
    Unrouted {
        /// The number.
        number: String,
    },
    /// More than can be.
    #[error("there are {count} of them")]
    TooMany {
        /// How many there are.
        count: usize,
        /// How many there may be.
        most: usize,
    },
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
            Self::Missing { key, expected } => format!("Add {key}: {expected}."),
            Self::WrongKind { expected, .. } | Self::BadValue { expected, .. } => {
                format!("Write {expected}.")
            }
            Self::NoSuch { kind, .. } => {
                format!("Name a {kind} that exists, or add one with this name.")
            }
            Self::Duplicate { kind, .. } => format!("Give this {kind} a name of its own."),
            Self::NumberTaken { .. } => {
                "Leave the number with one of the two, or reserve every carrier trunk for a tenant."
                    .to_owned()
            }
            Self::NumberTwice { .. } => "Remove one of the two.".to_owned(),
            Self::Regex(_) => {
                "Correct the expression; look-around and back-references do not exist here."
                    .to_owned()
            }
            Self::Taken { what, .. } => format!("Give one of the two another {what}."),
            Self::Conflict { cure, .. } => (*cure).to_owned(),
            Self::Hidden { .. } => "Move this route before that one, or remove it.".to_owned(),
            Self::Unrouted { number } => {
                format!("Add a route with to_numbers = [{number:?}].")
            }
            Self::TooMany { most, .. } => format!("Leave at most {most}."),
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
            place: Place { line, column },
            path,
            problem,
        } = self;
        let cure = problem.cure();
        let problem = problem.to_string();
        let stop = if problem.ends_with('?') { "" } else { "." };
        write!(
            f,
            "line {line}, column {column}: {path}: {problem}{stop} {cure}"
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

impl<'f> IntoIterator for &'f Findings {
    type Item = &'f Finding;
    type IntoIter = std::slice::Iter<'f, Finding>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

/// Collects findings while a text is read.
#[derive(Debug)]
pub(crate) struct Report<'t> {
    lines: Lines<'t>,
    found: Vec<Finding>,
}

impl<'t> Report<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Self {
            lines: Lines::new(text),
            found: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, span: &Range<usize>, path: impl Into<String>, problem: Problem) {
        let place = self.lines.place(span.start);
        self.found.push(Finding {
            place,
            path: path.into(),
            problem,
        });
    }

    pub(crate) fn line_of(&self, span: &Range<usize>) -> usize {
        self.lines.place(span.start).line
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
    ///
    /// Behind an error of syntax a table reads as full of gaps, and what is on the same line is not what was meant: of those only
    /// the error itself is told.
    pub(crate) fn findings(mut self) -> Findings {
        let broken: Vec<usize> = self
            .found
            .iter()
            .filter(|finding| matches!(finding.problem, Problem::Syntax(_)))
            .map(|finding| finding.place.line)
            .collect();
        if !broken.is_empty() {
            self.found.retain(|finding| match finding.problem {
                Problem::Syntax(_) => true,
                Problem::Missing { .. }
                | Problem::NoSuch { .. }
                | Problem::Conflict { .. }
                | Problem::Hidden { .. } => false,
                _ => !broken.contains(&finding.place.line),
            });
        }
        self.found
            .sort_by(|a, b| (a.place, &a.path).cmp(&(b.place, &b.path)));
        // The parser finds its way back by stages, and complains at each.
        self.found.dedup_by(|later, first| {
            matches!(
                (&later.problem, &first.problem),
                (Problem::Syntax(_), Problem::Syntax(_))
            ) && later.place.line == first.place.line
        });
        Findings(self.found)
    }
}

/// Longer names are not looked at for typing errors.
const LONGEST_TYPO: usize = 64;

/// The name most like `wrong`, if one is like it.
pub(crate) fn most_similar<'n>(
    wrong: &str,
    names: impl Iterator<Item = &'n str>,
) -> Option<String> {
    // The distance costs the product of the lengths; nobody mistypes as much as this.
    if wrong.len() > LONGEST_TYPO {
        return None;
    }
    names
        .filter(|name| name.len() <= LONGEST_TYPO)
        .map(|name| (distance(wrong, name), name))
        .filter(|(distance, name)| *distance <= 1 + name.len() / 4)
        .min()
        .map(|(_, name)| name.to_owned())
}

/// How many letters were left out, added, mistaken or exchanged with their neighbour (Damerau's distance, restricted).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mistaken = last[j] + usize::from(x != y);
            let mut least = mistaken.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_and_characters_from_one() {
        let lines = Lines::new("ab\nécd\n\nx");
        for (offset, line, column) in [
            (0, 1, 1),
            (2, 1, 3),
            (3, 2, 1),
            (4, 2, 1),
            (5, 2, 2),
            (8, 3, 1),
            (9, 4, 1),
            (99, 4, 2),
        ] {
            assert_eq!(lines.place(offset), Place { line, column }, "{offset}");
        }
        assert_eq!(Lines::new("").place(0), Place { line: 1, column: 1 });
    }

    #[test]
    fn a_typing_error_finds_what_was_meant() {
        let names = ["listener", "limits", "tenant"];
        assert_eq!(
            most_similar("lisener", names.into_iter()).as_deref(),
            Some("listener")
        );
        assert_eq!(
            most_similar("teannt", names.into_iter()).as_deref(),
            Some("tenant")
        );
        assert_eq!(
            most_similar("upd", ["udp", "tls"].into_iter()).as_deref(),
            Some("udp")
        );
        assert_eq!(most_similar("trunk", names.into_iter()), None);
        assert_eq!(most_similar(&"l".repeat(10_000), names.into_iter()), None);
    }
}
