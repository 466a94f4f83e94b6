//! One thing that happened in a call: a message on the wire, or what call control told.
//!
//! Not here: whose it is (`assembly`).

use std::net::SocketAddr;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Number of a call, as call control gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CallNumber(pub u64);

/// Number of a leg within its call: 0 is the caller's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LegNumber(pub u8);

/// Microseconds since 1970-01-01 UTC.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
pub struct Micros(pub u64);

impl Micros {
    /// So much later.
    #[must_use]
    pub const fn after(self, microseconds: u64) -> Self {
        Self(self.0.saturating_add(microseconds))
    }
}

/// One thing on the time line of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// When.
    pub at: Micros,
    /// What.
    pub what: What,
}

/// What can happen in a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// A message was received or sent.
    Message {
        /// The leg it belongs to.
        leg: LegNumber,
        /// The message.
        message: Message,
    },
    /// Call control told something, in JSON as through its door.
    Told(String),
    /// So many messages were left out from here on: a call that speaks more than this is not followed to the letter.
    LeftOut(u32),
}

/// A SIP message as it was on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Which way it went.
    pub way: Way,
    /// What it went over.
    pub transport: Transport,
    /// Our address, where it is known: a connection of ours has told none before it stands.
    pub local: Option<SocketAddr>,
    /// The peer's address.
    pub remote: SocketAddr,
    /// All of it, decrypted.
    pub bytes: Bytes,
}

/// Which way a message went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Way {
    /// To the box.
    Received,
    /// From the box.
    Sent,
}

/// What a message went over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A byte stream.
    Tcp,
    /// TLS over one.
    Tls,
}
