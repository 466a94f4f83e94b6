//! ICE in session descriptions (RFC 8839): we are lite, with one host candidate for each component (ICE-01).
//!
//! Our name and password stand in what we said last, and stay for the life of the leg (ICE-03), until the party restarts with new
//! ones of its own (ICE-05). Of the party nothing is needed but its name: where it is, its checks tell.
//!
//! Not here: checks (the media plane).

use media_api::Ice as Terms;
use sip::sdp::{Candidate, Ice, Media, SessionDescription};
use sip::token::RngCore;

use super::negotiate::LocalMedia;

/// RFC 8445 §5.1.2.1: of a host's only address, type preference 126, local preference 65,535; less the component.
const PRIORITY: u32 = (126 << 24) + (65_535 << 8) + 256;

/// RFC 8839 §5.4 wants 24 and 128 bits at least; a character has six.
const NAME: usize = 8;
const PASSWORD: usize = 24;

/// RFC 8839 §5.4: the characters of names and passwords.
const CHARACTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Name and password of a party, where it speaks ICE: of the section, or else of the session.
pub(crate) fn credentials<'s>(
    session: &'s SessionDescription,
    media: &'s Media,
) -> Option<(&'s str, &'s str)> {
    [&media.ice, &session.ice]
        .into_iter()
        .find_map(|ice| Some((ice.ufrag.as_deref()?, ice.password.as_deref()?)))
}

/// What we say: as before, or new.
pub(crate) fn ours(
    before: Option<&Ice>,
    local: LocalMedia,
    components: Components,
    chance: &mut impl RngCore,
) -> Ice {
    let before = before.filter(|before| before.ufrag.is_some() && before.password.is_some());
    let (ufrag, password) = match before {
        Some(before) => (before.ufrag.clone(), before.password.clone()),
        None => (Some(word(NAME, chance)), Some(word(PASSWORD, chance))),
    };
    let numbers = match components {
        Components::RtpAlone => 1..=1,
        Components::RtpAndRtcp => 1..=2,
    };
    let candidates = numbers.map(|component| Candidate {
        foundation: "1".to_owned(),
        component,
        transport: "UDP".to_owned(),
        priority: PRIORITY - u32::from(component),
        address: local.address.to_string(),
        port: local.port + component - 1,
        kind: "host".to_owned(),
        rest: String::new(),
    });
    Ice {
        ufrag,
        password,
        lite: false,
        candidates: candidates.collect(),
    }
}

/// What has ports of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Components {
    /// RTCP goes over the port of RTP.
    RtpAlone,
    /// RTCP has its own.
    RtpAndRtcp,
}

impl Components {
    pub(crate) const fn of(media: &Media) -> Self {
        if media.rtcp_mux {
            Self::RtpAlone
        } else {
            Self::RtpAndRtcp
        }
    }
}

/// Whether the party has begun anew since it said `before` (RFC 8445 §9).
pub(crate) fn has_restarted(before: Option<(&str, &str)>, now: Option<(&str, &str)>) -> bool {
    let (Some(before), Some(now)) = (before, now) else {
        return false;
    };
    before.0 != now.0 && before.1 != now.1
}

/// What the pipeline needs to know, where both sides speak ICE.
pub(crate) fn agreed(our: &Media, theirs: &SessionDescription, their: &Media) -> Option<Terms> {
    let (party, _) = credentials(theirs, their)?;
    Some(Terms {
        name: our.ice.ufrag.clone()?,
        password: our.ice.password.clone()?,
        party: Some(party.to_owned()),
    })
}

fn word(length: usize, chance: &mut impl RngCore) -> String {
    let mut bytes = vec![0; length];
    chance.fill_bytes(&mut bytes);
    let character = |byte: u8| char::from(CHARACTERS[usize::from(byte % 64)]);
    bytes.into_iter().map(character).collect()
}
