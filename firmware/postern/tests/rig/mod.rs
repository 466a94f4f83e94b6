//! What the tests of the network share: certificates made on the spot, one network under test, peers by tokio-rustls.
//!
//! A peer here is plain TLS with rustls' own configurations, never ours, so that both ends cannot be wrong together.
//!
//! Not here: SIP beyond a message that the framing lets through.
#![allow(dead_code, reason = "each test program uses a part")]

use std::collections::VecDeque;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use postern::net::{Event, Limits, ListenerPlan, Network, Plan, Trusted};
use postern::tls::{Acceptance, ClientAuth, Identity, Names, ServerPlan, Store, Trust};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};
use sip::transport::{ListenerId, Source, Target, TlsTarget, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::LocalOptions;
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

pub(crate) const PROXY: &str = "sip.pstnhub.microsoft.com";
pub(crate) const TENANT: &str = "sbc1.contoso.example";

pub(crate) const OPTIONS: &str = "OPTIONS sip:x@127.0.0.1 SIP/2.0\r\n\
    Via: SIP/2.0/TLS 127.0.0.9:5070;branch=z9hG4bK1\r\n\
    Max-Forwards: 70\r\n\
    From: <sip:a@127.0.0.9>;tag=1\r\n\
    To: <sip:x@127.0.0.1>\r\n\
    Call-ID: 1@127.0.0.9\r\n\
    CSeq: 1 OPTIONS\r\n\
    Content-Length: 0\r\n\r\n";

/// A message as [`OPTIONS`], to be sent by us.
pub(crate) fn message() -> Bytes {
    Bytes::from_static(OPTIONS.as_bytes())
}

/// Runs a test with the threads that handshakes need.
pub(crate) fn run<T>(test: impl AsyncFnOnce(Bench) -> T) -> T {
    let aside = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let here = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())
        .expect("a runtime");
    let bench = Bench {
        aside: aside.handle().clone(),
        pki: Pki::new("root"),
    };
    let outcome = here.block_on(test(bench));
    aside.shutdown_background();
    outcome
}

pub(crate) struct Bench {
    pub(crate) aside: tokio::runtime::Handle,
    pub(crate) pki: Pki,
}

impl Bench {
    pub(crate) fn network(&self, limits: Limits) -> Tested {
        Tested {
            network: Network::new(self.aside.clone(), limits),
            waiting: VecDeque::new(),
        }
    }
}

/// Times short enough for a test, long enough for a busy machine.
pub(crate) fn quick() -> Limits {
    Limits {
        connect: Duration::from_millis(800),
        handshake: Duration::from_millis(800),
        message: Duration::from_millis(500),
        first_message: Duration::from_millis(500),
        stall: Duration::from_millis(500),
        quiet: Duration::from_millis(200),
        drain: Duration::from_secs(2),
        ..Limits::default()
    }
}

/// A certificate authority.
pub(crate) struct Pki {
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// What is particular about a certificate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    BothUsages,
    ServerOnly,
    ClientOnly,
    NoUsage,
    CodeSigning,
    Expired,
    NotYet,
}

/// A certificate and its key.
#[derive(Clone)]
pub(crate) struct Leaf {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Pki {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a root").pem();
        Self {
            pem,
            issuer: Issuer::new(params, key),
        }
    }

    pub(crate) fn leaf(&self, names: &[&str], kind: Kind) -> Leaf {
        use ExtendedKeyUsagePurpose::{ClientAuth, CodeSigning, ServerAuth};
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).expect("names");
        params.extended_key_usages = match kind {
            Kind::ServerOnly => vec![ServerAuth],
            Kind::ClientOnly => vec![ClientAuth],
            Kind::CodeSigning => vec![CodeSigning],
            Kind::NoUsage => Vec::new(),
            Kind::BothUsages | Kind::Expired | Kind::NotYet => vec![ServerAuth, ClientAuth],
        };
        match kind {
            Kind::Expired => {
                params.not_before = rcgen::date_time_ymd(2001, 1, 1);
                params.not_after = rcgen::date_time_ymd(2002, 1, 1);
            }
            Kind::NotYet => {
                params.not_before = rcgen::date_time_ymd(2901, 1, 1);
                params.not_after = rcgen::date_time_ymd(2902, 1, 1);
            }
            _ => {}
        }
        let key = KeyPair::generate().expect("a key");
        let certificate = params
            .signed_by(&key, &self.issuer)
            .expect("a certificate")
            .pem();
        Leaf {
            certificate,
            key: key.serialize_pem(),
        }
    }

    pub(crate) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(self.pem.as_bytes()).expect("PEM"))
            .expect("a root");
        roots
    }

    pub(crate) fn trust(&self) -> Trust {
        Trust::from_pem(self.pem.as_bytes()).expect("a bundle")
    }
}

impl Leaf {
    pub(crate) fn identity(&self) -> Identity {
        Identity::from_pem(self.certificate.as_bytes(), self.key.as_bytes()).expect("an identity")
    }

    pub(crate) fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![CertificateDer::from_pem_slice(self.certificate.as_bytes()).expect("PEM")]
    }

    pub(crate) fn private(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from_pem_slice(self.key.as_bytes()).expect("PEM")
    }
}

/// One listener on a free port of 127.0.0.1.
pub(crate) fn listener(transport: Transport, tls: Option<ServerPlan>) -> ListenerPlan {
    ListenerPlan {
        name: "test".into(),
        transport,
        address: free(transport),
        tls,
    }
}

/// A port that is free now. Nobody else on this machine asks for fixed ones in this range while tests run.
pub(crate) fn free(transport: Transport) -> SocketAddr {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    match transport {
        Transport::Udp => std::net::UdpSocket::bind(any)
            .expect("a port")
            .local_addr()
            .expect("bound"),
        _ => std::net::TcpListener::bind(any)
            .expect("a port")
            .local_addr()
            .expect("bound"),
    }
}

/// A TLS listener for Teams, as the configuration would have it.
pub(crate) fn teams_side(store: &Store, client_auth: ClientAuth) -> ServerPlan {
    ServerPlan {
        default: Arc::clone(store.identity("default").expect("in the store")),
        by_name: store
            .identity("tenant")
            .map(|tenant| (TENANT.to_owned(), Arc::clone(tenant)))
            .into_iter()
            .collect(),
        client_auth,
        acceptances: vec![Acceptance {
            trust: Arc::clone(store.trust("roots").expect("in the store")),
            names: Names::OneOf(vec![ServerName::try_from(PROXY).expect("a name")]),
        }],
    }
}

/// Identities `default` and `tenant`, trust `roots`.
pub(crate) fn store(pki: &Pki, previous: Option<&Store>, default: &Leaf, tenant: &Leaf) -> Store {
    let identities = vec![
        ("default".into(), default.identity()),
        ("tenant".into(), tenant.identity()),
    ];
    Store::next(identities, vec![("roots".into(), pki.trust())], previous)
}

pub(crate) fn plan(listeners: Vec<ListenerPlan>, store: Arc<Store>) -> Plan {
    Plan {
        listeners,
        trusted: Trusted::new(|source| source == IpAddr::from([127, 0, 0, 9])),
        store,
    }
}

pub(crate) fn target(transport: Transport, remote: SocketAddr, name: Option<&str>) -> Target {
    let tls = name.map(|name| TlsTarget {
        server_name: name.into(),
        identity: "tenant".into(),
        trust: "roots".into(),
    });
    Target {
        transport,
        remote,
        listener: ListenerId(0),
        flow: None,
        tls,
    }
}

/// A network under test, whose events are taken one at a time.
pub(crate) struct Tested {
    pub(crate) network: Network,
    waiting: VecDeque<Event>,
}

impl Deref for Tested {
    type Target = Network;

    fn deref(&self) -> &Network {
        &self.network
    }
}

impl DerefMut for Tested {
    fn deref_mut(&mut self) -> &mut Network {
        &mut self.network
    }
}

impl Tested {
    /// The next event, or none in `time`.
    pub(crate) async fn event_within(&mut self, time: Duration) -> Option<Event> {
        if self.waiting.is_empty() {
            let mut batch = Vec::new();
            timeout(time, self.network.next(&mut batch)).await.ok()?;
            self.waiting.extend(batch);
        }
        self.waiting.pop_front()
    }

    /// The next event; a test that waits this long has failed.
    pub(crate) async fn event(&mut self) -> Event {
        self.event_within(Duration::from_secs(10))
            .await
            .expect("an event")
    }

    /// The source of the next message, whatever happens before.
    pub(crate) async fn message(&mut self) -> Source {
        loop {
            if let Event::Message { source, .. } = self.event().await {
                return source;
            }
        }
    }

    /// Drives the network beside `other`; what it tells meanwhile can be taken later.
    pub(crate) async fn beside<T>(&mut self, other: impl Future<Output = T>) -> T {
        let mut batch = Vec::new();
        tokio::pin!(other);
        loop {
            tokio::select! {
                outcome = &mut other => return outcome,
                () = self.network.next(&mut batch) => self.waiting.extend(batch.drain(..)),
            }
        }
    }
}

/// A client's configuration that believes `pki` and shows `leaf`.
pub(crate) fn client_config(
    pki: &Pki,
    leaf: Option<&Leaf>,
    version: &'static SupportedProtocolVersion,
) -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .expect("a version")
        .with_root_certificates(pki.roots());
    Arc::new(match leaf {
        Some(leaf) => builder
            .with_client_auth_cert(leaf.chain(), leaf.private())
            .expect("a pair"),
        None => builder.with_no_client_auth(),
    })
}

/// Connects from `from` and shakes hands, asking for `name`.
pub(crate) async fn dial(
    from: IpAddr,
    to: SocketAddr,
    config: Arc<ClientConfig>,
    name: &str,
) -> std::io::Result<client::TlsStream<TcpStream>> {
    let socket = tokio::net::TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(from, 0))?;
    let stream = socket.connect(to).await?;
    TlsConnector::from(config)
        .connect(
            ServerName::try_from(name.to_owned()).expect("a name"),
            stream,
        )
        .await
}

/// A TLS server that shows `leaf` and demands a certificate of `pki`.
pub(crate) fn server_config(
    pki: &Pki,
    leaf: &Leaf,
    version: &'static SupportedProtocolVersion,
) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
        Arc::new(pki.roots()),
        Arc::clone(&provider),
    )
    .build()
    .expect("a verifier");
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .expect("a version")
        .with_client_cert_verifier(verifier)
        .with_single_cert(leaf.chain(), leaf.private())
        .expect("a pair");
    Arc::new(config)
}

/// Takes one connection and shakes hands.
pub(crate) async fn answer(
    listener: &TcpListener,
    config: Arc<ServerConfig>,
) -> std::io::Result<server::TlsStream<TcpStream>> {
    let (stream, _) = listener.accept().await?;
    TlsAcceptor::from(config).accept(stream).await
}

/// Reads until the end of headers.
pub(crate) async fn read_message(
    stream: &mut (impl AsyncReadExt + Unpin),
) -> std::io::Result<String> {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        text.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Writes a message as a peer would.
pub(crate) async fn write_message(
    stream: &mut (impl AsyncWriteExt + Unpin),
) -> std::io::Result<()> {
    stream.write_all(OPTIONS.as_bytes()).await?;
    stream.flush().await
}
