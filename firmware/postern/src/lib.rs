//! The rim: sockets, threads, processes, the clock. All that decides lies below, in crates that know none of these.
//!
//! - [`tls`]: identities, trust, verifiers.
#![forbid(unsafe_code)]

pub mod tls;
