//! The headers of a message: a view over its span table.
//!
//! Values are the bytes as they came, without the white space at either end, folds within kept. A message has about
//! twenty lines, so finding one by name is a scan over their codes; names that have no code are compared as text.
//!
//! Not here: typed values (`typed`), finding the lines (`scan`).

use std::fmt;

use bytes::Bytes;

use super::chars;
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

impl Span {
    pub(crate) const NONE: Self = Self {
        name: 0,
        value: 0,
        end: 0,
        name_length: 0,
        code: Code::Other,
    };
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
        let headers = *self;
        headers.spans.iter().map(move |span| {
            let spelling = headers.spelling(span);
            Header {
                name: Name::from_code(span.code, spelling),
                spelling,
                value: headers.value(span),
            }
        })
    }

    /// The value of the first line of this name.
    #[must_use]
    pub fn get(&self, name: Name<'_>) -> Option<&'a [u8]> {
        self.all(name).next()
    }

    /// The values of all lines of this name.
    pub fn all<'n>(&self, name: Name<'n>) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        let headers = *self;
        // A name may have been made as `Other` although it has a code.
        let name = if let Name::Other(text) = name {
            Name::of(text)
        } else {
            name
        };
        let code = name.code();
        let other = name.as_str();
        headers
            .spans
            .iter()
            .filter(move |span| {
                span.code == code
                    && (code != Code::Other || headers.spelling(span).eq_ignore_ascii_case(other))
            })
            .map(move |span| headers.value(span))
    }

    /// The values of all lines of this name, comma lists parted. Not for headers whose value may hold a comma
    /// (authentication, dates, Subject).
    pub fn values<'n>(&self, name: Name<'n>) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        self.all(name).flat_map(|line| Split {
            rest: Some(line),
            separator: b',',
        })
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

    pub(crate) fn value(&self, span: &Span) -> &'a [u8] {
        &self.bytes[span.value as usize..span.end as usize]
    }

    fn spelling(&self, span: &Span) -> &'a str {
        let start = span.name as usize;
        let bytes = &self.bytes[start..start + usize::from(span.name_length)];
        std::str::from_utf8(bytes).expect("a header name is a token, hence ASCII")
    }
}

/// One `Name: value` a line, for a log or a failing test.
impl fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |header: Header<'_>| {
            (
                header.spelling.to_owned(),
                String::from_utf8_lossy(header.value).into_owned(),
            )
        };
        f.debug_map().entries(self.iter().map(text)).finish()
    }
}

/// The parts of a value between separators that stand outside quotes and angle brackets, trimmed.
pub(crate) struct Split<'a> {
    pub(crate) rest: Option<&'a [u8]>,
    pub(crate) separator: u8,
}

impl<'a> Iterator for Split<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        let end = chars::find_outside(rest, self.separator);
        self.rest = rest.get(end + 1..);
        Some(chars::trim(&rest[..end]))
    }
}
