//! What is peculiar to a Teams trunk: its tenant, Microsoft's proxies, OPTIONS.
//!
//! The defaults are Microsoft's for the worldwide cloud (SIG-01, OPT-01, MED-02); other clouds name their one proxy (SIG-02). One
//! trunk belongs to one tenant, whose FQDN is the name that Microsoft knows it by.

use std::time::Duration;

use super::trunk::{Codec, MediaPolicy, Profile, Silence, Sources, Suite};
use super::{Known, TenantId, TrustId};
use crate::finding::Problem;
use crate::read::Section;
use crate::values::Endpoint;

/// Microsoft Teams Direct Routing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Teams {
    /// Whose it is.
    pub tenant: TenantId,
    /// SIG-01: the proxies in order of preference.
    pub proxies: Vec<Endpoint>,
    /// The roots that Microsoft's certificates must end in (SIG-08).
    pub trust: TrustId,
    /// OPT-01: how often OPTIONS goes to each proxy.
    pub options: Duration,
    /// ICE-01: media comes from the clients themselves, found by ICE.
    pub media_bypass: bool,
}

/// SIG-01: worldwide.
const PROXIES: [&str; 3] = [
    "sip.pstnhub.microsoft.com:5061",
    "sip2.pstnhub.microsoft.com:5061",
    "sip3.pstnhub.microsoft.com:5061",
];

impl Teams {
    pub(super) fn read(section: &mut Section<'_, '_>, known: &Known) -> Self {
        let tenant = TenantId(known.tenants.must(section, "tenant"));
        let trust = TrustId(known.trusts.must(section, "trust"));
        let mut proxies: Vec<Endpoint> = section
            .list("proxies")
            .into_iter()
            .map(|at| at.value)
            .collect();
        if proxies.is_empty() {
            proxies = PROXIES
                .iter()
                .filter_map(|proxy| Endpoint::parse(proxy))
                .collect();
        }
        let options = section.maybe::<Duration>("options");
        if let Some(at) = &options {
            let seconds = at.value.as_secs();
            if !(1..=180).contains(&seconds) {
                let expected =
                    "a time from \"60s\" to \"180s\" (shorter only against a simulated Teams)";
                let problem = Problem::BadValue {
                    value: format!("{seconds}s"),
                    expected,
                };
                section.fault(Some(&at.span), "options", problem);
            }
        }
        Self {
            tenant,
            proxies,
            trust,
            options: options.map_or(Duration::from_secs(60), |at| at.value),
            media_bypass: section.or("media_bypass", false),
        }
    }

    /// MED-02, MED-07: what Teams wants unless the trunk says otherwise.
    pub(super) fn media() -> MediaPolicy {
        MediaPolicy {
            profile: Profile::Savp,
            suites: vec![Suite::AesCm128HmacSha1_80],
            codecs: vec![Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::G729],
            rtcp_mux: true,
            sources: Sources::Latch,
            silence: Silence::default(),
        }
    }
}
