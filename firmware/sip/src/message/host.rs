//! Hosts and ports: of URIs, of Via's sent-by, of `received` and `maddr`.
//!
//! An address is parsed into an address, so that `[2001:DB8::1]` and `[2001:db8:0::1]` are equal; names keep their
//! spelling and compare without case (RFC 3261 §19.1.4, RFC 5118 §4.5).
//!
//! Not here: resolving names (`resolve`).

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use bytes::Bytes;

use super::error::ValueError;
use super::text::Text;
use crate::digits::{push_address, push_number};

/// A host as it stands in a URI or Via.
#[derive(Debug, Clone, Eq)]
pub enum Host {
    /// A domain name.
    Name(Text),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address; in brackets on the wire.
    V6(Ipv6Addr),
}

impl Host {
    /// A host that fills the text: a name, an IPv4 address, or an IPv6 address in brackets.
    ///
    /// # Errors
    /// [`ValueError::Host`].
    pub fn parse(text: &Text) -> Result<Self, ValueError> {
        let name = text.as_str();
        if let Some(inner) = name.strip_prefix('[') {
            let inner = inner.strip_suffix(']').ok_or(ValueError::Host)?;
            return parse_v6(inner).map(Self::V6).ok_or(ValueError::Host);
        }
        if name.as_bytes().first().is_some_and(u8::is_ascii_digit)
            && let Ok(address) = name.parse()
        {
            return Ok(Self::V4(address));
        }
        if is_name(name) {
            Ok(Self::Name(text.clone()))
        } else {
            Err(ValueError::Host)
        }
    }

    /// The address, where it is one.
    #[must_use]
    pub const fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Name(_) => None,
            Self::V4(address) => Some(IpAddr::V4(*address)),
            Self::V6(address) => Some(IpAddr::V6(*address)),
        }
    }

    /// The name, where it is one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            Self::V4(_) | Self::V6(_) => None,
        }
    }
}

/// RFC 3261 §25.1 `hostname`, with the underscore that real networks use. The last label begins with a letter, or else
/// a mistyped IPv4 address would be looked up as a name.
fn is_name(text: &str) -> bool {
    let name = text.strip_suffix('.').unwrap_or(text).as_bytes();
    let (mut length, mut digit_first) = (0, false);
    for &byte in name {
        match byte {
            b'.' if length == 0 => return false,
            b'.' => length = 0,
            _ if !byte.is_ascii_alphanumeric() && byte != b'-' && byte != b'_' => return false,
            _ => {
                if length == 0 {
                    digit_first = byte.is_ascii_digit();
                }
                length += 1;
                if length > 63 {
                    return false;
                }
            }
        }
    }
    name.len() <= 253 && length > 0 && !digit_first
}

/// RFC 5118 §4.10: the grammar of RFC 3261 lets `:::` stand before an embedded IPv4 address; it is read as `::`.
fn parse_v6(text: &str) -> Option<Ipv6Addr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let (head, tail) = text.split_once(":::")?;
    let _: Ipv4Addr = tail.parse().ok()?;
    format!("{head}::{tail}").parse().ok()
}

impl PartialEq for Host {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(ours), Self::Name(theirs)) => ours.eq_ignore_ascii_case(theirs),
            _ => self.address().is_some() && self.address() == other.address(),
        }
    }
}

impl Hash for Host {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Name(name) => name.to_ascii_lowercase().hash(state),
            Self::V4(_) | Self::V6(_) => self.address().hash(state),
        }
    }
}

impl From<IpAddr> for Host {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => Self::V6(address),
        }
    }
}

impl FromStr for Host {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        Self::parse(&Text::from(text))
    }
}

impl Host {
    /// Appends it as it stands in a message.
    pub(crate) fn write_to(&self, out: &mut String) {
        match self {
            Self::Name(name) => out.push_str(name),
            Self::V4(address) => push_address(out, IpAddr::V4(*address)),
            Self::V6(address) => {
                out.push('[');
                push_address(out, IpAddr::V6(*address));
                out.push(']');
            }
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        self.write_to(&mut out);
        f.write_str(&out)
    }
}

/// A host with or without a port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// The host.
    pub host: Host,
    /// The port, where one was given.
    pub port: Option<u16>,
}

impl HostPort {
    /// A host that fills the bytes, with white space around the colon as Via allows (RFC 3261 §20.42).
    ///
    /// # Errors
    /// [`ValueError::Host`], [`ValueError::Port`].
    pub fn parse(bytes: &Bytes) -> Result<Self, ValueError> {
        let whole = Text::new(bytes.clone()).map_err(|_| ValueError::Host)?;
        let text = whole.as_str();
        let ends = if text.starts_with('[') {
            text.find(']').map_or(text.len(), |end| end + 1)
        } else {
            0
        };
        let colon = text[ends..].find(':').map(|at| ends + at);
        let host = text[..colon.unwrap_or(text.len())].trim_ascii_end();
        let port = match colon {
            None => None,
            Some(at) => {
                Some(parse_port(text[at + 1..].trim_ascii_start()).ok_or(ValueError::Port)?)
            }
        };
        Ok(Self {
            host: Host::parse(&whole.slice(0..host.len()))?,
            port,
        })
    }
}

/// Digits, at most 65535.
pub(crate) fn parse_port(text: &str) -> Option<u16> {
    super::chars::number(text.as_bytes()).and_then(|port| u16::try_from(port).ok())
}

impl From<SocketAddr> for HostPort {
    fn from(address: SocketAddr) -> Self {
        Self {
            host: address.ip().into(),
            port: Some(address.port()),
        }
    }
}

impl FromStr for HostPort {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        Self::parse(&Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl HostPort {
    /// Appends it as it stands in a message.
    pub(crate) fn write_to(&self, out: &mut String) {
        self.host.write_to(out);
        if let Some(port) = self.port {
            out.push(':');
            push_number(out, port);
        }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        self.write_to(&mut out);
        f.write_str(&out)
    }
}
