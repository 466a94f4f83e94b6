//! `[[trunk]]`: what all peers have in common; what is peculiar to a kind is in `teams` and `carrier`.
//!
//! Where requests may come from is always written out (SIG-03): there is no trunk for everybody. Header rules reach INVITEs that
//! go out, and never a header that the stack lives by.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::carrier::Carrier;
use super::numbers::NumberRules;
use super::teams::Teams;
use super::tenant::Limits;
use super::{Known, ListenerId, TenantId};
use crate::finding::Problem;
use crate::read::{Section, field_of_text, field_of_words};
use crate::values::Network;

/// A peer.
#[derive(Debug, Clone)]
pub struct Trunk {
    /// Its name.
    pub name: String,
    /// What kind of peer it is.
    pub kind: TrunkKind,
    /// The listener that its requests come in on and go out from.
    pub listener: ListenerId,
    /// Where its requests come from (SIG-03).
    pub sources: Vec<Network>,
    /// Its limits.
    pub limits: Limits,
    /// What its media may be.
    pub media: MediaPolicy,
    /// Its number rules.
    pub numbers: NumberRules,
    /// What is changed in the headers of requests to it.
    pub headers: Vec<HeaderRule>,
    /// Session timers on its legs (RFC 4028).
    pub session: Session,
    /// INV-11: a caller on this trunk hears of ringing at the latest after this time.
    pub ring_within: Option<Duration>,
    /// How long a target may ring before the next is tried.
    pub no_answer: Duration,
    /// INV-17: a 183 with SDP of this trunk is passed on as such only when its media has arrived.
    pub early_media: EarlyMedia,
}

/// What kind of peer a trunk is.
#[derive(Debug, Clone)]
pub enum TrunkKind {
    /// Microsoft Teams Direct Routing.
    Teams(Teams),
    /// A SIP trunk, PBX or contact centre.
    Carrier(Carrier),
}

/// When early media is passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EarlyMedia {
    /// When the callee's side signals it.
    WhenSignalled,
    /// When its packets arrive.
    WhenHeard,
}

field_of_words!(EarlyMedia, "\"signalled\" or \"heard\"",
    "signalled" => EarlyMedia::WhenSignalled, "heard" => EarlyMedia::WhenHeard);

/// RTP profile of a trunk's media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// RTP/AVP: in the clear.
    Avp,
    /// RTP/SAVP with SDES.
    Savp,
    /// UDP/TLS/RTP/SAVPF: keyed by a handshake over the media's port, found by ICE, as browsers have it.
    Dtls,
}

field_of_words!(Profile, "\"avp\", \"savp\" or \"dtls\"",
    "avp" => Profile::Avp, "savp" => Profile::Savp, "dtls" => Profile::Dtls);

/// An SRTP suite, by its SDES name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suite {
    /// RFC 4568.
    AesCm128HmacSha1_80,
    /// RFC 4568.
    AesCm128HmacSha1_32,
    /// RFC 7714.
    AeadAes128Gcm,
    /// RFC 7714.
    AeadAes256Gcm,
}

field_of_words!(Suite, "an SRTP suite like \"AES_CM_128_HMAC_SHA1_80\"",
    "AES_CM_128_HMAC_SHA1_80" => Suite::AesCm128HmacSha1_80,
    "AES_CM_128_HMAC_SHA1_32" => Suite::AesCm128HmacSha1_32,
    "AEAD_AES_128_GCM" => Suite::AeadAes128Gcm,
    "AEAD_AES_256_GCM" => Suite::AeadAes256Gcm);

/// An audio codec that passes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.722.
    G722,
    /// G.729.
    G729,
}

field_of_words!(Codec, "\"PCMU\", \"PCMA\", \"G722\" or \"G729\"",
    "PCMU" => Codec::Pcmu, "PCMA" => Codec::Pcma, "G722" => Codec::G722, "G729" => Codec::G729);

/// Whose packets are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sources {
    /// Those from the signalled address alone.
    Signalled,
    /// Those of the first source that proves itself: the peer may be behind NAT.
    Latch,
}

field_of_words!(Sources, "\"signalled\" or \"latch\"", "signalled" => Sources::Signalled, "latch" => Sources::Latch);

/// What follows when a party that should speak is not heard any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnSilence {
    /// It is told (MED-09): silence is suppressed by some, and kills no call.
    Tell,
    /// The call is ended: the party has gone without a word.
    HangUp,
}

field_of_words!(OnSilence, "\"tell\" or \"hang_up\"", "tell" => OnSilence::Tell, "hang_up" => OnSilence::HangUp);

/// How long a party may be silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silence {
    /// So long; a party on hold may be silent for ever.
    pub after: Duration,
    /// What follows.
    pub then: OnSilence,
}

impl Default for Silence {
    fn default() -> Self {
        Self {
            after: Duration::from_secs(30),
            then: OnSilence::Tell,
        }
    }
}

impl Silence {
    /// Shorter is a breath, longer is no watch.
    const RANGE: RangeInclusive<u64> = 2..=24 * 60 * 60;

    fn read(section: &mut Section<'_, '_>, default: Self) -> Self {
        let after = section.maybe::<Duration>("silence_after");
        if let Some(at) = &after
            && !Self::RANGE.contains(&at.value.as_secs())
        {
            let problem = Problem::BadValue {
                value: format!("{}s", at.value.as_secs()),
                expected: "a time from \"2s\" to \"24h\"",
            };
            section.fault(Some(&at.span), "silence_after", problem);
        }
        Self {
            after: after.map_or(default.after, |at| at.value),
            then: section.or("on_silence", default.then),
        }
    }
}

/// What a trunk's media may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaPolicy {
    /// Clear or secured.
    pub profile: Profile,
    /// Suites in order of preference.
    pub suites: Vec<Suite>,
    /// Codecs in order of preference.
    pub codecs: Vec<Codec>,
    /// Whether RTCP on the RTP port is offered (MED-06).
    pub rtcp_mux: bool,
    /// Whose packets are taken.
    pub sources: Sources,
    /// How long its party may be silent.
    pub silence: Silence,
}

impl MediaPolicy {
    fn read(section: &mut Section<'_, '_>, default: &Self) -> Self {
        let list = |suites: Vec<Suite>| {
            if suites.is_empty() {
                default.suites.clone()
            } else {
                suites
            }
        };
        let suites = list(
            section
                .list("suites")
                .into_iter()
                .map(|at| at.value)
                .collect(),
        );
        let codecs: Vec<Codec> = section
            .list("codecs")
            .into_iter()
            .map(|at| at.value)
            .collect();
        let profile = section.or("profile", default.profile);
        // RFC 8834 §4.5
        let is_muxed = default.rtcp_mux || profile == Profile::Dtls;
        Self {
            profile,
            suites,
            codecs: if codecs.is_empty() {
                default.codecs.clone()
            } else {
                codecs
            },
            rtcp_mux: section.or("rtcp_mux", is_muxed),
            sources: section.or("sources", default.sources),
            silence: Silence::read(section, default.silence),
        }
    }
}

/// Session timers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// The interval in seconds that we ask for; 0: none.
    pub expires: u32,
    /// The shortest that we accept.
    pub min_se: u32,
}

/// The name of a header that a rule may touch: an extension header, or one that carries no protocol state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderName(pub String);

/// Headers, and their compact forms, whose change would break transactions, dialogs, authentication or bodies.
#[rustfmt::skip]
const PROTECTED: [&str; 52] = [
    "via", "v", "from", "f", "to", "t", "call-id", "i", "cseq", "contact", "m", "route",
    "record-route", "path", "service-route", "max-forwards", "content-length", "l",
    "content-type", "c", "content-encoding", "e", "content-disposition", "mime-version",
    "require", "proxy-require", "supported", "k", "allow", "allow-events", "u", "unsupported",
    "rseq", "rack", "replaces", "join", "session-expires", "x", "min-se", "refer-to", "r",
    "referred-by", "b", "refer-sub", "event", "o", "subscription-state", "authorization",
    "proxy-authorization", "www-authenticate", "proxy-authenticate", "authentication-info",
];

field_of_text!(
    HeaderName,
    "the name of a header that neither the dialog nor the transaction lives by",
    |text| {
        let token = !text.is_empty()
            && text.len() <= 64
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte));
        let protected = PROTECTED.iter().any(|name| text.eq_ignore_ascii_case(name));
        (token && !protected).then(|| HeaderName(text.to_owned()))
    }
);

/// A value that stays on its line.
#[derive(Debug, Clone, PartialEq, Eq)]
struct HeaderValue(String);

field_of_text!(HeaderValue, "a header value of one line", |text| {
    (!text.bytes().any(|byte| byte.is_ascii_control())).then(|| HeaderValue(text.to_owned()))
});

/// A change of the headers of requests that go out on a trunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderRule {
    /// Add a header.
    Set {
        /// Its name.
        name: String,
        /// Its value, in place of any that would stand there.
        value: String,
    },
    /// Leave out a header that would stand there.
    Remove {
        /// Its name.
        name: String,
    },
    /// Carry a header of the caller's INVITE over, as it came.
    Pass {
        /// Its name.
        name: String,
    },
}

#[derive(Debug, Clone, Copy)]
enum HeaderAction {
    Set,
    Remove,
    Pass,
}

field_of_words!(HeaderAction, "\"set\", \"remove\" or \"pass\"",
    "set" => HeaderAction::Set, "remove" => HeaderAction::Remove, "pass" => HeaderAction::Pass);

#[derive(Debug, Clone, Copy)]
enum Kind {
    Teams,
    Carrier,
}

field_of_words!(Kind, "\"teams\" or \"carrier\"", "teams" => Kind::Teams, "carrier" => Kind::Carrier);

impl Trunk {
    /// The tenant that a Teams trunk belongs to, or that a carrier trunk is reserved for.
    #[must_use]
    pub const fn tenant(&self) -> Option<TenantId> {
        match &self.kind {
            TrunkKind::Teams(teams) => Some(teams.tenant),
            TrunkKind::Carrier(carrier) => carrier.tenant,
        }
    }

    /// Whether it is Microsoft.
    #[must_use]
    pub const fn is_teams(&self) -> bool {
        matches!(self.kind, TrunkKind::Teams(_))
    }

    pub(super) fn read(section: &mut Section<'_, '_>, name: String, known: &Known) -> Self {
        let listener = ListenerId(known.listeners.must(section, "listener"));
        let sources = section.list::<Network>("sources");
        for at in &sources {
            if at.value.is_everything() {
                let problem = Problem::Conflict {
                    what: "a trunk that takes requests from everywhere takes toll fraud, too",
                    cure: "Name the networks that the peer sends from.",
                };
                section.fault(Some(&at.span), "sources", problem);
            }
        }
        let kind = section.must("kind", Kind::Carrier).value;
        let (kind, media) = match kind {
            Kind::Teams => (
                TrunkKind::Teams(Teams::read(section, known)),
                Teams::media(),
            ),
            Kind::Carrier => (
                TrunkKind::Carrier(Carrier::read(section, known)),
                Carrier::media(),
            ),
        };
        let is_teams = matches!(kind, TrunkKind::Teams(_));
        let headers = section.tables("header", |rule| {
            let name = rule
                .must("name", HeaderName("X-Nothing".to_owned()))
                .value
                .0;
            match rule.or("action", HeaderAction::Set) {
                HeaderAction::Set => HeaderRule::Set {
                    name,
                    value: rule.must("value", HeaderValue(String::new())).value.0,
                },
                HeaderAction::Remove => HeaderRule::Remove { name },
                HeaderAction::Pass => HeaderRule::Pass { name },
            }
        });
        Self {
            name,
            listener,
            sources: sources.into_iter().map(|at| at.value).collect(),
            limits: section.within("limits", Limits::read),
            media: section.within("media", |media_section| {
                MediaPolicy::read(media_section, &media)
            }),
            numbers: section.within("numbers", NumberRules::read),
            headers,
            session: section.within("session", |session| Session {
                expires: session.or("expires", if is_teams { 3_600 } else { 1_800 }),
                min_se: session
                    .or("min_se", if is_teams { 300 } else { 90 })
                    .max(90),
            }),
            ring_within: section.maybe("ring_within").map(|at| at.value).or_else(|| {
                // INV-11: Teams fails over 10 s after its INVITE.
                is_teams.then(|| Duration::from_secs(7))
            }),
            no_answer: section.or("no_answer", Duration::from_secs(180)),
            early_media: section.or(
                "early_media",
                if is_teams {
                    EarlyMedia::WhenHeard
                } else {
                    EarlyMedia::WhenSignalled
                },
            ),
            kind,
        }
    }
}
