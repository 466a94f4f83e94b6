//! What the kernel knows of links, routes and neighbours, asked over rtnetlink (RFC 3549).
//!
//! A question has one answer, which lies ready when the question has been sent. [`Changes`] says that some earlier answer may be
//! wrong now.
//!
//! Not here: changing anything; remembering answers (`hops.rs`).

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

use super::frame::{Mac, Vlan};

/// Octets of an answer about one thing.
const ANSWER: usize = 8_192;

/// Answers to read before giving up on the one that was asked for.
const STRAY: usize = 16;

// linux/netlink.h, linux/rtnetlink.h
const HEADER: usize = 16;
const REQUEST: u16 = 1;
const CREATE: u16 = 0x400;
const ERROR: u16 = 2;
const NEW_LINK: u16 = 16;
const GET_LINK: u16 = 18;
const NEW_ROUTE: u16 = 24;
const GET_ROUTE: u16 = 26;
const NEW_NEIGHBOUR: u16 = 28;
const GET_NEIGHBOUR: u16 = 30;

/// Links, neighbours, routes of both families (`RTMGRP_…`).
const GROUPS: u32 = 0x1 | 0x4 | 0x40 | 0x400;

/// Reachable, stale, delay, probe, no need, permanent (`NUD_…`): states in which the address of a neighbour is known.
const NUD_VALID: u16 = 0x02 | 0x04 | 0x08 | 0x10 | 0x40 | 0x80;

/// An interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) index: u32,
    pub(super) mac: Mac,
    pub(super) mtu: usize,
    /// Queues it may have; it may use fewer.
    pub(super) queues: u32,
    /// The interface under it and its tag, for a virtual network.
    pub(super) tagged: Option<(u32, Vlan)>,
}

/// Where a packet goes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) interface: u32,
    pub(super) gateway: Option<IpAddr>,
}

/// A conversation with the kernel.
#[derive(Debug)]
pub(super) struct Netlink {
    socket: OwnedFd,
    sequence: u32,
}

impl Netlink {
    pub(super) fn open() -> io::Result<Self> {
        Ok(Self {
            socket: socket(0)?,
            sequence: 0,
        })
    }

    /// The interface of this name. None where there is none.
    pub(super) fn link_named(&mut self, name: &str) -> io::Result<Option<Link>> {
        let mut attributes = Vec::new();
        let mut text = name.as_bytes().to_vec();
        text.push(0);
        attribute(&mut attributes, 3, &text);
        self.ask_link(0, &attributes)
    }

    /// The interface of this number. None where there is none.
    pub(super) fn link(&mut self, index: u32) -> io::Result<Option<Link>> {
        self.ask_link(index, &[])
    }

    fn ask_link(&mut self, index: u32, attributes: &[u8]) -> io::Result<Option<Link>> {
        let mut body = [0; 16];
        body[4..8].copy_from_slice(&index.to_ne_bytes());
        let answer = self.ask(GET_LINK, NEW_LINK, &body, attributes)?;
        Ok(answer.as_deref().and_then(read_link))
    }

    /// The way to an address, for packets from an address of the kernel's if one is given. None where there is none, or it
    /// leads nowhere outside.
    pub(super) fn route(&mut self, from: Option<IpAddr>, to: IpAddr) -> io::Result<Option<Route>> {
        let mut body = [0; 12];
        body[0] = family(to);
        body[1] = bits(to);
        let mut attributes = Vec::new();
        attribute(&mut attributes, 1, &octets(to));
        if let Some(from) = from {
            body[2] = bits(from);
            attribute(&mut attributes, 2, &octets(from));
        }
        let answer = self.ask(GET_ROUTE, NEW_ROUTE, &body, &attributes)?;
        Ok(answer.as_deref().and_then(read_route))
    }

    /// The address of a neighbour, as far as the kernel knows it.
    pub(super) fn neighbour(&mut self, interface: u32, address: IpAddr) -> io::Result<Option<Mac>> {
        let mut body = [0; 12];
        body[0] = family(address);
        body[4..8].copy_from_slice(&interface.to_ne_bytes());
        let mut attributes = Vec::new();
        attribute(&mut attributes, 1, &octets(address));
        let answer = self.ask(GET_NEIGHBOUR, NEW_NEIGHBOUR, &body, &attributes)?;
        Ok(answer.as_deref().and_then(read_neighbour))
    }

    /// Has the kernel find out who a neighbour is, or whether it is still there. It does so while we go on.
    pub(super) fn look_after(&mut self, interface: u32, address: IpAddr) -> io::Result<()> {
        let mut body = [0; 12];
        body[0] = family(address);
        body[4..8].copy_from_slice(&interface.to_ne_bytes());
        // NTF_USE
        body[10] = 1;
        let mut attributes = Vec::new();
        attribute(&mut attributes, 1, &octets(address));
        self.tell(NEW_NEIGHBOUR, CREATE, &body, &attributes)
    }

    fn tell(&mut self, kind: u16, flags: u16, body: &[u8], attributes: &[u8]) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let length = (HEADER + body.len() + attributes.len()) as u32;
        let mut message = Vec::with_capacity(length as usize);
        message.extend(length.to_ne_bytes());
        message.extend(kind.to_ne_bytes());
        message.extend((REQUEST | flags).to_ne_bytes());
        message.extend(self.sequence.to_ne_bytes());
        message.extend([0; 4]);
        message.extend(body);
        message.extend(attributes);
        rustix::net::send(&self.socket, &message, SendFlags::empty())?;
        Ok(())
    }

    /// The body of the answer. None where the kernel says that there is no such thing.
    fn ask(
        &mut self,
        question: u16,
        expected: u16,
        body: &[u8],
        attributes: &[u8],
    ) -> io::Result<Option<Vec<u8>>> {
        self.tell(question, 0, body, attributes)?;
        let mut buffer = vec![0; ANSWER];
        for _ in 0..STRAY {
            // The kernel has answered before `send` came back, so there is nothing to wait for.
            let (count, _) = rustix::net::recv(&self.socket, &mut buffer[..], RecvFlags::DONTWAIT)?;
            let Some((kind, sequence, body)) = message_of(&buffer[..count]) else {
                continue;
            };
            if sequence != self.sequence {
                continue;
            }
            if kind == expected {
                return Ok(Some(body.to_vec()));
            }
            if kind == ERROR {
                let code = body
                    .first_chunk()
                    .map_or(0, |code| i32::from_ne_bytes(*code));
                return match Errno::from_raw_os_error(-code) {
                    Errno::NOENT | Errno::NODEV | Errno::SRCH => Ok(None),
                    Errno::NETUNREACH | Errno::HOSTUNREACH | Errno::INVAL => Ok(None),
                    errno => Err(errno.into()),
                };
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }
}

/// Hears of changes.
#[derive(Debug)]
pub(super) struct Changes(OwnedFd);

impl Changes {
    pub(super) fn listen() -> io::Result<Self> {
        socket(GROUPS).map(Self)
    }

    /// Whether anything has changed since last asked.
    pub(super) fn any(&mut self) -> bool {
        let mut any = false;
        let mut buffer = [0_u8; 16];
        loop {
            match rustix::net::recv(&self.0, &mut buffer, RecvFlags::DONTWAIT) {
                Ok(_) => any = true,
                // More than the socket could hold: certainly a change.
                Err(Errno::NOBUFS) => any = true,
                Err(_) => return any,
            }
        }
    }
}

impl AsFd for Changes {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn socket(groups: u32) -> io::Result<OwnedFd> {
    let socket = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        None,
    )?;
    rustix::net::bind(&socket, &SocketAddrNetlink::new(0, groups))?;
    Ok(socket)
}

fn family(address: IpAddr) -> u8 {
    // AF_INET, AF_INET6
    if address.is_ipv4() { 2 } else { 10 }
}

fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn attribute(to: &mut Vec<u8>, kind: u16, value: &[u8]) {
    to.extend(((4 + value.len()) as u16).to_ne_bytes());
    to.extend(kind.to_ne_bytes());
    to.extend(value);
    to.resize(to.len().next_multiple_of(4), 0);
}

/// Kind, sequence number and body of a message.
fn message_of(octets: &[u8]) -> Option<(u16, u32, &[u8])> {
    let length = u32::from_ne_bytes(*octets.first_chunk()?) as usize;
    let body = octets.get(HEADER..length)?;
    let kind = u16::from_ne_bytes([octets[4], octets[5]]);
    let sequence = u32::from_ne_bytes([octets[8], octets[9], octets[10], octets[11]]);
    Some((kind, sequence, body))
}

/// The attributes in a run of octets; what is not whole ends them.
fn attributes(mut octets: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    core::iter::from_fn(move || {
        let [length, kind] = [octets.get(..2)?, octets.get(2..4)?]
            .map(|pair| u16::from_ne_bytes([pair[0], pair[1]]));
        let value = octets.get(4..usize::from(length))?;
        octets = octets
            .get(usize::from(length).next_multiple_of(4)..)
            .unwrap_or_default();
        // The two highest bits say how it is encoded.
        Some((kind & 0x3fff, value))
    })
}

fn find(octets: &[u8], wanted: u16) -> Option<&[u8]> {
    attributes(octets)
        .find(|(kind, _)| *kind == wanted)
        .map(|(_, value)| value)
}

fn number(value: &[u8]) -> Option<u32> {
    value
        .first_chunk()
        .map(|octets| u32::from_ne_bytes(*octets))
}

fn address(value: &[u8]) -> Option<IpAddr> {
    match value.len() {
        4 => value.first_chunk::<4>().map(|octets| IpAddr::from(*octets)),
        16 => value
            .first_chunk::<16>()
            .map(|octets| IpAddr::from(*octets)),
        _ => None,
    }
}

fn read_link(body: &[u8]) -> Option<Link> {
    let index = number(body.get(4..8)?)?;
    let facts = body.get(16..)?;
    let tag = || {
        let info = find(facts, 18)?;
        let is_vlan = find(info, 1)?.starts_with(b"vlan");
        let id = find(find(info, 2).filter(|_| is_vlan)?, 1)?.first_chunk()?;
        let under = find(facts, 5).and_then(number)?;
        Some((under, u16::from_ne_bytes(*id)))
    };
    Some(Link {
        index,
        mac: *find(facts, 1)?.first_chunk()?,
        mtu: find(facts, 4).and_then(number)? as usize,
        queues: find(facts, 32).and_then(number).unwrap_or(1),
        tagged: tag(),
    })
}

fn read_route(body: &[u8]) -> Option<Route> {
    // RTN_UNICAST; local, broadcast, unreachable and the like are for the kernel.
    let is_unicast = *body.get(7)? == 1;
    let facts = body.get(12..).filter(|_| is_unicast)?;
    // A gateway of the other family comes with its family before it (RTA_VIA).
    let via = || address(find(facts, 18)?.get(2..)?);
    Some(Route {
        interface: find(facts, 4).and_then(number)?,
        gateway: find(facts, 5).and_then(address).or_else(via),
    })
}

fn read_neighbour(body: &[u8]) -> Option<Mac> {
    let state = u16::from_ne_bytes(*body.get(8..10)?.first_chunk()?);
    let facts = body.get(12..).filter(|_| state & NUD_VALID != 0)?;
    find(facts, 2)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(body: &[u8], facts: &[(u16, &[u8])]) -> Vec<u8> {
        let mut octets = body.to_vec();
        for (kind, value) in facts {
            attribute(&mut octets, *kind, value);
        }
        octets
    }

    #[test]
    fn the_loopback_interface_is_known_and_another_is_not() {
        let mut netlink = Netlink::open().expect("netlink needs no rights");
        let link = netlink.link_named("lo").expect("it is answered");
        let link = link.expect("every machine has one");
        assert_eq!((link.mac, link.tagged), ([0; 6], None));
        assert_eq!(netlink.link(link.index).expect("answered"), Some(link));
        assert_eq!(netlink.link_named("nowhere0").expect("answered"), None);
    }

    #[test]
    fn the_way_to_oneself_leads_nowhere_outside() {
        let mut netlink = Netlink::open().expect("netlink needs no rights");
        let here = "127.0.0.1".parse().expect("an address");
        assert_eq!(netlink.route(Some(here), here).expect("answered"), None);
        assert_eq!(netlink.neighbour(1, here).expect("answered"), None);
    }

    #[test]
    fn a_virtual_network_is_known_by_its_tag() {
        let mut data = Vec::new();
        attribute(&mut data, 1, &100_u16.to_ne_bytes());
        let info = message(&[], &[(1, b"vlan\0"), (2, &data)]);
        let mut body = [0; 16];
        body[4] = 7_u32.to_ne_bytes()[0];
        let link = message(
            &body,
            &[
                (1, &[2, 0, 0, 0, 0, 9]),
                (4, &1_500_u32.to_ne_bytes()),
                (5, &3_u32.to_ne_bytes()),
                (18, &info),
            ],
        );
        let link = read_link(&link).expect("it is whole");
        assert_eq!((link.index, link.mtu, link.queues), (7, 1_500, 1));
        assert_eq!(link.tagged, Some((3, 100)));
    }

    #[test]
    fn a_neighbour_that_failed_is_none() {
        let body = |state: u16| {
            let mut body = [0; 12];
            body[8..10].copy_from_slice(&state.to_ne_bytes());
            message(&body, &[(2, &[2, 0, 0, 0, 0, 9])])
        };
        assert_eq!(read_neighbour(&body(0x02)), Some([2, 0, 0, 0, 0, 9]));
        assert_eq!(read_neighbour(&body(0x20)), None);
        assert_eq!(read_neighbour(&[0; 12]), None);
    }

    #[test]
    fn attributes_that_are_not_whole_end_the_list() {
        let whole = message(&[], &[(1, b"abc"), (2, b"d")]);
        assert_eq!(find(&whole, 2), Some(&b"d"[..]));
        for length in 0..whole.len() {
            assert!(attributes(&whole[..length]).count() <= 2, "and no panic");
        }
        assert_eq!(attributes(&[0, 0, 0, 0]).count(), 0, "no endless list");
    }
}
