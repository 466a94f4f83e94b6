//! Whether a peer is who it must be: its chain against chosen roots, its name against what was asked for.
//!
//! Our own verifiers, because rustls' verifier of clients insists on the clientAuth usage, and Microsoft's certificates have
//! carried serverAuth alone since 2026, though it connects to us as a client (SIG-08). Path building, validity and
//! signatures are webpki's.
//!
//! Names are DNS names of the subjectAltName, a wildcard for one label (RFC 5922 §7.2 forbids wildcards, Microsoft's and
//! most carriers' certificates use them; §7.1's SIP URIs in certificates nobody issues). The common name is not looked at.
//!
//! Not here: revocation lists; addresses of peers (`call` judges those).

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme,
};
use webpki::{EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter, KeyUsage};

use super::{ClientAuth, ServerPlan, Trust};

/// The names that a client's certificate must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Names {
    /// Its chain is enough.
    Any,
    /// One of these (Teams: the names of its proxies).
    OneOf(Vec<ServerName<'static>>),
}

/// One way to be let in: a chain to these roots, and a name.
#[derive(Debug, Clone)]
pub struct Acceptance {
    /// The roots.
    pub trust: Arc<Trust>,
    /// The names.
    pub names: Names,
}

impl PartialEq for Acceptance {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.trust, &other.trust) && self.names == other.names
    }
}

impl Acceptance {
    fn admits(
        &self,
        certificate: &EndEntityCert<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
        algorithms: &WebPkiSupportedAlgorithms,
    ) -> Result<(), webpki::Error> {
        certificate.verify_for_usage(
            algorithms.all,
            self.trust.anchors(),
            intermediates,
            now,
            ServerOrClient,
            None,
            None,
        )?;
        match &self.names {
            Names::Any => Ok(()),
            Names::OneOf(names) => {
                let mut outcome = Err(webpki::Error::UnknownIssuer);
                for name in names {
                    outcome = certificate.verify_is_valid_for_subject_name(name);
                    if outcome.is_ok() {
                        break;
                    }
                }
                outcome
            }
        }
    }
}

/// A usage that lets a certificate speak TLS at all, as server or as client.
struct ServerOrClient;

impl ExtendedKeyUsageValidator for ServerOrClient {
    fn validate(&self, usages: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        let mut any = false;
        for usage in usages {
            any = true;
            let oid = usage?.to_decoded_oid();
            // RFC 5280 §4.2.1.12: id-kp-serverAuth, id-kp-clientAuth; anyExtendedKeyUsage.
            if matches!(oid[..], [1, 3, 6, 1, 5, 5, 7, 3, 1 | 2] | [2, 5, 29, 37, 0]) {
                return Ok(());
            }
        }
        // Without the extension a certificate may be used for anything.
        if any { Err(usage_not_found()) } else { Ok(()) }
    }
}

fn usage_not_found() -> webpki::Error {
    webpki::Error::RequiredEkuNotFoundContext(webpki::RequiredEkuNotFoundContext {
        required: KeyUsage::client_auth(),
        present: Vec::new(),
    })
}

/// Judges those who connect to us.
pub(super) struct PeerAsClient {
    client_auth: ClientAuth,
    acceptances: Vec<Acceptance>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl PeerAsClient {
    pub(super) fn new(plan: &ServerPlan, algorithms: WebPkiSupportedAlgorithms) -> Self {
        Self {
            client_auth: plan.client_auth,
            acceptances: plan.acceptances.clone(),
            algorithms,
        }
    }
}

impl ClientCertVerifier for PeerAsClient {
    fn client_auth_mandatory(&self) -> bool {
        self.client_auth == ClientAuth::Required
    }

    // No hints: Microsoft's proxies have one certificate, and a list of roots says whom we trust.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let certificate = EndEntityCert::try_from(end_entity).map_err(refusal)?;
        let mut nearest = webpki::Error::UnknownIssuer;
        for acceptance in &self.acceptances {
            match acceptance.admits(&certificate, intermediates, now, &self.algorithms) {
                Ok(()) => return Ok(ClientCertVerified::assertion()),
                // The way that came furthest tells the peer most; an unknown root is where each begins.
                Err(webpki::Error::UnknownIssuer) => {}
                Err(error) => nearest = error,
            }
        }
        Err(refusal(nearest))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl fmt::Debug for PeerAsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerAsClient")
            .field("acceptances", &self.acceptances)
            .finish_non_exhaustive()
    }
}

/// Judges those whom we connect to.
pub(super) struct PeerAsServer {
    trust: Arc<Trust>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl PeerAsServer {
    pub(super) fn new(trust: Arc<Trust>, algorithms: WebPkiSupportedAlgorithms) -> Self {
        Self { trust, algorithms }
    }
}

impl ServerCertVerifier for PeerAsServer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let certificate = EndEntityCert::try_from(end_entity).map_err(refusal)?;
        certificate
            .verify_for_usage(
                self.algorithms.all,
                self.trust.anchors(),
                intermediates,
                now,
                KeyUsage::server_auth(),
                None,
                None,
            )
            .map_err(refusal)?;
        // RFC 5922 §7.3: the name is the one the request was to go to, not what DNS made of it.
        certificate
            .verify_is_valid_for_subject_name(name)
            .map_err(refusal)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl fmt::Debug for PeerAsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerAsServer")
            .field("trust", &self.trust)
            .finish_non_exhaustive()
    }
}

/// The error that makes rustls send the alert which tells the peer's administrator most.
fn refusal(error: webpki::Error) -> Error {
    let error = match error {
        webpki::Error::CertExpired { time, not_after } => {
            CertificateError::ExpiredContext { time, not_after }
        }
        webpki::Error::CertNotValidYet { time, not_before } => {
            CertificateError::NotValidYetContext { time, not_before }
        }
        webpki::Error::UnknownIssuer => CertificateError::UnknownIssuer,
        webpki::Error::CertNotValidForName(names) => CertificateError::NotValidForNameContext {
            expected: names.expected,
            presented: names.presented,
        },
        webpki::Error::InvalidSignatureForPublicKey => CertificateError::BadSignature,
        webpki::Error::BadDer | webpki::Error::BadDerTime => CertificateError::BadEncoding,
        webpki::Error::RequiredEkuNotFoundContext(_) => CertificateError::InvalidPurpose,
        other => CertificateError::Other(OtherError(Arc::new(other))),
    };
    Error::InvalidCertificate(error)
}
