//! Rules that look at more than one setting, one file each.

mod listeners;
mod numbers;
mod routes;
mod trunks;

use crate::document::Read;
use crate::finding::Report;

/// Hold a document to every rule.
pub(crate) fn all(read: &Read, report: &mut Report<'_>) {
    numbers::check(read, report);
    trunks::check(read, report);
    routes::check(read, report);
    listeners::check(read, report);
}
