//! Hostile and slow peers against a running box: calls that are up stay up, new calls succeed, nothing grows, and all is counted.
//!
//! SIPp's calls are the measure; the hostility is this test's, on every socket that the box has open.
//!
//! Not here: the network's own limits one by one (`postern/tests/network.rs`), torture messages (`sip`).
#![forbid(unsafe_code)]

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fs, thread};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tests::certificates::Authority;
use tests::peers::{Peer, free_port};
use tests::place::Place;
use tests::running::{Plane, Running};

const CALLER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 51);
const CALLEE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 52);
/// The box closes a message that does not end after ten seconds.
const CLOSED: Duration = Duration::from_secs(40);
/// What a process may grow by, in KiB: far less than what is thrown at it, kept.
const GROWTH: u64 = 64 * 1_024;

/// A box with its three transports, two trunks of SIPp's and one whose source is this test's.
struct Bench {
    running: Running,
    media: Ipv4Addr,
    authority: Authority,
    plain: SocketAddr,
    tls: SocketAddr,
    caller: u16,
    callee: u16,
}

impl Bench {
    fn start(name: &str, media: Ipv4Addr) -> Self {
        let limit = getrlimit(Resource::Nofile);
        setrlimit(
            Resource::Nofile,
            Rlimit {
                current: limit.maximum,
                maximum: limit.maximum,
            },
        )
        .expect("a soft limit may be raised to the hard one");
        let place = Place::new(name);
        let authority = Authority::new(name);
        let own = authority.sign(&["sbc.example"]);
        place.write("root.pem", authority.pem());
        place.write("own.pem", &own.certificate);
        place.write("own.key", &own.key);
        let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let (plain, tls) = (
            at(free_port(Ipv4Addr::LOCALHOST)),
            at(free_port(Ipv4Addr::LOCALHOST)),
        );
        let (caller, callee) = (free_port(CALLER), free_port(CALLEE));
        let running = Running::start(
            place,
            &format!(
                r#"
version = 1
[media]
address = "{media}"
ports = "24000-24199"
[[identity]]
name = "own"
certificate = "own.pem"
key = "own.key"
[[trust]]
name = "root"
bundle = "root.pem"
[[listener]]
name = "udp"
transport = "udp"
address = "{plain}"
[[listener]]
name = "tcp"
transport = "tcp"
address = "{plain}"
[[listener]]
name = "tls"
transport = "tls"
address = "{tls}"
identity = "own"
client_auth = "none"
[[trunk]]
name = "caller"
kind = "carrier"
listener = "udp"
peers = ["{CALLER}:{caller}"]
sources = ["{CALLER}"]
[[trunk]]
name = "callee"
kind = "carrier"
listener = "udp"
peers = ["{CALLEE}:{callee}"]
sources = ["{CALLEE}"]
[[trunk]]
name = "swarm"
kind = "carrier"
listener = "tls"
transport = "tls"
trust = "root"
peers = ["127.0.0.1:9"]
sources = ["127.0.0.1"]
[[route]]
name = "out"
from = ["caller"]
send_to = ["callee"]
"#
            ),
        );
        Self {
            running,
            media,
            authority,
            plain,
            tls,
            caller,
            callee,
        }
    }

    /// Begins calls: the peers' two sides.
    fn calls(&self, calls: usize, hold: Duration) -> [Peer; 2] {
        let (calls, hold) = (calls.to_string(), hold.as_millis().to_string());
        let target = self.plain.to_string();
        let place = self.running.place();
        let answers = Peer::sipp(
            place,
            "callee",
            (CALLEE, self.callee),
            &["-sn", "uas", "-m", &calls],
        );
        #[rustfmt::skip]
        let places = Peer::sipp(place, "caller", (CALLER, self.caller), &[
            "-sn", "uac", "-s", "+13125550100", "-m", &calls, "-r", "10", "-d", &hold, &target,
        ]);
        [places, answers]
    }

    /// Waits until calls have ended well.
    fn end_well(mut calls: [Peer; 2]) {
        for side in &mut calls {
            let status = side.ended(Duration::from_secs(60));
            assert!(status.success(), "sipp says {status}: some call failed");
        }
    }

    fn await_calls(&self, calls: u64) {
        let until = Instant::now() + Duration::from_secs(20);
        while self.running.census()["calls"] != calls {
            assert!(Instant::now() < until, "{}", self.running.census());
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn count(&self, name: &str) -> u64 {
        self.running
            .ask(r#"{"query":"network"}"#)
            .expect("control answers")[name]
            .as_u64()
            .expect("a count of this name")
    }

    /// What both processes hold in memory, in KiB.
    fn memory(&self) -> [u64; 2] {
        [Plane::Control, Plane::Media].map(|plane| {
            let file = format!("/proc/{}/status", self.running.pid(plane).as_raw_nonzero());
            let status = fs::read_to_string(file).expect("it runs");
            status
                .lines()
                .find_map(|line| line.strip_prefix("VmRSS:"))
                .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
                .expect("the kernel tells")
        })
    }

    fn assert_no_growth_since(&self, before: [u64; 2]) {
        for (before, now) in before.into_iter().zip(self.memory()) {
            assert!(now < before + GROWTH, "grew from {before} to {now} KiB");
        }
    }

    /// A connection whose handshake is done.
    fn shake_hands(&self, config: &Arc<ClientConfig>) -> StreamOwned<ClientConnection, TcpStream> {
        let name = ServerName::try_from("sbc.example").expect("a name");
        let mut session = ClientConnection::new(Arc::clone(config), name).expect("a client");
        let mut socket = TcpStream::connect(self.tls).expect("connected");
        while session.is_handshaking() {
            session.complete_io(&mut socket).expect("shaken hands");
        }
        StreamOwned::new(session, socket)
    }

    fn client(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(self.authority.pem().as_bytes()).expect("PEM");
        roots.add(root).expect("a root");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        Arc::new(
            ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .expect("ring has them")
                .with_root_certificates(roots)
                .with_no_client_auth(),
        )
    }
}

/// Reads until the box closes.
fn await_closed(stream: TcpStream) {
    stream.set_read_timeout(Some(CLOSED)).expect("a time");
    await_end(stream);
}

fn await_end(mut stream: impl Read) {
    let mut buffer = [0; 4_096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) => {
                // A TLS session ends without its own farewell where the peer spoke nonsense.
                assert!(
                    matches!(
                        error.kind(),
                        ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof
                    ),
                    "the box does not close: {error}"
                );
                return;
            }
        }
    }
}

#[test]
fn a_thousand_idle_tls_connections_do_not_stop_a_call() {
    let bench = Bench::start("idle", Ipv4Addr::new(127, 0, 0, 53));
    let up = bench.calls(3, Duration::from_secs(6));
    bench.await_calls(3);
    let config = bench.client();
    let unfinished: Vec<_> = (0..300)
        .map(|_| {
            let mut socket = TcpStream::connect(bench.tls).expect("connected");
            socket.write_all(&[22, 3, 1]).expect("sent");
            socket
        })
        .collect();
    let idle: Vec<_> = (0..1_000).map(|_| bench.shake_hands(&config)).collect();
    Bench::end_well(up);
    Bench::end_well(bench.calls(10, Duration::from_millis(200)));
    for socket in unfinished {
        await_closed(socket);
    }
    assert!(bench.count("handshake_failed") >= 300);
    drop(idle);
    bench.running.await_nothing_left(Duration::from_secs(20));
}

#[test]
fn junk_and_slow_messages_neither_end_a_call_nor_stop_another() {
    let bench = Bench::start("junk", Ipv4Addr::new(127, 0, 0, 54));
    let up = bench.calls(3, Duration::from_secs(6));
    bench.await_calls(3);
    let before = bench.memory();
    let mut chance = ChaCha8Rng::seed_from_u64(2);
    let mut junk = vec![0; 1_200];

    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    for number in 0..10_000_u16 {
        chance.fill_bytes(&mut junk);
        let length = usize::from(number) % 1_200 + 1;
        socket.send_to(&junk[..length], bench.plain).expect("sent");
        let media = SocketAddr::from((bench.media, 24_000 + number % 200));
        // Where no call listens the kernel says so at the next send, which is no fault.
        let _ = socket.send_to(&junk[..length], media);
    }
    socket
        .send_to(&vec![b'x'; 65_000], bench.plain)
        .expect("sent");

    let mut cut = Vec::new();
    for target in [bench.plain, bench.tls] {
        let mut garbage = TcpStream::connect(target).expect("connected");
        chance.fill_bytes(&mut junk);
        // The first kilobyte may be enough for the box to close.
        let _ = garbage.write_all(&junk);
        cut.push(garbage);
    }
    // The same within a session whose handshake was in order, and slowly, too.
    let config = bench.client();
    let sessions = [(); 2].map(|()| {
        let session = bench.shake_hands(&config);
        let socket = &session.sock;
        socket.set_read_timeout(Some(CLOSED)).expect("a time");
        session
    });
    let [mut within, mut silent] = sessions;
    let _ = within.write_all(&junk);
    let _ = silent.write_all(b"OPTIONS sip:a@127.0.0.1 SIP/2.0\r\nVia: ");
    let start = "OPTIONS sip:a@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKx\r\n";
    let mut endless = TcpStream::connect(bench.plain).expect("connected");
    let _ = endless.write_all(start.as_bytes());
    for _ in 0..200 {
        // Refused in between: that is the point.
        let _ = endless.write_all(&[b'x'; 1_024]);
    }
    let mut huge = TcpStream::connect(bench.plain).expect("connected");
    let _ = huge.write_all(format!("{start}Content-Length: 4000000000\r\n\r\n").as_bytes());
    cut.extend([endless, huge]);
    let dribbling = TcpStream::connect(bench.plain).expect("connected");
    let mut dribble = dribbling.try_clone().expect("a second descriptor");
    let dribbler = thread::spawn(move || {
        for byte in start.bytes().cycle() {
            if dribble.write_all(&[byte]).is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
    });
    cut.push(dribbling);

    Bench::end_well(up);
    Bench::end_well(bench.calls(10, Duration::from_millis(200)));
    for stream in cut {
        await_closed(stream);
    }
    await_end(within);
    await_end(silent);
    dribbler.join().expect("it was cut off");
    assert!(bench.count("malformed") > 0, "datagrams are counted");
    assert!(bench.count("ended_malformed") > 0, "and streams of junk");
    assert!(bench.count("ended_slow") > 0, "and slow ones");
    bench.assert_no_growth_since(before);
    bench.running.await_nothing_left(Duration::from_secs(20));
}
