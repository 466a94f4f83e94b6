//! Media types: Content-Type and Accept (RFC 3261 §20.15, RFC 2045).
//!
//! Not here: multipart bodies, whose boundary is a parameter of this.

use bytes::Bytes;

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
    /// Parses one value.
    ///
    /// # Errors
    /// What is malformed.
    pub fn parse(_bytes: &Bytes) -> Result<Self, ValueError> {
        todo!()
    }

    /// Whether it is `kind/subtype`, given as one text; without case.
    #[must_use]
    pub fn is(&self, essence: &str) -> bool {
        essence.split_once('/').is_some_and(|(kind, subtype)| {
            self.kind.eq_ignore_ascii_case(kind) && self.subtype.eq_ignore_ascii_case(subtype)
        })
    }
}
