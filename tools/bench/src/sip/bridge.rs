//! TLS for SIPp, which has none: plain TCP on its side, TLS by OpenSSL on the other, in both directions.
//!
//! The caller's connection becomes a TLS connection to whichever contender is led to; what a contender opens to the callee's
//! name is handed to SIPp in the clear. Bytes pass as they are. The bridge's own cost is nobody's: it runs in the bench.
//!
//! Not here: SIP.

use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Mutex;

use openssl::ssl::{Ssl, SslAcceptor, SslConnector, SslMethod, SslVerifyMode};
use openssl::x509::X509;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Runtime;
use tokio_openssl::SslStream;

use super::load::{CALLEE, CALLER};
use crate::place::free_port;

/// A running bridge; it ends with its value.
#[derive(Debug)]
pub(super) struct Bridge {
    authority: Authority,
    calls: SocketAddr,
    answers: u16,
    callee: u16,
    leads_to: &'static Mutex<Option<SocketAddr>>,
    _runtime: Runtime,
}

/// A certificate and its key, in PEM.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) certificate: String,
    pub(super) key: String,
}

#[derive(Debug)]
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Bridge {
    pub(super) fn start() -> Self {
        let runtime = Runtime::new().expect("threads");
        let authority = Authority::new();
        let leads_to: &'static Mutex<Option<SocketAddr>> = Box::leak(Box::new(Mutex::new(None)));
        let bind = |address: Ipv4Addr| {
            runtime
                .block_on(TcpListener::bind((address, 0)))
                .expect("a port")
        };
        let (from_caller, to_callee) = (bind(CALLER), bind(CALLEE));
        let calls = from_caller.local_addr().expect("bound");
        let answers = to_callee.local_addr().expect("bound").port();
        let callee = free_port(CALLEE);
        let acceptor = acceptor(&authority.sign(&CALLEE.to_string()));
        let connector = connector(&authority);
        runtime.spawn(async move {
            while let Ok((plain, _)) = from_caller.accept().await {
                let to = leads_to
                    .lock()
                    .expect("nobody panics with it")
                    .expect("led");
                tokio::spawn(wrap(plain, to, connector.clone()));
            }
        });
        runtime.spawn(async move {
            while let Ok((secured, _)) = to_callee.accept().await {
                tokio::spawn(unwrap(secured, callee, acceptor.clone()));
            }
        });
        Self {
            authority,
            calls,
            answers,
            callee,
            leads_to,
            _runtime: runtime,
        }
    }

    /// Whom callers reach from now on.
    pub(super) fn lead_to(&self, contender: SocketAddr) {
        *self.leads_to.lock().expect("nobody panics with it") = Some(contender);
    }

    /// Where a caller connects, in the clear.
    pub(super) const fn calls(&self) -> SocketAddr {
        self.calls
    }

    /// The callee's port as the contenders see it, secured.
    pub(super) const fn answers(&self) -> u16 {
        self.answers
    }

    /// Where the callee listens, in the clear.
    pub(super) const fn callee(&self) -> u16 {
        self.callee
    }

    /// The root of all certificates here, in PEM.
    pub(super) fn root(&self) -> &str {
        &self.authority.pem
    }

    /// A certificate for `name`.
    pub(super) fn sign(&self, name: &str) -> Pair {
        self.authority.sign(name)
    }
}

async fn wrap(mut plain: TcpStream, to: SocketAddr, connector: SslConnector) {
    let socket = TcpSocket::new_v4().expect("a socket");
    // Contenders know the caller by its address.
    socket
        .bind(SocketAddr::from((CALLER, 0)))
        .expect("an address of loopback");
    let (Ok(stream), Ok(ssl)) = (
        socket.connect(to).await,
        connector
            .configure()
            .and_then(|set| set.into_ssl("contender")),
    ) else {
        return;
    };
    let mut secured = SslStream::new(ssl, stream).expect("a TLS client");
    match Pin::new(&mut secured).connect().await {
        Ok(()) => pass(&mut plain, &mut secured).await,
        Err(error) => eprintln!("bench: TLS to {to} fails: {error}"),
    }
}

async fn unwrap(stream: TcpStream, callee: u16, acceptor: SslAcceptor) {
    let ssl = Ssl::new(acceptor.context()).expect("a TLS server");
    let mut secured = SslStream::new(ssl, stream).expect("a TLS server");
    if let Err(error) = Pin::new(&mut secured).accept().await {
        eprintln!("bench: TLS to the callee fails: {error}");
        return;
    }
    if let Ok(mut plain) = TcpStream::connect((CALLEE, callee)).await {
        pass(&mut plain, &mut secured).await;
    }
}

/// Until one of the two ends; how is the calls' business.
async fn pass(plain: &mut TcpStream, secured: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    let _ = plain.set_nodelay(true);
    let _ = copy_bidirectional(plain, secured).await;
}

fn connector(authority: &Authority) -> SslConnector {
    let mut builder = SslConnector::builder(SslMethod::tls_client()).expect("OpenSSL");
    let root = X509::from_pem(authority.pem.as_bytes()).expect("a certificate");
    builder.cert_store_mut().add_cert(root).expect("a root");
    // Whom it leads to is told by address; that it is the right one is not what is measured.
    builder.set_verify(SslVerifyMode::NONE);
    builder.build()
}

fn acceptor(pair: &Pair) -> SslAcceptor {
    let mut builder =
        SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).expect("OpenSSL");
    let certificate = X509::from_pem(pair.certificate.as_bytes()).expect("a certificate");
    let key = openssl::pkey::PKey::private_key_from_pem(pair.key.as_bytes()).expect("a key");
    builder.set_certificate(&certificate).expect("fits");
    builder.set_private_key(&key).expect("fits");
    builder.build()
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names are fine names");
        params.distinguished_name.push(DnType::CommonName, "bench");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self {
            pem: params.self_signed(&key).expect("a root").pem(),
            issuer: Issuer::new(params, key),
        }
    }

    fn sign(&self, name: &str) -> Pair {
        let params = CertificateParams::new(vec![name.to_owned()]).expect("a name or address");
        let key = KeyPair::generate().expect("a key");
        Pair {
            certificate: params.signed_by(&key, &self.issuer).expect("signed").pem(),
            key: key.serialize_pem(),
        }
    }
}
