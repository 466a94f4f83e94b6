//! Building messages: headers in the order given, Content-Length always right, no value able to end its line.
//!
//! A draft keeps its texts in one scratch buffer and is written out once, together with the span table of the message
//! it becomes, so that nothing built is parsed again.
//!
//! Not here: which headers a request of a dialog carries (`dialog`), Via (`transaction`).

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::headers::{Headers, Span};
use super::method::Method;
use super::name::{Code, Name};
use super::params;
use super::status::StatusCode;
use super::uri::Uri;
use super::values::{NameAddr, Value};
use super::{Parts, Request, Response};

/// A request being put together.
#[derive(Debug, Clone)]
pub struct RequestBuilder {
    draft: Draft,
    method: Method,
    uri: Bytes,
}

/// A response being put together.
#[derive(Debug, Clone)]
pub struct ResponseBuilder {
    draft: Draft,
    status: StatusCode,
    reason: Bytes,
}

impl Request {
    /// Begins a request. The URI is written as it came (INV-09).
    #[must_use]
    pub fn build(method: Method, uri: &Uri) -> RequestBuilder {
        RequestBuilder {
            draft: Draft::new(),
            method,
            uri: uri.bytes().clone(),
        }
    }

    /// Begins a request with the method, URI, headers and body of this one, to be changed and finished.
    #[must_use]
    pub fn rebuild(&self) -> RequestBuilder {
        RequestBuilder {
            draft: Draft::of(&self.parts),
            method: self.method.clone(),
            uri: self.parts.bytes.slice_ref(self.uri()),
        }
    }
}

impl Response {
    /// Begins an answer: all Vias, From, To, Call-ID and CSeq of the request as they came (RFC 3261 §8.2.6.2),
    /// Timestamp for 100, and Record-Route where the answer may form a dialog (§12.1.1).
    #[must_use]
    pub fn reply(request: &Request, status: StatusCode) -> ResponseBuilder {
        let mut builder = ResponseBuilder::new(status);
        let headers = request.headers();
        builder.draft.copy_all(headers, Name::Via);
        // RFC 3261 §12.1.1: 101 to 299 to what forms dialogs.
        let forms_dialog = matches!(
            request.method,
            Method::Invite | Method::Subscribe | Method::Refer
        ) && (101..=299).contains(&status.code());
        if forms_dialog {
            builder.draft.copy_all(headers, Name::RecordRoute);
        }
        for name in [Name::From, Name::To, Name::CallId, Name::CSeq] {
            builder.draft.copy_first(headers, name);
        }
        if status == StatusCode::TRYING {
            builder.draft.copy_first(headers, Name::Timestamp);
        }
        builder
    }

    /// Begins a response with the status, headers and body of this one, to be changed and finished.
    #[must_use]
    pub fn rebuild(&self) -> ResponseBuilder {
        ResponseBuilder {
            draft: Draft::of(&self.parts),
            status: self.status,
            reason: self.parts.bytes.slice_ref(self.reason()),
        }
    }
}

macro_rules! builder {
    ($builder:ident, $message:ident) => {
        impl $builder {
            /// Appends a header line. Content-Length is not taken: it is always made.
            #[must_use]
            pub fn header(mut self, name: Name<'_>, value: impl Value) -> Self {
                self.draft.push(name, &value);
                self
            }

            /// Adds a header line before all others (Via of a request about to be sent).
            #[must_use]
            pub fn first(mut self, name: Name<'_>, value: impl Value) -> Self {
                let line = self.draft.line(name, &value);
                self.draft.lines.insert(0, line);
                self
            }

            /// Puts this value in place of all lines of that name, or appends it.
            #[must_use]
            pub fn set(mut self, name: Name<'_>, value: impl Value) -> Self {
                self.draft.set(name, &value);
                self
            }

            /// Takes away all lines of that name.
            #[must_use]
            pub fn remove(mut self, name: Name<'_>) -> Self {
                self.draft.remove(name);
                self
            }

            /// The body and its Content-Type, in place of any before.
            #[must_use]
            pub fn body(mut self, content_type: impl Value, body: impl Into<Bytes>) -> Self {
                self.draft.set(Name::ContentType, &content_type);
                self.draft.body = body.into();
                self
            }
        }
    };
}

builder!(RequestBuilder, Request);
builder!(ResponseBuilder, Response);

impl RequestBuilder {
    /// The request.
    #[must_use]
    pub fn finish(self) -> Request {
        let mut out = self
            .draft
            .buffer(self.method.as_str().len() + self.uri.len());
        out.extend_from_slice(self.method.as_str().as_bytes());
        out.push(b' ');
        let uri = out.len() as u32..(out.len() + self.uri.len()) as u32;
        out.extend_from_slice(&self.uri);
        out.extend_from_slice(b" SIP/2.0\r\n");
        Request {
            parts: self.draft.finish(out),
            method: self.method,
            uri,
        }
    }
}

impl ResponseBuilder {
    fn new(status: StatusCode) -> Self {
        Self {
            draft: Draft::new(),
            status,
            reason: Bytes::from_static(status.phrase().as_bytes()),
        }
    }

    /// The tag of To, where the request brought none.
    #[must_use]
    pub fn to_tag(mut self, tag: &str) -> Self {
        let Some(line) = self.draft.lines.iter().find(|line| line.code == Code::To) else {
            return self;
        };
        let value = &self.draft.scratch[line.value.clone()];
        match NameAddr::parse(Bytes::copy_from_slice(value)) {
            Ok(to) if to.tag().is_some() => {}
            Ok(to) => self.draft.set(Name::To, &to.with_param("tag", Some(tag))),
            // A To that cannot be read is copied as it came, the tag after it.
            Err(_) => {
                let tagged = [value, params::written("tag", Some(tag)).as_bytes()].concat();
                self.draft.set(Name::To, &tagged);
            }
        }
        self
    }

    /// Another reason phrase.
    #[must_use]
    pub fn reason_phrase(mut self, phrase: &str) -> Self {
        self.reason = Bytes::copy_from_slice(phrase.as_bytes());
        self
    }

    /// The response.
    #[must_use]
    pub fn finish(self) -> Response {
        let mut out = self.draft.buffer(self.reason.len());
        out.extend_from_slice(b"SIP/2.0 ");
        u32::from(self.status.code()).write(&mut out);
        out.push(b' ');
        let start = out.len();
        out.extend_from_slice(&self.reason);
        keep_on_line(&mut out[start..]);
        let reason = start as u32..out.len() as u32;
        out.extend_from_slice(b"\r\n");
        Response {
            parts: self.draft.finish(out),
            status: self.status,
            reason,
        }
    }
}

/// The best answer to bytes that were meant as a request but are none: Via, From, To, Call-ID and CSeq as far as they
/// can be found, line by line, whatever else is wrong. `None` where one of them cannot, or where the bytes look like a
/// response or an ACK, which nobody answers.
///
/// The tag of To follows from the request, so that a retransmission gets the same answer without a transaction
/// (RFC 3261 §8.2.7).
#[must_use]
pub fn refuse(bytes: &[u8], status: StatusCode) -> Option<Response> {
    let mut lines = bytes
        .split(|&byte| byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let start = lines.find(|line| !line.is_empty())?;
    let response = start
        .get(..4)
        .is_some_and(|start| start.eq_ignore_ascii_case(b"SIP/"));
    if response || start.starts_with(b"ACK ") {
        return None;
    }
    let mut builder = ResponseBuilder::new(status);
    let mut open = false;
    for line in lines
        .take_while(|line| !line.is_empty())
        .take(super::limits::HEADERS)
    {
        if matches!(line[0], b' ' | b'\t') {
            if open {
                builder.draft.extend_last(line);
            }
            continue;
        }
        open = false;
        let Some(colon) = line.iter().position(|&byte| byte == b':') else {
            continue;
        };
        let code = super::name::lookup(super::chars::trim(&line[..colon]));
        let seen = builder.draft.lines.iter().any(|line| line.code == code);
        open = match code {
            Code::Via => true,
            Code::From | Code::To | Code::CallId | Code::CSeq => !seen,
            _ => false,
        };
        if open {
            builder.draft.push(
                Name::from_code(code, ""),
                super::chars::trim(&line[colon + 1..]),
            );
        }
    }
    let complete = [Code::Via, Code::From, Code::To, Code::CallId, Code::CSeq]
        .iter()
        .all(|code| {
            builder
                .draft
                .lines
                .iter()
                .any(|line| line.code == *code && !line.value.is_empty())
        });
    complete.then(|| {
        let tag = format!("{:016x}", fingerprint(&builder.draft.scratch));
        builder.to_tag(&tag).finish()
    })
}

/// FNV-1a: tells requests apart, keeps no secret.
fn fingerprint(bytes: &[u8]) -> u64 {
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, mix)
}

/// Header lines and body, not yet written.
#[derive(Debug, Clone)]
struct Draft {
    /// The texts of values, and of names that have no code.
    scratch: Vec<u8>,
    lines: Vec<Line>,
    body: Bytes,
}

/// One header line; the ranges are of the scratch buffer.
#[derive(Debug, Clone)]
struct Line {
    code: Code,
    /// Empty where the code says the name.
    name: Range<usize>,
    value: Range<usize>,
}

impl Draft {
    fn new() -> Self {
        Self {
            scratch: Vec::with_capacity(1024),
            lines: Vec::with_capacity(24),
            body: Bytes::new(),
        }
    }

    fn of(parts: &Parts) -> Self {
        let mut draft = Self::new();
        draft.body = parts.bytes.slice_ref(parts.slice(&parts.body));
        for header in parts.headers().iter() {
            draft.push(header.name, header.value);
        }
        draft
    }

    fn line(&mut self, name: Name<'_>, value: &(impl Value + ?Sized)) -> Line {
        let name = if let Name::Other(text) = name {
            Name::of(text)
        } else {
            name
        };
        let start = self.scratch.len();
        if let Name::Other(text) = name {
            self.scratch.extend_from_slice(text.as_bytes());
        }
        let middle = self.scratch.len();
        value.write(&mut self.scratch);
        keep_on_line(&mut self.scratch[start..]);
        Line {
            code: name.code(),
            name: start..middle,
            value: middle..self.scratch.len(),
        }
    }

    fn push(&mut self, name: Name<'_>, value: &(impl Value + ?Sized)) {
        let line = self.line(name, value);
        self.lines.push(line);
    }

    fn set(&mut self, name: Name<'_>, value: &(impl Value + ?Sized)) {
        let line = self.line(name, value);
        match (0..self.lines.len()).find(|&at| self.is_named(&self.lines[at], name)) {
            None => self.lines.push(line),
            Some(first) => {
                let mut later = self.lines.split_off(first);
                later.retain(|line| !self.is_named(line, name));
                self.lines.push(line);
                self.lines.append(&mut later);
            }
        }
    }

    fn remove(&mut self, name: Name<'_>) {
        let mut lines = std::mem::take(&mut self.lines);
        lines.retain(|line| !self.is_named(line, name));
        self.lines = lines;
    }

    fn is_named(&self, line: &Line, name: Name<'_>) -> bool {
        let name = if let Name::Other(text) = name {
            Name::of(text)
        } else {
            name
        };
        line.code == name.code()
            && (line.code != Code::Other
                || self.scratch[line.name.clone()].eq_ignore_ascii_case(name.as_str().as_bytes()))
    }

    /// A fold of the value pushed last.
    fn extend_last(&mut self, fold: &[u8]) {
        if let Some(line) = self.lines.last_mut() {
            let start = self.scratch.len();
            self.scratch.extend_from_slice(fold);
            keep_on_line(&mut self.scratch[start..]);
            line.value.end = self.scratch.len();
        }
    }

    fn copy_all(&mut self, headers: Headers<'_>, name: Name<'static>) {
        for value in headers.all(name) {
            self.push(name, value);
        }
    }

    fn copy_first(&mut self, headers: Headers<'_>, name: Name<'static>) {
        if let Some(value) = headers.get(name) {
            self.push(name, value);
        }
    }

    /// Room for the whole message, whose start line has this many bytes of its own.
    fn buffer(&self, start: usize) -> Vec<u8> {
        const START_AND_LENGTH: usize = 64;
        const NAME_AND_ENDS: usize = 24;
        Vec::with_capacity(
            start
                + START_AND_LENGTH
                + self.lines.len() * NAME_AND_ENDS
                + self.scratch.len()
                + self.body.len(),
        )
    }

    /// Writes the headers and the body after the start line.
    fn finish(self, mut out: Vec<u8>) -> Parts {
        let mut spans = Vec::with_capacity(self.lines.len() + 1);
        for line in self
            .lines
            .iter()
            .filter(|line| line.code != Code::ContentLength)
        {
            let name = match line.code {
                Code::Other => &self.scratch[line.name.clone()],
                code => Name::from_code(code, "").as_str().as_bytes(),
            };
            let value = &self.scratch[line.value.clone()];
            spans.push(write_line(&mut out, line.code, name, value));
        }
        let name = Name::ContentLength;
        let length = self.body.len() as u32;
        spans.push(write_line(
            &mut out,
            name.code(),
            name.as_str().as_bytes(),
            &length,
        ));
        out.extend_from_slice(b"\r\n");
        let body = out.len() as u32..(out.len() + self.body.len()) as u32;
        out.extend_from_slice(&self.body);
        Parts {
            bytes: Bytes::from(out),
            spans: Arc::from(spans),
            body,
        }
    }
}

fn write_line(out: &mut Vec<u8>, code: Code, name: &[u8], value: &(impl Value + ?Sized)) -> Span {
    let name_at = out.len();
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    let value_at = out.len();
    value.write(out);
    let span = Span {
        name: name_at as u32,
        value: value_at as u32,
        end: out.len() as u32,
        name_length: name.len() as u16,
        code,
    };
    out.extend_from_slice(b"\r\n");
    span
}

/// A value cannot end its line, whatever was put into it: folds and smuggled line ends become spaces.
fn keep_on_line(bytes: &mut [u8]) {
    let mut rest = bytes;
    while let Some(at) = memchr::memchr2(b'\r', b'\n', rest) {
        rest[at] = b' ';
        rest = &mut rest[at + 1..];
    }
}
