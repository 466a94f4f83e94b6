//! `[[tenant]]` and `[limits]`: a customer, its name, numbers and limits.
//!
//! Numbers decide whose an incoming call is, unless its trunk is reserved (MT-01); limits are the same three settings for the box, a
//! tenant and a trunk. Not here: counting them (`call`).

use std::ops::Range;

use super::{IdentityId, Known, fqdn};
use crate::read::{Section, field_of_words};
use crate::values::{Count, NumberRange};

/// A customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// Its name.
    pub name: String,
    /// The FQDN that Teams knows it by, in lower case; stands in Contact (INV-01, MT-01).
    pub fqdn: String,
    /// The identity shown for its FQDN (SIG-07).
    pub identity: Option<IdentityId>,
    /// Its numbers.
    pub numbers: Vec<NumberRange>,
    /// Its limits.
    pub limits: Limits,
    /// MT-03: what is done with a caller id of Teams that is not one of its numbers.
    pub screening: Screening,
}

/// MT-03.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Screening {
    /// Nothing.
    Off,
    /// The call is refused with 403.
    Refuse,
    /// The tenant's first number takes its place.
    Overwrite,
}

field_of_words!(Screening, "\"off\", \"refuse\" or \"overwrite\"",
    "off" => Screening::Off, "refuse" => Screening::Refuse, "overwrite" => Screening::Overwrite);

/// How many calls may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// At the same time.
    pub concurrent_calls: Option<u32>,
    /// Begun in a second.
    pub calls_per_second: Option<u32>,
}

impl Limits {
    pub(super) fn read(section: &mut Section<'_, '_>) -> Self {
        Self {
            concurrent_calls: section
                .maybe::<Count>("concurrent_calls")
                .map(|at| at.value.0),
            calls_per_second: section
                .maybe::<Count>("calls_per_second")
                .map(|at| at.value.0),
        }
    }
}

impl Tenant {
    pub(super) fn read(
        section: &mut Section<'_, '_>,
        name: String,
        known: &Known,
        spans: &mut Vec<Vec<Range<usize>>>,
    ) -> Self {
        let fqdn = fqdn(section);
        let identity = known.identities.maybe(section, "identity").map(IdentityId);
        let numbers = section.list::<NumberRange>("numbers");
        spans.push(numbers.iter().map(|at| at.span.clone()).collect());
        Self {
            name,
            fqdn,
            identity,
            numbers: numbers.into_iter().map(|at| at.value).collect(),
            limits: section.within("limits", Limits::read),
            screening: section.or("screening", Screening::Off),
        }
    }
}
