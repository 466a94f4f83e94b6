//! The timers of RFC 3261 table 4 and RFC 6026, as one table.
//!
//! Unreliable transports retransmit (A, E, G) and linger for what is still under way (D, I, J, K); reliable ones do neither. B, F, H,
//! L and M bound every wait to 64*T1.

use embassy_time::Duration;

/// The base values; everything else follows from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timers {
    /// Round-trip estimate, 500 ms.
    pub t1: Duration,
    /// The longest retransmission interval, 4 s.
    pub t2: Duration,
    /// How long a message stays in the network, 5 s.
    pub t4: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
        }
    }
}

impl Timers {
    /// Timers B, F, H, L and M: 64*T1.
    #[must_use]
    pub fn give_up(&self) -> Duration {
        self.t1 * 64
    }

    /// Timer D: how long an INVITE that was refused waits for repeated refusals; at least 32 s on UDP (RFC 3261 §17.1.1.2).
    #[must_use]
    pub fn d(&self, reliability: Reliability) -> Duration {
        reliability.linger(self.give_up().max(Duration::from_secs(32)))
    }

    /// Timer I: how long ACKs are absorbed.
    #[must_use]
    pub fn i(&self, reliability: Reliability) -> Duration {
        reliability.linger(self.t4)
    }

    /// Timer J: how long a repeated request gets its answer again.
    #[must_use]
    pub fn j(&self, reliability: Reliability) -> Duration {
        reliability.linger(self.give_up())
    }

    /// Timer K: how long repeated responses are absorbed.
    #[must_use]
    pub fn k(&self, reliability: Reliability) -> Duration {
        reliability.linger(self.t4)
    }
}

/// What the transport does about loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reliability {
    /// Nothing: UDP.
    Unreliable,
    /// It resends by itself: TCP, TLS.
    Reliable,
}

impl Reliability {
    /// Of a transport.
    #[must_use]
    pub const fn of(transport: crate::transport::Transport) -> Self {
        if transport.is_reliable() {
            Self::Reliable
        } else {
            Self::Unreliable
        }
    }

    const fn linger(self, time: Duration) -> Duration {
        match self {
            Self::Unreliable => time,
            Self::Reliable => Duration::from_ticks(0),
        }
    }
}
