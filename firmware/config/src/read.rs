//! Reading a TOML table into types, with every fault noted and none thrown.
//!
//! A [`Section`] hands out its settings by key and type, remembers which keys were asked for, and reports the others at its end. Reading goes on
//! behind a fault with a stand-in, which never leaves this crate because the report is not empty then.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::finding::{Problem, Report, most_similar};
use crate::secret::Secret;

/// A type that a setting can have.
pub(crate) trait Field: Sized {
    /// What belongs there, as `a port range like "20000-23999"`.
    const EXPECTED: &'static str;

    /// Read it.
    fn read(value: &DeValue<'_>) -> Result<Self, Problem>;
}

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) span: Range<usize>,
}

/// One table.
pub(crate) struct Section<'r, 'd> {
    table: Option<&'d DeTable<'d>>,
    pub(crate) span: Range<usize>,
    pub(crate) path: String,
    asked: Vec<&'static str>,
    report: &'r mut Report<'d>,
}

impl<'r, 'd> Section<'r, 'd> {
    pub(crate) const fn new(
        report: &'r mut Report<'d>,
        table: Option<&'d DeTable<'d>>,
        span: Range<usize>,
        path: String,
    ) -> Self {
        Self {
            table,
            span,
            path,
            asked: Vec::new(),
            report,
        }
    }

    pub(crate) fn report(&mut self) -> &mut Report<'d> {
        self.report
    }

    fn find(&mut self, key: &'static str) -> Option<&'d Spanned<DeValue<'d>>> {
        self.asked.push(key);
        self.table?
            .iter()
            .find(|(k, _)| k.get_ref() == key)
            .map(|(_, value)| value)
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    /// A setting that may be left out.
    pub(crate) fn maybe<T: Field>(&mut self, key: &'static str) -> Option<At<T>> {
        let value = self.find(key)?;
        match T::read(value.get_ref()) {
            Ok(read) => Some(At {
                value: read,
                span: value.span(),
            }),
            Err(problem) => {
                let path = self.path_of(key);
                self.report.add(&value.span(), path, problem);
                None
            }
        }
    }

    /// A setting with a default.
    pub(crate) fn or<T: Field>(&mut self, key: &'static str, default: T) -> T {
        self.maybe(key).map_or(default, |at| at.value)
    }

    /// A setting that must be there; `stand_in` takes its place if it is not.
    pub(crate) fn must<T: Field>(&mut self, key: &'static str, stand_in: T) -> At<T> {
        let there = self
            .table
            .is_some_and(|table| table.iter().any(|(k, _)| k.get_ref() == key));
        match self.maybe(key) {
            Some(at) => at,
            None => {
                if !there {
                    let span = self.span.clone();
                    let path = self.path.clone();
                    self.report.add(
                        &span,
                        path,
                        Problem::Missing {
                            key,
                            expected: T::EXPECTED,
                        },
                    );
                }
                At {
                    value: stand_in,
                    span: self.span.clone(),
                }
            }
        }
    }

    /// A list; a missing one is empty.
    pub(crate) fn list<T: Field>(&mut self, key: &'static str) -> Vec<At<T>> {
        let Some(value) = self.find(key) else {
            return Vec::new();
        };
        let path = self.path_of(key);
        let Some(array) = value.get_ref().as_array() else {
            let found = kind_of(value.get_ref());
            self.report.add(
                &value.span(),
                path,
                Problem::WrongKind {
                    expected: "a list",
                    found,
                },
            );
            return Vec::new();
        };
        let mut list = Vec::new();
        for item in array.iter() {
            match T::read(item.get_ref()) {
                Ok(read) => list.push(At {
                    value: read,
                    span: item.span(),
                }),
                Err(problem) => self.report.add(&item.span(), path.clone(), problem),
            }
        }
        list
    }

    /// A value or a list of them; a missing one is empty.
    pub(crate) fn some<T: Field>(&mut self, key: &'static str) -> Vec<At<T>> {
        let is_list = self
            .table
            .and_then(|table| table.iter().find(|(k, _)| k.get_ref() == key))
            .is_some_and(|(_, value)| value.get_ref().is_array());
        if is_list {
            self.list(key)
        } else {
            self.maybe(key).into_iter().collect()
        }
    }

    /// A value or a list of them that must be there; `stand_in` takes its place if it is not.
    pub(crate) fn one_or_more<T: Field>(&mut self, key: &'static str, stand_in: T) -> Vec<At<T>> {
        let (mut some, value) = (self.some(key), self.find(key));
        if some.is_empty() {
            match value.map(|value| (value.span(), value.get_ref().as_array())) {
                None => some.push(self.must(key, stand_in)),
                // Of what stands in it every fault has been told.
                Some((span, array)) => {
                    if array.is_some_and(|array| array.is_empty()) {
                        let problem = Problem::WrongKind {
                            expected: T::EXPECTED,
                            found: "an empty list",
                        };
                        self.fault(Some(&span), key, problem);
                    }
                    some.push(At {
                        value: stand_in,
                        span,
                    });
                }
            }
        }
        some
    }

    /// A table within this one; a missing one reads as an empty one.
    pub(crate) fn within<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Section<'_, 'd>) -> T,
    ) -> T {
        let path = self.path_of(key);
        let (table, span) = match self.find(key) {
            None => (None, self.span.clone()),
            Some(value) => match value.get_ref().as_table() {
                Some(table) => (Some(table), value.span()),
                None => {
                    let found = kind_of(value.get_ref());
                    let problem = Problem::WrongKind {
                        expected: "a table",
                        found,
                    };
                    self.report.add(&value.span(), path.clone(), problem);
                    (None, value.span())
                }
            },
        };
        let mut section = Section::new(self.report, table, span, path);
        let read = read(&mut section);
        section.close();
        read
    }

    /// Whether a table or value of this name is there.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.table
            .is_some_and(|table| table.iter().any(|(k, _)| k.get_ref() == key))
    }

    /// A list of tables, as `[[trunk]]`.
    pub(crate) fn tables<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&mut Section<'_, 'd>) -> T,
    ) -> Vec<T> {
        let Some(value) = self.find(key) else {
            return Vec::new();
        };
        let path = self.path_of(key);
        let Some(array) = value.get_ref().as_array() else {
            let found = kind_of(value.get_ref());
            let problem = Problem::WrongKind {
                expected: "a list of tables",
                found,
            };
            self.report.add(&value.span(), path, problem);
            return Vec::new();
        };
        let mut list = Vec::new();
        for item in array.iter() {
            let Some(table) = item.get_ref().as_table() else {
                let found = kind_of(item.get_ref());
                self.report.add(
                    &item.span(),
                    path.clone(),
                    Problem::WrongKind {
                        expected: "a table",
                        found,
                    },
                );
                continue;
            };
            let name = table
                .iter()
                .find(|(k, _)| k.get_ref() == "name")
                .and_then(|(_, v)| v.get_ref().as_str());
            let path = name.map_or_else(|| path.clone(), |name| format!("{path}.{name}"));
            let mut section = Section::new(self.report, Some(table), item.span(), path);
            list.push(read(&mut section));
            section.close();
        }
        list
    }

    /// Every key of the table with a value of one type, as `[dns.hosts]`.
    pub(crate) fn each<T: Field>(&mut self) -> Vec<(String, Vec<At<T>>)> {
        let Some(table) = self.table else {
            return Vec::new();
        };
        let mut all = Vec::new();
        for (key, value) in table {
            let name = key.get_ref().to_string();
            let path = self.path_of(&name);
            let items: Vec<_> = match value.get_ref().as_array() {
                Some(array) => array.iter().collect(),
                None => vec![value],
            };
            let mut list = Vec::new();
            for item in items {
                match T::read(item.get_ref()) {
                    Ok(read) => list.push(At {
                        value: read,
                        span: item.span(),
                    }),
                    Err(problem) => self.report.add(&item.span(), path.clone(), problem),
                }
            }
            all.push((name, list));
        }
        self.table = None;
        all
    }

    /// A fault of this table as a whole, or of a place in it.
    pub(crate) fn fault(&mut self, span: Option<&Range<usize>>, key: &str, problem: Problem) {
        let path = self.path_of(key);
        let own = self.span.clone();
        self.report.add(span.unwrap_or(&own), path, problem);
    }

    /// Report the keys that nobody asked for.
    pub(crate) fn close(self) {
        let Some(table) = self.table else { return };
        for (key, _) in table {
            let name = key.get_ref().as_ref();
            if !self.asked.contains(&name) {
                let meant = most_similar(name, self.asked.iter().copied());
                let path = if self.path.is_empty() {
                    name.to_owned()
                } else {
                    format!("{}.{name}", self.path)
                };
                self.report.add(
                    &key.span(),
                    path,
                    Problem::Unknown {
                        key: name.to_owned(),
                        meant,
                    },
                );
            }
        }
    }
}

fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// A text, or the fault that it is none.
pub(crate) fn text_of<'v>(
    value: &'v DeValue<'_>,
    expected: &'static str,
) -> Result<&'v str, Problem> {
    value.as_str().ok_or_else(|| Problem::WrongKind {
        expected,
        found: kind_of(value),
    })
}

/// A type that is written as a text.
macro_rules! field_of_text {
    ($type:ty, $expected:literal, $parse:expr) => {
        impl $crate::read::Field for $type {
            const EXPECTED: &'static str = $expected;

            fn read(value: &::toml::de::DeValue<'_>) -> Result<Self, $crate::finding::Problem> {
                let text = $crate::read::text_of(value, $expected)?;
                let parse: fn(&str) -> Option<$type> = $parse;
                parse(text).ok_or_else(|| $crate::finding::Problem::BadValue {
                    value: text.to_owned(),
                    expected: $expected,
                })
            }
        }
    };
}
pub(crate) use field_of_text;

/// An enum whose variants are written as words.
macro_rules! field_of_words {
    ($type:ty, $expected:literal, $($word:literal => $variant:expr),+ $(,)?) => {
        $crate::read::field_of_text!($type, $expected, |text| match text {
            $($word => Some($variant),)+
            _ => None,
        });
    };
}
pub(crate) use field_of_words;

field_of_text!(String, "a text", |text| (!text.is_empty())
    .then(|| text.to_owned()));
field_of_text!(Secret, "a text", |text| Some(Secret::new(text)));
field_of_text!(IpAddr, "an IP address", |text| text.parse().ok());
field_of_text!(
    SocketAddr,
    "an address with a port, like \"192.0.2.1:5060\"",
    |text| text.parse().ok()
);
field_of_text!(
    Duration,
    "a time like \"60s\", \"500ms\" or \"5m\"",
    |text| {
        let end = text.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = text[..end].parse().ok()?;
        match &text[end..] {
            "ms" => Some(Duration::from_millis(number)),
            "s" => Some(Duration::from_secs(number)),
            "m" => Some(Duration::from_secs(number.checked_mul(60)?)),
            "h" => Some(Duration::from_secs(number.checked_mul(3_600)?)),
            _ => None,
        }
        .filter(|time| *time <= Duration::from_secs(86_400))
    }
);

impl Field for bool {
    const EXPECTED: &'static str = "true or false";

    fn read(value: &DeValue<'_>) -> Result<Self, Problem> {
        value.as_bool().ok_or_else(|| Problem::WrongKind {
            expected: Self::EXPECTED,
            found: kind_of(value),
        })
    }
}

impl Field for u32 {
    const EXPECTED: &'static str = "a whole number";

    fn read(value: &DeValue<'_>) -> Result<Self, Problem> {
        let integer = value.as_integer().ok_or_else(|| Problem::WrongKind {
            expected: Self::EXPECTED,
            found: kind_of(value),
        })?;
        let digits = integer.as_str().replace('_', "");
        Self::from_str_radix(&digits, integer.radix()).map_err(|_| Problem::BadValue {
            value: digits,
            expected: "a whole number from 0 to 4294967295",
        })
    }
}
