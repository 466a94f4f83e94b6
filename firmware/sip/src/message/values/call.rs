//! The small values that a call lives by: CSeq, RAck, Replaces, Reason, Retry-After.
//!
//! Each is its numbers and words, parsed once and printed back in canonical form.
//!
//! Not here: what they do to a dialog.

use std::fmt;

use bytes::Bytes;

use super::Value;
use crate::message::error::ValueError;
use crate::message::method::Method;
use crate::message::text::Text;

/// RFC 3261 §20.16: a number below 2^31 and a method.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CSeq {
    /// The sequence number.
    pub number: u32,
    /// The method.
    pub method: Method,
}

/// RFC 3262 §7.2: the response that a PRACK acknowledges.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RAck {
    /// Its RSeq.
    pub rseq: u32,
    /// The number in its CSeq.
    pub cseq: u32,
    /// The method in its CSeq.
    pub method: Method,
}

/// RFC 3891: the dialog that an INVITE takes over. Tags are seen from the receiver of the header.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Replaces {
    /// Call-ID.
    pub call_id: Text,
    /// The receiver's tag.
    pub to_tag: Text,
    /// The other side's tag.
    pub from_tag: Text,
    /// Which dialogs are meant.
    pub scope: ReplacesScope,
}

/// RFC 3891 §3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReplacesScope {
    /// Early or confirmed.
    Any,
    /// `early-only`: a confirmed dialog is refused with 486.
    EarlyOnly,
}

/// RFC 3326: why a request was sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reason {
    /// `SIP`, `Q.850`; compare without case.
    pub protocol: Text,
    /// The `cause`.
    pub cause: Option<u16>,
    /// The `text`, without quotes.
    pub text: Option<Text>,
}

/// RFC 3261 §20.33.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RetryAfter {
    /// Seconds to wait.
    pub seconds: u32,
    /// How long the answer will then hold.
    pub duration: Option<u32>,
}

macro_rules! parsed_and_printed {
    ($($type:ty),+) => {
        $(impl $type {
            /// Parses one value.
            ///
            /// # Errors
            /// What is malformed.
            pub fn parse(_bytes: &Bytes) -> Result<Self, ValueError> {
                todo!()
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
                todo!()
            }
        }
        impl Value for $type {
            fn write(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(self.to_string().as_bytes());
            }
        })+
    };
}

parsed_and_printed!(CSeq, RAck, Replaces, Reason, RetryAfter);
