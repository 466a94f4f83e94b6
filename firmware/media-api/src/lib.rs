//! What control says to media and hears from it.
//!
//! Two processes share this contract and nothing else: [`Command`]s go one way and [`Event`]s the other, as `postcard` frames
//! ([`frame`]) over a Unix stream socket; counts of the whole process lie in a page of shared memory ([`shared`]).
//!
//! # A conversation
//! Control connects and says [`Command::Hello`]; media answers [`Event::Hello`] with its own version and closes if the two
//! differ. Control then asks [`Command::List`] and adopts what it knows, removes what it does not. From there on it tells
//! streams ([`Command::Put`]) and who relays to whom ([`Command::Link`]). Every command may be repeated without harm. When
//! control goes away, streams stay: they are removed by command only, or after [`ORPHAN_AFTER`] without control and in silence.
//! A second control that connects takes the place of the first.
//!
//! # Change
//! Whoever changes what any type here looks like on the wire or in the page raises [`VERSION`]; `tests/contract.rs` holds the
//! bytes of every variant and fails otherwise. [`Command::Hello`] and [`Event::Hello`] never change.
//!
//! Not here: sockets, policy, negotiation. Media obeys; it does not know what a call is.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod command;
mod dtls;
mod event;
pub mod frame;
pub mod fuzz;
mod key;
pub mod shared;
mod statistics;
mod stream;
mod version;

pub use command::{Command, Tone};
pub use dtls::{Dtls, Fingerprint, Handshake};
pub use event::Event;
pub use frame::{Decoder, Frame, FrameError, encode};
pub use key::{KeyMaterial, MkiRule, Sdes, Suite};
pub use statistics::{Metrics, PeerReport, Quality, Received, Sent, Statistics};
pub use stream::{
    Codec, Direction, Ice, Law, Millis, PayloadMap, Region, Remote, Rtcp, SourceGate, StreamId,
    StreamSpec, ToneFormat,
};
pub use version::{ORPHAN_AFTER, VERSION, Version};
