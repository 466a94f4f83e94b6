//! Challenges and credentials: a scheme and comma-separated parameters (RFC 3261 §20.44, RFC 8760).
//!
//! WWW-Authenticate, Proxy-Authenticate, Authorization, Proxy-Authorization and Authentication-Info share this shape.
//! A header line is one value here: its commas part parameters, not values.
//!
//! Not here: computing digests (`auth`).

use std::borrow::Cow;

use bytes::Bytes;

use crate::message::error::ValueError;

/// A challenge or credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    raw: Bytes,
}

impl Challenge {
    /// Parses one header line's value.
    ///
    /// # Errors
    /// What is malformed.
    pub fn parse(_bytes: Bytes) -> Result<Self, ValueError> {
        todo!()
    }

    /// The value as it came.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.raw
    }

    /// The scheme; compare without case.
    #[must_use]
    pub fn scheme(&self) -> &str {
        todo!()
    }

    /// A parameter's value without quotes and backslashes.
    #[must_use]
    pub fn param(&self, _name: &str) -> Option<Cow<'_, str>> {
        todo!()
    }

    /// A parameter's value as it came, quotes included.
    #[must_use]
    pub fn raw_param(&self, _name: &str) -> Option<&str> {
        todo!()
    }

    /// Names and raw values.
    pub fn params(&self) -> impl Iterator<Item = (&str, &str)> {
        std::iter::empty()
    }
}
