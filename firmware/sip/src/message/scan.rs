//! The one pass over a message's head: start line, header lines, where the body begins.
//!
//! Finds and measures, takes no value apart. The span table is gathered on the stack and copied once into its only
//! allocation. Lines end with CRLF and nothing else: two readers who disagree on a lone LF disagree on what is a
//! header, and that is how headers are smuggled past one of them.
//!
//! Not here: values (`values`), the stream's buffer (`framing`).

use std::ops::Range;
use std::sync::Arc;

use super::chars;
use super::error::{ParseError, ParseErrorKind as Kind};
use super::headers::Span;
use super::limits;
use super::name::{self, Code};
use super::status::StatusCode;

/// A message's head, taken apart.
pub(crate) struct Head {
    pub(crate) start: StartLine,
    pub(crate) spans: Arc<[Span]>,
    /// Where the body begins.
    pub(crate) body: usize,
    pub(crate) content_length: Option<u32>,
}

/// RFC 3261 §7.1, §7.2.
pub(crate) enum StartLine {
    Request {
        method: Range<usize>,
        uri: Range<usize>,
    },
    Status {
        status: StatusCode,
        reason: Range<usize>,
    },
}

/// Takes a head apart.
pub(crate) fn head(bytes: &[u8]) -> Result<Head, ParseError> {
    if bytes.len() > limits::MESSAGE_BYTES {
        return Err(ParseError::new(Kind::MessageTooLong, limits::MESSAGE_BYTES));
    }
    // RFC 3261 §7.5: line ends before the start line are passed over.
    let mut at = 0;
    while bytes[at..].starts_with(b"\r\n") {
        at += 2;
    }
    if at == bytes.len() {
        return Err(ParseError::new(Kind::Empty, at));
    }
    let end = line_end(bytes, at)?;
    let start = start_line(bytes, at..end)?;
    at = end + 2;

    let mut table = Table::new();
    let mut content_length = None;
    while !bytes[at..].starts_with(b"\r\n") {
        let (span, next) = header_line(bytes, at)?;
        if span.code == Code::ContentLength {
            note_content_length(&mut content_length, bytes, &span)?;
        }
        if !table.push(span) {
            return Err(ParseError::new(Kind::TooManyHeaders, at));
        }
        at = next;
    }
    Ok(Head {
        start,
        spans: table.finish(),
        body: at + 2,
        content_length,
    })
}

/// Content-Length of a head that ends with its empty line, found even where other lines are malformed, so that a
/// stream can go on after a message that is refused.
pub(crate) fn content_length(head: &[u8]) -> Result<Option<u32>, ParseError> {
    let mut found = None;
    let mut at = 0;
    while at < head.len() {
        let end = memchr::memchr(b'\n', &head[at..]).map_or(head.len(), |end| at + end + 1);
        if matches!(head[at], b'c' | b'C' | b'l' | b'L')
            && let Ok((span, _)) = header_line(head, at)
            && span.code == Code::ContentLength
        {
            note_content_length(&mut found, head, &span)?;
        }
        at = end;
    }
    Ok(found)
}

fn note_content_length(
    found: &mut Option<u32>,
    bytes: &[u8],
    span: &Span,
) -> Result<(), ParseError> {
    let at = span.value as usize;
    if found.is_some() {
        return Err(ParseError::new(
            Kind::ContentLengthRepeated,
            span.name as usize,
        ));
    }
    *found = Some(
        chars::number(&bytes[at..span.end as usize])
            .ok_or_else(|| ParseError::new(Kind::ContentLength, at))?,
    );
    Ok(())
}

/// Where the CRLF of the line that begins at `from` stands.
fn line_end(bytes: &[u8], from: usize) -> Result<usize, ParseError> {
    let at = match memchr::memchr2(b'\r', b'\n', &bytes[from..]) {
        None => return Err(ParseError::new(Kind::HeadUnterminated, from)),
        Some(offset) => from + offset,
    };
    match (bytes[at], bytes.get(at + 1)) {
        (b'\r', Some(b'\n')) => {}
        (b'\n', _) => return Err(ParseError::new(Kind::BareLineFeed, at)),
        (_, None) => return Err(ParseError::new(Kind::HeadUnterminated, from)),
        (_, Some(_)) => return Err(ParseError::new(Kind::BareCarriageReturn, at)),
    }
    if at - from > limits::LINE_BYTES {
        return Err(ParseError::new(Kind::LineTooLong, from));
    }
    Ok(at)
}

/// One header line with its folds, and where the next begins.
fn header_line(bytes: &[u8], at: usize) -> Result<(Span, usize), ParseError> {
    let first_end = line_end(bytes, at)?;
    let colon = memchr::memchr(b':', &bytes[at..first_end])
        .ok_or_else(|| ParseError::new(Kind::NoColon, at))?;
    // RFC 3261 §25.1 HCOLON: `From :` is a header too.
    let mut length = colon;
    while length > 0 && matches!(bytes[at + length - 1], b' ' | b'\t') {
        length -= 1;
    }
    let name = &bytes[at..at + length];
    let code = name::lookup(name);
    if code == Code::Other && !chars::is_token(name) {
        return Err(ParseError::new(Kind::HeaderName, at));
    }

    // RFC 3261 §7.3.1: a line that begins with white space goes on with the one before.
    let mut end = first_end;
    while matches!(bytes.get(end + 2), Some(b' ' | b'\t')) {
        end = line_end(bytes, end + 2)?;
    }
    if end - at > limits::LINE_BYTES {
        return Err(ParseError::new(Kind::LineTooLong, at));
    }
    let value = at + colon + 1;
    let text = chars::trim_start(&bytes[value..end]);
    let value = end - text.len();
    let span = Span {
        name: at as u32,
        value: value as u32,
        end: (value + chars::trim(text).len()) as u32,
        name_length: length as u16,
        code,
    };
    Ok((span, end + 2))
}

fn start_line(bytes: &[u8], line: Range<usize>) -> Result<StartLine, ParseError> {
    let text = &bytes[line.clone()];
    if text
        .get(..4)
        .is_some_and(|start| start.eq_ignore_ascii_case(b"SIP/"))
    {
        return status_line(text, line.start);
    }
    let wrong = |kind, offset| Err(ParseError::new(kind, line.start + offset));
    let (Some(first), Some(last)) = (memchr::memchr(b' ', text), memchr::memrchr(b' ', text))
    else {
        return wrong(Kind::StartLine, 0);
    };
    if first == last || !chars::is_token(&text[..first]) {
        return wrong(Kind::StartLine, 0);
    }
    let version = &text[last + 1..];
    if !version.eq_ignore_ascii_case(b"SIP/2.0") {
        return wrong(
            if is_version(version) {
                Kind::Version
            } else {
                Kind::StartLine
            },
            last + 1,
        );
    }
    let uri = &text[first + 1..last];
    if uri.len() > limits::URI_BYTES {
        return wrong(Kind::UriTooLong, first + 1);
    }
    // Spaces and brackets are refused, not trimmed: RFC 4475 §3.1.2.7 to 9 show what a guess could make of them.
    let odd = |byte: &u8| *byte <= b' ' || matches!(byte, b'<' | b'>' | b'"' | 0x7f);
    if uri.is_empty() || uri.iter().any(odd) {
        return wrong(Kind::RequestUri, first + 1);
    }
    Ok(StartLine::Request {
        method: line.start..line.start + first,
        uri: line.start + first + 1..line.start + last,
    })
}

fn status_line(text: &[u8], start: usize) -> Result<StartLine, ParseError> {
    let wrong = |kind, offset| Err(ParseError::new(kind, start + offset));
    let version = memchr::memchr(b' ', text).unwrap_or(text.len());
    if !text[..version].eq_ignore_ascii_case(b"SIP/2.0") {
        let kind = if is_version(&text[..version]) {
            Kind::Version
        } else {
            Kind::StartLine
        };
        return wrong(kind, 0);
    }
    let rest = text.get(version + 1..).unwrap_or_default();
    // The space before an empty reason is forgotten by some senders; nothing else can be meant.
    let digits = memchr::memchr(b' ', rest).unwrap_or(rest.len());
    let status = match &rest[..digits] {
        [_, _, _] => chars::number(&rest[..digits]),
        _ => None,
    };
    let Some(status) = status.and_then(|code| StatusCode::new(code as u16)) else {
        return wrong(Kind::StatusCode, version + 1);
    };
    let end = start + text.len();
    let reason = (start + version + 1 + digits + 1).min(end);
    Ok(StartLine::Status {
        status,
        reason: reason..end,
    })
}

/// `SIP/x.y` with any numbers.
fn is_version(bytes: &[u8]) -> bool {
    let digits = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    bytes
        .get(..4)
        .is_some_and(|name| name.eq_ignore_ascii_case(b"SIP/"))
        && memchr::memchr(b'.', bytes)
            .is_some_and(|dot| dot > 4 && digits(&bytes[4..dot]) && digits(&bytes[dot + 1..]))
}

/// Gathers spans on the stack; only a message with more lines than any call needs goes to the heap before the end.
struct Table {
    near: [Span; Self::NEAR],
    length: usize,
    far: Vec<Span>,
}

impl Table {
    const NEAR: usize = 40;

    const fn new() -> Self {
        Self {
            near: [Span::NONE; Self::NEAR],
            length: 0,
            far: Vec::new(),
        }
    }

    /// False where the table is full.
    fn push(&mut self, span: Span) -> bool {
        if let Some(slot) = self.near.get_mut(self.length) {
            *slot = span;
            self.length += 1;
            return true;
        }
        if self.far.is_empty() {
            self.far.extend_from_slice(&self.near);
        }
        self.far.push(span);
        self.far.len() <= limits::HEADERS
    }

    fn finish(self) -> Arc<[Span]> {
        if self.far.is_empty() {
            Arc::from(&self.near[..self.length])
        } else {
            Arc::from(self.far)
        }
    }
}
