//! The headers of a message: a view over its span table.
//!
//! Values are the bytes as they came, without the white space at either end, folds within kept.
//!
//! Not here: typed values (`typed`).

use bytes::Bytes;

use super::name::{Code, Name};

/// One header line in the buffer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    pub(crate) name: u32,
    pub(crate) value: u32,
    pub(crate) end: u32,
    pub(crate) name_length: u16,
    pub(crate) code: Code,
}

/// The headers of a message.
#[derive(Clone, Copy)]
pub struct Headers<'a> {
    pub(crate) bytes: &'a Bytes,
    pub(crate) spans: &'a [Span],
}

/// One header line.
#[derive(Debug, Clone, Copy)]
pub struct Header<'a> {
    /// Its name.
    pub name: Name<'a>,
    /// Its name as it was spelt.
    pub spelling: &'a str,
    /// Its value.
    pub value: &'a [u8],
}

impl<'a> Headers<'a> {
    /// All header lines in order.
    pub fn iter(&self) -> impl Iterator<Item = Header<'a>> + use<'a> {
        std::iter::empty()
    }

    /// The value of the first line of this name.
    #[must_use]
    pub fn get(&self, name: Name<'_>) -> Option<&'a [u8]> {
        self.all(name).next()
    }

    /// The values of all lines of this name.
    pub fn all<'n>(&self, _name: Name<'n>) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        std::iter::empty()
    }

    /// The values of all lines of this name, comma lists parted. Not for headers whose value may hold a comma
    /// (authentication, dates, Subject).
    pub fn values<'n>(&self, _name: Name<'n>) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        std::iter::empty()
    }

    /// Whether a line of this name is there.
    #[must_use]
    pub fn contains(&self, name: Name<'_>) -> bool {
        self.get(name).is_some()
    }

    /// Number of lines.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// A value got from these headers, as shared bytes.
    #[must_use]
    pub fn share(&self, value: &'a [u8]) -> Bytes {
        self.bytes.slice_ref(value)
    }
}
