//! What is due without a packet: reports of our own, frames of tones, silences, orphans.
//!
//! MED-06: a party hears a report about every five seconds, relayed from the peer's party or, where that one sends none, from
//! us. Streams are looked after one by one when due; what they send goes out in bursts.
//!
//! Not here: relayed reports (`rtcp.rs`).

use embassy_time::{Duration, Instant};
use hal::{Burst, Packet, Ports};
use measure::MediaCounter;
use media_api::Event;
use media_dsp::codec::FRAME;
use media_dsp::quality::Micros;
use media_dsp::rtcp::{Builder, Ntp, VoipMetrics};
use rand_chacha::rand_core::RngCore;

use crate::flow::Stream;
use crate::relay::{Pipeline, account};
use crate::rewrite::Origin;
use crate::worker::Moment;

/// Time between reports (RFC 3550 §6.2), from half to one and a half of it (§6.3.1).
const INTERVAL: Duration = Duration::from_secs(5);

/// Streams that become due within so short a time are looked after together.
const GRAIN: Duration = Duration::from_millis(2);

/// How a party says it hears us; times in units of the media clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HeardReport {
    pub(crate) fraction_lost: u8,
    pub(crate) lost: i32,
    pub(crate) jitter: u32,
}

/// A sender report that has gone to the party, of ours or of its peer's party.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SentReport {
    /// The middle of the NTP time in it, by whosever clock.
    pub(crate) middle: u32,
    /// When it left, by ours.
    pub(crate) at: Micros,
    /// The peer's source that speaks in it; none for a report of our own.
    pub(crate) source: Option<u32>,
}

/// What a source of the peer's is not to be told of: losses from before it was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Beginning {
    pub(crate) source: u32,
    pub(crate) lost: i32,
}

/// The reports of one stream.
#[derive(Debug, Clone)]
pub(crate) struct Reports {
    /// Our canonical name on this stream: random, so that it says nothing (RFC 7022 §4.2).
    pub(crate) name: [u8; 16],
    pub(crate) heard: Option<HeardReport>,
    /// In microseconds, as last told.
    pub(crate) round_trip: Option<u32>,
    pub(crate) metrics: Option<VoipMetrics>,
    pub(crate) beginning: Option<Beginning>,
    /// The last two: an answer may have crossed the last.
    sent: [Option<SentReport>; 2],
    due: Instant,
    relayed_at: Option<Instant>,
    /// Packets sent and received at the last report.
    known: (u64, u64),
}

impl Reports {
    pub(crate) fn new(chance: &mut impl RngCore, now: Instant) -> Self {
        let mut name = [0; 16];
        chance.fill_bytes(&mut name);
        name.iter_mut()
            .for_each(|byte| *byte = b"0123456789abcdef"[usize::from(*byte & 0x0f)]);
        // The first comes after half the time (RFC 3550 §6.2).
        let due = now + spread(chance, INTERVAL / 2);
        Self {
            name,
            heard: None,
            round_trip: None,
            metrics: None,
            beginning: None,
            sent: [None; 2],
            due,
            relayed_at: None,
            known: (0, 0),
        }
    }

    pub(crate) fn relayed(&mut self, now: Instant) {
        self.relayed_at = Some(now);
    }

    /// The peer's source that the party's reports are about.
    pub(crate) fn source_told(&self) -> Option<u32> {
        self.beginning.map(|beginning| beginning.source)
    }

    /// A sender report goes to the party.
    pub(crate) fn sends(&mut self, report: SentReport) {
        self.sent = [Some(report), self.sent[0]];
    }

    /// The sender report that a party means by LSR.
    pub(crate) fn sent(&self, last_sender_report: u32) -> Option<SentReport> {
        let mut sent = self.sent.into_iter().flatten();
        sent.find(|report| report.middle == last_sender_report)
    }

    /// Whether the party has had a report lately.
    fn is_served(&self, now: Instant) -> bool {
        self.relayed_at
            .is_some_and(|at| now.saturating_duration_since(at) < INTERVAL * 3 / 2)
    }
}

fn spread(chance: &mut impl RngCore, interval: Duration) -> Duration {
    let micros = interval.as_micros();
    Duration::from_micros(micros / 2 + chance.next_u64() % (micros + 1))
}

impl Stream {
    /// When this stream wants to be looked after.
    pub(crate) fn due(&self) -> Instant {
        let tone = self.tone.as_ref().map(|playing| playing.due());
        let silence = self.vigil.deadline();
        [tone, silence]
            .into_iter()
            .flatten()
            .fold(self.reports.due, Instant::min)
    }

    /// Writes a report of our own, if there is anything to say.
    fn report(&mut self, packet: &mut Packet, moment: Moment) -> bool {
        let now = Micros(moment.now.as_micros());
        let ntp = Ntp::from_unix(moment.wall.seconds, moment.wall.nanoseconds);
        let known = (self.sent.packets, self.received.packets);
        let has_sent = known.0 != self.reports.known.0;
        if known == (0, 0) {
            return false;
        }
        self.reports.known = known;
        let block = self.reception.report(now);
        let ssrc = self.outgoing.ssrc();
        let mut builder = Builder::new(packet.buffer_mut());
        // RFC 3550 §6.4: a sender report from who has sent since the last, a receiver report from who has not.
        let written = match self.transmission.report(now, ntp).filter(|_| has_sent) {
            Some((_, info)) => {
                self.reports.sends(SentReport {
                    middle: ntp.middle(),
                    at: now,
                    source: None,
                });
                builder.sender_report(ssrc, &info, block.as_slice()).is_ok()
            }
            None => builder.receiver_report(ssrc, block.as_slice()).is_ok(),
        };
        if !written || builder.cname(ssrc, &self.reports.name).is_err() {
            return false;
        }
        let length = builder.finish();
        packet.set_len(length);
        self.dispatch_rtcp(packet).is_ok()
    }

    /// Writes the frame of a tone that is due, if it can be sent.
    fn play(&mut self, packet: &mut Packet, now: Instant) -> bool {
        let mut frame = [0; FRAME];
        let Some(header) = self
            .tone
            .as_mut()
            .and_then(|playing| playing.frame(now, &mut frame))
        else {
            return false;
        };
        if !self.direction.sends() || self.gate.rtp_target().is_none() {
            return false;
        }
        let Ok(placed) = self.outgoing.place(Origin::Tone, &header, now) else {
            return false;
        };
        let Ok(length) = placed.emit(&frame, packet.buffer_mut()) else {
            return false;
        };
        packet.set_len(length);
        if self.dispatch_rtp(packet).is_err() {
            return false;
        }
        self.transmission
            .packet(&placed, FRAME, Micros(now.as_micros()));
        self.sent.add(FRAME);
        true
    }
}

impl Pipeline {
    /// When there may be something due; call [`Self::tick`] then.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.due
    }

    /// Does what is due.
    pub fn tick(&mut self, moment: Moment, ports: &mut impl Ports) {
        if self.due.is_none_or(|due| due > moment.now) {
            return;
        }
        let mut place = 0;
        while let Some((slot, next)) = self.table.next_due(place, moment.now) {
            place = next;
            // Two packets at most: a frame and a report.
            if self.own.len() + 2 > hal::BURST {
                self.flush(ports);
            }
            let Some((stream, peer)) = self.table.pair(slot) else {
                continue;
            };
            let id = stream.id();
            let heard = peer.map_or(Instant::MIN, |peer| peer.vigil.quiet_since());
            let quiet_since = stream.vigil.quiet_since().max(heard);
            if self.presence.orphans(quiet_since, moment.now) {
                self.remove(id, ports);
                continue;
            }
            if let Some(since) = stream.vigil.silence(moment.now) {
                self.outbox.tell(Event::Silent { id, since });
            }
            if make(&mut self.own, |packet| stream.play(packet, moment.now)) {
                self.totals.add(MediaCounter::ToneFrames, 1);
            }
            if stream.reports.due <= moment.now {
                stream.reports.due = moment.now + spread(&mut self.chance, INTERVAL);
                stream.forget_previous_key(moment.now);
                if !stream.reports.is_served(moment.now)
                    && make(&mut self.own, |packet| stream.report(packet, moment))
                {
                    self.totals.add(MediaCounter::RtcpMade, 1);
                }
            }
            let due = stream.due();
            self.table.set_due(slot, due);
        }
        self.flush(ports);
        let earliest = self.table.earliest();
        self.due = earliest.map(|due| due.max(moment.now + GRAIN));
    }

    pub(crate) fn flush(&mut self, ports: &mut impl Ports) {
        if self.own.is_empty() {
            return;
        }
        let lost = ports.tx_burst(&mut self.own);
        account(&mut self.table, &mut self.totals, &self.own, lost);
        self.own.clear();
    }
}

/// Adds a packet of our own to a burst with room, if `write` writes one.
pub(crate) fn make(burst: &mut Burst, write: impl FnOnce(&mut Packet) -> bool) -> bool {
    let Some(packet) = burst.add() else {
        return false;
    };
    let is_written = write(packet);
    if !is_written {
        burst.take_back();
    }
    is_written
}
