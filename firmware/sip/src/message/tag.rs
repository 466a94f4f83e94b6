//! The tag of From and To, found without reading the rest of the value.
//!
//! Every message is asked for its tags several times on its way; to take name and URI apart each time would be most of the work.
//! For messages that have been checked this finds what the parser finds (tested), and in others it finds something or nothing.
//!
//! Not here: the grammar of From and To (`values`).

use super::headers::Headers;
use super::name::Name;

impl<'a> Headers<'a> {
    /// The tag of From; `None` where there is none.
    #[must_use]
    pub fn from_tag(&self) -> Option<&'a str> {
        self.tag(Name::From)
    }

    /// The tag of To; `None` where there is none.
    #[must_use]
    pub fn to_tag(&self) -> Option<&'a str> {
        self.tag(Name::To)
    }

    fn tag(&self, name: Name<'_>) -> Option<&'a str> {
        let tag = std::str::from_utf8(tag_of(self.get(name)?)).ok()?;
        (!tag.is_empty()).then_some(tag)
    }
}

/// The value of the `tag` parameter of From or To, without taking the URI apart; empty where there is none.
pub(crate) fn tag_of(value: &[u8]) -> &[u8] {
    // What stands before the last angle bracket outside quotes is a name and a URI.
    let mut rest = &value[after_address(value)..];
    while let Some(at) = unquoted(rest, b';') {
        rest = rest[at + 1..].trim_ascii_start();
        let end = unquoted(rest, b';').unwrap_or(rest.len());
        let mut halves = rest[..end].splitn(2, |byte| *byte == b'=');
        if let (Some(name), Some(tag)) = (halves.next(), halves.next())
            && name.trim_ascii_end().eq_ignore_ascii_case(b"tag")
        {
            return tag.trim_ascii();
        }
        rest = &rest[end..];
    }
    b""
}

/// Where the address ends: after `>`, or before the first parameter.
fn after_address(value: &[u8]) -> usize {
    let Some(open) = unquoted(value, b'<') else {
        return 0;
    };
    let close = value[open..].iter().position(|byte| *byte == b'>');
    close.map_or(value.len(), |close| open + close)
}

/// Where `wanted` stands outside quotes.
fn unquoted(text: &[u8], wanted: u8) -> Option<usize> {
    let mut quoted = false;
    let mut escaped = false;
    text.iter().position(|byte| {
        let found = !quoted && *byte == wanted;
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ => {}
        }
        found
    })
}

#[cfg(test)]
mod tests {
    use super::tag_of;
    use crate::message::NameAddr;

    #[test]
    fn the_tag_is_the_one_that_the_parser_finds() {
        for value in [
            "<sip:a@b.example>",
            "<sip:a@b.example>;tag=1",
            "<sip:a@b.example> ; TAG = 1 ;x",
            "<sip:a@b.example;tag=no>;tag=1",
            "<sip:a@b.example;tag=no>",
            "sip:a@b.example;tag=1",
            "sip:a@b.example",
            "\"x>;tag=no <\" <sip:a@b.example>;y=\";tag=no\";tag=1",
            "\"\\\"<;tag=no\" <sip:a@b.example>;x;tag=1;y",
            "A <sip:a@b.example>;tagged=2;tag=1",
            "tel:+1;tag=1",
        ] {
            let parsed: NameAddr = value.parse().expect(value);
            let expected = parsed.tag().unwrap_or_default();
            assert_eq!(tag_of(value.as_bytes()), expected.as_bytes(), "{value}");
        }
    }

    #[test]
    fn no_value_is_too_odd() {
        for value in [
            "",
            ";",
            "<",
            ">",
            "\"",
            "\\",
            ";tag",
            ";tag=",
            ";;=;tag=\"",
            "<;>;tag=1;",
            "\"\\",
        ] {
            let _ = tag_of(value.as_bytes());
        }
    }
}
