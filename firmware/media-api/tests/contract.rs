//! The bytes of every variant as they were when the version was last raised.
//!
//! When this fails, the contract has changed. Raise `media_api::VERSION` and write the new bytes:
//! `WRITE_CONTRACT=1 cargo test -p media-api --test contract`. The file is named after the version, so an old one stays for
//! comparison until it is removed by hand, and bytes of one version are never overwritten by accident.
//!
//! Not here: the page of counters, whose layout asserts itself in `shared.rs`.

use std::fmt::Write as _;
use std::num::NonZeroU8;
use std::path::PathBuf;

use measure::{DropReason, Insecurity, MediaCounter, Refusal};
use media_api::{
    Codec, Command, Direction, Dtls, Event, Fingerprint, Frame, Handshake, Ice, KeyMaterial, Law,
    Metrics, Millis, MkiRule, PayloadMap, PeerReport, Quality, Received, Region, Remote, Rtcp,
    Sdes, Sent, SourceGate, Statistics, StreamId, StreamSpec, Suite, Tone, ToneFormat, VERSION,
    Version, encode,
};

fn spec() -> StreamSpec {
    StreamSpec {
        id: StreamId(0x0102_0304_0506_0708),
        local: "192.0.2.1:20000".parse().expect("an address"),
        rtcp: Rtcp::Separate,
        remote: Some(Remote {
            rtp: "[2001:db8::1]:50000".parse().expect("an address"),
            rtcp: "[2001:db8::1]:50001".parse().expect("an address"),
        }),
        direction: Direction::SendRecv,
        source: SourceGate::LatchAuthenticated,
        ice: Some(Box::new(Ice {
            name: "8hhY".to_owned(),
            password: "asd88fgpdd777uzjYhagZg".to_owned(),
            party: Some("9uB6".to_owned()),
        })),
        dtls: None,
        receive: Some(Sdes {
            suite: Suite::AesCm128HmacSha1_80,
            key: KeyMaterial::new(&[7; 30]),
            mki: MkiRule::Optional(4),
            lifetime: Some(1 << 31),
        }),
        transmit: Some(Sdes {
            suite: Suite::AeadAes256Gcm,
            key: KeyMaterial::new(&[9; 44]),
            mki: MkiRule::Exact(vec![0, 0, 0, 1]),
            lifetime: None,
        }),
        payloads: [(0, 0), (8, 8), (101, 96), (13, 13)].into_iter().collect(),
        codec: Codec::G711,
        clock_rate: 8_000,
        tones: Some(ToneFormat {
            payload_type: 8,
            law: Law::A,
            region: Region::NorthAmerica,
        }),
        dscp: 46,
        silence_after: Some(Millis(30_000)),
    }
}

fn commands() -> Vec<Command> {
    let (a, b) = (StreamId(1), StreamId(300));
    let mut commands = vec![
        Command::Hello {
            version: Version(1),
        },
        Command::Put(spec()),
        Command::Link { a, b },
        Command::Unlink { a, b },
        Command::Remove(a),
        Command::Tone {
            stream: a,
            tone: None,
        },
        Command::List,
        Command::Statistics(b),
        Command::Ping,
    ];
    for tone in [Tone::Ringback, Tone::Busy, Tone::Congestion] {
        commands.push(Command::Tone {
            stream: a,
            tone: Some(tone),
        });
    }
    for (direction, source, rtcp, law, region) in [
        (
            Direction::SendOnly,
            SourceGate::Signalled,
            Rtcp::Muxed,
            Law::Mu,
            Region::Europe,
        ),
        (
            Direction::RecvOnly,
            SourceGate::LatchFirst,
            Rtcp::Separate,
            Law::A,
            Region::UnitedKingdom,
        ),
        (
            Direction::Inactive,
            SourceGate::LatchFirst,
            Rtcp::Separate,
            Law::A,
            Region::France,
        ),
        (
            Direction::Inactive,
            SourceGate::LatchFirst,
            Rtcp::Separate,
            Law::A,
            Region::Brazil,
        ),
        (
            Direction::Inactive,
            SourceGate::LatchFirst,
            Rtcp::Separate,
            Law::A,
            Region::Australia,
        ),
    ] {
        let tones = Some(ToneFormat {
            payload_type: 0,
            law,
            region,
        });
        commands.push(Command::Put(StreamSpec {
            direction,
            source,
            rtcp,
            tones,
            remote: None,
            ice: None,
            dtls: Some(Box::new(Dtls {
                handshake: Handshake::Passive,
                party: Fingerprint([0xd1; 32]),
            })),
            receive: None,
            transmit: None,
            payloads: PayloadMap::empty(),
            silence_after: None,
            ..spec()
        }));
    }
    for codec in [Codec::G722, Codec::G729] {
        commands.push(Command::Put(StreamSpec { codec, ..spec() }));
    }
    for (suite, mki) in [
        (Suite::AesCm128HmacSha1_32, MkiRule::Absent),
        (Suite::AesCm256HmacSha1_80, MkiRule::AnyValue(2)),
        (Suite::AesCm256HmacSha1_32, MkiRule::Absent),
        (Suite::AeadAes128Gcm, MkiRule::Absent),
    ] {
        let receive = Some(Sdes {
            suite,
            key: KeyMaterial::new(&[1, 2, 3]),
            mki,
            lifetime: None,
        });
        commands.push(Command::Put(StreamSpec { receive, ..spec() }));
    }
    commands
}

fn events() -> Vec<Event> {
    let id = StreamId(0xffff_ffff_ffff_ffff);
    let statistics = Statistics {
        received: Received {
            packets: 1,
            octets: 2,
            lost: 3,
            disordered: 4,
            holes: 2,
            jitter: 5,
            max_jitter: 6,
            sources: 7,
            rtcp: 8,
        },
        sent: Sent {
            packets: 9,
            octets: 10,
            rtcp: 11,
        },
        peer_report: Some(PeerReport {
            fraction_lost: 12,
            lost: -13,
            jitter: 14,
            round_trip: Some(15),
        }),
        metrics: Some(Metrics {
            loss_rate: 1,
            discard_rate: 2,
            burst_density: 3,
            gap_density: 4,
            burst_duration: 500,
            gap_duration: 600,
            round_trip: Some(700),
            end_system_delay: Some(80),
            buffer: 60,
            rating: Some(93),
            listening_opinion: Some(44),
            conversing_opinion: None,
        }),
        incoming: Some(Quality {
            rating: 932,
            opinion: 441,
            burst_ratio: 100,
            delay: 60_000,
        }),
        outgoing: None,
        latched: Some("198.51.100.7:4000".parse().expect("an address")),
        drops: DropReason::ALL
            .into_iter()
            .map(|reason| (reason, reason.index() as u64 + 16))
            .collect(),
    };
    let mut events = vec![
        Event::Hello {
            version: Version(1),
            pid: 4711,
            capacity: 16_384,
        },
        Event::Certificate(Fingerprint([0xce; 32])),
        Event::Workers(NonZeroU8::MIN),
        Event::Secured { id },
        Event::RtpStarted { id },
        Event::Latched {
            id,
            address: "198.51.100.7:4000".parse().expect("an address"),
        },
        Event::Silent {
            id,
            since: Millis(30_000),
        },
        Event::Resumed { id },
        Event::Statistics {
            id,
            statistics: Box::new(statistics),
        },
        Event::Streams(vec![StreamId(1), StreamId(300)]),
        Event::Removed {
            id,
            statistics: Box::default(),
        },
        Event::Pong,
    ];
    events.extend(
        Insecurity::ALL
            .into_iter()
            .map(|reason| Event::Insecure { id, reason }),
    );
    events.extend(
        Refusal::ALL
            .into_iter()
            .map(|reason| Event::Refused { id, reason }),
    );
    events
}

fn print<T: Frame>(messages: &[T], out: &mut String) {
    for message in messages {
        let mut frame = Vec::new();
        encode(message, &mut frame).expect("a sample fits a frame");
        for byte in frame {
            write!(out, "{byte:02x}").expect("a string takes all");
        }
        out.push('\n');
    }
}

#[test]
fn contract_has_not_changed_without_its_version() {
    let mut now = String::new();
    print(&commands(), &mut now);
    print(&events(), &mut now);
    for counter in MediaCounter::ALL {
        writeln!(now, "counter {} {}", counter.index(), counter).expect("a string takes all");
    }
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/contract/v{VERSION}.txt"));
    if std::env::var_os("WRITE_CONTRACT").is_some() && !path.exists() {
        std::fs::write(&path, &now).expect("the folder is writable");
    }
    let then = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        then == now,
        "the contract has changed: raise VERSION and write {}",
        path.display()
    );
}

#[test]
fn every_message_survives_the_journey() {
    fn journey<T: Frame + PartialEq + std::fmt::Debug>(messages: &[T]) {
        let mut bytes = Vec::new();
        for message in messages {
            encode(message, &mut bytes).expect("a sample fits a frame");
        }
        for size in [1, 3, 64, bytes.len()] {
            let mut decoder = media_api::Decoder::<T>::new();
            let mut arrived = Vec::new();
            for piece in bytes.chunks(size) {
                decoder.push(piece);
                while let Some(message) = decoder.poll().expect("our own frames are good") {
                    arrived.push(message);
                }
            }
            assert_eq!(arrived, messages, "in pieces of {size}");
        }
    }
    journey(&commands());
    journey(&events());
}

#[test]
fn keys_are_never_printed() {
    let text = format!("{:?}", commands());
    assert!(
        !text.contains("asd88fg") && !text.contains("7, 7, 7") && !text.contains("9, 9, 9"),
        "{text}"
    );
}
