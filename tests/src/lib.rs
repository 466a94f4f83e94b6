//! What the tests at the top level share: where the workspace lies, and where its programs were built.
//!
//! Sees everything and is seen by nobody. The tests themselves are in `tests/tests/`, one file a behaviour.
//!
//! Not here: anything a crate needs to test itself.
#![forbid(unsafe_code)]

pub mod workspace;
