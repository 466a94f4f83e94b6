//! What a leg allows: the trunk's configuration, and what its kind of peer is known to want.
//!
//! Not here: negotiation itself (`negotiate`).

use config::document::trunk::{self, MediaPolicy, Profile, Trunk, TrunkKind};
use media_api::Fingerprint;
use sip::sdp::{Crypto, Direction, Lifetime, Media, Protocol, Suite};

use super::description::Format;

/// What a leg allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegPolicy {
    pub(crate) media: MediaPolicy,
    /// How a hold is written.
    hold: Hold,
    /// MED-02: written behind our keys.
    pub(crate) lifetime: Option<Lifetime>,
    /// MED-03: whether packets may carry an MKI or leave it out whatever the SDP says.
    pub(crate) stray_mki: StrayMki,
    /// ICE-01: whether it speaks ICE.
    pub(crate) ice: IceRole,
    /// What the media plane is known by in handshakes, as far as it has told.
    pub(crate) certificate: Option<Fingerprint>,
}

/// What part a leg takes in ICE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IceRole {
    /// None; what the party says of it is passed over.
    None,
    /// It answers checks.
    Lite,
}

/// How a hold is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hold {
    /// `inactive`, whichever kind of hold it is (INV-25).
    Inactive,
    /// As it is.
    AsItIs,
}

/// Whether packets may carry an MKI that was not negotiated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StrayMki {
    /// They may, of one byte; and they may leave out the one that was.
    Tolerated,
    /// They may not.
    Refused,
}

impl LegPolicy {
    /// What a trunk's legs allow; `certificate` is what the media plane is known by in handshakes.
    #[must_use]
    pub fn of(trunk: &Trunk, certificate: Option<Fingerprint>) -> Self {
        let media = trunk.media.clone();
        let is_dtls = media.profile == Profile::Dtls;
        let policy = match &trunk.kind {
            TrunkKind::Teams(teams) if teams.media_bypass => Self::teams(media).with_ice(),
            TrunkKind::Teams(_) => Self::teams(media),
            // RFC 8835 §3.4: who keys media by a handshake finds its way by ICE.
            TrunkKind::Carrier(_) if is_dtls => Self::carrier(media).with_ice(),
            TrunkKind::Carrier(_) => Self::carrier(media),
        };
        Self {
            certificate,
            ..policy
        }
    }

    /// A leg to Teams.
    #[must_use]
    pub const fn teams(media: MediaPolicy) -> Self {
        Self {
            media,
            hold: Hold::Inactive,
            lifetime: Some(Lifetime::TEAMS),
            stray_mki: StrayMki::Tolerated,
            ice: IceRole::None,
            certificate: None,
        }
    }

    /// The same with ICE: Teams calls it media bypass.
    #[must_use]
    pub const fn with_ice(mut self) -> Self {
        self.ice = IceRole::Lite;
        self
    }

    /// A leg to a SIP trunk, PBX or contact centre.
    #[must_use]
    pub const fn carrier(media: MediaPolicy) -> Self {
        Self {
            media,
            hold: Hold::AsItIs,
            lifetime: None,
            stray_mki: StrayMki::Refused,
            ice: IceRole::None,
            certificate: None,
        }
    }

    pub(crate) fn allows(&self, codec: Format) -> bool {
        self.media
            .codecs
            .iter()
            .any(|allowed| Format::from(*allowed) == codec)
    }

    /// Whether the profile of a media section is the one of this trunk.
    pub(crate) fn fits(&self, media: &Media) -> bool {
        match self.media.profile {
            Profile::Avp => matches!(media.protocol, Protocol::RtpAvp | Protocol::RtpAvpf),
            Profile::Savp => media.protocol.is_secure(),
            Profile::Dtls => media.protocol.is_dtls(),
        }
    }

    /// The profile of our offers.
    pub(crate) const fn protocol(&self) -> Protocol {
        match self.media.profile {
            Profile::Avp => Protocol::RtpAvp,
            Profile::Savp => Protocol::RtpSavp,
            // RFC 8834 §4.2: browsers take no other.
            Profile::Dtls => Protocol::UdpTlsRtpSavpf,
        }
    }

    /// The direction that is written where `wanted` is meant.
    pub(crate) const fn direction(&self, wanted: Direction) -> Direction {
        match (self.hold, wanted) {
            (Hold::Inactive, Direction::SendOnly | Direction::RecvOnly) => Direction::Inactive,
            (Hold::Inactive | Hold::AsItIs, wanted) => wanted,
        }
    }

    /// The suites of this trunk, the preferred first.
    pub(crate) fn suites(&self) -> impl Iterator<Item = Suite> {
        self.media.suites.iter().map(|suite| match suite {
            trunk::Suite::AesCm128HmacSha1_80 => Suite::AesCm128HmacSha1_80,
            trunk::Suite::AesCm128HmacSha1_32 => Suite::AesCm128HmacSha1_32,
            trunk::Suite::AeadAes128Gcm => Suite::AeadAes128Gcm,
            trunk::Suite::AeadAes256Gcm => Suite::AeadAes256Gcm,
        })
    }

    /// The line of an offer that is taken: of the first suite of the trunk that is there, without an MKI if there is a choice
    /// (MED-03).
    pub(crate) fn choose<'c>(&self, offered: &'c [Crypto]) -> Option<&'c Crypto> {
        self.suites().find_map(|suite| {
            let fitting = || {
                offered
                    .iter()
                    .filter(|crypto| crypto.suite == suite && crypto.is_usable())
            };
            fitting()
                .find(|crypto| !has_mki(crypto))
                .or_else(|| fitting().next())
        })
    }
}

/// Whether packets under this line carry an identifier of their key.
pub(crate) fn has_mki(crypto: &Crypto) -> bool {
    crypto.keys.iter().any(|key| key.mki.is_some())
}
