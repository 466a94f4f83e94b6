//! SIP, sans-IO: everything between bytes that came and bytes to be sent, without a socket, a clock or a thread.
//!
//! From the wire upwards: [`framing`] finds a message in a datagram or stream, [`message`] reads and builds it,
//! [`transaction`] sends, resends and matches, [`dialog`] keeps what two parties share, [`auth`] and [`register`] prove
//! and announce who we are, [`resolve`] finds where a request goes, [`sdp`] negotiates what is heard. [`transport`] holds
//! the names that the rim and this crate use for connections.
//!
//! Machines take `now` and input, and are polled for output until there is none; chance is a seed that they are given.
//! Nothing that a stranger sends can make any of it panic or grow without bound ([`message::limits`], [`fuzz`]).
#![forbid(unsafe_code)]

pub mod auth;
pub mod dialog;
mod digits;
pub mod framing;
pub mod fuzz;
pub mod message;
pub mod register;
pub mod resolve;
pub mod sdp;
pub mod token;
pub mod transaction;
pub mod transport;
