//! What is around every page: head, navigation by rights, language, the way out.
//!
//! Not here: what stands in it.

use maud::{DOCTYPE, Markup, html};

use crate::access::Who;
use crate::accounts::Right;
use crate::text::{Language, Words};

/// Where a page stands in the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Home,
    Live,
    History,
    Configuration,
    Certificates,
    Versions,
    Explain,
    Doctor,
    Users,
    Audit,
}

impl Place {
    const ALL: [Self; 10] = [
        Self::Home,
        Self::Live,
        Self::History,
        Self::Configuration,
        Self::Certificates,
        Self::Versions,
        Self::Explain,
        Self::Doctor,
        Self::Users,
        Self::Audit,
    ];

    const fn way(self) -> &'static str {
        match self {
            Self::Home => "/",
            Self::Live => "/calls",
            Self::History => "/history",
            Self::Configuration => "/configuration",
            Self::Certificates => "/certificates",
            Self::Versions => "/versions",
            Self::Explain => "/explain",
            Self::Doctor => "/doctor",
            Self::Users => "/users",
            Self::Audit => "/audit",
        }
    }

    const fn needs(self) -> Right {
        match self {
            Self::Home | Self::Live | Self::History => Right::SeeCalls,
            Self::Doctor | Self::Certificates => Right::SeeBox,
            Self::Configuration | Self::Versions | Self::Explain => Right::Configure,
            Self::Users | Self::Audit => Right::Administer,
        }
    }

    fn name(self, words: &Words) -> &'static str {
        match self {
            Self::Home => words.home,
            Self::Live => words.live,
            Self::History => words.history,
            Self::Configuration => words.configuration,
            Self::Certificates => words.certificates,
            Self::Versions => words.versions,
            Self::Explain => words.explain,
            Self::Doctor => words.doctor,
            Self::Users => words.users,
            Self::Audit => words.audit,
        }
    }
}

/// A page for somebody.
pub(crate) fn page(
    title: &str,
    place: Option<Place>,
    who: &Who,
    language: Language,
    body: &Markup,
) -> Markup {
    let words = language.words();
    let places = Place::ALL
        .into_iter()
        .filter(|place| who.role.may(place.needs()));
    let header = html! {
        a.skip href="#content" { (words.skip) }
        header.top {
            strong { "Postern" }
            nav aria-label="Postern" {
                ul {
                    @for entry in places {
                        li {
                            a href=(entry.way()) aria-current=[(place == Some(entry)).then_some("page")] {
                                (entry.name(words))
                            }
                        }
                    }
                }
            }
            form method="post" action="/sign-out" {
                (word_of(who))
                span { (who.name) }
                button.quiet { (words.sign_out) }
            }
        }
    };
    document(
        title,
        language,
        &header,
        &html! { main #content { (body) } },
    )
}

/// A page for nobody yet.
pub(crate) fn bare(title: &str, language: Language, body: &Markup) -> Markup {
    document(
        title,
        language,
        &html! {},
        &html! { main.narrow #content { (body) } },
    )
}

fn document(title: &str, language: Language, header: &Markup, main: &Markup) -> Markup {
    let words = language.words();
    html! {
        (DOCTYPE)
        html lang=(language.tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Postern" }
                link rel="stylesheet" href="/style.css";
                link rel="icon" href="/icon.svg" type="image/svg+xml";
                script src="/page.js" defer {}
            }
            body {
                (header)
                (main)
                footer {
                    form method="post" action="/language" {
                        label {
                            (words.language)
                            select name="language" data-send {
                                @for choice in Language::ALL {
                                    option value=(choice.tag()) selected[choice == language] { (choice.name()) }
                                }
                            }
                        }
                        noscript { button.quiet { (words.language) } }
                    }
                }
            }
        }
    }
}

/// What a form of this session brings back.
pub(crate) fn word_of(who: &Who) -> Markup {
    let word = who.session.as_ref().map_or("", |session| &session.form);
    html! { input type="hidden" name="form" value=(word); }
}
