//! The character classes of RFC 3261 §25.1, and the two scans that every header needs: quotes and lists.
//!
//! Folds (CRLF and white space) count as white space everywhere, so values need not be unfolded to be read.
//! Nothing here allocates or panics, whatever the bytes.
//!
//! Not here: meaning. A value is taken apart in the file of its type.

/// Whether a byte may stand in a `token`.
pub(crate) const fn is_token_byte(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9'
        | b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~')
}

/// Whether all bytes are a `token`.
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&byte| is_token_byte(byte))
}

/// Whether all bytes are a `word` (Call-ID and its like).
pub(crate) fn is_word(bytes: &[u8]) -> bool {
    let more = b"()<>:\\\"/[]?{}";
    !bytes.is_empty()
        && bytes
            .iter()
            .all(|byte| is_token_byte(*byte) || more.contains(byte))
}

/// White space within a value, folds included.
pub(crate) const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Without the white space at both ends.
pub(crate) const fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = bytes {
        if !is_space(*first) {
            break;
        }
        bytes = rest;
    }
    while let [rest @ .., last] = bytes {
        if !is_space(*last) {
            break;
        }
        bytes = rest;
    }
    bytes
}

/// Without the white space at its beginning.
pub(crate) const fn trim_start(mut bytes: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = bytes {
        if !is_space(*first) {
            break;
        }
        bytes = rest;
    }
    bytes
}

/// Length of the quoted string that `bytes` begins with, both quotes included; `None` where it never ends.
pub(crate) fn quoted_length(bytes: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// Where the first `stop` stands outside quotes and angle brackets; the length where there is none.
///
/// An unclosed quote or bracket reaches to the end: the value's own type refuses it.
pub(crate) fn find_outside(bytes: &[u8], stop: u8) -> usize {
    let mut at = 0;
    while let Some(offset) = memchr::memchr3(stop, b'"', b'<', &bytes[at..]) {
        at += offset;
        let skipped = match bytes[at] {
            b'"' => quoted_length(&bytes[at..]),
            b'<' => memchr::memchr(b'>', &bytes[at..]).map(|end| end + 1),
            _ => return at,
        };
        match skipped {
            Some(length) => at += length,
            None => break,
        }
    }
    bytes.len()
}

/// A number of digits alone, that fits.
pub(crate) fn number(bytes: &[u8]) -> Option<u32> {
    if bytes.is_empty() {
        return None;
    }
    bytes.iter().try_fold(0u32, |sum, &byte| match byte {
        b'0'..=b'9' => sum.checked_mul(10)?.checked_add(u32::from(byte - b'0')),
        _ => None,
    })
}
