//! Several workers on a simulated network, seen as one; in what order they get to work is chance.
//!
//! Not here: threads (`tests/media.rs` starts the process).

use std::collections::BTreeSet;
use std::net::SocketAddr;

use board::sim::{Clock, Given, Network, Peer, Ports, Weather};
use embassy_time::Duration;
use media_api::{Codec, Direction, PayloadMap, Remote, Rtcp, SourceGate, StreamSpec, Tone};
use pipeline::Pipeline;
use proptest::prelude::*;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::*;

struct Media {
    network: Network,
    shards: Shards<Given>,
    workers: Vec<Worker<Ports, Clock>>,
    chance: ChaCha12Rng,
    told: Vec<Event>,
}

impl Media {
    fn of(count: u8, seed: u64) -> Self {
        let network = Network::new(seed, Weather::FAIR);
        let workers = (0..count).map(|number| {
            let pipeline = Pipeline::new(1_000, [number; 32]).numbered(number);
            Worker::new(Ports::new(&network), network.clock(), pipeline, 1)
        });
        let mut media = Self {
            workers: workers.collect(),
            shards: Shards::new(NonZeroU8::new(count).expect("some")),
            chance: ChaCha12Rng::seed_from_u64(seed),
            network,
            told: Vec::new(),
        };
        media.shards.came();
        media
    }

    /// One of the workers does one thing; false when none has anything to do.
    fn step(&mut self) -> bool {
        let count = self.workers.len();
        let first = self.chance.next_u32() as usize % count;
        for worker in (0..count).map(|step| (first + step) % count) {
            let Some(order) = self.shards.orders(worker).pop_front() else {
                continue;
            };
            let tiding = order.carry_out(&mut self.workers[worker]);
            self.hear(worker, tiding);
            return true;
        }
        false
    }

    fn hear(&mut self, worker: usize, tiding: Option<Tiding<Given>>) {
        let number = worker as u8;
        if let Some(tiding) = tiding {
            self.shards.hear(number, tiding);
        }
        while let Some(event) = self.workers[worker].poll() {
            self.shards.hear(number, Tiding::Event(event));
        }
        self.told.extend(std::iter::from_fn(|| self.shards.poll()));
    }

    fn settle(&mut self) -> Vec<Event> {
        self.told.extend(std::iter::from_fn(|| self.shards.poll()));
        while self.step() {}
        assert!(!self.shards.is_behind());
        std::mem::take(&mut self.told)
    }

    fn tell(&mut self, command: Command) -> Vec<Event> {
        self.shards.command(command);
        self.settle()
    }

    fn run(&mut self) {
        self.network.advance(Duration::from_millis(5));
        for worker in 0..self.workers.len() {
            self.workers[worker].turn(Duration::from_ticks(0));
            self.hear(worker, None);
        }
        self.network.advance(Duration::from_millis(5));
    }

    /// The workers that have a stream.
    fn holders(&self, id: u64) -> Vec<usize> {
        let holds = |worker: &usize| self.workers[*worker].holds(StreamId(id));
        (0..self.workers.len()).filter(holds).collect()
    }
}

fn local(id: u64) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], 20_000 + 2 * id as u16))
}

fn party(id: u64) -> SocketAddr {
    SocketAddr::from(([10, 0, 1, 1], 30_000 + 2 * id as u16))
}

fn spec(id: u64) -> StreamSpec {
    let rtp = party(id);
    StreamSpec {
        id: StreamId(id),
        local: local(id),
        rtcp: Rtcp::Separate,
        remote: Some(Remote {
            rtp,
            rtcp: SocketAddr::new(rtp.ip(), rtp.port() + 1),
        }),
        direction: Direction::SendRecv,
        source: SourceGate::Signalled,
        ice: None,
        dtls: None,
        receive: None,
        transmit: None,
        payloads: [(0, 0)].into_iter().collect::<PayloadMap>(),
        codec: Codec::G711,
        clock_rate: 8_000,
        tones: None,
        dscp: 46,
        silence_after: None,
    }
}

fn link(a: u64, b: u64) -> Command {
    Command::Link {
        a: StreamId(a),
        b: StreamId(b),
    }
}

/// Says something and gives what the other party hears of it.
fn say(media: &mut Media, from: &Peer, from_id: u64, to: &Peer, number: u16) -> Option<Vec<u8>> {
    let mut packet = vec![0x80, 0];
    packet.extend(number.to_be_bytes());
    packet.extend((u32::from(number) * 160).to_be_bytes());
    packet.extend((from_id as u32).to_be_bytes());
    packet.extend([number as u8; 160]);
    from.send(local(from_id), &packet);
    media.run();
    to.receive().map(|datagram| datagram.bytes[12..].to_vec())
}

#[test]
fn streams_that_are_linked_come_together_and_hear_each_other() {
    let mut media = Media::of(3, 7);
    let peers: Vec<Peer> = (0..6).map(|id| media.network.peer(party(id))).collect();
    for id in 0..6 {
        assert_eq!(media.tell(Command::Put(spec(id))), []);
        assert_eq!(
            media.holders(id),
            [(10_000 + id as usize) % 3],
            "as its port says"
        );
    }
    assert_eq!(media.tell(link(0, 1)), []);
    assert_eq!((media.holders(0), media.holders(1)), (vec![1], vec![1]));
    for (from, to) in [(0, 1), (1, 0)] {
        let heard = say(&mut media, &peers[from], from as u64, &peers[to], 5);
        assert_eq!(heard, Some(vec![5; 160]), "{from} to {to}");
    }
    // A transfer: another takes the place of the first, and that one's own link is gone.
    media.tell(link(4, 5));
    assert_eq!(media.tell(link(5, 1)), []);
    assert_eq!(media.holders(1), media.holders(5));
    assert_eq!(
        say(&mut media, &peers[5], 5, &peers[1], 9),
        Some(vec![9; 160])
    );
    assert_eq!(
        say(&mut media, &peers[1], 1, &peers[5], 9),
        Some(vec![9; 160])
    );
    assert_eq!(say(&mut media, &peers[0], 0, &peers[1], 6), None);
    assert_eq!(say(&mut media, &peers[4], 4, &peers[5], 6), None);
    // Numbers go on: what the party has heard before is counted in the same stream.
    let events = media.tell(Command::Statistics(StreamId(1)));
    let Some(Event::Statistics { statistics, .. }) = events.last() else {
        panic!("{events:?}");
    };
    assert_eq!(
        (statistics.received.packets, statistics.sent.packets),
        (2, 2)
    );
}

#[test]
fn a_link_is_remembered_for_those_who_are_yet_to_come() {
    let mut media = Media::of(2, 1);
    let (one, other) = (media.network.peer(party(0)), media.network.peer(party(1)));
    media.tell(link(0, 1));
    media.tell(Command::Put(spec(0)));
    media.tell(Command::Put(spec(1)));
    assert_eq!(media.holders(0), media.holders(1));
    assert_eq!(say(&mut media, &one, 0, &other, 3), Some(vec![3; 160]));
    assert_eq!(say(&mut media, &other, 1, &one, 3), Some(vec![3; 160]));
    // A port that has been elsewhere is opened at home again.
    for id in [0, 1] {
        media.tell(Command::Remove(StreamId(id)));
        assert!(media.holders(id).is_empty());
        media.tell(Command::Put(spec(id)));
        assert_eq!(media.holders(id), [id as usize]);
    }
}

#[test]
fn what_all_answer_is_told_once_and_in_its_order() {
    let mut media = Media::of(4, 3);
    for id in 0..8 {
        media.shards.command(Command::Put(spec(id)));
    }
    media.shards.command(Command::Put(StreamSpec {
        local: local(0),
        ..spec(99)
    }));
    media.shards.command(Command::Ping);
    media.shards.command(Command::List);
    media.shards.command(Command::Ping);
    let events = media.settle();
    let [
        Event::Refused {
            id: StreamId(99), ..
        },
        rest @ ..,
    ] = &events[..]
    else {
        panic!("{events:?}");
    };
    let lists = rest.iter().filter_map(|event| match event {
        Event::Streams(ids) => Some(ids.iter().map(|id| id.0).collect::<BTreeSet<_>>()),
        _ => None,
    });
    assert_eq!(lists.collect::<Vec<_>>(), [(0..8).collect::<BTreeSet<_>>()]);
    assert_eq!(
        rest.iter().filter(|event| **event == Event::Pong).count(),
        2
    );
    assert_eq!((rest.len(), &rest[0]), (3, &Event::Pong));
    // What was refused is nowhere: it may be put elsewhere.
    media.tell(Command::Put(spec(99)));
    assert_eq!(media.holders(99), [99 % 4]);
}

#[test]
fn answers_to_a_control_that_is_gone_are_not_told_to_the_next() {
    let mut media = Media::of(2, 5);
    media.settle();
    media.shards.command(Command::Ping);
    media.shards.command(Command::Remove(StreamId(7)));
    media.step();
    media.shards.left();
    media.shards.came();
    media.shards.command(Command::Ping);
    assert_eq!(media.settle(), [Event::Pong]);
}

#[test]
fn what_is_not_here_is_refused_and_breaks_nothing() {
    let mut media = Media::of(2, 9);
    for command in [
        Command::Statistics(StreamId(5)),
        Command::Tone {
            stream: StreamId(5),
            tone: Some(Tone::Ringback),
        },
        link(5, 5),
    ] {
        let events = media.tell(command);
        assert!(
            matches!(
                &events[..],
                [Event::Refused {
                    id: StreamId(5),
                    ..
                }]
            ),
            "{events:?}"
        );
    }
    // One that leaves while it is being fetched.
    media.tell(Command::Put(spec(0)));
    media.tell(Command::Put(spec(1)));
    media.shards.command(Command::Remove(StreamId(1)));
    media.shards.command(link(0, 1));
    media.shards.command(Command::Put(spec(1)));
    media.settle();
    assert_eq!(media.holders(1), [0]);
}

#[derive(Debug, Clone)]
enum Said {
    Put(u64),
    Link(u64, u64),
    Unlink(u64, u64),
    Remove(u64),
    Step,
}

fn said() -> impl Strategy<Value = Said> {
    let id = || 0..12_u64;
    prop_oneof![
        3 => id().prop_map(Said::Put),
        3 => (id(), id()).prop_map(|(a, b)| Said::Link(a, b)),
        1 => (id(), id()).prop_map(|(a, b)| Said::Unlink(a, b)),
        1 => id().prop_map(Said::Remove),
        4 => Just(Said::Step),
    ]
}

proptest! {
    /// Whatever is said, and whoever works first: each stream that is to be there is there once, and those that are linked are
    /// together and hear each other, as with one worker.
    #[test]
    fn several_workers_do_as_one_would(said in prop::collection::vec(said(), 1..60), seed: u64, workers in 2..5_u8) {
        let mut media = Media::of(workers, seed);
        let mut alone = Media::of(1, seed);
        for said in said {
            let command = match said {
                Said::Put(id) => Command::Put(spec(id)),
                Said::Link(a, b) => link(a, b),
                Said::Unlink(a, b) => Command::Unlink { a: StreamId(a), b: StreamId(b) },
                Said::Remove(id) => Command::Remove(StreamId(id)),
                Said::Step => {
                    media.step();
                    continue;
                }
            };
            media.shards.command(command.clone());
            // Control lets a port rest before it uses it again.
            if matches!(command, Command::Remove(_)) {
                media.settle();
            }
            alone.tell(command);
        }
        media.settle();
        for id in 0..12 {
            prop_assert_eq!(media.holders(id).len(), alone.holders(id).len());
        }
        let several: Vec<Peer> = (0..12).map(|id| media.network.peer(party(id))).collect();
        let one: Vec<Peer> = (0..12).map(|id| alone.network.peer(party(id))).collect();
        for from in 0..12 {
            for (media, peers) in [(&mut media, &several), (&mut alone, &one)] {
                let mut packet = vec![0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, from as u8];
                packet.extend([from as u8; 160]);
                peers[from].send(local(from as u64), &packet);
                media.run();
            }
            for to in 0..12 {
                let heard = |peer: &Peer| peer.receive().map(|datagram| datagram.bytes[12..].to_vec());
                prop_assert_eq!(heard(&several[to]), heard(&one[to]), "{} to {}", from, to);
            }
        }
    }
}
