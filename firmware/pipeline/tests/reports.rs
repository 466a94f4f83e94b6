//! RTCP: each party hears about its own stream, in its own terms, about every five seconds (MED-06).
//!
//! Not here: RTCP that does not add up (`hostile.rs`).

mod kit;

use embassy_time::Duration;
use kit::{Call, FRAME, Lab};
use measure::MediaCounter;
use media_dsp::rtcp::{self, Builder, Compound, Ntp, ReportBlock, SenderInfo};

const CARRIER_NAME: &[u8] = b"alice@10.20.30.40";

fn carrier_rtcp(call: &Call) -> std::net::SocketAddr {
    let mut address = call.carrier_stream.local;
    address.set_port(address.port() + 1);
    address
}

/// What a party says of itself and of one source it hears.
fn compound(ssrc: u32, info: Option<SenderInfo>, block: ReportBlock, name: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 500];
    let mut builder = Builder::new(&mut bytes);
    match info {
        Some(info) => builder
            .sender_report(ssrc, &info, &[block])
            .expect("it fits"),
        None => builder.receiver_report(ssrc, &[block]).expect("it fits"),
    };
    builder
        .cname(ssrc, name)
        .and_then(|builder| builder.goodbye(ssrc))
        .expect("it fits");
    let length = builder.finish();
    bytes.truncate(length);
    bytes
}

fn packets(bytes: &[u8]) -> Vec<rtcp::Packet<'_>> {
    Compound::parse(bytes)
        .expect("it is well-formed")
        .packets()
        .collect()
}

fn name_in(bytes: &[u8]) -> Option<Vec<u8>> {
    packets(bytes).into_iter().find_map(|packet| match packet {
        rtcp::Packet::SourceDescription(mut chunks) => chunks.next()?.cname().map(<[u8]>::to_vec),
        _ => None,
    })
}

#[test]
fn a_relayed_report_is_told_in_the_terms_of_the_other_side() {
    let mut call = Call::new(Lab::fair());
    call.talk(20);
    let at_teams = call.teams.hear();
    let at_carrier = call.carrier.hear();
    let (shown_to_teams, shown_to_carrier) = (at_teams[0].header, at_carrier[0].header);

    // The carrier's party: what it sent, and how it hears us.
    let info = SenderInfo {
        ntp: Ntp(0x1234_5678_9abc_def0),
        rtp_timestamp: 1_000,
        packets: 20,
        octets: 3_200,
    };
    let highest = u32::from(at_carrier[19].header.sequence);
    let block = ReportBlock {
        ssrc: shown_to_carrier.ssrc,
        fraction_lost: 3,
        cumulative_lost: 1,
        highest_sequence: highest,
        jitter: 80,
        last_sender_report: 99,
        delay: 98,
    };
    let report = compound(call.carrier.ssrc, Some(info), block, CARRIER_NAME);
    call.carrier_rtcp.send(carrier_rtcp(&call), &report);
    call.lab.run(FRAME);

    let (_, reports) = call.teams.hear_all();
    assert_eq!(
        reports.len(),
        1,
        "over the one port of the muxed leg, encrypted"
    );
    let heard = packets(&reports[0]);
    let [
        rtcp::Packet::SenderReport { ssrc, info, blocks },
        rtcp::Packet::SourceDescription(_),
    ] = &heard[..]
    else {
        panic!("a report and a name, no goodbye: {heard:?}");
    };
    assert_eq!(*ssrc, shown_to_teams.ssrc);
    assert_eq!(
        info.rtp_timestamp, shown_to_teams.timestamp,
        "the first packet was stamped 1000"
    );
    let block = blocks.clone().next().expect("one block");
    assert_eq!(block.ssrc, call.teams.ssrc, "it is about them");
    assert_eq!(
        block.highest_sequence as u16,
        call.teams.sequence.wrapping_sub(1),
        "in their numbers"
    );
    assert_eq!(block.fraction_lost, 3);
    assert_eq!(
        (block.last_sender_report, block.delay),
        (0, 0),
        "it answers nothing that Teams has sent"
    );
    assert_eq!((info.packets, info.octets), (20, 3_200));
    let name = name_in(&reports[0]).expect("a name");
    assert!(
        name != CARRIER_NAME && name.len() == 16,
        "the name of one leg does not leak to the other"
    );

    let statistics = call.lab.statistics(1);
    let peer = statistics.peer_report.expect("we have read it too");
    assert_eq!((peer.fraction_lost, peer.lost, peer.jitter), (3, 1, 10_000));
    assert_eq!(
        (
            statistics.received.rtcp,
            call.lab.counted(MediaCounter::RtcpRelayed)
        ),
        (1, 1)
    );
}

#[test]
fn a_report_from_the_muxed_leg_leaves_by_the_port_above() {
    let mut call = Call::new(Lab::fair());
    call.talk(5);
    let block = ReportBlock {
        ssrc: call.teams.hear()[0].header.ssrc,
        ..ReportBlock::default()
    };
    let report = compound(call.teams.ssrc, None, block, b"teams");
    let to = call.teams_stream.local;
    call.teams.report(to, &report);
    call.lab.run(FRAME);
    let datagram = call
        .carrier_rtcp
        .receive()
        .expect("a report on the RTCP port");
    assert_eq!(datagram.from, carrier_rtcp(&call));
    assert!(matches!(
        packets(&datagram.bytes)[0],
        rtcp::Packet::ReceiverReport { .. }
    ));
    assert_eq!(call.carrier.hear_all().1.len(), 0, "none beside RTP");
}

#[test]
fn reports_of_our_own_go_to_a_party_that_gets_none() {
    // MED-06: neither party sends any RTCP, both hear a sender report about every five seconds.
    let mut call = Call::new(Lab::fair());
    let (mut sounds, mut reports, mut to_carrier) = (Vec::new(), Vec::new(), 0);
    for _ in 0..60 {
        call.talk(50);
        call.carrier.hear();
        let (more_sounds, more_reports) = call.teams.hear_all();
        sounds.extend(more_sounds);
        reports.extend(more_reports);
        while let Some(datagram) = call.carrier_rtcp.receive() {
            assert!(matches!(
                packets(&datagram.bytes)[0],
                rtcp::Packet::SenderReport { .. }
            ));
            to_carrier += 1;
        }
    }
    assert!(
        (9..=22).contains(&reports.len()),
        "a minute: {}",
        reports.len()
    );
    let mut last_count = 0;
    for report in &reports {
        let heard = packets(report);
        let rtcp::Packet::SenderReport { ssrc, info, blocks } = &heard[0] else {
            panic!("{heard:?}")
        };
        assert_eq!(*ssrc, sounds[0].header.ssrc);
        assert!(info.packets > last_count && info.octets == info.packets * 160);
        last_count = info.packets;
        let block = blocks.clone().next().expect("about what they send");
        assert_eq!(
            (block.ssrc, block.cumulative_lost, block.fraction_lost),
            (call.teams.ssrc, 0, 0)
        );
        assert_eq!(name_in(report).map(|name| name.len()), Some(16));
    }
    assert!((9..=22).contains(&to_carrier), "{to_carrier}");
    assert_eq!(
        call.lab.counted(MediaCounter::RtcpMade),
        (to_carrier + reports.len()) as u64
    );
}

#[test]
fn we_are_silent_where_the_peer_reports() {
    let mut call = Call::new(Lab::fair());
    let info = SenderInfo::default();
    let mut reports = Vec::new();
    for _ in 0..12 {
        let block = ReportBlock::default();
        let report = compound(call.carrier.ssrc, Some(info), block, CARRIER_NAME);
        call.talk(1);
        call.carrier_rtcp.send(carrier_rtcp(&call), &report);
        call.talk(249);
        reports.extend(call.teams.hear_all().1);
        call.carrier.hear();
    }
    assert!(
        (12..=14).contains(&reports.len()),
        "those of the carrier, and hardly one of ours: {}",
        reports.len()
    );
}

#[test]
fn a_party_on_hold_hears_receiver_reports() {
    let mut call = Call::new(Lab::fair());
    call.talk(1);
    for _ in 0..1_000 {
        call.teams.say(&call.teams_stream, &[1; 160]);
        call.lab.run(FRAME);
    }
    let (_, reports) = call.teams.hear_all();
    let last = reports.last().expect("some came");
    assert!(
        matches!(packets(last)[0], rtcp::Packet::ReceiverReport { .. }),
        "we sent nothing since the last"
    );
}

#[test]
fn the_round_trip_is_told_by_answers_to_our_own_reports() {
    let mut call = Call::new(Lab::fair());
    let mut answered = false;
    for _ in 0..1_000 {
        call.talk(1);
        let Some(report) = call.teams.hear_all().1.pop() else {
            continue;
        };
        let heard = packets(&report);
        let rtcp::Packet::SenderReport { ssrc, info, .. } = &heard[0] else {
            continue;
        };
        // The party answers half a second later, and says so.
        call.talk(25);
        let block = ReportBlock {
            ssrc: *ssrc,
            last_sender_report: info.ntp.middle(),
            delay: 65_536 / 2,
            ..ReportBlock::default()
        };
        let answer = compound(call.teams.ssrc, None, block, b"teams");
        let to = call.teams_stream.local;
        call.teams.report(to, &answer);
        answered = true;
    }
    assert!(answered);
    let round_trip = call
        .lab
        .statistics(2)
        .peer_report
        .and_then(|report| report.round_trip)
        .expect("it was told");
    // A millisecond there, one back, and up to a frame until the party looks.
    assert!(
        (500..60_000).contains(&round_trip),
        "{round_trip} microseconds"
    );
}

#[test]
fn feedback_alone_is_dressed_as_a_compound() {
    let mut call = Call::new(Lab::fair());
    call.talk(3);
    let shown = call.teams.hear()[0].header.ssrc;
    // A generic NACK of what Teams hears, about our source.
    let mut feedback = vec![0x81, rtcp::TRANSPORT_FEEDBACK, 0, 3];
    feedback.extend_from_slice(&call.teams.ssrc.to_be_bytes());
    feedback.extend_from_slice(&shown.to_be_bytes());
    feedback.extend_from_slice(&[0, 7, 0, 0]);
    let to = call.teams_stream.local;
    call.teams.report(to, &feedback);
    call.lab.run(FRAME);
    let datagram = call.carrier_rtcp.receive().expect("it is passed on");
    let heard = packets(&datagram.bytes);
    assert!(matches!(heard[0], rtcp::Packet::ReceiverReport { .. }));
    let rtcp::Packet::Feedback { media, .. } = heard[2] else {
        panic!("{heard:?}")
    };
    assert_eq!(media, call.carrier.ssrc);
    call.lab.run(Duration::from_millis(1));
}

/// Both parties report of themselves, and the other's report is answered: by a receiver report of what was heard so far.
fn exchange(call: &mut Call) -> (SenderInfo, ReportBlock) {
    let to = call.teams_stream.local;
    let info = SenderInfo {
        ntp: Ntp(0x0101_0101_0000_0000),
        packets: 1_000_000,
        ..SenderInfo::default()
    };
    let report = compound(
        call.teams.ssrc,
        Some(info),
        ReportBlock::default(),
        b"teams",
    );
    call.teams.report(to, &report);
    call.lab.run(FRAME);
    let datagram = call.carrier_rtcp.receive().expect("it is relayed");
    let heard = packets(&datagram.bytes);
    let rtcp::Packet::SenderReport { ssrc, info, .. } = heard[0] else {
        panic!("{heard:?}");
    };
    // The carrier's party holds it for a tenth of a second.
    call.lab.run(Duration::from_millis(100));
    let block = ReportBlock {
        ssrc,
        cumulative_lost: 7,
        last_sender_report: info.ntp.middle(),
        delay: 6_554,
        ..ReportBlock::default()
    };
    let answer = compound(call.carrier.ssrc, None, block, CARRIER_NAME);
    call.carrier_rtcp.send(carrier_rtcp(call), &answer);
    call.lab.run(FRAME);
    let reports = call.teams.hear_all().1;
    let heard = packets(reports.last().expect("it is relayed"));
    let rtcp::Packet::ReceiverReport { mut blocks, .. } = heard[0].clone() else {
        panic!("{heard:?}");
    };
    (info, blocks.next().expect("one block"))
}

#[test]
fn the_round_trip_of_a_leg_is_told_by_answers_to_relayed_reports() {
    let mut call = Call::new(Lab::fair());
    call.talk(5);
    let (info, block) = exchange(&mut call);
    assert_eq!(
        info.packets, 5,
        "what the carrier's party was sent, whatever Teams says"
    );
    assert_eq!(
        (block.last_sender_report, block.delay),
        (0x0101_0000, 6_554),
        "the answer to what Teams has sent goes to Teams: it learns the whole way"
    );
    let round_trip = call
        .lab
        .statistics(1)
        .peer_report
        .and_then(|report| report.round_trip)
        .expect("this leg's is known, too");
    assert!(
        (1_000..45_000).contains(&round_trip),
        "a millisecond each way and the frames in which the test looks: {round_trip}"
    );
}

#[test]
fn reports_are_true_for_a_source_that_came_later() {
    let mut call = Call::new(Lab::fair());
    call.talk(5);
    let (_, block) = exchange(&mut call);
    assert_eq!((block.ssrc, block.cumulative_lost), (call.teams.ssrc, 7));

    // Another device of the same party goes on, as after a pick-up.
    call.teams.ssrc = 0x3333;
    call.teams.sequence = 40_000;
    call.talk(3);
    let before = call.lab.statistics(1).sent.packets;
    let (info, block) = exchange(&mut call);
    assert_eq!(
        u64::from(info.packets),
        before,
        "counts of one SSRC never go back"
    );
    assert_eq!(
        (block.ssrc, block.cumulative_lost),
        (0x3333, 0),
        "it has lost none of what the one before lost"
    );
}

#[test]
fn an_answer_to_our_own_report_is_no_answer_to_the_other_party() {
    let mut call = Call::new(Lab::fair());
    let mut told = 0;
    for _ in 0..600 {
        call.talk(1);
        call.teams.hear_all();
        let Some(datagram) = call.carrier_rtcp.receive() else {
            continue;
        };
        let rtcp::Packet::SenderReport { ssrc, info, .. } = packets(&datagram.bytes)[0] else {
            continue;
        };
        let block = ReportBlock {
            ssrc,
            last_sender_report: info.ntp.middle(),
            delay: 100,
            ..ReportBlock::default()
        };
        let answer = compound(call.carrier.ssrc, None, block, CARRIER_NAME);
        call.carrier_rtcp.send(carrier_rtcp(&call), &answer);
        call.lab.run(FRAME);
        for report in call.teams.hear_all().1 {
            let rtcp::Packet::ReceiverReport { mut blocks, .. } = packets(&report)[0].clone()
            else {
                continue;
            };
            let block = blocks.next().expect("one block");
            assert_eq!((block.last_sender_report, block.delay), (0, 0));
            told += 1;
        }
    }
    assert!(told > 0, "some report of ours was answered");
    let statistics = call.lab.statistics(1);
    assert!(
        statistics
            .peer_report
            .is_some_and(|report| report.round_trip.is_some())
    );
}
