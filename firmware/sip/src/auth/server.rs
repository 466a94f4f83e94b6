//! Asking for credentials and checking them (RFC 3261 §22.1, RFC 7616 §3.3, RFC 8760 §2.2).
//!
//! A nonce carries the time of its making and a MAC over it: issuing one keeps nothing, and a forged or old one is known by
//! itself. What is kept is bounded: the counts of nonces that good credentials have used. A nonce whose count had to be
//! forgotten is stale, never good again, so that nothing can be replayed.
//!
//! Not here: where passwords come from, what a user may do, how often one may guess.

use std::collections::{HashMap, VecDeque};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use embassy_time::{Duration, Instant};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::digest::{Algorithm, Covered, Qop};
use super::{Asker, Password};
use crate::message::{Challenge, Request};
use crate::token::Tokens;

/// Nonces in use whose counts are kept.
const MAX_NONCES: usize = 4_096;

/// Time and chance, before the MAC.
const STAMP: usize = 16;

/// Bytes of the MAC that are kept.
const MAC: usize = 16;

/// Whether a client that is asked again may answer without asking its user (RFC 7616 §3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Staleness {
    /// It has shown nothing good.
    Fresh,
    /// Its credentials were good and its nonce was not.
    Stale,
}

/// What a request has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The password of this user.
    Accepted {
        /// The user name.
        username: String,
    },
    /// No credentials for this realm: ask.
    Missing,
    /// Good credentials with a nonce that is old or was used at this count: ask with [`Staleness::Stale`].
    Stale,
    /// An unknown user or a wrong password: count it, ask or refuse.
    Wrong,
    /// What no client sends: answer 400.
    Malformed,
}

/// Asks for credentials and checks them.
#[derive(Debug)]
pub struct Server {
    secret: Zeroizing<[u8; 32]>,
    realm: String,
    algorithms: Vec<Algorithm>,
    lifetime: Duration,
    used: HashMap<[u8; STAMP], Window>,
    order: VecDeque<[u8; STAMP]>,
    /// A nonce made at or before this time whose count is not kept may have been used.
    forgotten: Option<u64>,
}

/// The counts of a nonce that have been used: the highest, and a bit for each of the 63 below it, as requests overtake one another.
#[derive(Debug, Clone, Copy)]
struct Window {
    highest: u32,
    seen: u64,
}

impl Window {
    fn admit(&mut self, count: u32) -> Admission {
        if count > self.highest {
            let shift = count - self.highest;
            self.seen = if shift < 64 { self.seen << shift } else { 0 } | 1;
            self.highest = count;
            return Admission::First;
        }
        let below = self.highest - count;
        if below >= 64 || self.seen & (1 << below) != 0 {
            return Admission::Again;
        }
        self.seen |= 1 << below;
        Admission::First
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Admission {
    First,
    Again,
}

impl Server {
    /// For a realm (printable, without quotes), asking for these algorithms, the best first; a nonce lives for `lifetime`.
    #[must_use]
    pub fn new(seed: [u8; 32], realm: &str, algorithms: &[Algorithm], lifetime: Duration) -> Self {
        Self {
            secret: Zeroizing::new(seed),
            realm: realm.replace(['"', '\\'], ""),
            algorithms: algorithms.to_vec(),
            lifetime,
            used: HashMap::new(),
            order: VecDeque::new(),
            forgotten: None,
        }
    }

    /// The values of the challenge headers, one a line, the best algorithm first (RFC 8760 §2.2).
    #[must_use]
    pub fn challenge(
        &self,
        now: Instant,
        staleness: Staleness,
        tokens: &mut Tokens,
    ) -> Vec<String> {
        let nonce = self.nonce(now, tokens);
        let stale = match staleness {
            Staleness::Fresh => "",
            Staleness::Stale => ", stale=true",
        };
        let ask = |algorithm: &Algorithm| {
            format!(
                "Digest realm=\"{}\", nonce=\"{nonce}\", algorithm={}, qop=\"auth,auth-int\"{stale}",
                self.realm,
                algorithm.token()
            )
        };
        self.algorithms.iter().map(ask).collect()
    }

    /// How many nonces are kept.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.used.len()
    }

    /// Check a request; `password` tells that of a user.
    pub fn verify(
        &mut self,
        now: Instant,
        asker: Asker,
        request: &Request,
        password: impl FnOnce(&str) -> Option<Password>,
    ) -> Verdict {
        let headers = request.headers();
        let shown = match asker {
            Asker::Server => headers.authorization(),
            Asker::Proxy => headers.proxy_authorization(),
        };
        let Ok(shown) = shown else {
            return Verdict::Malformed;
        };
        let ours = shown.iter().find(|shown| {
            shown.scheme().eq_ignore_ascii_case("Digest")
                && shown
                    .param("realm")
                    .is_some_and(|realm| realm == self.realm)
        });
        let Some(shown) = ours else {
            return Verdict::Missing;
        };
        let Some(claim) = Claim::of(shown, request) else {
            return Verdict::Malformed;
        };
        if !self.algorithms.contains(&claim.algorithm) {
            return Verdict::Missing;
        }
        let known = password(&claim.username);
        let expected = claim.covered(&self.realm, known.as_ref(), request);
        // An unknown user costs the same time as a wrong password.
        let right = expected.as_bytes().ct_eq(claim.response.as_bytes());
        if !bool::from(right) || known.is_none() {
            return Verdict::Wrong;
        }
        let Some(stamp) = self.open(&claim.nonce) else {
            return Verdict::Stale;
        };
        match self.admit(now, stamp, claim.count()) {
            Admission::First => Verdict::Accepted {
                username: claim.username,
            },
            Admission::Again => Verdict::Stale,
        }
    }

    fn nonce(&self, now: Instant, tokens: &mut Tokens) -> String {
        let mut bytes = [0; STAMP + MAC];
        bytes[..8].copy_from_slice(&now.as_millis().to_be_bytes());
        bytes[8..STAMP].copy_from_slice(&tokens.number().to_be_bytes());
        let mac = self.mac(&bytes[..STAMP]);
        bytes[STAMP..].copy_from_slice(&mac);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn mac(&self, stamp: &[u8]) -> [u8; MAC] {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.as_slice())
            .expect("HMAC takes a key of any length");
        mac.update(stamp);
        mac.update(self.realm.as_bytes());
        let mut kept = [0; MAC];
        kept.copy_from_slice(&mac.finalize().into_bytes()[..MAC]);
        kept
    }

    /// The stamp of a nonce that is ours.
    fn open(&self, nonce: &str) -> Option<[u8; STAMP]> {
        let mut bytes = [0; STAMP + MAC];
        let length = URL_SAFE_NO_PAD.decode_slice(nonce, &mut bytes).ok()?;
        if length != bytes.len() {
            return None;
        }
        let (stamp, mac) = bytes.split_at(STAMP);
        let ours = bool::from(self.mac(stamp).ct_eq(mac));
        ours.then(|| stamp.try_into().expect("split there"))
    }

    fn admit(&mut self, now: Instant, stamp: [u8; STAMP], count: u32) -> Admission {
        self.expire(now);
        if age(now, &stamp).is_none_or(|age| age > self.lifetime) {
            return Admission::Again;
        }
        if let Some(window) = self.used.get_mut(&stamp) {
            return window.admit(count);
        }
        if self
            .forgotten
            .is_some_and(|forgotten| made(&stamp) <= forgotten)
        {
            return Admission::Again;
        }
        if self.order.len() >= MAX_NONCES
            && let Some(oldest) = self.order.pop_front()
        {
            self.used.remove(&oldest);
            self.forgotten = self.forgotten.max(Some(made(&oldest)));
        }
        let mut window = Window {
            highest: 0,
            seen: 1,
        };
        let admission = window.admit(count);
        self.used.insert(stamp, window);
        self.order.push_back(stamp);
        admission
    }

    /// Old nonces need no count: they are old.
    fn expire(&mut self, now: Instant) {
        while let Some(oldest) = self.order.front() {
            if age(now, oldest).is_some_and(|age| age <= self.lifetime) {
                break;
            }
            self.used.remove(oldest);
            self.order.pop_front();
        }
    }
}

/// When the nonce of this stamp was made, in milliseconds.
fn made(stamp: &[u8; STAMP]) -> u64 {
    let (time, _) = stamp.split_at(8);
    u64::from_be_bytes(time.try_into().expect("split there"))
}

fn age(now: Instant, stamp: &[u8; STAMP]) -> Option<Duration> {
    now.as_millis()
        .checked_sub(made(stamp))
        .map(Duration::from_millis)
}

/// What a request claims.
struct Claim {
    username: String,
    nonce: String,
    uri: String,
    response: String,
    algorithm: Algorithm,
    counted: Option<(Qop, String)>,
    cnonce: String,
}

impl Claim {
    fn of(shown: &Challenge, request: &Request) -> Option<Self> {
        let text = |name| shown.param(name).map(std::borrow::Cow::into_owned);
        let algorithm = match text("algorithm") {
            Some(token) => Algorithm::parse(&token)?,
            None => Algorithm::Md5,
        };
        let counted = match text("qop") {
            None => None,
            Some(qop) => {
                let count = text("nc")?;
                let good = count.len() == 8 && count.bytes().all(|byte| byte.is_ascii_hexdigit());
                Some((Qop::parse(&qop)?, count)).filter(|_| good)
            }
        };
        let uri = text("uri")?;
        // RFC 7616 §3.4.6: credentials for another resource are none.
        if uri.as_bytes() != request.uri() {
            let meant = uri.parse().ok()?;
            request
                .request_uri()
                .ok()
                .filter(|asked| asked.matches(&meant))?;
        }
        let claim = Self {
            username: text("username")?,
            nonce: text("nonce")?,
            uri,
            response: text("response")?.to_ascii_lowercase(),
            algorithm,
            cnonce: text("cnonce").unwrap_or_default(),
            counted,
        };
        let complete =
            text("qop").is_none() || (claim.counted.is_some() && !claim.cnonce.is_empty());
        complete.then_some(claim)
    }

    /// Without `qop` nothing is counted: the nonce serves once.
    fn count(&self) -> u32 {
        self.counted
            .as_ref()
            .and_then(|(_, count)| u32::from_str_radix(count, 16).ok())
            .unwrap_or(1)
    }

    fn covered(&self, realm: &str, password: Option<&Password>, request: &Request) -> String {
        let method = request.method();
        Covered {
            algorithm: self.algorithm,
            username: &self.username,
            realm,
            password: password.map_or(b"", |password| password.as_bytes()),
            nonce: &self.nonce,
            cnonce: &self.cnonce,
            counted: self
                .counted
                .as_ref()
                .map(|(qop, count)| (*qop, count.as_str())),
            method: method.as_str(),
            uri: &self.uri,
            body: request.body(),
        }
        .response()
    }
}
