//! The configuration: a typed document, everything that is wrong with it at once, and snapshots for calls.
//!
//! ```
//! let text = r#"
//! version = 1
//! [media]
//! address = "127.0.0.1"
//! prots = "20000-23999"
//! "#;
//! let findings = config::parse(text).expect_err("a typing error");
//! assert!(findings.to_string().contains("line 5, column 1: media.prots"));
//! assert!(findings.to_string().contains("did you mean \"ports\"?"));
//! ```
//!
//! [`REFERENCE`] shows every setting. [`parse`] reads TOML; [`Document::snapshot`] indexes it. Pure: the contents of the files that it names are loaded and judged by the
//! rim ([`Snapshot::files`]).
#![forbid(unsafe_code)]

mod check;
pub mod document;
mod finding;
pub mod fuzz;
mod number;
mod read;
mod secret;
mod snapshot;
pub mod values;

/// Every setting with an example and a word on it, as a configuration that can be read.
pub const REFERENCE: &str = include_str!("reference.toml");

pub use document::{Document, IdentityId, ListenerId, RouteId, TenantId, TrunkId, TrustId, parse};
pub use finding::{Finding, Findings, Place, Problem};
pub use secret::Secret;
pub use snapshot::Snapshot;
