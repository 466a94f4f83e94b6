//! The small types that settings are made of: networks, port ranges, numbers, hosts.
//!
//! Each is parsed once and cannot be wrong afterwards.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::finding::Problem;
pub use crate::number::{NumberRange, Tail, e164};
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

    /// How many bits count: the more, the narrower.
    #[must_use]
    pub const fn length(&self) -> u8 {
        self.prefix
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
        // Bits behind the length are a typing error in one or the other.
        let rest = match address {
            IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
            IpAddr::V6(address) => address.to_bits(),
        };
        let loose = rest.checked_shl(u32::from(prefix)).unwrap_or(0) != 0;
        if prefix > longest || loose {
            Err(())
        } else {
            Ok(Self { address, prefix })
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

field_of_text!(
    Network,
    "an address, or a network like \"52.112.0.0/14\" with no bits set behind its length",
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

/// Minutes east of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UtcOffset(pub(crate) i16);

impl UtcOffset {
    /// `+01:00`, `-05:30`; at most 14 hours, as on Earth.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (sign, rest) = match (text.strip_prefix('+'), text.strip_prefix('-')) {
            (Some(rest), _) => (1, rest),
            (_, Some(rest)) => (-1, rest),
            _ => return None,
        };
        let minutes = i16::try_from(minutes_of_day(rest)?).ok()?;
        (minutes <= 14 * 60).then_some(Self(sign * minutes))
    }
}

field_of_text!(
    UtcOffset,
    "an offset from UTC like \"+01:00\"",
    UtcOffset::parse
);

/// `17:30` as minutes after midnight; `24:00` is the end of the day.
pub(crate) fn minutes_of_day(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    if hours.len() != 2 || minutes.len() != 2 {
        return None;
    }
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    let total = hours.checked_mul(60)?.checked_add(minutes)?;
    (minutes < 60 && total <= 1_440).then_some(total)
}

/// How many, at least one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Count(pub(crate) u32);

impl crate::read::Field for Count {
    const EXPECTED: &'static str = "a whole number from 1";

    fn read(value: &toml::de::DeValue<'_>) -> Result<Self, Problem> {
        let expected = Self::EXPECTED;
        let count = u32::read(value).map_err(|problem| match problem {
            Problem::BadValue { value, .. } => Problem::BadValue { value, expected },
            Problem::WrongKind { found, .. } => Problem::WrongKind { expected, found },
            other => other,
        })?;
        match count {
            0 => Err(Problem::BadValue {
                value: "0".to_owned(),
                expected: Self::EXPECTED,
            }),
            count => Ok(Self(count)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_contain_their_addresses() {
        let within = |network: &str, address: &str| {
            let network: Network = network.parse().expect("a network");
            network.contains(address.parse().expect("an address"))
        };
        assert!(within("52.112.0.0/14", "52.115.255.255"));
        assert!(within("52.112.0.0/14", "::ffff:52.112.0.1"));
        assert!(!within("52.112.0.0/14", "52.116.0.0"));
        assert!(within("2001:db8::/32", "2001:db8:1::1"));
        assert!(within("0.0.0.0/0", "1.2.3.4") && !within("0.0.0.0/0", "::1"));
        assert!(within("192.0.2.1", "192.0.2.1") && !within("192.0.2.1", "192.0.2.2"));
        for wrong in [
            "",
            "10.0.0.0/33",
            "10.0.0/8",
            "10.1.0.0/8",
            "::1/64",
            "x",
            "10.0.0.0/",
        ] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn endpoints_have_names_addresses_and_ports() {
        for text in [
            "sip.example.com:5061",
            "sip.example.com",
            "192.0.2.1:5060",
            "[2001:db8::1]:5060",
        ] {
            let endpoint = Endpoint::parse(text).map(|endpoint| endpoint.to_string());
            assert_eq!(endpoint.as_deref(), Some(text));
        }
        for wrong in [
            "",
            "a b",
            "host:0",
            "host:70000",
            "[::1",
            "[x]",
            ":5060",
            "-a.example",
            "a..b",
            "[::1]5",
        ] {
            assert_eq!(Endpoint::parse(wrong), None, "{wrong}");
        }
    }
}
