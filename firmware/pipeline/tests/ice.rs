//! ICE, lite, as a full agent of another make meets it (str0m's `is`), in simulated time.
//!
//! Not here: what stands in SDP (`call`), STUN's own octets (`media_dsp::stun`).

mod kit;

use std::net::SocketAddr;
use std::time::{Duration as Span, Instant as Moment};

use board::sim::Peer;
use embassy_time::Duration;
use is::stun::{StunMessage, StunPacket};
use is::{Candidate, IceAgent, IceAgentEvent, IceCreds, Protocol};
use kit::{FRAME, Lab, Party, address, key, keyed, plain};
use measure::{DropReason, MediaCounter, Refusal};
use media_api::{Command, Event, Ice, StreamId, StreamSpec};
use media_dsp::stun::{Builder, Check, Class, Message, TransactionId};

const NAME: &str = "8hhYpost";
const PASSWORD: &str = "asd88fgpdd777uzjYhagZg42";

/// A client with a full ICE agent that controls.
struct Client {
    agent: IceAgent,
    peer: Peer,
    began: Moment,
    nominated: Option<SocketAddr>,
    /// RTP that came.
    heard: Vec<Vec<u8>>,
}

impl Client {
    fn new(lab: &Lab, at: &str, name: &str, to: &StreamSpec) -> Self {
        let mut agent = IceAgent::new(IceCreds {
            ufrag: name.to_owned(),
            pass: "a password of the client".to_owned(),
        });
        agent.set_controlling(true);
        let local = Candidate::host(address(at), Protocol::Udp).expect("an address");
        agent.add_local_candidate(local);
        agent.set_remote_credentials(IceCreds {
            ufrag: NAME.to_owned(),
            pass: PASSWORD.to_owned(),
        });
        let remote = Candidate::host(to.local, Protocol::Udp).expect("an address");
        agent.add_remote_candidate(remote);
        Self {
            agent,
            peer: lab.network.peer(address(at)),
            began: Moment::now(),
            nominated: None,
            heard: Vec::new(),
        }
    }

    /// What is due now, as the clock of the network says it.
    fn act(&mut self, lab: &Lab) {
        let now = self.began + Span::from_micros(lab.network.now().as_micros());
        while let Some(datagram) = self.peer.receive() {
            if datagram.bytes[0] > 3 {
                // Reports of the box come now and then.
                if !(192..=223).contains(&datagram.bytes[1]) {
                    self.heard.push(datagram.bytes);
                }
                continue;
            }
            let packet = StunPacket {
                proto: Protocol::Udp,
                source: datagram.from,
                destination: self.peer.address(),
                message: StunMessage::parse(&datagram.bytes).expect("it is well-formed"),
            };
            assert!(self.agent.accepts_message(&packet.message));
            self.agent.handle_packet(now, packet);
        }
        self.agent.handle_timeout(now);
        while let Some(transmit) = self.agent.poll_transmit() {
            self.peer.send(transmit.destination, &transmit.contents);
        }
        while let Some(event) = self.agent.poll_event() {
            if let IceAgentEvent::NominatedSend { destination, .. } = event {
                self.nominated = Some(destination);
            }
        }
    }
}

fn run(lab: &mut Lab, clients: &mut [&mut Client], frames: usize) {
    for _ in 0..frames {
        for client in &mut *clients {
            client.act(lab);
        }
        lab.run(FRAME);
    }
}

fn terms(party: Option<&str>) -> Option<Box<Ice>> {
    Some(Box::new(Ice {
        name: NAME.to_owned(),
        password: PASSWORD.to_owned(),
        party: party.map(str::to_owned),
    }))
}

/// A plain carrier (1) and a Teams stream with ICE (2), whose signalled address is nobody's.
struct Call {
    lab: Lab,
    carrier: Party,
    carrier_stream: StreamSpec,
    stream: StreamSpec,
}

impl Call {
    fn new() -> Self {
        let mut lab = Lab::fair();
        let carrier = Party::new(&lab.network, "192.0.2.1:4000", 0x1111);
        let signalled = Party::new(&lab.network, "203.0.113.9:9", 0x2222);
        let carrier_stream = plain(1, &carrier);
        let stream = StreamSpec {
            ice: terms(None),
            ..keyed(2, &signalled, &key(1), &key(2))
        };
        lab.put(&carrier_stream);
        lab.put(&stream);
        lab.link(1, 2);
        lab.news();
        Self {
            lab,
            carrier,
            carrier_stream,
            stream,
        }
    }

    /// How many packets of the carrier reach each of these.
    fn reach<const N: usize>(&mut self, mut clients: [&mut Client; N]) -> [usize; N] {
        for client in &mut clients {
            client.heard.clear();
        }
        for _ in 0..5 {
            self.carrier.say(&self.carrier_stream, &[1; 160]);
            run(&mut self.lab, &mut clients, 1);
        }
        run(&mut self.lab, &mut clients, 2);
        clients.map(|client| client.heard.len())
    }
}

#[test]
fn a_full_agent_connects_and_is_answered_as_long_as_it_asks() {
    let mut call = Call::new();
    let mut client = Client::new(&call.lab, "198.51.100.7:50000", "9uB6", &call.stream);
    run(&mut call.lab, &mut [&mut client], 100);
    assert!(
        client.agent.state().is_connected(),
        "{:?}",
        client.agent.state()
    );
    assert_eq!(client.nominated, Some(call.stream.local));
    assert!(call.lab.news().contains(&Event::Latched {
        id: StreamId(2),
        address: client.peer.address(),
    }));
    assert_eq!(
        call.reach([&mut client]),
        [5],
        "media goes where it was checked"
    );
    // RFC 7675: for a minute it asks whether we still want to hear it.
    let before = call.lab.counted(MediaCounter::ChecksAnswered);
    run(&mut call.lab, &mut [&mut client], 3_000);
    assert!(client.agent.state().is_connected());
    assert!(call.lab.counted(MediaCounter::ChecksAnswered) > before + 5);
}

#[test]
fn of_several_forks_the_one_that_answers_is_heard() {
    // ICE-02: nominations come before the answer, from all of them.
    let mut call = Call::new();
    let mut desk = Client::new(&call.lab, "198.51.100.7:50000", "desk", &call.stream);
    let mut mobile = Client::new(&call.lab, "198.51.100.8:50000", "mobi", &call.stream);
    run(&mut call.lab, &mut [&mut desk, &mut mobile], 100);
    assert!(desk.agent.state().is_connected() && mobile.agent.state().is_connected());
    for (party, expected) in [("desk", [5, 0]), ("mobi", [0, 5]), ("desk", [5, 0])] {
        call.stream.ice = terms(Some(party));
        call.lab.put(&call.stream.clone());
        assert_eq!(call.reach([&mut desk, &mut mobile]), expected, "{party}");
    }
    // Another one, of whom nothing has been heard, is where its SDP says.
    call.stream.ice = terms(Some("else"));
    call.lab.put(&call.stream.clone());
    assert_eq!(call.reach([&mut desk, &mut mobile]), [0, 0]);
}

#[test]
fn after_a_restart_media_goes_where_it_went_until_the_new_one_has_checked() {
    // ICE-05
    let mut call = Call::new();
    let mut client = Client::new(&call.lab, "198.51.100.7:50000", "9uB6", &call.stream);
    run(&mut call.lab, &mut [&mut client], 100);
    let mut stream = call.stream.clone();
    stream.ice = Some(Box::new(Ice {
        name: "another1".to_owned(),
        password: PASSWORD.to_owned(),
        party: Some("proc".to_owned()),
    }));
    call.lab.put(&stream);
    assert_eq!(call.reach([&mut client]), [5]);
    let mut processor = Client::new(&call.lab, "198.51.100.90:3480", "proc", &stream);
    processor.agent.set_remote_credentials(IceCreds {
        ufrag: "another1".to_owned(),
        pass: PASSWORD.to_owned(),
    });
    run(&mut call.lab, &mut [&mut processor], 100);
    assert_eq!(call.reach([&mut client, &mut processor]), [0, 5]);
}

#[test]
fn media_is_heard_from_any_checked_address_and_draws_nothing_away() {
    let mut call = Call::new();
    let mut client = Client::new(&call.lab, "198.51.100.7:50000", "9uB6", &call.stream);
    run(&mut call.lab, &mut [&mut client], 100);
    let mut early = Party::keyed(
        &call.lab.network,
        "198.51.100.77:50000",
        0x3333,
        &key(1),
        &key(2),
    );
    early.say(&call.stream, &[5; 160]);
    call.lab.run(FRAME);
    assert_eq!(call.carrier.hear().len(), 1, "it authenticates");
    assert_eq!(call.reach([&mut client]), [5]);
    assert_eq!(early.hear().len(), 0);
}

#[test]
fn where_nobody_checks_media_goes_to_the_signalled_address() {
    // ICE-07: both sides are lite.
    let mut call = Call::new();
    let party = Party::keyed(&call.lab.network, "203.0.113.20:9000", 1, &key(1), &key(2));
    let stream = StreamSpec {
        ice: terms(Some("lite")),
        ..keyed(2, &party, &key(1), &key(2))
    };
    let stream = StreamSpec {
        local: call.stream.local,
        ..stream
    };
    call.lab.put(&stream);
    call.carrier.say(&call.carrier_stream, &[1; 160]);
    call.lab.run(FRAME);
    let mut party = party;
    assert_eq!(party.hear().len(), 1);
}

/// A check by hand.
fn check(user: &str, password: &str, role: impl Fn(&mut Builder<'_>)) -> Vec<u8> {
    let mut bytes = [0; 300];
    let mut builder = Builder::binding(Class::Request, TransactionId([7; 12]), &mut bytes)
        .expect("there is room");
    builder
        .username(user.as_bytes())
        .and_then(|builder| builder.priority(1))
        .expect("there is room");
    role(&mut builder);
    let length = builder
        .integrity(password.as_bytes())
        .and_then(Builder::fingerprint)
        .expect("there is room")
        .finish();
    bytes[..length].to_vec()
}

fn controls(builder: &mut Builder<'_>) {
    builder.ice_controlling(1).expect("there is room");
}

#[test]
fn who_does_not_know_the_password_is_not_answered() {
    let mut call = Call::new();
    let stranger = call.lab.network.peer(address("192.0.2.66:6"));
    let user = format!("{NAME}:9uB6");
    let good = check(&user, PASSWORD, controls);
    let bare = {
        let mut bytes = [0; 28];
        let mut builder = Builder::binding(Class::Request, TransactionId([7; 12]), &mut bytes)
            .expect("there is room");
        let length = builder.fingerprint().expect("there is room").finish();
        bytes[..length].to_vec()
    };
    let mut damaged = good.clone();
    damaged[30] ^= 1;
    let bad = [
        check(&user, "a password of somebody else", controls),
        check("8hhYpost", PASSWORD, controls),
        check("8hhYposter:9uB6", PASSWORD, controls),
        check(":9uB6", PASSWORD, controls),
        check(&format!("{NAME}:{}", "x".repeat(100)), PASSWORD, controls),
        damaged,
        bare,
        good[..good.len() - 8].to_vec(),
        vec![0; 20],
    ];
    for datagram in &bad {
        stranger.send(call.stream.local, datagram);
        call.lab.run(FRAME);
        assert!(stranger.receive().is_none());
    }
    assert_eq!(call.lab.dropped(DropReason::UnprovenStun), bad.len() as u64);
    assert_eq!(call.lab.counted(MediaCounter::ChecksAnswered), 0);
    assert_eq!(call.lab.statistics(2).latched, None);
    stranger.send(call.stream.local, &good);
    call.lab.run(FRAME);
    assert!(stranger.receive().is_some(), "the good one was good");
    // On a stream without ICE even that is nothing.
    stranger.send(call.carrier_stream.local, &good);
    call.lab.run(FRAME);
    assert!(stranger.receive().is_none());
    assert_eq!(call.lab.dropped(DropReason::UnexpectedStun), 1);
}

#[test]
fn a_peer_that_would_be_controlled_is_told_to_control() {
    // RFC 8445 §7.3.1.1
    let mut call = Call::new();
    let peer = call.lab.network.peer(address("192.0.2.66:6"));
    let user = format!("{NAME}:9uB6");
    let request = check(&user, PASSWORD, |builder| {
        builder.ice_controlled(u64::MAX).expect("there is room");
    });
    peer.send(call.stream.local, &request);
    call.lab.run(FRAME);
    let answer = peer.receive().expect("it knows the password");
    let message = Message::parse(&answer.bytes).expect("it is well-formed");
    assert_eq!(message.class(), Class::Error);
    assert_eq!(message.integrity(PASSWORD.as_bytes()), Check::Valid);
    assert_eq!(message.fingerprint(), Check::Valid);
    assert!(
        message
            .attributes()
            .any(|attribute| matches!(attribute, media_dsp::stun::Attribute::ErrorCode(487, _)))
    );
    assert_eq!(call.lab.statistics(2).latched, None, "it was no check");
}

#[test]
fn more_addresses_than_anybody_has_push_out_no_nominated_one() {
    let mut call = Call::new();
    let mut client = Client::new(&call.lab, "198.51.100.7:50000", "9uB6", &call.stream);
    run(&mut call.lab, &mut [&mut client], 100);
    let user = format!("{NAME}:9uB6");
    for number in 0..200 {
        let peer = call
            .lab
            .network
            .peer(address(&format!("192.0.2.66:{}", 1_000 + number)));
        peer.send(call.stream.local, &check(&user, PASSWORD, controls));
        call.lab.run(Duration::from_millis(1));
    }
    assert_eq!(call.reach([&mut client]), [5]);
}

#[test]
fn a_name_or_password_that_cannot_be_is_refused() {
    let mut call = Call::new();
    for (name, password) in [("abc", PASSWORD), (NAME, "too short")] {
        call.stream.ice = Some(Box::new(Ice {
            name: name.to_owned(),
            password: password.to_owned(),
            party: None,
        }));
        call.lab.tell(Command::Put(call.stream.clone()));
        let refused = Event::Refused {
            id: StreamId(2),
            reason: Refusal::BadIce,
        };
        assert!(call.lab.news().contains(&refused));
    }
}
