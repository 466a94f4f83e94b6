//! Why a handshake over media's ports has given no keys.
//!
//! Not here: packets that do not authenticate (`drop_reason.rs`).

use crate::metric::words;

words! {
    /// Why a handshake has given no keys.
    Insecurity {
        WrongCertificate "wrong_certificate" "The certificate is not the one of the party's description.",
        NoProfile "no_profile" "No SRTP profile in common.",
        Broken "broken" "The party gave up, or what it said was no handshake.",
    }
}
