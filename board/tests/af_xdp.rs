//! What the ports over AF_XDP do beyond what all ports do: which way packets take, and what is left to the kernel.
//!
//! Each test has a wire of its own. Where the rights for that are missing the tests say so and have nothing to show; that the
//! ports then refuse by name is tested in `conformance.rs`.
//!
//! Not here: what all kinds of ports have in common (`conformance.rs`).

mod namespaces;

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration as Patience;

use board::linux::{Copies, Plan, Ports, StartError};
use embassy_time::Duration;
use hal::{Burst, Dscp, PortId, Ports as _};
use namespaces::Wire;
use smoltcp::phy::{Device, Medium, RawSocket, RxToken, TxToken};
use smoltcp::time::Instant;

const HERE: &str = "10.77.0.1";
const THERE: &str = "10.77.0.2";

fn with_a_wire(test: impl FnOnce(&Wire)) {
    match Wire::new() {
        Ok(wire) => test(&wire),
        Err(reason) => eprintln!("NOT TRIED: {reason}"),
    }
}

fn plan(wire: &Wire) -> Plan {
    Plan {
        interface: wire.near().to_owned(),
        addresses: vec![address(HERE), address("fd77::1")],
        alone: Vec::new(),
        ports: 20_000..=20_999,
    }
}

fn ports(wire: &Wire) -> Ports {
    Ports::new(&plan(wire)).expect("a wire of our own takes a program")
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn at(host: &str, port: u16) -> SocketAddr {
    SocketAddr::new(address(host), port)
}

fn party(wire: &Wire, port: u16) -> UdpSocket {
    let socket = wire.far_away(|| UdpSocket::bind(at(THERE, port)));
    let socket = socket.expect("the address is there");
    socket
        .set_read_timeout(Some(Patience::from_secs(2)))
        .expect("a socket has timeouts");
    socket
}

fn heard(party: &UdpSocket) -> Option<(SocketAddr, Vec<u8>)> {
    let mut buffer = [0; 2_048];
    let (length, from) = party.recv_from(&mut buffer).ok()?;
    Some((from, buffer[..length].to_vec()))
}

fn say(ports: &mut Ports, port: PortId, to: SocketAddr, bytes: &[u8]) {
    let mut burst = Box::new(Burst::new());
    let packet = burst.add().expect("there is room");
    (packet.port, packet.remote) = (port, to);
    packet.buffer_mut()[..bytes.len()].copy_from_slice(bytes);
    packet.set_len(bytes.len());
    assert!(ports.tx_burst(&mut burst).is_empty(), "it leaves");
}

/// Everything that arrives until so much has, or nothing more comes.
fn arrivals(ports: &mut Ports, wanted: usize) -> Vec<(PortId, SocketAddr, Vec<u8>)> {
    let mut burst = Box::new(Burst::new());
    let mut all = Vec::new();
    for _ in 0..100 {
        while ports.rx_burst(&mut burst) > 0 {
            let packets = burst.packets().iter();
            all.extend(packets.map(|packet| (packet.port, packet.remote, packet.data().to_vec())));
            burst.clear();
        }
        if all.len() >= wanted {
            break;
        }
        ports.wait(Some(Duration::from_millis(20)));
    }
    all
}

/// Speaks until packets leave in frames: the kernel finds the neighbour first.
fn until_frames_leave(ports: &mut Ports, port: PortId, party: &UdpSocket) {
    let to = party.local_addr().expect("it is bound");
    for _ in 0..200 {
        say(ports, port, to, b"hello");
        assert_eq!(
            heard(party).map(|(_, bytes)| bytes),
            Some(b"hello".to_vec())
        );
        if ports.frames().sent > 0 {
            return;
        }
        std::thread::sleep(Patience::from_millis(5));
    }
    panic!("the kernel knows the neighbour, and still no frame leaves");
}

/// Everything on the far end of the wire, and a way to put anything there.
fn raw_socket(wire: &Wire) -> RawSocket {
    let socket = wire.far_away(|| RawSocket::new(wire.far(), Medium::Ethernet));
    socket.expect("root may")
}

#[test]
fn packets_pass_in_frames_both_ways() {
    with_a_wire(|wire| {
        let mut ports = ports(wire);
        assert_eq!(ports.mode().queues, 2);
        assert_eq!(ports.mode().copies, Copies::One, "veth copies");
        let alice = party(wire, 4_000);
        let port = ports.open(at(HERE, 20_000), Dscp::EXPEDITED);
        let port = port.expect("it is vacant");
        until_frames_leave(&mut ports, port, &alice);
        let before = ports.frames();
        for n in 0..40_u8 {
            alice.send_to(&[n; 172], at(HERE, 20_000)).expect("it goes");
        }
        let got = arrivals(&mut ports, 40);
        let expected: Vec<_> = (0..40)
            .map(|n| (port, at(THERE, 4_000), vec![n; 172]))
            .collect();
        assert_eq!(got, expected);
        say(&mut ports, port, at(THERE, 4_000), &[9; 172]);
        assert_eq!(heard(&alice), Some((at(HERE, 20_000), vec![9; 172])));
        let after = ports.frames();
        assert_eq!(after.received - before.received, 40, "none by the socket");
        assert_eq!(after.sent - before.sent, 1);
    });
}

#[test]
fn what_is_not_media_reaches_the_kernel_as_before() {
    with_a_wire(|wire| {
        let mut ports = ports(wire);
        ports
            .open(at(HERE, 20_000), Dscp::DEFAULT)
            .expect("it is vacant");
        let signalling = UdpSocket::bind(at(HERE, 5_060)).expect("it is vacant");
        signalling
            .set_read_timeout(Some(Patience::from_secs(2)))
            .expect("a socket has timeouts");
        let alice = party(wire, 4_000);
        alice.send_to(b"OPTIONS", at(HERE, 5_060)).expect("it goes");
        let (from, bytes) = heard(&signalling).expect("the kernel has it");
        assert_eq!((from, &bytes[..]), (at(THERE, 4_000), &b"OPTIONS"[..]));
        signalling.send_to(b"200", from).expect("it goes");
        assert_eq!(heard(&alice), Some((at(HERE, 5_060), b"200".to_vec())));
        assert_eq!(ports.frames().received, 0);
    });
}

#[test]
fn what_does_not_fit_a_frame_goes_by_the_socket() {
    with_a_wire(|wire| {
        let mut ports = ports(wire);
        let alice = party(wire, 4_000);
        let port = ports.open(at(HERE, 20_000), Dscp::DEFAULT);
        let port = port.expect("it is vacant");
        until_frames_leave(&mut ports, port, &alice);
        let before = ports.frames();
        say(&mut ports, port, at(THERE, 4_000), &[5; 1_800]);
        assert_eq!(heard(&alice), Some((at(HERE, 20_000), vec![5; 1_800])));
        alice
            .send_to(&[6; 1_900], at(HERE, 20_000))
            .expect("it goes");
        let got = arrivals(&mut ports, 1);
        assert_eq!(got, [(port, at(THERE, 4_000), vec![6; 1_900])]);
        assert_eq!(ports.frames(), before);
    });
}

#[test]
fn a_party_on_this_machine_is_heard_and_answered() {
    with_a_wire(|wire| {
        let mut ports = ports(wire);
        let local = UdpSocket::bind(at(HERE, 4_000)).expect("it is vacant");
        local
            .set_read_timeout(Some(Patience::from_secs(2)))
            .expect("a socket has timeouts");
        let port = ports.open(at(HERE, 20_000), Dscp::DEFAULT);
        let port = port.expect("it is vacant");
        local.send_to(b"near", at(HERE, 20_000)).expect("it goes");
        assert_eq!(
            arrivals(&mut ports, 1),
            [(port, at(HERE, 4_000), b"near".to_vec())]
        );
        say(&mut ports, port, at(HERE, 4_000), b"back");
        assert_eq!(heard(&local), Some((at(HERE, 20_000), b"back".to_vec())));
        assert_eq!(ports.frames().sent, 0);
    });
}

#[test]
fn a_gateway_that_changes_is_followed() {
    with_a_wire(|wire| {
        let mut ports = ports(wire);
        let alice = party(wire, 4_000);
        let port = ports.open(at(HERE, 20_000), Dscp::DEFAULT);
        let port = port.expect("it is vacant");
        until_frames_leave(&mut ports, port, &alice);
        wire.replace_far_end("02:00:00:00:77:07");
        // Its first word tells the kernel who it is now, and the kernel tells us.
        alice
            .set_read_timeout(Some(Patience::from_millis(50)))
            .expect("a socket has timeouts");
        let returned = (0..100).any(|_| {
            let _ = alice.send_to(b"new", at(HERE, 5_060));
            ports.wait(Some(Duration::from_ticks(0)));
            say(&mut ports, port, at(THERE, 4_000), b"again");
            heard(&alice).is_some()
        });
        assert!(returned, "audio comes back");
        let before = ports.frames().sent;
        alice
            .set_read_timeout(Some(Patience::from_secs(2)))
            .expect("a socket has timeouts");
        while ports.frames().sent == before {
            say(&mut ports, port, at(THERE, 4_000), b"on");
            assert!(heard(&alice).is_some(), "and stays");
        }
    });
}

#[test]
fn tagged_frames_are_read() {
    with_a_wire(|wire| {
        let mut ports = ports(wire);
        let port = ports.open(at(HERE, 20_000), Dscp::DEFAULT);
        let port = port.expect("it is vacant");
        // By scapy: Ether()/Dot1Q(vlan=100)/IP(src="10.77.0.2", dst="10.77.0.1")/UDP(sport=4000, dport=20000)/"tagged".
        let frame = [
            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 2, 0x81, 0x00, 0x00, 100, 0x08,
            0x00, 0x45, 0x00, 0x00, 0x22, 0x00, 0x01, 0x00, 0x00, 0x40, 0x11, 0x66, 0x2e, 10, 77,
            0, 2, 10, 77, 0, 1, 0x0f, 0xa0, 0x4e, 0x20, 0x00, 0x0e, 0x4c, 0x48, b't', b'a', b'g',
            b'g', b'e', b'd',
        ];
        let mut raw = raw_socket(wire);
        let room = raw.transmit(Instant::ZERO).expect("there is room");
        room.consume(frame.len(), |octets| octets.copy_from_slice(&frame));
        assert_eq!(
            arrivals(&mut ports, 1),
            [(port, at(THERE, 4_000), b"tagged".to_vec())]
        );
        assert_eq!(ports.frames().received, 1);
    });
}

#[test]
fn what_leaves_in_frames_is_marked() {
    // MED-11: voice is expedited.
    with_a_wire(|wire| {
        let mut ports = ports(wire);
        let alice = party(wire, 4_000);
        let port = ports.open(at(HERE, 20_000), Dscp::EXPEDITED);
        let port = port.expect("it is vacant");
        until_frames_leave(&mut ports, port, &alice);
        let mut wiretap = raw_socket(wire);
        say(&mut ports, port, at(THERE, 4_000), b"marked");
        ports.mark(port, Dscp::DEFAULT);
        say(&mut ports, port, at(THERE, 4_000), b"plain");
        assert!(heard(&alice).is_some() && heard(&alice).is_some());
        let mut classes = Vec::new();
        while let Some((frame, _)) = wiretap.receive(Instant::ZERO) {
            frame.consume(|frame| {
                if frame[12..14] == [0x08, 0x00] && frame[36..38] == 4_000_u16.to_be_bytes() {
                    classes.push(frame[15]);
                }
            });
        }
        assert_eq!(classes, [46 << 2, 0]);
    });
}

#[test]
fn an_interface_is_given_back() {
    with_a_wire(|wire| {
        let first = ports(wire);
        let second = Ports::new(&plan(wire)).map(drop);
        assert!(
            matches!(second, Err(StartError::Queue(_) | StartError::Attach(_))),
            "it is ours: {second:?}"
        );
        drop(first);
        drop(ports(wire));
        let socket = UdpSocket::bind(at(HERE, 20_000)).expect("it is vacant");
        socket
            .set_read_timeout(Some(Patience::from_secs(2)))
            .expect("a socket has timeouts");
        let alice = party(wire, 4_000);
        alice.send_to(b"kernel", at(HERE, 20_000)).expect("it goes");
        assert!(heard(&socket).is_some(), "the program is gone");
        let nowhere = Plan {
            interface: "nowhere0".to_owned(),
            ..plan(wire)
        };
        assert!(matches!(Ports::new(&nowhere), Err(StartError::NoInterface)));
    });
}

#[test]
fn a_flood_of_what_is_nobodys_does_not_keep_the_ports_looking() {
    with_a_wire(|wire| {
        let mut ports = ports(wire);
        let port = ports.open(at(HERE, 20_000), Dscp::DEFAULT);
        let port = port.expect("it is vacant");
        let alice = party(wire, 4_000);
        for _ in 0..1_000 {
            alice.send_to(&[0; 100], at(HERE, 20_500)).expect("it goes");
        }
        let mut burst = Box::new(Burst::new());
        assert_eq!(ports.rx_burst(&mut burst), 0, "it is nobody's");
        let looked = ports.frames().received;
        assert!((1..=2 * 128).contains(&looked), "{looked} frames at once");
        // What came before is looked at in several turns, and then what is somebody's is heard.
        alice.send_to(b"hello", at(HERE, 20_000)).expect("it goes");
        assert_eq!(
            arrivals(&mut ports, 1),
            [(port, at(THERE, 4_000), b"hello".to_vec())]
        );
    });
}

/// Speaks to a remote by frames until they leave: the kernel finds the neighbour.
fn until_it_leaves(ports: &mut Ports, port: PortId, to: SocketAddr, bytes: &[u8]) {
    let mut burst = Box::new(Burst::new());
    for _ in 0..400 {
        burst.clear();
        let packet = burst.add().expect("there is room");
        (packet.port, packet.remote) = (port, to);
        packet.buffer_mut()[..bytes.len()].copy_from_slice(bytes);
        packet.set_len(bytes.len());
        if ports.tx_burst(&mut burst).is_empty() {
            return;
        }
        ports.wait(Some(Duration::from_millis(5)));
    }
    panic!("the kernel does not find {to}");
}

#[test]
fn an_address_of_the_media_plane_alone_is_found_and_carries_audio() {
    with_a_wire(|wire| {
        let mut ports = Ports::new(&Plan {
            alone: vec![address("10.77.0.100"), address("fd77::100")],
            ..plan(wire)
        })
        .expect("a wire of our own takes a program");
        for (ours, theirs) in [("10.77.0.100", THERE), ("fd77::100", "fd77::2")] {
            let ours = at(ours, 20_000);
            let port = ports.open(ours, Dscp::DEFAULT).expect("nobody has it");
            assert_eq!(
                ports.open(ours, Dscp::DEFAULT),
                Err(hal::OpenError::AddressInUse)
            );
            assert_eq!(
                ports.open(SocketAddr::new(ours.ip(), 5_060), Dscp::DEFAULT),
                Err(hal::OpenError::AddressUnavailable)
            );
            let alice = wire.far_away(|| UdpSocket::bind(at(theirs, 4_000)));
            let alice = alice.expect("the address is there");
            alice
                .set_read_timeout(Some(Patience::from_secs(5)))
                .expect("a socket has timeouts");
            // Her kernel asks who has the address, and we answer.
            alice.send_to(b"hello", ours).expect("it goes");
            let heard_here = arrivals(&mut ports, 1);
            assert_eq!(heard_here, [(port, at(theirs, 4_000), b"hello".to_vec())]);
            until_it_leaves(&mut ports, port, at(theirs, 4_000), b"back");
            assert_eq!(heard(&alice), Some((ours, b"back".to_vec())));
            ports.close(port);
            ports.open(ours, Dscp::DEFAULT).expect("it is free again");
        }
    });
}

#[test]
fn an_address_of_the_media_plane_alone_answers_ping() {
    with_a_wire(|wire| {
        let mut ports = Ports::new(&Plan {
            alone: vec![address("10.77.0.100")],
            ..plan(wire)
        })
        .expect("a wire of our own takes a program");
        let pinger = wire.far_away(|| {
            rustix::net::socket(
                rustix::net::AddressFamily::INET,
                rustix::net::SocketType::RAW,
                Some(rustix::net::ipproto::ICMP),
            )
        });
        let pinger = pinger.expect("root may");
        // Echo request, identifier 5, number 6.
        let request = [8, 0, 0xf7, 0xf4, 0, 5, 0, 6];
        let flags = rustix::net::SendFlags::empty();
        rustix::net::sendto(&pinger, &request, flags, &at("10.77.0.100", 0)).expect("it goes");
        let mut buffer = [0_u8; 256];
        let reply = (0..100).find_map(|_| {
            arrivals_for_a_moment(&mut ports);
            let flags = rustix::net::RecvFlags::DONTWAIT;
            let (_, length) = rustix::net::recv(&pinger, &mut buffer[..], flags).ok()?;
            Some(buffer[20..length].to_vec())
        });
        assert_eq!(reply, Some(vec![0, 0, 0xff, 0xf4, 0, 5, 0, 6]));
        // The kernel's own address is answered for by the kernel.
        let flags = rustix::net::SendFlags::empty();
        rustix::net::sendto(&pinger, &request, flags, &at(HERE, 0)).expect("it goes");
        let before = ports.frames();
        let flags = rustix::net::RecvFlags::empty();
        rustix::net::recv(&pinger, &mut buffer[..], flags).expect("it answers");
        assert_eq!(ports.frames(), before);
    });
}

fn arrivals_for_a_moment(ports: &mut Ports) {
    let mut burst = Box::new(Burst::new());
    ports.wait(Some(Duration::from_millis(20)));
    while ports.rx_burst(&mut burst) > 0 {
        burst.clear();
    }
}
