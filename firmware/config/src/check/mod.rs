//! Rules that look at more than one setting, one file each.
//!
//! A rule sees a document that has been read to its end, stand-ins included, and must not make a second finding of what is one
//! already: where a setting is written and could not be read, [`Read::sets`](crate::document::Read::sets) says so.

mod addresses;
mod emergency;
mod numbers;
mod routes;
mod sources;
mod tenants;
mod trunks;

use crate::document::Read;
use crate::finding::Report;

/// Hold a document to every rule.
pub(crate) fn all(read: &Read<'_>, report: &mut Report<'_>) {
    addresses::check(read, report);
    tenants::check(read, report);
    numbers::check(read, report);
    sources::check(read, report);
    trunks::check(read, report);
    routes::check(read, report);
    emergency::check(read, report);
}
