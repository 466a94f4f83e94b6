//! What happened on the network, counted by name. One writer, so plain cells.
//!
//! The names are those of `measure` where it has them; every way for a connection to end has its own count.
//!
//! Not here: what calls count.

use std::cell::Cell;

use serde::Serialize;

use super::End;

/// A number that only grows.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Count(Cell<u64>);

impl Count {
    pub(super) fn add(&self) {
        self.add_many(1);
    }

    pub(super) fn add_many(&self, count: u64) {
        self.0.set(self.0.get() + count);
    }

    /// The number.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.get()
    }
}

/// The counts of one network.
#[derive(Debug, Default, Serialize)]
pub struct Counts {
    /// Messages and datagrams that came.
    pub received: Count,
    /// Messages handed to the network or to a connection.
    pub sent: Count,
    /// Datagrams lost here, the socket's buffer being full.
    pub send_dropped: Count,
    /// Messages that no way led to.
    pub send_refused: Count,
    /// Datagrams that were no SIP message.
    pub malformed: Count,
    /// Connections that came.
    pub accepted: Count,
    /// Connections closed at once: their source, or all strangers, held enough.
    pub refused: Count,
    /// Accepting failed, for want of descriptors or memory.
    pub accept_failed: Count,
    /// TLS handshakes of others that came to nothing.
    pub handshake_failed: Count,
    /// Connections of ours that came to be.
    pub connected: Count,
    /// Connections of ours that did not.
    pub connect_failed: Count,
    /// Ended by the peer.
    pub ended_peer: Count,
    /// Ended by a fault of the network or of TLS.
    pub ended_broken: Count,
    /// Ended because what came was no SIP.
    pub ended_malformed: Count,
    /// Ended because a message took too long to come.
    pub ended_slow: Count,
    /// Ended for silence.
    pub ended_idle: Count,
    /// Ended because the peer did not read.
    pub ended_unread: Count,
    /// Ended by us, to be made anew.
    pub ended_drained: Count,
}

impl Counts {
    pub(super) fn ended(&self, end: End) {
        match end {
            End::Peer => self.ended_peer.add(),
            End::Broken => self.ended_broken.add(),
            End::Malformed => self.ended_malformed.add(),
            End::Slow => self.ended_slow.add(),
            End::Idle => self.ended_idle.add(),
            End::Unread => self.ended_unread.add(),
            End::Drained => self.ended_drained.add(),
        }
    }
}
