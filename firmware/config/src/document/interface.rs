//! `[[interface]]`: a network port of an appliance that has its addresses by hand. A port that is not named asks for one (DHCP).
//!
//! Read by the appliance's first process when it starts; on a machine with a system of its own it means nothing.
//!
//! Not here: whether the machine has such a port.

use std::net::IpAddr;

use super::Names;
use crate::finding::Problem;
use crate::read::{Section, field_of_text};

/// A network port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its name in this file.
    pub name: String,
    /// The link: its name with the kernel, or its address on the wire.
    pub device: Device,
    /// The virtual network on it.
    pub vlan: Option<u16>,
    /// Its addresses.
    pub addresses: Vec<Placed>,
    /// Where to send what has no nearer way; one of each version of IP.
    pub gateways: Vec<IpAddr>,
}

/// How a link is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Device {
    /// By name.
    Name(String),
    /// By its address on the wire: it stays when cards change places.
    Mac([u8; 6]),
}

field_of_text!(
    Device,
    "the name of a link like \"eth0\", or its address like \"02:00:5e:00:53:01\"",
    |text| {
        let octets: Vec<u8> = text
            .split(':')
            .filter_map(|octet| u8::from_str_radix(octet, 16).ok())
            .collect();
        let is_name = |text: &str| {
            let fits = (1..=15).contains(&text.len());
            fits && text
                .bytes()
                .all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
        };
        match octets.try_into() {
            Ok(mac) => Some(Device::Mac(mac)),
            Err(_) => is_name(text).then(|| Device::Name(text.to_owned())),
        }
    }
);

/// An address in its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// The address.
    pub address: IpAddr,
    /// Bits of the network in it.
    pub prefix: u8,
}

impl Placed {
    /// Whether another address lies in the same network.
    #[must_use]
    pub fn reaches(&self, other: IpAddr) -> bool {
        let (own, other, bits) = match (self.address, other) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                (u128::from(own.to_bits()), u128::from(other.to_bits()), 32)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => (own.to_bits(), other.to_bits(), 128),
            _ => return false,
        };
        let shift = bits - u32::from(self.prefix);
        own.checked_shr(shift) == other.checked_shr(shift)
    }
}

field_of_text!(
    Placed,
    "an address with the length of its network, like \"192.0.2.10/24\"",
    |text| {
        let (address, prefix) = text.split_once('/')?;
        let (address, prefix): (IpAddr, u8) = (address.parse().ok()?, prefix.parse().ok()?);
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let is_host = !address.is_unspecified() && !address.is_multicast();
        ((1..=longest).contains(&prefix) && is_host).then_some(Placed { address, prefix })
    }
);

struct Tag(u16);

field_of_text!(Tag, "a tag from 1 to 4094, as \"100\"", |text| {
    let tag = text.parse().ok()?;
    (1..=4_094).contains(&tag).then_some(Tag(tag))
});

impl Interface {
    pub(super) fn read(section: &mut Section<'_, '_>, names: &mut Names) -> Self {
        let name = names.take(section);
        let device = section.must("device", Device::Name(String::new())).value;
        let addresses = section.some::<Placed>("addresses");
        let addresses: Vec<_> = addresses.into_iter().map(|at| at.value).collect();
        let mut gateways = Vec::new();
        for gateway in section.list::<IpAddr>("gateways") {
            if !addresses.is_empty() && !addresses.iter().any(|own| own.reaches(gateway.value)) {
                let problem = Problem::Conflict {
                    what: "the gateway lies in none of the networks of this port",
                    cure: "Correct the gateway, or the address and the length of its network.",
                };
                section.fault(Some(&gateway.span), "gateways", problem);
            }
            gateways.push(gateway.value);
        }
        Self {
            name,
            device,
            vlan: section.maybe::<Tag>("vlan").map(|at| at.value.0),
            addresses,
            gateways,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_is_reached_within_the_network_alone() {
        let placed = |text: &str| {
            let (address, prefix) = text.split_once('/').expect("both");
            Placed {
                address: address.parse().expect("an address"),
                prefix: prefix.parse().expect("a length"),
            }
        };
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        assert!(placed("192.0.2.10/24").reaches(address("192.0.2.1")));
        assert!(!placed("192.0.2.10/25").reaches(address("192.0.2.200")));
        assert!(placed("2001:db8::1/64").reaches(address("2001:db8::2")));
        assert!(!placed("2001:db8::1/64").reaches(address("192.0.2.1")));
        assert!(placed("192.0.2.10/1").reaches(address("191.0.2.1")));
    }
}
