//! Name-addresses: From, To, Contact, Route, Refer-To, P-Asserted-Identity and all of their shape.
//!
//! The value stays as it came ([`NameAddr::bytes`]), so that Referred-By can be copied byte for byte (REF-03). A
//! display name may hold any bytes; URI and parameters are UTF-8 or the value is malformed.
//!
//! Not here: lists of them (`Headers`).

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use bytes::Bytes;

use super::Value;
use crate::message::chars;
use crate::message::error::ValueError;
use crate::message::params::{self, Params};
use crate::message::text::Text;
use crate::message::uri::Uri;

/// A URI with a display name and parameters (RFC 3261 §20.10).
#[derive(Debug, Clone)]
pub struct NameAddr {
    raw: Bytes,
    /// As it came, quotes included.
    display: Range<usize>,
    uri: Uri,
    params: Params,
    /// Where the parameters begin in `raw`.
    params_at: usize,
}

impl NameAddr {
    /// Parses one value: `"Name" <uri>;params`, `<uri>;params` or `uri;params`.
    ///
    /// # Errors
    /// What is malformed.
    pub fn parse(bytes: Bytes) -> Result<Self, ValueError> {
        let raw = bytes.slice_ref(chars::trim(&bytes));
        if raw.is_empty() {
            return Err(ValueError::Empty);
        }
        let quoted = if raw[0] == b'"' {
            chars::quoted_length(&raw).ok_or(ValueError::UnclosedQuote)?
        } else {
            0
        };
        let open = quoted + memchr::memchr(b'<', &raw[quoted..]).unwrap_or(raw.len() - quoted);
        if quoted > 0 && (open == raw.len() || !chars::trim(&raw[quoted..open]).is_empty()) {
            return Err(ValueError::DisplayName);
        }
        // A bracket after a semicolon belongs to a parameter of a bare URI, where it is refused.
        let bare = quoted == 0 && memchr::memchr(b';', &raw[..open]).is_some();
        if open == raw.len() || bare {
            return Self::bare(raw);
        }
        if quoted == 0 && !raw[..open].iter().all(|&byte| in_display_name(byte)) {
            return Err(ValueError::DisplayName);
        }
        let close = open + memchr::memchr(b'>', &raw[open..]).ok_or(ValueError::UnclosedAngle)?;
        Ok(Self {
            display: 0..chars::trim(&raw[..open]).len(),
            uri: Uri::parse(raw.slice(open + 1..close))?,
            params: params_of(&raw, close + 1)?,
            params_at: close + 1,
            raw,
        })
    }

    /// RFC 3261 §20: without brackets, what follows a semicolon belongs to the header, not to the URI, and a comma or
    /// question mark cannot be told apart at all.
    fn bare(raw: Bytes) -> Result<Self, ValueError> {
        let end = memchr::memchr(b';', &raw).unwrap_or(raw.len());
        let uri = raw.slice_ref(chars::trim(&raw[..end]));
        if memchr::memchr2(b',', b'?', &uri).is_some() {
            return Err(ValueError::NeedsAngle);
        }
        Ok(Self {
            display: 0..0,
            uri: Uri::parse(uri)?,
            params: params_of(&raw, end)?,
            params_at: end,
            raw,
        })
    }

    /// `<uri>` alone.
    #[must_use]
    pub fn new(uri: &Uri) -> Self {
        Self::assemble(b"", uri, &Params::default())
    }

    /// The same with this display name, quoted; an empty name takes it away.
    #[must_use]
    pub fn with_display(&self, name: &str) -> Self {
        let quoted = if name.is_empty() {
            String::new()
        } else {
            params::quote(name)
        };
        Self::assemble(quoted.as_bytes(), &self.uri, &self.params)
    }

    /// The same with a parameter more, or with another value for it. The value is quoted where it must be.
    #[must_use]
    pub fn with_param(&self, name: &str, value: Option<&str>) -> Self {
        self.with_params(
            &self
                .params
                .replaced(name, Some(&params::written(name, value))),
        )
    }

    /// The same without a parameter.
    #[must_use]
    pub fn without_param(&self, name: &str) -> Self {
        if self.params.contains(name) {
            self.with_params(&self.params.replaced(name, None))
        } else {
            self.clone()
        }
    }

    /// The value as it came.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.raw
    }

    /// The display name without quotes and backslashes; bytes that are not UTF-8 are read as Latin-1.
    #[must_use]
    pub fn display_name(&self) -> Option<Cow<'_, str>> {
        let raw = &self.raw[self.display.clone()];
        let name = match std::str::from_utf8(raw) {
            Ok(text) => params::unquote(text),
            Err(_) => {
                let latin: String = raw.iter().map(|&byte| char::from(byte)).collect();
                Cow::Owned(params::unquote(&latin).into_owned())
            }
        };
        (!name.is_empty()).then_some(name)
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

    fn with_params(&self, params: &str) -> Self {
        let raw = Bytes::from([&self.raw[..self.params_at], params.as_bytes()].concat());
        Self {
            raw,
            params: Params::trusted(Text::from(params)),
            ..self.clone()
        }
    }

    fn assemble(display: &[u8], uri: &Uri, params: &Params) -> Self {
        let space: &[u8] = if display.is_empty() { b"" } else { b" " };
        let text = uri.as_str().as_bytes();
        let raw = [display, space, b"<", text, b">", params.as_str().as_bytes()].concat();
        Self {
            display: 0..display.len(),
            uri: uri.clone(),
            params: params.clone(),
            params_at: raw.len() - params.as_str().len(),
            raw: Bytes::from(raw),
        }
    }
}

/// RFC 3261 §25.1 asks for tokens. Names in another encoding and marks such as `(` and `@` are met in the field and can
/// be mistaken for nothing; what parts values or quotes is refused (RFC 4475 §3.1.2.14).
const fn in_display_name(byte: u8) -> bool {
    !matches!(byte, b',' | b';' | b'"' | b'\\' | b'>' | 0x7f)
        && (byte >= b' ' || chars::is_space(byte))
}

fn params_of(raw: &Bytes, at: usize) -> Result<Params, ValueError> {
    Params::parse(Text::new(raw.slice(at..)).map_err(|_| ValueError::Utf8)?)
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

impl Contacts {
    /// The addresses; none for `*`.
    #[must_use]
    pub fn addresses(&self) -> &[NameAddr] {
        match self {
            Self::All => &[],
            Self::List(list) => list,
        }
    }
}
