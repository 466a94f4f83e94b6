//! Name-addresses: From, To, Contact, Route, Refer-To, P-Asserted-Identity and all of their shape.
//!
//! The value stays as it came ([`NameAddr::bytes`]), so that Referred-By can be copied byte for byte (REF-03).
//!
//! Not here: lists of them (`Headers`).

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use bytes::Bytes;

use super::Value;
use crate::message::error::ValueError;
use crate::message::params::Params;
use crate::message::uri::Uri;

/// A URI with a display name and parameters (RFC 3261 §20.10).
#[derive(Debug, Clone)]
pub struct NameAddr {
    raw: Bytes,
    uri: Uri,
    params: Params,
}

impl NameAddr {
    /// Parses one value: `"Name" <uri>;params`, `<uri>;params` or `uri;params`.
    ///
    /// # Errors
    /// What is malformed.
    pub fn parse(_bytes: Bytes) -> Result<Self, ValueError> {
        todo!()
    }

    /// `<uri>` alone.
    #[must_use]
    pub fn new(_uri: &Uri) -> Self {
        todo!()
    }

    /// The same with this display name, quoted; an empty name takes it away.
    #[must_use]
    pub fn with_display(&self, _name: &str) -> Self {
        todo!()
    }

    /// The same with a parameter more, or with another value for it. The value is quoted where it must be.
    #[must_use]
    pub fn with_param(&self, _name: &str, _value: Option<&str>) -> Self {
        todo!()
    }

    /// The same without a parameter.
    #[must_use]
    pub fn without_param(&self, _name: &str) -> Self {
        todo!()
    }

    /// The value as it came.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.raw
    }

    /// The display name without quotes and backslashes; bytes that are not UTF-8 are read as Latin-1.
    #[must_use]
    pub fn display_name(&self) -> Option<Cow<'_, str>> {
        todo!()
    }

    /// The URI.
    #[must_use]
    pub const fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The parameters of the header (those of the URI are [`Uri::params`]).
    #[must_use]
    pub const fn params(&self) -> &Params {
        &self.params
    }

    /// The `tag` of From and To.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.params.value("tag")
    }
}

/// By the bytes.
impl PartialEq for NameAddr {
    fn eq(&self, other: &Self) -> bool {
        self.raw == other.raw
    }
}

impl Eq for NameAddr {}

impl FromStr for NameAddr {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        Self::parse(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.raw))
    }
}

impl Value for NameAddr {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.raw);
    }
}

/// What the Contact headers of a message say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contacts {
    /// `*`: all bindings, in a REGISTER that removes them (RFC 3261 §10.2.2).
    All,
    /// The addresses, perhaps none.
    List(Vec<NameAddr>),
}
