//! The names of everything counted, and of every reason.
//!
//! A reason or a counter has one word, here, and the same word stands in the log, the counter, SNMP, the CDR and the
//! console. Each list is an enum with its words, units and help beside it; an exhaustive `match` maps the errors of the
//! cores to it, so a new reason cannot be left uncounted.
//!
//! - [`DropReason`]: why the pipeline did not pass a packet on.
//! - [`Refusal`]: why the pipeline did not obey a command.
//! - [`Insecurity`]: why a handshake has given no keys.
//! - [`MediaCounter`]: what the media process counts as a whole.
//!
//! Not here: values. Whoever counts keeps the numbers; these are only their names and places.
#![no_std]
#![forbid(unsafe_code)]

mod drop_reason;
mod insecurity;
mod media;
mod metric;
mod refusal;

pub use drop_reason::DropReason;
pub use insecurity::Insecurity;
pub use media::MediaCounter;
pub use metric::{Kind, Metric, Unit};
pub use refusal::Refusal;

#[cfg(test)]
mod tests;
