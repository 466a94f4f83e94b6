//! How a message finds its transaction (RFC 3261 §17.1.3, §17.2.3).
//!
//! A branch that begins with the magic cookie is unique with its sent-by; an older peer's transaction is found by what RFC 2543
//! compared. Keys own their text: they outlive the message.

use crate::message::{HeaderError, Method, Request, Response};
use crate::token::MAGIC_COOKIE;

/// A server transaction's key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ServerKey {
    /// Branch and sent-by, or what RFC 2543 compares.
    identity: String,
    method: Method,
}

/// The same request on another path (RFC 3261 §8.2.2.2).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct MergeKey(String);

/// The INVITE that an ACK of a 2xx belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct AckKey {
    call_id: String,
    to_tag: String,
    cseq: u32,
}

impl ServerKey {
    /// Of a request; ACK has its INVITE's key.
    pub(super) fn of(request: &Request) -> Result<Self, HeaderError> {
        let method = match request.method() {
            Method::Ack => Method::Invite,
            method => method,
        };
        Ok(Self {
            identity: identity(request)?,
            method,
        })
    }

    /// The INVITE that a CANCEL means.
    pub(super) fn of_cancelled(cancel: &Request) -> Result<Self, HeaderError> {
        Ok(Self {
            identity: identity(cancel)?,
            method: Method::Invite,
        })
    }
}

fn identity(request: &Request) -> Result<String, HeaderError> {
    let headers = request.headers();
    let via = headers.via()?;
    if let Some(branch) = via
        .branch()
        .filter(|branch| branch.starts_with(MAGIC_COOKIE))
    {
        return Ok(format!("{branch} {}", via.sent_by()));
    }
    // RFC 2543: Request-URI, tags, Call-ID, CSeq number and the topmost Via.
    Ok(format!(
        "{} {} {} {} {}",
        String::from_utf8_lossy(request.uri()),
        headers.from()?.tag().unwrap_or_default(),
        headers.call_id()?.as_str(),
        headers.cseq()?.number,
        String::from_utf8_lossy(via.bytes()),
    ))
}

impl MergeKey {
    /// Of a request outside a dialog.
    pub(super) fn of(request: &Request) -> Result<Option<Self>, HeaderError> {
        let headers = request.headers();
        if headers.to()?.tag().is_some() {
            return Ok(None);
        }
        let from = headers.from()?;
        let cseq = headers.cseq()?;
        let tag = from.tag().unwrap_or_default();
        Ok(Some(Self(format!(
            "{tag} {} {} {}",
            headers.call_id()?.as_str(),
            cseq.number,
            cseq.method
        ))))
    }
}

impl AckKey {
    /// Of an ACK.
    pub(super) fn of_ack(ack: &Request) -> Result<Self, HeaderError> {
        let headers = ack.headers();
        Ok(Self {
            call_id: headers.call_id()?.as_str().to_owned(),
            to_tag: headers.to()?.tag().unwrap_or_default().to_owned(),
            cseq: headers.cseq()?.number,
        })
    }

    /// Of the 2xx that is to be acknowledged.
    pub(super) fn of_answer(response: &Response) -> Result<Self, HeaderError> {
        let headers = response.headers();
        Ok(Self {
            call_id: headers.call_id()?.as_str().to_owned(),
            to_tag: headers.to()?.tag().unwrap_or_default().to_owned(),
            cseq: headers.cseq()?.number,
        })
    }
}
