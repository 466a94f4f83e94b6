//! The box between the lab's peers: what no test of a part can show.
//!
//! Each test sets a lab of its own up and ends with nobody complaining and nothing left in the box. The program `postern`
//! must have been built (`make test` does).
//!
//! Not here: the peers by themselves (`peers.rs`), other people's peers (`tests/`).

mod calls;
mod identities;
mod kit;
mod limits;
mod offers;
mod refusals;
mod transfers;
