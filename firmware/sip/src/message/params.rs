//! Parameters: `;name=value` of URIs and headers, kept as they came and looked up without case.
//!
//! Not here: comma-separated parameters of authentication headers (`Challenge`).

use std::borrow::Cow;

use super::text::Text;

/// The parameters of a URI or header value, in order, each with its raw value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Params {
    raw: Text,
}

impl Params {
    /// The text of all of them, from the first `;`; empty where there are none.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.raw
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// Names and values as they came; a flag has no value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        std::iter::empty()
    }

    /// Whether the parameter is there, with or without a value.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.iter().any(|(ours, _)| ours.eq_ignore_ascii_case(name))
    }

    /// The value as it came, quotes included; `None` where the parameter is missing or a flag.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.iter()
            .find(|(ours, _)| ours.eq_ignore_ascii_case(name))
            .and_then(|(_, value)| value)
    }

    /// The value without quotes and backslashes.
    #[must_use]
    pub fn unquoted(&self, _name: &str) -> Option<Cow<'_, str>> {
        todo!()
    }
}
