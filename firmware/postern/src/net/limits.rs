//! How long the network waits for anything, all in one place, so that tests can wait less.
//!
//! Counts and sizes are constants beside what they bound; only times are here.

use std::time::Duration;

/// The times.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// From connecting to the end of the handshake. INV-13: a target that does not answer is left after 4 s.
    pub connect: Duration,
    /// A client's TLS handshake, from accepting to its end.
    pub handshake: Duration,
    /// From the first byte of a message to its last.
    pub message: Duration,
    /// From the connection to its first message, for those who connect to us.
    pub first_message: Duration,
    /// Without a message either way. Teams sends OPTIONS every minute.
    pub idle: Duration,
    /// Without a byte taken by a peer who has bytes to take.
    pub stall: Duration,
    /// RFC 5626 §3.5.1: a ping before firewalls forget a silent connection of ours.
    pub ping: Duration,
    /// A connection being drained ends when quiet for so long,
    pub quiet: Duration,
    /// and at the latest after 64*T1 (RFC 3261 §17.1.1.2), when every transaction but a ringing INVITE is over.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(4),
            handshake: Duration::from_secs(5),
            message: Duration::from_secs(10),
            first_message: Duration::from_secs(30),
            idle: Duration::from_secs(900),
            stall: Duration::from_secs(10),
            ping: Duration::from_secs(90),
            quiet: Duration::from_secs(4),
            drain: Duration::from_secs(32),
        }
    }
}
