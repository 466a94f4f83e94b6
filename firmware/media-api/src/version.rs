//! The version of the contract, and the constants both sides rely on.
//!
//! Not here: what to do when versions differ; the shells of both processes say so to people and part.

use serde::{Deserialize, Serialize};

use crate::Millis;

/// A version of this contract. Two sides speak only if theirs are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Version(pub u32);

/// The version of commands, events and shared page as they stand here.
pub const VERSION: Version = Version(6);

/// A stream is removed without command when no control has been there for so long and neither its party nor its peer's has been
/// heard: longer than
/// control takes to come back, even by the hand of a person; longer than any hold without a party.
pub const ORPHAN_AFTER: Millis = Millis(4 * 60 * 60 * 1_000);

impl core::fmt::Display for Version {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.fmt(f)
    }
}
