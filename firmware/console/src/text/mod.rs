//! Every word that a page says, in each language beside the others: what is missing in one does not compile.
//!
//! A room of the console with many words has a section of its own here; `general` has what several share.
//!
//! Not here: what the API says, which is English, for programs.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT_LANGUAGE;

use crate::access::cookie;

/// The cookie in which a browser keeps its choice.
pub(crate) const LANGUAGE_COOKIE: &str = "language";

/// A language of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    Portuguese,
}

impl Language {
    pub(crate) const ALL: [Self; 2] = [Self::English, Self::Portuguese];

    /// As HTML and HTTP name it.
    pub(crate) const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Portuguese => "pt-BR",
        }
    }

    /// As it calls itself.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Portuguese => "Português",
        }
    }

    pub(crate) const fn words(self) -> &'static Words {
        Words::of(self)
    }

    pub(crate) fn tagged(tag: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.tag() == tag)
    }

    /// The one that a browser has chosen, or that its user prefers.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        if let Some(chosen) = cookie(headers, LANGUAGE_COOKIE).and_then(Self::tagged) {
            return chosen;
        }
        let preferred = headers.get(ACCEPT_LANGUAGE);
        let preferred = preferred.and_then(|preferred| preferred.to_str().ok());
        let languages = preferred.unwrap_or_default().split(',');
        languages
            .filter_map(|language| match language.trim().get(..2) {
                Some("en") => Some(Self::English),
                Some("pt") => Some(Self::Portuguese),
                _ => None,
            })
            .next()
            .unwrap_or(Self::English)
    }
}

/// A section of the catalogue: a type with a text for each word, and that type in each language.
macro_rules! words {
    ($($name:ident: $english:literal, $portuguese:literal;)+) => {
        /// The words of this section in one language.
        pub(crate) struct Words {
            $(pub(crate) $name: &'static str,)+
        }

        impl Words {
            /// In a language.
            pub(crate) const fn of(language: $crate::text::Language) -> &'static Self {
                const ENGLISH: Words = Words { $($name: $english,)+ };
                const PORTUGUESE: Words = Words { $($name: $portuguese,)+ };
                match language {
                    $crate::text::Language::English => &ENGLISH,
                    $crate::text::Language::Portuguese => &PORTUGUESE,
                }
            }
        }
    };
}

pub(crate) mod certificates;
pub(crate) mod doctor;
mod general;

pub(crate) use general::Words;

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: axum::http::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().expect("a value"))])
    }

    #[test]
    fn a_browser_gets_the_language_it_prefers_or_has_chosen() {
        let preferred = |value| Language::of(&headers(ACCEPT_LANGUAGE, value));
        assert_eq!(preferred("pt-BR,pt;q=0.9,en;q=0.8"), Language::Portuguese);
        assert_eq!(preferred("de, en-GB"), Language::English);
        assert_eq!(preferred("ü"), Language::English);
        assert_eq!(Language::of(&HeaderMap::new()), Language::English);
        let cookie = headers(axum::http::header::COOKIE, "language=pt-BR");
        assert_eq!(Language::of(&cookie), Language::Portuguese);
    }
}
