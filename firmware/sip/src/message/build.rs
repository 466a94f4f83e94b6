//! Building messages: headers in the order given, Content-Length always right, no value able to end its line.
//!
//! Not here: which headers a request of a dialog carries (`dialog`), Via (`transaction`).

use bytes::Bytes;

use super::method::Method;
use super::name::Name;
use super::status::StatusCode;
use super::uri::Uri;
use super::values::Value;
use super::{Request, Response};

/// A request being put together.
#[derive(Debug, Clone)]
pub struct RequestBuilder {}

/// A response being put together.
#[derive(Debug, Clone)]
pub struct ResponseBuilder {}

impl Request {
    /// Begins a request. The URI is written as it came (INV-09).
    #[must_use]
    pub fn build(_method: Method, _uri: &Uri) -> RequestBuilder {
        todo!()
    }

    /// Begins a request with the method, URI, headers and body of this one, to be changed and finished.
    #[must_use]
    pub fn rebuild(&self) -> RequestBuilder {
        todo!()
    }
}

impl Response {
    /// Begins an answer: all Vias, From, To, Call-ID and CSeq of the request as they came (RFC 3261 §8.2.6.2),
    /// Timestamp for 100, and Record-Route where the answer may form a dialog (§12.1.1).
    #[must_use]
    pub fn reply(_request: &Request, _status: StatusCode) -> ResponseBuilder {
        todo!()
    }

    /// Begins a response with the status, headers and body of this one, to be changed and finished.
    #[must_use]
    pub fn rebuild(&self) -> ResponseBuilder {
        todo!()
    }
}

macro_rules! builder {
    ($builder:ident, $message:ident) => {
        impl $builder {
            /// Appends a header line.
            #[must_use]
            pub fn header(self, _name: Name<'_>, _value: impl Value) -> Self {
                todo!()
            }

            /// Adds a header line before all others (Via of a request about to be sent).
            #[must_use]
            pub fn first(self, _name: Name<'_>, _value: impl Value) -> Self {
                todo!()
            }

            /// Puts this value in place of all lines of that name, or appends it.
            #[must_use]
            pub fn set(self, _name: Name<'_>, _value: impl Value) -> Self {
                todo!()
            }

            /// Takes away all lines of that name.
            #[must_use]
            pub fn remove(self, _name: Name<'_>) -> Self {
                todo!()
            }

            /// The body and its Content-Type, in place of any before.
            #[must_use]
            pub fn body(self, _content_type: impl Value, _body: impl Into<Bytes>) -> Self {
                todo!()
            }

            /// The message.
            #[must_use]
            pub fn finish(self) -> $message {
                todo!()
            }
        }
    };
}

builder!(RequestBuilder, Request);
builder!(ResponseBuilder, Response);

impl ResponseBuilder {
    /// The tag of To, where the request brought none.
    #[must_use]
    pub fn to_tag(self, _tag: &str) -> Self {
        todo!()
    }

    /// Another reason phrase.
    #[must_use]
    pub fn reason_phrase(self, _phrase: &str) -> Self {
        todo!()
    }
}

/// The best answer to bytes that were meant as a request but are none: the code of the error, with Via, From, To,
/// Call-ID and CSeq as far as they can be found. `None` where no Via, From, To, Call-ID and CSeq can be read, or the
/// bytes look like a response or an ACK, which nobody answers.
#[must_use]
pub fn refuse(_bytes: &Bytes, _status: StatusCode) -> Option<Response> {
    todo!()
}
