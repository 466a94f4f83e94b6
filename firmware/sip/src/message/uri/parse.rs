//! Parsing of URIs (RFC 3261 §25.1, RFC 3966 §3).
//!
//! Strict where a guess could send a call to the wrong place (scheme, user, host, port, no white space or brackets),
//! lenient in parameters and headers, where peers put raw colons and worse (INV-08).
//!
//! Not here: what a scheme means for routing.

use std::ops::Range;

use bytes::Bytes;

use super::{Scheme, Uri};
use crate::message::error::UriError;
use crate::message::host::{Host, parse_port};
use crate::message::limits;
use crate::message::params::Params;
use crate::message::text::Text;

pub(super) fn uri(bytes: Bytes) -> Result<Uri, UriError> {
    if bytes.len() > limits::URI_BYTES {
        return Err(UriError::TooLong);
    }
    let odd = |byte: &u8| *byte <= b' ' || matches!(byte, b'<' | b'>' | b'"' | 0x7f);
    if bytes.iter().any(odd) {
        return Err(UriError::Byte);
    }
    let raw = Text::new(bytes).map_err(|_| UriError::Byte)?;
    let text = raw.as_str();
    let colon = memchr::memchr(b':', text.as_bytes()).ok_or(UriError::Scheme)?;
    let scheme = scheme(&text[..colon]).ok_or(UriError::Scheme)?;
    let rest = colon + 1;
    if rest == text.len() {
        return Err(UriError::Empty);
    }
    match scheme {
        Scheme::Sip | Scheme::Sips => sip(&raw, scheme, rest),
        Scheme::Tel => tel(&raw, rest),
        Scheme::Urn | Scheme::Other => Ok(Uri {
            scheme,
            user: None,
            host: None,
            port: None,
            params: Params::default(),
            params_at: text.len()..text.len(),
            headers: 0..0,
            raw,
        }),
    }
}

/// Digits and visual separators, perhaps after a `+` (RFC 3966 §3, RFC 3261 §19.1.1 with `user=phone`).
pub(super) fn is_telephone(number: &str) -> bool {
    let digits = number.strip_prefix('+').unwrap_or(number);
    digits.bytes().any(|byte| byte.is_ascii_digit())
        && digits
            .bytes()
            .all(|byte| byte.is_ascii_digit() || is_visual_separator(byte))
}

pub(super) const fn is_visual_separator(byte: u8) -> bool {
    matches!(byte, b'-' | b'.' | b'(' | b')')
}

fn scheme(text: &str) -> Option<Scheme> {
    let is = |name: &str| text.eq_ignore_ascii_case(name);
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    match text.as_bytes() {
        _ if is("sip") => Some(Scheme::Sip),
        _ if is("sips") => Some(Scheme::Sips),
        _ if is("tel") => Some(Scheme::Tel),
        _ if is("urn") => Some(Scheme::Urn),
        [first, rest @ ..]
            if first.is_ascii_alphabetic() && rest.iter().all(|&byte| legal(byte)) =>
        {
            Some(Scheme::Other)
        }
        _ => None,
    }
}

fn sip(raw: &Text, scheme: Scheme, start: usize) -> Result<Uri, UriError> {
    let text = raw.as_str();
    // RFC 3261 §25.1: semicolons and question marks may stand in a user, an at-sign nowhere else, so it decides.
    let (user, host_at) = match memchr::memchr(b'@', &text.as_bytes()[start..]) {
        None => (None, start),
        Some(length) => {
            let user = text[start..start + length]
                .split(':')
                .next()
                .unwrap_or_default();
            if user.is_empty() {
                return Err(UriError::User);
            }
            (Some(start..start + user.len()), start + length + 1)
        }
    };
    let host_end = end_of(text, host_at, b';', b'?');
    let (host, port) = host_port(raw, host_at..host_end)?;
    let params_end = end_of(text, host_end, b'?', b'?');
    let headers = if params_end < text.len() {
        params_end + 1..text.len()
    } else {
        0..0
    };
    Ok(Uri {
        scheme,
        user,
        host: Some(host),
        port,
        params: params(raw, host_end..params_end)?,
        params_at: host_end..params_end,
        headers,
        raw: raw.clone(),
    })
}

fn tel(raw: &Text, start: usize) -> Result<Uri, UriError> {
    let text = raw.as_str();
    let end = end_of(text, start, b';', b';');
    let number = &text[start..end];
    let local = |byte: u8| {
        byte.is_ascii_hexdigit() || matches!(byte, b'*' | b'#') || is_visual_separator(byte)
    };
    let good = match number.strip_prefix('+') {
        Some(_) => is_telephone(number),
        None => !number.is_empty() && number.bytes().all(local),
    };
    if !good {
        return Err(UriError::Telephone);
    }
    Ok(Uri {
        scheme: Scheme::Tel,
        user: Some(start..end),
        host: None,
        port: None,
        params: params(raw, end..text.len())?,
        params_at: end..text.len(),
        headers: 0..0,
        raw: raw.clone(),
    })
}

/// Where the first of two bytes stands.
fn end_of(text: &str, start: usize, one: u8, other: u8) -> usize {
    memchr::memchr2(one, other, &text.as_bytes()[start..])
        .map_or(text.len(), |length| start + length)
}

fn params(raw: &Text, range: Range<usize>) -> Result<Params, UriError> {
    Params::parse(raw.slice(range)).map_err(|_| UriError::Parameter)
}

fn host_port(raw: &Text, range: Range<usize>) -> Result<(Host, Option<u16>), UriError> {
    let text = &raw.as_str()[range.clone()];
    // RFC 5118 §4.1: the colons of an IPv6 address are told from the port's by the brackets.
    let bracket = if text.starts_with('[') {
        text.find(']').ok_or(UriError::Host)? + 1
    } else {
        0
    };
    let colon = text[bracket..].find(':').map(|at| bracket + at);
    let host_end = range.start + colon.unwrap_or(text.len());
    let host = Host::parse(&raw.slice(range.start..host_end)).map_err(|_| UriError::Host)?;
    let port = match colon {
        None => None,
        Some(at) => Some(parse_port(&text[at + 1..]).ok_or(UriError::Port)?),
    };
    Ok((host, port))
}
