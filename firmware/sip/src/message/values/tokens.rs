//! Sets of tokens: Supported, Require, Allow, Privacy and their like.
//!
//! Kept as the texts of their lines; a set is small and looked at once, so looking is a scan.
//!
//! Privacy parts its values with semicolons (RFC 3323 §4.2), the others with commas; either is taken for either, since
//! neither stands in a token.
//!
//! Not here: which tokens this box knows.

use crate::message::chars;
use crate::message::headers::Headers;
use crate::message::method::Method;
use crate::message::name::Name;

/// All tokens of all lines of one header.
#[derive(Debug, Clone, Copy)]
pub struct Tokens<'a> {
    headers: Headers<'a>,
    name: Name<'static>,
}

impl<'a> Tokens<'a> {
    pub(crate) const fn new(headers: Headers<'a>, name: Name<'static>) -> Self {
        Self { headers, name }
    }

    /// The tokens, as they came. What is not a token is left out.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.headers
            .all(self.name)
            .flat_map(|line| line.split(|byte| matches!(byte, b',' | b';')))
            .map(chars::trim)
            .filter(|part| chars::is_token(part))
            .filter_map(|token| std::str::from_utf8(token).ok())
    }

    /// Whether a token is among them, without case.
    #[must_use]
    pub fn contains(&self, token: &str) -> bool {
        self.iter().any(|ours| ours.eq_ignore_ascii_case(token))
    }

    /// Whether a method is among them, as Allow says it.
    #[must_use]
    pub fn allows(&self, method: &Method) -> bool {
        self.iter().any(|ours| ours == method.as_str())
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}
