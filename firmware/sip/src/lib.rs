//! SIP, sans-IO: messages, framing, transactions, dialogs, authentication, resolution, SDP.
#![forbid(unsafe_code)]

pub mod framing;
pub mod message;
pub mod transport;
