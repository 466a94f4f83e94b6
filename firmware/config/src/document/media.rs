//! `[media]`: where audio comes and goes.
//!
//! There may be an address of each version of IP; then a call may come over one and go over the other. What peers are told is
//! an address of the same version as the one that is bound.
//!
//! Not here: how packets come and go (`packets.rs`), whether the machine has the addresses (media, when it starts).

use std::net::IpAddr;
use std::num::NonZeroU8;

use toml::de::DeValue;

use super::packets::Packets;
use crate::finding::Problem;
use crate::read::{At, Field, Section};
use crate::values::PortRange;

/// `[media]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// Where it is.
    pub faces: Faces,
    /// Ports for media; each leg of a call takes two.
    pub ports: PortRange,
    /// How packets come and go.
    pub packets: Packets,
    /// Threads that share the streams; without it as the box has processors.
    pub workers: Option<Workers>,
}

/// How many threads share the streams of media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Workers(NonZeroU8);

impl Workers {
    /// No box has more.
    pub const MOST: u8 = 16;

    /// How many.
    #[must_use]
    pub const fn count(self) -> NonZeroU8 {
        self.0
    }
}

impl Field for Workers {
    const EXPECTED: &'static str = "a whole number from 1 to 16";

    fn read(value: &DeValue<'_>) -> Result<Self, Problem> {
        let number = u32::read(value)?;
        let count = u8::try_from(number)
            .ok()
            .filter(|count| *count <= Self::MOST);
        let count = count.and_then(NonZeroU8::new);
        count.map(Self).ok_or_else(|| Problem::BadValue {
            value: number.to_string(),
            expected: Self::EXPECTED,
        })
    }
}

/// An address of media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Face {
    /// The address that is bound.
    pub bound: IpAddr,
    /// The address that stands in SDP, where NAT makes it another; of the same version of IP.
    pub advertised: IpAddr,
}

/// The addresses of media: one at least, and of each version of IP one at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Faces {
    first: Face,
    second: Option<Face>,
}

impl Faces {
    /// One alone.
    #[must_use]
    pub const fn one(face: Face) -> Self {
        Self {
            first: face,
            second: None,
        }
    }

    /// All of them, in their order.
    pub fn iter(&self) -> impl Iterator<Item = Face> {
        std::iter::once(self.first).chain(self.second)
    }

    /// The one of the same version of IP.
    #[must_use]
    pub fn like(&self, address: IpAddr) -> Option<Face> {
        self.iter()
            .find(|face| face.bound.is_ipv4() == address.is_ipv4())
    }

    /// The one of the same version of IP, or else the first.
    #[must_use]
    pub fn best_for(&self, address: IpAddr) -> Face {
        self.like(address).unwrap_or(self.first)
    }
}

const TWO_ALIKE: Problem = Problem::Conflict {
    what: "there are two addresses of one version of IP",
    cure: "Give one address, or an IPv4 and an IPv6 address.",
};

const NONE_ALIKE: Problem = Problem::Conflict {
    what: "the address is IPv4 and the advertised one IPv6, or the other way round",
    cure: "Give both in the same version of IP.",
};

impl Media {
    pub(super) fn read(section: &mut Section<'_, '_>) -> Self {
        let addresses = section.one_or_more("address", IpAddr::from([127, 0, 0, 1]));
        let advertised: Vec<At<IpAddr>> = section.some("advertised");
        let packets = Packets::read(section);
        let alike =
            |one: &At<IpAddr>, other: &At<IpAddr>| one.value.is_ipv4() == other.value.is_ipv4();
        for (key, list) in [("address", &addresses), ("advertised", &advertised)] {
            for (place, at) in list.iter().enumerate() {
                if list[..place].iter().any(|before| alike(before, at)) {
                    section.fault(Some(&at.span), key, TWO_ALIKE);
                }
            }
        }
        for at in &advertised {
            if !addresses.iter().any(|address| alike(address, at)) {
                section.fault(Some(&at.span), "advertised", NONE_ALIKE);
            }
        }
        let face = |address: &At<IpAddr>| Face {
            bound: address.value,
            advertised: advertised
                .iter()
                .find(|at| alike(at, address))
                .map_or(address.value, |at| at.value),
        };
        Self {
            faces: Faces {
                first: face(&addresses[0]),
                second: addresses.get(1).map(face),
            },
            packets,
            workers: section
                .maybe::<Workers>("workers")
                .map(|workers| workers.value),
            ports: section.or(
                "ports",
                PortRange {
                    first: 20_000,
                    last: 39_999,
                },
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    fn faces(settings: &str) -> Result<Vec<(String, String)>, String> {
        let text = format!("version = 1\n[media]\n{settings}");
        let document = crate::parse(&text).map_err(|findings| findings.to_string())?;
        let faces = document.media.faces.iter();
        Ok(faces
            .map(|face| (face.bound.to_string(), face.advertised.to_string()))
            .collect())
    }

    #[test]
    fn an_address_of_each_version_each_with_what_is_told_of_it() {
        for (settings, expected) in [
            ("address = \"192.0.2.1\"", &[("192.0.2.1", "192.0.2.1")][..]),
            (
                "address = \"10.0.0.1\"\nadvertised = \"192.0.2.1\"",
                &[("10.0.0.1", "192.0.2.1")],
            ),
            (
                "address = [\"2001:db8::1\", \"10.0.0.1\"]\nadvertised = \"192.0.2.1\"",
                &[("2001:db8::1", "2001:db8::1"), ("10.0.0.1", "192.0.2.1")],
            ),
            (
                "address = [\"10.0.0.1\", \"fd00::1\"]\nadvertised = [\"2001:db8::1\", \"192.0.2.1\"]",
                &[("10.0.0.1", "192.0.2.1"), ("fd00::1", "2001:db8::1")],
            ),
        ] {
            let owned = |(bound, told): &(&str, &str)| ((*bound).to_owned(), (*told).to_owned());
            assert_eq!(faces(settings), Ok(expected.iter().map(owned).collect()));
        }
    }

    #[test]
    fn what_does_not_go_together_is_told_with_its_cure() {
        for (settings, finding) in [
            (
                "address = [\"192.0.2.1\", \"192.0.2.2\"]",
                "line 3, column 25: media.address: there are two addresses of one version of IP. Give one address, or an IPv4 and an IPv6 address.",
            ),
            (
                "address = []",
                "line 3, column 11: media.address: an empty list cannot stand here. Write an IP address.",
            ),
            (
                "address = \"192.0.2.1\"\nadvertised = \"2001:db8::1\"",
                "line 4, column 14: media.advertised: the address is IPv4 and the advertised one IPv6, or the other way round. Give both in the same version of IP.",
            ),
            (
                "address = \"192.0.2.1\"\nworkers = 17",
                "line 4, column 11: media.workers: \"17\" cannot stand here. Write a whole number from 1 to 16.",
            ),
        ] {
            assert_eq!(faces(settings), Err(format!("{finding}\n")));
        }
    }
}
