//! TLS: who we are, whom we trust, and the two configurations that come of it, one a listener and one a target.
//!
//! A [`Store`] holds the identities and trust bundles of one configuration. A reload builds the next store out of the one
//! before: what has not changed keeps its `Arc`, so "this connection was made with what is still in force" is a pointer
//! comparison, and connections made with what is gone can be rebuilt (SIG-09) while all others stay.
//!
//! Not here: sockets and handshakes (`net`), reading files (`control::configuration`).

mod identity;
mod trust;
mod verify;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::client::ClientConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::ServerConfig;
use rustls::sign::SingleCertAndKey;
use sip::transport::{TlsPeer, TlsTarget};

pub use identity::{Identity, IdentityError, KeyKind};
pub use trust::{Trust, TrustError};
pub use verify::{Acceptance, Names};

use identity::BySni;
use verify::{PeerAsClient, PeerAsServer};

/// TLS 1.2 for Teams, 1.3 for whoever has it; nothing older exists in this stack (SIG-04).
const VERSIONS: &[&rustls::SupportedProtocolVersion] =
    &[&rustls::version::TLS13, &rustls::version::TLS12];

/// Whether a listener asks who its clients are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuth {
    /// No certificate, no connection.
    Required,
    /// Asked for; a bad one is refused, none at all is not.
    Requested,
    /// Not asked for.
    None,
}

/// What a TLS listener shows and whom it lets in.
#[derive(Debug, Clone)]
pub struct ServerPlan {
    /// Shown where no name matches.
    pub default: Arc<Identity>,
    /// Shown to those who ask for the name, in lower case (SIG-07).
    pub by_name: Vec<(String, Arc<Identity>)>,
    /// Whether clients must show themselves.
    pub client_auth: ClientAuth,
    /// Whom to believe: one acceptance suffices.
    pub acceptances: Vec<Acceptance>,
}

impl ServerPlan {
    fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.default, &other.default)
            && self.client_auth == other.client_auth
            && self.acceptances == other.acceptances
            && self.by_name.len() == other.by_name.len()
            && self
                .by_name
                .iter()
                .zip(&other.by_name)
                .all(|(a, b)| a.0 == b.0 && Arc::ptr_eq(&a.1, &b.1))
    }
}

/// A listener's side of TLS, ready for handshakes.
#[derive(Debug, Clone)]
pub struct ServerSide {
    plan: ServerPlan,
    config: Arc<ServerConfig>,
}

impl ServerSide {
    /// Builds it, or returns `previous` where nothing has changed.
    ///
    /// # Errors
    /// Where the provider refuses the versions, which is a fault of the build.
    pub fn build(plan: ServerPlan, previous: Option<&Self>) -> Result<Self, rustls::Error> {
        if let Some(previous) = previous.filter(|previous| previous.plan.same(&plan)) {
            return Ok(previous.clone());
        }
        let provider = provider();
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(VERSIONS)?;
        let resolver = Arc::new(BySni::new(&plan.default, &plan.by_name));
        let builder = match plan.client_auth {
            ClientAuth::None => builder.with_no_client_auth(),
            ClientAuth::Required | ClientAuth::Requested => {
                builder.with_client_cert_verifier(Arc::new(PeerAsClient::new(
                    &plan,
                    provider.signature_verification_algorithms,
                )))
            }
        };
        // The session cache is part of the configuration: nobody resumes past a change of trust.
        let config = Arc::new(builder.with_cert_resolver(resolver));
        Ok(Self { plan, config })
    }

    /// For a handshake.
    #[must_use]
    pub fn config(&self) -> &Arc<ServerConfig> {
        &self.config
    }
}

/// Why a connection to a target cannot even be tried.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The configuration in force has no identity of that name.
    #[error("no identity is called {0}")]
    NoIdentity(Arc<str>),
    /// The configuration in force has no trust bundle of that name.
    #[error("no trust bundle is called {0}")]
    NoTrust(Arc<str>),
    /// Neither a DNS name nor an address.
    #[error("{0} is no name that a certificate could hold")]
    BadName(Arc<str>),
    /// The provider refused; a fault of the build.
    #[error("TLS set-up: {0}")]
    Setup(#[from] rustls::Error),
}

/// Client configurations by the names of identity and trust.
type Clients = HashMap<(Arc<str>, Arc<str>), Arc<ClientConfig>>;

/// The identities and trust bundles in force, and the client configurations made of them so far.
#[derive(Debug, Default)]
pub struct Store {
    identities: HashMap<Arc<str>, Arc<Identity>>,
    trusts: HashMap<Arc<str>, Arc<Trust>>,
    clients: Mutex<Clients>,
}

impl Store {
    /// The store of the next configuration. Identities and bundles equal to those of `previous` keep their place in memory.
    #[must_use]
    pub fn next(
        identities: Vec<(Arc<str>, Identity)>,
        trusts: Vec<(Arc<str>, Trust)>,
        previous: Option<&Self>,
    ) -> Self {
        let identities: HashMap<_, _> = identities
            .into_iter()
            .map(|(name, new)| {
                let old = previous.and_then(|store| store.identities.get(&name));
                let kept = old.filter(|old| ***old == new).cloned();
                (name, kept.unwrap_or_else(|| Arc::new(new)))
            })
            .collect();
        let trusts: HashMap<_, _> = trusts
            .into_iter()
            .map(|(name, new)| {
                let old = previous.and_then(|store| store.trusts.get(&name));
                let kept = old.filter(|old| ***old == new).cloned();
                (name, kept.unwrap_or_else(|| Arc::new(new)))
            })
            .collect();
        let mut clients = HashMap::new();
        if let Some(previous) = previous {
            for ((identity, trust), config) in &*previous.clients() {
                let same = same_place(identities.get(identity), previous.identities.get(identity))
                    && same_place(trusts.get(trust), previous.trusts.get(trust));
                if same {
                    clients.insert(
                        (Arc::clone(identity), Arc::clone(trust)),
                        Arc::clone(config),
                    );
                }
            }
        }
        Self {
            identities,
            trusts,
            clients: Mutex::new(clients),
        }
    }

    /// The identity of that name.
    #[must_use]
    pub fn identity(&self, name: &str) -> Option<&Arc<Identity>> {
        self.identities.get(name)
    }

    /// The trust bundle of that name.
    #[must_use]
    pub fn trust(&self, name: &str) -> Option<&Arc<Trust>> {
        self.trusts.get(name)
    }

    /// The configuration to connect to `target` with: always shows the identity (SIG-06).
    ///
    /// # Errors
    /// Where the target names what this configuration has not.
    pub fn client(&self, target: &TlsTarget) -> Result<Arc<ClientConfig>, TargetError> {
        let key = (Arc::clone(&target.identity), Arc::clone(&target.trust));
        if let Some(config) = self.clients().get(&key) {
            return Ok(Arc::clone(config));
        }
        let identity = self
            .identity(&target.identity)
            .ok_or_else(|| TargetError::NoIdentity(Arc::clone(&target.identity)))?;
        let trust = self
            .trust(&target.trust)
            .ok_or_else(|| TargetError::NoTrust(Arc::clone(&target.trust)))?;
        let provider = provider();
        let verifier = PeerAsServer::new(
            Arc::clone(trust),
            provider.signature_verification_algorithms,
        );
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(VERSIONS)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity.certified())));
        let config = Arc::new(config);
        self.clients().insert(key, Arc::clone(&config));
        Ok(config)
    }

    // A panic while the map was held leaves at worst one configuration unmade.
    fn clients(&self) -> MutexGuard<'_, Clients> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn same_place<T>(a: Option<&Arc<T>>, b: Option<&Arc<T>>) -> bool {
    matches!((a, b), (Some(a), Some(b)) if Arc::ptr_eq(a, b))
}

/// The name of a target as TLS wants it.
///
/// # Errors
/// Where it is neither a DNS name nor an address.
pub fn server_name(target: &TlsTarget) -> Result<ServerName<'static>, TargetError> {
    ServerName::try_from(target.server_name.to_string())
        .map_err(|_| TargetError::BadName(Arc::clone(&target.server_name)))
}

/// What is known of the peer, after the handshake verified its chain.
#[must_use]
pub fn peer(server_name: Option<String>, chain: Option<&[CertificateDer<'_>]>) -> TlsPeer {
    let names = names(chain.and_then(<[_]>::first));
    TlsPeer { server_name, names }
}

/// The DNS names in a certificate; none in one that cannot be read.
fn names(certificate: Option<&CertificateDer<'_>>) -> Vec<String> {
    certificate
        .and_then(|certificate| webpki::EndEntityCert::try_from(certificate).ok())
        .map(|certificate| {
            certificate
                .valid_dns_names()
                .map(str::to_ascii_lowercase)
                .collect()
        })
        .unwrap_or_default()
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
