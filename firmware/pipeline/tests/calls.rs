//! Audio through the box: what crosses, under which name, and what control is told.
//!
//! Not here: strangers (`hostile.rs`), RTCP (`reports.rs`).

mod kit;

use board::sim::Weather;
use embassy_time::Duration;
use hal::Dscp;
use kit::{Call, FRAME, Lab, Party, address, key, keyed, keying, plain};
use measure::{DropReason, MediaCounter, Refusal};
use media_api::{
    Command, Direction, Event, Millis, Remote, Rtcp, SourceGate, StreamId, StreamSpec, Tone,
};
use media_dsp::srtp::{Limits, Receiver, Sender};

const ONE: StreamId = StreamId(1);
const TWO: StreamId = StreamId(2);

#[test]
fn audio_crosses_both_ways_between_rtp_and_srtp() {
    let mut call = Call::new(Lab::fair());
    call.talk(50);
    let heard = call.teams.hear();
    assert_eq!(heard.len(), 50);
    for (n, sound) in heard.iter().enumerate() {
        assert_eq!(sound.payload, [n as u8; 160]);
        assert_eq!(sound.from, call.teams_stream.local);
        assert_ne!(sound.header.ssrc, 0x1111, "we send under a name of our own");
        assert_eq!(
            (sound.header.ssrc, sound.header.marker),
            (heard[0].header.ssrc, n == 0)
        );
        assert_eq!(
            sound.header.sequence,
            heard[0].header.sequence.wrapping_add(n as u16)
        );
        assert_eq!(
            sound.header.timestamp,
            heard[0].header.timestamp.wrapping_add(160 * n as u32)
        );
    }
    let heard = call.carrier.hear();
    assert_eq!(heard.len(), 50);
    assert!(
        heard
            .iter()
            .enumerate()
            .all(|(n, sound)| sound.payload == [n as u8 ^ 0xff; 160])
    );

    assert_eq!(call.lab.counted(MediaCounter::PacketsRelayed), 100);
    let statistics = call.lab.statistics(2);
    assert_eq!(
        (statistics.received.packets, statistics.received.octets),
        (50, 8_000)
    );
    assert_eq!(
        (statistics.sent.packets, statistics.sent.octets),
        (50, 8_000)
    );
    assert_eq!(
        (statistics.received.lost, statistics.received.sources),
        (0, 1)
    );
    assert_eq!(statistics.drops, []);
}

#[test]
fn voice_is_marked_expedited() {
    // MED-11
    let mut call = Call::new(Lab::fair());
    call.talk(1);
    assert_eq!(
        call.carrier.peer.receive().map(|datagram| datagram.dscp),
        Some(Dscp::EXPEDITED)
    );
    let plain = StreamSpec {
        dscp: 0,
        ..call.carrier_stream.clone()
    };
    call.lab.put(&plain);
    call.talk(1);
    assert_eq!(
        call.carrier.peer.receive().map(|datagram| datagram.dscp),
        Some(Dscp::DEFAULT)
    );
}

#[test]
fn payload_types_become_those_of_the_other_leg() {
    // MED-08, MED-09: telephone-event and comfort noise are in the map, and what is not in it does not pass.
    let mut call = Call::new(Lab::fair());
    for (sent, expected) in [
        (8, Some(8)),
        (0, Some(0)),
        (101, Some(96)),
        (13, Some(13)),
        (18, None),
    ] {
        call.carrier.payload_type = sent;
        call.carrier.say(&call.carrier_stream, &[1, 2, 3, 4]);
        call.lab.run(FRAME);
        let heard: Vec<u8> = call
            .teams
            .hear()
            .iter()
            .map(|sound| sound.header.payload_type)
            .collect();
        assert_eq!(heard, Vec::from_iter(expected), "{sent}");
    }
    assert_eq!(call.lab.dropped(DropReason::UnmappedPayload), 1);
    assert_eq!(
        call.lab.statistics(1).drops,
        [(DropReason::UnmappedPayload, 1)]
    );
}

#[test]
fn the_first_accepted_packet_is_told_once() {
    // INV-17: 183 only when RTP flows, and only authentic RTP is RTP.
    let mut call = Call::new(Lab::fair());
    call.lab
        .network
        .forge(call.teams.address(), call.teams_stream.local, &[0x80; 182]);
    call.lab.run(FRAME);
    assert_eq!(call.lab.news(), []);
    call.talk(3);
    let mut news = call.lab.news();
    news.sort_by_key(|event| format!("{event:?}"));
    assert_eq!(
        news,
        [Event::RtpStarted { id: ONE }, Event::RtpStarted { id: TWO }]
    );
    // The same spec again is the same party.
    call.lab.put(&call.teams_stream.clone());
    call.talk(1);
    assert_eq!(call.lab.news(), []);
}

#[test]
fn another_fork_is_heard_from_anew() {
    // INV-16, INV-17: the next 183 has another address and another key.
    let mut call = Call::new(Lab::fair());
    call.talk(2);
    call.lab.news();
    let before = call
        .carrier
        .hear()
        .last()
        .map(|sound| sound.header.sequence)
        .expect("it was heard");
    let mut fork = Party::keyed(
        &call.lab.network,
        "198.51.100.2:50002",
        0x3333,
        &key(3),
        &key(2),
    );
    fork.sequence = 40_000;
    let remote = Some(Remote {
        rtp: fork.address(),
        rtcp: fork.address(),
    });
    let spec = StreamSpec {
        remote,
        receive: Some(key(3)),
        ..call.teams_stream.clone()
    };
    call.lab.put(&spec);
    fork.say(&spec, b"fork");
    call.lab.run(FRAME);
    assert!(call.lab.news().contains(&Event::RtpStarted { id: TWO }));
    let heard = call.carrier.hear();
    assert_eq!(heard[0].payload, b"fork");
    assert_eq!(
        heard[0].header.sequence,
        before.wrapping_add(1),
        "one stream for the caller"
    );
}

#[test]
fn links_may_come_before_streams() {
    let mut lab = Lab::fair();
    lab.link(1, 2);
    let mut alice = Party::new(&lab.network, "192.0.2.1:4000", 1);
    let mut bob = Party::new(&lab.network, "192.0.2.2:4000", 2);
    let (a, b) = (plain(1, &alice), plain(2, &bob));
    lab.put(&a);
    alice.say(&a, b"too early");
    lab.run(FRAME);
    assert_eq!(lab.dropped(DropReason::NotLinked), 1);
    lab.put(&b);
    alice.say(&a, b"hello");
    lab.run(FRAME);
    assert_eq!(bob.hear()[0].payload, b"hello");
    lab.tell(Command::Unlink {
        a: ONE,
        b: StreamId(9),
    });
    bob.say(&b, b"still there");
    lab.run(FRAME);
    assert_eq!(alice.hear().len(), 1, "unlinking others does nothing");
    lab.tell(Command::Unlink { a: TWO, b: ONE });
    bob.say(&b, b"gone");
    lab.run(FRAME);
    assert_eq!(alice.hear().len(), 0);
}

#[test]
fn a_transfer_goes_on_under_the_same_ssrc() {
    // The kept party hears one stream: first the transferor, then ringback, then the new party.
    let mut call = Call::new(Lab::fair());
    call.talk(10);
    let mut third = Party::new(&call.lab.network, "192.0.2.77:6000", 0x7777);
    let spec = plain(3, &third);
    call.lab.put(&spec);
    call.lab.tell(Command::Tone {
        stream: TWO,
        tone: Some(Tone::Ringback),
    });
    for _ in 0..10 {
        call.carrier.say(&call.carrier_stream, b"covered");
        call.lab.run(FRAME);
    }
    call.lab.link(3, 2);
    call.lab.tell(Command::Tone {
        stream: TWO,
        tone: None,
    });
    for _ in 0..10 {
        third.say(&spec, b"third");
        call.carrier.say(&call.carrier_stream, b"left behind");
        call.lab.run(FRAME);
    }
    let heard = call.teams.hear();
    assert!((28..=32).contains(&heard.len()), "{}", heard.len());
    let ringback = heard
        .iter()
        .filter(|sound| sound.payload.len() == 160 && sound.header.payload_type == 8)
        .count();
    assert!(
        ringback >= 18,
        "ten frames of speech and ten of tone: {ringback}"
    );
    assert_eq!(
        heard
            .iter()
            .filter(|sound| sound.payload == b"third")
            .count(),
        10
    );
    for pair in heard.windows(2) {
        assert_eq!(pair[1].header.ssrc, pair[0].header.ssrc);
        assert_eq!(
            pair[1].header.sequence,
            pair[0].header.sequence.wrapping_add(1)
        );
        let step = pair[1]
            .header
            .timestamp
            .wrapping_sub(pair[0].header.timestamp);
        assert!((160..=480).contains(&step), "{step}");
    }
    assert_eq!(call.lab.dropped(DropReason::CoveredByTone), 10);
    assert_eq!(
        call.lab.dropped(DropReason::NotLinked),
        10,
        "the carrier's leg has lost its peer"
    );
}

#[test]
fn a_tone_is_paced_and_sounds() {
    let mut call = Call::new(Lab::fair());
    call.lab.tell(Command::Tone {
        stream: ONE,
        tone: Some(Tone::Busy),
    });
    call.lab.tell(Command::Tone {
        stream: ONE,
        tone: Some(Tone::Busy),
    });
    call.lab.run(Duration::from_secs(1));
    let heard = call.carrier.hear();
    assert!((49..=51).contains(&heard.len()), "{}", heard.len());
    let silence = media_dsp::codec::Law::A.silence();
    let loud = heard
        .iter()
        .filter(|sound| sound.payload.iter().any(|code| *code ^ silence > 1))
        .count();
    assert!(
        (24..=26).contains(&loud),
        "half a second of tone, half a second of pause: {loud}"
    );
    call.lab.tell(Command::Tone {
        stream: ONE,
        tone: None,
    });
    call.lab.run(FRAME);
    call.carrier.hear();
    call.lab.run(Duration::from_secs(1));
    assert_eq!(call.carrier.hear().len(), 0);
    let deaf = StreamSpec {
        tones: None,
        ..call.carrier_stream.clone()
    };
    call.lab.put(&deaf);
    call.lab.news();
    call.lab.tell(Command::Tone {
        stream: ONE,
        tone: Some(Tone::Busy),
    });
    assert_eq!(
        call.lab.news(),
        [Event::Refused {
            id: ONE,
            reason: Refusal::NoToneCodec
        }]
    );
}

#[test]
fn hold_stops_one_direction_or_both() {
    for (direction, carrier_hears, teams_hears) in [
        (Direction::SendOnly, 1, 0),
        (Direction::RecvOnly, 0, 1),
        (Direction::Inactive, 0, 0),
        (Direction::SendRecv, 1, 1),
    ] {
        let mut call = Call::new(Lab::fair());
        let held = StreamSpec {
            direction,
            ..call.carrier_stream.clone()
        };
        call.lab.put(&held);
        call.talk(1);
        assert_eq!(
            (call.carrier.hear().len(), call.teams.hear().len()),
            (carrier_hears, teams_hears),
            "{direction:?}"
        );
    }
}

#[test]
fn held_srtp_keeps_its_roll_over() {
    // 70,000 packets during hold: the counter has rolled over meanwhile, and after hold everything is heard.
    let mut call = Call::new(Lab::fair());
    let held = StreamSpec {
        direction: Direction::SendOnly,
        ..call.teams_stream.clone()
    };
    call.lab.put(&held);
    for _ in 0..700 {
        for _ in 0..100 {
            call.teams.say(&call.teams_stream, b"held");
        }
        call.lab.run(FRAME);
    }
    assert_eq!(call.lab.dropped(DropReason::NotReceiving), 70_000);
    call.lab.put(&call.teams_stream.clone());
    call.talk(5);
    assert_eq!(call.carrier.hear().len(), 5);
    assert_eq!(call.lab.dropped(DropReason::Unauthenticated), 0);
}

#[test]
fn a_new_key_begins_at_roll_over_zero_and_the_same_key_goes_on() {
    // MED-04: start near the wrap, refresh with the same key after it, re-key, refresh again: no authentication failure.
    let mut call = Call::new(Lab::fair());
    call.teams.sequence = 65_000;
    call.talk(600);
    assert_eq!(call.carrier.hear().len(), 600);
    call.lab.put(&call.teams_stream.clone());
    call.talk(10);
    assert_eq!(
        call.carrier.hear().len(),
        10,
        "the same key keeps its roll-over counter"
    );
    // Teams alone changes its key: only that direction begins anew.
    let rekeyed = StreamSpec {
        receive: Some(key(9)),
        ..call.teams_stream.clone()
    };
    call.lab.put(&rekeyed);
    call.teams.say(&call.teams_stream, b"old key, in flight");
    call.lab.run(FRAME);
    call.teams.sender = Some(Sender::new(keying(&key(9)), Limits::default()));
    call.talk(10);
    assert_eq!(
        call.carrier.hear().len(),
        11,
        "both keys are heard while the party changes over"
    );
    assert_eq!(
        call.teams.hear().len(),
        620,
        "the other direction never noticed"
    );
    // And now ours.
    let both = StreamSpec {
        transmit: Some(key(8)),
        ..rekeyed
    };
    call.lab.put(&both);
    call.teams.receiver = Some(Receiver::new(keying(&key(8)), Limits::default()));
    call.talk(10);
    assert_eq!(
        call.teams.hear().len(),
        10,
        "a fresh receiver follows from roll-over counter 0"
    );
    assert_eq!(call.carrier.hear().len(), 10);
    assert_eq!(call.lab.dropped(DropReason::Unauthenticated), 0);
    // The old key has had its time.
    call.teams.sender = Some(Sender::new(keying(&key(1)), Limits::default()));
    call.lab.run(Duration::from_secs(3));
    call.talk(1);
    assert_eq!(
        (
            call.carrier.hear().len(),
            call.lab.dropped(DropReason::Unauthenticated)
        ),
        (0, 1)
    );
}

#[test]
fn our_own_numbers_may_roll_over() {
    let mut call = Call::new(Lab::fair());
    for _ in 0..1_400 {
        for _ in 0..100 {
            call.carrier.say(&call.carrier_stream, b"long call");
        }
        call.lab.run(FRAME);
        // A party that cannot follow would fail in here.
        assert_eq!(call.teams.hear().len(), 100);
    }
}

#[test]
fn a_party_behind_a_translator_is_followed() {
    let mut call = Call::new(Lab::fair());
    let (mut sender, receiver) = (None, None);
    std::mem::swap(&mut sender, &mut call.teams.sender);
    let mut outside = Party::new(&call.lab.network, "203.0.113.5:61000", 0x2222);
    (outside.sender, outside.receiver) = (sender, receiver);
    call.talk_carrier(1);
    assert_eq!(call.teams.hear().len(), 1, "at first to where it said");
    outside.say(&call.teams_stream, b"I am here");
    call.lab.run(FRAME);
    let latched = Event::Latched {
        id: TWO,
        address: outside.address(),
    };
    assert!(call.lab.news().contains(&latched));
    call.talk_carrier(1);
    assert_eq!(
        (call.teams.hear().len(), outside.peer.receive().is_some()),
        (0, true)
    );
    assert_eq!(call.lab.statistics(2).latched, Some(outside.address()));
}

impl Call {
    fn talk_carrier(&mut self, frames: usize) {
        for _ in 0..frames {
            self.carrier.say(&self.carrier_stream, b"carrier");
            self.lab.run(FRAME);
        }
    }
}

#[test]
fn silence_is_told_once_and_so_is_its_end() {
    // MED-09: 60 s of silence end nothing.
    let mut call = Call::new(Lab::fair());
    let watched = StreamSpec {
        silence_after: Some(Millis(10_000)),
        ..call.teams_stream.clone()
    };
    call.lab.put(&watched);
    call.talk(5);
    call.lab.news();
    call.lab.run(Duration::from_secs(60));
    match call.lab.news()[..] {
        [
            Event::Silent {
                id: TWO,
                since: Millis(since),
            },
        ] => assert!((10_000..10_100).contains(&since), "{since}"),
        ref other => panic!("{other:?}"),
    }
    call.talk(2);
    assert_eq!(call.lab.news(), [Event::Resumed { id: TWO }]);
    // On hold nobody expects to hear anything.
    let held = StreamSpec {
        direction: Direction::SendOnly,
        ..watched
    };
    call.lab.put(&held);
    call.lab.news();
    call.lab.run(Duration::from_secs(60));
    assert_eq!(call.lab.news(), []);
}

#[test]
fn what_cannot_be_is_refused_and_changes_nothing() {
    let mut call = Call::new(Lab::fair());
    let good = call.carrier_stream.clone();
    let other = StreamSpec {
        id: StreamId(5),
        local: address("10.0.0.1:30000"),
        ..good.clone()
    };
    let mut bad_key = key(1);
    bad_key.key = media_api::KeyMaterial::new(&[1; 29]);
    let cases = [
        (
            StreamSpec {
                local: address("10.0.0.1:20999"),
                ..good.clone()
            },
            Refusal::BadAddress,
        ),
        (
            StreamSpec {
                local: address("10.0.0.1:20998"),
                ..good.clone()
            },
            Refusal::MovedAddress,
        ),
        (
            StreamSpec {
                local: address("10.0.0.1:0"),
                ..other.clone()
            },
            Refusal::BadAddress,
        ),
        (
            StreamSpec {
                local: address("0.0.0.0:30000"),
                ..other.clone()
            },
            Refusal::AddressUnavailable,
        ),
        (
            StreamSpec {
                local: good.local,
                ..other.clone()
            },
            Refusal::AddressInUse,
        ),
        (
            StreamSpec {
                remote: Some(Remote {
                    rtp: other.local,
                    rtcp: other.local,
                }),
                ..other.clone()
            },
            Refusal::BadAddress,
        ),
        (
            StreamSpec {
                receive: Some(bad_key.clone()),
                ..good.clone()
            },
            Refusal::BadKey,
        ),
        (
            StreamSpec {
                transmit: Some(bad_key),
                ..other.clone()
            },
            Refusal::BadKey,
        ),
        (
            StreamSpec {
                payloads: [(128, 0)].into_iter().collect(),
                ..good.clone()
            },
            Refusal::BadPayload,
        ),
        (
            StreamSpec {
                payloads: [(0, 200)].into_iter().collect(),
                ..good.clone()
            },
            Refusal::BadPayload,
        ),
        (
            StreamSpec {
                payloads: [(0, 0), (0, 8)].into_iter().collect(),
                ..good.clone()
            },
            Refusal::BadPayload,
        ),
        (
            StreamSpec {
                clock_rate: 0,
                ..other.clone()
            },
            Refusal::BadClock,
        ),
        (
            StreamSpec {
                dscp: 64,
                ..other.clone()
            },
            Refusal::BadDscp,
        ),
    ];
    for (spec, reason) in cases {
        let id = spec.id;
        call.lab.tell(Command::Put(spec));
        assert_eq!(call.lab.news(), [Event::Refused { id, reason }]);
    }
    call.lab.tell(Command::Statistics(StreamId(5)));
    call.lab.tell(Command::Tone {
        stream: StreamId(5),
        tone: Some(Tone::Busy),
    });
    call.lab.link(1, 1);
    let unknown = Event::Refused {
        id: StreamId(5),
        reason: Refusal::UnknownStream,
    };
    assert_eq!(
        call.lab.news(),
        [
            unknown.clone(),
            unknown,
            Event::Refused {
                id: ONE,
                reason: Refusal::SelfLink
            }
        ]
    );
    call.talk(1);
    assert_eq!((call.carrier.hear().len(), call.teams.hear().len()), (1, 1));
    assert_eq!(call.lab.counted(MediaCounter::PortsOpen), 3);
}

#[test]
fn a_full_box_says_so() {
    let mut lab = Lab::fair();
    let party = Party::new(&lab.network, "192.0.2.1:4000", 1);
    for id in 0..100 {
        lab.put(&plain(id, &party));
    }
    lab.tell(Command::Put(plain(100, &party)));
    assert_eq!(
        lab.events.pop(),
        Some(Event::Refused {
            id: StreamId(100),
            reason: Refusal::Full
        })
    );
    assert_eq!(lab.counted(MediaCounter::Streams), 100);
}

#[test]
fn a_removed_stream_leaves_nothing_behind() {
    let mut call = Call::new(Lab::fair());
    call.talk(10);
    call.lab.tell(Command::List);
    assert!(call.lab.news().contains(&Event::Streams(vec![ONE, TWO])));
    call.lab.tell(Command::Remove(TWO));
    match &call.lab.news()[..] {
        [
            Event::Removed {
                id: TWO,
                statistics,
            },
        ] => assert_eq!(statistics.received.packets, 10),
        other => panic!("{other:?}"),
    }
    call.carrier.hear();
    call.talk(1);
    assert_eq!(call.carrier.hear().len(), 0);
    assert_eq!(call.lab.dropped(DropReason::NotLinked), 1);
    call.lab.tell(Command::Remove(ONE));
    call.lab.tell(Command::Remove(ONE));
    match &call.lab.news()[..] {
        [
            Event::Removed { id: ONE, .. },
            Event::Removed {
                id: ONE,
                statistics,
            },
        ] => {
            assert_eq!(**statistics, media_api::Statistics::default());
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(
        (
            call.lab.counted(MediaCounter::Streams),
            call.lab.counted(MediaCounter::PortsOpen)
        ),
        (0, 0)
    );
    // The same addresses serve the next call.
    call.lab.put(&call.carrier_stream.clone());
    call.lab.put(&call.teams_stream.clone());
}

#[test]
fn the_way_of_rtcp_may_change_in_a_call() {
    let mut call = Call::new(Lab::fair());
    let muxed = StreamSpec {
        rtcp: Rtcp::Muxed,
        ..call.carrier_stream.clone()
    };
    call.lab.put(&muxed);
    assert_eq!(call.lab.counted(MediaCounter::PortsOpen), 2);
    call.lab.put(&call.carrier_stream.clone());
    assert_eq!(call.lab.counted(MediaCounter::PortsOpen), 3);
    call.talk(1);
    assert_eq!(call.carrier.hear().len(), 1);
}

#[test]
fn streams_outlive_control_and_orphans_do_not_live_for_ever() {
    let mut call = Call::new(Lab::fair());
    let nobody = Party::new(&call.lab.network, "192.0.2.77:6000", 0x7777);
    call.lab.put(&plain(3, &nobody));
    call.lab.worker.control_left();
    for _ in 0..10 {
        call.lab.run(Duration::from_secs(1_800));
        call.carrier.say(&call.carrier_stream, b"still here");
        call.lab.run(FRAME);
        assert_eq!(
            call.teams.hear().len(),
            1,
            "five hours without control, but not in silence"
        );
    }
    assert_eq!(
        call.lab.counted(MediaCounter::Streams),
        2,
        "the silent one is gone after four, a call in use is not"
    );
    call.lab.worker.control_came();
    call.lab.run(Duration::from_secs(6 * 3_600));
    assert_eq!(
        call.lab.counted(MediaCounter::Streams),
        2,
        "with control nothing goes by itself"
    );
    call.lab.worker.control_left();
    call.lab.run(Duration::from_secs(5 * 3_600));
    assert_eq!(call.lab.counted(MediaCounter::Streams), 0);
}

#[test]
fn a_bad_line_loses_what_it_loses_and_nothing_more() {
    for seed in 1..=8 {
        let mut call = Call::new(Lab::new(seed, Weather::FAIR));
        call.lab.network.turn(Weather::FOUL);
        call.talk(300);
        call.lab.run(Duration::from_secs(1));
        let drops = call.lab.statistics(2).drops;
        let allowed = [DropReason::Replayed, DropReason::Late];
        assert!(
            drops.iter().all(|(reason, _)| allowed.contains(reason)),
            "seed {seed}: {drops:?}"
        );
        let received = call.lab.statistics(2).received.packets;
        let late: u64 = drops
            .iter()
            .filter(|(reason, _)| *reason == DropReason::Late)
            .map(|(_, count)| count)
            .sum();
        assert_eq!(
            call.lab.statistics(1).sent.packets + late,
            received,
            "seed {seed}: what came in goes out"
        );
        assert!((270..=300).contains(&received), "seed {seed}: {received}");
    }
}

#[test]
fn the_same_seed_gives_the_same_call() {
    let run = |seed| {
        let mut call = Call::new(Lab::new(seed, Weather::FOUL));
        call.talk(100);
        call.teams.peer.receive().map(|datagram| datagram.bytes)
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3), run(4));
}

#[test]
fn plain_rtp_latches_to_the_first_by_policy() {
    let mut call = Call::new(Lab::fair());
    let latching = StreamSpec {
        source: SourceGate::LatchFirst,
        ..call.carrier_stream.clone()
    };
    call.lab.put(&latching);
    let mut outside = Party::new(&call.lab.network, "203.0.113.5:61000", 0x5555);
    outside.payload_type = 99;
    outside.say(&latching, b"noise");
    call.lab.run(FRAME);
    assert_eq!(
        call.lab.dropped(DropReason::UnmappedPayload),
        1,
        "whoever comes first must speak the language"
    );
    outside.payload_type = 8;
    outside.say(&latching, b"hello");
    call.teams.say(&call.teams_stream, b"answer");
    call.lab.run(FRAME);
    call.teams.say(&call.teams_stream, b"answer");
    call.lab.run(FRAME);
    assert!(call.lab.news().contains(&Event::Latched {
        id: ONE,
        address: outside.address()
    }));
    assert_eq!(
        outside.hear().last().map(|sound| sound.payload.clone()),
        Some(b"answer".to_vec())
    );
}

#[test]
fn keyed_streams_may_be_put_anew_after_removal() {
    let mut call = Call::new(Lab::fair());
    call.talk(2);
    call.lab.tell(Command::Remove(TWO));
    let fresh = keyed(2, &call.teams, &key(1), &key(2));
    call.lab.put(&fresh);
    call.lab.link(1, 2);
    call.teams.receiver = Some(Receiver::new(keying(&key(2)), Limits::default()));
    call.teams.hear();
    call.talk(2);
    assert_eq!(call.teams.hear().len(), 2);
}
