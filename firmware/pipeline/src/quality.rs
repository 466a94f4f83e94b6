//! What is told of a stream: its counts, and how its two directions sound.
//!
//! A rating is the E-model's (ITU-T G.107, `media_dsp::quality`), of this leg alone: from the party to here, and from here to the
//! party. What nobody measures is assumed: a frame of 20 ms, half of the round trip each way, and a player whose buffer is
//! twice the jitter, 40 ms at least and 200 ms at most, so that nothing comes too late for it. Where the party says in extended
//! reports how deep its buffer is and what it throws away, its word counts.
//!
//! Asked when control asks and when a stream ends; a packet costs nothing here.
//!
//! Not here: measuring (`media_dsp::quality`), hearing reports (`rtcp.rs`).

use measure::DropReason;
use media_api::{Metrics, PeerReport, Quality, Received, Sent, Statistics};
use media_dsp::quality::{Codec, Conditions, Micros};
use media_dsp::rtcp::{UNKNOWN, VoipMetrics};

use crate::flow::Stream;

/// Of voice in one packet.
const FRAME: u32 = 20_000;
/// A player keeps so much, whatever the jitter.
const LEAST_BUFFER: u32 = 40_000;
const MOST_BUFFER: u32 = 200_000;

impl Stream {
    pub(crate) fn statistics(&self) -> Statistics {
        let summary = self.reception.summary();
        let micros = |ticks: u32| micros(ticks, self.spec.clock_rate);
        let drops = DropReason::ALL
            .into_iter()
            .zip(*self.counts.drops)
            .filter(|(_, count)| *count > 0);
        let peer_report = self.reports.heard.map(|heard| PeerReport {
            fraction_lost: heard.fraction_lost,
            lost: heard.lost,
            jitter: micros(heard.jitter),
            round_trip: self.reports.round_trip,
        });
        let received = Received {
            packets: self.received.packets,
            octets: self.received.octets,
            lost: summary.lost(),
            disordered: summary.disordered,
            holes: summary.holes,
            jitter: micros(self.reception.jitter()),
            max_jitter: micros(summary.max_jitter),
            sources: summary.sources,
            rtcp: self.counts.received_rtcp,
        };
        let metrics = self.reports.metrics.as_ref().map(metrics);
        Statistics {
            received,
            sent: Sent {
                packets: self.sent.packets,
                octets: self.sent.octets,
                rtcp: self.counts.sent_rtcp,
            },
            peer_report,
            metrics,
            incoming: self.incoming(&received, summary.expected),
            outgoing: self.outgoing_quality(peer_report, metrics),
            latched: self.gate.latched(),
            drops: drops.collect(),
        }
    }

    fn incoming(&self, received: &Received, expected: u64) -> Option<Quality> {
        (expected > 0).then(|| {
            quality(&Conditions {
                delay: self.delay(assumed_buffer(received.jitter)),
                expected,
                lost: received.lost,
                holes: received.holes,
                codec: self.codec(),
            })
        })
    }

    fn outgoing_quality(
        &self,
        report: Option<PeerReport>,
        metrics: Option<Metrics>,
    ) -> Option<Quality> {
        let report = report?;
        let told = metrics.filter(|metrics| metrics.buffer > 0);
        let buffer = told.map_or_else(
            || assumed_buffer(report.jitter),
            |told| 1_000 * u32::from(told.buffer),
        );
        let expected = self.sent.packets;
        let discarded = metrics.map_or(0, |told| expected * u64::from(told.discard_rate) / 256);
        Some(quality(&Conditions {
            delay: self.delay(buffer),
            expected,
            lost: u64::from(report.lost.max(0).unsigned_abs()) + discarded,
            holes: 0,
            codec: self.codec(),
        }))
    }

    fn delay(&self, buffer: u32) -> Micros {
        let way = self.reports.round_trip.unwrap_or(0) / 2;
        Micros(u64::from(FRAME) + u64::from(way) + u64::from(buffer))
    }

    fn codec(&self) -> Codec {
        match self.spec.codec {
            media_api::Codec::G711 | media_api::Codec::G722 => Codec::G711,
            media_api::Codec::G729 => Codec::G729,
        }
    }
}

fn assumed_buffer(jitter: u32) -> u32 {
    jitter.saturating_mul(2).clamp(LEAST_BUFFER, MOST_BUFFER)
}

fn quality(conditions: &Conditions) -> Quality {
    let rating = conditions.rating();
    let Micros(delay) = conditions.delay;
    // Half up: none of them is negative.
    let rounded = |value: f32| (value + 0.5) as u16;
    Quality {
        rating: rounded(rating.value() * 10.0),
        opinion: rounded(rating.opinion() * 100.0),
        burst_ratio: rounded(conditions.burst_ratio() * 100.0),
        delay: u32::try_from(delay).unwrap_or(u32::MAX),
    }
}

fn metrics(told: &VoipMetrics) -> Metrics {
    let known = |value: u8| (value != UNKNOWN).then_some(value);
    let some = |value: u16| (value != 0).then_some(value);
    Metrics {
        loss_rate: told.loss_rate,
        discard_rate: told.discard_rate,
        burst_density: told.burst_density,
        gap_density: told.gap_density,
        burst_duration: told.burst_duration,
        gap_duration: told.gap_duration,
        round_trip: some(told.round_trip),
        end_system_delay: some(told.end_system_delay),
        buffer: told.buffer_nominal,
        rating: known(told.rating),
        listening_opinion: known(told.listening_opinion),
        conversing_opinion: known(told.conversing_opinion),
    }
}

fn micros(ticks: u32, clock_rate: u32) -> u32 {
    (u64::from(ticks) * 1_000_000 / u64::from(clock_rate.max(1))).min(u64::from(u32::MAX)) as u32
}
