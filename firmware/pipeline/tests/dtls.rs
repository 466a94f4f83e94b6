//! Streams that are keyed by a handshake, which is played here: what is let in, what is sent, and what keys change.
//!
//! Not here: a handshake with another make (`postern/tests/media_dtls.rs`).

mod kit;

use embassy_time::Duration;
use kit::{FRAME, Lab, Party, address, key, plain};
use measure::{DropReason, Insecurity, MediaCounter, Refusal};
use media_api::{Command, Dtls, Event, Fingerprint, Handshake, Ice, Rtcp, StreamId, StreamSpec};
use media_dsp::stun::{Builder, Class, TransactionId};
use pipeline::dtls::{Association, Keys, Reply, Request, Said};

/// The first octets of a ClientHello.
const HELLO: &[u8] = &[22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1];

fn terms(party: u8) -> Option<Box<Dtls>> {
    Some(Box::new(Dtls {
        handshake: Handshake::Passive,
        party: Fingerprint([party; 32]),
    }))
}

/// A plain carrier (1) and a browser (2).
struct Call {
    lab: Lab,
    carrier: Party,
    carrier_stream: StreamSpec,
    browser: Party,
    stream: StreamSpec,
}

impl Call {
    fn new() -> Self {
        let mut lab = Lab::fair();
        let carrier = Party::new(&lab.network, "192.0.2.1:4000", 0x1111);
        let browser = Party::keyed(&lab.network, "198.51.100.7:5000", 0x2222, &key(1), &key(2));
        let carrier_stream = plain(1, &carrier);
        let stream = StreamSpec {
            rtcp: Rtcp::Muxed,
            dtls: terms(1),
            ..plain(2, &browser)
        };
        lab.put(&carrier_stream);
        lab.put(&stream);
        lab.link(1, 2);
        Self {
            lab,
            carrier,
            carrier_stream,
            browser,
            stream,
        }
    }

    fn requests(&mut self) -> Vec<Request> {
        std::iter::from_fn(|| self.lab.worker.request()).collect()
    }

    /// The association that has begun, alone.
    fn begun(&mut self) -> Association {
        match self.requests()[..] {
            [Request::Begin { association, .. }] => association,
            ref other => panic!("{other:?}"),
        }
    }

    fn reply(&mut self, association: Association, said: Said) {
        self.lab.worker.reply(Reply {
            association,
            stream: StreamId(2),
            said,
        });
        self.lab.run(FRAME);
    }

    /// One packet each way: how many arrive.
    fn talk(&mut self) -> (usize, usize) {
        self.carrier.say(&self.carrier_stream, &[1; 160]);
        self.browser.say(&self.stream, &[2; 160]);
        self.lab.run(FRAME);
        (self.browser.hear().len(), self.carrier.hear().len())
    }
}

fn keys(theirs: u8, ours: u8) -> Said {
    Said::Keys(Box::new(Keys {
        receive: key(theirs),
        transmit: key(ours),
    }))
}

#[test]
fn before_there_are_keys_nothing_passes_and_afterwards_all_does() {
    let mut call = Call::new();
    let association = call.begun();
    // Reports of our own are due in this time, too.
    for _ in 0..500 {
        assert_eq!(call.talk(), (0, 0));
    }
    let (_, reports) = call.browser.hear_all();
    assert_eq!(reports, [[0; 0]; 0]);
    call.lab.news();
    call.reply(association, keys(1, 2));
    assert!(
        call.lab
            .news()
            .contains(&Event::Secured { id: StreamId(2) })
    );
    for _ in 0..5 {
        assert_eq!(call.talk(), (1, 1));
    }
    // Said again, it goes on; and a hold is a hold.
    let stream = call.stream.clone();
    call.lab.put(&stream);
    assert_eq!(call.requests(), []);
    assert_eq!(call.talk(), (1, 1));
    call.lab.put(&StreamSpec {
        direction: media_api::Direction::Inactive,
        ..stream
    });
    assert_eq!(call.talk(), (0, 0));
}

#[test]
fn another_certificate_is_another_association_and_the_keys_before_hold_until_then() {
    let mut call = Call::new();
    let first = call.begun();
    call.reply(first, keys(1, 2));
    assert_eq!(call.talk(), (1, 1));
    call.stream.dtls = terms(2);
    let stream = call.stream.clone();
    call.lab.put(&stream);
    let second = match call.requests()[..] {
        [
            Request::End(ended),
            Request::Begin {
                association, terms, ..
            },
        ] => {
            assert_eq!(ended, first);
            assert_eq!(terms.party, Fingerprint([2; 32]));
            association
        }
        ref other => panic!("{other:?}"),
    };
    assert_eq!(call.talk(), (1, 1));
    // What was under way is late.
    call.reply(first, keys(8, 9));
    call.reply(first, Said::Datagram(HELLO.to_vec()));
    assert_eq!(call.talk(), (1, 1));
    let before = call.browser;
    call.browser = Party::keyed(
        &call.lab.network,
        "198.51.100.8:5000",
        0x3333,
        &key(3),
        &key(4),
    );
    drop(before);
    call.reply(second, keys(3, 4));
    let address = call.browser.address();
    call.stream.remote = Some(media_api::Remote {
        rtp: address,
        rtcp: address,
    });
    let stream = call.stream.clone();
    call.lab.put(&stream);
    assert_eq!(call.talk(), (1, 1));
    call.lab.tell(Command::Remove(StreamId(2)));
    assert_eq!(call.requests(), [Request::End(second)]);
    call.reply(second, keys(3, 4));
}

#[test]
fn only_the_party_is_listened_to() {
    let mut call = Call::new();
    call.begun();
    let stranger = call.lab.network.peer(address("192.0.2.66:6"));
    stranger.send(call.stream.local, HELLO);
    stranger.send(call.carrier_stream.local, HELLO);
    call.lab.run(FRAME);
    assert_eq!(call.requests(), []);
    assert_eq!(call.lab.dropped(DropReason::ForeignSource), 1);
    assert_eq!(call.lab.dropped(DropReason::UnexpectedDtls), 1);
    assert!(stranger.receive().is_none());
}

#[test]
fn a_party_that_never_stops_is_heard_so_much_and_takes_nothing_from_others() {
    let mut call = Call::new();
    let association = call.begun();
    let heard = Request::Heard(association, HELLO.into());
    // 32 at once, and from then on one each 50 ms.
    for _ in 0..1_000 {
        call.browser.peer.send(call.stream.local, HELLO);
        call.lab.run(Duration::from_millis(1));
    }
    let requests = call.requests();
    assert_eq!(requests, vec![heard.clone(); 32 + 1_000 / 50]);
    let dropped = 1_000 - requests.len() as u64;
    assert_eq!(call.lab.dropped(DropReason::TooMuchDtls), dropped);
    // After a while of silence it may say as much again, and no more.
    call.lab.run(Duration::from_secs(3_600));
    for _ in 0..100 {
        call.browser.peer.send(call.stream.local, HELLO);
    }
    call.lab.run(FRAME);
    assert_eq!(call.requests(), vec![heard; 32]);
}

#[test]
fn what_nobody_takes_is_bounded() {
    let mut lab = Lab::fair();
    let mut parties = Vec::new();
    for id in 1..=20 {
        let party = lab.network.peer(address(&format!("198.51.100.{id}:5000")));
        let stream = StreamSpec {
            rtcp: Rtcp::Muxed,
            dtls: terms(1),
            ..plain(
                id,
                &Party::new(&lab.network, &format!("192.0.2.{id}:5000"), 1),
            )
        };
        let remote = Some(media_api::Remote {
            rtp: party.address(),
            rtcp: party.address(),
        });
        let stream = StreamSpec { remote, ..stream };
        lab.put(&stream);
        parties.push((party, stream));
    }
    for _ in 0..32 {
        for (party, stream) in &parties {
            party.send(stream.local, HELLO);
        }
        lab.run(Duration::from_millis(1));
    }
    assert_eq!(lab.dropped(DropReason::TooMuchDtls), 20 * 32 - 256);
    let requests: Vec<Request> = std::iter::from_fn(|| lab.worker.request()).collect();
    assert_eq!(requests.len(), 20 + 256);
}

const NAME: &str = "8hhYpost";
const PASSWORD: &str = "asd88fgpdd777uzjYhagZg42";

/// A check of the party of this name.
fn check(party: &str) -> Vec<u8> {
    let mut bytes = vec![0; 200];
    let mut write = || {
        let id = TransactionId([7; 12]);
        let mut builder = Builder::binding(Class::Request, id, &mut bytes)?;
        builder.username(format!("{NAME}:{party}").as_bytes())?;
        builder.priority(1)?.ice_controlling(1)?.use_candidate()?;
        let built = builder.integrity(PASSWORD.as_bytes())?.fingerprint()?;
        Ok::<usize, media_dsp::NoRoom>(built.finish())
    };
    let length = write().expect("there is room");
    bytes.truncate(length);
    bytes
}

#[test]
fn nothing_is_begun_before_a_check_and_nobody_else_is_heard() {
    for handshake in [Handshake::Passive, Handshake::Active] {
        let mut lab = Lab::fair();
        let signalled = Party::new(&lab.network, "198.51.100.7:5000", 0x2222);
        let stream = StreamSpec {
            rtcp: Rtcp::Muxed,
            dtls: Some(Box::new(Dtls {
                handshake,
                party: Fingerprint([1; 32]),
            })),
            ice: Some(Box::new(Ice {
                name: NAME.to_owned(),
                password: PASSWORD.to_owned(),
                party: Some("9uB6".to_owned()),
            })),
            ..plain(2, &signalled)
        };
        lab.put(&stream);
        // Neither the address in SDP nor another fork's is one that a handshake has been agreed on with.
        let (behind_nat, fork) = (
            lab.network.peer(address("203.0.113.77:777")),
            lab.network.peer(address("203.0.113.88:888")),
        );
        fork.send(stream.local, &check("fork"));
        for party in [&signalled.peer, &behind_nat, &fork] {
            party.send(stream.local, HELLO);
        }
        lab.run(FRAME);
        assert_eq!(lab.worker.request(), None);
        assert_eq!(lab.dropped(DropReason::ForeignSource), 3);

        behind_nat.send(stream.local, &check("9uB6"));
        for party in [&behind_nat, &signalled.peer, &fork] {
            party.send(stream.local, HELLO);
        }
        lab.run(FRAME);
        let association = match lab.worker.request() {
            Some(Request::Begin {
                association, terms, ..
            }) => {
                assert_eq!(terms.handshake, handshake);
                association
            }
            other => panic!("{other:?}"),
        };
        let heard = Request::Heard(association, HELLO.into());
        assert_eq!(lab.worker.request(), Some(heard));
        assert_eq!(lab.worker.request(), None);
        assert!(behind_nat.receive().is_some(), "the answer to its check");
        let reply = Reply {
            association,
            stream: stream.id,
            said: Said::Datagram(b"\x16answer".to_vec()),
        };
        lab.worker.reply(reply.clone());
        lab.run(FRAME);
        let answer = behind_nat.receive().expect("it is answered where it is");
        assert_eq!(answer.bytes, b"\x16answer");

        // Another fork answers the call: what is said of the handshake before is said to nobody.
        lab.put(&StreamSpec {
            ice: stream.ice.as_deref().map(|ice| {
                Box::new(Ice {
                    party: Some("other".to_owned()),
                    ..ice.clone()
                })
            }),
            dtls: terms(2),
            ..stream.clone()
        });
        assert_eq!(lab.worker.request(), Some(Request::End(association)));
        assert_eq!(lab.worker.request(), None);
        lab.worker.reply(reply);
        lab.run(FRAME);
        assert!(behind_nat.receive().is_none());
        assert!(signalled.peer.receive().is_none());
    }
}

#[test]
fn a_handshake_that_fails_is_told_and_counted() {
    let mut call = Call::new();
    let association = call.begun();
    call.lab.news();
    let reason = Insecurity::WrongCertificate;
    call.reply(association, Said::Nothing(reason));
    let id = StreamId(2);
    assert_eq!(call.lab.news(), [Event::Insecure { id, reason }]);
    assert_eq!(call.lab.counted(MediaCounter::CertificatesRefused), 1);
    assert_eq!(call.lab.counted(MediaCounter::HandshakesFailed), 1);
    assert_eq!(call.talk(), (0, 0));
}

#[test]
fn keys_of_sdp_beside_a_handshake_are_refused() {
    let mut call = Call::new();
    let both = StreamSpec {
        receive: Some(key(1)),
        ..call.stream.clone()
    };
    let apart = StreamSpec {
        rtcp: Rtcp::Separate,
        ..call.stream.clone()
    };
    for spec in [both, apart] {
        call.lab.news();
        call.lab.tell(Command::Put(spec));
        let refused = Event::Refused {
            id: StreamId(2),
            reason: Refusal::BadHandshake,
        };
        assert_eq!(call.lab.news(), [refused]);
    }
}
