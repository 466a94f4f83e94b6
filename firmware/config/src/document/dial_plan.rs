//! The dial plan of a country: how numbers are dialled there, and how they read in E.164.
//!
//! It stands behind the last rule of each of a trunk's number lists: a number that no rule matches is brought into E.164 form where it comes
//! in, and into the form that the trunk wants where it goes out. Without a country nothing is assumed and nothing changed. What it
//! cannot tell for certain (local numbers without an area code) it leaves alone: that is what rules are for.

use crate::finding::Problem;
use crate::number::e164;
use crate::read::{Section, field_of_text, field_of_words};

/// How numbers are written on a trunk.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DialPlan {
    country: Option<Country>,
    send: Form,
}

/// How numbers are dialled in a country.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Country {
    /// Its code: `1`, `44`, `49`.
    code: String,
    /// What is dialled before an area code: `0` in most of Europe, `1` in North America.
    national_prefix: String,
    /// What is dialled before a country code: `00`, `011`.
    international_prefix: String,
    /// How many digits a national number has where that is fixed: 10 in North America.
    national_digits: Option<u32>,
}

/// How numbers are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// `+442071234567`.
    #[default]
    E164,
    /// `442071234567`.
    Digits,
    /// `02071234567`, and abroad as from there: `00442071234567`.
    National,
    /// `00442071234567`.
    International,
}

field_of_words!(Form, "\"e164\", \"digits\", \"national\" or \"international\"",
    "e164" => Form::E164, "digits" => Form::Digits, "national" => Form::National, "international" => Form::International);

impl DialPlan {
    pub(super) fn read(section: &mut Section<'_, '_>) -> Self {
        let code = section.maybe::<CountryCode>("country");
        let national = section.maybe::<Prefix>("national_prefix");
        let international = section.maybe::<Prefix>("international_prefix");
        let national_digits = section.maybe::<u32>("national_digits").map(|at| at.value);
        let send = section.maybe::<Form>("send");
        let alone = [
            ("national_prefix", national.is_some()),
            ("international_prefix", international.is_some()),
            ("national_digits", national_digits.is_some()),
            (
                "send",
                send.as_ref()
                    .is_some_and(|at| matches!(at.value, Form::National | Form::International)),
            ),
        ];
        if !section.has("country") {
            for (key, _) in alone.iter().filter(|(_, there)| *there) {
                let problem = Problem::Conflict {
                    what: "this means nothing without a country",
                    cure: "Add country, with the country's code.",
                };
                section.fault(None, key, problem);
            }
        }
        let text = |at: Option<crate::read::At<Prefix>>, default: &str| {
            at.map_or_else(|| default.to_owned(), |at| at.value.0)
        };
        // North America dials differently from nearly everybody else.
        let country = code.map(|at| at.value.0).map(|code| Country {
            national_prefix: text(national, if code == "1" { "1" } else { "0" }),
            international_prefix: text(international, if code == "1" { "011" } else { "00" }),
            national_digits: national_digits.or_else(|| (code == "1").then_some(10)),
            code,
        });
        let send = send.map_or(Form::E164, |at| at.value);
        Self { country, send }
    }

    /// A number as it is dialled, in E.164 form; `None` if it is that already, or cannot be told.
    #[must_use]
    pub fn normalise(&self, number: &str) -> Option<String> {
        let country = self.country.as_ref()?;
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let of_length = |rest: &str| {
            country
                .national_digits
                .is_none_or(|digits| rest.len() == digits as usize)
        };
        let national = |rest: &str| format!("+{}{rest}", country.code);
        let international = number.strip_prefix(country.international_prefix.as_str());
        let long = number
            .strip_prefix(country.national_prefix.as_str())
            .filter(|rest| of_length(rest));
        let made = match (international, long) {
            // A plan without a national prefix has only numbers of a fixed length, or none that can be told.
            (None, Some(rest)) if !country.national_prefix.is_empty() => national(rest),
            (Some(rest), _) => format!("+{rest}"),
            _ if country.national_digits.is_some() && of_length(number) => national(number),
            _ => return None,
        };
        e164(&made).is_some().then_some(made)
    }

    /// A number in E.164 form as it is sent; `None` if it stays as it is.
    #[must_use]
    pub fn denormalise(&self, number: &str) -> Option<String> {
        let digits = e164(number)?;
        let country = self.country.as_ref();
        match self.send {
            Form::E164 => None,
            Form::Digits => Some(digits.to_owned()),
            Form::National => {
                let country = country?;
                match digits.strip_prefix(country.code.as_str()) {
                    Some(rest) => Some(format!("{}{rest}", country.national_prefix)),
                    None => Some(format!("{}{digits}", country.international_prefix)),
                }
            }
            Form::International => Some(format!("{}{digits}", country?.international_prefix)),
        }
    }
}

/// A country code.
struct CountryCode(String);

field_of_text!(
    CountryCode,
    "a country code of 1 to 3 digits, like \"44\"",
    |text| {
        let good = (1..=3).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_digit())
            && !text.starts_with('0');
        good.then(|| CountryCode(text.to_owned()))
    }
);

/// What is dialled first; nothing, in countries without.
struct Prefix(String);

field_of_text!(
    Prefix,
    "the digits that are dialled first, like \"0\", or \"\" for none",
    |text| {
        let good = text.len() <= 5 && text.bytes().all(|byte| byte.is_ascii_digit());
        good.then(|| Prefix(text.to_owned()))
    }
);

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(
        code: &str,
        national: &str,
        international: &str,
        digits: Option<u32>,
        send: Form,
    ) -> DialPlan {
        let country = Country {
            code: code.to_owned(),
            national_prefix: national.to_owned(),
            international_prefix: international.to_owned(),
            national_digits: digits,
        };
        DialPlan {
            country: Some(country),
            send,
        }
    }

    #[test]
    fn numbers_as_dialled_become_e164() {
        let britain = plan("44", "0", "00", None, Form::E164);
        let america = plan("1", "1", "011", Some(10), Form::E164);
        let italy = plan("39", "", "00", None, Form::E164);
        for (plan, dialled, meant) in [
            (&britain, "02071234567", Some("+442071234567")),
            (&britain, "0012025550100", Some("+12025550100")),
            (&britain, "+442071234567", None),
            (&britain, "1234567", None),
            (&britain, "999", None),
            (&america, "2025550100", Some("+12025550100")),
            (&america, "12025550100", Some("+12025550100")),
            (&america, "011442071234567", Some("+442071234567")),
            (&america, "5550100", None),
            (&america, "1001", None),
            (&italy, "0061234", Some("+61234")),
            (&italy, "0612345678", None),
            (&DialPlan::default(), "02071234567", None),
            (&britain, "anonymous", None),
            (&britain, "", None),
            (&britain, "00", None),
        ] {
            assert_eq!(plan.normalise(dialled).as_deref(), meant, "{dialled}");
        }
    }

    #[test]
    fn numbers_are_sent_as_the_trunk_wants_them() {
        let britain = |send| plan("44", "0", "00", None, send);
        for (send, number, sent) in [
            (Form::E164, "+442071234567", None),
            (Form::Digits, "+442071234567", Some("442071234567")),
            (Form::National, "+442071234567", Some("02071234567")),
            (Form::National, "+12025550100", Some("0012025550100")),
            (Form::International, "+442071234567", Some("00442071234567")),
            (Form::National, "999", None),
        ] {
            assert_eq!(
                britain(send).denormalise(number).as_deref(),
                sent,
                "{number}"
            );
        }
    }
}
