//! Looks at every IP packet of a network namespace, without any of the firmware's code.
//!
//! Not here: what should be seen.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, eth, recv, socket_with};

/// A UDP packet that was seen. The rest is not of interest here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) from: (IpAddr, u16),
    pub(crate) to: IpAddr,
    pub(crate) protocol: u8,
    /// The traffic class, whose upper six bits are the DSCP (RFC 2474 §3).
    pub(crate) class: u8,
}

/// Sees what comes and goes in the namespace in which it was made.
pub(crate) struct Sniffer(OwnedFd);

impl Sniffer {
    /// None where that is not allowed.
    pub(crate) fn new() -> Option<Self> {
        // Without the link's own header, whatever the link is.
        let kind = SocketType::DGRAM;
        let socket = socket_with(
            AddressFamily::PACKET,
            kind,
            SocketFlags::CLOEXEC,
            Some(eth::ALL),
        );
        socket.ok().map(Self)
    }

    /// What was seen since last asked.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        let mut buffer = [0; 2_048];
        let mut all = Vec::new();
        loop {
            match recv(&self.0, &mut buffer[..], RecvFlags::DONTWAIT) {
                Ok((length, _)) => all.extend(read(&buffer[..length])),
                Err(Errno::AGAIN) => return all,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

fn read(packet: &[u8]) -> Option<Seen> {
    let port = |at: usize| {
        let pair = packet.get(at..at + 2)?;
        Some(u16::from_be_bytes([pair[0], pair[1]]))
    };
    match packet.first()? >> 4 {
        4 => {
            let address = |at: usize| {
                let octets: [u8; 4] = packet.get(at..at + 4)?.try_into().ok()?;
                Some(IpAddr::V4(Ipv4Addr::from(octets)))
            };
            Some(Seen {
                class: *packet.get(1)?,
                protocol: *packet.get(9)?,
                from: (address(12)?, port(4 * usize::from(packet[0] & 0x0f))?),
                to: address(16)?,
            })
        }
        6 => {
            let address = |at: usize| {
                let octets: [u8; 16] = packet.get(at..at + 16)?.try_into().ok()?;
                Some(IpAddr::V6(Ipv6Addr::from(octets)))
            };
            Some(Seen {
                class: packet[0] << 4 | packet.get(1)? >> 4,
                protocol: *packet.get(6)?,
                from: (address(8)?, port(40)?),
                to: address(24)?,
            })
        }
        _ => None,
    }
}
