//! Certificates for a run, made at its start: one authority plays Microsoft's, one the public web's, one nobody trusts.
//!
//! Every certificate hangs under an intermediate, so that a side which forgets to send its chain fails (SIG-06). Keys of
//! peers are RSA 2048 (SIG-05), made by OpenSSL because `rcgen` over `ring` cannot; those of authorities are of the quick
//! kind. Leaf certificates hold serverAuth alone unless asked otherwise (SIG-08).
//!
//! Not here: TLS itself (`tls.rs`).

use std::io;

use openssl::rsa::Rsa;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SerialNumber, date_time_ymd,
};

use crate::random;

/// A certificate with its chain and its key, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate, then its issuers without the root.
    pub chain: String,
    /// The private key.
    pub key: String,
}

impl Identity {
    /// The same without its issuers: a listed cause of "inactive SBC".
    #[must_use]
    pub fn without_issuers(&self) -> Self {
        const END: &str = "-----END CERTIFICATE-----";
        let own = self.chain.split_inclusive(END).next().unwrap_or_default();
        Self {
            chain: format!("{own}\n"),
            key: self.key.clone(),
        }
    }
}

/// What a leaf certificate says of its use and its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaf {
    /// serverAuth alone: Microsoft's since 2026, and every public one.
    ServerOnly,
    /// serverAuth and clientAuth, as before.
    Both,
    /// clientAuth alone: of no use to a server.
    ClientOnly,
    /// serverAuth, and past its time.
    Expired,
}

/// An authority: a root and an intermediate under it.
pub struct Authority {
    root: Certificate,
    intermediate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authority")
    }
}

impl Authority {
    /// Makes one.
    ///
    /// # Errors
    /// Where a key or certificate cannot be made.
    pub fn new(name: &str) -> io::Result<Self> {
        let root_key = authority_key()?;
        let root_params = authority_params(&format!("{name} Root"))?;
        let root = root_params
            .self_signed(&root_key)
            .map_err(io::Error::other)?;
        let root_issuer = Issuer::new(root_params, root_key);
        let key = authority_key()?;
        let params = authority_params(&format!("{name} Issuing"))?;
        let intermediate = params
            .signed_by(&key, &root_issuer)
            .map_err(io::Error::other)?;
        Ok(Self {
            root,
            intermediate,
            issuer: Issuer::new(params, key),
        })
    }

    /// What others must trust.
    #[must_use]
    pub fn root(&self) -> String {
        self.root.pem()
    }

    /// A certificate for these names; the first is also the common name.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn issue(&self, names: &[&str], leaf: Leaf) -> io::Result<Identity> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names.clone()).map_err(io::Error::other)?;
        if let Some(name) = names.first() {
            params
                .distinguished_name
                .push(DnType::CommonName, name.as_str());
        }
        params.serial_number = Some(serial());
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::KeyEncipherment,
        ];
        let (server, client) = (
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        );
        params.extended_key_usages = match leaf {
            Leaf::ServerOnly | Leaf::Expired => vec![server],
            Leaf::Both => vec![server, client],
            Leaf::ClientOnly => vec![client],
        };
        params.not_before = date_time_ymd(2024, 1, 1);
        params.not_after = match leaf {
            Leaf::Expired => date_time_ymd(2025, 1, 1),
            _ => date_time_ymd(2049, 1, 1),
        };
        let key = rsa_key()?;
        let certificate = params
            .signed_by(&key, &self.issuer)
            .map_err(io::Error::other)?;
        Ok(Identity {
            chain: format!("{}{}", certificate.pem(), self.intermediate.pem()),
            key: key.serialize_pem(),
        })
    }
}

/// The authorities of a run.
#[derive(Debug)]
pub struct Pki {
    /// Signs Teams' certificates.
    pub microsoft: Authority,
    /// Signs those of the box.
    pub public: Authority,
    /// Signs for impostors.
    pub stranger: Authority,
}

impl Pki {
    /// Makes all three.
    ///
    /// # Errors
    /// Where a key or certificate cannot be made.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            microsoft: Authority::new("Lab Microsoft")?,
            public: Authority::new("Lab Public")?,
            stranger: Authority::new("Lab Stranger")?,
        })
    }
}

fn authority_params(name: &str) -> io::Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new()).map_err(io::Error::other)?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.serial_number = Some(serial());
    params.not_before = date_time_ymd(2023, 1, 1);
    params.not_after = date_time_ymd(2050, 1, 1);
    Ok(params)
}

fn serial() -> SerialNumber {
    let mut bytes = random::bytes::<16>();
    bytes[0] &= 0x7f;
    SerialNumber::from_slice(&bytes)
}

fn authority_key() -> io::Result<KeyPair> {
    KeyPair::generate().map_err(io::Error::other)
}

fn rsa_key() -> io::Result<KeyPair> {
    let rsa = Rsa::generate(2048)?;
    let pem = openssl::pkey::PKey::from_rsa(rsa)?.private_key_to_pem_pkcs8()?;
    let text = String::from_utf8(pem).map_err(io::Error::other)?;
    KeyPair::from_pem(&text).map_err(io::Error::other)
}
