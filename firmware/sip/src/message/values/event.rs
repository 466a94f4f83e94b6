//! Event and Subscription-State (RFC 6665).
//!
//! Enough for REFER's implicit subscription and for presence-like packages.
//!
//! Not here: the subscription's life.

use std::fmt;

use bytes::Bytes;

use super::before_params;
use crate::message::chars;
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

fn token_and_params(bytes: &Bytes) -> Result<(Text, Params), ValueError> {
    let (token, params) = before_params(bytes)?;
    if !chars::is_token(token.as_str().as_bytes()) {
        return Err(ValueError::Token);
    }
    Ok((token, params))
}

impl Event {
    /// Parses one value.
    ///
    /// # Errors
    /// What is malformed.
    pub fn parse(bytes: &Bytes) -> Result<Self, ValueError> {
        let (package, params) = token_and_params(bytes)?;
        Ok(Self { package, params })
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
    pub fn parse(bytes: &Bytes) -> Result<Self, ValueError> {
        let (state, params) = token_and_params(bytes)?;
        Ok(Self { state, params })
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
        chars::number(self.params.value("expires")?.as_bytes())
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.package, self.params.as_str())
    }
}

impl fmt::Display for SubscriptionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.state, self.params.as_str())
    }
}
