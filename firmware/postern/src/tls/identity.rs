//! An identity: a certificate, the chain above it, and the key; and which of several a server shows.
//!
//! The whole chain is sent as it was given, because Teams refuses an incomplete one (SIG-06). A key that is not the
//! certificate's is refused here, not in the first handshake.
//!
//! Not here: whether the certificate is still valid and good for Teams (`config` warns of that), and no key is ever shown.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use rustls::SignatureAlgorithm;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// Why an identity cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file of certificates is not PEM.
    #[error("the certificate file is not PEM: {0}")]
    Certificate(#[source] pem::Error),
    /// It is PEM, and there is no certificate in it.
    #[error("the certificate file holds no certificate")]
    NoCertificate,
    /// The key file holds no private key that could be read.
    #[error("the key file holds no private key: {0}")]
    Key(#[source] pem::Error),
    /// The key is of an unknown kind, or not the certificate's.
    #[error("the key does not fit the certificate: {0}")]
    Mismatch(#[source] rustls::Error),
}

/// The kind of key behind a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// What Teams needs: all its suites are ECDHE_RSA (SIG-05).
    Rsa,
    /// Anything else.
    Other,
}

/// A certificate with its chain and key.
pub struct Identity {
    key: Arc<CertifiedKey>,
}

impl Identity {
    /// Reads certificate (first), intermediates (after it) and key.
    ///
    /// # Errors
    /// Where one of them cannot be read or they do not belong together.
    pub fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Self, IdentityError> {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(certificate)
            .collect::<Result<_, _>>()
            .map_err(IdentityError::Certificate)?;
        if chain.is_empty() {
            return Err(IdentityError::NoCertificate);
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(IdentityError::Key)?;
        let provider = rustls::crypto::ring::default_provider();
        let key = CertifiedKey::from_der(chain, key, &provider).map_err(IdentityError::Mismatch)?;
        Ok(Self { key: Arc::new(key) })
    }

    /// The kind of its key.
    #[must_use]
    pub fn key_kind(&self) -> KeyKind {
        match self.key.key.algorithm() {
            SignatureAlgorithm::RSA => KeyKind::Rsa,
            _ => KeyKind::Other,
        }
    }

    /// The DNS names in its certificate.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        super::names(self.key.cert.first())
    }

    pub(super) fn certified(&self) -> CertifiedKey {
        (*self.key).clone()
    }
}

impl PartialEq for Identity {
    /// Same certificate, same chain; then the key is the same too, since it fits the certificate.
    fn eq(&self, other: &Self) -> bool {
        self.key.cert == other.key.cert
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("chain", &self.key.cert.len())
            .finish_non_exhaustive()
    }
}

/// Chooses by the name that the client asks for (SIG-07), else the default.
#[derive(Debug)]
pub(super) struct BySni {
    default: Arc<CertifiedKey>,
    by_name: HashMap<String, Arc<CertifiedKey>>,
}

impl BySni {
    pub(super) fn new(default: &Arc<Identity>, by_name: &[(String, Arc<Identity>)]) -> Self {
        Self {
            default: Arc::clone(&default.key),
            by_name: by_name
                .iter()
                .map(|(name, identity)| (name.to_ascii_lowercase(), Arc::clone(&identity.key)))
                .collect(),
        }
    }
}

impl ResolvesServerCert for BySni {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let named = hello.server_name().and_then(|name| {
            // rustls hands the name over as it was sent; names of hosts know no case.
            self.by_name
                .get(name)
                .or_else(|| self.by_name.get(&name.to_ascii_lowercase()))
        });
        Some(Arc::clone(named.unwrap_or(&self.default)))
    }
}
