//! SIP, sans-IO: messages, framing, transactions, dialogs, authentication, resolution, SDP.
#![forbid(unsafe_code)]

pub mod auth;
pub mod dialog;
pub mod framing;
pub mod fuzz;
pub mod message;
pub mod register;
pub mod resolve;
pub mod sdp;
pub mod token;
pub mod transaction;
pub mod transport;
