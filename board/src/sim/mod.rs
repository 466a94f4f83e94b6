//! A network in memory: packet ports, parties that talk to them, weather between, and a clock that moves when told.
//!
//! Everything follows from the seed: the same seed gives the same losses in the same places. Time moves by [`Network::advance`],
//! or when ports wait, to the next arrival or the end of their patience.
//!
//! Not here: bandwidth, routes, fragments.

mod network;
mod ports;

pub use network::{Clock, Datagram, Network, Peer, Weather};
pub use ports::{Given, Ports};
