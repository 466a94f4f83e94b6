//! What the box keeps on disk: versions of its configuration ([`versions`]), records of who may do what ([`shelf`]), secrets
//! ([`sealed`]), who did what ([`audit`]), and every call as it was ([`trace`]).
//!
//! Bounded in space, whatever happens on the network; whole after a power cut, but for the last moments; readable by its owner
//! alone. Time and randomness are arguments.
//!
//! Not here: what the journal of calls in progress says (`call::journal`); who may see what (`console`).
#![forbid(unsafe_code)]

pub mod audit;
mod database;
pub mod file;
pub mod sealed;
pub mod shelf;
pub mod trace;
pub mod versions;

pub use database::{Database, StoreError};

/// Seconds since 1970-01-01 UTC.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Default,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct Wall(pub u64);

impl Wall {
    /// So many seconds later.
    #[must_use]
    pub const fn after(self, seconds: u64) -> Self {
        Self(self.0.saturating_add(seconds))
    }
}
