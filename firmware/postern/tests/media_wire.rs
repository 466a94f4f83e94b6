//! What is on the wire of the media process: marks on every packet, and under a flood nothing for who sent it.
//!
//! Packets are seen by the kernel's own eye at the parties' end. The flood is counted, not timed: ten packets of it for each of a call,
//! sent first, and the call goes on when its own have been heard.
//!
//! Not here: what the pipeline does with each kind of packet (`pipeline/tests/hostile.rs`).

mod media_kit;
#[path = "../../../board/tests/namespaces/mod.rs"]
mod namespaces;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::process::Command as Program;

use measure::DropReason;
use media_api::{Command, Event, StreamId};
use media_kit::sniffer::{Seen, Sniffer};
use media_kit::{Call, Control, LOOPBACK, Media, SOON, party, rtp};
use namespaces::Wire;

const UDP: u8 = 17;

/// The classes of what the box sent from the ports of a call.
fn classes(seen: &[Seen], call: &Call) -> BTreeSet<u8> {
    let ports = [call.carrier_stream.local, call.teams_stream.local];
    let is_ours = |seen: &&Seen| {
        ports
            .iter()
            .any(|port| seen.protocol == UDP && seen.from == (port.ip(), port.port()))
    };
    seen.iter().filter(is_ours).map(|seen| seen.class).collect()
}

/// MED-11: what leaves is marked as its stream says, and differently once it says so.
fn marks_hold(control: &mut Control, call: &mut Call, sniffer: &Sniffer) {
    sniffer.seen();
    for (dscp, class) in [(46, 0xb8), (34, 0x88), (0, 0)] {
        for stream in [&mut call.carrier_stream, &mut call.teams_stream] {
            stream.dscp = dscp;
        }
        control.put(&call.carrier_stream);
        control.put(&call.teams_stream);
        for _ in 0..10 {
            call.frame();
        }
        assert_eq!(
            classes(&sniffer.seen(), call),
            BTreeSet::from([class]),
            "DSCP {dscp}"
        );
    }
}

#[test]
fn packets_from_sockets_are_marked() {
    let Some(sniffer) = Sniffer::new() else {
        eprintln!("NOT TRIED: packets cannot be seen here");
        return;
    };
    let media = Media::start("marks");
    let mut control = media.control();
    let mut call = Call::new(&mut control);
    marks_hold(&mut control, &mut call, &sniffer);

    let six: IpAddr = "::1".parse().expect("an address");
    let far = |address: IpAddr| {
        let socket = UdpSocket::bind((address, 0)).expect("loopback is there");
        socket
            .set_read_timeout(Some(SOON))
            .expect("a socket has timeouts");
        socket
    };
    let mut call = Call::numbered(&mut control, 1, [LOOPBACK, six], party(), far(six));
    marks_hold(&mut control, &mut call, &sniffer);
}

/// A box on the queues of a wire's near end, with somebody at the far end whom the kernel knows.
fn on_a_wire(name: &str, test: impl FnOnce(&Wire, &mut Control)) {
    let wire = match Wire::new() {
        Ok(wire) => wire,
        Err(reason) => {
            eprintln!("NOT TRIED over AF_XDP: {reason}");
            return;
        }
    };
    let config = format!(
        "version = 1\n[media]\naddress = \"10.77.0.1\"\nports = \"30000-59999\"\npackets = \"af_xdp\"\nworkers = 2\ninterface = \"{}\"\n",
        wire.near()
    );
    let media = Media::start_with(name, &config);
    assert!(wire.has_program(), "the interface has the program");
    let kernel = UdpSocket::bind("10.77.0.1:0").expect("it is there");
    let party = far(&wire, "10.77.0.2:0");
    kernel
        .send_to(b"hello", party.local_addr().expect("it is bound"))
        .expect("it goes");
    party.recv(&mut [0; 8]).expect("it comes");
    test(&wire, &mut media.control());
}

/// Parties whose packets come by either queue, streams of either worker, links between all of them: nothing is lost on the way.
#[test]
fn a_packet_gets_to_its_stream_by_whichever_queue_it_comes() {
    on_a_wire("queues", |wire, control| {
        let here: IpAddr = "10.77.0.1".parse().expect("an address");
        for number in 0..12 {
            let (one, other) = (far(wire, "10.77.0.2:0"), far(wire, "10.77.0.2:0"));
            let mut call = Call::numbered(control, number, [here; 2], one, other);
            for _ in 0..20 {
                call.frame();
            }
        }
        assert_eq!(control.streams().len(), 24);
    });
}

fn far(wire: &Wire, at: &str) -> UdpSocket {
    let socket = wire.far_away(|| UdpSocket::bind(at));
    let socket = socket.expect("the address is there");
    socket
        .set_read_timeout(Some(SOON))
        .expect("a socket has timeouts");
    socket
}

#[test]
fn packets_over_af_xdp_are_marked() {
    on_a_wire("frame-marks", |wire, control| {
        let here = "10.77.0.1".parse().expect("an address");
        let parties = [far(wire, "10.77.0.2:0"), far(wire, "10.77.0.2:0")];
        let [carrier, teams] = parties;
        let mut call = Call::between(control, here, carrier, teams);
        let sniffer = wire.far_away(Sniffer::new).expect("we may make wires");
        marks_hold(control, &mut call, &sniffer);
    });
}

const CALLS: u64 = 4;
const ROUNDS: u16 = 250;
/// For each packet of a call.
const TIMES: usize = 10;
const STRANGER: &str = "10.77.0.66";

/// Junk of every kind that begins like something.
fn junk(number: usize) -> Vec<u8> {
    // STUN, DTLS, TURN, RTP of another version, RTCP, nothing.
    let firsts = [0x00, 0x16, 0x40, 0xc0, 0x80, 0xff];
    let mut bytes: Vec<u8> = (0..40 + number % 160)
        .map(|at| (number.wrapping_mul(31) ^ at.wrapping_mul(17)) as u8)
        .collect();
    bytes[0] = firsts[number % firsts.len()];
    if bytes[0] == 0x80 {
        bytes[1] = 200;
    }
    bytes
}

#[test]
fn a_flood_costs_calls_nothing_and_is_not_reflected() {
    on_a_wire("flood", |wire, control| {
        let here: IpAddr = "10.77.0.1".parse().expect("an address");
        let mut calls: Vec<Call> = (0..CALLS)
            .map(|number| {
                let parties = [far(wire, "10.77.0.2:0"), far(wire, "10.77.0.2:0")];
                let [carrier, teams] = parties;
                Call::numbered(control, number, [here; 2], carrier, teams)
            })
            .collect();
        // Who floods has an address of his own, so that an answer would reach him; and ports beside the parties'.
        wire.far_away(|| {
            let added = Program::new("ip")
                .args(["addr", "add", &format!("{STRANGER}/24"), "dev", wire.far()])
                .status();
            assert!(added.is_ok_and(|status| status.success()));
        });
        let strangers = [
            far(wire, &format!("{STRANGER}:0")),
            far(wire, "10.77.0.2:0"),
        ];
        let sniffer = wire.far_away(Sniffer::new).expect("we may make wires");
        let unopened = SocketAddr::new(here, 59_000);

        let mut number = 0;
        let mut reflected = Vec::new();
        let mut forged = 0_u64;
        for round in 0..ROUNDS {
            for call in &mut calls {
                let ports = [
                    call.carrier_stream.local,
                    call.teams_stream.local,
                    SocketAddr::new(here, call.carrier_stream.local.port() + 1),
                    unopened,
                ];
                for _ in 0..2 * TIMES {
                    number += 1;
                    let to = ports[number / 5 % ports.len()];
                    match number % 5 {
                        // Good RTP from a stranger.
                        0 => strangers[0].send_to(&rtp(7, round), to),
                        // SRTP under no key, from the address of the party itself.
                        1 => {
                            forged += 1;
                            let mut bytes = rtp(9, round);
                            bytes.extend([0x5a; 10]);
                            call.teams.send_to(&bytes, call.teams_stream.local)
                        }
                        2 => strangers[1].send_to(&junk(number), to),
                        // RTP of another party's source, from beside it.
                        3 => strangers[1].send_to(&rtp(9, round), to),
                        _ => strangers[0].send_to(&junk(number), to),
                    }
                    .expect("the wire takes it");
                }
            }
            // Each frame waits until it is heard: a lost one fails the test.
            for call in &mut calls {
                call.frame();
            }
            let is_to_stranger = |seen: &&Seen| {
                let to: IpAddr = STRANGER.parse().expect("an address");
                seen.from.0 == here && seen.to == to && seen.protocol == UDP
            };
            reflected.extend(sniffer.seen().iter().filter(is_to_stranger).copied());
        }
        assert_eq!(reflected, [], "somebody is answered");
        for stranger in &strangers {
            stranger.set_nonblocking(true).expect("a socket can");
            assert!(stranger.recv(&mut [0; 16]).is_err(), "a stranger hears");
        }
        let mut refused = 0;
        for stream in 1..=2 * CALLS {
            control.say(&Command::Statistics(StreamId(stream)));
            let statistics = control.wait_for(|event| match event {
                Event::Statistics { id, statistics } if id.0 == stream => Some(statistics.clone()),
                _ => None,
            });
            assert_eq!(statistics.received.packets, u64::from(ROUNDS));
            assert_eq!(statistics.received.lost, 0);
            let drops = statistics.drops.iter();
            let forgeries = drops.filter(|(reason, _)| *reason == DropReason::Unauthenticated);
            refused += forgeries.map(|(_, count)| count).sum::<u64>();
        }
        assert!(
            refused >= forged / 2,
            "the flood came as far as the keys: {refused} of {forged}"
        );
    });
}
