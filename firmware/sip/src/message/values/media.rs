//! Media types: Content-Type and Accept (RFC 3261 §20.15, RFC 2045).
//!
//! Not here: multipart bodies, whose boundary is a parameter of this.

use std::fmt;

use bytes::Bytes;

use super::before_params;
use crate::message::chars;
use crate::message::error::ValueError;
use crate::message::params::Params;
use crate::message::text::Text;

/// `type/subtype;params`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaType {
    /// The type, `application`.
    pub kind: Text,
    /// The subtype, `sdp`.
    pub subtype: Text,
    /// The parameters.
    pub params: Params,
}

impl MediaType {
    /// Parses one value; white space may stand around the slash.
    ///
    /// # Errors
    /// What is malformed.
    pub fn parse(bytes: &Bytes) -> Result<Self, ValueError> {
        let (essence, params) = before_params(bytes)?;
        let (kind, subtype) = essence.split_once('/').ok_or(ValueError::Token)?;
        let (kind, subtype) = (kind.trim_ascii_end(), subtype.trim_ascii_start());
        if !chars::is_token(kind.as_bytes()) || !chars::is_token(subtype.as_bytes()) {
            return Err(ValueError::Token);
        }
        let length = essence.len();
        Ok(Self {
            kind: essence.slice(0..kind.len()),
            subtype: essence.slice(length - subtype.len()..length),
            params,
        })
    }

    /// Whether it is `kind/subtype`, given as one text; without case.
    #[must_use]
    pub fn is(&self, essence: &str) -> bool {
        essence.split_once('/').is_some_and(|(kind, subtype)| {
            self.kind.eq_ignore_ascii_case(kind) && self.subtype.eq_ignore_ascii_case(subtype)
        })
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}{}", self.kind, self.subtype, self.params.as_str())
    }
}
