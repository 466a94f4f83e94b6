//! The burst door of SRTP: what it gives is what packets one by one would have given.
//!
//! The one-by-one path (RustCrypto's ciphers) is the oracle: outcomes, octets and states are compared over random traffic of
//! several contexts with loss, disorder, repetition, damage, wraps, sources, suites, MKIs and windows. Beside it stand the
//! packets that libsrtp prints for itself.

use media_dsp::rtp::Header;
use media_dsp::srtp::burst::{self, Contexts, Job, MOST};
use media_dsp::srtp::{
    Keying, Lifetime, Limits, MasterKey, Mki, MkiRule, ProtectError, Receiver, Sender, Suite,
    UnprotectError,
};
use proptest::prelude::*;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter_map(|c| c.to_digit(16))
        .map(|digit| digit as u8)
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

fn protect_all(
    senders: &mut [Sender],
    packets: &mut [(usize, Vec<u8>, usize)],
) -> Vec<Result<usize, ProtectError>> {
    let mut jobs: Vec<_> = packets
        .iter_mut()
        .map(|(context, buffer, length)| Job::new(*context, &mut buffer[..], *length))
        .collect();
    burst::protect(senders, &mut jobs);
    jobs.into_iter().map(|job| job.outcome).collect()
}

fn unprotect_all(
    receivers: &mut [Receiver],
    packets: &mut [(usize, Vec<u8>, usize)],
) -> Vec<Result<usize, UnprotectError>> {
    let mut jobs: Vec<_> = packets
        .iter_mut()
        .map(|(context, buffer, length)| Job::new(*context, &mut buffer[..], *length))
        .collect();
    burst::unprotect(receivers, &mut jobs);
    jobs.into_iter().map(|job| job.outcome).collect()
}

/// libsrtp's own check (`srtp_validate` in its test driver): one packet under a known master key.
#[test]
fn the_packets_that_libsrtp_prints() {
    let vectors = [
        (
            Suite::AesCm128HmacSha1_80,
            "e1f97a0d3e018be0d64fa32c06de4139 0ec675ad498afeebb6960b3aabe6",
            "4e55dc4ce79978d88ca4d215949d2402 b78d6acc99ea179b8dbb",
        ),
        (
            Suite::AesCm256HmacSha1_80,
            "f0f04914b513f2763a1b1fa130f10e29 98f6f6e43e4309d1e622a0e332b9f1b6
             3b04803de51ee7c96423ab5b78d2",
            "f1d9de17ff251ff1aa007774b0b4b40d a08d9d9a5b3a55d8873b",
        ),
        (
            Suite::AeadAes128Gcm,
            "000102030405060708090a0b0c0d0e0f a0a1a2a3a4a5a6a7a8a9aaab",
            "c5002ede04cfdd2eb91159e0880aa06e d2976826f796b201df3131a127e8a392",
        ),
    ];
    let plain = hex("800f1234 decafbad cafebabe abababab abababab abababab abababab");
    for (suite, material, protected) in vectors {
        let master = MasterKey::new(suite, &hex(material)).expect("the suite's length");
        let mut senders = [Sender::new(Keying::new(master.clone()), Limits::default())];
        let mut receivers = [Receiver::new(Keying::new(master), Limits::default())];
        // A packet before it, so that the source is known.
        let mut before = plain.clone();
        before[3] = 0x33;
        let expected = [&plain[..12], &hex(protected)].concat();
        let mut packets: Vec<_> = [before, plain.clone()]
            .into_iter()
            .map(|mut packet| {
                packet.resize(64, 0);
                (0, packet, 28)
            })
            .collect();
        let outcomes = protect_all(&mut senders, &mut packets);
        assert_eq!(outcomes, [Ok(expected.len()); 2], "{suite}");
        assert_eq!(packets[1].1[..expected.len()], expected, "{suite}");
        for packet in &mut packets {
            packet.2 = expected.len();
        }
        assert_eq!(
            unprotect_all(&mut receivers, &mut packets),
            [Ok(28); 2],
            "{suite}"
        );
        assert_eq!(packets[1].1[..28], plain, "{suite}");
    }
}

/// What a leg may have agreed on.
#[derive(Debug, Clone)]
struct Leg {
    suite: Suite,
    material: [u8; 46],
    mki: u8,
    window: u16,
    sources: u8,
    lifetime: u64,
}

fn leg() -> impl Strategy<Value = Leg> {
    (
        prop::sample::select(&Suite::ALL[..]),
        any::<[u8; 23]>(),
        0_u8..4,
        prop_oneof![Just(64), Just(128), Just(1_024), Just(32_768)],
        1_u8..3,
        prop_oneof![4 => Just(1 << 48), 1 => 20_u64..60],
    )
        .prop_map(|(suite, half, mki, window, sources, lifetime)| Leg {
            suite,
            material: std::array::from_fn(|at| half[at % 23] ^ (at / 23) as u8),
            mki,
            window,
            sources,
            lifetime,
        })
}

impl Leg {
    fn limits(&self) -> Limits {
        Limits {
            sources: self.sources,
            window: self.window,
        }
    }

    fn keying(&self, mki: MkiRule) -> Keying {
        let length = self.suite.key_len() + self.suite.salt_len();
        Keying {
            master: MasterKey::new(self.suite, &self.material[..length])
                .expect("the suite's length"),
            mki,
            lifetime: Lifetime::packets(self.lifetime),
        }
    }

    fn sender(&self) -> Sender {
        let mki = Mki::new(&[1, 2, 3, 4]).expect("four octets");
        let rule = if self.mki == 0 {
            MkiRule::Absent
        } else {
            MkiRule::Exact(mki)
        };
        Sender::new(self.keying(rule), self.limits())
    }

    fn receiver(&self) -> Receiver {
        let rule = match self.mki {
            0 => MkiRule::Absent,
            1 => MkiRule::Exact(Mki::new(&[1, 2, 3, 4]).expect("four octets")),
            2 => MkiRule::AnyValue(4),
            _ => MkiRule::Optional(4),
        };
        Receiver::new(self.keying(rule), self.limits())
    }
}

/// One packet of random traffic.
#[derive(Debug, Clone)]
struct Step {
    leg: usize,
    /// From the leg's last sequence number.
    jump: i16,
    source: u32,
    payload: usize,
    csrcs: u8,
    extension: u8,
    room: usize,
    fate: Fate,
}

/// What becomes of a packet on its way.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Arrives,
    Lost,
    Twice,
    Damaged(usize),
    Cut(usize),
    WithoutMki,
}

fn step() -> impl Strategy<Value = Step> {
    let fate = prop_oneof![
        10 => Just(Fate::Arrives),
        1 => Just(Fate::Lost),
        1 => Just(Fate::Twice),
        1 => any::<usize>().prop_map(Fate::Damaged),
        1 => any::<usize>().prop_map(Fate::Cut),
        1 => Just(Fate::WithoutMki),
    ];
    (
        0_usize..6,
        prop_oneof![8 => Just(1_i16), 2 => -5_i16..5, 1 => 0_i16..30_000],
        prop_oneof![12 => Just(7_u32), 1 => 0_u32..4],
        prop_oneof![6 => Just(160_usize), 2 => 0_usize..300, 1 => 0_usize..1_300],
        prop_oneof![6 => Just(0_u8), 1 => 0_u8..15],
        prop_oneof![6 => Just(0_u8), 1 => 0_u8..4],
        prop_oneof![8 => Just(128_usize), 1 => 0_usize..30],
        fate,
    )
        .prop_map(
            |(leg, jump, source, payload, csrcs, extension, room, fate)| Step {
                leg,
                jump,
                source,
                payload,
                csrcs,
                extension,
                room,
                fate,
            },
        )
}

impl Step {
    /// The plain packet, without room behind.
    fn packet(&self, sequence: u16) -> Vec<u8> {
        let header = Header {
            marker: false,
            payload_type: 8,
            sequence,
            timestamp: u32::from(sequence) * 160,
            ssrc: self.source,
        };
        let payload: Vec<u8> = (0..self.payload)
            .map(|at| at as u8 ^ sequence as u8)
            .collect();
        let mut packet = vec![0; 12 + self.payload];
        header
            .emit(&payload, &mut packet)
            .expect("it was made for it");
        let mut more = vec![0xc5; 4 * usize::from(self.csrcs)];
        packet[0] |= self.csrcs;
        if self.extension > 0 {
            packet[0] |= 0x10;
            more.extend([0xbe, 0xde, 0, self.extension]);
            more.extend(vec![0xee; 4 * usize::from(self.extension)]);
        }
        packet.splice(12..12, more);
        packet
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn a_burst_is_its_packets_one_by_one(
        legs in prop::collection::vec(leg(), 1..6),
        start in prop_oneof![any::<u16>(), 65_480_u16..=u16::MAX],
        bursts in prop::collection::vec(prop::collection::vec(step(), 1..2 * MOST), 1..4),
    ) {
        let (mut senders, mut lone_senders): (Vec<_>, Vec<_>) =
            legs.iter().map(|leg| (leg.sender(), leg.sender())).unzip();
        let (mut receivers, mut lone_receivers): (Vec<_>, Vec<_>) =
            legs.iter().map(|leg| (leg.receiver(), leg.receiver())).unzip();
        let mut sequence = vec![start; legs.len()];
        for steps in bursts {
            let mut packets: Vec<(usize, Vec<u8>, usize)> = steps.iter().map(|step| {
                let leg = step.leg % legs.len();
                sequence[leg] = sequence[leg].wrapping_add_signed(step.jump);
                let mut buffer = step.packet(sequence[leg]);
                let length = buffer.len();
                buffer.resize(length + step.room, 0x5a);
                (leg, buffer, length)
            }).collect();
            let mut lone = packets.clone();

            let outcomes = protect_all(&mut senders, &mut packets);
            let expected: Vec<_> = lone.iter_mut()
                .map(|(leg, buffer, length)| lone_senders[*leg].protect_rtp(buffer, *length))
                .collect();
            prop_assert_eq!(&outcomes, &expected);
            prop_assert_eq!(&packets, &lone);

            let mut arriving = Vec::new();
            for ((step, outcome), (leg, buffer, _)) in steps.iter().zip(outcomes).zip(packets) {
                let Ok(length) = outcome else { continue };
                let mut packet = (leg, buffer, length);
                match step.fate {
                    Fate::Arrives => arriving.push(packet),
                    Fate::Lost => {}
                    Fate::Twice => arriving.extend([packet.clone(), packet]),
                    Fate::Damaged(at) => {
                        packet.1[at % length] ^= 1 << (at % 8);
                        arriving.push(packet);
                    }
                    Fate::Cut(at) => {
                        packet.2 = at % length;
                        arriving.push(packet);
                    }
                    Fate::WithoutMki => {
                        // The tag of counter mode does not cover the MKI, that of GCM lies before it.
                        if legs[leg].mki > 0 {
                            let tag = legs[leg].suite.rtp_tag_len();
                            let is_aead = matches!(legs[leg].suite, Suite::AeadAes128Gcm | Suite::AeadAes256Gcm);
                            let behind = if is_aead { 0 } else { tag };
                            packet.1.drain(length - behind - 4..length - behind);
                            packet.2 = length - 4;
                        }
                        arriving.push(packet);
                    }
                }
            }
            let mut lone = arriving.clone();
            let outcomes = unprotect_all(&mut receivers, &mut arriving);
            let expected: Vec<_> = lone.iter_mut()
                .map(|(leg, buffer, length)| lone_receivers[*leg].unprotect_rtp(&mut buffer[..*length]))
                .collect();
            prop_assert_eq!(&outcomes, &expected);
            prop_assert_eq!(&arriving, &lone);
            for (one, other) in receivers.iter().zip(&lone_receivers) {
                prop_assert_eq!(one.snapshot(), other.snapshot());
            }
            for (one, other) in senders.iter().zip(&lone_senders) {
                prop_assert_eq!(one.snapshot(), other.snapshot());
            }
        }
    }
}

/// Contexts of which some are not there: legs without keys.
struct Mixed(Vec<Option<Sender>>);

impl Contexts<Sender> for Mixed {
    type Key = usize;

    fn context(&self, key: usize) -> Option<&Sender> {
        self.0[key].as_ref()
    }

    fn context_mut(&mut self, key: usize) -> Option<&mut Sender> {
        self.0[key].as_mut()
    }
}

#[test]
fn a_packet_of_a_leg_without_keys_passes_as_it_is() {
    let suite = Suite::AesCm128HmacSha1_80;
    let keying = Keying::new(MasterKey::new(suite, &[9; 30]).expect("the suite's length"));
    let mut contexts = Mixed(vec![None, Some(Sender::new(keying, Limits::default()))]);
    let mut packet = hex("8008 0001 00000000 00000007 d5d5d5d5");
    packet.resize(64, 0);
    let (mut first, mut second) = (packet.clone(), packet.clone());
    let mut jobs = [
        Job::new(0, &mut first[..], 16),
        Job::new(1, &mut second[..], 16),
    ];
    burst::protect(&mut contexts, &mut jobs);
    assert_eq!(jobs.each_ref().map(|job| job.outcome), [Ok(16), Ok(26)]);
    assert_eq!(first, packet);
    assert_ne!(second, packet);
}

/// Every width, at its edge: the last index inside is accepted once, the first outside is too old.
#[test]
fn windows_of_every_width_end_where_they_say() {
    for window in [64_u16, 128, 192, 256, 320, 1_024, 4_096, 32_768] {
        let suite = Suite::AesCm128HmacSha1_80;
        let keying = Keying::new(MasterKey::new(suite, &[5; 30]).expect("the suite's length"));
        let limits = Limits { sources: 1, window };
        let wide = Limits {
            sources: 1,
            window: 32_768,
        };
        let mut senders = [Sender::new(keying.clone(), wide)];
        let mut receivers = [Receiver::new(keying, limits)];
        let newest = 40_000_u16;
        let numbers = [
            newest - 1,
            newest,
            newest - (window - 1),
            newest - window,
            newest - (window - 1),
            newest,
        ];
        let mut packets: Vec<_> = numbers[..4]
            .iter()
            .map(|number| {
                let header = Header {
                    marker: false,
                    payload_type: 8,
                    sequence: *number,
                    timestamp: 0,
                    ssrc: 1,
                };
                let mut buffer = vec![0; 64];
                let length = header.emit(&[7; 20], &mut buffer).expect("there is room");
                (0, buffer, length)
            })
            .collect();
        // The sender's window has the widest reach, and its oldest index lies just outside of it.
        let outcomes = protect_all(&mut senders, &mut packets);
        for (packet, outcome) in packets.iter_mut().zip(outcomes) {
            packet.2 = outcome.unwrap_or(packet.2);
        }
        let again = [packets[2].clone(), packets[1].clone()];
        packets.extend(again);
        let outcomes = unprotect_all(&mut receivers, &mut packets);
        assert_eq!(outcomes[..3], [Ok(32); 3], "{window}");
        assert_eq!(outcomes[3], Err(UnprotectError::TooOld), "{window}");
        assert_eq!(
            outcomes[4..],
            [Err(UnprotectError::Replayed); 2],
            "{window}"
        );
    }
}
