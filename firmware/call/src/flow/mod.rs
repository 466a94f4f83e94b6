//! What a call does: one file a flow, each an `impl Call` for the events that belong to it.
//!
//! `setup` hunts and rings (failover, forks, early media), `exchange` carries an offer from one leg to the other (hold,
//! resume, codec changes), `transfer` replaces a party (REFER, Replaces), `release` ends.

pub(crate) mod exchange;
pub(crate) mod release;
pub(crate) mod setup;
pub(crate) mod transfer;
