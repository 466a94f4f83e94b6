//! SRTP and SRTCP for keys given by SDES (RFC 3711, 4568, 6188, 7714).
//!
//! A [`Sender`] protects what leaves, a [`Receiver`] unprotects what arrives; each holds one direction of one stream with
//! its session keys (derived once), its lifetime counters and one roll-over counter and replay window for each SSRC. Both
//! work in the caller's buffer and allocate only when made. Packets go one by one, or in a [`burst`], which is several times
//! quicker where the processor has instructions for it.
//!
//! ```text
//!  counter mode:  header | ciphertext | MKI | tag          header | ciphertext | E+index | MKI | tag     (SRTCP)
//!  GCM:           header | ciphertext | tag | MKI          header | ciphertext | tag | E+index | MKI     (SRTCP)
//! ```
//!
//! Invariants: a window moves only after the tag has verified; no index is ever used twice with one key, for a second use
//! would give away both plaintexts (RFC 3711 §9.1).
//!
//! Not here: reading `a=crypto` (sip::sdp), key exchange, key derivation rates other than zero, and the two transforms
//! nobody negotiates (f8, NULL).

pub mod burst;
mod cipher;
mod context;
mod counter;
mod error;
mod galois;
mod kdf;
mod keys;
mod receiver;
mod sender;
mod session;
mod simd;
mod snapshot;
mod tag;
mod window;

#[cfg(test)]
mod vectors;

pub use error::{ProtectError, UnprotectError};
pub use keys::{InvalidKey, Keying, Lifetime, MasterKey, Mki, MkiRule, Rekey, Suite};
pub use receiver::Receiver;
pub use sender::Sender;
pub use snapshot::{ContextState, RestoreError, SourceState, WindowState};
pub use window::{Freshness, Limits, ReplayWindow, guess_index};

/// Bytes a protected packet may be longer than the plain one, with an MKI of at most 4 bytes: room a buffer should leave.
pub const MAX_OVERHEAD: usize = 16 + 4 + 4;
