//! SIP as the lab speaks it: a peer's view, sharing nothing with the firmware.
//!
//! Messages are read by `rsip`; transports are tokio's and OpenSSL's; transactions are our own and just enough for a peer
//! that behaves. Everything a peer may do wrong on purpose is done above (`crate::call`).
//!
//! Not here: dialogs and calls.

pub mod endpoint;
pub mod flow;
pub mod framing;
pub mod message;
pub mod values;

pub use endpoint::{Endpoint, Incoming, Transaction};
pub use flow::{Flow, Protocol};
pub use message::{Case, Message};
