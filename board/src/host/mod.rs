//! Any Linux as a box, without privileges: one UDP socket for each port.
//!
//! [`Ports`] is the packet port of the media plane. [`sys`] has the batched calls by themselves, for the control plane's
//! own datagram sockets.
//!
//! Not here: AF_XDP and interfaces of our own, which need rights.

mod ports;
pub mod sys;

pub use ports::{Attention, Given, Ports, Waker};
