//! URIs: sip, sips and tel taken apart, urn and all others kept whole (RFC 3261 §19.1, RFC 3966).
//!
//! The bytes stay: [`Uri::as_str`] is what came, whatever odd characters its parameters hold (INV-08: Teams sends
//! `x-m=8:orgid:…`), so that a Contact can become a Request-URI verbatim (INV-09) and a Referred-By be copied (REF-03).
//!
//! Not here: resolving a URI to an address (`resolve`).

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use bytes::Bytes;

use super::error::UriError;
use super::host::Host;
use super::params::Params;
use super::text::Text;

/// What a URI begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `sip:`
    Sip,
    /// `sips:`
    Sips,
    /// `tel:` (RFC 3966)
    Tel,
    /// `urn:` (RFC 8141)
    Urn,
    /// Any other; answered 416 where it is a Request-URI.
    Other,
}

/// A URI as it came, with its parts found.
#[derive(Debug, Clone)]
pub struct Uri {
    raw: Text,
}

impl Uri {
    /// Parses a URI that fills the bytes.
    ///
    /// # Errors
    /// What is malformed.
    pub fn parse(_bytes: Bytes) -> Result<Self, UriError> {
        todo!()
    }

    /// Begins a new `sip:` or `sips:` URI (or, with a number as user, `tel:`).
    #[must_use]
    pub fn build(_scheme: Scheme, _host: impl Into<Host>) -> UriBuilder {
        todo!()
    }

    /// The URI as it came.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.raw
    }

    /// The URI as it came, sharing the message's buffer.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        self.raw.bytes()
    }

    /// Its scheme.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        todo!()
    }

    /// The user part as it came (escaped, password not included); the number of a `tel:`.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        todo!()
    }

    /// The user part, unescaped.
    #[must_use]
    pub fn user_unescaped(&self) -> Option<Cow<'_, str>> {
        todo!()
    }

    /// The telephone number: of `tel:`, or the user part up to its `;` where that is a `+` and digits, or digits and
    /// visual separators.
    #[must_use]
    pub fn telephone(&self) -> Option<&str> {
        todo!()
    }

    /// The host of sip and sips.
    #[must_use]
    pub fn host(&self) -> Option<&Host> {
        todo!()
    }

    /// The port, where one is given.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        todo!()
    }

    /// Its parameters.
    #[must_use]
    pub fn params(&self) -> Params {
        todo!()
    }

    /// Names and values after the `?`, still escaped.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        std::iter::empty()
    }

    /// The value of one of its headers, unescaped (`Replaces` of a Refer-To).
    #[must_use]
    pub fn header(&self, _name: &str) -> Option<Cow<'_, [u8]>> {
        todo!()
    }

    /// The same URI without its headers, as it may stand in a start line (RFC 3261 §19.1.5).
    #[must_use]
    pub fn without_headers(&self) -> Self {
        todo!()
    }

    /// The same URI with a parameter more, or with another value for it.
    #[must_use]
    pub fn with_param(&self, _name: &str, _value: Option<&str>) -> Self {
        todo!()
    }

    /// The same URI without a parameter.
    #[must_use]
    pub fn without_param(&self, _name: &str) -> Self {
        todo!()
    }

    /// Whether both mean the same (RFC 3261 §19.1.4; RFC 3966 §4 for tel). Not transitive, hence not `==`, which
    /// compares the text.
    #[must_use]
    pub fn matches(&self, _other: &Self) -> bool {
        todo!()
    }
}

impl PartialEq for Uri {
    fn eq(&self, other: &Self) -> bool {
        self.raw == other.raw
    }
}

impl Eq for Uri {}

impl FromStr for Uri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        Self::parse(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A URI being put together; every part is escaped as its place demands.
#[derive(Debug, Clone)]
pub struct UriBuilder {}

impl UriBuilder {
    /// The user part, not yet escaped.
    #[must_use]
    pub fn user(self, _user: &str) -> Self {
        todo!()
    }

    /// The port.
    #[must_use]
    pub fn port(self, _port: impl Into<Option<u16>>) -> Self {
        todo!()
    }

    /// A parameter with a value.
    #[must_use]
    pub fn param(self, _name: &str, _value: &str) -> Self {
        todo!()
    }

    /// A parameter without a value (`lr`).
    #[must_use]
    pub fn flag(self, _name: &str) -> Self {
        todo!()
    }

    /// A header after the `?`, not yet escaped.
    #[must_use]
    pub fn header(self, _name: &str, _value: &str) -> Self {
        todo!()
    }

    /// The URI.
    #[must_use]
    pub fn finish(self) -> Uri {
        todo!()
    }
}
