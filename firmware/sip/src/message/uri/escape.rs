//! Percent-escapes of URIs (RFC 3261 §19.1.2, §25.1).
//!
//! Each part has its own set of bytes that stand for themselves; all else is escaped when written. Reading accepts
//! anything: a `%` that two hex digits do not follow stands for itself.
//!
//! Not here: which part is which (`parse`, `build`).

use std::borrow::Cow;

/// RFC 3261 `unreserved`.
pub(super) const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')'
        )
}

/// What stands for itself in a user.
pub(super) const fn is_user(byte: u8) -> bool {
    is_unreserved(byte) || matches!(byte, b'&' | b'=' | b'+' | b'$' | b',' | b';' | b'?' | b'/')
}

/// What stands for itself in a parameter.
pub(super) const fn is_param(byte: u8) -> bool {
    is_unreserved(byte) || matches!(byte, b'[' | b']' | b'/' | b':' | b'&' | b'+' | b'$')
}

/// What stands for itself in a header.
pub(super) const fn is_header(byte: u8) -> bool {
    is_unreserved(byte) || matches!(byte, b'[' | b']' | b'/' | b'?' | b':' | b'+' | b'$')
}

/// Appends the text, escaping what does not stand for itself.
pub(super) fn push(out: &mut String, text: &str, stands: fn(u8) -> bool) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if stands(byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

/// Appends `;name` or `;name=value`.
pub(super) fn push_param(out: &mut String, name: &str, value: Option<&str>) {
    out.push(';');
    push(out, name, is_param);
    if let Some(value) = value {
        out.push('=');
        push(out, value, is_param);
    }
}

/// What the escapes stand for.
pub(super) fn unescape(text: &str) -> Cow<'_, [u8]> {
    let bytes = text.as_bytes();
    if !bytes.contains(&b'%') {
        return Cow::Borrowed(bytes);
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [byte, tail @ ..] = rest {
        rest = tail;
        match (byte, tail) {
            (b'%', [high, low, after @ ..])
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                out.push(hex(*high) << 4 | hex(*low));
                rest = after;
            }
            _ => out.push(*byte),
        }
    }
    Cow::Owned(out)
}

/// Of a hex digit.
const fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}
