//! What the tests at the top level share: where the workspace lies, a box to run, its certificates, and a place for its files.
//!
//! Sees everything and is seen by nobody. The tests themselves are in `tests/tests/`, one file a behaviour. A box here is the
//! program as a user starts it; what a test knows of it, it knows from outside: `postern status`, its log, its processes.
//!
//! Not here: what peers are told to do (each test says it); anything a crate needs to test itself.
#![forbid(unsafe_code)]

pub mod appliance;
pub mod certificates;
pub mod peers;
pub mod place;
pub mod running;
pub mod scenario;
pub mod workspace;
