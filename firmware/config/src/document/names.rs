//! Names that sections bear and refer to.
//!
//! A section is numbered as it is read, and a reference becomes a number at once, so that a document holds no dangling one. A name that
//! nothing bears is reported where it stands, with the one that was probably meant.

use std::collections::HashMap;
use std::ops::Range;

use crate::finding::{Problem, most_similar};
use crate::read::{At, Section};
use crate::values::Label;

/// The names of one kind, to refer to.
#[derive(Debug)]
pub(crate) struct Names {
    kind: &'static str,
    by_name: HashMap<String, (u32, usize)>,
}

impl Names {
    pub(super) fn new(kind: &'static str) -> Self {
        Self {
            kind,
            by_name: HashMap::new(),
        }
    }

    /// Take a name for the next one of the kind.
    pub(super) fn take(&mut self, section: &mut Section<'_, '_>) -> String {
        let index = u32::try_from(self.by_name.len()).unwrap_or(u32::MAX);
        let nameless = Label(String::new());
        let At {
            value: Label(name),
            span,
        } = section.must("name", nameless);
        let line = section.report().line_of(&span);
        let first = self.by_name.get(&name).map(|(_, line)| *line);
        if let Some(line) = first {
            let problem = Problem::Duplicate {
                kind: self.kind,
                name: name.clone(),
                line,
            };
            section.fault(Some(&span), "name", problem);
        }
        // Numbering stays dense: one without a name of its own is put under a name that nobody can write.
        let own = match first {
            None if !name.is_empty() => name.clone(),
            _ => format!("\u{0}{index}"),
        };
        self.by_name.insert(own, (index, line));
        name
    }

    /// The number of a name that is referred to.
    pub(crate) fn find(
        &self,
        section: &mut Section<'_, '_>,
        key: &str,
        name: &str,
        span: &Range<usize>,
    ) -> Option<u32> {
        if let Some((index, _)) = self.by_name.get(name) {
            return Some(*index);
        }
        let meant = most_similar(name, self.by_name.keys().map(String::as_str));
        section.fault(
            Some(span),
            key,
            Problem::NoSuch {
                kind: self.kind,
                name: name.to_owned(),
                meant,
            },
        );
        None
    }

    /// A setting that names one and must be there.
    pub(crate) fn must(&self, section: &mut Section<'_, '_>, key: &'static str) -> u32 {
        let there = section.has(key);
        let At {
            value: Label(name),
            span,
        } = section.must(key, Label(String::new()));
        if there && !name.is_empty() {
            self.find(section, key, &name, &span).unwrap_or(0)
        } else {
            0
        }
    }

    /// A setting that names one and may be left out.
    pub(crate) fn maybe(&self, section: &mut Section<'_, '_>, key: &'static str) -> Option<u32> {
        let At {
            value: Label(name),
            span,
        } = section.maybe(key)?;
        self.find(section, key, &name, &span)
    }
}

/// Everything that can be referred to while the document is read.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) listeners: Names,
    pub(crate) identities: Names,
    pub(crate) trusts: Names,
    pub(crate) tenants: Names,
    pub(crate) trunks: Names,
}
