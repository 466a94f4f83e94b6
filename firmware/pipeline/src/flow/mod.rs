//! The streams: what one is, where they are found, how one comes to be as its spec says.
//!
//! Not here: what happens to packets.

pub(crate) mod entry;
pub(crate) mod install;
pub(crate) mod table;

pub(crate) use entry::{Incoming, Mapping, Stream, UNMAPPED};
pub(crate) use table::{Purpose, Slot, Table};
