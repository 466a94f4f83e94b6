//! Call control: a back-to-back user agent with topology hiding, sans-IO.
//!
//! ```text
//! SIP message ─► transaction layer ─► leg (one side: dialog, session timer, offer/answer) ─► call (two legs) ─► the other leg
//!                                                     route::choose ◄─┘            └─► media commands, events, journal
//! ```
//!
//! [`Core`] owns every call. It has the four verbs of all machines of this project: [`Core::handle`] takes an input,
//! [`Core::poll`] gives outputs until `None`, [`Core::deadline`] says when [`Input::Wake`] is due. Drain `poll` after
//! every input. It owns no socket, asks no clock and spawns nothing; the same inputs and seed give the same outputs.
//!
//! Where to look: what a call does with an event of a leg is in `call` and `flow/`; what a leg says on the wire in `leg/`; where
//! a call goes in [`route`]; what stands in its SDP in [`media`]; what survives a restart in [`journal`].
//!
//! Not here: sockets, TLS, DNS lookups, files (the `postern` program), packets (`pipeline`).
#![forbid(unsafe_code)]

pub mod api;
pub mod cause;
pub mod journal;
pub mod media;
pub mod route;

mod adopt;
mod call;
mod core;
mod courier;
mod desk;
mod flow;
mod leg;
mod reception;
mod registration;
mod teams;
mod trunk;

pub use crate::core::{Core, Input, Now, Output};
