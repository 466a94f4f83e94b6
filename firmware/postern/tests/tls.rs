//! Who is let in and whom we believe, over real handshakes on loopback, in TLS 1.2 and 1.3.
//!
//! Each case says what is particular about a certificate and whether a message gets through: a verdict that only logs
//! would not pass. In TLS 1.3 a client learns of its refusal after its own handshake, so handshakes prove nothing here.
//!
//! Not here: what happens on a connection afterwards (`network.rs`).
#![forbid(unsafe_code)]

mod rig;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use postern::net::Event;
use postern::tls::{ClientAuth, Identity, IdentityError, KeyKind, Trust, TrustError};
use rig::{Bench, Kind, Leaf, PROXY, Pki, TENANT};
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};
use sip::transaction::ClientId;
use sip::transport::Transport;
use tokio::net::TcpListener;

const TEAMS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 9));

/// A box with one Teams listener; its address.
fn teams_listener(bench: &Bench, client_auth: ClientAuth) -> (rig::Tested, std::net::SocketAddr) {
    let default = bench.pki.leaf(&["default.example"], Kind::BothUsages);
    let tenant = bench.pki.leaf(&[TENANT], Kind::BothUsages);
    let store = Arc::new(rig::store(&bench.pki, None, &default, &tenant));
    let listener = rig::listener(Transport::Tls, Some(rig::teams_side(&store, client_auth)));
    let address = listener.address;
    let mut network = bench.network(rig::quick());
    assert!(network.apply(rig::plan(vec![listener], store)).is_empty());
    (network, address)
}

/// Whether a client that shows `leaf` gets a message through.
async fn gets_through(
    bench: &Bench,
    client_auth: ClientAuth,
    leaf: Option<&Leaf>,
    version: &'static SupportedProtocolVersion,
) -> bool {
    let (mut network, address) = teams_listener(bench, client_auth);
    let config = rig::client_config(&bench.pki, leaf, version);
    let speaking = tokio::task::spawn_local(async move {
        let mut stream = rig::dial(TEAMS, address, config, TENANT).await?;
        rig::write_message(&mut stream).await?;
        rig::read_message(&mut stream).await
    });
    let through = loop {
        match network.event_within(Duration::from_millis(20)).await {
            Some(Event::Message { .. }) => break true,
            _ if network.counts().handshake_failed.value() > 0 => break false,
            _ => {}
        }
    };
    assert_eq!(
        through,
        network.counts().handshake_failed.value() == 0,
        "a refusal is counted, and only that"
    );
    speaking.abort();
    through
}

#[test]
fn sig_08_who_may_connect_as_teams() {
    rig::run(async |bench| {
        let stranger = Pki::new("another root");
        let names = &[PROXY, "sip2.pstnhub.microsoft.com"][..];
        let cases = [
            // Microsoft's certificates since 2026.
            (
                "serverAuth alone",
                Some(bench.pki.leaf(names, Kind::ServerOnly)),
                true,
            ),
            (
                "both usages",
                Some(bench.pki.leaf(names, Kind::BothUsages)),
                true,
            ),
            (
                "clientAuth alone",
                Some(bench.pki.leaf(names, Kind::ClientOnly)),
                true,
            ),
            (
                "no usage named",
                Some(bench.pki.leaf(names, Kind::NoUsage)),
                true,
            ),
            (
                "wildcard",
                Some(
                    bench
                        .pki
                        .leaf(&["*.pstnhub.microsoft.com"], Kind::ServerOnly),
                ),
                true,
            ),
            (
                "made for signing code",
                Some(bench.pki.leaf(names, Kind::CodeSigning)),
                false,
            ),
            (
                "another name",
                Some(bench.pki.leaf(&["sip.example.com"], Kind::ServerOnly)),
                false,
            ),
            (
                "wildcard two labels up",
                Some(bench.pki.leaf(&["*.microsoft.com"], Kind::ServerOnly)),
                false,
            ),
            ("expired", Some(bench.pki.leaf(names, Kind::Expired)), false),
            (
                "not yet valid",
                Some(bench.pki.leaf(names, Kind::NotYet)),
                false,
            ),
            (
                "another root",
                Some(stranger.leaf(names, Kind::ServerOnly)),
                false,
            ),
            ("none", None, false),
        ];
        for version in [&TLS12, &TLS13] {
            for (case, leaf, expected) in &cases {
                let through =
                    gets_through(&bench, ClientAuth::Required, leaf.as_ref(), version).await;
                assert_eq!(through, *expected, "{case}, {:?}", version.version);
            }
        }
    });
}

#[test]
fn a_certificate_that_is_requested_may_be_missing_but_not_wrong() {
    rig::run(async |bench| {
        let wrong = bench.pki.leaf(&["sip.example.com"], Kind::BothUsages);
        assert!(gets_through(&bench, ClientAuth::Requested, None, &TLS12).await);
        assert!(!gets_through(&bench, ClientAuth::Requested, Some(&wrong), &TLS12).await);
        assert!(
            gets_through(&bench, ClientAuth::None, Some(&wrong), &TLS12).await,
            "not even looked at"
        );
    });
}

#[test]
fn sig_07_the_certificate_follows_the_name_asked_for() {
    rig::run(async |bench| {
        let (mut network, address) = teams_listener(&bench, ClientAuth::Required);
        let proxy = bench.pki.leaf(&[PROXY], Kind::ServerOnly);
        let config = rig::client_config(&bench.pki, Some(&proxy), &TLS12);
        // The peer checks the certificate against the name it asked for, so success is the proof.
        let mut by_name = rig::dial(TEAMS, address, Arc::clone(&config), TENANT)
            .await
            .expect("the tenant's");
        rig::dial(TEAMS, address, Arc::clone(&config), "default.example")
            .await
            .expect("the default's");
        let other = rig::dial(TEAMS, address, Arc::clone(&config), "other.example").await;
        assert!(
            other.is_err(),
            "an unknown name gets the default, which does not hold it"
        );
        let mixed = rig::dial(TEAMS, address, config, "SBC1.Contoso.Example").await;
        assert!(mixed.is_ok(), "names of hosts know no case");

        rig::write_message(&mut by_name).await.expect("sent");
        let source = network.message().await;
        let tls = source.tls.expect("it came over TLS");
        assert_eq!(tls.server_name.as_deref(), Some(TENANT));
        assert_eq!(tls.names, [PROXY]);
    });
}

/// Whether a message of ours gets to a server that shows `leaf`.
async fn gets_there(
    bench: &Bench,
    leaf: &Leaf,
    version: &'static SupportedProtocolVersion,
) -> bool {
    let server = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = server.local_addr().expect("bound");
    let ours = bench.pki.leaf(&[TENANT], Kind::ClientOnly);
    let store = Arc::new(rig::store(&bench.pki, None, &ours, &ours));
    let mut network = bench.network(rig::quick());
    network.apply(rig::plan(vec![rig::listener(Transport::Tcp, None)], store));

    let config = rig::server_config(&bench.pki, leaf, version);
    let serving = tokio::task::spawn_local(async move {
        let mut stream = rig::answer(&server, config).await?;
        let (_, tls) = stream.get_ref();
        let shown = tls.peer_certificates().map_or(0, <[_]>::len);
        assert_eq!(tls.server_name(), Some(PROXY), "SIG-07: the name is sent");
        assert_eq!(shown, 1, "SIG-06: our certificate is shown");
        rig::read_message(&mut stream).await
    });
    let target = rig::target(Transport::Tls, address, Some(PROXY));
    network.send(&target, rig::message(), Some(ClientId(7)));
    tokio::select! {
        text = serving => text.expect("the server's own checks hold").is_ok(),
        event = network.event() => {
            assert!(
                matches!(&event, Event::Failed { client: Some(client), target: failed }
                    if client.0 == 7 && *failed == target),
                "the transaction is told: {event:?}"
            );
            assert!(matches!(network.event().await, Event::Closed(_)));
            assert_eq!(network.connections(), 0, "nothing is left of it");
            false
        }
    }
}

#[test]
fn whom_we_believe_to_be_teams() {
    rig::run(async |bench| {
        let stranger = Pki::new("another root");
        let cases = [
            (
                "right",
                bench.pki.leaf(&["x.example", PROXY], Kind::ServerOnly),
                true,
            ),
            (
                "no usage named",
                bench.pki.leaf(&[PROXY], Kind::NoUsage),
                true,
            ),
            (
                "another name",
                bench
                    .pki
                    .leaf(&["sip2.pstnhub.microsoft.com"], Kind::ServerOnly),
                false,
            ),
            (
                "no server",
                bench.pki.leaf(&[PROXY], Kind::ClientOnly),
                false,
            ),
            ("expired", bench.pki.leaf(&[PROXY], Kind::Expired), false),
            (
                "another root",
                stranger.leaf(&[PROXY], Kind::ServerOnly),
                false,
            ),
        ];
        for version in [&TLS12, &TLS13] {
            for (case, leaf, expected) in &cases {
                assert_eq!(
                    gets_there(&bench, leaf, version).await,
                    *expected,
                    "{case}, {:?}",
                    version.version
                );
            }
        }
    });
}

#[test]
fn sig_09_a_new_certificate_is_shown_at_once_and_old_connections_are_rebuilt() {
    rig::run(async |bench| {
        let (first, second) = (
            bench.pki.leaf(&[TENANT], Kind::BothUsages),
            bench.pki.leaf(&[TENANT], Kind::BothUsages),
        );
        let before = Arc::new(rig::store(&bench.pki, None, &first, &first));
        let mut listener = rig::listener(
            Transport::Tls,
            Some(rig::teams_side(&before, ClientAuth::None)),
        );
        let mut network = bench.network(rig::quick());
        network.apply(rig::plan(vec![listener.clone()], Arc::clone(&before)));

        // One connection each way.
        let server = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let target = rig::target(
            Transport::Tls,
            server.local_addr().expect("bound"),
            Some(PROXY),
        );
        let server_config = rig::server_config(
            &bench.pki,
            &bench.pki.leaf(&[PROXY], Kind::ServerOnly),
            &TLS12,
        );
        network.send(&target, rig::message(), None);
        let mut outgoing = network
            .beside(rig::answer(&server, Arc::clone(&server_config)))
            .await
            .expect("ours");
        let client_config = rig::client_config(&bench.pki, None, &TLS12);
        let mut incoming = rig::dial(TEAMS, listener.address, Arc::clone(&client_config), TENANT)
            .await
            .expect("theirs");
        // One that says nothing would be ended for that.
        rig::write_message(&mut incoming).await.expect("sent");
        network.message().await;
        assert_eq!(
            shown(outgoing.get_ref().1.peer_certificates()),
            first.chain()
        );
        assert_eq!(
            shown(incoming.get_ref().1.peer_certificates()),
            first.chain()
        );

        // The same again changes nothing: no connection is touched.
        let same = Arc::new(rig::store(&bench.pki, Some(&before), &first, &first));
        listener.tls = Some(rig::teams_side(&same, ClientAuth::None));
        network.apply(rig::plan(vec![listener.clone()], Arc::clone(&same)));
        network.send(&target, rig::message(), None);
        for _ in 0..2 {
            network
                .beside(rig::read_message(&mut outgoing))
                .await
                .expect("on the same connection");
        }

        let after = Arc::new(rig::store(&bench.pki, Some(&same), &second, &second));
        listener.tls = Some(rig::teams_side(&after, ClientAuth::None));
        network.apply(rig::plan(vec![listener.clone()], after));
        // What goes now goes on a new connection, while the old one is still there.
        network.send(&target, rig::message(), None);
        let rebuilt = network
            .beside(rig::answer(&server, server_config))
            .await
            .expect("ours, anew");
        assert_eq!(
            shown(rebuilt.get_ref().1.peer_certificates()),
            second.chain()
        );
        let anew = rig::dial(TEAMS, listener.address, client_config, TENANT)
            .await
            .expect("theirs, anew");
        assert_eq!(shown(anew.get_ref().1.peer_certificates()), second.chain());
        // And the old ones end by themselves, quietly: nothing failed.
        let mut closed = 0;
        while closed < 2 {
            match network.event().await {
                Event::Closed(_) => closed += 1,
                other => panic!("nothing else happens: {other:?}"),
            }
        }
        assert_eq!(network.counts().ended_drained.value(), 2);
        assert_eq!(network.connections(), 2, "the new ones stay");
    });
}

#[test]
fn sig_09_a_connection_made_while_the_certificate_changes_is_rebuilt_as_well() {
    rig::run(async |bench| {
        let (first, second) = (
            bench.pki.leaf(&[TENANT], Kind::BothUsages),
            bench.pki.leaf(&[TENANT], Kind::BothUsages),
        );
        let before = Arc::new(rig::store(&bench.pki, None, &first, &first));
        let mut listener = rig::listener(
            Transport::Tls,
            Some(rig::teams_side(&before, ClientAuth::None)),
        );
        let mut network = bench.network(rig::quick());
        network.apply(rig::plan(vec![listener.clone()], Arc::clone(&before)));
        let client_config = rig::client_config(&bench.pki, None, &TLS12);
        let mut incoming = rig::dial(TEAMS, listener.address, client_config, TENANT)
            .await
            .expect("theirs");
        rig::write_message(&mut incoming).await.expect("sent");
        assert_eq!(
            network.connections(),
            0,
            "the network has not been told of it"
        );

        let after = Arc::new(rig::store(&bench.pki, Some(&before), &second, &second));
        listener.tls = Some(rig::teams_side(&after, ClientAuth::None));
        network.apply(rig::plan(vec![listener], after));
        network.message().await;
        assert!(matches!(network.event().await, Event::Closed(_)));
        assert_eq!(network.counts().ended_drained.value(), 1);
    });
}

fn shown(
    chain: Option<&[rustls::pki_types::CertificateDer<'static>]>,
) -> Vec<rustls::pki_types::CertificateDer<'static>> {
    chain.map(<[_]>::to_vec).unwrap_or_default()
}

#[test]
fn what_cannot_serve_as_identity_or_trust_says_why() {
    let pki = Pki::new("root");
    let (one, other) = (
        pki.leaf(&["a.example"], Kind::BothUsages),
        pki.leaf(&["a.example"], Kind::BothUsages),
    );
    let read =
        |certificate: &str, key: &str| Identity::from_pem(certificate.as_bytes(), key.as_bytes());
    assert!(matches!(
        read(&one.certificate, &other.key),
        Err(IdentityError::Mismatch(_))
    ));
    assert!(matches!(
        read("", &one.key),
        Err(IdentityError::NoCertificate)
    ));
    assert!(matches!(
        read(&one.certificate, &one.certificate),
        Err(IdentityError::Key(_))
    ));
    let identity = read(&one.certificate, &one.key).expect("a pair");
    assert_eq!(
        identity.key_kind(),
        KeyKind::Other,
        "SIG-05: Teams wants RSA"
    );
    assert!(!format!("{identity:?}").contains("PRIVATE"));
    assert!(matches!(
        Trust::from_pem(b"no PEM at all"),
        Err(TrustError::Empty)
    ));
}
