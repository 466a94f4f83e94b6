//! URIs: sip, sips and tel taken apart, urn and all others kept whole (RFC 3261 §19.1, RFC 3966).
//!
//! The bytes stay: [`Uri::as_str`] is what came, whatever odd characters its parameters hold (INV-08: Teams sends
//! `x-m=8:orgid:…`), so that a Contact can become a Request-URI verbatim (INV-09) and a Refer-To be followed (REF-03).
//! Offsets of the parts are found once; each lies on a character of the text.
//!
//! Not here: resolving a URI to an address (`resolve`).

mod build;
mod compare;
mod escape;
mod parse;

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::str::FromStr;

use bytes::Bytes;

pub use build::UriBuilder;

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
    scheme: Scheme,
    /// The user of sip and sips, the number of tel.
    user: Option<Range<usize>>,
    host: Option<Host>,
    port: Option<u16>,
    params: Params,
    params_at: Range<usize>,
    /// After the `?`.
    headers: Range<usize>,
}

impl Uri {
    /// Parses a URI that fills the bytes.
    ///
    /// # Errors
    /// What is malformed.
    pub fn parse(bytes: Bytes) -> Result<Self, UriError> {
        parse::uri(bytes)
    }

    /// Begins a `sip:` URI.
    #[must_use]
    pub fn sip(host: impl Into<Host>) -> UriBuilder {
        UriBuilder::new(Scheme::Sip, host.into())
    }

    /// Begins a `sips:` URI.
    #[must_use]
    pub fn sips(host: impl Into<Host>) -> UriBuilder {
        UriBuilder::new(Scheme::Sips, host.into())
    }

    /// A `tel:` URI.
    ///
    /// # Errors
    /// When the number is none (RFC 3966 §3; a local number also needs its context as a parameter).
    pub fn tel(number: &str) -> Result<Self, UriError> {
        Self::parse(Bytes::from(format!("tel:{number}")))
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
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The user part as it came (escaped, password not included); the number of a `tel:`.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user
            .as_ref()
            .map(|range| &self.raw.as_str()[range.clone()])
    }

    /// The user part, unescaped; escapes that are no UTF-8 become replacement characters.
    #[must_use]
    pub fn user_unescaped(&self) -> Option<Cow<'_, str>> {
        self.user().map(|user| match escape::unescape(user) {
            Cow::Borrowed(_) => Cow::Borrowed(user),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        })
    }

    /// The telephone number: of `tel:`, or the user part up to its `;` where that is digits and visual separators,
    /// perhaps after a `+`.
    #[must_use]
    pub fn telephone(&self) -> Option<&str> {
        let user = self.user()?;
        let number = user.split(';').next().unwrap_or_default();
        (self.scheme == Scheme::Tel || parse::is_telephone(number)).then_some(number)
    }

    /// The host of sip and sips.
    #[must_use]
    pub const fn host(&self) -> Option<&Host> {
        self.host.as_ref()
    }

    /// The port, where one is given.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// Its parameters.
    #[must_use]
    pub const fn params(&self) -> &Params {
        &self.params
    }

    /// Names and values after the `?`, still escaped.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.raw.as_str()[self.headers.clone()]
            .split('&')
            .filter(|part| !part.is_empty())
            .map(|part| part.split_once('=').unwrap_or((part, "")))
    }

    /// The value of one of its headers, unescaped (`Replaces` of a Refer-To).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        self.headers()
            .find(|(ours, _)| escape::unescape(ours).eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| escape::unescape(value))
    }

    /// The same URI without its headers, as it may stand in a start line (RFC 3261 §19.1.5).
    #[must_use]
    pub fn without_headers(&self) -> Self {
        Self {
            raw: self.raw.slice(0..self.params_at.end),
            headers: 0..0,
            ..self.clone()
        }
    }

    /// The same URI with a parameter more, or with another value for it, escaped as a parameter must be. URIs that
    /// have no parameters (urn and others) stay as they are.
    #[must_use]
    pub fn with_param(&self, name: &str, value: Option<&str>) -> Self {
        let mut written = String::new();
        escape::push_param(&mut written, name, value);
        self.with_params(&self.params.replaced(name, Some(&written)))
    }

    /// The same URI without a parameter.
    #[must_use]
    pub fn without_param(&self, name: &str) -> Self {
        if self.params.contains(name) {
            self.with_params(&self.params.replaced(name, None))
        } else {
            self.clone()
        }
    }

    fn with_params(&self, params: &str) -> Self {
        if matches!(self.scheme, Scheme::Urn | Scheme::Other) {
            return self.clone();
        }
        let Range { start, end } = self.params_at;
        let raw = Text::from(
            [
                &self.raw.as_str()[..start],
                params,
                &self.raw.as_str()[end..],
            ]
            .concat(),
        );
        let moved = |at: usize| at - end + start + params.len();
        let headers = if self.headers.is_empty() {
            0..0
        } else {
            moved(self.headers.start)..moved(self.headers.end)
        };
        let params_at = start..start + params.len();
        Self {
            params: Params::trusted(raw.slice(params_at.clone())),
            raw,
            params_at,
            headers,
            ..self.clone()
        }
    }
}

/// By the text; what means the same is [`Uri::matches`].
impl PartialEq for Uri {
    fn eq(&self, other: &Self) -> bool {
        self.raw == other.raw
    }
}

impl Eq for Uri {}

impl Hash for Uri {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.raw.hash(state);
    }
}

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
