//! Certificates: asked for by a request whose key never leaves the box, brought in as PEM or PKCS#12, looked at before they are used.
//!
//! ```text
//!  request ─► key stays in `requests/`, CSR goes to an authority ─► chain comes back ─┐
//!  PEM or PKCS#12 with its key ───────────────────────────────────────────────────────┤
//!                                                                                     ▼
//!             certificates/NAME-TIME.pem beside the configuration, and a commit that names it
//! ```
//!
//! Chain and key are one file with a name of its own, so a power cut leaves the old pair or the new one, and a version of the configuration
//! that is brought back has the certificate that it had.
//!
//! Not here: cryptography, which the [`Notary`] does; showing a certificate to peers.

mod folder;
mod identity;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(crate) use folder::{Folder, FolderError, Label};
pub(crate) use identity::{IdentityEditError, identities, with_identity};

/// A kind of key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyKind {
    /// What Teams needs: all its suites are ECDHE_RSA (SIG-05).
    #[default]
    Rsa2048,
    /// The same, longer.
    Rsa3072,
    /// Elliptic, on the curve P-256: quicker, and of no use with Teams.
    EcP256,
}

/// One certificate of a chain, as people look at it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Certificate {
    /// Whose it is, as one line.
    pub subject: String,
    /// Who has signed it.
    pub issuer: String,
    /// Its DNS names.
    pub names: Vec<String>,
    /// Seconds since 1970 from which it is valid.
    pub not_before: i64,
    /// Seconds since 1970 until which it is valid.
    pub not_after: i64,
}

/// A chain and its key, as PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Pair {
    /// The certificate, then those above it.
    pub chain: String,
    /// The key.
    pub key: String,
}

/// A request for a certificate.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// What the authority is shown, as PEM (PKCS#10).
    pub request: String,
    /// What nobody is shown.
    pub key: String,
}

/// Why something is no certificate, key or archive that could be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

/// Knows about keys and certificates.
pub trait Notary: Send + Sync {
    /// Reads a chain and makes sure that the key is that of its first certificate.
    ///
    /// # Errors
    /// Where one of them cannot be read, or they do not belong together.
    fn examine(&self, pair: &Pair) -> Result<Vec<Certificate>, Refused>;

    /// Makes a key, and a request for a certificate of these DNS names with it.
    ///
    /// # Errors
    /// Where a name is none.
    fn request(&self, names: &[String], kind: KeyKind) -> Result<Request, Refused>;

    /// Takes a chain and its key out of a PKCS#12 archive (RFC 7292).
    ///
    /// # Errors
    /// Where it is none, the password is wrong, or not just one key is in it.
    fn unpack(&self, archive: &[u8], password: &str) -> Result<Pair, Refused>;
}

/// What should be known of a chain that can be used.
pub(crate) fn warnings(chain: &[Certificate], wanted: &[&str]) -> Vec<String> {
    let mut warnings = Vec::new();
    let Some(first) = chain.first() else {
        return warnings;
    };
    let gap = chain
        .windows(2)
        .find(|pair| pair[0].issuer != pair[1].subject);
    if let Some([lower, upper]) = gap {
        warnings.push(format!(
            "the chain has a gap: {} is signed by {}, and {} follows",
            lower.subject, lower.issuer, upper.subject
        ));
    } else if chain.len() == 1 && first.subject != first.issuer {
        warnings.push(format!(
            "the chain is not complete: add the certificate of {}, or Teams refuses it (SIG-06)",
            first.issuer
        ));
    }
    let missing = wanted.iter().filter(|name| !is_for(first, name));
    warnings.extend(missing.map(|name| format!("it is not for {name}, which uses it")));
    warnings
}

/// Whether a certificate is for this host: by its name, or by a wildcard for the first label.
fn is_for(certificate: &Certificate, host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    certificate.names.iter().any(|name| {
        let name = name.to_ascii_lowercase();
        match name.strip_prefix("*.") {
            Some(domain) => host.split_once('.').is_some_and(|(_, rest)| rest == domain),
            None => name == host,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(subject: &str, issuer: &str, names: &[&str]) -> Certificate {
        Certificate {
            subject: subject.to_owned(),
            issuer: issuer.to_owned(),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            not_before: 0,
            not_after: 1,
        }
    }

    #[test]
    fn gaps_missing_links_and_missing_names_are_told_of() {
        let leaf = certificate("CN=a", "CN=b", &["*.contoso.example"]);
        let (middle, root) = (
            certificate("CN=b", "CN=c", &[]),
            certificate("CN=c", "CN=c", &[]),
        );
        let told = |chain: &[&Certificate], wanted: &[&str]| {
            let chain: Vec<_> = chain.iter().map(|link| (*link).clone()).collect();
            warnings(&chain, wanted)
        };
        assert_eq!(told(&[], &["x"]), [""; 0]);
        assert_eq!(told(&[&leaf, &middle], &["SBC.contoso.example"]), [""; 0]);
        assert_eq!(told(&[&root], &[]), [""; 0]);
        assert!(told(&[&leaf], &[])[0].contains("not complete"));
        assert!(told(&[&leaf, &root], &[])[0].contains("a gap"));
        assert!(told(&[&leaf, &middle], &["a.b.contoso.example"])[0].contains("not for"));
    }
}
