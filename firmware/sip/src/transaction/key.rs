//! How a message finds its transaction (RFC 3261 §17.1.3, §17.2.3).
//!
//! A branch that begins with the magic cookie is unique with its sent-by; an older peer's transaction is found by what RFC 2543
//! compared. Keys own their text: they outlive the message. This is on the way of every message, so values are compared as
//! they stand, and only the tag is looked for in From and To.

use crate::message::{HeaderError, Method, Name, Request, Via, tag_of};
use crate::token::MAGIC_COOKIE;

/// A server transaction's key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ServerKey {
    /// Branch and sent-by, or what RFC 2543 compares.
    identity: String,
    method: Method,
}

/// A request by its dialog and place in it: one that comes again by another way is merged (RFC 3261 §8.2.2.2), and an ACK finds
/// its INVITE.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct PlaceKey(Vec<u8>);

impl ServerKey {
    /// Of a request with this topmost Via; ACK has its INVITE's key.
    pub(super) fn of(request: &Request, via: &Via) -> Result<Self, HeaderError> {
        let method = match request.method() {
            Method::Ack => Method::Invite,
            method => method,
        };
        let identity = identity(request, via)?;
        Ok(Self { identity, method })
    }

    /// The INVITE that the CANCEL of this key means.
    pub(super) fn of_cancelled(self) -> Self {
        Self {
            identity: self.identity,
            method: Method::Invite,
        }
    }
}

fn identity(request: &Request, via: &Via) -> Result<String, HeaderError> {
    let whole = String::from_utf8_lossy(via.bytes());
    if let Some(branch) = via
        .branch()
        .filter(|branch| branch.starts_with(MAGIC_COOKIE))
    {
        // Protocol and sent-by, up to the parameters; an INVITE, its CANCEL and its ACK spell them alike.
        let sent_by = whole.split(';').next().unwrap_or_default();
        let mut identity = String::with_capacity(branch.len() + sent_by.len());
        identity.push_str(branch);
        identity.push_str(sent_by);
        return Ok(identity);
    }
    // RFC 2543: Request-URI, tags, Call-ID, CSeq number and the topmost Via.
    let headers = request.headers();
    Ok(format!(
        "{} {} {} {} {whole}",
        String::from_utf8_lossy(request.uri()),
        headers.from()?.tag().unwrap_or_default(),
        headers.call_id()?.as_str(),
        headers.cseq()?.number,
    ))
}

impl PlaceKey {
    /// Of a request that has been checked, or of an ACK; `None` where something is missing.
    pub(super) fn of(request: &Request) -> Option<Self> {
        let headers = request.headers();
        let from = headers.get(Name::From)?;
        let call_id = headers.get(Name::CallId)?;
        let cseq = headers.cseq().ok()?;
        let method = match cseq.method {
            Method::Ack => Method::Invite,
            method => method,
        };
        let (tag, method) = (tag_of(from), method.as_str().as_bytes());
        let mut key = Vec::with_capacity(tag.len() + call_id.len() + method.len() + 6);
        for part in [tag, call_id, method] {
            key.extend_from_slice(part);
            // In none of the three.
            key.push(b' ');
        }
        key.extend_from_slice(&cseq.number.to_be_bytes());
        Some(Self(key))
    }
}
