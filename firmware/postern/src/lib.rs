//! The rim: sockets, threads, processes, the clock. All that decides lies below, in crates that know none of these.
//!
//! - [`tls`]: identities, trust, verifiers.
//! - [`net`]: listeners and connections; bytes in, bytes out.
//! - [`media`]: the media process.
//! - [`console`]: the console process.
//! - [`log`]: what is said, and how often a stranger can make us say it.
#![forbid(unsafe_code)]

mod certificate;
pub mod cli;
mod clock;
pub mod configuration;
pub mod console;
pub mod control;
pub mod doctor;
pub mod journal;
pub mod ladder;
pub mod log;
pub mod media;
pub mod media_link;
pub mod net;
mod notary;
pub mod resolver;
pub mod run_dir;
pub mod status;
pub mod supervise;
pub mod tls;
mod watch;
