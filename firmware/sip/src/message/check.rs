//! What every element asks of a message before it works with it (RFC 3261 §8.1.1, §8.2, §16.3).
//!
//! The parser takes any well-formed message; this finds what must be answered 400 or dropped, so that the machines
//! behind it may rely on the six headers every request has.
//!
//! Not here: what one method needs (Contact of an INVITE, Event of a NOTIFY): its own user asks.

use super::error::{HeaderError, Problem, UriError};
use super::headers::Headers;
use super::method::Method;
use super::name::{Code, Name};
use super::{Request, Response};

/// RFC 3261 §7.3.1, table 2: headers that may stand once, and whose second would change what the message means
/// (RFC 4475 §3.3.8).
const fn stands_once(name: Name<'_>) -> bool {
    matches!(
        name,
        Name::From
            | Name::To
            | Name::CallId
            | Name::CSeq
            | Name::MaxForwards
            | Name::ContentType
            | Name::Expires
            | Name::SessionExpires
            | Name::MinSe
            | Name::ReferTo
            | Name::ReferredBy
            | Name::Replaces
            | Name::Event
            | Name::RAck
    )
}

impl Request {
    /// Whether every UAS can work with it: Request-URI, Via, From, To, Call-ID, CSeq, Max-Forwards and Contact can be
    /// read, what may stand once does, and CSeq names this method. Answer the error with [`HeaderError::status`].
    ///
    /// Max-Forwards, a branch and tags may be missing: RFC 2543 knew none (RFC 4475 §3.4.1).
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), HeaderError> {
        let headers = self.headers();
        // RFC 3261 §19.1.5: headers have no place in a Request-URI (RFC 4475 §3.1.2.11).
        match self.request_uri() {
            Ok(uri) if uri.headers().next().is_none() => {}
            Ok(_) => return Err(unfit(UriError::Headers)),
            Err(error) => return Err(unfit(error)),
        }
        mandatory(headers, &self.method)?;
        headers.max_forwards()?;
        headers.contacts()?;
        Ok(())
    }
}

impl Response {
    /// Whether a client can work with it: Via, From, To, Call-ID and CSeq can be read and stand once, and so can Contact.
    /// Drop it otherwise.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), HeaderError> {
        let headers = self.headers();
        let method = headers.cseq()?.method;
        mandatory(headers, &method)?;
        headers.contacts()?;
        Ok(())
    }
}

const fn unfit(error: UriError) -> HeaderError {
    HeaderError::new(Name::Other("Request-URI"), Problem::RequestUri(error))
}

fn mandatory(headers: Headers<'_>, method: &Method) -> Result<(), HeaderError> {
    let mut seen = [false; 1 + Code::Other as usize];
    for span in headers.spans {
        let name = Name::from_code(span.code, "");
        if std::mem::replace(&mut seen[span.code as usize], true) && stands_once(name) {
            return Err(HeaderError::new(name, Problem::Repeated));
        }
    }
    headers.via()?;
    headers.from()?;
    headers.to()?;
    headers.call_id()?;
    if headers.cseq()?.method != *method {
        return Err(HeaderError::new(Name::CSeq, Problem::MethodMismatch));
    }
    Ok(())
}
