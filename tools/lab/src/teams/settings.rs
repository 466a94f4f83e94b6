//! How Teams is to be played: who its customers are, where it stands, what it does wrong on purpose.
//!
//! Not here: playing it (`mod.rs`).

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::{Strictness, Tenant};
use crate::call::{Call, OfferWhen};
use crate::pki::Identity;
use crate::sdp::Suite;
use crate::tls::Versions;

/// How to play Teams.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Who has a trunk to the box.
    pub tenants: Vec<Tenant>,
    /// Teams' certificate, for both roles (SIG-08).
    pub identity: Identity,
    /// Roots under which the box's certificate must hang.
    pub box_roots: String,
    /// Where the box listens, by name.
    pub hosts: HashMap<String, SocketAddr>,
    /// Where sip, sip2 and sip3 listen; port 0 takes a free one.
    pub proxies: [SocketAddr; 3],
    /// Where Teams' own connections come from.
    pub sources: Vec<IpAddr>,
    /// Where its media processors are.
    pub media: IpAddr,
    /// Which TLS it takes.
    pub versions: Versions,
    /// What becomes of broken rules.
    pub strictness: Strictness,
    /// Words that must not come over from the other leg.
    pub secrets: Vec<String>,
    /// How often it asks the box.
    pub options_every: Duration,
    /// How often the box may ask (OPT-01: not more often than once in 60 s).
    pub least_options_interval: Duration,
    /// Suites that it offers, in order; `_32` before `_80` is what Teams may do (MED-03).
    pub suites: Vec<Suite>,
    /// The first RTP sequence number; near 65,535 the roll-over counter moves early (MED-04).
    pub first_sequence: Option<u16>,
}

impl Settings {
    /// The usual Teams on `network` (three octets of a loopback /24 each: proxies .1 to .3, sources .11 to .13, media .21).
    #[must_use]
    pub fn usual(network: [u8; 3], identity: Identity, box_roots: String) -> Self {
        let at = |last: u8| IpAddr::from([network[0], network[1], network[2], last]);
        Self {
            tenants: Vec::new(),
            identity,
            box_roots,
            hosts: HashMap::new(),
            proxies: [1, 2, 3].map(|last| SocketAddr::new(at(last), 0)),
            sources: vec![at(11), at(12), at(13)],
            media: at(21),
            versions: Versions::Both,
            strictness: Strictness::Strict,
            secrets: Vec::new(),
            options_every: Duration::from_secs(60),
            least_options_interval: Duration::from_secs(55),
            suites: vec![Suite::Sha1_32, Suite::Sha1_80],
            first_sequence: Some(65_400),
        }
    }
}

/// What a proxy does to those who come to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Serves.
    None,
    /// 503 with this Retry-After (OPT-04).
    Unavailable(u32),
    /// Takes requests and says nothing (INV-13).
    Silent,
}

/// A call from a Teams user to the telephone network.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The tenant's name.
    pub tenant: String,
    /// The user's number.
    pub caller: String,
    /// The number called.
    pub callee: String,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    /// The offer.
    pub offer: OfferWhen,
}

impl Outgoing {
    /// A plain call.
    #[must_use]
    pub fn new(tenant: &str, caller: &str, callee: &str) -> Self {
        Self {
            tenant: tenant.to_owned(),
            caller: caller.to_owned(),
            callee: callee.to_owned(),
            headers: Vec::new(),
            offer: OfferWhen::Early,
        }
    }

    /// The same in the place of a call that is up (REF-06).
    #[must_use]
    pub fn replacing(mut self, call: &Call) -> Self {
        self.headers
            .push(("Replaces".to_owned(), call.dialog().replaces()));
        self
    }
}
