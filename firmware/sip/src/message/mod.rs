//! SIP messages: lossless, lazy, byte-preserving (RFC 3261 §7, §25).
//!
//! [`Message::parse`] finds the start line, the header lines and the body in one pass and keeps their places in one
//! table; values are taken apart when they are asked for. [`Message::bytes`] is exactly what came in. Nothing here
//! panics on any input; everything is bounded by [`limits`].
//!
//! Not here: framing a stream ([`crate::framing`]), transactions, forwarding (a B2BUA builds new messages).

mod body;
mod build;
mod chars;
mod check;
mod error;
mod headers;
mod host;
pub mod limits;
mod method;
mod name;
mod params;
mod scan;
mod status;
mod tag;
mod text;
mod typed;
mod uri;
mod values;

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

pub use body::UnfitBody;
pub use build::{RequestBuilder, ResponseBuilder, refuse};
pub use error::{HeaderError, ParseError, ParseErrorKind, Problem, UriError, ValueError};
pub use headers::{Header, Headers};
pub use host::{Host, HostPort};
pub use method::Method;
pub use name::Name;
pub use params::Params;
pub use status::{Class, StatusCode};
pub use text::Text;
pub use uri::{Scheme, Uri, UriBuilder};
pub use values::{
    CSeq, Challenge, Contacts, Event, MediaType, NameAddr, RAck, Reason, Refresher, Replaces,
    ReplacesScope, RetryAfter, SessionExpires, SubscriptionState, Tokens, Value, Via,
};

use headers::Span;
use scan::StartLine;
pub(crate) use scan::content_length;
pub(crate) use tag::tag_of;

/// A SIP message.
#[derive(Debug, Clone)]
pub enum Message {
    /// A request.
    Request(Request),
    /// A response.
    Response(Response),
}

/// A request; cheap to clone.
#[derive(Clone)]
pub struct Request {
    parts: Parts,
    method: Method,
    uri: Range<u32>,
}

/// A response; cheap to clone.
#[derive(Clone)]
pub struct Response {
    parts: Parts,
    status: StatusCode,
    reason: Range<u32>,
}

/// What both kinds have.
#[derive(Clone)]
struct Parts {
    bytes: Bytes,
    spans: Arc<[Span]>,
    body: Range<u32>,
}

impl Message {
    /// Parses one message: a datagram, or a frame of a stream.
    ///
    /// Line ends before the start line are passed over (RFC 3261 §7.5). Bytes beyond Content-Length are not part of
    /// the body; without Content-Length the body is the rest (§18.3).
    ///
    /// # Errors
    /// When the bytes are no message; [`refuse`] makes an answer.
    pub fn parse(bytes: Bytes) -> Result<Self, ParseError> {
        let head = scan::head(&bytes)?;
        let rest = bytes.len() - head.body;
        let length = head.content_length.map_or(rest, |length| length as usize);
        if length > rest {
            return Err(ParseError::new(ParseErrorKind::BodyTruncated, head.body));
        }
        let body = head.body as u32..(head.body + length) as u32;
        let narrow = |range: Range<usize>| range.start as u32..range.end as u32;
        Ok(match head.start {
            StartLine::Request { method, uri } => {
                let token = bytes.slice(method.clone());
                let method = Method::parse(&token)
                    .ok_or_else(|| ParseError::new(ParseErrorKind::StartLine, method.start))?;
                Self::Request(Request {
                    parts: Parts {
                        bytes,
                        spans: head.spans,
                        body,
                    },
                    method,
                    uri: narrow(uri),
                })
            }
            StartLine::Status { status, reason } => Self::Response(Response {
                parts: Parts {
                    bytes,
                    spans: head.spans,
                    body,
                },
                status,
                reason: narrow(reason),
            }),
        })
    }

    /// What came in.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        match self {
            Self::Request(request) => request.bytes(),
            Self::Response(response) => response.bytes(),
        }
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> Headers<'_> {
        match self {
            Self::Request(request) => request.headers(),
            Self::Response(response) => response.headers(),
        }
    }

    /// What follows the body: bytes beyond Content-Length, which nobody looks at (RFC 3261 §18.3). A file or a capture
    /// may hold the next message there.
    #[must_use]
    pub fn trailing(&self) -> &[u8] {
        let parts = match self {
            Self::Request(request) => &request.parts,
            Self::Response(response) => &response.parts,
        };
        &parts.bytes[parts.body.end as usize..]
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        match self {
            Self::Request(request) => request.body(),
            Self::Response(response) => response.body(),
        }
    }
}

impl Parts {
    fn slice(&self, range: &Range<u32>) -> &[u8] {
        &self.bytes[range.start as usize..range.end as usize]
    }

    fn headers(&self) -> Headers<'_> {
        Headers {
            bytes: &self.bytes,
            spans: &self.spans,
        }
    }
}

impl Request {
    /// The method.
    #[must_use]
    pub fn method(&self) -> Method {
        self.method.clone()
    }

    /// The Request-URI as it came.
    #[must_use]
    pub fn uri(&self) -> &[u8] {
        self.parts.slice(&self.uri)
    }

    /// The Request-URI taken apart.
    ///
    /// # Errors
    /// When it is malformed (answered 400).
    pub fn request_uri(&self) -> Result<Uri, UriError> {
        Uri::parse(self.parts.bytes.slice_ref(self.uri()))
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> Headers<'_> {
        self.parts.headers()
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        self.parts.slice(&self.parts.body)
    }

    /// The body, sharing the message's buffer.
    #[must_use]
    pub fn body_bytes(&self) -> Bytes {
        self.parts.bytes.slice_ref(self.body())
    }

    /// The SDP in the body, alone or among other parts; `None` if there is none, or nothing that must be understood.
    ///
    /// # Errors
    /// The sender insists on something else.
    pub fn description(&self) -> Result<Option<&[u8]>, UnfitBody> {
        body::description(&self.headers(), self.body())
    }

    /// What came in, or what is to be sent.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.parts.bytes
    }
}

impl Response {
    /// The status code.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The reason phrase; any bytes.
    #[must_use]
    pub fn reason(&self) -> &[u8] {
        self.parts.slice(&self.reason)
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> Headers<'_> {
        self.parts.headers()
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        self.parts.slice(&self.parts.body)
    }

    /// The body, sharing the message's buffer.
    #[must_use]
    pub fn body_bytes(&self) -> Bytes {
        self.parts.bytes.slice_ref(self.body())
    }

    /// The SDP in the body, alone or among other parts; `None` if there is none, or nothing that must be understood.
    ///
    /// # Errors
    /// The sender insists on something else.
    pub fn description(&self) -> Result<Option<&[u8]>, UnfitBody> {
        body::description(&self.headers(), self.body())
    }

    /// What came in, or what is to be sent.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.parts.bytes
    }
}

impl From<Request> for Message {
    fn from(request: Request) -> Self {
        Self::Request(request)
    }
}

impl From<Response> for Message {
    fn from(response: Response) -> Self {
        Self::Response(response)
    }
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Request({} {})",
            self.method,
            String::from_utf8_lossy(self.uri())
        )
    }
}

impl std::fmt::Debug for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Response({})", self.status)
    }
}
