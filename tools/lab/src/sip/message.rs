//! A SIP message as the lab holds it: read by `rsip`, written by us in the case that the peer uses.
//!
//! `rsip` 0.4 splits the head into headers and judges their syntax. Three of its habits are worked around here: it refuses
//! raw colons in URI parameters (Teams sends them), so the start line is read by us; it takes the rest of a datagram for
//! the body, so the body is cut by Content-Length before; it prints names in one fixed case.
//!
//! Not here: any meaning of a header (`values.rs`), transactions (`endpoint.rs`).

use std::fmt::Write as _;

use bytes::Bytes;

use super::values::{self, NameAddr};

/// How header names are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// As in the RFCs.
    Usual,
    /// All capitals, as Teams writes them (INV-08).
    Upper,
}

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// A request line.
    Request {
        /// The method.
        method: String,
        /// The Request-URI, byte for byte.
        uri: String,
    },
    /// A status line.
    Response {
        /// The status code.
        code: u16,
        /// The reason phrase.
        reason: String,
    },
}

/// Why bytes are no SIP message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// No empty line after the headers.
    #[error("the head does not end")]
    Endless,
    /// Not text.
    #[error("the head is not text")]
    NotText,
    /// Neither a request line nor a status line.
    #[error("start line {0:?}")]
    StartLine(String),
    /// The library refused it.
    #[error("headers: {0}")]
    Headers(String),
    /// The body is shorter than Content-Length says.
    #[error("the body has {has} of {says} bytes")]
    Short {
        /// Bytes after the head.
        has: usize,
        /// Content-Length.
        says: usize,
    },
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    start: Start,
    headers: Vec<(String, String)>,
    body: Bytes,
}

impl Message {
    /// Reads one whole message; bytes behind Content-Length are left out.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn parse(bytes: &[u8]) -> Result<Self, Unreadable> {
        let end = head_end(bytes).ok_or(Unreadable::Endless)?;
        let head = std::str::from_utf8(&bytes[..end]).map_err(|_| Unreadable::NotText)?;
        let (first, rest) = head.split_once("\r\n").ok_or(Unreadable::Endless)?;
        let start = Start::parse(first).ok_or_else(|| Unreadable::StartLine(first.to_owned()))?;
        let headers = read_headers(rest)?;
        let behind = &bytes[end..];
        let says = headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("Content-Length"))
            .and_then(|(_, value)| value.trim().parse().ok())
            .unwrap_or(behind.len());
        let body = behind.get(..says).ok_or(Unreadable::Short {
            has: behind.len(),
            says,
        })?;
        Ok(Self {
            start,
            headers,
            body: Bytes::copy_from_slice(body),
        })
    }

    /// A request without headers.
    #[must_use]
    pub fn request(method: &str, uri: &str) -> Self {
        Self {
            start: Start::Request {
                method: method.to_owned(),
                uri: uri.to_owned(),
            },
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    /// A response with what RFC 3261 §8.2.6.2 copies from the request. The To-tag is the caller's to add.
    #[must_use]
    pub fn response(request: &Self, code: u16, reason: &str) -> Self {
        let copied = ["Via", "From", "To", "Call-ID", "CSeq"];
        let headers = request
            .headers
            .iter()
            .filter(|(name, _)| copied.iter().any(|copy| name.eq_ignore_ascii_case(copy)))
            .cloned()
            .collect();
        Self {
            start: Start::Response {
                code,
                reason: reason.to_owned(),
            },
            headers,
            body: Bytes::new(),
        }
    }

    /// The same with one more header.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// The same with these headers behind.
    #[must_use]
    pub fn with_all(mut self, headers: &[(String, String)]) -> Self {
        self.headers.extend_from_slice(headers);
        self
    }

    /// The same with `value` in front of all headers of that name (Via, Route).
    #[must_use]
    pub fn with_first(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.insert(0, (name.to_owned(), value.into()));
        self
    }

    /// The same with one header's value replaced, or added.
    #[must_use]
    pub fn with_only(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers
            .retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.with(name, value)
    }

    /// The same with this tag in To, unless there is one.
    #[must_use]
    pub fn with_to_tag(mut self, tag: &str) -> Self {
        for (name, value) in &mut self.headers {
            if name.eq_ignore_ascii_case("To") && values::parameter(value, "tag").is_none() {
                let _ = write!(value, ";tag={tag}");
            }
        }
        self
    }

    /// The same with a body.
    #[must_use]
    pub fn with_body(self, content_type: &str, body: impl Into<Bytes>) -> Self {
        let mut message = self.with_only("Content-Type", content_type);
        message.body = body.into();
        message
    }

    /// The first line.
    #[must_use]
    pub fn start(&self) -> &Start {
        &self.start
    }

    /// The method of a request.
    #[must_use]
    pub fn method(&self) -> Option<&str> {
        match &self.start {
            Start::Request { method, .. } => Some(method),
            Start::Response { .. } => None,
        }
    }

    /// The Request-URI as it came; empty for a response.
    #[must_use]
    pub fn uri(&self) -> &str {
        match &self.start {
            Start::Request { uri, .. } => uri,
            Start::Response { .. } => "",
        }
    }

    /// The status of a response.
    #[must_use]
    pub fn code(&self) -> Option<u16> {
        match &self.start {
            Start::Request { .. } => None,
            Start::Response { code, .. } => Some(*code),
        }
    }

    /// The reason phrase of a response; empty for a request.
    #[must_use]
    pub fn reason(&self) -> &str {
        match &self.start {
            Start::Request { .. } => "",
            Start::Response { reason, .. } => reason,
        }
    }

    /// All headers in order.
    #[must_use]
    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// The first header of that name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// Every header of that name.
    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Every value of a comma-separated header.
    #[must_use]
    pub fn values(&self, name: &str) -> Vec<&str> {
        self.all(name).flat_map(values::split_list).collect()
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The body, if it is SDP.
    #[must_use]
    pub fn sdp(&self) -> Option<&str> {
        let is_sdp = self
            .header("Content-Type")
            .is_some_and(|kind| kind.to_ascii_lowercase().starts_with("application/sdp"));
        if self.body.is_empty() || !is_sdp {
            return None;
        }
        std::str::from_utf8(&self.body).ok()
    }

    /// Call-ID.
    #[must_use]
    pub fn call_id(&self) -> &str {
        self.header("Call-ID").unwrap_or_default()
    }

    /// Number and method of CSeq.
    #[must_use]
    pub fn cseq(&self) -> Option<(u32, &str)> {
        let (number, method) = self
            .header("CSeq")?
            .trim()
            .split_once(char::is_whitespace)?;
        Some((number.parse().ok()?, method.trim()))
    }

    /// The tag of From.
    #[must_use]
    pub fn from_tag(&self) -> Option<&str> {
        values::parameter(self.header("From")?, "tag")
    }

    /// The tag of To.
    #[must_use]
    pub fn to_tag(&self) -> Option<&str> {
        values::parameter(self.header("To")?, "tag")
    }

    /// The branch of the top Via.
    #[must_use]
    pub fn branch(&self) -> Option<&str> {
        values::parameter(self.values("Via").first()?, "branch")
    }

    /// The first Contact: the only one that Teams looks at.
    #[must_use]
    pub fn contact(&self) -> Option<NameAddr<'_>> {
        NameAddr::parse(self.values("Contact").first()?)
    }

    /// The bytes on the wire, Content-Length last.
    #[must_use]
    pub fn print(&self, case: Case) -> Bytes {
        let mut text = match &self.start {
            Start::Request { method, uri } => format!("{method} {uri} SIP/2.0\r\n"),
            Start::Response { code, reason } => format!("SIP/2.0 {code} {reason}\r\n"),
        };
        for (name, value) in &self.headers {
            if name.eq_ignore_ascii_case("Content-Length") {
                continue;
            }
            let _ = match case {
                Case::Usual => write!(text, "{name}: {value}\r\n"),
                Case::Upper => write!(text, "{}: {value}\r\n", upper(name)),
            };
        }
        let name = match case {
            Case::Usual => "Content-Length",
            Case::Upper => "CONTENT-LENGTH",
        };
        let _ = write!(text, "{name}: {}\r\n\r\n", self.body.len());
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes.into()
    }
}

impl Start {
    fn parse(line: &str) -> Option<Self> {
        if let Some(status) = line.strip_prefix("SIP/2.0 ") {
            let (code, reason) = status.split_once(' ').unwrap_or((status, ""));
            let code = code.parse().ok().filter(|code| (100..700).contains(code))?;
            return Some(Self::Response {
                code,
                reason: reason.to_owned(),
            });
        }
        let (method, rest) = line.split_once(' ')?;
        let uri = rest.strip_suffix(" SIP/2.0")?;
        let fits = !method.is_empty() && !uri.is_empty() && !uri.contains(' ');
        fits.then(|| Self::Request {
            method: method.to_owned(),
            uri: uri.to_owned(),
        })
    }
}

/// Where the body begins.
pub(super) fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .map(|at| at + 4)
}

/// The LMO names (`X-MS-UserLocation`) alone are case-sensitive; Teams writes those as they are.
fn upper(name: &str) -> String {
    if name.starts_with("X-MS-") {
        name.to_owned()
    } else {
        name.to_ascii_uppercase()
    }
}

fn read_headers(rest: &str) -> Result<Vec<(String, String)>, Unreadable> {
    // The start line has been read; a plain one stands in for it.
    let head = format!("OPTIONS sip:lab.invalid SIP/2.0\r\n{rest}");
    let request = rsip::Request::try_from(head.as_bytes())
        .map_err(|error| Unreadable::Headers(error.to_string().chars().take(200).collect()))?;
    Ok(request
        .headers
        .iter()
        .map(|header| {
            let line = header.to_string();
            let (name, value) = line.split_once(':').unwrap_or((&line, ""));
            (name.to_owned(), value.trim().to_owned())
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFERRED: &[u8] =
        b"INVITE sip:sip.pstnhub.microsoft.com:5061;transport=tls;x-m=8:orgid:aa SIP/2.0\r\n\
        Via: SIP/2.0/TLS 127.0.0.1:5061;branch=z9hG4bKx;rport\r\n\
        FROM: \"A, b\" <sip:+14255550199@sbc.example.com;user=phone>;tag=1\r\nTo: <sip:a@b>\r\n\
        CSeq: 7 INVITE\r\nCall-ID: a@b\r\nContact: <sip:sbc.example.com:5061;transport=tls>\r\n\
        Content-Type: application/sdp\r\nContent-Length: 3\r\n\r\nv=0trailing";

    #[test]
    fn a_request_uri_with_raw_colons_is_kept_byte_for_byte() {
        let message = Message::parse(REFERRED).expect("readable");
        assert_eq!(
            message.uri(),
            "sip:sip.pstnhub.microsoft.com:5061;transport=tls;x-m=8:orgid:aa"
        );
        assert_eq!(message.cseq(), Some((7, "INVITE")));
        assert_eq!(message.from_tag(), Some("1"));
        assert_eq!(message.branch(), Some("z9hG4bKx"));
        assert_eq!(message.sdp(), Some("v=0"));
    }

    #[test]
    fn capitals_are_for_names_alone() {
        let message = Message::parse(REFERRED).expect("readable");
        let reply = Message::response(&message, 180, "Ringing").with_to_tag("t");
        let text = String::from_utf8(reply.print(Case::Upper).to_vec()).expect("text");
        assert!(text.starts_with("SIP/2.0 180 Ringing\r\nVIA: SIP/2.0/TLS "));
        assert!(text.contains("\r\nTO: <sip:a@b>;tag=t\r\n"));
        assert_eq!(
            Message::parse(text.as_bytes()).expect("own text").code(),
            Some(180)
        );
    }

    #[test]
    fn what_is_no_message_is_refused() {
        assert_eq!(
            Message::parse(b"OPTIONS sip:a SIP/2.0\r\n"),
            Err(Unreadable::Endless)
        );
        assert!(matches!(
            Message::parse(b"OPTIONS sip:a SIP/3.0\r\nTo: <sip:a>\r\n\r\n"),
            Err(Unreadable::StartLine(_))
        ));
        assert!(matches!(
            Message::parse(b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 9\r\n\r\nabc"),
            Err(Unreadable::Short { has: 3, says: 9 })
        ));
    }
}
