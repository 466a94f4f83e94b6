//! TLS by OpenSSL, both roles, always with a certificate of our own and the whole chain of the peer checked.
//!
//! SIG-08: Microsoft's certificates hold serverAuth alone and yet serve as client certificates; so does the box's. The
//! purpose that OpenSSL asks of a client certificate is therefore set to that of a server.
//!
//! Not here: making certificates (`pki.rs`); what Teams concludes from the names in them (`teams/judge.rs`).

use std::io;
use std::pin::Pin;

use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::ssl::{
    NameType, Ssl, SslAcceptor, SslConnector, SslContextBuilder, SslMethod, SslRef, SslVerifyMode,
    SslVersion,
};
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::X509CheckFlags;
use openssl::x509::{X509, X509PurposeId, X509Ref};
use tokio::net::TcpStream;
use tokio_openssl::SslStream;

use crate::pki::Identity;

/// What a handshake showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFacts {
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: String,
    /// The cipher suite, by OpenSSL's name.
    pub cipher: String,
    /// DNS names in the peer's certificate: the subject's alternative names, else the common name.
    pub peer_names: Vec<String>,
    /// The name that the client asked for (SIG-07).
    pub server_name: Option<String>,
    /// Certificates that the peer sent, its own included (SIG-06).
    pub chain_length: usize,
    /// Which certificate the peer showed ([`fingerprint`]).
    pub peer: Option<String>,
}

/// The SHA-256 of the first certificate of a chain, in hexadecimal digits.
///
/// # Errors
/// Where it is no chain of certificates.
pub fn fingerprint(chain: &str) -> io::Result<String> {
    let certificate = X509::from_pem(chain.as_bytes())?;
    Ok(digest(&certificate)?)
}

fn digest(certificate: &X509Ref) -> Result<String, openssl::error::ErrorStack> {
    let digest = certificate.digest(MessageDigest::sha256())?;
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Which versions a side takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versions {
    /// 1.2 and 1.3.
    Both,
    /// 1.2 alone, as Teams was documented.
    Only12,
    /// 1.1 alone: nobody may take it (SIG-04).
    Only11,
}

/// A server that asks for a client certificate under `roots`.
///
/// # Errors
/// Where OpenSSL does not take the material.
pub fn acceptor(identity: &Identity, roots: &str, versions: Versions) -> io::Result<SslAcceptor> {
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
    equip(&mut builder, Some(identity), roots, versions)?;
    builder.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
    Ok(builder.build())
}

/// A client.
#[derive(Clone)]
pub struct Client(SslConnector);

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}

impl Client {
    /// A client with this identity (or none at all), trusting `roots`.
    ///
    /// # Errors
    /// Where OpenSSL does not take the material.
    pub fn new(identity: Option<&Identity>, roots: &str, versions: Versions) -> io::Result<Self> {
        let mut builder = SslConnector::builder(SslMethod::tls_client())?;
        equip(&mut builder, identity, roots, versions)?;
        Ok(Self(builder.build()))
    }

    /// Shakes hands; `name` is sent as SNI and must stand in the server's certificate.
    ///
    /// # Errors
    /// Where either side refuses.
    pub async fn connect(
        &self,
        name: &str,
        stream: TcpStream,
    ) -> io::Result<(SslStream<TcpStream>, TlsFacts)> {
        let mut ssl = self.0.configure()?.into_ssl(name)?;
        // RFC 2818 §3.1: a wildcard stands for one label.
        ssl.param_mut()
            .set_hostflags(X509CheckFlags::NO_PARTIAL_WILDCARDS);
        let mut stream = SslStream::new(ssl, stream)?;
        Pin::new(&mut stream)
            .connect()
            .await
            .map_err(io::Error::other)?;
        let facts = facts(stream.ssl());
        Ok((stream, facts))
    }
}

/// Takes one connection.
///
/// # Errors
/// Where either side refuses.
pub async fn accept(
    acceptor: &SslAcceptor,
    stream: TcpStream,
) -> io::Result<(SslStream<TcpStream>, TlsFacts)> {
    stream.set_nodelay(true)?;
    let ssl = Ssl::new(acceptor.context())?;
    let mut stream = SslStream::new(ssl, stream)?;
    Pin::new(&mut stream)
        .accept()
        .await
        .map_err(io::Error::other)?;
    let facts = facts(stream.ssl());
    Ok((stream, facts))
}

fn equip(
    builder: &mut SslContextBuilder,
    identity: Option<&Identity>,
    roots: &str,
    versions: Versions,
) -> io::Result<()> {
    let (lowest, highest) = match versions {
        Versions::Both => (SslVersion::TLS1_2, SslVersion::TLS1_3),
        Versions::Only12 => (SslVersion::TLS1_2, SslVersion::TLS1_2),
        Versions::Only11 => (SslVersion::TLS1_1, SslVersion::TLS1_1),
    };
    if versions == Versions::Only11 {
        // OpenSSL 3 signs with SHA-1 at security level 0 alone.
        builder.set_cipher_list("ALL:@SECLEVEL=0")?;
        builder.clear_options(openssl::ssl::SslOptions::NO_TLSV1_1);
    }
    builder.set_min_proto_version(Some(lowest))?;
    builder.set_max_proto_version(Some(highest))?;
    if let Some(identity) = identity {
        let mut chain = X509::stack_from_pem(identity.chain.as_bytes())?.into_iter();
        let own = chain
            .next()
            .ok_or_else(|| io::Error::other("an identity without a certificate"))?;
        builder.set_certificate(&own)?;
        for issuer in chain {
            builder.add_extra_chain_cert(issuer)?;
        }
        builder.set_private_key(PKey::private_key_from_pem(identity.key.as_bytes())?.as_ref())?;
        builder.check_private_key()?;
    }
    let mut store = X509StoreBuilder::new()?;
    for root in X509::stack_from_pem(roots.as_bytes())? {
        store.add_cert(root)?;
    }
    builder.set_cert_store(store.build());
    builder
        .verify_param_mut()
        .set_purpose(X509PurposeId::SSL_SERVER)?;
    Ok(())
}

fn facts(ssl: &SslRef) -> TlsFacts {
    let own = usize::from(ssl.is_server());
    TlsFacts {
        version: ssl.version_str().to_owned(),
        cipher: ssl
            .current_cipher()
            .map(|cipher| cipher.name().to_owned())
            .unwrap_or_default(),
        peer_names: ssl
            .peer_certificate()
            .map(|certificate| names(&certificate))
            .unwrap_or_default(),
        server_name: ssl.servername(NameType::HOST_NAME).map(str::to_owned),
        peer: ssl
            .peer_certificate()
            .and_then(|certificate| digest(&certificate).ok()),
        // A server's view of the chain leaves the client's own certificate out.
        chain_length: ssl.peer_cert_chain().map_or(0, |chain| chain.len() + own),
    }
}

fn names(certificate: &X509Ref) -> Vec<String> {
    let alternative: Vec<String> = certificate
        .subject_alt_names()
        .iter()
        .flatten()
        .filter_map(|name| name.dnsname().map(str::to_owned))
        .collect();
    if !alternative.is_empty() {
        return alternative;
    }
    certificate
        .subject_name()
        .entries_by_nid(openssl::nid::Nid::COMMONNAME)
        .filter_map(|entry| entry.data().to_string().ok())
        .collect()
}
