//! Changes to links, addresses and routes, told to the kernel over rtnetlink (RFC 3549).
//!
//! Each change is confirmed before the next; one that stands already is no error.
//!
//! Not here: asking (`board` asks, for media); what the changes are to be (`network`).

use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

// linux/netlink.h, linux/rtnetlink.h, linux/if_addr.h, linux/if_link.h
const HEADER: usize = 16;
const REQUEST: u16 = 0x1;
const CONFIRM: u16 = 0x4;
const REPLACE: u16 = 0x100;
const CREATE: u16 = 0x400;
const ERROR: u16 = 2;
const NEW_LINK: u16 = 16;
const NEW_ADDRESS: u16 = 20;
const DELETE_ADDRESS: u16 = 21;
const NEW_ROUTE: u16 = 24;
const UP: u32 = 1;
const ADDRESS: u16 = 1;
const LOCAL: u16 = 2;
const BROADCAST: u16 = 4;
const OUT: u16 = 4;
const GATEWAY: u16 = 5;
const LINK: u16 = 5;
const NAME: u16 = 3;
const INFO: u16 = 18;
const INFO_KIND: u16 = 1;
const INFO_DATA: u16 = 2;
const VLAN_ID: u16 = 1;
/// The main table; told by hand; good everywhere; to one host or network.
const ROUTE: [u8; 4] = [254, 4, 0, 1];

/// A conversation with the kernel.
#[derive(Debug)]
pub struct Netlink {
    socket: OwnedFd,
    sequence: u32,
}

impl Netlink {
    /// Begins one.
    ///
    /// # Errors
    /// Where the kernel has none.
    pub fn open() -> io::Result<Self> {
        let socket = rustix::net::socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            None,
        )?;
        rustix::net::bind(&socket, &SocketAddrNetlink::new(0, 0))?;
        Ok(Self {
            socket,
            sequence: 0,
        })
    }

    /// Has a link carry packets.
    ///
    /// # Errors
    /// Where there is no such link, or its driver refuses.
    pub fn up(&mut self, index: u32) -> io::Result<()> {
        let mut body = [0; 16];
        body[4..8].copy_from_slice(&index.to_ne_bytes());
        body[8..12].copy_from_slice(&UP.to_ne_bytes());
        body[12..16].copy_from_slice(&UP.to_ne_bytes());
        self.ask(NEW_LINK, 0, &body, &[])
    }

    /// Makes a virtual network with this tag on a link.
    ///
    /// # Errors
    /// Where the kernel cannot.
    pub fn add_vlan(&mut self, under: u32, name: &str, tag: u16) -> io::Result<()> {
        let mut data = Vec::new();
        attribute(&mut data, VLAN_ID, &tag.to_ne_bytes());
        let mut info = Vec::new();
        attribute(&mut info, INFO_KIND, b"vlan\0");
        attribute(&mut info, INFO_DATA, &data);
        let mut attributes = Vec::new();
        attribute(&mut attributes, LINK, &under.to_ne_bytes());
        attribute(&mut attributes, NAME, &[name.as_bytes(), b"\0"].concat());
        attribute(&mut attributes, INFO, &info);
        self.ask(NEW_LINK, CREATE, &[0; 16], &attributes)
    }

    /// Gives a link an address.
    ///
    /// # Errors
    /// Where it cannot have it.
    pub fn add_address(&mut self, index: u32, address: IpAddr, prefix: u8) -> io::Result<()> {
        let (body, attributes) = address_message(index, address, prefix);
        self.ask(NEW_ADDRESS, CREATE | REPLACE, &body, &attributes)
    }

    /// Takes an address from a link.
    ///
    /// # Errors
    /// Where it has none such.
    pub fn remove_address(&mut self, index: u32, address: IpAddr, prefix: u8) -> io::Result<()> {
        let (body, attributes) = address_message(index, address, prefix);
        self.ask(DELETE_ADDRESS, 0, &body, &attributes)
    }

    /// Sends what has no nearer way to a gateway.
    ///
    /// # Errors
    /// Where the gateway is on no network of the link.
    pub fn add_default_route(&mut self, index: u32, gateway: IpAddr) -> io::Result<()> {
        let mut body = [0; 12];
        body[0] = family(gateway);
        body[4..8].copy_from_slice(&ROUTE);
        let mut attributes = Vec::new();
        attribute(&mut attributes, GATEWAY, &octets(gateway));
        attribute(&mut attributes, OUT, &index.to_ne_bytes());
        self.ask(NEW_ROUTE, CREATE | REPLACE, &body, &attributes)
    }

    fn ask(&mut self, kind: u16, flags: u16, body: &[u8], attributes: &[u8]) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let length = (HEADER + body.len() + attributes.len()) as u32;
        let mut message = Vec::with_capacity(length as usize);
        message.extend(length.to_ne_bytes());
        message.extend(kind.to_ne_bytes());
        message.extend((REQUEST | CONFIRM | flags).to_ne_bytes());
        message.extend(self.sequence.to_ne_bytes());
        message.extend([0; 4]);
        message.extend(body);
        message.extend(attributes);
        rustix::net::send(&self.socket, &message, SendFlags::empty())?;
        let mut answer = [0; 4_096];
        // The kernel has answered before `send` came back.
        let (count, _) = rustix::net::recv(&self.socket, &mut answer[..], RecvFlags::DONTWAIT)?;
        confirmed(&answer[..count])
    }
}

fn confirmed(answer: &[u8]) -> io::Result<()> {
    let kind = answer.get(4..6).map(|kind| [kind[0], kind[1]]);
    let code = answer.get(HEADER..).and_then(|body| body.first_chunk());
    match (kind.map(u16::from_ne_bytes), code) {
        (Some(ERROR), Some(code)) => match i32::from_ne_bytes(*code) {
            0 => Ok(()),
            code => match Errno::from_raw_os_error(-code) {
                Errno::EXIST => Ok(()),
                errno => Err(errno.into()),
            },
        },
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

fn address_message(index: u32, address: IpAddr, prefix: u8) -> ([u8; 8], Vec<u8>) {
    let mut body = [0; 8];
    body[0] = family(address);
    body[1] = prefix;
    body[4..8].copy_from_slice(&index.to_ne_bytes());
    let mut attributes = Vec::new();
    attribute(&mut attributes, LOCAL, &octets(address));
    attribute(&mut attributes, ADDRESS, &octets(address));
    if let IpAddr::V4(address) = address
        && prefix < 31
    {
        let broadcast = address.to_bits() | u32::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
        attribute(&mut attributes, BROADCAST, &broadcast.to_be_bytes());
    }
    (body, attributes)
}

const fn family(address: IpAddr) -> u8 {
    // AF_INET, AF_INET6
    if address.is_ipv4() { 2 } else { 10 }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_to_no_link_is_refused_by_the_kernel_itself() {
        let mut netlink = Netlink::open().expect("netlink needs no rights");
        let nowhere = 0x7fff_0000;
        assert!(netlink.up(nowhere).is_err());
        let address = "192.0.2.1".parse().expect("an address");
        assert!(netlink.add_address(nowhere, address, 24).is_err());
        assert!(netlink.remove_address(nowhere, address, 24).is_err());
        assert!(netlink.add_default_route(nowhere, address).is_err());
        assert!(netlink.add_vlan(nowhere, "wan.7", 7).is_err());
    }

    #[test]
    fn what_stands_already_is_no_error_and_nonsense_is_one() {
        let answer = |code: i32| {
            let mut answer = vec![0; 36];
            answer[4] = 2;
            answer[16..20].copy_from_slice(&code.to_ne_bytes());
            answer
        };
        assert!(confirmed(&answer(0)).is_ok());
        assert!(confirmed(&answer(-17)).is_ok());
        assert!(confirmed(&answer(-19)).is_err());
        assert!(confirmed(&answer(0)[..18]).is_err());
        assert!(confirmed(&[]).is_err());
    }

    #[test]
    fn an_address_comes_with_its_broadcast() {
        let address = "192.0.2.77".parse().expect("an address");
        let (body, attributes) = address_message(3, address, 24);
        assert_eq!((body[0], body[1]), (2, 24));
        assert!(
            attributes
                .windows(4)
                .any(|octets| octets == [192, 0, 2, 255])
        );
        let (_, attributes) = address_message(3, address, 31);
        assert!(
            !attributes
                .windows(4)
                .any(|octets| octets == [192, 0, 2, 255])
        );
    }
}
