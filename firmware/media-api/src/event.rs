//! What media tells.
//!
//! Answers to commands, and news of streams. News are told once each: [`Event::RtpStarted`] again only after the party's
//! address or key has changed, [`Event::Silent`] again only after [`Event::Resumed`]. News that nobody takes in time are lost
//! and counted (`events_lost`), answers are not; control that comes back asks for `Command::Statistics`.
//!
//! Not here: how they travel (`frame.rs`).

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::num::NonZeroU8;

use measure::{Insecurity, Refusal};
use serde::{Deserialize, Serialize};

use crate::{Fingerprint, Millis, Statistics, StreamId, Version};

/// What media tells control.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// Answer to `Command::Hello`; the connection ends behind it if the versions differ.
    Hello {
        /// Media's version of the contract.
        version: Version,
        /// Its process.
        pid: u32,
        /// Streams it can hold.
        capacity: u32,
    },
    /// Behind `Hello`: the certificate by which parties know media in a handshake.
    Certificate(Fingerprint),
    /// Behind `Certificate`: how many workers share the streams. A port belongs to worker `port / 2 % workers`; streams that relay to
    /// each other are brought together wherever their ports lie, and need not be where these agree.
    Workers(NonZeroU8),
    /// The handshake is done: the stream is keyed.
    Secured {
        /// The stream.
        id: StreamId,
    },
    /// There will be no keys: nothing of the party is heard, nor sent to it, until the stream is put with another association.
    Insecure {
        /// The stream.
        id: StreamId,
        /// Why.
        reason: Insecurity,
    },
    /// A command was not obeyed and nothing has changed.
    Refused {
        /// The stream it was about; the first one of a link.
        id: StreamId,
        /// Why.
        reason: Refusal,
    },
    /// The first RTP packet has been accepted: past the gate and authentic where keyed (INV-17).
    RtpStarted {
        /// The stream.
        id: StreamId,
    },
    /// The party sends from elsewhere than signalled, or has moved; what is for it goes there now.
    Latched {
        /// The stream.
        id: StreamId,
        /// Where it is.
        address: SocketAddr,
    },
    /// Nothing accepted for as long as the spec says, although the stream receives (MED-09: told, never acted on).
    Silent {
        /// The stream.
        id: StreamId,
        /// How long by now.
        since: Millis,
    },
    /// Heard again after `Silent`.
    Resumed {
        /// The stream.
        id: StreamId,
    },
    /// Answer to `Command::Statistics`.
    Statistics {
        /// The stream.
        id: StreamId,
        /// Its counts so far.
        statistics: Box<Statistics>,
    },
    /// Answer to `Command::List`: every stream held.
    Streams(Vec<StreamId>),
    /// The stream is gone.
    Removed {
        /// The stream.
        id: StreamId,
        /// Its final counts; all zero if there was no such stream.
        statistics: Box<Statistics>,
    },
    /// Answer to `Command::Ping`.
    Pong,
}
