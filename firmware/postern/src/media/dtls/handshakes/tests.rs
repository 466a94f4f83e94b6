//! Both ends of handshakes in simulated time: over networks that lose, and with parties that mean harm.
//!
//! Both ends are ours here, so that either can be bent; with another make it is `postern/tests/media_dtls.rs`.

use board::sim::{Network, Ports, Weather};
use media_api::{
    Codec, Command, Direction, Fingerprint, Millis, PayloadMap, Rtcp, SourceGate, StreamSpec,
};
use pipeline::{Pipeline, Worker};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::*;
use crate::media::dtls::Identity;

const STREAM: StreamId = StreamId(2);

/// What the pipeline wants for a stream on these terms.
fn begin(terms: Terms) -> Request {
    let network = Network::new(1, Weather::FAIR);
    let ports = Ports::new(&network);
    let mut worker = Worker::new(ports, network.clock(), Pipeline::new(1, [1; 32]), 1);
    worker.command(Command::Put(StreamSpec {
        id: STREAM,
        local: "10.0.0.1:20000".parse().expect("an address"),
        rtcp: Rtcp::Muxed,
        remote: None,
        direction: Direction::SendRecv,
        source: SourceGate::Signalled,
        receive: None,
        transmit: None,
        payloads: PayloadMap::empty(),
        ice: None,
        dtls: Some(Box::new(terms)),
        codec: Codec::G711,
        clock_rate: 8_000,
        tones: None,
        dscp: 46,
        silence_after: Some(Millis(1_000)),
    }));
    worker.request().expect("it is to be begun")
}

/// One end of one handshake.
struct End {
    handshakes: Handshakes,
    association: Association,
    keys: Vec<Keys>,
    failed: Option<Insecurity>,
    octets_heard: usize,
    octets_said: usize,
}

impl End {
    fn new(identity: Identity, handshake: Handshake, party: Fingerprint, now: Instant) -> Self {
        let request = begin(Terms { handshake, party });
        let Request::Begin { association, .. } = request else {
            panic!("{request:?}");
        };
        let mut handshakes = Handshakes::new(identity.certificate);
        handshakes.handle(now, request);
        Self {
            handshakes,
            association,
            keys: Vec::new(),
            failed: None,
            octets_heard: 0,
            octets_said: 0,
        }
    }

    fn hear(&mut self, now: Instant, datagram: &[u8]) {
        self.octets_heard += datagram.len();
        let heard = Request::Heard(self.association, datagram.into());
        self.handshakes.handle(now, heard);
    }

    /// What it wants said.
    fn say(&mut self) -> Vec<Vec<u8>> {
        let mut datagrams = Vec::new();
        while let Some(reply) = self.handshakes.poll() {
            assert_eq!(
                (reply.association, reply.stream),
                (self.association, STREAM)
            );
            match reply.said {
                Said::Datagram(datagram) => {
                    assert_eq!(self.failed, None, "nothing is said afterwards");
                    assert!(datagram.len() < 1_200, "it crosses any network");
                    self.octets_said += datagram.len();
                    datagrams.push(datagram);
                }
                Said::Keys(keys) => self.keys.push(*keys),
                Said::Nothing(reason) => {
                    assert_eq!(self.failed.replace(reason), None, "told once");
                }
            }
        }
        datagrams
    }

    /// Lets time go by until nothing is to be done any more; gives how long that took.
    fn wait(&mut self, now: Instant) -> Duration {
        let mut then = now;
        while let Some(due) = self.handshakes.deadline() {
            assert!(due > then, "time goes on");
            then = due;
            self.handshakes.wake(then);
            self.say();
        }
        then - now
    }
}

/// Who calls whom what.
fn identities() -> (Identity, Identity) {
    let new = || Identity::new().expect("there is randomness");
    (new(), new())
}

/// Two ends that expect each other; the first begins.
fn ends(now: Instant) -> [End; 2] {
    let (one, other) = identities();
    let (first, second) = (one.fingerprint(), other.fingerprint());
    [
        End::new(one, Handshake::Active, second, now),
        End::new(other, Handshake::Passive, first, now),
    ]
}

/// A network between two ends, and what becomes of a datagram there.
struct Between {
    ends: [End; 2],
    flying: Vec<(Instant, usize, Vec<u8>)>,
    now: Instant,
    chance: ChaCha12Rng,
}

impl Between {
    fn new(seed: u64, ends: [End; 2], now: Instant) -> Self {
        Self {
            ends,
            flying: Vec::new(),
            now,
            chance: ChaCha12Rng::seed_from_u64(seed),
        }
    }

    /// Goes on until the network is empty and nobody is to do anything before `until`.
    fn run(
        &mut self,
        until: Instant,
        mut fate: impl FnMut(&mut ChaCha12Rng, Vec<u8>) -> Vec<Vec<u8>>,
    ) {
        loop {
            for from in [0, 1] {
                for datagram in self.ends[from].say() {
                    for arriving in fate(&mut self.chance, datagram) {
                        let delay =
                            Duration::from_millis(u64::from(10 + self.chance.next_u32() % 50));
                        self.flying.push((self.now + delay, 1 - from, arriving));
                    }
                }
            }
            let arrival = self.flying.iter().map(|(at, ..)| *at).min();
            let due = self.ends.iter().filter_map(|end| end.handshakes.deadline());
            let Some(next) = arrival
                .into_iter()
                .chain(due)
                .min()
                .filter(|next| *next <= until)
            else {
                return;
            };
            self.now = next;
            for place in (0..self.flying.len()).rev() {
                if self.flying[place].0 <= next {
                    let (_, to, datagram) = self.flying.remove(place);
                    self.ends[to].hear(next, &datagram);
                }
            }
            for end in &mut self.ends {
                end.handshakes.wake(next);
            }
        }
    }

    /// Both ends have keys, which fit.
    fn is_secured(&self) -> bool {
        match [&self.ends[0].keys[..], &self.ends[1].keys[..]] {
            [[one], [other]] => {
                assert_eq!(one.receive, other.transmit);
                assert_eq!(one.transmit, other.receive);
                assert_ne!(one.receive, one.transmit);
                true
            }
            [one, other] => {
                assert!(one.len() <= 1 && other.len() <= 1, "keys come once");
                false
            }
        }
    }
}

#[test]
fn over_a_network_that_loses_and_disorders_both_get_keys_that_fit() {
    for seed in 0..8 {
        let now = Instant::now();
        let mut between = Between::new(seed, ends(now), now);
        between.run(now + WHOLE, |chance, datagram| {
            let is_lost = chance.next_u32().is_multiple_of(5);
            if is_lost { vec![] } else { vec![datagram] }
        });
        assert!(between.is_secured(), "{seed}");
        assert_eq!([between.ends[0].failed, between.ends[1].failed], [None; 2]);
        // Whoever comes later with a hello of his own changes nothing, and is soon not even listened to.
        let mut late = ends(between.now);
        let hello = late[0].say().concat();
        let later = between.now + LINGER + WHOLE;
        for end in &mut between.ends {
            end.hear(between.now, &hello);
            end.say();
            end.wait(between.now);
            let before = end.octets_said;
            end.hear(later, &hello);
            end.say();
            assert_eq!(
                (end.octets_said, end.keys.len(), end.failed),
                (before, 1, None)
            );
            assert_eq!(end.handshakes.deadline(), None);
        }
    }
}

#[test]
fn damage_gives_no_keys_that_do_not_fit() {
    for seed in 0..60 {
        let now = Instant::now();
        let mut between = Between::new(seed, ends(now), now);
        between.run(now + 2 * WHOLE, |chance, mut datagram| {
            let length = datagram.len();
            let at = chance.next_u32() as usize % length;
            match chance.next_u32() % 16 {
                0 => datagram[at] ^= 1 << (chance.next_u32() % 8),
                1 => datagram.truncate(at),
                2 => datagram[at] = 0xff,
                3 => datagram.extend_from_within(at..),
                4 => return vec![datagram.clone(), datagram],
                5 => return vec![datagram.split_off(at), datagram],
                _ => {}
            }
            vec![datagram]
        });
        between.is_secured();
        for end in &mut between.ends {
            end.wait(now + 2 * WHOLE);
            assert!(
                end.keys.len() == 1 || end.failed.is_some(),
                "it has an end, {seed}"
            );
        }
    }
}

#[test]
fn another_certificate_than_the_expected_one_gives_no_keys_and_nothing_more_is_said() {
    for bent in [0, 1] {
        let now = Instant::now();
        let (one, other) = identities();
        let mut parties = [other.fingerprint(), one.fingerprint()];
        parties[bent] = identities().0.fingerprint();
        let ends = [
            End::new(one, Handshake::Active, parties[0], now),
            End::new(other, Handshake::Passive, parties[1], now),
        ];
        let mut between = Between::new(1, ends, now);
        between.run(now + 2 * WHOLE, |_, datagram| vec![datagram]);
        let end = &between.ends[bent];
        assert_eq!(end.failed, Some(Insecurity::WrongCertificate));
        assert!(end.keys.is_empty());
    }
}

#[test]
fn a_forged_address_is_answered_with_less_than_it_says() {
    let now = Instant::now();
    let [mut caller, mut end] = ends(now);
    let hello = caller.say().concat();
    for millisecond in 0..100 {
        end.hear(now + Duration::from_millis(millisecond), &hello);
    }
    end.say();
    assert!(
        end.octets_said < end.octets_heard,
        "{} for {}",
        end.octets_said,
        end.octets_heard
    );
    assert_eq!(end.failed, None);
}

#[test]
fn a_handshake_that_is_left_is_given_up_and_costs_little_until_then() {
    let now = Instant::now();
    // Where nobody ever answers.
    let [mut caller, _] = ends(now);
    caller.say();
    assert!(caller.wait(now) <= WHOLE + PACE);
    assert_eq!(caller.failed, Some(Insecurity::Broken));
    assert!(caller.octets_said < 16 * 1_200, "{}", caller.octets_said);
    // Where the party goes away after it has shown where it is.
    for until in 1..8 {
        let mut between = Between::new(until, ends(now), now);
        let mut crossed = 0;
        between.run(now + Duration::from_secs(2), |_, datagram| {
            crossed += 1;
            if crossed > until {
                vec![]
            } else {
                vec![datagram]
            }
        });
        for end in &mut between.ends {
            let waited = end.wait(between.now);
            assert!(waited <= WHOLE + LINGER && (end.keys.len() == 1 || end.failed.is_some()));
            assert!(end.octets_said < 50 * 1_200, "{}", end.octets_said);
        }
    }
    // Nobody has to wait for that.
    let [mut caller, _] = ends(now);
    caller.say();
    caller
        .handshakes
        .handle(now, Request::End(caller.association));
    assert_eq!(caller.handshakes.deadline(), None);
    caller.hear(now, &[22; 100]);
    assert!(caller.say().is_empty() && caller.failed.is_none());
}

/// A record of DTLS 1.2 with a piece of a hello that is said to be as long as can be.
fn piece(number: u16, offset: u32) -> Vec<u8> {
    let body = [0xee; 400];
    let mut record = vec![22, 254, 253, 0, 0, 0, 0, 0, 0];
    record.extend(number.to_be_bytes());
    record.extend((body.len() as u16 + 12).to_be_bytes());
    record.extend([1, 0xff, 0xff, 0xff, 0, 0]);
    record.extend(&offset.to_be_bytes()[1..]);
    record.extend(&(body.len() as u32).to_be_bytes()[1..]);
    record.extend(body);
    record
}

/// The `number`th datagram of a flood of a kind.
fn flood(kind: u8, number: u16, hello: &[u8], chance: &mut ChaCha12Rng) -> Vec<u8> {
    match kind {
        // Pieces that never meet, so that all would have to be kept.
        0 => piece(number, 1_000 * u32::from(number) + 7),
        // The first piece again and again.
        1 => piece(number, 0),
        // Many records in one.
        2 => {
            let records = (0..3).flat_map(|at| piece(3 * number + at, 400 * u32::from(at)));
            records.collect()
        }
        // Hellos that nobody goes on from.
        3 => hello.to_vec(),
        _ => {
            let mut noise = vec![0; 13 + chance.next_u32() as usize % 1_400];
            chance.fill_bytes(&mut noise);
            // What looks like the beginning of a handshake.
            noise[0] = 20 + noise[0] % 44;
            noise[1..5].copy_from_slice(&[254, 253, 0, 0]);
            noise
        }
    }
}

#[test]
fn floods_are_answered_with_less_than_they_say_and_keep_nobody_from_shaking_hands() {
    let mut chance = ChaCha12Rng::seed_from_u64(5_763);
    for kind in 0..5 {
        let now = Instant::now();
        let hello = ends(now)[0].say().concat();
        let mut between = Between::new(1, ends(now), now);
        let calls: Vec<_> = between.ends.iter_mut().flat_map(End::say).collect();
        let before = between.ends.each_ref().map(|end| end.octets_said);
        for (end, before) in between.ends.iter_mut().zip(before) {
            for number in 0..2_000 {
                end.hear(now, &flood(kind, number, &hello, &mut chance));
                let answers = end.say();
                assert!(answers.len() < 16, "{}", answers.len());
            }
            let said = end.octets_said - before;
            assert!(said <= end.octets_heard, "{kind}: {said}");
            assert!(end.keys.is_empty() && end.failed.is_none(), "{kind}");
        }
        between
            .flying
            .extend(calls.into_iter().map(|call| (now, 1, call)));
        between.run(now + WHOLE, |_, datagram| vec![datagram]);
        eprintln!(
            "KIND {kind} {:?}",
            between.ends.each_ref().map(|e| (
                e.octets_heard,
                e.octets_said,
                e.keys.len(),
                e.failed
            ))
        );
        assert!(between.is_secured(), "{kind}");
    }
}
