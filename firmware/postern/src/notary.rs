//! Keys, requests and archives of certificates, for the console.
//!
//! rsa makes keys, which ring cannot; ring signs with them, by rcgen. Archives are read by p12-keystore, which bounds the work that one may
//! ask for. Neither ever sees a packet.
//!
//! Not here: where they are kept (`console::certificates`), who shows them (`tls`).

use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use console::certificates::{self, KeyKind, Notary, Pair, Refused, Request};
use p12_keystore::{KeyStore, KeyStoreEntry, Pkcs12ImportPolicy};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};
use ring::rand::{SecureRandom, SystemRandom};
use rsa::PrivateKey;
use rsa::pkcs8::{EncodePrivateKey, LineEnding};
use rsa::rand_core::{TryCryptoRng, TryRng};
use rustls::pki_types::DnsName;

use crate::certificate;
use crate::tls::Identity;

/// No archive is larger.
const LARGEST: usize = 1 << 20;
/// Characters on a line of PEM (RFC 7468).
const LINE: usize = 64;

/// The notary of this box.
pub(crate) struct Office;

impl Notary for Office {
    fn examine(&self, pair: &Pair) -> Result<Vec<certificates::Certificate>, Refused> {
        let refused = |error: &dyn std::fmt::Display| Refused(error.to_string());
        Identity::from_pem(pair.chain.as_bytes(), pair.key.as_bytes())
            .map_err(|error| refused(&error))?;
        let chain = certificate::read(pair.chain.as_bytes()).map_err(Refused)?;
        let chain = chain.into_iter();
        Ok(chain
            .map(|link| certificates::Certificate {
                subject: link.subject,
                issuer: link.issuer,
                names: link.names,
                not_before: link.not_before,
                not_after: link.not_after,
            })
            .collect())
    }

    fn request(&self, names: &[String], kind: KeyKind) -> Result<Request, Refused> {
        for name in names {
            let plain = name.strip_prefix("*.").unwrap_or(name);
            if DnsName::try_from(plain).is_err() || !plain.contains('.') {
                return Err(Refused(format!(
                    "{name} is no DNS name such as sbc.example.com"
                )));
            }
        }
        let key = match kind {
            KeyKind::Rsa2048 => rsa_key(2_048)?,
            KeyKind::Rsa3072 => rsa_key(3_072)?,
            KeyKind::EcP256 => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
                .map_err(failed)?
                .serialize_pem(),
        };
        let pair = KeyPair::from_pem(&key).map_err(failed)?;
        let mut wanted = CertificateParams::new(names).map_err(failed)?;
        wanted.distinguished_name = DistinguishedName::new();
        if let Some(first) = names.first() {
            wanted
                .distinguished_name
                .push(DnType::CommonName, first.as_str());
        }
        let request = wanted.serialize_request(&pair).map_err(failed)?;
        let request = request.pem().map_err(failed)?;
        Ok(Request { request, key })
    }

    fn unpack(&self, archive: &[u8], password: &str) -> Result<Pair, Refused> {
        if archive.len() > LARGEST {
            return Err(Refused("the archive is larger than a megabyte".to_owned()));
        }
        let store = KeyStore::from_pkcs12(archive, password, Pkcs12ImportPolicy::Strict);
        let store = store.map_err(|error| {
            Refused(format!("no PKCS#12 archive, or another password: {error}"))
        })?;
        let mut chains = store.entries().filter_map(|(_, entry)| match entry {
            KeyStoreEntry::PrivateKeyChain(chain) => Some(chain),
            _ => None,
        });
        let (Some(found), None) = (chains.next(), chains.next()) else {
            let wanted = "the archive is to hold one key with its certificate";
            return Err(Refused(wanted.to_owned()));
        };
        let chain = found.certs().iter();
        Ok(Pair {
            chain: chain
                .map(|link| pem("CERTIFICATE", link.as_der()))
                .collect(),
            key: pem("PRIVATE KEY", found.key().as_der()),
        })
    }
}

fn failed(error: rcgen::Error) -> Refused {
    Refused(format!("no request could be made: {error}"))
}

fn rsa_key(bits: usize) -> Result<String, Refused> {
    let made = PrivateKey::new(&mut Chance(SystemRandom::new()), bits);
    let made = made.map_err(|error| Refused(format!("no key could be made: {error}")))?;
    let pem = made.to_pkcs8_pem(LineEnding::LF);
    let pem = pem.map_err(|error| Refused(format!("no key could be written: {error}")))?;
    Ok(pem.as_str().to_owned())
}

/// The chance of ring, as rsa takes it.
struct Chance(SystemRandom);

impl TryRng for Chance {
    type Error = std::io::Error;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        let mut octets = [0; 4];
        self.try_fill_bytes(&mut octets)?;
        Ok(u32::from_ne_bytes(octets))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let mut octets = [0; 8];
        self.try_fill_bytes(&mut octets)?;
        Ok(u64::from_ne_bytes(octets))
    }

    fn try_fill_bytes(&mut self, octets: &mut [u8]) -> Result<(), Self::Error> {
        let filled = self.0.fill(octets);
        filled.map_err(|_| std::io::Error::other("no randomness"))
    }
}

impl TryCryptoRng for Chance {}

/// PEM (RFC 7468).
fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    for line in text.as_bytes().chunks(LINE) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    let _ = writeln!(pem, "-----END {label}-----");
    pem
}

#[cfg(test)]
mod tests {
    use openssl::hash::MessageDigest;
    use openssl::pkcs12::Pkcs12;
    use openssl::pkey::PKey;
    use openssl::x509::{X509, X509Req};

    use super::*;

    fn names() -> Vec<String> {
        vec![
            "sbc.contoso.example".to_owned(),
            "*.sbc.contoso.example".to_owned(),
        ]
    }

    #[test]
    fn openssl_believes_a_request_and_what_it_signs_comes_into_use() {
        for kind in [KeyKind::Rsa2048, KeyKind::EcP256] {
            let made = Office.request(&names(), kind).expect("a request");
            let request = X509Req::from_pem(made.request.as_bytes()).expect("PKCS#10");
            let asked = request.public_key().expect("a key");
            assert!(request.verify(&asked).expect("a signature"));
            let text = String::from_utf8(request.to_text().expect("text")).expect("text");
            assert!(text.contains("DNS:*.sbc.contoso.example"), "{text}");
            // The authority.
            let authority = rcgen::KeyPair::generate().expect("a key");
            let authority = PKey::private_key_from_pem(authority.serialize_pem().as_bytes());
            let mut signed = X509::builder().expect("a builder");
            signed.set_pubkey(&asked).expect("set");
            signed
                .set_subject_name(request.subject_name())
                .expect("set");
            signed.set_issuer_name(request.subject_name()).expect("set");
            let from = openssl::asn1::Asn1Time::days_from_now(0).expect("a time");
            let until = openssl::asn1::Asn1Time::days_from_now(90).expect("a time");
            signed.set_not_before(&from).expect("set");
            signed.set_not_after(&until).expect("set");
            signed.set_version(2).expect("set");
            let key = authority.expect("a key");
            signed.sign(&key, MessageDigest::sha256()).expect("signed");
            let chain = signed.build().to_pem().expect("PEM");
            let pair = Pair {
                chain: String::from_utf8(chain).expect("text"),
                key: made.key,
            };
            let read = Office.examine(&pair).expect("it fits");
            assert!(read[0].subject.contains("sbc.contoso.example"));
            let other = Office.request(&names(), KeyKind::EcP256).expect("another");
            let wrong = Pair {
                key: other.key,
                ..pair
            };
            let refused = Office.examine(&wrong).expect_err("it does not");
            assert!(refused.0.contains("does not fit"), "{refused}");
        }
    }

    #[test]
    fn what_is_no_name_is_not_asked_for() {
        for name in [
            "",
            "localhost",
            "a b.example",
            "*.",
            "sip:x.example",
            "*.*.example",
        ] {
            let refused = Office.request(&[name.to_owned()], KeyKind::EcP256);
            assert!(refused.is_err(), "{name}");
        }
    }

    #[test]
    fn archives_of_openssl_are_opened_by_their_password_alone() {
        let own = rcgen::generate_simple_self_signed(names()).expect("a pair");
        let certificate = X509::from_pem(own.cert.pem().as_bytes()).expect("X.509");
        let key = own.signing_key.serialize_pem();
        let key = PKey::private_key_from_pem(key.as_bytes()).expect("a key");
        let mut archive = Pkcs12::builder();
        archive.name("sbc").pkey(&key).cert(&certificate);
        let archive = archive.build2("letmein").expect("PKCS#12");
        let archive = archive.to_der().expect("DER");
        let pair = Office.unpack(&archive, "letmein").expect("opened");
        let read = Office.examine(&pair).expect("they fit");
        assert_eq!(read[0].names, names());
        assert!(Office.unpack(&archive, "letmeout").is_err());
        assert!(Office.unpack(b"\x30\x82nothing", "").is_err());
        for cut in (0..archive.len()).step_by(97) {
            assert!(Office.unpack(&archive[..cut], "letmein").is_err());
        }
    }
}
