//! The small types that settings are made of: networks, port ranges, numbers, hosts.
//!
//! Each is parsed once and cannot be wrong afterwards.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::read::{field_of_text, field_of_words};

/// A network, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// Whether an address lies in it. An IPv4 address mapped into IPv6 counts as the IPv4 address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(net), IpAddr::V4(address)) => {
                let shift = 32 - u32::from(self.prefix);
                shift == 32 || net.to_bits() >> shift == address.to_bits() >> shift
            }
            (IpAddr::V6(net), IpAddr::V6(address)) => {
                let shift = 128 - u32::from(self.prefix);
                shift == 128 || net.to_bits() >> shift == address.to_bits() >> shift
            }
            _ => false,
        }
    }

    /// Whether every address lies in it.
    #[must_use]
    pub const fn is_everything(&self) -> bool {
        self.prefix == 0
    }
}

impl FromStr for Network {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| ())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(longest), |prefix| prefix.parse().map_err(|_| ()))?;
        if prefix > longest {
            Err(())
        } else {
            Ok(Self { address, prefix })
        }
    }
}

field_of_text!(
    Network,
    "a network like \"52.112.0.0/14\" or an address",
    |text| text.parse().ok()
);

/// A range of UDP ports for media, both ends included; begins even.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortRange {
    /// The first port, even.
    pub first: u16,
    /// The last port, odd.
    pub last: u16,
}

field_of_text!(
    PortRange,
    "a range of at least 4 ports above 1023, like \"20000-23999\"",
    |text| {
        let (first, last) = text.split_once('-')?;
        let (first, last): (u16, u16) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        let (first, last) = (
            first.checked_next_multiple_of(2)?,
            if last % 2 == 0 {
                last.checked_sub(1)?
            } else {
                last
            },
        );
        (first >= 1_024 && last > first.saturating_add(2)).then_some(PortRange { first, last })
    }
);

/// A range of E.164 numbers of one length, both ends included.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NumberRange {
    /// Digits of the first number, without `+`.
    pub first: u64,
    /// Digits of the last number.
    pub last: u64,
    /// How many digits they have.
    pub digits: u8,
}

impl NumberRange {
    /// The range that a text means: `+12025550100` or `+12025550100-+12025550199`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = (e164(first.trim())?, e164(last.trim())?);
        if first.len() != last.len() {
            return None;
        }
        let digits = u8::try_from(first.len()).ok()?;
        let (first, last) = (first.parse().ok()?, last.parse().ok()?);
        (first <= last).then_some(Self {
            first,
            last,
            digits,
        })
    }
}

impl fmt::Display for NumberRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "+{}", self.first)
        } else {
            write!(f, "+{}-+{}", self.first, self.last)
        }
    }
}

field_of_text!(
    NumberRange,
    "a number like \"+12025550100\" or a range of numbers of one length",
    NumberRange::parse
);

/// The digits of a number in E.164 form: `+`, then 2 to 15 digits of which the first is not 0.
#[must_use]
pub fn e164(number: &str) -> Option<&str> {
    let digits = number.strip_prefix('+')?;
    let good = (2..=15).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0');
    good.then_some(digits)
}

/// A transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
    /// TLS.
    Tls,
}

field_of_words!(Transport, "\"udp\", \"tcp\" or \"tls\"", "udp" => Transport::Udp, "tcp" => Transport::Tcp, "tls" => Transport::Tls);

/// A host name or address, with or without a port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// Name or address, IPv6 without brackets.
    pub host: String,
    /// The port, if one is given; otherwise RFC 3263 finds it.
    pub port: Option<u16>,
}

impl Endpoint {
    /// The endpoint that a text means.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(rest) = text.strip_prefix('[') {
            let (address, rest) = rest.split_once(']')?;
            let _: std::net::Ipv6Addr = address.parse().ok()?;
            let port = match rest.strip_prefix(':') {
                Some(port) => Some(port.parse().ok().filter(|port| *port > 0)?),
                None if rest.is_empty() => None,
                None => return None,
            };
            return Some(Self {
                host: address.to_owned(),
                port,
            });
        }
        if text.parse::<std::net::Ipv6Addr>().is_ok() {
            return Some(Self {
                host: text.to_owned(),
                port: None,
            });
        }
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (
                host,
                Some(port.parse().ok().filter(|port: &u16| *port > 0)?),
            ),
            None => (text, None),
        };
        (host.parse::<IpAddr>().is_ok() || is_host_name(host)).then(|| Self {
            host: host.to_owned(),
            port,
        })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bracketed = self.host.contains(':');
        match (bracketed, self.port) {
            (true, Some(port)) => write!(f, "[{}]:{port}", self.host),
            (true, None) => write!(f, "[{}]", self.host),
            (false, Some(port)) => write!(f, "{}:{port}", self.host),
            (false, None) => f.write_str(&self.host),
        }
    }
}

field_of_text!(
    Endpoint,
    "a host with or without a port, like \"sip.example.com:5061\"",
    Endpoint::parse
);

/// Whether a text is a host name (RFC 1123), at most 253 characters.
#[must_use]
pub fn is_host_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 253
        && text.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
}

/// A host name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostName(pub String);

field_of_text!(
    HostName,
    "a host name like \"sbc1.contoso.example\" of at most 63 characters",
    |text| {
        (is_host_name(text) && text.len() <= 63 && text.contains('.'))
            .then(|| HostName(text.to_ascii_lowercase()))
    }
);

/// A name that something bears in this document: letters, digits, `-`, `_` and `.`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Label(pub String);

field_of_text!(
    Label,
    "a name of letters, digits, \"-\", \"_\" and \".\", at most 63 characters",
    |text| {
        let good = !text.is_empty()
            && text.len() <= 63
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
        good.then(|| Label(text.to_owned()))
    }
);
