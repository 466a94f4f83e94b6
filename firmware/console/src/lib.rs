//! The console: what people and their programs see of the box in a browser, and by which they set it up.
//!
//! ```text
//!  browser, programs ──► serve (TLS) ──► shield (headers) ──► api (JSON) or pages (HTML)
//!                                                               │
//!            accounts (who, what they may) ◄────────────────────┼──► plane (asks control through its door)
//!            documents (versions, checks, commit, undo) ◄───────┘
//! ```
//!
//! A process of its own: whatever happens here, calls go on. All that a page shows or does, the API does for whoever has the same
//! rights; pages call the same functions. Everything that comes from a browser or was said over SIP is hostile until it has been
//! parsed into a type, and leaves as text that is escaped.
//!
//! Time and randomness come from outside ([`World`]), and so does the last word on a document ([`Judge`]).
//!
//! Not here: calls (`call`), what is kept and how (`store`), what settings mean (`config`).
#![forbid(unsafe_code)]

mod access;
mod accounts;
mod api;
mod app;
pub mod certificates;
pub mod doctor;
mod documents;
mod pages;
mod plane;
mod pulse;
mod serve;
mod shield;
mod text;
mod world;

pub use api::document as openapi;
pub use app::{Console, OpenError, Settings};
pub use documents::{Fault, Judge};
pub use world::World;
