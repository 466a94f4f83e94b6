//! What the pipeline measured of a stream, in the words of the door.
//!
//! Not here: measuring and rating (the media plane).

use media_api::{Quality, Statistics};

use crate::api::{Opinion, Sound, Way};

/// How a stream was, by its final statistics.
pub(crate) fn of(statistics: &Statistics) -> Sound {
    let opinion = |quality: Option<Quality>| quality.map(|quality| Opinion(quality.opinion));
    let received = &statistics.received;
    // What nobody sent had neither losses nor jitter.
    let heard = (received.packets > 0).then_some(received);
    let report = statistics.peer_report;
    Sound {
        from_party: Way {
            packets: received.packets,
            lost: heard.map(|heard| heard.lost),
            jitter_us: heard.map(|heard| heard.jitter),
            mos: opinion(statistics.incoming),
        },
        to_party: Way {
            packets: statistics.sent.packets,
            // Fewer than none: more came than were sent, each twice.
            lost: report.map(|report| u64::from(report.lost.max(0).unsigned_abs())),
            jitter_us: report.map(|report| report.jitter),
            mos: opinion(statistics.outgoing),
        },
        round_trip_us: report.and_then(|report| report.round_trip),
        dropped: statistics.drops.iter().map(|(_, count)| count).sum(),
    }
}
