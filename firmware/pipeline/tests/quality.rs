//! How a stream sounds, both ways, in its statistics (ITU-T G.107; RFC 3611 §4.7).
//!
//! Expected figures are worked out by hand from the recommendation.
//!
//! Not here: the E-model itself (`media_dsp::quality`).

mod kit;

use kit::{Call, FRAME, Lab};
use media_api::{Codec, Command, Event, Metrics, Quality, StreamId, StreamSpec};
use media_dsp::rtcp::{
    self, Block, Blocks, Builder, Compound, Extension, ReportBlock, VoipMetrics,
};

fn quality(quality: Option<Quality>) -> Quality {
    quality.expect("it is known how this sounds")
}

/// The party of the keyed leg loses what the numbers of `skipped` would have been.
fn lose(call: &mut Call, packets: u16) {
    call.teams.sequence += packets;
    call.teams.timestamp += 160 * u32::from(packets);
}

#[test]
fn a_good_line_is_rated_as_good_as_it_gets() {
    let mut call = Call::new(Lab::fair());
    assert_eq!(call.lab.statistics(2).incoming, None, "nobody has spoken");
    call.talk(500);
    let statistics = call.lab.statistics(2);
    assert_eq!(statistics.received.lost, 0);
    // 93.2 less the 1.66 that 60 ms cost: a frame of 20 and a buffer of 40.
    assert_eq!(
        quality(statistics.incoming),
        Quality {
            rating: 915,
            opinion: 437,
            burst_ratio: 100,
            delay: 60_000,
        }
    );
    assert_eq!(statistics.outgoing, None, "it has not reported");
}

#[test]
fn loss_is_counted_against_its_direction_and_bursts_cost_more() {
    let rated = |holes: u16, each: u16| {
        let mut call = Call::new(Lab::fair());
        for _ in 0..holes {
            call.talk(usize::from(1_000 / holes - each));
            lose(&mut call, each);
        }
        call.talk(1);
        let statistics = call.lab.statistics(2);
        assert_eq!(statistics.received.lost, u64::from(holes * each));
        assert_eq!(statistics.received.holes, u64::from(holes));
        let other = call.lab.statistics(1);
        assert_eq!(other.received.lost, 0, "the other party lost nothing");
        quality(statistics.incoming)
    };
    let (alone, rows) = (rated(20, 1), rated(5, 4));
    // 2 % at random cost 95 · 2 / (2 + 25.1) = 7.0; in rows of four 95 · 2 / (2 / 3.92 + 25.1) = 7.4.
    assert_eq!((alone.rating, alone.burst_ratio), (845, 100));
    assert_eq!((rows.rating, rows.burst_ratio), (841, 392));
}

#[test]
fn the_codec_counts() {
    let mut call = Call::new(Lab::fair());
    let spec = StreamSpec {
        codec: Codec::G729,
        ..call.teams_stream.clone()
    };
    call.lab.put(&spec);
    call.talk(50);
    let statistics = call.lab.statistics(2);
    assert_eq!(quality(statistics.incoming).rating, 805, "11 less (G.113)");
}

#[test]
fn the_other_direction_is_rated_by_what_the_party_reports() {
    let mut call = Call::new(Lab::fair());
    call.talk(100);
    let ssrc = call.teams.hear()[0].header.ssrc;
    let block = ReportBlock {
        ssrc,
        cumulative_lost: 5,
        // 100 ms.
        jitter: 800,
        ..ReportBlock::default()
    };
    let told = VoipMetrics {
        ssrc,
        loss_rate: 13,
        discard_rate: 0,
        burst_density: 200,
        round_trip: 90,
        end_system_delay: 85,
        rating: 71,
        listening_opinion: 36,
        buffer_nominal: 60,
        ..VoipMetrics::default()
    };
    // About somebody else: not about us.
    let other = VoipMetrics {
        ssrc: ssrc ^ 1,
        rating: 1,
        ..told
    };
    let mut bytes = [0; 300];
    let report = |bytes: &mut [u8; 300], extensions: &[Extension<'_>]| {
        let mut builder = Builder::new(bytes);
        builder
            .receiver_report(0x2222, &[block])
            .and_then(|builder| builder.extended_report(0x2222, extensions))
            .and_then(|builder| builder.cname(0x2222, b"teams"))
            .expect("it fits");
        builder.finish()
    };
    let to = call.teams_stream.local;
    let length = report(&mut bytes, &[]);
    call.teams.report(to, &bytes[..length]);
    call.lab.run(FRAME);
    let statistics = call.lab.statistics(2);
    // 5 % cost 95 · 5 / (5 + 25.1) = 15.8; 20 ms and the 200 that a buffer for this jitter may hold 10.05.
    assert_eq!(quality(statistics.outgoing).rating, 674);
    assert_eq!(quality(statistics.outgoing).delay, 220_000);
    assert_eq!(statistics.metrics, None);

    let length = report(
        &mut bytes,
        &[
            Extension::VoipMetrics(&told),
            Extension::VoipMetrics(&other),
        ],
    );
    call.teams.report(to, &bytes[..length]);
    call.lab.run(FRAME);
    let statistics = call.lab.statistics(2);
    assert_eq!(
        statistics.metrics,
        Some(Metrics {
            loss_rate: 13,
            burst_density: 200,
            round_trip: Some(90),
            end_system_delay: Some(85),
            buffer: 60,
            rating: Some(71),
            listening_opinion: Some(36),
            ..Metrics::default()
        })
    );
    assert_eq!(
        quality(statistics.outgoing).delay,
        80_000,
        "its own word about its buffer"
    );
}

// RFC 3611: it is told to who is meant, in his own terms.
#[test]
fn an_extended_report_is_told_to_the_other_party_about_itself() {
    let mut call = Call::new(Lab::fair());
    call.talk(10);
    let ssrc = call.teams.hear()[0].header.ssrc;
    let told = VoipMetrics {
        ssrc,
        loss_rate: 13,
        rating: 71,
        ..VoipMetrics::default()
    };
    let mut bytes = [0; 300];
    let mut builder = Builder::new(&mut bytes);
    builder
        .receiver_report(0x2222, &[])
        .and_then(|builder| builder.cname(0x2222, b"teams"))
        .and_then(|builder| builder.extended_report(0x2222, &[Extension::VoipMetrics(&told)]))
        .expect("it fits");
    let length = builder.finish();
    let to = call.teams_stream.local;
    call.teams.report(to, &bytes[..length]);
    call.lab.run(FRAME);
    let relayed = call.carrier_rtcp.receive().expect("it is passed on");
    let compound = Compound::parse(&relayed.bytes).expect("it is well-formed");
    let blocks = compound.packets().find_map(|packet| match packet {
        rtcp::Packet::ExtendedReport { ssrc, blocks } => Some((ssrc, blocks)),
        _ => None,
    });
    let (from, blocks) = blocks.expect("it is in it");
    assert_eq!(from, call.carrier.hear()[0].header.ssrc, "by our name");
    let mut blocks = Blocks::parse(blocks).expect("they are well-formed");
    let Some(Block::VoipMetrics(heard)) = blocks.next() else {
        panic!("metrics");
    };
    let expected = VoipMetrics {
        ssrc: call.carrier.ssrc,
        ..told
    };
    assert_eq!(heard, expected);
}

#[test]
fn the_last_figures_come_with_the_end() {
    let mut call = Call::new(Lab::fair());
    call.talk(10);
    call.lab.news();
    call.lab.tell(Command::Remove(StreamId(2)));
    let [Event::Removed { statistics, .. }] = &call.lab.news()[..] else {
        panic!("it is gone");
    };
    assert_eq!(statistics.received.packets, 10);
    assert_eq!(quality(statistics.incoming).opinion, 437);
}
