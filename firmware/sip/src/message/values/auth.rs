//! Challenges and credentials: a scheme and comma-separated parameters (RFC 3261 §20.44, RFC 8760).
//!
//! WWW-Authenticate, Proxy-Authenticate, Authorization and Proxy-Authorization share this shape. A header line is one
//! value here: its commas part parameters, not values. Any scheme passes (RFC 4475 §3.3.7); what belongs to a scheme
//! is asked for by name.
//!
//! Not here: computing digests (`auth`).

use std::borrow::Cow;

use bytes::Bytes;

use super::Value;
use crate::message::chars;
use crate::message::error::ValueError;
use crate::message::headers::Split;
use crate::message::params;
use crate::message::text::Text;

/// A challenge or credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    raw: Text,
    scheme: usize,
}

impl Challenge {
    /// Parses one header line's value.
    ///
    /// # Errors
    /// What is malformed.
    pub fn parse(bytes: Bytes) -> Result<Self, ValueError> {
        let raw = Text::new(bytes.slice_ref(chars::trim(&bytes))).map_err(|_| ValueError::Utf8)?;
        let text = raw.as_str().as_bytes();
        let scheme = text
            .iter()
            .position(|&byte| chars::is_space(byte))
            .unwrap_or(text.len());
        if !chars::is_token(&text[..scheme]) {
            return Err(ValueError::Token);
        }
        for part in parts(&text[scheme..]) {
            let value = memchr::memchr(b'=', part).map(|at| chars::trim(&part[at + 1..]));
            if let Some(quoted @ [b'"', ..]) = value
                && chars::quoted_length(quoted) != Some(quoted.len())
            {
                return Err(ValueError::UnclosedQuote);
            }
        }
        Ok(Self { raw, scheme })
    }

    /// The value as it came.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        self.raw.bytes()
    }

    /// The scheme; compare without case.
    #[must_use]
    pub fn scheme(&self) -> &str {
        &self.raw.as_str()[..self.scheme]
    }

    /// A parameter's value without quotes and backslashes.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<Cow<'_, str>> {
        self.raw_param(name).map(params::unquote)
    }

    /// A parameter's value as it came, quotes included.
    #[must_use]
    pub fn raw_param(&self, name: &str) -> Option<&str> {
        self.params()
            .find(|(ours, _)| ours.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// Names and raw values.
    pub fn params(&self) -> impl Iterator<Item = (&str, &str)> {
        parts(&self.raw.as_str().as_bytes()[self.scheme..]).filter_map(|part| {
            let (name, value) = std::str::from_utf8(part).ok()?.split_once('=')?;
            Some((name.trim(), value.trim()))
        })
    }
}

/// What stands between the commas; an angle bracket parts nothing here.
fn parts(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    Split {
        rest: Some(bytes),
        separator: b',',
    }
    .filter(|part| !part.is_empty())
}

impl Value for Challenge {
    fn write(&self, out: &mut Vec<u8>) {
        self.raw.write(out);
    }
}
