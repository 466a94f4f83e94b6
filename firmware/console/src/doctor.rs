//! What the doctor says: for each part of the box whether it is in order, what was seen and what to do.
//!
//! Not here: the examination itself ([`Physician`], which the process brings).

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Light {
    /// As it is to be.
    Green,
    /// It works, and will or may not for long; or it cannot be known from here.
    Amber,
    /// Calls fail by it.
    Red,
}

/// What was looked at.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// The configuration as a whole.
    Configuration,
    /// Whether control and media are there.
    Planes,
    /// The time of day.
    Clock,
    /// The address that media is bound to and the one that peers are told (MED-05).
    MediaAddress,
    /// Whether there are ports enough for the calls that are allowed.
    MediaPorts,
    /// Whether the tenant's FQDN leads here (SIG-07).
    FqdnResolves,
    /// Whether the certificate holds the FQDN (SIG-06).
    CertificateName,
    /// How long the certificate is valid.
    CertificateValidity,
    /// Whether the chain is whole and publicly rooted (SIG-06).
    CertificateChain,
    /// What the certificate may be used for (SIG-08).
    CertificateUsage,
    /// Whether the key suits Teams (SIG-05).
    CertificateKey,
    /// Whether Microsoft's roots are trusted (SIG-08).
    TrustedRoots,
    /// Whether the peer's name has addresses (SIG-01).
    PeerResolves,
    /// Whether the peer shakes hands with us, and we believe it (SIG-08).
    PeerHandshake,
    /// What came of our last OPTIONS (OPT-01).
    OptionsSent,
    /// Whether the peer asks us by OPTIONS (OPT-03).
    OptionsReceived,
    /// Whether the registrar has us.
    Registration,
    /// Whether any route leads to the trunk and from it.
    Routes,
}

/// What was found of one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    /// What it is about: `box`, `tenant contoso`, `trunk teams-contoso`, with the peer where there are several.
    pub about: String,
    /// What was looked at.
    pub check: Check,
    /// How it is.
    pub light: Light,
    /// What was seen.
    pub seen: String,
    /// What to do, where there is something to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cure: Option<String>,
}

/// What was found of all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Report {
    /// By what they are about, the box first.
    pub findings: Vec<Finding>,
}

impl Report {
    /// The worst of all lights; green where nothing was found.
    #[must_use]
    pub fn worst(&self) -> Light {
        let lights = self.findings.iter().map(|finding| finding.light);
        lights.max().unwrap_or(Light::Green)
    }

    /// So many findings have this light.
    #[must_use]
    pub fn count(&self, light: Light) -> usize {
        let alike = |finding: &&Finding| finding.light == light;
        self.findings.iter().filter(alike).count()
    }
}

impl Light {
    /// As a word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Green => "green",
            Self::Amber => "amber",
            Self::Red => "red",
        }
    }
}

/// For people: a line each, what to do below it.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut about = "";
        for finding in &self.findings {
            if finding.about != about {
                about = &finding.about;
                writeln!(f, "{about}")?;
            }
            writeln!(f, "  {:<5}  {}", finding.light.word(), finding.seen)?;
            if let Some(cure) = &finding.cure {
                writeln!(f, "         {cure}")?;
            }
        }
        writeln!(
            f,
            "{} red, {} amber, {} green",
            self.count(Light::Red),
            self.count(Light::Amber),
            self.count(Light::Green)
        )
    }
}

/// Examines the box; takes seconds, never more than a quarter of a minute.
pub trait Physician: Send + Sync {
    /// Looks at everything.
    fn examine(&self) -> Pin<Box<dyn Future<Output = Report> + Send + '_>>;
}
