//! Parameters: `;name=value` of URIs and headers, kept as they came and looked up without case.
//!
//! Checked once when parsed (a name for each, quotes closed, a bound on their number); afterwards every access is a
//! scan of the text. A value that is not quoted may hold any byte but white space and quotes: real peers put colons,
//! slashes and at-signs there (INV-08).
//!
//! Not here: comma-separated parameters of authentication headers (`Challenge`).

use std::borrow::Cow;

use super::chars;
use super::error::ValueError;
use super::limits;
use super::text::Text;

/// The parameters of a URI or header value, in order, each with its raw value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Params {
    raw: Text,
}

impl Params {
    /// Parses what follows a value: nothing, or `;name`, `;name=value` any number of times.
    ///
    /// # Errors
    /// What is malformed.
    pub fn parse(raw: Text) -> Result<Self, ValueError> {
        let params = Self { raw };
        let text = chars::trim(params.raw.as_str().as_bytes());
        if text.is_empty() {
            return Ok(Self::default());
        }
        if text[0] != b';' {
            return Err(ValueError::Trailing);
        }
        for (count, segment) in params.segments().enumerate() {
            if count == limits::PARAMS {
                return Err(ValueError::TooManyParameters);
            }
            let (name, value) = split(segment);
            let bad = |byte: u8| chars::is_space(byte) || matches!(byte, b'"' | b'<' | b'>');
            if name.is_empty() || name.bytes().any(bad) {
                return Err(ValueError::Parameter);
            }
            match value.map(str::as_bytes) {
                None => {}
                Some(quoted @ [b'"', ..]) => match chars::quoted_length(quoted) {
                    None => return Err(ValueError::UnclosedQuote),
                    Some(length) if length == quoted.len() => {}
                    Some(_) => return Err(ValueError::Parameter),
                },
                Some(bare) if bare.iter().any(|&byte| bad(byte)) => {
                    return Err(ValueError::Parameter);
                }
                Some(_) => {}
            }
        }
        Ok(params)
    }

    /// Parameters that are well-formed by the way they were made.
    pub(crate) const fn trusted(raw: Text) -> Self {
        Self { raw }
    }

    /// The text of all of them, from the first `;`; empty where there are none.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.raw
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// Names and values as they came; a flag has no value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.segments().map(split)
    }

    /// Whether the parameter is there, with or without a value.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.iter().any(|(ours, _)| ours.eq_ignore_ascii_case(name))
    }

    /// The value as it came, quotes included; `None` where the parameter is missing or a flag.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.iter()
            .find(|(ours, _)| ours.eq_ignore_ascii_case(name))
            .and_then(|(_, value)| value)
    }

    /// The value without quotes and backslashes.
    #[must_use]
    pub fn unquoted(&self, name: &str) -> Option<Cow<'_, str>> {
        self.value(name).map(unquote)
    }

    /// The text with one parameter set to what `write` appends (with its `;`), in its place or at the end; or taken
    /// away.
    pub(crate) fn replaced(&self, name: &str, written: Option<&str>) -> String {
        let mut out = String::with_capacity(self.raw.len() + written.map_or(0, str::len));
        let mut pending = written;
        for segment in self.segments() {
            if split(segment).0.eq_ignore_ascii_case(name) {
                out.push_str(pending.take().unwrap_or_default());
            } else {
                out.push(';');
                out.push_str(segment.trim());
            }
        }
        out.push_str(pending.unwrap_or_default());
        out
    }

    /// What stands between the semicolons.
    fn segments(&self) -> impl Iterator<Item = &str> {
        let mut rest = self.raw.as_str().trim_start().strip_prefix(';');
        std::iter::from_fn(move || {
            let text = rest?;
            let end = chars::find_outside(text.as_bytes(), b';');
            // The separator is ASCII, so both cuts fall on characters.
            rest = text.get(end + 1..);
            text.get(..end)
        })
    }
}

fn split(segment: &str) -> (&str, Option<&str>) {
    match segment.split_once('=') {
        None => (segment.trim(), None),
        Some((name, value)) => (name.trim(), Some(value.trim())),
    }
}

/// `;name=value` for a header, the value quoted where it is neither a token nor a host.
pub(crate) fn written(name: &str, value: Option<&str>) -> String {
    let plain = |byte: u8| chars::is_token_byte(byte) || matches!(byte, b'[' | b']' | b':');
    match value {
        None => format!(";{name}"),
        Some(value) if !value.is_empty() && value.bytes().all(plain) => format!(";{name}={value}"),
        Some(value) => format!(";{name}={}", quote(value)),
    }
}

/// As a quoted string; control characters become spaces, so that what is quoted stays on its line.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            out.push('\\');
        }
        out.push(if character.is_ascii_control() {
            ' '
        } else {
            character
        });
    }
    out.push('"');
    out
}

/// Without the quotes around it and the backslashes in it; what is not quoted stays as it is.
pub(crate) fn unquote(text: &str) -> Cow<'_, str> {
    let Some(inner) = text
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
    else {
        return Cow::Borrowed(text);
    };
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut out = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        out.extend(if character == '\\' {
            characters.next()
        } else {
            Some(character)
        });
    }
    Cow::Owned(out)
}
