//! What is peculiar to a carrier trunk: static peers or a registration, credentials, how it wants callers named.
//!
//! A PBX or a contact centre is a carrier, too. Names of peers are resolved when a call needs them (RFC 3263), not here; the
//! password never leaves its [`Secret`] but for a digest.

use std::time::Duration;

use super::trunk::{Codec, MediaPolicy, Profile, Silence, Sources, Suite};
use super::{IdentityId, Known, TenantId, TrustId};
use crate::finding::Problem;
use crate::read::{Section, field_of_words};
use crate::secret::Secret;
use crate::values::{Endpoint, Transport};

/// A SIP trunk, PBX or contact centre.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carrier {
    /// The tenant that it is reserved for.
    pub tenant: Option<TenantId>,
    /// Where calls are sent, in order; the registrar of a registering trunk if none are named.
    pub peers: Vec<Endpoint>,
    /// Which of them is tried first.
    pub order: PeerOrder,
    /// The transport towards them.
    pub transport: Transport,
    /// The domain of From and To; the peer's host and our address if left out.
    pub domain: Option<String>,
    /// TLS: the certificate that we show.
    pub identity: Option<IdentityId>,
    /// TLS: the roots that theirs must end in.
    pub trust: Option<TrustId>,
    /// User and password for challenges.
    pub credentials: Option<Credentials>,
    /// Whether and where it is registered to.
    pub registration: Option<Registration>,
    /// How often OPTIONS is sent to each peer; none: never.
    pub options: Option<Duration>,
    /// How the caller is named.
    pub caller_id: CallerId,
}

/// Which of several peers is tried first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerOrder {
    /// The first that is listed; the others when it fails.
    Listed,
    /// Any: calls are spread over all of them.
    Random,
}

field_of_words!(PeerOrder, "\"listed\" or \"random\"",
    "listed" => PeerOrder::Listed, "random" => PeerOrder::Random);

/// For digest challenges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user name.
    pub user: String,
    /// The password.
    pub password: Secret,
}

/// A registration to the trunk's registrar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Where to.
    pub registrar: Endpoint,
    /// The user part of the address of record.
    pub user: String,
    /// For how many seconds.
    pub expires: u32,
}

/// How the caller is named towards a carrier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallerId {
    /// In From alone.
    From,
    /// In From and P-Asserted-Identity (RFC 3325); with privacy, From is anonymous and P-Asserted-Identity is not.
    Asserted,
}

field_of_words!(CallerId, "\"from\" or \"asserted\"", "from" => CallerId::From, "asserted" => CallerId::Asserted);

impl Carrier {
    pub(super) fn read(section: &mut Section<'_, '_>, known: &Known) -> Self {
        let tenant = known.tenants.maybe(section, "tenant").map(TenantId);
        let peers: Vec<Endpoint> = section
            .list("peers")
            .into_iter()
            .map(|at| at.value)
            .collect();
        let transport = section.or("transport", Transport::Udp);
        let domain = section.maybe::<Endpoint>("domain").map(|at| at.value.host);
        let identity = known.identities.maybe(section, "identity").map(IdentityId);
        let trust = known.trusts.maybe(section, "trust").map(TrustId);
        if transport == Transport::Tls && trust.is_none() && !section.has("trust") {
            let problem = Problem::Missing {
                key: "trust",
                expected: "the name of a trust bundle, for TLS",
            };
            section.fault(None, "trust", problem);
        }
        let credentials = section.has("credentials").then(|| {
            section.within("credentials", |credentials| Credentials {
                user: credentials.must("user", String::new()).value,
                password: credentials.must("password", Secret::new("")).value,
            })
        });
        if !section.has("credentials") {
            section.within("credentials", |_| ());
        }
        let registration = section.has("registration").then(|| {
            section.within("registration", |registration| Registration {
                registrar: registration
                    .must(
                        "registrar",
                        Endpoint {
                            host: "invalid".to_owned(),
                            port: None,
                        },
                    )
                    .value,
                user: registration.must("user", String::new()).value,
                expires: registration.or("expires", 600).clamp(60, 86_400),
            })
        });
        if !section.has("registration") {
            section.within("registration", |_| ());
        }
        if peers.is_empty()
            && registration.is_none()
            && !section.has("peers")
            && !section.has("registration")
        {
            let problem = Problem::Missing {
                key: "peers",
                expected: "a list of hosts, or a registration",
            };
            section.fault(None, "peers", problem);
        }
        let peers = match (&registration, peers.is_empty()) {
            (Some(registration), true) => vec![registration.registrar.clone()],
            _ => peers,
        };
        Self {
            tenant,
            peers,
            order: section.or("order", PeerOrder::Listed),
            transport,
            domain,
            identity,
            trust,
            credentials,
            registration,
            options: section.maybe("options").map(|at| at.value),
            caller_id: section.or("caller_id", CallerId::From),
        }
    }

    /// What a carrier gets unless the trunk says otherwise.
    pub(super) fn media() -> MediaPolicy {
        MediaPolicy {
            profile: Profile::Avp,
            suites: vec![Suite::AesCm128HmacSha1_80, Suite::AesCm128HmacSha1_32],
            codecs: vec![Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::G729],
            rtcp_mux: false,
            sources: Sources::Signalled,
            silence: Silence::default(),
        }
    }
}
