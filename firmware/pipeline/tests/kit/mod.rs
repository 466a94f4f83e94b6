//! A worker on a simulated network, and parties that talk through it.
//!
//! Not here: what should come of it (the tests).
#![allow(dead_code, reason = "each test file uses its part of the kit")]

use std::net::SocketAddr;

use board::sim::{Clock, Network, Peer, Ports, Weather};
use embassy_time::Duration;
use measure::{DropReason, MediaCounter};
use media_api::{
    Command, Direction, Event, KeyMaterial, Law, MkiRule, PayloadMap, Region, Remote, Rtcp, Sdes,
    SourceGate, Statistics, StreamId, StreamSpec, Suite, ToneFormat,
};
use media_dsp::rtcp::Compound;
use media_dsp::rtp::{Header, Packet};
use media_dsp::srtp::{Keying, Limits, MasterKey, Receiver, Sender};
use pipeline::{Pipeline, Worker};

pub(crate) const FRAME: Duration = Duration::from_millis(20);

/// A box on a network.
pub(crate) struct Lab {
    pub(crate) network: Network,
    pub(crate) worker: Worker<Ports, Clock>,
    pub(crate) events: Vec<Event>,
}

impl Lab {
    pub(crate) fn new(seed: u64, weather: Weather) -> Self {
        let network = Network::new(seed, weather);
        let pipeline = Pipeline::new(100, [seed as u8; 32]);
        let worker = Worker::new(Ports::new(&network), network.clock(), pipeline, 4_711);
        Self {
            network,
            worker,
            events: Vec::new(),
        }
    }

    pub(crate) fn fair() -> Self {
        Self::new(1, Weather::FAIR)
    }

    pub(crate) fn tell(&mut self, command: Command) {
        self.worker.command(command);
        self.listen();
    }

    pub(crate) fn put(&mut self, spec: &StreamSpec) {
        let before = self.events.len();
        self.tell(Command::Put(spec.clone()));
        let refused = |event: &Event| matches!(event, Event::Refused { .. });
        assert!(
            !self.events[before..].iter().any(refused),
            "{:?}",
            self.events
        );
    }

    pub(crate) fn link(&mut self, a: u64, b: u64) {
        self.tell(Command::Link {
            a: StreamId(a),
            b: StreamId(b),
        });
    }

    pub(crate) fn listen(&mut self) {
        self.events
            .extend(std::iter::from_fn(|| self.worker.poll()));
    }

    /// Lets time go by.
    pub(crate) fn run(&mut self, time: Duration) {
        let until = self.network.now() + time;
        while self.network.now() < until {
            self.worker.turn(until - self.network.now());
        }
        // What arrived at the last moment.
        self.worker.turn(Duration::from_ticks(0));
        self.listen();
    }

    /// The events since last asked.
    pub(crate) fn news(&mut self) -> Vec<Event> {
        self.listen();
        std::mem::take(&mut self.events)
    }

    pub(crate) fn statistics(&mut self, id: u64) -> Statistics {
        let id = StreamId(id);
        self.tell(Command::Statistics(id));
        match self.events.pop() {
            Some(Event::Statistics {
                id: about,
                statistics,
            }) if about == id => *statistics,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn dropped(&self, reason: DropReason) -> u64 {
        self.worker.totals().dropped(reason)
    }

    pub(crate) fn counted(&self, counter: MediaCounter) -> u64 {
        self.worker.totals().counter(counter)
    }
}

pub(crate) fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

pub(crate) fn key(byte: u8) -> Sdes {
    Sdes {
        suite: Suite::AesCm128HmacSha1_80,
        key: KeyMaterial::new(&[byte; 30]),
        mki: MkiRule::Absent,
        lifetime: None,
    }
}

pub(crate) fn keying(sdes: &Sdes) -> Keying {
    Keying::new(
        MasterKey::new(
            media_dsp::srtp::Suite::AesCm128HmacSha1_80,
            sdes.key.as_bytes(),
        )
        .expect("30 octets"),
    )
}

/// The stream for a party at `remote`: plain, over two ports, telephone-event and CN beside G.711.
pub(crate) fn plain(id: u64, remote: &Party) -> StreamSpec {
    let mut above = remote.address();
    above.set_port(remote.address().port() + 1);
    StreamSpec {
        id: StreamId(id),
        local: SocketAddr::new(
            "10.0.0.1".parse().expect("an address"),
            20_000 + 2 * id as u16,
        ),
        rtcp: Rtcp::Separate,
        remote: Some(Remote {
            rtp: remote.address(),
            rtcp: above,
        }),
        direction: Direction::SendRecv,
        source: SourceGate::Signalled,
        receive: None,
        transmit: None,
        payloads: [(8, 8), (0, 0), (13, 13), (96, 101)].into_iter().collect(),
        ice: None,
        dtls: None,
        codec: media_api::Codec::G711,
        clock_rate: 8_000,
        tones: Some(ToneFormat {
            payload_type: 8,
            law: Law::A,
            region: Region::Europe,
        }),
        dscp: 46,
        silence_after: None,
    }
}

/// The stream for a party that speaks SRTP over one port, as Teams does: its key is `theirs`, ours `ours`.
pub(crate) fn keyed(id: u64, remote: &Party, theirs: &Sdes, ours: &Sdes) -> StreamSpec {
    StreamSpec {
        rtcp: Rtcp::Muxed,
        remote: Some(Remote {
            rtp: remote.address(),
            rtcp: remote.address(),
        }),
        source: SourceGate::LatchAuthenticated,
        receive: Some(theirs.clone()),
        transmit: Some(ours.clone()),
        payloads: [(8, 8), (0, 0), (13, 13), (101, 96)].into_iter().collect(),
        ..plain(id, remote)
    }
}

/// The end of a call.
pub(crate) struct Party {
    pub(crate) peer: Peer,
    pub(crate) ssrc: u32,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) payload_type: u8,
    pub(crate) sender: Option<Sender>,
    pub(crate) receiver: Option<Receiver>,
}

/// What a party heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sound {
    pub(crate) from: SocketAddr,
    pub(crate) header: Header,
    pub(crate) payload: Vec<u8>,
}

impl Party {
    pub(crate) fn new(network: &Network, at: &str, ssrc: u32) -> Self {
        let peer = network.peer(address(at));
        Self {
            peer,
            ssrc,
            sequence: 100,
            timestamp: 1_000,
            payload_type: 8,
            sender: None,
            receiver: None,
        }
    }

    /// A party that sends with one key and expects the other.
    pub(crate) fn keyed(
        network: &Network,
        at: &str,
        ssrc: u32,
        sends: &Sdes,
        expects: &Sdes,
    ) -> Self {
        let mut party = Self::new(network, at, ssrc);
        party.sender = Some(Sender::new(keying(sends), Limits::default()));
        party.receiver = Some(Receiver::new(keying(expects), Limits::default()));
        party
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.peer.address()
    }

    /// The next packet, as it goes over the wire.
    pub(crate) fn packet(&mut self, payload: &[u8]) -> Vec<u8> {
        let header = Header {
            marker: false,
            payload_type: self.payload_type,
            sequence: self.sequence,
            timestamp: self.timestamp,
            ssrc: self.ssrc,
        };
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(160);
        let mut bytes = vec![0; 1_500];
        let mut length = header.emit(payload, &mut bytes).expect("it fits");
        if let Some(sender) = &mut self.sender {
            length = sender
                .protect_rtp(&mut bytes, length)
                .expect("it can be protected");
        }
        bytes.truncate(length);
        bytes
    }

    pub(crate) fn say(&mut self, to: &StreamSpec, payload: &[u8]) {
        let packet = self.packet(payload);
        self.peer.send(to.local, &packet);
    }

    /// Sends a compound as it is, or protected.
    pub(crate) fn report(&mut self, to: SocketAddr, compound: &[u8]) {
        let mut bytes = compound.to_vec();
        bytes.resize(compound.len() + 64, 0);
        let length = match &mut self.sender {
            Some(sender) => sender
                .protect_rtcp(&mut bytes, compound.len())
                .expect("it can be protected"),
            None => compound.len(),
        };
        self.peer.send(to, &bytes[..length]);
    }

    /// RTP that has come, decrypted; the test fails if any of it does not authenticate. RTCP is put aside.
    pub(crate) fn hear(&mut self) -> Vec<Sound> {
        self.hear_all().0
    }

    /// RTP and RTCP that have come.
    pub(crate) fn hear_all(&mut self) -> (Vec<Sound>, Vec<Vec<u8>>) {
        let (mut sounds, mut reports) = (Vec::new(), Vec::new());
        while let Some(mut datagram) = self.peer.receive() {
            let bytes = &mut datagram.bytes;
            let is_rtcp = (192..=223).contains(&bytes[1]);
            if let Some(receiver) = &mut self.receiver {
                let outcome = if is_rtcp {
                    receiver.unprotect_rtcp(bytes)
                } else {
                    receiver.unprotect_rtp(bytes)
                };
                bytes.truncate(outcome.expect("what the box sends authenticates"));
            }
            if is_rtcp {
                Compound::parse(bytes).expect("what the box sends is well-formed");
                reports.push(datagram.bytes);
            } else {
                let packet = Packet::parse(bytes).expect("what the box sends is well-formed");
                let (header, payload) = (packet.header(), packet.payload().to_vec());
                sounds.push(Sound {
                    from: datagram.from,
                    header,
                    payload,
                });
            }
        }
        (sounds, reports)
    }
}

/// A call between a plain party and one with keys, both streams put and linked: 1 is plain, 2 is keyed.
pub(crate) struct Call {
    pub(crate) lab: Lab,
    pub(crate) carrier: Party,
    pub(crate) carrier_rtcp: Peer,
    pub(crate) teams: Party,
    pub(crate) carrier_stream: StreamSpec,
    pub(crate) teams_stream: StreamSpec,
}

impl Call {
    pub(crate) fn new(lab: Lab) -> Self {
        let mut lab = lab;
        let (theirs, ours) = (key(1), key(2));
        let carrier = Party::new(&lab.network, "192.0.2.1:4000", 0x1111);
        let carrier_rtcp = lab.network.peer(address("192.0.2.1:4001"));
        let teams = Party::keyed(&lab.network, "198.51.100.1:50000", 0x2222, &theirs, &ours);
        let carrier_stream = plain(1, &carrier);
        let teams_stream = keyed(2, &teams, &theirs, &ours);
        lab.put(&carrier_stream);
        lab.put(&teams_stream);
        lab.link(1, 2);
        lab.news();
        Self {
            lab,
            carrier,
            carrier_rtcp,
            teams,
            carrier_stream,
            teams_stream,
        }
    }

    /// Both talk for so many frames.
    pub(crate) fn talk(&mut self, frames: usize) {
        for n in 0..frames {
            self.carrier.say(&self.carrier_stream, &[n as u8; 160]);
            self.teams.say(&self.teams_stream, &[n as u8 ^ 0xff; 160]);
            self.lab.run(FRAME);
        }
    }
}

pub(crate) fn empty() -> PayloadMap {
    PayloadMap::empty()
}
