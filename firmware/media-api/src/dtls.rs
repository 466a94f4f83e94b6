//! Keys from a handshake over the media's own ports: DTLS-SRTP (RFC 5763, RFC 5764).
//!
//! Media has one certificate for its life and tells its fingerprint behind its hello; control writes it into SDP. The party
//! is believed for the fingerprint in its SDP alone, and until it has shown that certificate nothing of it is heard.
//!
//! Not here: the handshake (the media process), keys from SDP (`key.rs`).

use serde::{Deserialize, Serialize};

/// SHA-256 of a certificate in DER (RFC 8122 §5).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fingerprint(pub [u8; 32]);

impl core::fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self([first, second, ..]) = self;
        write!(f, "Fingerprint({first:02x}{second:02x}…)")
    }
}

/// Who begins the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Handshake {
    /// We do.
    Active,
    /// The party does.
    Passive,
}

/// A stream that is keyed by a handshake. Another value than before is another association; its keys follow those of the one
/// before when they are there (RFC 5763 §6.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Dtls {
    /// Who begins.
    pub handshake: Handshake,
    /// The party's certificate.
    pub party: Fingerprint,
}
