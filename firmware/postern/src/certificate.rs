//! A certificate as people look at it: whose it is, until when, for what.
//!
//! x509-parser reads it; what it cannot read is told as such. Whether a chain is believed is `tls::verify`'s to say.
//!
//! Not here: what is wrong with it (`doctor`).

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Certificates of a file that are looked at; no chain is so long, bundles of roots are.
const MOST: usize = 1_000;

/// One certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Certificate {
    /// Its subject, as one line.
    pub(crate) subject: String,
    /// Who has signed it.
    pub(crate) issuer: String,
    /// Its DNS names, in lower case.
    pub(crate) names: Vec<String>,
    /// Seconds since 1970.
    pub(crate) not_before: i64,
    /// Seconds since 1970.
    pub(crate) not_after: i64,
    /// Whether a server may show it.
    pub(crate) serves: bool,
}

impl Certificate {
    /// Whether it is for this host: by its name, or by a wildcard for its first label.
    pub(crate) fn is_for(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        self.names.iter().any(|name| match name.strip_prefix("*.") {
            Some(domain) => host.split_once('.').is_some_and(|(_, rest)| rest == domain),
            None => *name == host,
        })
    }

    /// Whether nobody but itself has signed it.
    pub(crate) fn is_self_signed(&self) -> bool {
        self.subject == self.issuer
    }
}

/// The certificates of a PEM file, in its order.
///
/// # Errors
/// What cannot be read.
pub(crate) fn read(pem: &[u8]) -> Result<Vec<Certificate>, String> {
    CertificateDer::pem_slice_iter(pem)
        .take(MOST)
        .map(|der| one(&der.map_err(|error| error.to_string())?))
        .collect()
}

fn one(der: &[u8]) -> Result<Certificate, String> {
    let (_, parsed) = X509Certificate::from_der(der).map_err(|error| error.to_string())?;
    let alternative = parsed
        .subject_alternative_name()
        .map_err(|error| error.to_string())?;
    let names = alternative
        .into_iter()
        .flat_map(|names| &names.value.general_names);
    let names = names.filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    });
    let usage = parsed
        .extended_key_usage()
        .map_err(|error| error.to_string())?;
    Ok(Certificate {
        subject: parsed.subject().to_string(),
        issuer: parsed.issuer().to_string(),
        names: names.collect(),
        not_before: parsed.validity().not_before.timestamp(),
        not_after: parsed.validity().not_after.timestamp(),
        serves: usage.is_none_or(|usage| usage.value.server_auth || usage.value.any),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_times_are_read_and_rubbish_is_told() {
        let pair = rcgen::generate_simple_self_signed(["SBC.contoso.example".to_owned()]);
        let pem = pair.expect("a pair").cert.pem();
        let read_back = read(pem.as_bytes()).expect("it can be read");
        let [certificate] = &read_back[..] else {
            panic!("{read_back:?}");
        };
        assert!(certificate.is_for("sbc.contoso.example") && certificate.is_self_signed());
        assert!(!certificate.is_for("contoso.example") && certificate.serves);
        assert!(certificate.not_before < certificate.not_after);
        let broken = pem.replace("MII", "MIX");
        assert!(read(broken.as_bytes()).is_err());
        assert_eq!(read(b"nothing"), Ok(Vec::new()));
    }

    #[test]
    fn a_wildcard_is_for_one_label() {
        let certificate = Certificate {
            subject: String::new(),
            issuer: "x".to_owned(),
            names: vec!["*.contoso.example".to_owned()],
            not_before: 0,
            not_after: 0,
            serves: true,
        };
        assert!(certificate.is_for("sbc.Contoso.example"));
        assert!(!certificate.is_for("a.b.contoso.example"));
        assert!(!certificate.is_for("contoso.example"));
    }
}
