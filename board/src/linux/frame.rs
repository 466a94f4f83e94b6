//! UDP datagrams in Ethernet frames: read, and written.
//!
//! ```text
//!  0          12   14 (18 with a tag)      34 / 54        42 / 62
//!  | to | from | type | IPv4 20 / IPv6 40  | UDP 8        | payload
//! ```
//!
//! Only what the program steers to us is read: no options, no extension headers, no fragments. Everything else is nothing.
//! What is written never fragments: it says so in its header, and a datagram that does not fit is for the kernel.
//!
//! Not here: whose a datagram is, where it goes (`ports.rs`, `hops.rs`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use hal::Dscp;

/// The address of an interface in its network.
pub(super) type Mac = [u8; 6];

/// The tag of a virtual network, 1 to 4094 (IEEE 802.1Q).
pub(super) type Vlan = u16;

const ETHERNET: usize = 14;
const TAG: usize = 4;
const V4: usize = 20;
const V6: usize = 40;
const UDP: usize = 8;

/// The longest headers.
const HEADERS: usize = ETHERNET + TAG + V6 + UDP;

const TYPE_TAG: [u8; 2] = [0x81, 0x00];
const TYPE_SERVICE_TAG: [u8; 2] = [0x88, 0xa8];
const TYPE_V4: [u8; 2] = [0x08, 0x00];
const TYPE_V6: [u8; 2] = [0x86, 0xdd];
const PROTOCOL_UDP: u8 = 17;
const HOP_LIMIT: u8 = 64;

/// A datagram that a frame holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Datagram<'f> {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) payload: &'f [u8],
}

/// The datagram in a frame, if it is one, whole and as it was sent.
pub(super) fn read(frame: &[u8]) -> Option<Datagram<'_>> {
    let kind: [u8; 2] = frame.get(12..14)?.try_into().ok()?;
    match kind {
        TYPE_TAG | TYPE_SERVICE_TAG => {
            let kind: [u8; 2] = frame.get(16..18)?.try_into().ok()?;
            read_packet(kind, &frame[ETHERNET + TAG..])
        }
        kind => read_packet(kind, &frame[ETHERNET..]),
    }
}

fn read_packet(kind: [u8; 2], packet: &[u8]) -> Option<Datagram<'_>> {
    match kind {
        TYPE_V4 => {
            let header: &[u8; V4] = packet.first_chunk()?;
            let is_plain = header[0] == 0x45
                && header[9] == PROTOCOL_UDP
                && u16::from_be_bytes([header[6], header[7]]) & 0x3fff == 0;
            if !is_plain || fold(sum(header)) != 0xffff {
                return None;
            }
            // Behind a short packet Ethernet has padding.
            let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
            let addresses = &packet[12..V4];
            let from = Ipv4Addr::from(*addresses.first_chunk()?);
            let to = Ipv4Addr::from(*addresses.last_chunk()?);
            read_udp(from.into(), to.into(), addresses, packet.get(V4..length)?)
        }
        TYPE_V6 => {
            let header: &[u8; V6] = packet.first_chunk()?;
            if header[0] >> 4 != 6 || header[6] != PROTOCOL_UDP {
                return None;
            }
            let length = V6 + usize::from(u16::from_be_bytes([header[4], header[5]]));
            let addresses = &packet[8..V6];
            let from = Ipv6Addr::from(*addresses.first_chunk()?);
            let to = Ipv6Addr::from(*addresses.last_chunk()?);
            read_udp(from.into(), to.into(), addresses, packet.get(V6..length)?)
        }
        _ => None,
    }
}

fn read_udp<'f>(
    from: IpAddr,
    to: IpAddr,
    addresses: &[u8],
    segment: &'f [u8],
) -> Option<Datagram<'f>> {
    let header: &[u8; UDP] = segment.first_chunk()?;
    let port = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    let length = usize::from(port(4));
    let segment = segment.get(..length).filter(|_| length >= UDP)?;
    let checksum = port(6);
    let pseudo = sum(addresses) + u64::from(PROTOCOL_UDP) + length as u64;
    let is_intact = match (checksum, from) {
        // RFC 768: not computed. RFC 8200 §8.1 forbids that for IPv6.
        (0, IpAddr::V4(_)) => true,
        (0, IpAddr::V6(_)) => false,
        _ => {
            fold(pseudo + sum(segment)) == 0xffff
                // A packet that never left this machine carries the sum of its pseudo-header, for a card to complete.
                || checksum == fold(pseudo)
        }
    };
    is_intact.then(|| Datagram {
        from: SocketAddr::new(from, port(0)),
        to: SocketAddr::new(to, port(2)),
        payload: &segment[UDP..],
    })
}

/// Who a frame goes to next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hop {
    pub(super) to: Mac,
    pub(super) from: Mac,
    pub(super) vlan: Option<Vlan>,
}

/// Everything before the payload, from one port to one remote; lengths and checksums are added for each packet.
#[derive(Debug, Clone)]
pub(super) struct Headers {
    octets: [u8; HEADERS],
    /// Where IP begins, where UDP begins.
    ip: usize,
    udp: usize,
    /// Of the IPv4 header without its length.
    ip_sum: u64,
    /// Of addresses, protocol and ports.
    udp_sum: u64,
}

impl Headers {
    /// None for two families, or a port that cannot be.
    pub(super) fn new(hop: &Hop, from: SocketAddr, to: SocketAddr, dscp: Dscp) -> Option<Self> {
        if to.port() == 0 {
            return None;
        }
        let mut octets = [0; HEADERS];
        octets[..6].copy_from_slice(&hop.to);
        octets[6..12].copy_from_slice(&hop.from);
        let ip = match hop.vlan {
            Some(vlan) => {
                octets[12..14].copy_from_slice(&TYPE_TAG);
                // Priority code point: the class of the traffic, as the first three bits of the code point have it.
                let priority = u16::from(dscp.traffic_class() >> 5);
                octets[14..16].copy_from_slice(&(priority << 13 | vlan & 0x0fff).to_be_bytes());
                ETHERNET + TAG
            }
            None => ETHERNET,
        };
        let kind = ip - 2..ip;
        let header = &mut octets[ip..];
        let length = match (from.ip(), to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                header[0] = 0x45;
                header[1] = dscp.traffic_class();
                // Do not fragment; the identification of what never fragments means nothing (RFC 6864 §4.1).
                header[6] = 0x40;
                (header[8], header[9]) = (HOP_LIMIT, PROTOCOL_UDP);
                header[12..16].copy_from_slice(&from.octets());
                header[16..20].copy_from_slice(&to.octets());
                octets[kind].copy_from_slice(&TYPE_V4);
                V4
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                let class = dscp.traffic_class();
                (header[0], header[1]) = (0x60 | class >> 4, class << 4);
                (header[6], header[7]) = (PROTOCOL_UDP, HOP_LIMIT);
                header[8..24].copy_from_slice(&from.octets());
                header[24..40].copy_from_slice(&to.octets());
                octets[kind].copy_from_slice(&TYPE_V6);
                V6
            }
            _ => return None,
        };
        let udp = ip + length;
        octets[udp..udp + 2].copy_from_slice(&from.port().to_be_bytes());
        octets[udp + 2..udp + 4].copy_from_slice(&to.port().to_be_bytes());
        let addresses = if length == V4 { 12..V4 } else { 8..V6 };
        let addresses = ip + addresses.start..ip + addresses.end;
        Some(Self {
            ip_sum: sum(&octets[ip..udp]),
            udp_sum: sum(&octets[addresses]) + u64::from(PROTOCOL_UDP) + sum(&octets[udp..udp + 4]),
            octets,
            ip,
            udp,
        })
    }

    /// Octets from the beginning of IP to the end of a payload so long.
    pub(super) fn packet_length(&self, payload: usize) -> usize {
        self.udp - self.ip + UDP + payload
    }

    /// Writes headers and payload and says how long the frame is; None when it does not fit.
    #[inline]
    pub(super) fn write(&self, payload: &[u8], frame: &mut [u8]) -> Option<usize> {
        let start = self.udp + UDP;
        let length = start + payload.len();
        let frame = frame.get_mut(..length)?;
        frame[..start].copy_from_slice(&self.octets[..start]);
        frame[start..].copy_from_slice(payload);
        let packet = u16::try_from(length - self.ip).ok()?;
        let segment = u16::try_from(length - self.udp).ok()?;
        if self.udp - self.ip == V4 {
            put(frame, self.ip + 2, packet);
            put(frame, self.ip + 10, !fold(self.ip_sum + u64::from(packet)));
        } else {
            put(frame, self.ip + 4, segment);
        }
        put(frame, self.udp + 4, segment);
        // Once in the pseudo-header, once in the header.
        let checksum = !fold(self.udp_sum + 2 * u64::from(segment) + sum(payload));
        // RFC 768: zero says "none", so a sum of zero is sent as its other form.
        put(
            frame,
            self.udp + 6,
            if checksum == 0 { 0xffff } else { checksum },
        );
        Some(length)
    }
}

fn put(frame: &mut [u8], at: usize, value: u16) {
    frame[at..at + 2].copy_from_slice(&value.to_be_bytes());
}

/// The sum of octets as 16-bit numbers of the network (RFC 1071), not yet folded.
#[inline]
fn sum(octets: &[u8]) -> u64 {
    // Four octets at a time: 2^16 = 1 where sums are folded, so it does not matter which half a number stands in.
    let (words, rest) = octets.as_chunks::<4>();
    let mut total: u64 = words
        .iter()
        .map(|word| u64::from(u32::from_be_bytes(*word)))
        .sum();
    let mut last = [0; 4];
    last[..rest.len()].copy_from_slice(rest);
    total += u64::from(u32::from_be_bytes(last));
    total
}

/// A sum as one 16-bit number.
#[inline]
fn fold(mut sum: u64) -> u16 {
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

#[cfg(test)]
mod tests;
