//! Number rules: ordered lists, first match wins, with the semantics of Microsoft's translation rules (NUM-01).
//!
//! A rule is a pattern (a regular expression without look-around, matched in linear time) and a translation with `$1`…; `strip` and
//! `prefix` are there for those who do not think in patterns.

use regex::{Regex, RegexBuilder};

use super::dial_plan::DialPlan;
use crate::finding::Problem;
use crate::read::Section;

/// Microsoft allows 400 rules in all, a name of 100, a pattern of 1024 and a translation of 256 characters.
const MAX_NAME: usize = 100;
const MAX_PATTERN: usize = 1_024;
const MAX_TRANSLATION: usize = 256;
const MAX_RULES: usize = 400;

/// The four lists of a trunk.
#[derive(Debug, Clone, Default)]
pub struct NumberRules {
    /// The called number of calls that come in on the trunk.
    pub called_in: Vec<NumberRule>,
    /// The calling number of calls that come in on the trunk.
    pub caller_in: Vec<NumberRule>,
    /// The called number of calls that go out on the trunk.
    pub called_out: Vec<NumberRule>,
    /// The calling number of calls that go out on the trunk.
    pub caller_out: Vec<NumberRule>,
    /// What numbers that no rule matches are made of, and into.
    pub plan: DialPlan,
}

/// One rule.
#[derive(Debug, Clone)]
pub struct NumberRule {
    /// What it is called where it is explained.
    pub name: String,
    pattern: Regex,
    translation: String,
}

impl NumberRule {
    /// A rule from a pattern and a translation; `$1` and `${1}` stand for groups.
    ///
    /// # Errors
    /// The pattern does not compile or would be too large.
    pub fn new(name: &str, pattern: &str, translation: &str) -> Result<Self, String> {
        let pattern = self::pattern(pattern)?;
        Ok(Self {
            name: name.to_owned(),
            pattern,
            translation: braced(translation),
        })
    }

    /// The number translated, if the rule matches it.
    #[must_use]
    pub fn apply(&self, number: &str) -> Option<String> {
        let found = self.pattern.captures(number)?;
        let mut out = String::new();
        found.expand(&self.translation, &mut out);
        // Microsoft replaces what matched and keeps the rest; with ^…$ that is everything.
        let whole = found.get(0)?;
        Some(format!(
            "{}{out}{}",
            &number[..whole.start()],
            &number[whole.end()..]
        ))
    }
}

/// A pattern that is small and takes time linear in what it is held against.
pub(super) fn pattern(text: &str) -> Result<Regex, String> {
    let made = RegexBuilder::new(text)
        .size_limit(1 << 18)
        .dfa_size_limit(1 << 20)
        .build();
    // The last line of the parser's message says what is wrong; those before draw where.
    made.map_err(|error| {
        error
            .to_string()
            .lines()
            .last()
            .unwrap_or_default()
            .trim_start_matches("error: ")
            .to_owned()
    })
}

/// The highest group that a translation refers to.
fn highest_group(translation: &str) -> usize {
    let mut after_dollar = false;
    let mut highest = 0;
    for c in translation.chars() {
        if let Some(digit) = c.to_digit(10).filter(|_| after_dollar) {
            highest = highest.max(digit as usize);
        }
        after_dollar = c == '$' && !after_dollar;
    }
    highest
}

/// `$1` as `${1}`, so that a digit after a group does not belong to its number.
fn braced(translation: &str) -> String {
    let mut out = String::with_capacity(translation.len() + 4);
    let mut chars = translation.chars().peekable();
    while let Some(c) = chars.next() {
        out.push(c);
        if c == '$'
            && let Some(digit) = chars.peek().copied().filter(char::is_ascii_digit)
        {
            out.push_str(&format!("{{{digit}}}"));
            chars.next();
        }
    }
    out
}

impl NumberRules {
    pub(super) fn read(section: &mut Section<'_, '_>) -> Self {
        Self {
            called_in: list(section, "called_in"),
            caller_in: list(section, "caller_in"),
            called_out: list(section, "called_out"),
            caller_out: list(section, "caller_out"),
            plan: DialPlan::read(section),
        }
    }
}

fn list(section: &mut Section<'_, '_>, key: &'static str) -> Vec<NumberRule> {
    let rules = section.tables(key, |rule| {
        let span = rule.span.clone();
        let line = rule.report().line_of(&span);
        let name = rule.maybe::<String>("name").map_or_else(|| format!("of line {line}"), |at| at.value);
        let (pattern, translation, span) = if rule.has("pattern") {
            let pattern = rule.must("pattern", String::from("^$"));
            let translation = rule.or("translation", String::new());
            (pattern.value, translation, pattern.span)
        } else {
            let strip = rule.or("strip", String::new());
            let prefix = rule.or("prefix", String::new());
            if strip.is_empty() && prefix.is_empty() {
                rule.fault(
                    None,
                    "pattern",
                    Problem::Missing {
                        key: "pattern",
                        expected: "a pattern, or strip and prefix",
                    },
                );
            }
            (
                format!("^{}(.*)$", regex::escape(&strip)),
                format!("{}${{1}}", prefix.replace('$', "$$")),
                rule.span.clone(),
            )
        };
        if pattern.len() > MAX_PATTERN || translation.len() > MAX_TRANSLATION || name.len() > MAX_NAME {
            let expected = "a pattern of at most 1024, a translation of at most 256 and a name of at most 100 characters";
            rule.fault(
                Some(&span),
                "pattern",
                Problem::BadValue {
                    value: name.clone(),
                    expected,
                },
            );
            return None;
        }
        match NumberRule::new(&name, &pattern, &translation) {
            Ok(made) if highest_group(&translation) >= made.pattern.captures_len() => {
                let problem = Problem::Conflict {
                    what: "the translation refers to a group that the pattern does not have",
                    cure: "Put parentheses around what $1 is to be, or write a number that exists.",
                };
                rule.fault(Some(&span), "translation", problem);
                None
            }
            Ok(made) => Some(made),
            Err(error) => {
                rule.fault(Some(&span), "pattern", Problem::Regex(error));
                None
            }
        }
    });
    if rules.len() > MAX_RULES {
        let (count, most) = (rules.len(), MAX_RULES);
        section.fault(None, key, Problem::TooMany { count, most });
    }
    rules.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(pattern: &str, translation: &str, number: &str) -> Option<String> {
        NumberRule::new("rule", pattern, translation)
            .expect("the rule compiles")
            .apply(number)
    }

    #[test]
    fn the_four_examples_of_microsoft() {
        // NUM-01: direct-routing-translate-numbers.md.
        assert_eq!(
            apply(r"^(\d{10})$", "+1$1", "2065550100").as_deref(),
            Some("+12065550100")
        );
        assert_eq!(
            apply(r"^(\d{4})$", "+1206555$1", "0100").as_deref(),
            Some("+12065550100")
        );
        assert_eq!(
            apply(r"^\+1(\d{10})$", "$1", "+14255550100").as_deref(),
            Some("4255550100")
        );
        assert_eq!(
            apply(r"^\+1425555(\d{4})$", "$1", "+14255550100").as_deref(),
            Some("0100")
        );
        assert_eq!(apply(r"^(\d{10})$", "+1$1", "+12065550100"), None);
    }

    #[test]
    fn an_endless_pattern_is_refused_and_a_nested_one_is_quick() {
        assert!(NumberRule::new("rule", r"((((\d{1,100}){1,100}){1,100}){1,100})", "").is_err());
        assert!(NumberRule::new("rule", r"(?=x)", "").is_err());
        let digits = "1".repeat(60);
        assert_eq!(apply(r"^(\d+)+x$", "", &digits), None);
    }
}
