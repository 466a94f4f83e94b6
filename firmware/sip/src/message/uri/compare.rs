//! Whether two URIs mean the same (RFC 3261 §19.1.4, RFC 3966 §4).
//!
//! The relation is not transitive: a parameter that only one of two has is mostly overlooked.
//!
//! Not here: equality of text, which is `==`.

use super::escape::unescape;
use super::parse::is_visual_separator;
use super::{Scheme, Uri};

/// RFC 3261 §19.1.4: these never match where only one URI has them, not even with their default value. `transport` is
/// not in the rule but in its examples.
const NEVER_OVERLOOKED: [&str; 5] = ["user", "ttl", "method", "maddr", "transport"];

impl Uri {
    /// Whether both mean the same (RFC 3261 §19.1.4; RFC 3966 §4 for tel). Not transitive, hence not `==`, which
    /// compares the text.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        if self.scheme != other.scheme {
            return false;
        }
        match self.scheme {
            Scheme::Sip | Scheme::Sips => {
                same_text(self.userinfo(), other.userinfo())
                    && self.host == other.host
                    && self.port == other.port
                    && params_agree(self, other)
                    && params_agree(other, self)
                    && headers_within(self, other)
                    && headers_within(other, self)
            }
            Scheme::Tel => {
                digits(self).eq(digits(other))
                    && all_params_within(self, other)
                    && all_params_within(other, self)
            }
            Scheme::Urn => {
                // RFC 8141 §3.1: the namespace has no case, what follows has.
                let parts = |uri: &Self| {
                    let mut parts = uri.as_str().splitn(3, ':').skip(1);
                    (
                        parts.next().map(str::to_ascii_lowercase),
                        parts.next().map(str::to_owned),
                    )
                };
                parts(self) == parts(other)
            }
            Scheme::Other => {
                let parts = |uri: &Self| {
                    uri.as_str()
                        .split_once(':')
                        .map(|(scheme, rest)| (scheme.to_ascii_lowercase(), rest.to_owned()))
                };
                parts(self) == parts(other)
            }
        }
    }

    /// User and password, which compare with case.
    fn userinfo(&self) -> Option<&str> {
        let start = self.user.as_ref()?.start;
        let text = &self.as_str()[start..];
        text.find('@').map(|end| &text[..end])
    }
}

fn same_text(ours: Option<&str>, theirs: Option<&str>) -> bool {
    ours.map(unescape) == theirs.map(unescape)
}

/// RFC 3261 §19.1.4: all but the userinfo compares without case.
fn same_folded(ours: &str, theirs: &str) -> bool {
    unescape(ours).eq_ignore_ascii_case(&unescape(theirs))
}

/// Each of ours is among theirs with the same value, or is not among theirs at all and may be overlooked.
fn params_agree(ours: &Uri, theirs: &Uri) -> bool {
    ours.params.iter().all(|(name, value)| {
        let mut named = theirs
            .params
            .iter()
            .filter(|(other, _)| same_folded(other, name))
            .peekable();
        if named.peek().is_none() {
            return !NEVER_OVERLOOKED
                .iter()
                .any(|never| same_folded(name, never));
        }
        named.any(|(_, other)| same_folded(value.unwrap_or_default(), other.unwrap_or_default()))
    })
}

fn all_params_within(ours: &Uri, theirs: &Uri) -> bool {
    ours.params.iter().all(|(name, value)| {
        theirs.params.iter().any(|(other, theirs)| {
            same_folded(name, other)
                && same_folded(value.unwrap_or_default(), theirs.unwrap_or_default())
        })
    })
}

/// RFC 3261 §19.1.4: headers are never overlooked.
fn headers_within(ours: &Uri, theirs: &Uri) -> bool {
    ours.headers().all(|(name, value)| {
        theirs
            .headers()
            .any(|(other, theirs)| same_folded(name, other) && unescape(value) == unescape(theirs))
    })
}

/// RFC 3966 §4: visual separators do not count.
fn digits(uri: &Uri) -> impl Iterator<Item = u8> {
    let number = uri.user().unwrap_or_default();
    number
        .bytes()
        .filter(|&byte| !is_visual_separator(byte))
        .map(|byte| byte.to_ascii_lowercase())
}
