//! Whether somebody listens where the settings say, by the kernel's own lists (`/proc/net/{udp,tcp}` and their like for IPv6).
//!
//! Control runs on when one of its listeners cannot be had, and says so in its log; a box whose trunks cannot reach it is not well all the
//! same.
//!
//! Not here: whether what listens answers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use config::document::Document;
use config::values::Transport;

/// The state of a TCP socket that listens (`TCP_LISTEN`).
const LISTENS: &str = "0A";

/// Where somebody is to listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Whether by datagrams or by connections.
    pub kind: Kind,
    /// Where.
    pub address: SocketAddr,
}

/// How somebody listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// UDP.
    Datagrams,
    /// TCP, and what goes over it.
    Connections,
}

/// The places that settings name.
#[must_use]
pub fn places(document: &Document) -> Vec<Place> {
    let listeners = document.listeners.iter();
    listeners
        .map(|listener| Place {
            kind: match listener.transport {
                Transport::Udp => Kind::Datagrams,
                Transport::Tcp | Transport::Tls => Kind::Connections,
            },
            address: listener.address,
        })
        .collect()
}

/// Those of `wanted` where nobody listens, by the lists in `proc`.
#[must_use]
pub fn missing(proc: &Path, wanted: &[Place]) -> Vec<Place> {
    let list =
        |name: &str| std::fs::read_to_string(proc.join("net").join(name)).unwrap_or_default();
    let datagrams = [list("udp"), list("udp6")].concat();
    let connections = [list("tcp"), list("tcp6")].concat();
    let datagrams: Vec<_> = datagrams
        .lines()
        .filter_map(|line| bound(line, None))
        .collect();
    let connections: Vec<_> = connections
        .lines()
        .filter_map(|line| bound(line, Some(LISTENS)))
        .collect();
    let listens = |place: &&Place| {
        let all = match place.kind {
            Kind::Datagrams => &datagrams,
            Kind::Connections => &connections,
        };
        !all.contains(&place.address)
    };
    wanted.iter().filter(listens).copied().collect()
}

/// The address of a line such as `0: 0F02000A:13C4 00000000:0000 07 …`, in the state that is wanted.
fn bound(line: &str, state: Option<&str>) -> Option<SocketAddr> {
    let mut words = line.split_whitespace();
    let local = words.nth(1)?;
    let found = words.nth(1)?;
    if state.is_some_and(|state| state != found) {
        return None;
    }
    let (address, port) = local.split_once(':')?;
    if !matches!(address.len(), 8 | 32) {
        return None;
    }
    let port = u16::from_str_radix(port, 16).ok()?;
    // Words of four octets, each as a number of this machine.
    let octets: Vec<u8> = address
        .as_bytes()
        .chunks(8)
        .filter_map(|word| u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok())
        .flat_map(u32::to_ne_bytes)
        .collect();
    let address = match octets.first_chunk::<16>() {
        Some(octets) => IpAddr::V6(Ipv6Addr::from(*octets)),
        None => IpAddr::V4(Ipv4Addr::from(*octets.first_chunk::<4>()?)),
    };
    Some(SocketAddr::new(address, port))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use super::*;

    #[test]
    fn what_listens_is_found_and_what_ended_is_missing() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let (Ok(datagrams), Ok(connections)) =
                (UdpSocket::bind(address), TcpListener::bind(address))
            else {
                // A machine may have no IPv6.
                continue;
            };
            let places = [
                Place {
                    kind: Kind::Datagrams,
                    address: datagrams.local_addr().expect("bound"),
                },
                Place {
                    kind: Kind::Connections,
                    address: connections.local_addr().expect("bound"),
                },
            ];
            let proc = Path::new("/proc/self");
            assert!(missing(proc, &places).is_empty());
            drop((datagrams, connections));
            assert_eq!(missing(proc, &places), places);
        }
    }

    #[test]
    fn lines_that_are_no_sockets_are_passed_over() {
        for line in [
            "",
            "  sl  local_address rem_address   st",
            "0: XX:YY 0:0 07",
            "0: 00:13C4 0:0 07",
        ] {
            assert_eq!(bound(line, None), None, "{line}");
        }
    }
}
