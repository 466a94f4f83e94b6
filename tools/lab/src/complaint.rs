//! What a peer holds against the box: one word for each rule broken, counted, so that a test can ask for none at all.
//!
//! Each word names the checklist id that it stands for. A complaint is recorded whether or not the peer also refuses the
//! message; whether it refuses is the judge's business (`teams/judge.rs`).
//!
//! Not here: finding them.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Complaints kept; what comes later is counted only.
const KEPT: usize = 1000;

/// A rule that was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    /// Not SIP, or not readable by the peer's library.
    Unreadable,
    /// INV-01: no Contact where there must be one.
    ContactMissing,
    /// INV-01: an address instead of the FQDN in Contact.
    ContactIsAddress,
    /// SIG-06: the name in Contact is not in the certificate.
    ContactNotInCertificate,
    /// 1.3: no tenant has the name in Contact (510532).
    TenantUnknown,
    /// 1.3: the tenant has no such number (511404).
    NumberUnknown,
    /// INV-02: a Record-Route other than the FQDN.
    RecordRoute,
    /// INV-03: the number called lacks its `+`.
    CalleeWithoutPlus,
    /// INV-04: the number calling lacks its `+`.
    CallerWithoutPlus,
    /// INV-03: `sips:`.
    SipsScheme,
    /// 1.4: an `@` without a user before it.
    EmptyUser,
    /// INV-01: Contact names another transport than TLS.
    Transport,
    /// INV-05: an INVITE without SDP.
    NoOffer,
    /// MED-02: audio without SRTP (531000).
    NotSecured,
    /// MED-02: no usable `AES_CM_128_HMAC_SHA1_80` line.
    Suite,
    /// MED-02: a lifetime other than 2^31, or an MKI.
    KeyParameters,
    /// INV-25: `sendonly` or `recvonly`.
    HalfHold,
    /// INV-25: `c=0.0.0.0` (531052).
    ZeroAddress,
    /// MED-05: the media address or port moved in mid-call.
    MediaMoved,
    /// MED-10: a second media line, or a refused audio stream.
    ExtraMedia,
    /// An SDP that cannot be read, or no codec in common (531000).
    BadSdp,
    /// 1.7: a refresh changed the version of the SDP without changing it, or the reverse.
    SdpVersion,
    /// INV-06: Replaces towards Teams.
    Replaces,
    /// INV-07: a method that Teams does not take.
    Method,
    /// INV-18: Session-Expires under our Min-SE (540422).
    SessionInterval,
    /// INV-20: the ACK did not come in time (1106).
    AckMissing,
    /// INV-09: a request for the Contact's port 443, or off the route set.
    RouteIgnored,
    /// REF-01: Allow lacks REFER or NOTIFY.
    AllowLacksTransfer,
    /// OPT-02: no X-MS-SBC.
    NoVendorHeader,
    /// OPT-01: OPTIONS more often than once in 60 s.
    OptionsTooOften,
    /// OPT-03: our OPTIONS got no 200 with Contact and Allow.
    OptionsAnswer,
    /// REF-02: a REFER got no 202, or the NOTIFYs do not tell its fate.
    TransferReport,
    /// REF-03: the INVITE that a REFER asked for differs from it.
    ReferredCall,
    /// SIG-07: no or a wrong name in SNI.
    ServerName,
    /// A handshake failed.
    Handshake,
    /// Something of one leg was seen on the other.
    Leak,
    /// A request that fits no dialog, or a response that fits no request.
    OutOfPlace,
    /// SRTP that cannot be unprotected, or RTP in the clear (MED-04).
    Srtp,
    /// Audio that is not the other side's speech.
    Speech,
    /// ICE or STUN from us unasked (ICE-01).
    Ice,
    /// INV-21: a UDP message over 1,300 bytes.
    UdpSize,
}

/// One complaint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// The rule.
    pub rule: Rule,
    /// Where and what.
    pub detail: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.rule, self.detail)
    }
}

/// All complaints of one peer; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Complaints(Arc<Mutex<Vec<Complaint>>>);

impl Complaints {
    /// Records one.
    pub fn add(&self, rule: Rule, detail: impl Into<String>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT {
            kept.push(Complaint {
                rule,
                detail: detail.into(),
            });
        }
    }

    /// All so far.
    #[must_use]
    pub fn all(&self) -> Vec<Complaint> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How many of one rule.
    #[must_use]
    pub fn count(&self, rule: Rule) -> usize {
        self.all().iter().filter(|found| found.rule == rule).count()
    }

    /// Forgets them, after a test that provoked them.
    pub fn clear(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// Fails with all complaints in its message.
    ///
    /// # Panics
    /// Where there are any.
    #[track_caller]
    pub fn assert_none(&self) {
        let all = self.all();
        let lines: Vec<String> = all.iter().map(ToString::to_string).collect();
        assert!(all.is_empty(), "complaints:\n  {}", lines.join("\n  "));
    }
}
