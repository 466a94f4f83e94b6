//! What every kind of packet ports does, asked of each kind in the same words.
//!
//! Not here: what only one kind has (its own tests beside it).

mod namespaces;

use std::any::Any;
use std::cell::Cell;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use board::{host, linux, sim};
use embassy_time::Duration;
use hal::{BUFFER, BURST, Burst, Dscp, OpenError, PortId, Ports};
use namespaces::Wire;

/// Somebody on the other side.
trait Party {
    fn address(&self) -> SocketAddr;
    fn send(&self, to: SocketAddr, bytes: &[u8]);
    /// The next datagram, if one comes soon.
    fn receive(&self) -> Option<(SocketAddr, Vec<u8>)>;
}

/// A box with its surroundings.
trait Place {
    type Ports: Ports;
    fn ports(&self) -> Self::Ports;
    fn party(&self) -> Box<dyn Party>;
    /// An address for the box that nobody uses.
    fn vacant_address(&self) -> SocketAddr;
    /// Another program takes an address of the box and keeps it with what is given; None if it cannot.
    fn occupy(&self, address: SocketAddr) -> Option<Box<dyn Any>>;
}

struct Host(&'static str);

impl Party for UdpSocket {
    fn address(&self) -> SocketAddr {
        self.local_addr().expect("it is bound")
    }

    fn send(&self, to: SocketAddr, bytes: &[u8]) {
        self.send_to(bytes, to).expect("loopback takes it");
    }

    fn receive(&self) -> Option<(SocketAddr, Vec<u8>)> {
        let mut buffer = vec![0; 65_536];
        let (length, from) = self.recv_from(&mut buffer).ok()?;
        Some((from, buffer[..length].to_vec()))
    }
}

impl Place for Host {
    type Ports = host::Ports;

    fn ports(&self) -> host::Ports {
        host::Ports::new().expect("epoll is there")
    }

    fn party(&self) -> Box<dyn Party> {
        let socket = UdpSocket::bind(self.0).expect("loopback is there");
        socket
            .set_read_timeout(Some(std::time::Duration::from_millis(200)))
            .expect("a socket has timeouts");
        Box::new(socket)
    }

    fn vacant_address(&self) -> SocketAddr {
        UdpSocket::bind(self.0)
            .and_then(|socket| socket.local_addr())
            .expect("loopback is there")
    }

    fn occupy(&self, address: SocketAddr) -> Option<Box<dyn Any>> {
        UdpSocket::bind(address)
            .ok()
            .map(|socket| Box::new(socket) as Box<dyn Any>)
    }
}

struct Sim(sim::Network, std::cell::Cell<u16>);

struct SimParty(sim::Network, sim::Peer);

impl Party for SimParty {
    fn address(&self) -> SocketAddr {
        self.1.address()
    }

    fn send(&self, to: SocketAddr, bytes: &[u8]) {
        self.1.send(to, bytes);
    }

    fn receive(&self) -> Option<(SocketAddr, Vec<u8>)> {
        self.0.advance(Duration::from_millis(10));
        self.1
            .receive()
            .map(|datagram| (datagram.from, datagram.bytes))
    }
}

impl Place for Sim {
    type Ports = sim::Ports;

    fn ports(&self) -> sim::Ports {
        sim::Ports::new(&self.0)
    }

    fn party(&self) -> Box<dyn Party> {
        Box::new(SimParty(self.0.clone(), self.0.peer(self.vacant_address())))
    }

    fn vacant_address(&self) -> SocketAddr {
        self.1.set(self.1.get() + 2);
        SocketAddr::new("10.0.0.1".parse().expect("an address"), self.1.get())
    }

    fn occupy(&self, address: SocketAddr) -> Option<Box<dyn Any>> {
        let mut others = sim::Ports::new(&self.0);
        others.open(address, Dscp::DEFAULT).ok()?;
        Some(Box::new(others))
    }
}

/// A box at one end of a wire, its parties at the other.
struct Linux {
    wire: Wire,
    here: IpAddr,
    there: IpAddr,
    next: Cell<u16>,
}

impl Linux {
    fn new(wire: Wire, here: &str, there: &str) -> Self {
        Self {
            wire,
            here: here.parse().expect("an address"),
            there: there.parse().expect("an address"),
            next: 20_000.into(),
        }
    }
}

impl Place for Linux {
    type Ports = linux::Ports;

    fn ports(&self) -> linux::Ports {
        linux::Ports::new(&linux::Plan {
            interface: self.wire.near().to_owned(),
            addresses: vec![self.here],
            alone: Vec::new(),
            ports: 20_000..=20_999,
        })
        .expect("a wire of our own takes a program")
    }

    fn party(&self) -> Box<dyn Party> {
        let socket = self.wire.far_away(|| UdpSocket::bind((self.there, 0)));
        let socket = socket.expect("the address is there");
        socket
            .set_read_timeout(Some(std::time::Duration::from_millis(200)))
            .expect("a socket has timeouts");
        Box::new(socket)
    }

    fn vacant_address(&self) -> SocketAddr {
        self.next.set(self.next.get() + 2);
        SocketAddr::new(self.here, self.next.get())
    }

    fn occupy(&self, address: SocketAddr) -> Option<Box<dyn Any>> {
        UdpSocket::bind(address)
            .ok()
            .map(|socket| Box::new(socket) as Box<dyn Any>)
    }
}

fn heap() -> Box<Burst> {
    Box::new(Burst::new())
}

/// Waits until so many packets have come, then takes them.
fn take(ports: &mut impl Ports, burst: &mut Burst, wanted: usize) {
    for _ in 0..100 {
        while ports.rx_burst(burst) > 0 {}
        if burst.len() >= wanted {
            return;
        }
        ports.wait(Some(Duration::from_millis(20)));
    }
    panic!("{} of {wanted} came", burst.len());
}

fn everything_holds(place: &impl Place) {
    receives_and_sends_where_it_lies(place);
    takes_more_than_a_burst_in_several(place);
    a_closed_port_forgets(place);
    refuses_what_it_cannot_open(place);
    tells_what_did_not_leave(place);
    knows_a_datagram_that_is_cut(place);
    does_not_wait_when_told_not_to(place);
}

fn receives_and_sends_where_it_lies(place: &impl Place) {
    let (mut ports, mut burst) = (place.ports(), heap());
    let (alice, bob) = (place.party(), place.party());
    let (near, far) = (place.vacant_address(), place.vacant_address());
    let near_port = ports.open(near, Dscp::EXPEDITED).expect("it is vacant");
    let far_port = ports.open(far, Dscp::EXPEDITED).expect("it is vacant");
    assert_ne!(near_port, far_port);
    for n in 0..5_u8 {
        alice.send(near, &[n; 172]);
    }
    bob.send(far, b"back");
    take(&mut ports, &mut burst, 6);
    for place in 0..6 {
        let packet = &mut burst.packets_mut()[place];
        assert!(!packet.is_cut());
        if packet.port == near_port {
            assert_eq!((packet.remote, packet.len()), (alice.address(), 172));
            packet.data_mut()[0] += 100;
            (packet.port, packet.remote) = (far_port, bob.address());
        } else {
            assert_eq!(
                (packet.remote, packet.data()),
                (bob.address(), &b"back"[..])
            );
            (packet.port, packet.remote) = (near_port, alice.address());
        }
        burst.leave(place);
    }
    assert!(ports.tx_burst(&mut burst).is_empty());
    let heard: Vec<_> = (0..5).map_while(|_| bob.receive()).collect();
    assert_eq!(
        heard
            .iter()
            .map(|(from, bytes)| (*from, bytes[0], bytes[1]))
            .collect::<Vec<_>>(),
        [
            (far, 100, 0),
            (far, 101, 1),
            (far, 102, 2),
            (far, 103, 3),
            (far, 104, 4)
        ]
    );
    assert_eq!(alice.receive(), Some((near, b"back".to_vec())));
    assert_eq!(bob.receive(), None, "nothing is sent twice");
}

fn takes_more_than_a_burst_in_several(place: &impl Place) {
    let (mut ports, mut burst) = (place.ports(), heap());
    let alice = place.party();
    let near = place.vacant_address();
    ports.open(near, Dscp::DEFAULT).expect("it is vacant");
    for n in 0..50_u8 {
        alice.send(near, &[n]);
    }
    take(&mut ports, &mut burst, BURST);
    assert_eq!(ports.rx_burst(&mut burst), 0, "a full burst takes no more");
    let mut numbers: Vec<u8> = burst
        .packets()
        .iter()
        .map(|packet| packet.data()[0])
        .collect();
    burst.clear();
    take(&mut ports, &mut burst, 50 - BURST);
    numbers.extend(burst.packets().iter().map(|packet| packet.data()[0]));
    assert_eq!(numbers, (0..50).collect::<Vec<u8>>());
}

fn a_closed_port_forgets(place: &impl Place) {
    let (mut ports, mut burst) = (place.ports(), heap());
    let alice = place.party();
    let near = place.vacant_address();
    let first = ports.open(near, Dscp::DEFAULT).expect("it is vacant");
    alice.send(near, b"before");
    ports.wait(Some(Duration::from_millis(50)));
    ports.close(first);
    ports.close(first);
    assert_eq!(ports.rx_burst(&mut burst), 0);
    alice.send(near, b"while closed");
    ports.wait(Some(Duration::from_millis(5)));
    assert_eq!(ports.rx_burst(&mut burst), 0);
    ports
        .open(near, Dscp::EXPEDITED)
        .expect("it is vacant again");
    alice.send(near, b"after");
    take(&mut ports, &mut burst, 1);
    assert_eq!(burst.packets()[0].data(), b"after");
    assert_eq!(burst.len(), 1);
}

fn refuses_what_it_cannot_open(place: &impl Place) {
    let mut ports = place.ports();
    let near = place.vacant_address();
    ports.open(near, Dscp::DEFAULT).expect("it is vacant");
    assert_eq!(
        ports.open(near, Dscp::DEFAULT),
        Err(OpenError::AddressInUse)
    );
    let nameless = SocketAddr::new(near.ip(), 0);
    assert_eq!(
        ports.open(nameless, Dscp::DEFAULT),
        Err(OpenError::AddressUnavailable)
    );
    assert!(place.occupy(near).is_none(), "what is open is ours");
    let theirs = place.vacant_address();
    let held = place.occupy(theirs).expect("it is vacant");
    assert_eq!(
        ports.open(theirs, Dscp::DEFAULT),
        Err(OpenError::AddressInUse)
    );
    drop(held);
    assert!(ports.open(theirs, Dscp::DEFAULT).is_ok());
}

fn tells_what_did_not_leave(place: &impl Place) {
    let (mut ports, mut burst) = (place.ports(), heap());
    let alice = place.party();
    let near = place.vacant_address();
    let port = ports.open(near, Dscp::DEFAULT).expect("it is vacant");
    let nowhere = SocketAddr::new(alice.address().ip(), 0);
    for (port, remote) in [
        (port, alice.address()),
        (port, nowhere),
        (port, alice.address()),
        (PortId(77), alice.address()),
    ] {
        let packet = burst.add().expect("there is room");
        (packet.port, packet.remote) = (port, remote);
        packet.buffer_mut()[0] = 7;
        packet.set_len(1);
    }
    assert_eq!(ports.tx_burst(&mut burst).collect::<Vec<_>>(), [1, 3]);
    assert!(alice.receive().is_some() && alice.receive().is_some() && alice.receive().is_none());
}

fn knows_a_datagram_that_is_cut(place: &impl Place) {
    let (mut ports, mut burst) = (place.ports(), heap());
    let alice = place.party();
    let near = place.vacant_address();
    ports.open(near, Dscp::DEFAULT).expect("it is vacant");
    alice.send(near, &[1; BUFFER]);
    alice.send(near, &[2; BUFFER + 1]);
    alice.send(near, &[]);
    take(&mut ports, &mut burst, 3);
    let mut seen: Vec<_> = burst
        .packets()
        .iter()
        .map(|packet| (packet.len(), packet.is_cut()))
        .collect();
    // Fragments may come another way than what was whole.
    seen.sort_unstable();
    assert_eq!(seen, [(0, false), (BUFFER, false), (BUFFER, true)]);
}

fn does_not_wait_when_told_not_to(place: &impl Place) {
    let (mut ports, mut burst) = (place.ports(), heap());
    ports.wait(Some(Duration::from_ticks(0)));
    assert_eq!(ports.rx_burst(&mut burst), 0);
    assert!(ports.tx_burst(&mut burst).is_empty());
}

#[test]
fn host_ports_conform_over_ipv4() {
    everything_holds(&Host("127.0.0.1:0"));
}

#[test]
fn host_ports_conform_over_ipv6() {
    // A machine without IPv6 has nothing to show here.
    if UdpSocket::bind("[::1]:0").is_ok() {
        everything_holds(&Host("[::1]:0"));
    }
}

#[test]
fn simulated_ports_conform() {
    everything_holds(&Sim(
        sim::Network::new(1, sim::Weather::FAIR),
        10_000.into(),
    ));
}

/// The box's end of a wire, or the reason why AF_XDP cannot be tried here. Then it must be the ports that say so.
fn with_a_wire(test: impl FnOnce(Wire)) {
    match Wire::new() {
        Ok(wire) => test(wire),
        Err(reason) => {
            eprintln!("NOT TRIED over AF_XDP: {reason}");
            let refused = linux::Ports::new(&linux::Plan {
                interface: "lo".to_owned(),
                addresses: vec!["127.0.0.1".parse().expect("an address")],
                alone: Vec::new(),
                ports: 20_000..=20_999,
            });
            let Err(error) = refused else {
                panic!("AF_XDP could be tried here, but for a wire: {reason}");
            };
            eprintln!("the ports say: {error}");
        }
    }
}

#[test]
fn linux_ports_conform_over_ipv4() {
    with_a_wire(|wire| everything_holds(&Linux::new(wire, "10.77.0.1", "10.77.0.2")));
}

#[test]
fn linux_ports_conform_over_ipv6() {
    with_a_wire(|wire| everything_holds(&Linux::new(wire, "fd77::1", "fd77::2")));
}

#[test]
fn a_waker_ends_the_wait_of_another_thread() {
    let mut ports = host::Ports::new().expect("epoll is there");
    let waker = ports.waker();
    let waiting = std::thread::spawn(move || ports.wait(None));
    waker.wake();
    waiting.join().expect("it came back");
}

#[test]
fn what_leaves_is_marked() {
    // MED-11: voice is expedited.
    let network = sim::Network::new(1, sim::Weather::FAIR);
    let mut ports = sim::Ports::new(&network);
    let alice = network.peer("10.0.0.2:2".parse().expect("an address"));
    let port = ports
        .open("10.0.0.1:1".parse().expect("an address"), Dscp::DEFAULT)
        .expect("it is vacant");
    let mut burst = heap();
    for dscp in [Dscp::DEFAULT, Dscp::EXPEDITED] {
        ports.mark(port, dscp);
        burst.clear();
        let packet = burst.add().expect("there is room");
        (packet.port, packet.remote) = (port, alice.address());
        packet.set_len(1);
        ports.tx_burst(&mut burst);
        network.advance(Duration::from_millis(1));
        assert_eq!(alice.receive().map(|datagram| datagram.dscp), Some(dscp));
    }
}

#[test]
fn what_a_full_queue_loses_is_counted_while_the_port_is_open() {
    const SENT: u64 = 2_000;
    let place = Host("127.0.0.1:0");
    let (mut ports, party) = (place.ports(), place.party());
    let here = place.vacant_address();
    let flood = |count: u64| (0..count).for_each(|_| party.send(here, &[0; 200]));
    let port = ports.open(here, Dscp::DEFAULT).expect("it is free");
    assert_eq!(ports.overruns(), 0);
    flood(SENT);
    let (mut burst, mut taken) = (heap(), 0);
    loop {
        ports.wait(Some(Duration::from_ticks(0)));
        match ports.rx_burst(&mut burst) {
            0 => break,
            count => taken += count as u64,
        }
        burst.clear();
    }
    let lost = ports.overruns();
    assert!(lost > 0, "a queue that holds everything has no bound");
    assert_eq!(lost + taken, SENT);
    flood(SENT);
    ports.close(port);
    let lost_in_all = ports.overruns();
    assert!(lost_in_all > lost, "the last look is at the end");
    // Nobody misses what comes while a port is closed.
    flood(SENT);
    ports.open(here, Dscp::DEFAULT).expect("it is free");
    assert_eq!(ports.overruns(), lost_in_all);
}
