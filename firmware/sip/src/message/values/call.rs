//! The small values that a call lives by: CSeq, RAck, Replaces, Reason, Retry-After.
//!
//! Each is its numbers and words, parsed once and printed back in canonical form.
//!
//! Not here: what they do to a dialog.

use std::fmt;

use bytes::Bytes;

use super::{before_params, words};
use crate::message::chars;
use crate::message::error::ValueError;
use crate::message::method::Method;
use crate::message::params;
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

/// RFC 3261 §8.1.1.5: less than 2^31.
const HIGHEST_CSEQ: u32 = (1 << 31) - 1;

fn sequence(digits: &[u8]) -> Result<u32, ValueError> {
    chars::number(digits)
        .filter(|&number| number <= HIGHEST_CSEQ)
        .ok_or(ValueError::Number)
}

fn method(bytes: &Bytes, token: &[u8]) -> Result<Method, ValueError> {
    Method::parse(&bytes.slice_ref(token)).ok_or(ValueError::Token)
}

impl CSeq {
    /// Parses one value.
    ///
    /// # Errors
    /// What is malformed.
    pub fn parse(bytes: &Bytes) -> Result<Self, ValueError> {
        let mut words = words(bytes);
        let number = sequence(words.next().ok_or(ValueError::Empty)?)?;
        let method = method(bytes, words.next().ok_or(ValueError::Token)?)?;
        if words.next().is_some() {
            return Err(ValueError::Trailing);
        }
        Ok(Self { number, method })
    }
}

impl fmt::Display for CSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.method)
    }
}

impl RAck {
    /// Parses one value.
    ///
    /// # Errors
    /// What is malformed.
    pub fn parse(bytes: &Bytes) -> Result<Self, ValueError> {
        let mut words = words(bytes);
        let rseq =
            chars::number(words.next().ok_or(ValueError::Empty)?).ok_or(ValueError::Number)?;
        let cseq = sequence(words.next().ok_or(ValueError::Number)?)?;
        let method = method(bytes, words.next().ok_or(ValueError::Token)?)?;
        if words.next().is_some() {
            return Err(ValueError::Trailing);
        }
        Ok(Self { rseq, cseq, method })
    }
}

impl fmt::Display for RAck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.rseq, self.cseq, self.method)
    }
}

impl Replaces {
    /// Parses one value; of a Refer-To's URI, its header unescaped.
    ///
    /// # Errors
    /// What is malformed, or a tag that is missing.
    pub fn parse(bytes: &Bytes) -> Result<Self, ValueError> {
        let (call_id, params) = before_params(bytes)?;
        let word = |part: &[u8]| chars::is_word(part);
        if !call_id
            .as_str()
            .as_bytes()
            .splitn(2, |&byte| byte == b'@')
            .all(word)
        {
            return Err(ValueError::Token);
        }
        let tag = |name| {
            params
                .value(name)
                .map(Text::from)
                .ok_or(ValueError::ParameterMissing)
        };
        let scope = if params.contains("early-only") {
            ReplacesScope::EarlyOnly
        } else {
            ReplacesScope::Any
        };
        Ok(Self {
            call_id,
            to_tag: tag("to-tag")?,
            from_tag: tag("from-tag")?,
            scope,
        })
    }
}

impl fmt::Display for Replaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{};to-tag={};from-tag={}",
            self.call_id, self.to_tag, self.from_tag
        )?;
        match self.scope {
            ReplacesScope::Any => Ok(()),
            ReplacesScope::EarlyOnly => f.write_str(";early-only"),
        }
    }
}

impl Reason {
    /// Parses one value.
    ///
    /// # Errors
    /// What is malformed.
    pub fn parse(bytes: &Bytes) -> Result<Self, ValueError> {
        let (protocol, params) = before_params(bytes)?;
        if !chars::is_token(protocol.as_str().as_bytes()) {
            return Err(ValueError::Token);
        }
        let cause = match params.value("cause") {
            None => None,
            Some(digits) => Some(digits.parse().map_err(|_| ValueError::Number)?),
        };
        let text = params.unquoted("text").map(|text| Text::from(&*text));
        Ok(Self {
            protocol,
            cause,
            text,
        })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.protocol)?;
        if let Some(cause) = self.cause {
            write!(f, ";cause={cause}")?;
        }
        if let Some(text) = &self.text {
            write!(f, ";text={}", params::quote(text))?;
        }
        Ok(())
    }
}

impl RetryAfter {
    /// Parses one value; the comment that may follow the seconds is passed over.
    ///
    /// # Errors
    /// What is malformed.
    pub fn parse(bytes: &Bytes) -> Result<Self, ValueError> {
        let end = memchr::memchr2(b'(', b';', bytes).unwrap_or(bytes.len());
        let seconds = chars::number(chars::trim(&bytes[..end])).ok_or(ValueError::Number)?;
        let after_comment = match bytes.get(end) {
            Some(b'(') => {
                end + memchr::memchr(b')', &bytes[end..]).ok_or(ValueError::Trailing)? + 1
            }
            _ => end,
        };
        let (nothing, params) = before_params(&bytes.slice(after_comment..))?;
        if !nothing.is_empty() {
            return Err(ValueError::Trailing);
        }
        let duration = match params.value("duration") {
            None => None,
            Some(digits) => Some(chars::number(digits.as_bytes()).ok_or(ValueError::Number)?),
        };
        Ok(Self { seconds, duration })
    }
}

impl fmt::Display for RetryAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.seconds)?;
        self.duration
            .map_or(Ok(()), |duration| write!(f, ";duration={duration}"))
    }
}
