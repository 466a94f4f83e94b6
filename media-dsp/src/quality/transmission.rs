//! What one leg sends (RFC 3550 §6.4.1, sender information).
//!
//! The timestamp of a report is that of the last packet, moved on by the time since: both clocks then tell one story even
//! when nothing is being sent.

use crate::rtcp::{Ntp, SenderInfo};
use crate::rtp::Header;

use super::Micros;

/// Counts of the source a leg sends.
#[derive(Debug, Clone)]
pub struct Transmission {
    clock_rate: u32,
    last: Option<Last>,
    packets: u32,
    octets: u32,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    ssrc: u32,
    timestamp: u32,
    at: Micros,
}

impl Transmission {
    /// Nothing sent yet.
    pub fn new(clock_rate: u32) -> Self {
        Self {
            clock_rate,
            last: None,
            packets: 0,
            octets: 0,
        }
    }

    /// Counts a packet with a payload of so many octets. Another SSRC starts the counts again (RFC 3550 §6.4.1).
    pub fn packet(&mut self, header: &Header, payload: usize, at: Micros) {
        if self.last.is_some_and(|last| last.ssrc != header.ssrc) {
            (self.packets, self.octets) = (0, 0);
        }
        self.last = Some(Last {
            ssrc: header.ssrc,
            timestamp: header.timestamp,
            at,
        });
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(payload as u32);
    }

    /// SSRC and sender information for a report sent `now`, which is `ntp` on the wall clock.
    ///
    /// None before the first packet: then a receiver report is due, not a sender report.
    pub fn report(&self, now: Micros, ntp: Ntp) -> Option<(u32, SenderInfo)> {
        let last = self.last?;
        let passed = now.since(last.at).ticks(self.clock_rate);
        let info = SenderInfo {
            ntp,
            rtp_timestamp: last.timestamp.wrapping_add(passed),
            packets: self.packets,
            octets: self.octets,
        };
        Some((last.ssrc, info))
    }

    /// Packets sent since the current source began, and octets of their payloads.
    pub fn counts(&self) -> (u32, u32) {
        (self.packets, self.octets)
    }
}
