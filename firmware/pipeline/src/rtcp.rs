//! The way of an RTCP packet.
//!
//! Of each compound we keep what tells how our own sending is heard, and the peer's party gets the rest in its own terms: its
//! SSRCs, its timestamps, its numbers (RFC 3550 §7.2), under our canonical name, for the name of a party is an address often
//! enough. Goodbyes, application packets and unknown types stay here: who leaves a call is told by SIP.
//!
//! Not here: reports of our own (`report.rs`), rewriting bytes (`media_dsp::rtcp`).

use hal::{BUFFER, Packet};
use measure::{DropReason, MediaCounter};
use media_dsp::quality::{Micros, round_trip};
use media_dsp::rtcp::{
    self, Block, Blocks, Builder, Compound, Ntp, ReportBlock, SenderInfo, Translate,
};

use crate::flow::{Slot, Stream};
use crate::relay::Pipeline;
use crate::report::{Beginning, HeardReport, SentReport};
use crate::verdict::{Step, Verdict};
use crate::worker::Moment;

impl Pipeline {
    pub(crate) fn rtcp(
        &mut self,
        moment: Moment,
        packet: &mut Packet,
        slot: Slot,
    ) -> Step<Verdict> {
        let (stream, peer) = self.table.pair(slot).ok_or(DropReason::UnknownPort)?;
        stream.gate.ask_rtcp(packet.remote)?;
        stream.unprotect_rtcp(packet, moment.now)?;
        let compound = Compound::parse(packet.data()).map_err(|_| DropReason::MalformedRtcp)?;
        stream.gate.prove_rtcp(packet.remote);
        stream.counts.received_rtcp += 1;
        let now = Micros(moment.now.as_micros());
        take(stream, &compound, now);
        let spoke = sender_report_in(&compound);
        let Some(peer) = peer.filter(|peer| peer.hears(stream)) else {
            return Ok(Verdict::Taken);
        };
        rtcp::translate(packet.data_mut(), &mut Names { stream, peer })
            .map_err(|_| DropReason::MalformedRtcp)?;
        let composed = compose(packet.data(), peer, &mut self.scratch);
        let Composed::Reports(length) = composed else {
            return Ok(Verdict::Taken);
        };
        packet.buffer_mut()[..length].copy_from_slice(&self.scratch[..length]);
        packet.set_len(length);
        peer.dispatch_rtcp(packet)?;
        peer.reports.relayed(moment.now);
        if let Some((source, ntp)) = spoke {
            peer.reports.sends(SentReport {
                middle: ntp.middle(),
                at: now,
                source: Some(source),
            });
        }
        self.totals.add(MediaCounter::RtcpRelayed, 1);
        Ok(Verdict::Leaves)
    }
}

impl Stream {
    /// Whether what this stream's party hears now is the source of `other`'s, so that reports about it make sense.
    fn hears(&self, other: &Self) -> bool {
        let heard = self.outgoing.peer_source();
        // Who only listens has no source, and its reports are about ours.
        self.tone.is_none() && (other.reception.ssrc().is_none() || heard == other.reception.ssrc())
    }
}

/// Who speaks in a sender report, and when it was by its clock.
fn sender_report_in(compound: &Compound<'_>) -> Option<(u32, Ntp)> {
    compound.packets().find_map(|packet| match packet {
        rtcp::Packet::SenderReport { ssrc, info, .. } => Some((ssrc, info.ntp)),
        _ => None,
    })
}

/// Keeps what a compound says about us and about its sender.
fn take(stream: &mut Stream, compound: &Compound<'_>, now: Micros) {
    for packet in compound.packets() {
        match packet {
            rtcp::Packet::SenderReport { ssrc, info, blocks } => {
                stream.reception.sender_report(ssrc, info.ntp, now);
                blocks.for_each(|block| take_block(stream, &block, now));
            }
            rtcp::Packet::ReceiverReport { blocks, .. } => {
                blocks.for_each(|block| take_block(stream, &block, now));
            }
            rtcp::Packet::ExtendedReport { blocks, .. } => {
                for block in Blocks::parse(blocks).into_iter().flatten() {
                    if let Block::VoipMetrics(metrics) = block
                        && metrics.ssrc == stream.outgoing.ssrc()
                    {
                        stream.reports.metrics = Some(metrics);
                    }
                }
            }
            _ => {}
        }
    }
}

fn take_block(stream: &mut Stream, block: &ReportBlock, now: Micros) {
    if block.ssrc != stream.outgoing.ssrc() {
        return;
    }
    let reports = &mut stream.reports;
    let source = stream.outgoing.peer_source();
    if let Some(source) = source.filter(|source| Some(*source) != reports.source_told()) {
        let lost = reports.heard.map_or(0, |heard| heard.lost);
        reports.beginning = Some(Beginning { source, lost });
    }
    reports.heard = Some(HeardReport {
        fraction_lost: block.fraction_lost,
        lost: block.cumulative_lost,
        jitter: block.jitter,
    });
    // Whoever stamped the report that this one answers: we know when it left.
    if let Some(sent) = reports.sent(block.last_sender_report)
        && let Some(Micros(micros)) = round_trip(block, sent.at, now)
    {
        reports.round_trip = Some(u32::try_from(micros).unwrap_or(u32::MAX));
    }
}

/// The names of `stream`'s side, as `peer`'s party knows them.
struct Names<'a> {
    stream: &'a Stream,
    peer: &'a Stream,
}

impl Translate for Names<'_> {
    fn ssrc(&mut self, ssrc: u32) -> u32 {
        if ssrc == self.stream.outgoing.ssrc() {
            // About us: for the peer's party that is itself.
            self.stream.outgoing.peer_source().unwrap_or(ssrc)
        } else {
            // Whatever else speaks on this side is one source on the other.
            self.peer.outgoing.ssrc()
        }
    }

    fn sender_info(&mut self, source: u32, info: SenderInfo) -> SenderInfo {
        if self.peer.outgoing.peer_source() != Some(source) {
            return info;
        }
        // RFC 3550 §7.2: what counts for the peer's party is what it was sent, by whomever, under this one name.
        let (packets, octets) = self.peer.transmission.counts();
        SenderInfo {
            rtp_timestamp: self.peer.outgoing.timestamp_of(info.rtp_timestamp),
            packets,
            octets,
            ..info
        }
    }

    fn block(&mut self, block: ReportBlock) -> ReportBlock {
        if block.ssrc != self.stream.outgoing.ssrc() {
            return block;
        }
        let reports = &self.stream.reports;
        let source = self.stream.outgoing.peer_source();
        // An answer to anybody else's report would tell the peer's party a round trip that is none.
        let is_answer = reports
            .sent(block.last_sender_report)
            .is_some_and(|sent| sent.source.is_some() && sent.source == source);
        let (last_sender_report, delay) = if is_answer {
            (block.last_sender_report, block.delay)
        } else {
            (0, 0)
        };
        let beginning = reports
            .beginning
            .filter(|beginning| Some(beginning.source) == source);
        let before = beginning.map_or(0, |beginning| beginning.lost);
        ReportBlock {
            highest_sequence: self.stream.outgoing.sequence_of(block.highest_sequence),
            cumulative_lost: block.cumulative_lost.saturating_sub(before),
            last_sender_report,
            delay,
            ..block
        }
    }
}

/// What is left of a compound for the other side.
enum Composed {
    /// A compound of so many octets.
    Reports(usize),
    /// Nothing.
    Nothing,
}

/// Reports first, our name behind them, then feedback and extended reports (RFC 3550 §6.1).
fn compose(translated: &[u8], stream: &Stream, out: &mut [u8; BUFFER]) -> Composed {
    // Room for a tag, as everywhere in a buffer.
    let room = BUFFER - media_dsp::srtp::MAX_OVERHEAD - 128;
    if translated.len() > room {
        return Composed::Nothing;
    }
    let is_report = |kind| matches!(kind, rtcp::SENDER_REPORT | rtcp::RECEIVER_REPORT);
    let is_remark = |kind| {
        matches!(
            kind,
            rtcp::TRANSPORT_FEEDBACK | rtcp::PAYLOAD_FEEDBACK | rtcp::EXTENDED_REPORT
        )
    };
    let mut length = 0;
    let reports = append(translated, is_report, out, &mut length);
    let has_remarks = packets(translated).any(|packet| is_remark(packet[1]));
    if reports == 0 && !has_remarks {
        return Composed::Nothing;
    }
    let ssrc = stream.outgoing.ssrc();
    let mut builder = Builder::new(&mut out[length..]);
    // Feedback alone would be a reduced-size packet, which nobody has agreed to (RFC 5506).
    let opened = reports > 0 || builder.receiver_report(ssrc, &[]).is_ok();
    if !opened || builder.cname(ssrc, &stream.reports.name).is_err() {
        return Composed::Nothing;
    }
    length += builder.finish();
    append(translated, is_remark, out, &mut length);
    Composed::Reports(length)
}

/// The packets of a compound that has been parsed.
fn packets(mut compound: &[u8]) -> impl Iterator<Item = &[u8]> {
    core::iter::from_fn(move || {
        let [_, _, high, low] = *compound.first_chunk()?;
        let length = 4 + 4 * usize::from(u16::from_be_bytes([high, low]));
        let (packet, rest) = compound.split_at_checked(length)?;
        compound = rest;
        Some(packet)
    })
}

/// Appends the packets of some types, without padding, and says how many.
fn append(
    compound: &[u8],
    wanted: impl Fn(u8) -> bool,
    out: &mut [u8; BUFFER],
    length: &mut usize,
) -> usize {
    let mut count = 0;
    for packet in packets(compound).filter(|packet| wanted(packet[1])) {
        let padding = if packet[0] & 0x20 == 0 {
            0
        } else {
            packet.last().map_or(0, |last| usize::from(*last))
        };
        let body = &packet[..packet.len().saturating_sub(padding).max(4)];
        let Some(place) = out.get_mut(*length..*length + body.len()) else {
            return count;
        };
        place.copy_from_slice(body);
        place[0] &= !0x20;
        let words = (body.len() / 4 - 1) as u16;
        place[2..4].copy_from_slice(&words.to_be_bytes());
        *length += body.len();
        count += 1;
    }
    count
}
