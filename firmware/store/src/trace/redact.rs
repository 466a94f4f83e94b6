//! A message as it may be shown: without what would let a reader in, or listen.
//!
//! Removed are SDES keys (RFC 4568), ICE passwords (RFC 8839), answers to digest challenges and bearer tokens (RFC 8760, RFC 8898).
//! The message gets shorter or longer by that; its Content-Length stays as it was on the wire.
//!
//! Not here: who may see the rest (`console`).

/// What stands in place of a secret.
const REMOVED: &[u8] = b"(removed)";

/// The message without secrets.
#[must_use]
pub fn redact(message: &[u8]) -> Vec<u8> {
    let mut shown = Vec::with_capacity(message.len());
    let mut is_credentials = false;
    for line in message.split_inclusive(|octet| *octet == b'\n') {
        // RFC 3261 §7.3.1: a line that begins with white space goes on with the header before.
        if !line
            .first()
            .is_some_and(|octet| matches!(octet, b' ' | b'\t'))
        {
            is_credentials = names(line, b"authorization") || names(line, b"proxy-authorization");
        }
        if is_credentials {
            credentials(line, &mut shown);
        } else if begins(line, b"a=crypto:") {
            each_behind(line, b"inline:", is_end_of_key, &mut shown);
        } else if begins(line, b"a=ice-pwd:") || begins(line, b"k=") {
            let name = if begins(line, b"k=") {
                2
            } else {
                b"a=ice-pwd:".len()
            };
            each_from(line, name, &mut shown);
        } else {
            shown.extend(line);
        }
    }
    shown
}

fn begins(line: &[u8], with: &[u8]) -> bool {
    line.len() >= with.len() && line[..with.len()].eq_ignore_ascii_case(with)
}

/// Whether a line is a header of this name.
fn names(line: &[u8], name: &[u8]) -> bool {
    begins(line, name)
        && line[name.len()..]
            .iter()
            .find(|octet| !matches!(octet, b' ' | b'\t'))
            == Some(&b':')
}

/// A key ends where its lifetime, the next parameter or the line begins or ends.
const fn is_end_of_key(octet: u8) -> bool {
    matches!(octet, b'|' | b';' | b' ' | b'\t' | b'\r' | b'\n')
}

const fn is_end_of_value(octet: u8) -> bool {
    matches!(octet, b',' | b' ' | b'\t' | b'\r' | b'\n')
}

fn credentials(line: &[u8], shown: &mut Vec<u8>) {
    let mut step = Vec::new();
    each_behind(line, b"response=", is_end_of_value, &mut step);
    let mut more = Vec::new();
    each_behind(&step, b"cnonce=", is_end_of_value, &mut more);
    each_behind(&more, b"bearer ", is_end_of_value, shown);
}

/// The line with the value behind each `mark` removed.
fn each_behind(line: &[u8], mark: &[u8], is_end: fn(u8) -> bool, shown: &mut Vec<u8>) {
    let mut rest = line;
    while let Some(at) = rest
        .windows(mark.len())
        .position(|window| window.eq_ignore_ascii_case(mark))
    {
        let value = at + mark.len();
        shown.extend(&rest[..value]);
        shown.extend(REMOVED);
        let length = rest[value..].iter().position(|octet| is_end(*octet));
        rest = &rest[length.map_or(rest.len(), |length| value + length)..];
    }
    shown.extend(rest);
}

/// The line with everything from here to its end removed.
fn each_from(line: &[u8], start: usize, shown: &mut Vec<u8>) {
    let end = line
        .iter()
        .position(|octet| matches!(octet, b'\r' | b'\n'))
        .unwrap_or(line.len())
        .max(start);
    shown.extend(&line[..start]);
    shown.extend(REMOVED);
    shown.extend(&line[end..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_and_the_rest_stays() {
        let message = "INVITE sip:a@b SIP/2.0\r\n\
            Proxy-Authorization : Digest username=\"u\", realm=\"r\", nonce=\"n\", uri=\"sip:b\",\r\n \
            response=\"0123456789abcdef\", cnonce=\"xyz\", qop=auth\r\n\
            Authorization: Bearer eyJhbGciOi\r\n\
            Subject: response=kept\r\n\
            \r\n\
            a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0|2^31|1:1;inline:b3RoZXI= KDR=1\r\n\
            a=ice-ufrag:abcd\r\n\
            a=ice-pwd:asd88fgpdd777uzjYhagZg\r\n\
            k=clear:topsecret\r\n\
            a=rtpmap:0 PCMU/8000";
        let expected = "INVITE sip:a@b SIP/2.0\r\n\
            Proxy-Authorization : Digest username=\"u\", realm=\"r\", nonce=\"n\", uri=\"sip:b\",\r\n \
            response=(removed), cnonce=(removed), qop=auth\r\n\
            Authorization: Bearer (removed)\r\n\
            Subject: response=kept\r\n\
            \r\n\
            a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:(removed)|2^31|1:1;inline:(removed) KDR=1\r\n\
            a=ice-ufrag:abcd\r\n\
            a=ice-pwd:(removed)\r\n\
            k=(removed)\r\n\
            a=rtpmap:0 PCMU/8000";
        let shown = redact(message.as_bytes());
        assert_eq!(String::from_utf8_lossy(&shown), expected);
    }

    proptest::proptest! {
        #[test]
        fn any_octets_are_taken(message: Vec<u8>) {
            let _ = redact(&message);
        }

        #[test]
        fn no_key_is_left_wherever_the_line_stands(
            before in "[ -~\r\n]{0,40}",
            key in "[A-Za-z0-9+/]{20}",
        ) {
            let text = format!("{before}\r\na=crypto:1 X inline:{key}\r\n");
            let shown = redact(text.as_bytes());
            proptest::prop_assert!(!String::from_utf8_lossy(&shown).contains(&key));
        }
    }
}
