//! Looking into header values: lists, parameters, name-addr, URI parts. All borrow; what is not asked for stays as it came.
//!
//! Written for a test peer: it finds what a well-formed value holds and answers `None` where it is not well formed, which
//! the judges then complain of.
//!
//! Not here: comparison of URIs (the lab compares bytes, on purpose: REF-03), escaping.

/// Splits a comma-separated list; commas inside quotes and angle brackets belong to their value.
pub fn split_list(value: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut quoted, mut bracket, mut from) = (false, false, 0);
    for (at, byte) in value.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b'<' if !quoted => bracket = true,
            b'>' if !quoted => bracket = false,
            b',' if !quoted && !bracket => {
                parts.push(value[from..at].trim());
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(value[from..].trim());
    parts.retain(|part| !part.is_empty());
    parts
}

/// A header parameter: behind the angle brackets where there are some.
#[must_use]
pub fn parameter<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    let behind = value.rfind('>').map_or(value, |at| &value[at + 1..]);
    named(behind, name)
}

fn named<'a>(parameters: &'a str, name: &str) -> Option<&'a str> {
    parameters.split(';').skip(1).find_map(|part| {
        let (known, value) = part.split_once('=').unwrap_or((part, ""));
        known
            .trim()
            .eq_ignore_ascii_case(name)
            .then(|| value.trim().trim_matches('"'))
    })
}

/// `"Name" <uri>;parameters` or a bare `uri;parameters`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameAddr<'a> {
    /// The display name without its quotes.
    pub display: Option<&'a str>,
    /// The URI, byte for byte.
    pub uri: &'a str,
}

impl<'a> NameAddr<'a> {
    /// Reads one.
    #[must_use]
    pub fn parse(value: &'a str) -> Option<Self> {
        let Some(open) = value.rfind('<') else {
            let uri = value.split(';').next()?.trim();
            return (!uri.is_empty()).then_some(Self { display: None, uri });
        };
        let close = value[open..].find('>')? + open;
        let display = value[..open].trim().trim_matches('"');
        Some(Self {
            display: (!display.is_empty()).then_some(display),
            uri: &value[open + 1..close],
        })
    }

    /// The parts of its URI.
    #[must_use]
    pub fn parts(&self) -> Option<UriParts<'a>> {
        UriParts::parse(self.uri)
    }
}

/// What a SIP URI is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UriParts<'a> {
    /// `sip`, `sips`, `tel` …
    pub scheme: &'a str,
    /// Before the `@`; `Some("")` where there is an `@` with nothing before it, which is illegal.
    pub user: Option<&'a str>,
    /// The host.
    pub host: &'a str,
    /// The port, where one is written.
    pub port: Option<u16>,
    /// From the first `;` on.
    pub parameters: &'a str,
}

impl<'a> UriParts<'a> {
    /// Reads one.
    #[must_use]
    pub fn parse(uri: &'a str) -> Option<Self> {
        let (scheme, rest) = uri.split_once(':')?;
        let rest = rest.split('?').next()?;
        let at = rest.find('@');
        let user = at.map(|at| &rest[..at]);
        let behind = at.map_or(rest, |at| &rest[at + 1..]);
        let cut = behind.find(';').unwrap_or(behind.len());
        let (place, parameters) = behind.split_at(cut);
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port.parse().ok()?)),
            _ => (place, None),
        };
        (!host.is_empty()).then_some(Self {
            scheme,
            user,
            host,
            port,
            parameters,
        })
    }

    /// A URI parameter.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&'a str> {
        named(self.parameters, name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_split_at_the_outer_commas() {
        let value = r#""Bell, A" <sip:a@b;x=1,2>;q=1, <sip:c@d>"#;
        assert_eq!(
            split_list(value),
            [r#""Bell, A" <sip:a@b;x=1,2>;q=1"#, "<sip:c@d>"]
        );
    }

    #[test]
    fn header_and_uri_parameters_are_told_apart() {
        let value = "<sip:+1@sbc.example.com:5061;transport=tls;x-m=8:orgid:a>;tag=9";
        assert_eq!(parameter(value, "tag"), Some("9"));
        assert_eq!(parameter(value, "transport"), None);
        let parts = NameAddr::parse(value)
            .and_then(|address| address.parts())
            .expect("well formed");
        assert_eq!(parts.parameter("x-m"), Some("8:orgid:a"));
        assert_eq!(
            (parts.user, parts.host, parts.port),
            (Some("+1"), "sbc.example.com", Some(5061))
        );
    }

    #[test]
    fn an_at_without_a_user_is_seen() {
        let parts = UriParts::parse("sip:@sbc.example.com").expect("readable");
        assert_eq!(parts.user, Some(""));
        assert_eq!(
            UriParts::parse("sip:sbc.example.com").and_then(|uri| uri.user),
            None
        );
    }
}
