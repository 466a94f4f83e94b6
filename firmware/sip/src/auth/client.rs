//! Answering challenges (RFC 3261 §22.2–22.3, RFC 8760 §2.4): the same request once more, with credentials.
//!
//! One [`Client`] serves a whole trunk: a nonce that was taken once goes on being used, with a growing count, so that later
//! requests are not challenged. One [`Exchange`] goes with each request and ends a loop of challenges.
//!
//! Not here: sending the request again, or its dialog (`Dialog::sent` follows the CSeq).

use thiserror::Error;

use super::digest::{Algorithm, Covered, Qop};
use super::{Asker, Credentials};
use crate::message::{CSeq, Challenge, Name, Request, Response, StatusCode};
use crate::token::Tokens;

/// Realms that one trunk asks for: its own and that of a proxy or two before it.
const MAX_REALMS: usize = 4;

/// Challenges that one request answers, stale nonces included.
const MAX_ROUNDS: u8 = 4;

/// Why a challenge is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Unanswerable {
    /// The response is no challenge, or its challenge cannot be read.
    #[error("the response asks for nothing that can be read")]
    NoChallenge,
    /// No algorithm, scheme or protection in it that we know, or another realm than that of the credentials.
    #[error("no challenge asks for what we can give")]
    Unsupported,
    /// Credentials were sent and refused: asking again would only lock the account.
    #[error("the user name or password is wrong")]
    Refused,
    /// The request itself cannot be sent again.
    #[error("the request has no CSeq")]
    Request,
}

/// One request's way through challenges.
#[derive(Debug, Clone, Default)]
pub struct Exchange {
    rounds: u8,
    answered: Vec<(Asker, String)>,
}

/// What a realm has asked for.
#[derive(Debug, Clone)]
struct Realm {
    asker: Asker,
    /// Texts as between their quotes.
    realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: Algorithm,
    /// Whether the challenge named its algorithm; then the answer does.
    naming: Naming,
    qop: Option<Qop>,
    count: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Naming {
    Named,
    Implied,
}

/// Answers challenges with one set of credentials.
#[derive(Debug, Clone)]
pub struct Client {
    credentials: Credentials,
    realms: Vec<Realm>,
}

impl Client {
    /// Nobody has asked yet.
    #[must_use]
    pub const fn new(credentials: Credentials) -> Self {
        Self {
            credentials,
            realms: Vec::new(),
        }
    }

    /// Whether a response asks for credentials.
    #[must_use]
    pub fn is_challenge(response: &Response) -> bool {
        matches!(
            response.status(),
            StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED
        )
    }

    /// The request with credentials for every realm that has asked so far; unchanged if none has.
    #[must_use]
    pub fn authorize(&mut self, request: &Request, tokens: &mut Tokens) -> Request {
        if self.realms.is_empty() {
            return request.clone();
        }
        let mut builder = request
            .rebuild()
            .remove(Name::Authorization)
            .remove(Name::ProxyAuthorization);
        for realm in &mut self.realms {
            let value = realm.credentials(&self.credentials, request, tokens);
            builder = builder.header(realm.asker.credentials_header(), value);
        }
        builder.finish()
    }

    /// The request once more, with credentials and the next CSeq (RFC 3261 §22.2). `request` is what was challenged.
    ///
    /// # Errors
    /// There is nothing to answer, or no use in it.
    pub fn answer(
        &mut self,
        exchange: &mut Exchange,
        request: &Request,
        response: &Response,
        tokens: &mut Tokens,
    ) -> Result<Request, Unanswerable> {
        exchange.rounds += 1;
        if exchange.rounds > MAX_ROUNDS {
            return Err(Unanswerable::Refused);
        }
        self.learn(exchange, response)?;
        let cseq = request
            .headers()
            .cseq()
            .map_err(|_| Unanswerable::Request)?;
        let next = CSeq {
            number: cseq.number.saturating_add(1),
            method: cseq.method,
        };
        let request = request.rebuild().set(Name::CSeq, next).finish();
        Ok(self.authorize(&request, tokens))
    }

    fn learn(&mut self, exchange: &mut Exchange, response: &Response) -> Result<(), Unanswerable> {
        let headers = response.headers();
        let unreadable = |_| Unanswerable::NoChallenge;
        let asked = match response.status() {
            StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                let by_server = headers.www_authenticate().map_err(unreadable)?;
                let by_proxy = headers.proxy_authenticate().map_err(unreadable)?;
                let by_server = by_server.into_iter().map(|asked| (Asker::Server, asked));
                by_server.chain(by_proxy.into_iter().map(|asked| (Asker::Proxy, asked)))
            }
            _ => return Err(Unanswerable::NoChallenge),
        };
        let mut outcome = Err(Unanswerable::NoChallenge);
        let mut taken: Vec<(Asker, String)> = Vec::new();
        for (asker, challenge) in asked {
            // RFC 8760 §2.4: of one realm's challenges the topmost that we support.
            let Some(realm) = Realm::of(asker, &challenge).filter(|realm| self.may_answer(realm))
            else {
                outcome = outcome.or(Err(Unanswerable::Unsupported));
                continue;
            };
            let name = (asker, realm.realm.clone());
            if taken.contains(&name) {
                continue;
            }
            if exchange.answered.contains(&name) && !is_stale(&challenge) {
                return Err(Unanswerable::Refused);
            }
            taken.push(name);
            self.put(realm);
            outcome = Ok(());
        }
        exchange.answered.extend(taken);
        outcome
    }

    fn may_answer(&self, realm: &Realm) -> bool {
        self.credentials
            .realm
            .as_ref()
            .is_none_or(|ours| *ours == realm.realm)
    }

    fn put(&mut self, realm: Realm) {
        let known = self
            .realms
            .iter_mut()
            .find(|known| known.asker == realm.asker && known.realm == realm.realm);
        if let Some(known) = known {
            *known = realm;
            return;
        }
        if self.realms.len() == MAX_REALMS {
            self.realms.remove(0);
        }
        self.realms.push(realm);
    }
}

fn is_stale(challenge: &Challenge) -> bool {
    challenge
        .param("stale")
        .is_some_and(|stale| stale.eq_ignore_ascii_case("true"))
}

/// RFC 7616 §3.4: what stands between the quotes, escapes kept.
fn unquoted(raw: &str) -> &str {
    raw.strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(raw)
}

impl Realm {
    fn of(asker: Asker, challenge: &Challenge) -> Option<Self> {
        if !challenge.scheme().eq_ignore_ascii_case("Digest") {
            return None;
        }
        let text = |name| {
            challenge
                .raw_param(name)
                .map(|raw| unquoted(raw).to_owned())
        };
        let named = text("algorithm");
        let algorithm = match &named {
            Some(token) => Algorithm::parse(token)?,
            None => Algorithm::Md5,
        };
        let qop = match text("qop") {
            None => None,
            // `auth` where it is offered: devices on the way may touch the body.
            Some(offered) => {
                let mut offered = offered
                    .split(',')
                    .filter_map(|token| Qop::parse(token.trim()));
                let first = offered.next()?;
                Some(if offered.any(|qop| qop == Qop::Auth) {
                    Qop::Auth
                } else {
                    first
                })
            }
        };
        Some(Self {
            asker,
            realm: text("realm")?,
            nonce: text("nonce")?,
            opaque: text("opaque"),
            algorithm,
            naming: if named.is_some() {
                Naming::Named
            } else {
                Naming::Implied
            },
            qop,
            count: 0,
        })
    }

    /// The value of the credentials header (RFC 7616 §3.4, order of RFC 3261's examples).
    fn credentials(
        &mut self,
        credentials: &Credentials,
        request: &Request,
        tokens: &mut Tokens,
    ) -> String {
        self.count = self.count.saturating_add(1);
        let count = format!("{:08x}", self.count);
        let cnonce = tokens.tag();
        let uri = String::from_utf8_lossy(request.uri());
        let method = request.method();
        let response = Covered {
            algorithm: self.algorithm,
            username: &credentials.username,
            realm: &self.realm,
            password: credentials.password.as_bytes(),
            nonce: &self.nonce,
            cnonce: &cnonce,
            counted: self.qop.map(|qop| (qop, count.as_str())),
            method: method.as_str(),
            uri: &uri,
            body: request.body(),
        }
        .response();
        let username = credentials
            .username
            .replace('\\', "\\\\")
            .replace('"', "\\\"");
        let mut value = format!(
            "Digest username=\"{username}\", realm=\"{}\", nonce=\"{}\", uri=\"{uri}\", response=\"{response}\"",
            self.realm, self.nonce
        );
        if self.naming == Naming::Named {
            value += &format!(", algorithm={}", self.algorithm.token());
        }
        if let Some(qop) = self.qop {
            value += &format!(", cnonce=\"{cnonce}\", qop={}, nc={count}", qop.token());
        }
        if let Some(opaque) = &self.opaque {
            value += &format!(", opaque=\"{opaque}\"");
        }
        value
    }
}
