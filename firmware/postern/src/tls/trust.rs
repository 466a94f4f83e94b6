//! A trust bundle: the roots that a peer's chain must end in.
//!
//! Bundles are chosen by the configuration, one a trunk, never the system's: Teams' SIP proxies chain to seven named roots
//! (SIG-08), and a carrier's private root must not be able to vouch for Microsoft.
//!
//! Not here: the check of a chain (`verify`).

use std::fmt;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, TrustAnchor};

/// Why a bundle cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// Not PEM.
    #[error("the bundle is not PEM: {0}")]
    Pem(#[source] pem::Error),
    /// PEM, and no certificate in it: it would trust nobody.
    #[error("the bundle holds no certificate")]
    Empty,
    /// One of its certificates cannot be a root. Counted from 1.
    #[error("certificate {0} of the bundle cannot be read: {1}")]
    Certificate(usize, #[source] webpki::Error),
}

/// A set of roots.
pub struct Trust {
    anchors: Vec<TrustAnchor<'static>>,
}

impl Trust {
    /// Reads every certificate of a PEM file as a root.
    ///
    /// # Errors
    /// Where one cannot be read, or there is none: a root left out silently is found only when calls fail.
    pub fn from_pem(bundle: &[u8]) -> Result<Self, TrustError> {
        let mut anchors = Vec::new();
        for (index, certificate) in CertificateDer::pem_slice_iter(bundle).enumerate() {
            let certificate = certificate.map_err(TrustError::Pem)?;
            let anchor = webpki::anchor_from_trusted_cert(&certificate)
                .map_err(|error| TrustError::Certificate(index + 1, error))?;
            anchors.push(anchor.to_owned());
        }
        if anchors.is_empty() {
            return Err(TrustError::Empty);
        }
        Ok(Self { anchors })
    }

    pub(super) fn anchors(&self) -> &[TrustAnchor<'static>] {
        &self.anchors
    }
}

impl PartialEq for Trust {
    fn eq(&self, other: &Self) -> bool {
        self.anchors == other.anchors
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust")
            .field("roots", &self.anchors.len())
            .finish()
    }
}
