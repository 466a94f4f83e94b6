//! Text that must not be seen: passwords.
//!
//! It shows nothing of itself to a log or an error, so that it cannot get there by accident; whoever needs it says
//! `reveal`, which can be searched for.

use std::fmt;

/// A password or key.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Take it.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Use it. What comes out must reach no log and no page.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_secret_is_printed() {
        let printed = format!("{:?}", Some(Secret::new("pa55word")));
        assert!(!printed.contains("pa55"), "{printed}");
    }
}
