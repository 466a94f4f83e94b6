//! Connections: TLS, then HTTP/1.1, with bounds on how many and how slow.
//!
//! The box makes its own certificate at the first start; a browser warns of it until one that it trusts has been brought in.
//!
//! Not here: what is asked over them.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use store::file;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::access::Origin;
use crate::app::{App, OpenError};
use crate::{api, pages};

/// Connections at a time; more wait.
const CONNECTIONS: usize = 256;
/// Of one address; more are closed at once, so that nobody takes the others' places.
const CONNECTIONS_OF_ONE: usize = 32;
/// A handshake, and the head of a request, take no longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Serves for ever.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    app: Arc<App>,
) -> io::Result<()> {
    let router = Router::new()
        .merge(pages::router())
        .merge(api::router())
        .layer(axum::middleware::from_fn(crate::shield::guard))
        .with_state(app);
    let acceptor = TlsAcceptor::from(tls);
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let callers = Arc::new(Callers::default());
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return Ok(());
        };
        let (stream, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Whoever it was is gone already, or there are no files.
                tracing::debug!(%error, "nobody to accept");
                sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Some(caller) = callers.let_in(from.ip()) else {
            continue;
        };
        let (acceptor, router) = (acceptor.clone(), router.clone());
        tokio::spawn(async move {
            let (_place, _caller) = (place, caller);
            converse(stream, from, &acceptor, router).await;
        });
    }
}

/// How many connections each address has.
#[derive(Debug, Default)]
struct Callers(Mutex<HashMap<IpAddr, usize>>);

/// One connection of an address, until it is dropped.
struct Caller(IpAddr, Arc<Callers>);

impl Callers {
    fn let_in(self: &Arc<Self>, from: IpAddr) -> Option<Caller> {
        let mut callers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = callers.entry(from).or_insert(0);
        if *count >= CONNECTIONS_OF_ONE {
            return None;
        }
        *count += 1;
        Some(Caller(from, Arc::clone(self)))
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        let mut callers = self.1.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = callers.get_mut(&self.0) {
            *count -= 1;
            if *count == 0 {
                callers.remove(&self.0);
            }
        }
    }
}

async fn converse(stream: TcpStream, from: SocketAddr, acceptor: &TlsAcceptor, router: Router) {
    let Ok(Ok(stream)) = timeout(PATIENCE, acceptor.accept(stream)).await else {
        return;
    };
    let service =
        TowerToHyperService::new(router.layer(axum::Extension(Origin(from.ip().to_canonical()))));
    let conversation = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(64 * 1024)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = conversation.await {
        tracing::debug!(%error, %from, "a connection ended badly");
    }
}

/// The certificate and key in this folder, made if they are not there.
pub(crate) fn tls(data: &Path) -> Result<Arc<ServerConfig>, OpenError> {
    let (certificate, key) = (data.join("console.crt"), data.join("console.key"));
    let wrong = |error: &dyn std::fmt::Display| OpenError::Certificate(error.to_string());
    if !(certificate.exists() && key.exists()) {
        let pair = KeyPair::generate().map_err(|error| wrong(&error))?;
        let mut parameters = CertificateParams::new(vec!["postern.local".to_owned()])
            .map_err(|error| wrong(&error))?;
        parameters
            .distinguished_name
            .push(rcgen::DnType::CommonName, "Postern console");
        let signed = parameters
            .self_signed(&pair)
            .map_err(|error| wrong(&error))?;
        file::replace(&key, pair.serialize_pem().as_bytes())?;
        file::replace(&certificate, signed.pem().as_bytes())?;
    }
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(&fs::read(&certificate)?)
            .collect::<Result<_, _>>()
            .map_err(|error| wrong(&error))?;
    let key = PrivateKeyDer::from_pem_slice(&fs::read(&key)?).map_err(|error| wrong(&error))?;
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(&error))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| wrong(&error))?;
    Ok(Arc::new(config))
}
