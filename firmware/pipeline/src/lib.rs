//! Bursts of packets in, verdicts, bursts out.
//!
//! A [`Worker`] owns packet ports, a clock and a [`Pipeline`], and does turns: wait for packets, pass each burst through, do
//! what is due. The pipeline holds the streams it was told ([`media_api::Command`]) and tells what happens to them
//! ([`media_api::Event`]). It has no policy.
//!
//! The way of a packet, one file each; those of a burst go it together (`burst.rs`):
//!
//! ```text
//!  rx_burst → classify (RFC 7983) → flow/table: stream by port → gate: may this source speak → SRTP unprotect
//!           → relay: peer, direction, payload type → rewrite: SSRC, number, time → SRTP protect → tx_burst
//!  DTLS:      dtls: to whoever works on handshakes, whose keys come back
//!  STUN:      ice: who knows our password is answered, and tells where media goes
//!  RTCP:      gate → SRTCP unprotect → rtcp: taken for statistics, rewritten for the peer → SRTCP protect → tx_burst
//! ```
//!
//! Invariants: a packet is relayed where it lies, without lock, allocation, log or system call of its own (`no_allocation.rs`
//! counts); it ends in one [`Verdict`], and every drop is counted under one [`measure::DropReason`]; what does not authenticate
//! on a keyed stream reaches nobody and changes nothing; nothing is sent back to where it came from but answers to ICE checks that
//! authenticate.
//!
//! Not here: sockets, threads, the clock (arguments); call control (`call`); bytes of RTP and SRTP (`media-dsp`).
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod burst;
mod classify;
mod commands;
mod counters;
pub mod dtls;
mod flow;
mod gate;
mod handover;
mod ice;
mod news;
mod quality;
mod relay;
mod report;
mod rewrite;
mod rtcp;
mod tone;
mod verdict;
mod vigil;
mod worker;

pub use classify::{Kind, classify};
pub use counters::Totals;
pub use handover::Parcel;
pub use relay::Pipeline;
pub use verdict::Verdict;
pub use worker::{Moment, Worker};
