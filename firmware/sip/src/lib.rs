//! SIP, sans-IO: messages, framing, transactions, dialogs, authentication, resolution, SDP.
#![forbid(unsafe_code)]

pub mod transport;
