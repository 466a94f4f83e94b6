//! What the box keeps on disk: every call as it was ([`trace`]).
//!
//! Bounded in space, whatever happens on the network; whole after a power cut, but for the last moments; readable by its owner
//! alone. Time and randomness are arguments.
//!
//! Not here: what the journal of calls in progress says (`call::journal`); who may see what (`console`).
#![forbid(unsafe_code)]

pub mod trace;
