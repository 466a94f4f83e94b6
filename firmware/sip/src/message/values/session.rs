//! Session-Expires (RFC 4028 §4).
//!
//! Not here: the timer itself (`dialog`).

use std::fmt;

use bytes::Bytes;

use super::before_params;
use crate::message::chars;
use crate::message::error::ValueError;

/// Who refreshes the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refresher {
    /// The side that sent the request.
    Uac,
    /// The side that answered it.
    Uas,
}

/// RFC 4028 §4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionExpires {
    /// Seconds until the session ends unless refreshed.
    pub seconds: u32,
    /// Who refreshes, where it is said.
    pub refresher: Option<Refresher>,
}

impl SessionExpires {
    /// Parses one value.
    ///
    /// # Errors
    /// What is malformed.
    pub fn parse(bytes: &Bytes) -> Result<Self, ValueError> {
        let (seconds, params) = before_params(bytes)?;
        let seconds = chars::number(seconds.as_str().as_bytes()).ok_or(ValueError::Number)?;
        let refresher = match params.value("refresher") {
            None => None,
            Some(side) if side.eq_ignore_ascii_case("uac") => Some(Refresher::Uac),
            Some(side) if side.eq_ignore_ascii_case("uas") => Some(Refresher::Uas),
            Some(_) => return Err(ValueError::Parameter),
        };
        Ok(Self { seconds, refresher })
    }
}

impl fmt::Display for SessionExpires {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refresher = match self.refresher {
            None => "",
            Some(Refresher::Uac) => ";refresher=uac",
            Some(Refresher::Uas) => ";refresher=uas",
        };
        write!(f, "{}{refresher}", self.seconds)
    }
}
