//! Event and Subscription-State (RFC 6665).
//!
//! Enough for REFER's implicit subscription and for presence-like packages.
//!
//! Not here: the subscription's life.

use bytes::Bytes;

use crate::message::error::ValueError;
use crate::message::params::Params;
use crate::message::text::Text;

/// RFC 6665 §8.2.1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The package, `refer`.
    pub package: Text,
    /// All parameters.
    pub params: Params,
}

/// RFC 6665 §8.2.3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionState {
    /// `active`, `pending`, `terminated` or another.
    pub state: Text,
    /// All parameters: `reason`, `expires`, `retry-after`.
    pub params: Params,
}

impl Event {
    /// Parses one value.
    ///
    /// # Errors
    /// What is malformed.
    pub fn parse(_bytes: &Bytes) -> Result<Self, ValueError> {
        todo!()
    }

    /// The `id`.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.params.value("id")
    }
}

impl SubscriptionState {
    /// Parses one value.
    ///
    /// # Errors
    /// What is malformed.
    pub fn parse(_bytes: &Bytes) -> Result<Self, ValueError> {
        todo!()
    }

    /// Whether no further NOTIFY follows.
    #[must_use]
    pub fn is_terminated(&self) -> bool {
        self.state.eq_ignore_ascii_case("terminated")
    }

    /// The `reason`.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.params.value("reason")
    }

    /// The `expires`, in seconds.
    #[must_use]
    pub fn expires(&self) -> Option<u32> {
        self.params.value("expires")?.parse().ok()
    }
}
