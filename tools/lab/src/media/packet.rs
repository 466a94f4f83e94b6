//! RTP and RTCP on the wire, as much as the lab sends and looks at (RFC 3550 §5.1, §6.4; RFC 4733 §2.3).
//!
//! Not here: encryption (`keys.rs`), what was heard (`hearing.rs`).

/// An RTP packet taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rtp<'a> {
    /// The marker bit.
    pub marker: bool,
    /// The payload type.
    pub payload_type: u8,
    /// The sequence number.
    pub sequence: u16,
    /// The timestamp.
    pub timestamp: u32,
    /// The source.
    pub ssrc: u32,
    /// The payload.
    pub payload: &'a [u8],
}

impl<'a> Rtp<'a> {
    /// Reads one without padding; contributing sources and an extension are stepped over.
    #[must_use]
    pub fn parse(packet: &'a [u8]) -> Option<Self> {
        let fixed: &[u8; 12] = packet.first_chunk()?;
        if fixed[0] >> 6 != 2 {
            return None;
        }
        let mut at = 12 + 4 * usize::from(fixed[0] & 0x0f);
        if fixed[0] & 0x10 != 0 {
            let words = packet.get(at + 2..at + 4)?;
            at += 4 + 4 * usize::from(u16::from_be_bytes([words[0], words[1]]));
        }
        Some(Self {
            marker: fixed[1] & 0x80 != 0,
            payload_type: fixed[1] & 0x7f,
            sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
            timestamp: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
            ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
            payload: packet.get(at..)?,
        })
    }

    /// The bytes.
    #[must_use]
    pub fn print(&self) -> Vec<u8> {
        let mut packet = Vec::with_capacity(12 + self.payload.len());
        packet.push(0x80);
        packet.push(u8::from(self.marker) << 7 | self.payload_type);
        packet.extend_from_slice(&self.sequence.to_be_bytes());
        packet.extend_from_slice(&self.timestamp.to_be_bytes());
        packet.extend_from_slice(&self.ssrc.to_be_bytes());
        packet.extend_from_slice(self.payload);
        packet
    }
}

/// Whether a packet on a shared port is RTCP (RFC 5761 §4).
#[must_use]
pub fn is_rtcp(packet: &[u8]) -> bool {
    packet.len() >= 8 && packet[0] >> 6 == 2 && (192..=223).contains(&packet[1])
}

/// Whether a packet is STUN (RFC 7983).
#[must_use]
pub fn is_stun(packet: &[u8]) -> bool {
    packet.first().is_some_and(|byte| *byte < 4)
}

/// What a sender report tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sender {
    /// The source.
    pub ssrc: u32,
    /// Its RTP clock now.
    pub timestamp: u32,
    /// Packets so far.
    pub packets: u32,
}

/// A compound packet: a sender report without blocks, and the CNAME.
#[must_use]
pub fn sender_report(sender: Sender) -> Vec<u8> {
    let mut packet = vec![0x80, 200, 0, 6];
    let octets = sender.packets.wrapping_mul(super::speech::FRAME as u32);
    // The lab reads no round trip from its own clock, so the NTP timestamp only has to grow.
    let words = [
        sender.ssrc,
        0xea00_0000_u32.wrapping_add(sender.timestamp / 8000),
        sender.timestamp,
        sender.timestamp,
        sender.packets,
        octets,
    ];
    for word in words {
        packet.extend_from_slice(&word.to_be_bytes());
    }
    packet.extend_from_slice(&[0x81, 202, 0, 3]);
    packet.extend_from_slice(&sender.ssrc.to_be_bytes());
    packet.extend_from_slice(b"\x01\x03lab\0\0\0");
    packet
}

/// The packet types of a compound packet, or `None` where it does not hold together.
#[must_use]
pub fn compound_types(packet: &[u8]) -> Option<Vec<u8>> {
    let (mut types, mut rest) = (Vec::new(), packet);
    while !rest.is_empty() {
        let head: &[u8; 4] = rest.first_chunk()?;
        if head[0] >> 6 != 2 {
            return None;
        }
        types.push(head[1]);
        rest = rest.get(4 + 4 * usize::from(u16::from_be_bytes([head[2], head[3]]))..)?;
    }
    Some(types)
}

/// The digits of RFC 4733 §3.2 in the order of their events.
pub const DIGITS: &str = "0123456789*#ABCD";

/// One telephone-event payload.
#[must_use]
pub fn event(digit: u8, ended: Ended, duration: u16) -> [u8; 4] {
    let [high, low] = duration.to_be_bytes();
    let end = match ended {
        Ended::No => 0,
        Ended::Yes => 0x80,
    };
    [digit, end | 10, high, low]
}

/// Whether an event is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It goes on.
    No,
    /// It is over.
    Yes,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rtp_goes_round() {
        let packet = Rtp {
            marker: true,
            payload_type: 8,
            sequence: 65_535,
            timestamp: 160,
            ssrc: 7,
            payload: &[1, 2, 3],
        };
        assert_eq!(Rtp::parse(&packet.print()), Some(packet));
        assert_eq!(Rtp::parse(&[0x80; 11]), None);
    }

    #[test]
    fn a_sender_report_holds_together() {
        let report = sender_report(Sender {
            ssrc: 1,
            timestamp: 8000,
            packets: 50,
        });
        assert!(is_rtcp(&report));
        assert_eq!(compound_types(&report), Some(vec![200, 202]));
        assert_eq!(compound_types(&report[..report.len() - 1]), None);
    }
}
