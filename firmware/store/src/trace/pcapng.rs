//! A call as a capture that any analyser opens (pcapng): each message a datagram, decrypted, with a word on what it truly went over.
//!
//! Raw IP packets (LINKTYPE_RAW) with UDP headers of our making. Ports and addresses are those on the wire; where our own is not known it is
//! the unspecified one, port 5060.
//!
//! Not here: which messages, and whether with their secrets (the caller's choice).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::item::{Item, Message, Transport, Way, What};

const SECTION: u32 = 0x0a0d_0d0a;
const BYTE_ORDER: u32 = 0x1a2b_3c4d;
const INTERFACE: u32 = 1;
const PACKET: u32 = 6;
const RAW_IP: u32 = 101;
const COMMENT: u16 = 1;
/// What fits in a datagram over either version of IP.
const LARGEST: usize = 65_000;

/// The messages among `items` as a file.
#[must_use]
pub fn pcapng(items: &[Item]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut section = BYTE_ORDER.to_le_bytes().to_vec();
    // Version 1.0; the section's length is not told.
    section.extend([1, 0, 0, 0]);
    section.extend(u64::MAX.to_le_bytes());
    block(&mut file, SECTION, &section);
    let mut interface = RAW_IP.to_le_bytes().to_vec();
    interface.extend(0_u32.to_le_bytes());
    block(&mut file, INTERFACE, &interface);
    for item in items {
        let What::Message { leg, message } = &item.what else {
            continue;
        };
        let packet = datagram(message);
        let length = (packet.len() as u32).to_le_bytes();
        let mut body = 0_u32.to_le_bytes().to_vec();
        body.extend(((item.at.0 >> 32) as u32).to_le_bytes());
        body.extend((item.at.0 as u32).to_le_bytes());
        body.extend(length);
        body.extend(length);
        body.extend(&packet);
        pad(&mut body);
        let transport = match message.transport {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
            Transport::Tls => "TLS",
        };
        option(&mut body, COMMENT, &format!("leg {}, {transport}", leg.0));
        body.extend(0_u32.to_le_bytes());
        block(&mut file, PACKET, &body);
    }
    file
}

fn block(file: &mut Vec<u8>, kind: u32, body: &[u8]) {
    let length = (body.len() as u32 + 12).to_le_bytes();
    file.extend(kind.to_le_bytes());
    file.extend(length);
    file.extend(body);
    file.extend(length);
}

fn option(body: &mut Vec<u8>, code: u16, text: &str) {
    body.extend(code.to_le_bytes());
    body.extend((text.len() as u16).to_le_bytes());
    body.extend(text.as_bytes());
    pad(body);
}

fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}

/// A message as an IP packet.
fn datagram(message: &Message) -> Vec<u8> {
    let remote = message.remote;
    let local = message
        .local
        .filter(|local| local.is_ipv4() == remote.is_ipv4())
        .unwrap_or_else(|| match remote {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 5060).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 5060).into(),
        });
    let (from, to) = match message.way {
        Way::Received => (remote, local),
        Way::Sent => (local, remote),
    };
    let payload = &message.bytes[..message.bytes.len().min(LARGEST)];
    let length = 8 + payload.len() as u16;
    let mut udp = from.port().to_be_bytes().to_vec();
    udp.extend(to.port().to_be_bytes());
    udp.extend(length.to_be_bytes());
    udp.extend([0, 0]);
    udp.extend(payload);
    let mut packet = Vec::with_capacity(40 + udp.len());
    match (from.ip(), to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            packet.extend([0x45, 0]);
            packet.extend((20 + length).to_be_bytes());
            packet.extend([0, 0, 0x40, 0, 64, 17, 0, 0]);
            packet.extend(from.octets());
            packet.extend(to.octets());
            let check = checksum(&packet, 0);
            packet[10..12].copy_from_slice(&check.to_be_bytes());
        }
        (from, to) => {
            let wide = |address| match address {
                IpAddr::V4(address) => Ipv4Addr::to_ipv6_mapped(&address),
                IpAddr::V6(address) => address,
            };
            packet.extend([0x60, 0, 0, 0]);
            packet.extend(length.to_be_bytes());
            packet.extend([17, 64]);
            packet.extend(wide(from).octets());
            packet.extend(wide(to).octets());
            // RFC 8200 §8.1: over IPv6 the checksum is not optional.
            let pseudo = sum(&packet[8..40]) + u32::from(length) + 17;
            let check = match checksum(&udp, pseudo) {
                0 => 0xffff,
                check => check,
            };
            udp[6..8].copy_from_slice(&check.to_be_bytes());
        }
    }
    packet.extend(udp);
    packet
}

fn sum(octets: &[u8]) -> u32 {
    octets
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)))
        .sum()
}

/// RFC 1071.
fn checksum(octets: &[u8], begun: u32) -> u16 {
    let mut total = sum(octets) + begun;
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    !(total as u16)
}
