//! What a body says of the session: its SDP, alone or as a part of several (RFC 3261 §8.2.3, RFC 5621, RFC 2046 §5.1).
//!
//! Emergency calls bring a location beside their SDP, gateways ISUP: the SDP is taken, what stands beside it is passed over. What
//! stands alone and is not SDP must be understood, unless its handling is optional (RFC 3204 §4).
//!
//! Not here: SDP itself ([`crate::sdp`]).

use bytes::Bytes;

use super::headers::Headers;
use super::name::Name;
use super::values::MediaType;

/// Parts that are looked at; what comes after is passed over.
const MOST_PARTS: usize = 16;
/// A part may have parts itself, and these too.
const DEEPEST: usize = 3;

/// Why a body cannot be taken: 415 tells the sender what can (RFC 3261 §21.4.13).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnfitBody {
    /// It is of a type that we do not have, and the sender insists.
    #[error("a body of a type that is not served here")]
    Type,
    /// It is compressed or the like.
    #[error("a body of an encoding that is not served here")]
    Encoding,
}

impl UnfitBody {
    /// The header of the 415 that tells what would be fit.
    #[must_use]
    pub const fn cure(self) -> (Name<'static>, &'static str) {
        match self {
            Self::Type => (Name::Accept, "application/sdp, multipart/mixed"),
            Self::Encoding => (Name::AcceptEncoding, "identity"),
        }
    }
}

/// The SDP of a message, if it has any.
pub(super) fn description<'m>(
    headers: &Headers<'_>,
    body: &'m [u8],
) -> Result<Option<&'m [u8]>, UnfitBody> {
    if body.is_empty() {
        return Ok(None);
    }
    let encoding = headers.get(Name::ContentEncoding);
    if encoding.is_some_and(|encoding| !encoding.eq_ignore_ascii_case(b"identity")) {
        return Err(UnfitBody::Encoding);
    }
    let part = Part {
        media_type: headers.get(Name::ContentType),
        disposition: headers.get(Name::ContentDisposition),
        body,
    };
    part.description(DEEPEST)
}

struct Part<'h, 'm> {
    media_type: Option<&'h [u8]>,
    disposition: Option<&'h [u8]>,
    body: &'m [u8],
}

impl<'m> Part<'_, 'm> {
    fn description(&self, depth: usize) -> Result<Option<&'m [u8]>, UnfitBody> {
        // Without a type it is what bodies of these requests are; a peer that forgets the header is understood.
        let Some(named) = self.media_type else {
            return Ok(Some(self.body));
        };
        // What almost all of them say.
        if named.eq_ignore_ascii_case(b"application/sdp") && self.disposition.is_none() {
            return Ok(Some(self.body));
        }
        let Ok(media_type) = MediaType::parse(&Bytes::copy_from_slice(named)) else {
            return Err(UnfitBody::Type);
        };
        if media_type.is("application/sdp") && self.is_of_the_session() {
            return Ok(Some(self.body));
        }
        if media_type.kind.eq_ignore_ascii_case("multipart")
            && depth > 0
            && let Some(boundary) = media_type.params.unquoted("boundary")
            && let Some(found) = parts(self.body, boundary.as_bytes())
                .into_iter()
                // Of alternatives the last is the richest; of others there is one.
                .rev()
                .find_map(|part| part.description(depth - 1).ok().flatten())
        {
            return Ok(Some(found));
        }
        if self.is_optional() {
            Ok(None)
        } else {
            Err(UnfitBody::Type)
        }
    }

    /// RFC 3261 §20.11: SDP is of the session unless it says otherwise.
    fn is_of_the_session(&self) -> bool {
        self.disposition.is_none_or(|disposition| {
            let kind = disposition.split(|octet| *octet == b';').next();
            kind.is_some_and(|kind| kind.trim_ascii().eq_ignore_ascii_case(b"session"))
        })
    }

    fn is_optional(&self) -> bool {
        self.disposition.is_some_and(|disposition| {
            disposition.split(|octet| *octet == b';').any(|param| {
                let mut sides = param.splitn(2, |octet| *octet == b'=');
                let mut side = || sides.next().unwrap_or_default().trim_ascii();
                side().eq_ignore_ascii_case(b"handling") && side().eq_ignore_ascii_case(b"optional")
            })
        })
    }
}

/// The parts between the delimiters (RFC 2046 §5.1.1): each line that begins with two dashes and the boundary.
fn parts<'m>(body: &'m [u8], boundary: &[u8]) -> Vec<Part<'m, 'm>> {
    let mut found = Vec::new();
    let mut start = None;
    let mut at = 0;
    for line in body.split_inclusive(|octet| *octet == b'\n') {
        let next = at + line.len();
        let rest = line
            .strip_prefix(b"--")
            .and_then(|line| line.strip_prefix(boundary));
        if let Some(rest) = rest
            && matches!(rest.trim_ascii(), b"" | b"--")
        {
            if let Some(start) = start {
                // The line break before a delimiter belongs to it.
                let part = &body[start..at];
                let part = part.strip_suffix(b"\n").unwrap_or(part);
                found.push(part_of(part.strip_suffix(b"\r").unwrap_or(part)));
            }
            if rest.starts_with(b"--") || found.len() == MOST_PARTS {
                return found;
            }
            start = Some(next);
        }
        at = next;
    }
    // A last delimiter that is missing: what there is, is taken.
    if let Some(start) = start {
        found.push(part_of(&body[start..]));
    }
    found
}

/// A part's headers and what follows them.
fn part_of(part: &[u8]) -> Part<'_, '_> {
    let (mut media_type, mut disposition) = (None, None);
    let mut at = 0;
    for line in part.split_inclusive(|octet| *octet == b'\n') {
        at += line.len();
        let line = line.trim_ascii();
        if line.is_empty() {
            break;
        }
        let Some(colon) = line.iter().position(|octet| *octet == b':') else {
            continue;
        };
        let (name, value) = (line[..colon].trim_ascii(), line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-type") {
            media_type = Some(value);
        } else if name.eq_ignore_ascii_case(b"content-disposition") {
            disposition = Some(value);
        }
    }
    Part {
        // RFC 2046 §5.1: a part without a type is text.
        media_type: media_type.or(Some(b"text/plain")),
        disposition,
        body: &part[at..],
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::UnfitBody;
    use crate::message::{Message, Request};

    fn request(headers: &str, body: &str) -> Request {
        let text = format!(
            "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        match Message::parse(Bytes::from(text)).expect("a message") {
            Message::Request(request) => request,
            Message::Response(_) => panic!("a request"),
        }
    }

    const SDP: &str = "v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\n";

    #[test]
    fn sdp_alone_is_taken_under_any_spelling_of_its_type() {
        for headers in [
            "Content-Type: application/sdp\r\n",
            "c: APPLICATION / SDP;charset=utf-8\r\n",
            "Content-Type: application/sdp\r\nContent-Disposition: session;handling=required\r\n",
            "Content-Type: application/sdp\r\nContent-Encoding: identity\r\n",
            "",
        ] {
            let request = request(headers, SDP);
            assert_eq!(request.description(), Ok(Some(SDP.as_bytes())), "{headers}");
        }
        assert_eq!(request("", "").description(), Ok(None));
    }

    #[test]
    fn sdp_among_parts_is_found() {
        let sdp = format!("Content-Type: application/sdp\r\n\r\n{SDP}");
        let location = "Content-Type: application/pidf+xml\r\nContent-ID: <a@b>\r\n\r\n<presence/>";
        let inner = format!("--in\r\n{sdp}\r\n--in--\r\n");
        for body in [
            format!("--x\r\n{sdp}\r\n--x\r\n{location}\r\n--x--\r\n"),
            format!("preamble\r\n--x  \r\n{location}\r\n--x\r\n{sdp}\r\n--x--\r\nepilogue"),
            format!(
                "--x\r\nContent-Type: multipart/alternative; boundary=in\r\n\r\n{inner}\r\n--x--"
            ),
        ] {
            let request = request("Content-Type: multipart/mixed; boundary=\"x\"\r\n", &body);
            let found = request.description().expect("fit").expect("SDP");
            assert_eq!(String::from_utf8_lossy(found), SDP, "{body}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused_unless_it_is_optional() {
        for headers in [
            "Content-Type: text/plain\r\n",
            "Content-Type: nonsense\r\n",
            "Content-Type: multipart/mixed\r\n",
            "Content-Type: multipart/mixed;boundary=y\r\n",
            "Content-Type: application/sdp\r\nContent-Disposition: early-session\r\n",
        ] {
            assert_eq!(
                request(headers, SDP).description(),
                Err(UnfitBody::Type),
                "{headers}"
            );
        }
        let optional = "Content-Type: application/isup\r\nContent-Disposition: signal ; handling = optional\r\n";
        assert_eq!(request(optional, SDP).description(), Ok(None));
        let packed = "Content-Type: application/sdp\r\nContent-Encoding: gzip\r\n";
        assert_eq!(request(packed, SDP).description(), Err(UnfitBody::Encoding));
    }
}
