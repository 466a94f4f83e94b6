//! Connections on loopback: which one carries what, and how the network keeps those off who send slowly, never, or never read.
//!
//! Not here: certificates (`tls.rs`).
#![forbid(unsafe_code)]

mod rig;

use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use postern::net::{Event, Limits};
use postern::tls::{ClientAuth, Store};
use rig::{Kind, TENANT};
use rustls::version::TLS13;
use sip::transaction::ClientId;
use sip::transport::{Target, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};

const TRUNK: [u8; 4] = [127, 0, 0, 9];
const STRANGER: [u8; 4] = [127, 0, 0, 10];

async fn dial_from(from: [u8; 4], to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket
        .bind(SocketAddr::new(IpAddr::from(from), 0))
        .expect("an address of loopback");
    socket.connect(to).await.expect("connected")
}

fn back(source: &sip::transport::Source) -> Target {
    Target {
        transport: source.transport,
        remote: source.remote,
        listener: source.listener,
        flow: Some(source.flow),
        tls: None,
    }
}

#[test]
fn a_datagram_is_answered_from_the_socket_it_came_to() {
    rig::run(async |bench| {
        let listeners = vec![
            rig::listener(Transport::Udp, None),
            rig::listener(Transport::Udp, None),
        ];
        let second = listeners[1].address;
        let mut network = bench.network(Limits::default());
        assert!(
            network
                .apply(rig::plan(listeners, Arc::default()))
                .is_empty()
        );
        let peer = UdpSocket::bind("127.0.0.9:0").await.expect("a port");
        peer.send_to(rig::OPTIONS.as_bytes(), second)
            .await
            .expect("sent");
        let source = network.message().await;
        assert_eq!(
            (source.listener.0, source.local, source.remote),
            (1, second, peer.local_addr().expect("bound"))
        );
        network.send(&back(&source), rig::message(), None);
        let mut buffer = [0; 2048];
        let (length, from) = network
            .beside(peer.recv_from(&mut buffer))
            .await
            .expect("an answer");
        assert_eq!((&buffer[..length], from), (rig::OPTIONS.as_bytes(), second));
    });
}

#[test]
fn a_datagram_too_long_for_any_path_is_reported_to_its_transaction() {
    rig::run(async |bench| {
        let mut network = bench.network(Limits::default());
        network.apply(rig::plan(
            vec![rig::listener(Transport::Udp, None)],
            Arc::default(),
        ));
        let target = rig::target(Transport::Udp, SocketAddr::from((TRUNK, 5070)), None);
        network.send(&target, Bytes::from(vec![b'x'; 66_000]), Some(ClientId(3)));
        let event = network.event().await;
        assert!(
            matches!(
                event,
                Event::Failed {
                    client: Some(ClientId(3)),
                    ..
                }
            ),
            "{event:?}"
        );
    });
}

#[test]
fn keepalives_and_rubbish_are_no_messages() {
    rig::run(async |bench| {
        let listener = rig::listener(Transport::Udp, None);
        let address = listener.address;
        let mut network = bench.network(Limits::default());
        network.apply(rig::plan(vec![listener], Arc::default()));
        let peer = UdpSocket::bind("127.0.0.9:0").await.expect("a port");
        for datagram in [&b"\r\n\r\n"[..], b"\0\0\0\0", b"\xff"] {
            peer.send_to(datagram, address).await.expect("sent");
        }
        assert!(
            network
                .event_within(Duration::from_millis(100))
                .await
                .is_none()
        );
        assert_eq!(network.counts().received.value(), 3);
    });
}

#[test]
fn rfc_5923_one_connection_serves_a_target_and_answers_come_back_on_it() {
    rig::run(async |bench| {
        let server = TcpListener::bind("127.0.0.9:0").await.expect("a port");
        let mut network = bench.network(Limits::default());
        network.apply(rig::plan(
            vec![rig::listener(Transport::Tcp, None)],
            Arc::default(),
        ));
        let target = rig::target(Transport::Tcp, server.local_addr().expect("bound"), None);
        for _ in 0..3 {
            network.send(&target, rig::message(), None);
        }
        let (mut peer, from) = network
            .beside(server.accept())
            .await
            .expect("one connection");
        assert_eq!(
            from.ip(),
            IpAddr::from([127, 0, 0, 1]),
            "from the listener's address"
        );
        for _ in 0..3 {
            network
                .beside(rig::read_message(&mut peer))
                .await
                .expect("all on it");
        }
        rig::write_message(&mut peer).await.expect("sent");
        let source = network.message().await;
        assert_eq!((source.remote, source.listener.0), (target.remote, 0));
        network.send(&back(&source), rig::message(), None);
        network
            .beside(rig::read_message(&mut peer))
            .await
            .expect("on the flow the request came by");
        assert_eq!(
            (network.connections(), network.counts().connected.value()),
            (1, 1)
        );

        // When it breaks, those whose requests it carried are told, and the next goes on a new one.
        network.send(&target, rig::message(), Some(ClientId(5)));
        network
            .beside(rig::read_message(&mut peer))
            .await
            .expect("sent");
        drop(peer);
        assert!(matches!(
            network.event().await,
            Event::Failed {
                client: Some(ClientId(5)),
                ..
            }
        ));
        assert!(matches!(network.event().await, Event::Closed(flow) if flow == source.flow));
        network.send(&target, rig::message(), None);
        network
            .beside(server.accept())
            .await
            .expect("another connection");
    });
}

#[test]
fn a_refused_and_a_silent_target_fail_in_time() {
    rig::run(async |bench| {
        let pki = &bench.pki;
        let ours = pki.leaf(&[TENANT], Kind::BothUsages);
        let store = Arc::new(rig::store(pki, None, &ours, &ours));
        let mut network = bench.network(rig::quick());
        network.apply(rig::plan(vec![rig::listener(Transport::Tcp, None)], store));
        let refused = rig::target(Transport::Tcp, rig::free(Transport::Tcp), None);
        network.send(&refused, rig::message(), Some(ClientId(1)));
        assert!(
            matches!(network.event().await, Event::Failed { client: Some(ClientId(1)), target } if target == refused)
        );
        assert!(matches!(network.event().await, Event::Closed(_)));
        // Accepts, and says nothing: a black hole for TLS.
        let hole = TcpListener::bind("127.0.0.9:0").await.expect("a port");
        let silent = rig::target(
            Transport::Tls,
            hole.local_addr().expect("bound"),
            Some(rig::PROXY),
        );
        let begun = Instant::now();
        for client in 2..5 {
            network.send(&silent, rig::message(), Some(ClientId(client)));
        }
        for client in 2..5 {
            let event = network.event().await;
            assert!(
                matches!(&event, Event::Failed { client: Some(id), .. } if id.0 == client),
                "{event:?}"
            );
        }
        assert!(
            begun.elapsed() < rig::quick().connect * 4,
            "INV-13: a silent target is left soon"
        );
    });
}

#[test]
fn a_target_that_names_what_the_configuration_has_not_fails_at_once() {
    rig::run(async |bench| {
        let mut network = bench.network(Limits::default());
        network.apply(rig::plan(
            vec![rig::listener(Transport::Tcp, None)],
            Arc::new(Store::default()),
        ));
        let target = rig::target(Transport::Tls, rig::free(Transport::Tcp), Some(rig::PROXY));
        network.send(&target, rig::message(), Some(ClientId(1)));
        assert!(matches!(
            network.event().await,
            Event::Failed {
                client: Some(ClientId(1)),
                ..
            }
        ));
        assert_eq!(network.connections(), 0);
    });
}

#[test]
fn rfc_5626_a_ping_gets_its_pong_and_our_own_silence_is_broken_by_one() {
    rig::run(async |bench| {
        let listener = rig::listener(Transport::Tcp, None);
        let address = listener.address;
        let mut network = bench.network(Limits {
            ping: Duration::from_millis(200),
            ..Limits::default()
        });
        network.apply(rig::plan(vec![listener], Arc::default()));
        let mut peer = dial_from(TRUNK, address).await;
        peer.write_all(b"\r\n\r\n").await.expect("sent");
        let mut pong = [0; 2];
        network
            .beside(peer.read_exact(&mut pong))
            .await
            .expect("a pong");
        assert_eq!(&pong, b"\r\n");

        let server = TcpListener::bind("127.0.0.9:0").await.expect("a port");
        let target = rig::target(Transport::Tcp, server.local_addr().expect("bound"), None);
        network.send(&target, rig::message(), None);
        let (mut peer, _) = network.beside(server.accept()).await.expect("connected");
        network
            .beside(rig::read_message(&mut peer))
            .await
            .expect("the message");
        let mut ping = [0; 4];
        network
            .beside(peer.read_exact(&mut ping))
            .await
            .expect("a ping");
        assert_eq!(&ping, b"\r\n\r\n");
    });
}

#[test]
fn slow_silent_and_malformed_peers_are_cut_off_and_counted() {
    rig::run(async |bench| {
        let listener = rig::listener(Transport::Tcp, None);
        let address = listener.address;
        let mut network = bench.network(rig::quick());
        network.apply(rig::plan(vec![listener], Arc::default()));
        // Slowloris: a byte now and then keeps a connection alive everywhere else.
        let slow = tokio::task::spawn_local(async move {
            let mut peer = dial_from(STRANGER, address).await;
            for byte in rig::OPTIONS.bytes() {
                if peer.write_all(&[byte]).await.is_err() {
                    return true;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            false
        });
        assert!(
            network.beside(slow).await.expect("no panic"),
            "cut off in the middle"
        );
        assert_eq!(network.counts().ended_slow.value(), 1);

        let mut silent = dial_from(STRANGER, address).await;
        let end = network
            .beside(silent.read(&mut [0; 1]))
            .await
            .expect("closed in order");
        assert_eq!((end, network.counts().ended_idle.value()), (0, 1));

        let mut rubbish = dial_from(STRANGER, address).await;
        rubbish
            .write_all(b"GET / HTTP/1.0\n\n")
            .await
            .expect("sent");
        let _ = network.beside(rubbish.read(&mut [0; 1])).await;
        assert_eq!(network.counts().ended_malformed.value(), 1);
        while network.connections() > 0 {
            network.event().await;
        }
    });
}

#[test]
fn a_peer_that_never_reads_is_dropped_and_others_do_not_notice() {
    rig::run(async |bench| {
        let listener = rig::listener(Transport::Tcp, None);
        let address = listener.address;
        let mut network = bench.network(rig::quick());
        network.apply(rig::plan(vec![listener], Arc::default()));
        let mut deaf = dial_from(TRUNK, address).await;
        let mut other = dial_from(TRUNK, address).await;
        rig::write_message(&mut deaf).await.expect("sent");
        let to_deaf = back(&network.message().await);
        rig::write_message(&mut other).await.expect("sent");
        let to_other = back(&network.message().await);

        let big = Bytes::from([&b"x"[..]; 60_000].concat());
        let mut pushed = 0;
        while network.counts().ended_unread.value() == 0 {
            network.send(&to_deaf, big.clone(), None);
            pushed += big.len();
            assert!(pushed < 64 * 1024 * 1024, "what waits is bounded");
            network.beside(tokio::task::yield_now()).await;
        }
        network.send(&to_other, rig::message(), None);
        network
            .beside(rig::read_message(&mut other))
            .await
            .expect("as ever");
    });
}

#[test]
fn a_thousand_idle_tls_connections_do_not_keep_a_trunk_out() {
    rig::run(async |bench| {
        let pki = &bench.pki;
        let leaf = pki.leaf(&[TENANT], Kind::BothUsages);
        let store = Arc::new(rig::store(pki, None, &leaf, &leaf));
        let listener = rig::listener(
            Transport::Tls,
            Some(rig::teams_side(&store, ClientAuth::None)),
        );
        let address = listener.address;
        let mut network = bench.network(Limits::default());
        network.apply(rig::plan(vec![listener], store));
        // Half of them begin a handshake and stop; from enough addresses that no single share is the limit.
        let flood = async {
            let mut held = Vec::new();
            for n in 0..1_000_u32 {
                let mut peer =
                    dial_from([127, 0, 1, u8::try_from(n % 64).expect("small")], address).await;
                if n % 2 == 0 {
                    // A peer that has been refused cannot be written to; that is the point.
                    let _ = peer.write_all(&[22, 3, 1]).await;
                }
                held.push(peer);
            }
            held
        };
        let held = network.beside(flood).await;
        assert!(
            network.counts().refused.value() >= 400,
            "strangers have a bound: {:?}",
            network.counts()
        );

        let begun = Instant::now();
        let config = rig::client_config(pki, None, &TLS13);
        let call = async {
            let mut stream = rig::dial(IpAddr::from(TRUNK), address, config, TENANT).await?;
            rig::write_message(&mut stream).await?;
            Ok::<_, std::io::Error>(stream)
        };
        let stream = network.beside(call).await.expect("the trunk gets in");
        let source = network.message().await;
        assert_eq!(source.remote.ip(), IpAddr::from(TRUNK));
        assert!(
            begun.elapsed() < Duration::from_secs(1),
            "at once: {:?}",
            begun.elapsed()
        );
        drop((held, stream));
    });
}

/// Shakes hands in TLS 1.3 and sends a message in the very segment that ends the handshake.
fn speak_with_the_last_word(
    address: SocketAddr,
    config: Arc<rustls::ClientConfig>,
) -> std::io::Result<std::net::TcpStream> {
    let name = rustls::pki_types::ServerName::try_from(TENANT).expect("a name");
    let mut tls = rustls::ClientConnection::new(config, name).map_err(std::io::Error::other)?;
    let mut socket = std::net::TcpStream::connect(address)?;
    while tls.is_handshaking() {
        while tls.wants_write() {
            tls.write_tls(&mut socket)?;
        }
        tls.read_tls(&mut socket)?;
        tls.process_new_packets().map_err(std::io::Error::other)?;
    }
    tls.writer().write_all(rig::OPTIONS.as_bytes())?;
    let mut segment = Vec::new();
    while tls.wants_write() {
        tls.write_tls(&mut segment)?;
    }
    socket.write_all(&segment)?;
    Ok(socket)
}

#[test]
fn what_comes_with_the_end_of_a_handshake_is_heard() {
    rig::run(async |bench| {
        let leaf = bench.pki.leaf(&[TENANT], Kind::BothUsages);
        let store = Arc::new(rig::store(&bench.pki, None, &leaf, &leaf));
        let listener = rig::listener(
            Transport::Tls,
            Some(rig::teams_side(&store, ClientAuth::None)),
        );
        let address = listener.address;
        let mut network = bench.network(Limits::default());
        network.apply(rig::plan(vec![listener], store));
        let config = rig::client_config(&bench.pki, None, &TLS13);
        let speaking = bench
            .aside
            .spawn_blocking(move || speak_with_the_last_word(address, config));
        network.message().await;
        speaking.await.expect("no panic").expect("connected");
    });
}

#[test]
fn a_reload_opens_what_is_new_closes_what_is_gone_and_keeps_the_rest() {
    rig::run(async |bench| {
        let (kept, gone, new) = (
            rig::listener(Transport::Tcp, None),
            rig::listener(Transport::Tcp, None),
            rig::listener(Transport::Udp, None),
        );
        let mut network = bench.network(Limits::default());
        network.apply(rig::plan(vec![gone.clone(), kept.clone()], Arc::default()));
        let mut peer = dial_from(TRUNK, kept.address).await;
        rig::write_message(&mut peer).await.expect("sent");
        let before = network.message().await;
        assert_eq!(before.listener.0, 1);

        network.apply(rig::plan(vec![kept.clone(), new.clone()], Arc::default()));
        network
            .beside(tokio::time::sleep(Duration::from_millis(20)))
            .await;
        assert!(
            TcpStream::connect(gone.address).await.is_err(),
            "nobody listens there any more"
        );
        rig::write_message(&mut peer).await.expect("sent");
        let after = network.message().await;
        assert_eq!(after.flow, before.flow, "the connection has stayed");
        rig::write_message(&mut dial_from(TRUNK, kept.address).await)
            .await
            .expect("sent");
        assert_eq!(
            network.message().await.listener.0,
            0,
            "the listener has a new place"
        );
        let datagrams = UdpSocket::bind("127.0.0.9:0").await.expect("a port");
        datagrams
            .send_to(rig::OPTIONS.as_bytes(), new.address)
            .await
            .expect("sent");
        assert_eq!(network.message().await.listener.0, 1);

        let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let mut blocked = rig::listener(Transport::Tcp, None);
        blocked.address = taken.local_addr().expect("bound");
        let errors = network.apply(rig::plan(vec![kept, blocked], Arc::default()));
        assert_eq!(
            errors.len(),
            1,
            "one cannot be opened, the other stays: {errors:?}"
        );
    });
}
