//! A registrar with digest (RFC 3261 §22, RFC 8760): challenges, checks, remembers bindings.
//!
//! A nonce serves as often as its count grows; one that the registrar no longer knows is answered as stale.
//!
//! Not here: anything but REGISTER; hashes are OpenSSL's.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use openssl::hash::{MessageDigest, hash};

use crate::call::Refusal;
use crate::held::lock;
use crate::random;
use crate::sip::Message;
use crate::sip::values::split_list;

/// Nonces known at a time.
const NONCES: usize = 1000;

/// Who may register, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The realm.
    pub realm: String,
    /// The user.
    pub user: String,
    /// The password.
    pub password: String,
    /// The hash.
    pub algorithm: Algorithm,
    /// How long a binding is granted for at most.
    pub longest: Duration,
    /// How short it may be (423).
    pub shortest: Duration,
}

/// A digest hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// MD5.
    Md5,
    /// SHA-256.
    Sha256,
}

impl Algorithm {
    fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
        }
    }

    fn hash(self, text: &str) -> String {
        let digest = match self {
            Self::Md5 => MessageDigest::md5(),
            Self::Sha256 => MessageDigest::sha256(),
        };
        // Only a build of OpenSSL without the hash fails; then nobody registers, which the test sees.
        hash(digest, text.as_bytes())
            .map(|bytes| bytes.iter().map(|byte| format!("{byte:02x}")).collect())
            .unwrap_or_default()
    }
}

/// The registrar of one account.
#[derive(Debug)]
pub struct Registrar {
    account: Account,
    /// The count last used with each nonce.
    nonces: Mutex<HashMap<String, u32>>,
    binding: Mutex<Option<Binding>>,
}

/// A binding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The URI registered.
    pub contact: String,
    /// Granted seconds.
    pub expires: u64,
    /// How many REGISTERs were granted in all.
    pub times: u64,
}

impl Registrar {
    /// A registrar for this account.
    #[must_use]
    pub fn new(account: Account) -> Self {
        Self {
            account,
            nonces: Mutex::default(),
            binding: Mutex::default(),
        }
    }

    /// What is registered.
    #[must_use]
    pub fn binding(&self) -> Option<Binding> {
        lock(&self.binding).clone()
    }

    /// Forgets every nonce: the next request is answered as stale.
    pub fn forget_nonces(&self) {
        lock(&self.nonces).clear();
    }

    /// Checks a request's Authorization (RFC 7616 §3.4).
    ///
    /// # Errors
    /// The challenge to answer it with.
    pub fn check(&self, request: &Message) -> Result<(), Refusal> {
        let method = request.method().unwrap_or_default();
        let given = request
            .header("Authorization")
            .and_then(|value| value.trim().strip_prefix("Digest "))
            .map(parameters);
        let Some(given) = given else {
            return Err(self.challenge(Staleness::Fresh));
        };
        let part = |name: &str| given.get(name).map_or("", String::as_str);
        let account = &self.account;
        let algorithm = account.algorithm;
        let first = algorithm.hash(&format!(
            "{}:{}:{}",
            account.user, account.realm, account.password
        ));
        let second = algorithm.hash(&format!("{method}:{}", part("uri")));
        let expected = algorithm.hash(&format!(
            "{first}:{}:{}:{}:{}:{second}",
            part("nonce"),
            part("nc"),
            part("cnonce"),
            part("qop")
        ));
        let fits = part("username") == account.user
            && part("realm") == account.realm
            && part("uri") == request.uri()
            && part("response") == expected;
        if !fits {
            return Err(self.challenge(Staleness::Fresh));
        }
        let count = u32::from_str_radix(part("nc"), 16).unwrap_or(0);
        if self.use_nonce(part("nonce"), count) {
            Ok(())
        } else {
            Err(self.challenge(Staleness::Stale))
        }
    }

    /// A nonce that we gave serves while its count grows.
    fn use_nonce(&self, nonce: &str, count: u32) -> bool {
        let mut nonces = lock(&self.nonces);
        let Some(last) = nonces.get_mut(nonce).filter(|last| count > **last) else {
            return false;
        };
        *last = count;
        true
    }

    /// Answers a REGISTER.
    #[must_use]
    pub fn register(&self, request: &Message) -> Message {
        if let Err(refusal) = self.check(request) {
            return Message::response(request, refusal.code, &refusal.phrase)
                .with_to_tag(&random::token())
                .with_all(&refusal.headers);
        }
        let contact = request
            .values("Contact")
            .first()
            .copied()
            .unwrap_or_default();
        let asked = crate::sip::values::parameter(contact, "expires")
            .or_else(|| request.header("Expires"))
            .and_then(|value| value.trim().parse().ok())
            .unwrap_or(3600);
        if asked > 0 && asked < self.account.shortest.as_secs() {
            return Message::response(request, 423, "Interval Too Brief")
                .with_to_tag(&random::token())
                .with("Min-Expires", self.account.shortest.as_secs().to_string());
        }
        let expires = asked.min(self.account.longest.as_secs());
        let uri = request
            .contact()
            .map(|contact| contact.uri.to_owned())
            .unwrap_or_default();
        let mut binding = lock(&self.binding);
        let times = binding.as_ref().map_or(0, |binding| binding.times) + 1;
        *binding = (asked > 0).then(|| Binding {
            contact: uri.clone(),
            expires,
            times,
        });
        let reply = Message::response(request, 200, "OK").with_to_tag(&random::token());
        if asked > 0 {
            reply.with("Contact", format!("<{uri}>;expires={expires}"))
        } else {
            reply
        }
    }

    fn challenge(&self, staleness: Staleness) -> Refusal {
        let nonce = random::token();
        let mut nonces = lock(&self.nonces);
        if nonces.len() >= NONCES {
            nonces.clear();
        }
        nonces.insert(nonce.clone(), 0);
        let stale = match staleness {
            Staleness::Fresh => "",
            Staleness::Stale => ", stale=true",
        };
        let value = format!(
            "Digest realm=\"{}\", nonce=\"{nonce}\", algorithm={}, qop=\"auth\"{stale}",
            self.account.realm,
            self.account.algorithm.name()
        );
        Refusal::new(401, "Unauthorized").with("WWW-Authenticate", value)
    }
}

#[derive(Clone, Copy)]
enum Staleness {
    Fresh,
    Stale,
}

fn parameters(value: &str) -> HashMap<String, String> {
    split_list(value)
        .into_iter()
        .filter_map(|part| {
            let (name, value) = part.split_once('=')?;
            Some((
                name.trim().to_ascii_lowercase(),
                value.trim().trim_matches('"').to_owned(),
            ))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registrar(algorithm: Algorithm) -> Registrar {
        Registrar::new(Account {
            realm: "trunk.example".to_owned(),
            user: "fabrikam".to_owned(),
            password: "secret".to_owned(),
            algorithm,
            longest: Duration::from_secs(600),
            shortest: Duration::from_secs(60),
        })
    }

    fn register(authorization: Option<&str>, expires: u32) -> Message {
        let request = Message::request("REGISTER", "sip:trunk.example")
            .with("To", "<sip:fabrikam@trunk.example>")
            .with(
                "Contact",
                format!("<sip:fabrikam@192.0.2.1>;expires={expires}"),
            );
        match authorization {
            Some(value) => request.with("Authorization", value),
            None => request,
        }
    }

    fn authorize(algorithm: Algorithm, challenge: &Message, count: &str) -> String {
        let value = challenge.header("WWW-Authenticate").expect("a challenge");
        let nonce = parameters(value.strip_prefix("Digest ").expect("digest"))["nonce"].clone();
        let first = algorithm.hash("fabrikam:trunk.example:secret");
        let second = algorithm.hash("REGISTER:sip:trunk.example");
        let response = algorithm.hash(&format!("{first}:{nonce}:{count}:c:auth:{second}"));
        format!(
            "Digest username=\"fabrikam\", realm=\"trunk.example\", nonce=\"{nonce}\", uri=\"sip:trunk.example\", \
             response=\"{response}\", qop=auth, nc={count}, cnonce=\"c\""
        )
    }

    #[test]
    fn a_right_answer_registers_and_a_repeated_one_is_stale() {
        for algorithm in [Algorithm::Md5, Algorithm::Sha256] {
            let registrar = registrar(algorithm);
            let challenge = registrar.register(&register(None, 3600));
            assert_eq!(challenge.code(), Some(401));
            let answer = authorize(algorithm, &challenge, "00000001");
            let granted = registrar.register(&register(Some(&answer), 3600));
            assert_eq!(granted.code(), Some(200));
            assert_eq!(
                granted.header("Contact"),
                Some("<sip:fabrikam@192.0.2.1>;expires=600")
            );
            let again = registrar.register(&register(Some(&answer), 3600));
            assert!(
                again
                    .header("WWW-Authenticate")
                    .is_some_and(|value| value.contains("stale=true"))
            );
        }
    }

    #[test]
    fn too_brief_is_423() {
        let registrar = registrar(Algorithm::Md5);
        let challenge = registrar.register(&register(None, 10));
        let answer = authorize(Algorithm::Md5, &challenge, "00000001");
        let reply = registrar.register(&register(Some(&answer), 10));
        assert_eq!(
            (reply.code(), reply.header("Min-Expires")),
            (Some(423), Some("60"))
        );
    }

    #[test]
    fn md5_of_the_rfc() {
        // RFC 1321 appendix A.5.
        assert_eq!(
            Algorithm::Md5.hash("abc"),
            "900150983cd24fb0d6963f7d28e17f72"
        );
    }
}
