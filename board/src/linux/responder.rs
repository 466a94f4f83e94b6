//! Answers for addresses that belong to the media plane alone: who has it (ARP, NDP), is it there (ping).
//!
//! An answer follows from its question and from nothing else, and goes back to where the question came from, no longer than it
//! was: whoever forges a source gains nothing. How many are given in a while is bounded, so a flood of questions costs no audio.
//!
//! Not here: which frames come to us (`program.rs`), who our own neighbours are (`hops.rs`: the kernel knows).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use embassy_time::{Duration, Instant};
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol,
    EthernetRepr, Icmpv4Packet, Icmpv4Repr, Icmpv6Packet, Icmpv6Repr, IpProtocol, Ipv4Packet,
    Ipv4Repr, Ipv6Packet, Ipv6Repr, NdiscNeighborFlags, NdiscRepr,
};

use super::frame::Mac;

/// Answers given in a [`WHILE`].
const MOST: u32 = 100;
const WHILE: Duration = Duration::from_millis(100);

const ETHERNET: usize = 14;
const TAG: usize = 4;
const HOP_LIMIT: u8 = 64;
/// RFC 4861 §7.1.1: what came from further away is no neighbour's.
const NEIGHBOUR_HOPS: u8 = 255;

/// Who answers, and how often it has.
pub(super) struct Responder {
    mac: EthernetAddress,
    addresses: Vec<IpAddr>,
    since: Instant,
    given: u32,
}

impl Responder {
    pub(super) fn new(mac: Mac, addresses: Vec<IpAddr>) -> Self {
        Self {
            mac: EthernetAddress(mac),
            addresses,
            since: Instant::MIN,
            given: 0,
        }
    }

    /// The answer to a frame, if it asks anything of us and there have not been too many.
    pub(super) fn answer(&mut self, frame: &[u8], now: Instant) -> Option<Vec<u8>> {
        if now.saturating_duration_since(self.since) >= WHILE {
            (self.since, self.given) = (now, 0);
        }
        if self.given >= MOST {
            return None;
        }
        let answer = match frame.get(12..14)? {
            // With a tag: the question is answered without, and the answer has the same.
            [0x81, 0x00] | [0x88, 0xa8] => {
                let tag = frame.get(12..12 + TAG)?;
                let mut plain = frame.to_vec();
                plain.drain(12..12 + TAG);
                let mut answer = self.answer_plain(&plain)?;
                answer.splice(12..12, tag.iter().copied());
                answer
            }
            _ => self.answer_plain(frame)?,
        };
        self.given += 1;
        Some(answer)
    }

    fn answer_plain(&self, frame: &[u8]) -> Option<Vec<u8>> {
        let frame = EthernetFrame::new_checked(frame).ok()?;
        match frame.ethertype() {
            EthernetProtocol::Arp => self.arp(frame.payload()),
            EthernetProtocol::Ipv4 => self.ping_v4(frame.src_addr(), frame.payload()),
            EthernetProtocol::Ipv6 => self.ipv6(frame.src_addr(), frame.payload()),
            EthernetProtocol::Unknown(_) => None,
        }
    }

    fn owns(&self, address: impl Into<IpAddr>) -> bool {
        self.addresses.contains(&address.into())
    }

    /// RFC 826.
    fn arp(&self, packet: &[u8]) -> Option<Vec<u8>> {
        let packet = ArpPacket::new_checked(packet).ok()?;
        let ArpRepr::EthernetIpv4 {
            operation: ArpOperation::Request,
            source_hardware_addr: asker,
            source_protocol_addr: asker_address,
            target_protocol_addr: wanted,
            ..
        } = ArpRepr::parse(&packet).ok()?
        else {
            return None;
        };
        if !self.owns(wanted) || !asker.is_unicast() {
            return None;
        }
        let reply = ArpRepr::EthernetIpv4 {
            operation: ArpOperation::Reply,
            source_hardware_addr: self.mac,
            source_protocol_addr: wanted,
            target_hardware_addr: asker,
            target_protocol_addr: asker_address,
        };
        let (mut octets, at) = self.frame(asker, EthernetProtocol::Arp, reply.buffer_len());
        reply.emit(&mut ArpPacket::new_unchecked(&mut octets[at..]));
        Some(octets)
    }

    /// RFC 792: an echo has what its request had.
    fn ping_v4(&self, asker: EthernetAddress, packet: &[u8]) -> Option<Vec<u8>> {
        let checksums = ChecksumCapabilities::default();
        let packet = Ipv4Packet::new_checked(packet).ok()?;
        let header = Ipv4Repr::parse(&packet, &checksums).ok()?;
        let is_whole = !packet.more_frags() && packet.frag_offset() == 0;
        let is_ours = self.owns(header.dst_addr) && header.next_header == IpProtocol::Icmp;
        if !is_whole || !is_ours || !is_somebody_v4(header.src_addr) {
            return None;
        }
        let message = Icmpv4Packet::new_checked(packet.payload()).ok()?;
        let Icmpv4Repr::EchoRequest {
            ident,
            seq_no,
            data,
        } = Icmpv4Repr::parse(&message, &checksums).ok()?
        else {
            return None;
        };
        let reply = Icmpv4Repr::EchoReply {
            ident,
            seq_no,
            data,
        };
        let header = Ipv4Repr {
            src_addr: header.dst_addr,
            dst_addr: header.src_addr,
            next_header: IpProtocol::Icmp,
            payload_len: reply.buffer_len(),
            hop_limit: HOP_LIMIT,
        };
        let length = header.buffer_len() + reply.buffer_len();
        let (mut octets, at) = self.frame(asker, EthernetProtocol::Ipv4, length);
        let mut packet = Ipv4Packet::new_unchecked(&mut octets[at..]);
        header.emit(&mut packet, &checksums);
        let mut message = Icmpv4Packet::new_unchecked(packet.payload_mut());
        reply.emit(&mut message, &checksums);
        Some(octets)
    }

    /// RFC 4443, RFC 4861.
    fn ipv6(&self, asker: EthernetAddress, packet: &[u8]) -> Option<Vec<u8>> {
        let checksums = ChecksumCapabilities::default();
        let packet = Ipv6Packet::new_checked(packet).ok()?;
        let header = Ipv6Repr::parse(&packet).ok()?;
        let (from, to) = (header.src_addr, header.dst_addr);
        if header.next_header != IpProtocol::Icmpv6 || from.is_multicast() {
            return None;
        }
        let message = Icmpv6Packet::new_checked(packet.payload()).ok()?;
        match Icmpv6Repr::parse(&from, &to, &message, &checksums).ok()? {
            Icmpv6Repr::EchoRequest {
                ident,
                seq_no,
                data,
            } if self.owns(to) && !from.is_unspecified() => {
                let reply = Icmpv6Repr::EchoReply {
                    ident,
                    seq_no,
                    data,
                };
                Some(self.icmpv6(asker, to, from, HOP_LIMIT, &reply))
            }
            Icmpv6Repr::Ndisc(NdiscRepr::NeighborSolicit { target_addr, .. })
                if self.owns(target_addr) && header.hop_limit == NEIGHBOUR_HOPS =>
            {
                let mut flags = NdiscNeighborFlags::OVERRIDE;
                // RFC 4861 §7.2.4: who has no address yet wants to know whether ours is free; all are told that it is not.
                let to = if from.is_unspecified() {
                    ALL_NODES
                } else {
                    flags |= NdiscNeighborFlags::SOLICITED;
                    from
                };
                let reply = Icmpv6Repr::Ndisc(NdiscRepr::NeighborAdvert {
                    flags,
                    target_addr,
                    lladdr: Some(self.mac.into()),
                });
                Some(self.icmpv6(asker, target_addr, to, NEIGHBOUR_HOPS, &reply))
            }
            _ => None,
        }
    }

    fn icmpv6(
        &self,
        asker: EthernetAddress,
        from: Ipv6Addr,
        to: Ipv6Addr,
        hop_limit: u8,
        reply: &Icmpv6Repr<'_>,
    ) -> Vec<u8> {
        let header = Ipv6Repr {
            src_addr: from,
            dst_addr: to,
            next_header: IpProtocol::Icmpv6,
            payload_len: reply.buffer_len(),
            hop_limit,
        };
        let length = header.buffer_len() + reply.buffer_len();
        let (mut octets, at) = self.frame(asker, EthernetProtocol::Ipv6, length);
        let mut packet = Ipv6Packet::new_unchecked(&mut octets[at..]);
        header.emit(&mut packet);
        let mut message = Icmpv6Packet::new_unchecked(packet.payload_mut());
        let checksums = ChecksumCapabilities::default();
        reply.emit(&from, &to, &mut message, &checksums);
        octets
    }

    /// A frame to somebody with room for so much, and where that begins.
    fn frame(
        &self,
        to: EthernetAddress,
        ethertype: EthernetProtocol,
        length: usize,
    ) -> (Vec<u8>, usize) {
        let mut octets = vec![0; ETHERNET + length];
        let header = EthernetRepr {
            src_addr: self.mac,
            dst_addr: to,
            ethertype,
        };
        header.emit(&mut EthernetFrame::new_unchecked(&mut octets[..]));
        (octets, ETHERNET)
    }
}

const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

fn is_somebody_v4(address: Ipv4Addr) -> bool {
    !(address.is_unspecified() || address.is_multicast() || address.is_broadcast())
}

#[cfg(test)]
mod tests;
