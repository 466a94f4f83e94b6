//! Strangers, forgers and garbage: nobody hears them, nothing comes back, everything is counted.
//!
//! Not here: what a friendly party does by mistake (`calls.rs`).

mod kit;

use board::sim::Peer;
use embassy_time::Duration;
use kit::{Call, FRAME, Lab, Party, address, key, keying, plain};
use measure::{DropReason, MediaCounter};
use media_api::{Event, SourceGate, StreamSpec};
use media_dsp::srtp::{Limits, Sender};

/// A deterministic stream of numbers.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

fn stranger(call: &Call) -> Peer {
    call.lab.network.peer(address("203.0.113.66:6666"))
}

/// Nobody but the two parties has heard anything, and they have heard nothing.
fn all_quiet(call: &mut Call, stranger: &Peer) {
    call.lab.run(FRAME);
    assert_eq!(stranger.receive(), None, "nothing is reflected");
    assert_eq!(
        (call.carrier.hear_all().0, call.teams.hear_all().0),
        (vec![], vec![])
    );
}

#[test]
fn a_stranger_is_neither_heard_nor_answered() {
    let mut call = Call::new(Lab::fair());
    let stranger = stranger(&call);
    let mut voice = Party::new(&call.lab.network, "203.0.113.67:6666", 0x1111);
    for local in [call.carrier_stream.local, call.teams_stream.local] {
        stranger.send(
            local,
            &voice.packet(b"let me in, for I am long enough to bear a tag"),
        );
        // STUN binding request, DTLS client hello, SIP, nothing.
        stranger.send(
            local,
            &[
                0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            ],
        );
        stranger.send(local, &[22, 254, 253, 0, 0]);
        stranger.send(local, b"OPTIONS sip:x SIP/2.0\r\n\r\n");
        stranger.send(local, b"");
        stranger.send(local, &[0x80; 3_000]);
    }
    all_quiet(&mut call, &stranger);
    for (reason, count) in [
        (DropReason::ForeignSource, 1),
        (DropReason::Unauthenticated, 1),
        (DropReason::UnexpectedStun, 2),
        (DropReason::UnexpectedDtls, 2),
        (DropReason::Unclassified, 4),
        (DropReason::Oversize, 2),
    ] {
        assert_eq!(call.lab.dropped(reason), count, "{reason}");
    }
    assert_eq!(call.lab.news(), []);
}

#[test]
fn a_forger_with_the_right_address_and_the_wrong_key_is_not_heard() {
    let mut call = Call::new(Lab::fair());
    let stranger = stranger(&call);
    call.talk(3);
    call.carrier.hear();
    call.teams.hear();
    call.lab.news();
    let mut forger = Party::new(&call.lab.network, "203.0.113.67:6666", call.teams.ssrc);
    forger.sequence = call.teams.sequence;
    // In the clear, with another key, and with a tag that is cut.
    let clear = forger.packet(b"in the clear");
    forger.sender = Some(Sender::new(keying(&key(66)), Limits::default()));
    let wrong = forger.packet(b"wrong key");
    let whole = call.teams.packet(b"cut");
    for bytes in [&clear[..], &wrong, &whole[..whole.len() - 1], &whole[..13]] {
        call.lab
            .network
            .forge(call.teams.address(), call.teams_stream.local, bytes);
    }
    all_quiet(&mut call, &stranger);
    let refused =
        call.lab.dropped(DropReason::Unauthenticated) + call.lab.dropped(DropReason::MalformedRtp);
    assert_eq!(refused, 4);
    assert_eq!(call.lab.news(), [], "and nobody was latched to");
    call.talk(1);
    assert_eq!(call.carrier.hear().len(), 1, "the call goes on");
}

#[test]
fn a_replay_is_not_heard_twice_and_draws_nobody_away() {
    let mut call = Call::new(Lab::fair());
    let stranger = stranger(&call);
    let first = call.teams.packet(b"once");
    call.teams.peer.send(call.teams_stream.local, &first);
    call.lab.run(FRAME);
    assert_eq!(call.carrier.hear().len(), 1);
    call.lab.news();
    for _ in 0..3 {
        stranger.send(call.teams_stream.local, &first);
        call.lab
            .network
            .forge(call.teams.address(), call.teams_stream.local, &first);
    }
    all_quiet(&mut call, &stranger);
    assert_eq!(call.lab.dropped(DropReason::Replayed), 6);
    assert_eq!(call.lab.news(), []);
    for _ in 0..200 {
        call.teams.say(&call.teams_stream, b"on");
    }
    call.lab.run(FRAME);
    call.carrier.hear();
    stranger.send(call.teams_stream.local, &first);
    all_quiet(&mut call, &stranger);
    assert_eq!(call.lab.dropped(DropReason::TooOld), 1);
}

#[test]
fn rtp_bleeds_from_no_port() {
    // A stranger sprays a plain port that latches, before and during the call.
    let mut call = Call::new(Lab::fair());
    let latching = StreamSpec {
        source: SourceGate::LatchFirst,
        ..call.carrier_stream.clone()
    };
    call.lab.put(&latching);
    call.talk(2);
    let mut sprayer = Party::new(&call.lab.network, "203.0.113.67:6666", 0x6666);
    for _ in 0..500 {
        sprayer.say(&latching, b"spray");
        call.talk(1);
    }
    assert_eq!(sprayer.hear(), []);
    assert!(
        call.teams
            .hear()
            .iter()
            .all(|sound| sound.payload != b"spray")
    );
    assert_eq!(call.carrier.hear().len(), 502);
    assert_eq!(call.lab.dropped(DropReason::ForeignSource), 500);
}

#[test]
fn rtcp_that_does_not_add_up_is_dropped() {
    let mut call = Call::new(Lab::fair());
    let stranger = stranger(&call);
    let mut rtcp = call.carrier_stream.local;
    rtcp.set_port(rtcp.port() + 1);
    let report: Vec<u8> = [&[0x81, 201, 0, 7][..], &[0; 28]].concat();
    for length in 2..report.len() {
        call.carrier_rtcp.send(rtcp, &report[..length]);
    }
    // A count of 31 blocks in a packet of one, a length beyond the end, padding longer than the packet.
    call.carrier_rtcp
        .send(rtcp, &[&[0x9f, 201, 0, 7][..], &[0; 28]].concat());
    call.carrier_rtcp
        .send(rtcp, &[&[0x81, 201, 0xff, 0xff][..], &[0; 28]].concat());
    call.carrier_rtcp
        .send(rtcp, &[&[0xa1, 201, 0, 7][..], &[0xff; 28]].concat());
    // SRTCP that is none.
    call.lab
        .network
        .forge(call.teams.address(), call.teams_stream.local, &report);
    call.lab
        .network
        .forge(call.teams.address(), call.teams_stream.local, &report[..8]);
    all_quiet(&mut call, &stranger);
    assert_eq!(
        call.lab.dropped(DropReason::MalformedRtcp),
        report.len() as u64 - 2 + 3 + 1
    );
    assert_eq!(call.lab.dropped(DropReason::Unauthenticated), 1);
    assert_eq!(call.lab.statistics(1).received.rtcp, 0);
}

#[test]
fn rtp_on_the_port_for_rtcp_is_dropped() {
    let mut call = Call::new(Lab::fair());
    let mut rtcp = call.carrier_stream.local;
    rtcp.set_port(rtcp.port() + 1);
    let packet = call.carrier.packet(b"astray");
    call.carrier.peer.send(rtcp, &packet);
    call.lab.run(FRAME);
    assert_eq!(call.lab.dropped(DropReason::MisplacedRtp), 1);
}

#[test]
fn two_streams_that_point_at_each_other_do_not_ring() {
    // A misled control links two streams whose remotes are each other's ports.
    let mut lab = Lab::fair();
    let party = Party::new(&lab.network, "192.0.2.1:4000", 1);
    let (mut a, mut b) = (plain(1, &party), plain(2, &party));
    a.remote = Some(media_api::Remote {
        rtp: b.local,
        rtcp: b.local,
    });
    b.remote = Some(media_api::Remote {
        rtp: a.local,
        rtcp: a.local,
    });
    lab.put(&a);
    lab.put(&b);
    lab.link(1, 2);
    let mut insider = Party::new(&lab.network, "192.0.2.9:9", 7);
    let packet = insider.packet(b"round and round");
    lab.network.forge(b.local, a.local, &packet);
    lab.run(Duration::from_secs(1));
    assert_eq!(
        (
            lab.counted(MediaCounter::PacketsRelayed),
            lab.dropped(DropReason::Looped)
        ),
        (1, 1)
    );
}

#[test]
fn a_party_that_returns_what_it_hears_is_heard() {
    let mut call = Call::new(Lab::fair());
    for _ in 0..20 {
        call.teams.say(&call.teams_stream, b"echo");
        call.lab.run(FRAME);
        while let Some(datagram) = call.carrier.peer.receive() {
            call.carrier.peer.send(datagram.from, &datagram.bytes);
        }
    }
    call.lab.run(FRAME);
    assert_eq!(call.teams.hear().len(), 20);
}

#[test]
fn every_packet_ends_in_one_verdict_whatever_it_is() {
    let mut call = Call::new(Lab::fair());
    let mut chance = Chance(0x5eed_0001);
    let mut rtcp = call.carrier_stream.local;
    rtcp.set_port(rtcp.port() + 1);
    let above = call.carrier_rtcp.address();
    let (carrier, teams) = (call.carrier.address(), call.teams.address());
    let ways = [
        (carrier, call.carrier_stream.local),
        (teams, call.teams_stream.local),
        (above, rtcp),
    ];
    let total = 30_000;
    let mut taken_rtcp = 0;
    for n in 0..total {
        let (from, to) = ways[chance.next() as usize % 3];
        let mut bytes = match chance.next() % 4 {
            0 => call.carrier.packet(&[1; 60]),
            1 => call.teams.packet(&[1; 60]),
            2 => [
                &[0x81, 200 + (chance.next() % 8) as u8, 0, 12][..],
                &[7; 48],
            ]
            .concat(),
            _ => (0..chance.next() % 80)
                .map(|_| chance.next() as u8)
                .collect(),
        };
        for _ in 0..chance.next() % 3 {
            let at = chance.next() as usize % bytes.len().max(1);
            if let Some(byte) = bytes.get_mut(at) {
                *byte = chance.next() as u8;
            }
        }
        call.lab.network.forge(from, to, &bytes);
        if n % 20 == 19 {
            call.lab.run(Duration::from_millis(2));
            for peer in [&call.carrier.peer, &call.teams.peer, &call.carrier_rtcp] {
                while peer.receive().is_some() {}
            }
        }
    }
    taken_rtcp += call.lab.statistics(1).received.rtcp + call.lab.statistics(2).received.rtcp;
    let dropped: u64 = DropReason::ALL
        .into_iter()
        .map(|reason| call.lab.dropped(reason))
        .sum();
    let relayed = call.lab.counted(MediaCounter::PacketsRelayed);
    assert_eq!(call.lab.counted(MediaCounter::PacketsReceived), total);
    // RTCP is taken in, and may then still find no way to the other side.
    let accounted = dropped + relayed + taken_rtcp;
    assert!(
        (total..=total + call.lab.dropped(DropReason::NoRemote)).contains(&accounted),
        "{accounted} of {total}"
    );
    assert!(
        relayed > 1_000 && dropped > 1_000,
        "both happen: {relayed} and {dropped}"
    );
    let of_streams: u64 = [1, 2]
        .map(|id| {
            call.lab
                .statistics(id)
                .drops
                .iter()
                .map(|(_, count)| count)
                .sum::<u64>()
        })
        .iter()
        .sum();
    assert_eq!(
        of_streams, dropped,
        "each is counted on its stream and on the box"
    );
}

#[test]
fn news_nobody_takes_are_bounded() {
    // A keyed party that moves with every packet makes an event of each.
    let mut call = Call::new(Lab::fair());
    call.lab.news();
    let homes = ["198.51.100.1:50000", "198.51.100.1:50001"].map(address);
    for n in 0..6_000 {
        let packet = call.teams.packet(b"nomad");
        call.lab
            .network
            .forge(homes[n % 2], call.teams_stream.local, &packet);
        call.lab.network.advance(Duration::from_millis(2));
        call.lab.worker.turn(Duration::from_ticks(0));
    }
    let news = call.lab.news();
    assert_eq!(news.len(), 4_096);
    assert!(
        news.iter()
            .any(|event| matches!(event, Event::Latched { .. }))
    );
    assert!(call.lab.counted(MediaCounter::EventsLost) > 1_800);
}
