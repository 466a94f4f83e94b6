//! A burst is its packets one by one: two pipelines of the same seed see the same traffic, one in bursts, one packet after the
//! other, and what leaves, what is counted and what is told is the same.
//!
//! Not here: what should come of it (`calls.rs`, `hostile.rs`), the burst door of SRTP by itself (media-dsp).

mod kit;

use std::net::SocketAddr;

use board::sim::{Network, Ports, Weather};
use embassy_time::{Duration, Instant};
use hal::{BURST, Burst, Marks, PortId, UnixTime};
use kit::{Party, address, key, keyed, plain};
use measure::{DropReason, MediaCounter};
use media_api::{Command, Event, MkiRule, Sdes, SourceGate, StreamId, StreamSpec, Suite};
use media_dsp::rtcp::{Builder, ReportBlock, SenderInfo};
use media_dsp::srtp;
use pipeline::{Moment, Pipeline, Verdict};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// Calls: stream `2n + 1` is the carrier's, `2n + 2` is Teams'.
const CALLS: usize = 6;

/// A pipeline and how its packets go through it.
struct Side {
    pipeline: Pipeline,
    ports: Ports,
    burst: Box<Burst>,
    next: Box<Burst>,
    events: Vec<Event>,
}

/// A packet that left: port, destination, bytes.
type Left = (PortId, SocketAddr, Vec<u8>);

impl Side {
    fn new(network: &Network) -> Self {
        Self {
            pipeline: Pipeline::new(100, [7; 32]),
            ports: Ports::new(network),
            burst: Box::new(Burst::new()),
            next: Box::new(Burst::new()),
            events: Vec::new(),
        }
    }

    fn tell(&mut self, moment: Moment, command: Command) {
        self.pipeline.command(moment, command, 1, &mut self.ports);
        self.listen();
    }

    fn listen(&mut self) {
        self.events
            .extend(std::iter::from_fn(|| self.pipeline.poll()));
    }

    fn fill(&mut self, arrivals: &[Left]) {
        fill(&mut self.burst, arrivals);
        // What is expected next may be anything: it changes nothing.
        fill(&mut self.next, arrivals);
    }

    fn together(&mut self, moment: Moment, arrivals: &[Left]) -> Vec<Left> {
        self.fill(arrivals);
        self.pipeline.burst(moment, &mut self.burst, &self.next);
        self.finish()
    }

    fn one_by_one(&mut self, moment: Moment, arrivals: &[Left]) -> Vec<Left> {
        self.fill(arrivals);
        for place in 0..self.burst.len() {
            let packet = &mut self.burst.packets_mut()[place];
            if self.pipeline.packet(moment, packet) == Verdict::Leaves {
                self.burst.leave(place);
            }
        }
        self.finish()
    }

    fn finish(&mut self) -> Vec<Left> {
        self.pipeline.sent(&self.burst, Marks::NONE);
        self.listen();
        let packets = self.burst.packets();
        self.burst
            .leaving()
            .map(|place| &packets[place])
            .map(|packet| (packet.port, packet.remote, packet.data().to_vec()))
            .collect()
    }
}

fn fill(burst: &mut Burst, arrivals: &[Left]) {
    burst.clear();
    for (packet, (port, from, bytes)) in burst.vacant().iter_mut().zip(arrivals) {
        packet.buffer_mut()[..bytes.len()].copy_from_slice(bytes);
        packet.arrived(*port, *from, bytes.len());
    }
    burst.fill(arrivals.len());
}

/// What both parties of a call need to go on.
struct Call {
    carrier: Party,
    teams: Party,
    teams_stream: StreamSpec,
    material: u8,
}

fn sdes(suite: Suite, byte: u8) -> Sdes {
    let length = match suite {
        Suite::AesCm128HmacSha1_80 | Suite::AesCm128HmacSha1_32 => 30,
        Suite::AesCm256HmacSha1_80 | Suite::AesCm256HmacSha1_32 => 46,
        Suite::AeadAes128Gcm => 28,
        Suite::AeadAes256Gcm => 44,
    };
    Sdes {
        suite,
        key: media_api::KeyMaterial::new(&vec![byte; length]),
        mki: MkiRule::Optional(1),
        lifetime: None,
    }
}

fn sender(sdes: &Sdes) -> srtp::Sender {
    let suite = srtp::Suite::ALL
        .into_iter()
        .find(|suite| suite.name() == name(sdes.suite))
        .expect("the suites are the same");
    let master = srtp::MasterKey::new(suite, sdes.key.as_bytes()).expect("the suite's length");
    srtp::Sender::new(srtp::Keying::new(master), srtp::Limits::default())
}

fn name(suite: Suite) -> &'static str {
    match suite {
        Suite::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
        Suite::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
        Suite::AesCm256HmacSha1_80 => "AES_256_CM_HMAC_SHA1_80",
        Suite::AesCm256HmacSha1_32 => "AES_256_CM_HMAC_SHA1_32",
        Suite::AeadAes128Gcm => "AEAD_AES_128_GCM",
        Suite::AeadAes256Gcm => "AEAD_AES_256_GCM",
    }
}

const SUITES: [Suite; CALLS] = [
    Suite::AesCm128HmacSha1_80,
    Suite::AesCm128HmacSha1_32,
    Suite::AesCm256HmacSha1_80,
    Suite::AesCm256HmacSha1_32,
    Suite::AeadAes128Gcm,
    Suite::AeadAes256Gcm,
];

fn call(network: &Network, number: usize) -> Call {
    let carrier = Party::new(
        network,
        &format!("192.0.2.{}:4000", number + 1),
        0x1000 + number as u32,
    );
    let mut teams = Party::new(
        network,
        &format!("198.51.100.{}:50000", number + 1),
        0x2000 + number as u32,
    );
    let theirs = sdes(SUITES[number], 1);
    teams.sender = Some(sender(&theirs));
    let teams_stream = keyed(
        2 * number as u64 + 2,
        &teams,
        &theirs,
        &sdes(SUITES[number], 2),
    );
    Call {
        carrier,
        teams,
        teams_stream,
        material: 1,
    }
}

fn report(ssrc: u32) -> Vec<u8> {
    let mut report = vec![0; 200];
    let mut builder = Builder::new(&mut report);
    builder
        .sender_report(ssrc, &SenderInfo::default(), &[ReportBlock::default()])
        .expect("it fits");
    let length = builder.finish();
    report.truncate(length);
    report
}

#[test]
fn a_burst_is_its_packets_one_by_one() {
    let network = Network::new(1, Weather::FAIR);
    // Each has the ports to itself.
    let (mut first, mut second) = (
        Side::new(&network),
        Side::new(&Network::new(1, Weather::FAIR)),
    );
    let start = network.now();
    let moment = |turn: u32| Moment {
        now: start + Duration::from_millis(5) * turn,
        wall: UnixTime {
            seconds: 1_800_000_000,
            nanoseconds: 0,
        },
    };
    let mut calls: Vec<Call> = (0..CALLS).map(|number| call(&network, number)).collect();
    for (number, call) in calls.iter().enumerate() {
        let (a, b) = (2 * number as u64 + 1, 2 * number as u64 + 2);
        let commands = [
            Command::Put(StreamSpec {
                source: if number % 2 == 0 {
                    SourceGate::Signalled
                } else {
                    SourceGate::LatchFirst
                },
                ..plain(a, &call.carrier)
            }),
            Command::Put(call.teams_stream.clone()),
            Command::Link {
                a: StreamId(a),
                b: StreamId(b),
            },
        ];
        for command in commands {
            first.tell(moment(0), command.clone());
            second.tell(moment(0), command);
        }
    }
    // Each carrier's stream has two ports, each of Teams' one, in the order in which they were put.
    let carrier_port = |number: usize| PortId(3 * number as u32);
    let teams_port = |number: usize| PortId(3 * number as u32 + 2);

    let mut chance = ChaCha12Rng::seed_from_u64(20_261_123);
    let mut held: Vec<Left> = Vec::new();
    let elsewhere = address("203.0.113.9:6000");
    let mut left = 0;
    for turn in 1..=1_500_u32 {
        let mut arrivals: Vec<Left> = Vec::new();
        let size_of_burst = 1 + chance.next_u32() as usize % BURST;
        while arrivals.len() < size_of_burst {
            let number = chance.next_u32() as usize % CALLS;
            let call = &mut calls[number];
            let size = [160, 160, 160, 20, 33, 240][chance.next_u32() as usize % 6];
            let carrier = call.carrier.address();
            let teams = call.teams.address();
            let arrival = match chance.next_u32() % 32 {
                0 => (
                    carrier_port(number),
                    elsewhere,
                    call.carrier.packet(&vec![1; size]),
                ),
                1 => (
                    teams_port(number),
                    elsewhere,
                    call.teams.packet(&vec![2; size]),
                ),
                2 => {
                    let mut packet = call.teams.packet(&vec![2; size]);
                    let at = chance.next_u32() as usize % packet.len();
                    packet[at] ^= 4;
                    (teams_port(number), teams, packet)
                }
                3 => {
                    // Lost, or late.
                    held.push((teams_port(number), teams, call.teams.packet(&vec![3; size])));
                    continue;
                }
                4 if !held.is_empty() => held.swap_remove(chance.next_u32() as usize % held.len()),
                5 => arrivals
                    .last()
                    .cloned()
                    .unwrap_or_else(|| (PortId(99), teams, vec![0x80; 40])),
                6 => (
                    PortId(carrier_port(number).0 + 1),
                    carrier,
                    report(call.carrier.ssrc),
                ),
                7 => (
                    teams_port(number),
                    teams,
                    vec![chance.next_u32() as u8; size],
                ),
                8..18 => (teams_port(number), teams, call.teams.packet(&vec![4; size])),
                _ => (
                    carrier_port(number),
                    carrier,
                    call.carrier.packet(&vec![5; size]),
                ),
            };
            arrivals.push(arrival);
        }
        if turn % 100 == 0 {
            // MED-04: another key, while packets under the one before are on their way.
            let call = &mut calls[turn as usize / 100 % CALLS];
            call.material = call.material.wrapping_add(2);
            let theirs = sdes(
                call.teams_stream.receive.as_ref().expect("keyed").suite,
                call.material,
            );
            call.teams.sender = Some(sender(&theirs));
            call.teams_stream.receive = Some(theirs);
            for side in [&mut first, &mut second] {
                side.tell(moment(turn), Command::Put(call.teams_stream.clone()));
            }
        }
        let together = first.together(moment(turn), &arrivals);
        let one_by_one = second.one_by_one(moment(turn), &arrivals);
        assert!(together == one_by_one, "turn {turn}");
        assert_eq!(first.events, second.events, "turn {turn}");
        left += together.len();
    }
    for id in 1..=2 * CALLS as u64 {
        first.tell(moment(1_501), Command::Statistics(StreamId(id)));
        second.tell(moment(1_501), Command::Statistics(StreamId(id)));
    }
    assert_eq!(first.events, second.events);
    let (ours, theirs) = (first.pipeline.totals(), second.pipeline.totals());
    for reason in DropReason::ALL {
        assert_eq!(ours.dropped(reason), theirs.dropped(reason), "{reason}");
    }
    assert_eq!(
        ours.counter(MediaCounter::PacketsRelayed),
        theirs.counter(MediaCounter::PacketsRelayed)
    );
    assert!(left > 15_000, "{left} packets left");
    for reason in [
        DropReason::Unauthenticated,
        DropReason::Replayed,
        DropReason::ForeignSource,
    ] {
        assert!(
            ours.dropped(reason) > 50,
            "{reason}: {}",
            ours.dropped(reason)
        );
    }
}

/// A stream of its own key and the one before, both in one burst, in any order.
#[test]
fn packets_under_the_key_before_are_taken_from_a_burst() {
    let network = Network::new(1, Weather::FAIR);
    let mut side = Side::new(&network);
    let moment = Moment {
        now: Instant::from_secs(100),
        wall: UnixTime {
            seconds: 1_800_000_000,
            nanoseconds: 0,
        },
    };
    let carrier = Party::new(&network, "192.0.2.1:4000", 1);
    let mut teams = Party::keyed(&network, "198.51.100.1:50000", 2, &key(1), &key(2));
    let stream = keyed(2, &teams, &key(1), &key(2));
    for command in [
        Command::Put(plain(1, &carrier)),
        Command::Put(stream.clone()),
        Command::Link {
            a: StreamId(1),
            b: StreamId(2),
        },
    ] {
        side.tell(moment, command);
    }
    let from = teams.address();
    let packet = |teams: &mut Party| (PortId(2), from, teams.packet(&[7; 160]));
    let mut arrivals = vec![packet(&mut teams)];
    assert_eq!(side.together(moment, &arrivals).len(), 1);
    arrivals = vec![packet(&mut teams), packet(&mut teams)];
    teams.sender = Some(sender(&key(3)));
    arrivals.extend([packet(&mut teams), packet(&mut teams)]);
    side.tell(
        moment,
        Command::Put(StreamSpec {
            receive: Some(key(3)),
            ..stream
        }),
    );
    assert_eq!(side.together(moment, &arrivals).len(), 4);
}
