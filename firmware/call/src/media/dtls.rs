//! Keys by a handshake in session descriptions (RFC 5763, RFC 8842): whose certificate, and who begins.
//!
//! We offer either part. Where it is ours to choose the party begins: by ICE it is the one that knows first when a way is open.
//! An association holds while the party shows the same certificate and neither changes its part.
//!
//! Not here: the handshake (the media plane), the lines' grammar (`sip::sdp::dtls`).

use media_api::{Dtls as Terms, Fingerprint, Handshake};
use sip::sdp::{self, Dtls, Media, SessionDescription, Setup};

/// The certificate that a party will show: of several hashes (RFC 8122 §5) the one that all know.
pub(crate) fn party(theirs: &SessionDescription, their: &Media) -> Option<Fingerprint> {
    let mut fingerprints = theirs.fingerprints_of(their).iter();
    fingerprints.find_map(|one| one.as_sha_256().map(Fingerprint))
}

/// Whether a section can be keyed so: with RTCP on a port of its own there would be two handshakes (RFC 5764 §4.1).
pub(crate) fn is_usable(theirs: &SessionDescription, their: &Media) -> bool {
    their.rtcp_mux
        && party(theirs, their).is_some()
        && theirs.setup_of(their) != Some(Setup::HoldConn)
}

/// What we say in an offer.
pub(crate) fn offered(ours: Fingerprint) -> Dtls {
    lines(ours, Setup::ActPass)
}

/// What we say in an answer to somebody who says `setup`; `standing` is our part so far.
pub(crate) fn answered(
    ours: Fingerprint,
    setup: Option<Setup>,
    standing: Option<Handshake>,
) -> Dtls {
    let setup = match (setup, standing) {
        (Some(Setup::Passive), _) | (Some(Setup::ActPass), Some(Handshake::Active)) => {
            Setup::Active
        }
        // RFC 4145 §4: who says nothing is active.
        _ => Setup::Passive,
    };
    lines(ours, setup)
}

fn lines(Fingerprint(ours): Fingerprint, setup: Setup) -> Dtls {
    Dtls {
        fingerprints: vec![sdp::Fingerprint::sha_256(ours)],
        setup: Some(setup),
    }
}

/// What the pipeline needs to know.
pub(crate) fn agreed(our: &Media, theirs: &SessionDescription, their: &Media) -> Option<Terms> {
    let handshake = match (our.dtls.setup?, theirs.setup_of(their)) {
        (Setup::Active, _) | (Setup::ActPass, Some(Setup::Passive)) => Handshake::Active,
        _ => Handshake::Passive,
    };
    Some(Terms {
        handshake,
        party: party(theirs, their)?,
    })
}
