//! Doors for the fuzzers.
