//! What can be wrong with a message, and where.
//!
//! Two depths: [`ParseError`] says that the bytes are no message (no start line, a line without a colon, a body that is
//! not all there); [`HeaderError`] says that one header of a well-formed message cannot be read. Both know the code
//! that answers a request so broken.
//!
//! Not here: the answer itself (`refuse`).

use thiserror::Error;

use super::name::Name;
use super::status::StatusCode;

/// The bytes are no SIP message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{kind} (at byte {at})")]
pub struct ParseError {
    /// What is wrong.
    pub kind: ParseErrorKind,
    /// Offset into the bytes given, of the byte or line that is wrong.
    pub at: usize,
}

/// What is wrong with the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// Nothing but line ends.
    #[error("there is no start line")]
    Empty,
    /// Over [`super::limits::MESSAGE_BYTES`].
    #[error("the message is too long")]
    MessageTooLong,
    /// Over [`super::limits::LINE_BYTES`].
    #[error("a line is too long")]
    LineTooLong,
    /// Over [`super::limits::URI_BYTES`].
    #[error("the Request-URI is too long")]
    UriTooLong,
    /// Over [`super::limits::HEADERS`].
    #[error("there are too many header lines")]
    TooManyHeaders,
    /// Neither `Method SP URI SP SIP/2.0` nor `SIP/2.0 SP code SP reason` (RFC 3261 §7.1, §7.2).
    #[error("the start line is neither a request line nor a status line")]
    StartLine,
    /// The Request-URI holds a space, an angle bracket or a control character, or is empty.
    #[error("the Request-URI holds a byte that no URI holds")]
    RequestUri,
    /// RFC 3261 §7.1: the version is not 2.0.
    #[error("the version is not SIP/2.0")]
    Version,
    /// RFC 3261 §7.2: three digits, 100 to 699.
    #[error("the status code is not a number from 100 to 699")]
    StatusCode,
    /// RFC 3261 §7: lines end with CRLF; a lone LF is where two readers would disagree on what is a header.
    #[error("a line ends with LF alone")]
    BareLineFeed,
    /// A CR that no LF follows.
    #[error("a carriage return stands alone")]
    BareCarriageReturn,
    /// RFC 3261 §7.3.1.
    #[error("a header line has no colon")]
    NoColon,
    /// RFC 3261 §7.3.1: a name is a token.
    #[error("a header name is not a token")]
    HeaderName,
    /// The empty line after the headers is missing.
    #[error("the headers do not end")]
    HeadUnterminated,
    /// RFC 3261 §20.14: digits.
    #[error("Content-Length is not a number")]
    ContentLength,
    /// There is more than one, so nobody can tell where the message ends.
    #[error("Content-Length is there more than once")]
    ContentLengthRepeated,
    /// RFC 3261 §20.14: on a stream it must be there.
    #[error("Content-Length is missing")]
    ContentLengthMissing,
    /// RFC 3261 §18.3: the datagram ends before the body does.
    #[error("the body is shorter than Content-Length")]
    BodyTruncated,
}

impl ParseError {
    pub(crate) const fn new(kind: ParseErrorKind, at: usize) -> Self {
        Self { kind, at }
    }

    /// The code that answers a request so broken.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self.kind {
            ParseErrorKind::Version => StatusCode::VERSION_NOT_SUPPORTED,
            ParseErrorKind::MessageTooLong => StatusCode::MESSAGE_TOO_LARGE,
            ParseErrorKind::UriTooLong => StatusCode::REQUEST_URI_TOO_LONG,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

/// A header that was asked for by its type cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{name}: {problem}")]
pub struct HeaderError {
    /// The header.
    pub name: Name<'static>,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Problem {
    /// It must be there.
    #[error("missing")]
    Missing,
    /// It may be there once.
    #[error("there more than once")]
    Repeated,
    /// More values than [`super::limits::LIST_VALUES`].
    #[error("too many values")]
    TooMany,
    /// The Request-URI is malformed.
    #[error("not a Request-URI: {0}")]
    RequestUri(UriError),
    /// RFC 3261 §8.1.1.5: the method of CSeq must be that of the request.
    #[error("names another method than the request")]
    MethodMismatch,
    /// Its value cannot be read.
    #[error("{0}")]
    Value(#[from] ValueError),
}

impl HeaderError {
    pub(crate) const fn new(name: Name<'static>, problem: Problem) -> Self {
        Self { name, problem }
    }

    /// The code that answers a request so broken.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        StatusCode::BAD_REQUEST
    }
}

/// A header value does not follow its grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ValueError {
    /// Nothing stands where a value must.
    #[error("a value is empty")]
    Empty,
    /// A quote is never closed.
    #[error("a quoted string does not end")]
    UnclosedQuote,
    /// An angle bracket is never closed.
    #[error("an angle bracket does not end")]
    UnclosedAngle,
    /// Bytes remain after the value.
    #[error("something follows that does not belong there")]
    Trailing,
    /// A display name that must be quoted, or holds what no token holds.
    #[error("the display name is neither quoted nor tokens")]
    DisplayName,
    /// RFC 3261 §20.10: a URI with a comma, question mark or semicolon must be in angle brackets.
    #[error("the URI must be in angle brackets")]
    NeedsAngle,
    /// Not a token.
    #[error("not a token")]
    Token,
    /// Not digits, or beyond the range of the header.
    #[error("not a number in range")]
    Number,
    /// A parameter without a name, or a value of neither token, host nor quoted string.
    #[error("a parameter is malformed")]
    Parameter,
    /// Too many parameters.
    #[error("too many parameters")]
    TooManyParameters,
    /// The parameter that the value needs is not there.
    #[error("a parameter that must be there is missing")]
    ParameterMissing,
    /// Neither a host name nor an address.
    #[error("not a host")]
    Host,
    /// Not a port.
    #[error("not a port")]
    Port,
    /// Neither `SIP/2.0/transport`.
    #[error("the sent-protocol is not SIP/2.0 and a transport")]
    Protocol,
    /// Not UTF-8 where text must be.
    #[error("not UTF-8")]
    Utf8,
    /// The URI in it is malformed.
    #[error("{0}")]
    Uri(#[from] UriError),
}

/// Text that is no URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UriError {
    /// Over [`super::limits::URI_BYTES`].
    #[error("the URI is too long")]
    TooLong,
    /// There is no `scheme:`.
    #[error("the URI has no scheme")]
    Scheme,
    /// A space, quote, angle bracket or control character, or not UTF-8.
    #[error("the URI holds a byte that no URI holds")]
    Byte,
    /// An empty user before the `@`.
    #[error("the URI's user is empty")]
    User,
    /// Neither a host name nor an address (an IPv6 address stands in brackets).
    #[error("the URI's host is neither a name nor an address")]
    Host,
    /// Not a number from 0 to 65535.
    #[error("the URI's port is not a port")]
    Port,
    /// A parameter without a name.
    #[error("a parameter of the URI is malformed")]
    Parameter,
    /// RFC 3261 §19.1.5: a Request-URI has no headers.
    #[error("the Request-URI has headers")]
    Headers,
    /// A `tel:` number that is neither digits nor `+` and digits.
    #[error("the telephone number is malformed")]
    Telephone,
    /// Nothing follows the scheme.
    #[error("the URI is empty")]
    Empty,
}
