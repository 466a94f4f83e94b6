//! The lab: a simulated Teams and a simulated carrier, to try the box against.
//!
//! Peers, not mirrors: SIP is read by `rsip`, TLS is OpenSSL's, SRTP is `webrtc-srtp`'s, and the logic of user agents is
//! written here afresh, so that a mistake made in the firmware is not made a second time here.
//!
//! - [`teams`]: three proxies, tenants, OPTIONS, calls both ways, transfers, and every refusal (`Complaint`);
//! - [`carrier`]: trunks over UDP and TCP, a registrar with digest;
//! - [`call`]: one call of either, driven by hand or by a [`call::Script`];
//! - [`media`]: real speech out, and the proof that the other side's speech came in;
//! - [`runner`]: a box with its configuration and certificates in a folder of its own, and the calls of `make run`.
//!
//! Everything lives on loopback addresses and needs no privileges; several labs run beside each other.
#![forbid(unsafe_code)]

pub mod call;
pub mod carrier;
pub mod complaint;
mod held;
pub mod media;
pub mod pki;
mod random;
pub mod runner;
pub mod sdp;
pub mod sip;
pub mod teams;

pub mod tls;
