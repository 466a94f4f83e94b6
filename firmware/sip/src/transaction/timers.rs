//! The timers of RFC 3261 table 4 and RFC 6026, as one table.
//!
//! | Timer | What it does                              | UDP                   | TCP, TLS | Machine             |
//! |-------|-------------------------------------------|-----------------------|----------|---------------------|
//! | A     | resends INVITE                            | T1, doubling          | never    | client `Calling`    |
//! | B     | gives INVITE up                           | 64*T1, or the user's patience | same | client `Calling` |
//! | D     | acknowledges repeated refusals            | 64*T1, at least 32 s  | 0        | client `Refused`    |
//! | E     | resends others                            | T1, doubling up to T2 | never    | client `Trying`, `Proceeding` |
//! | F     | gives others up                           | 64*T1, or the user's patience | same | client `Trying`, `Proceeding` |
//! | G     | repeats a refusal of INVITE               | T1, doubling up to T2 | never    | server `Refused`    |
//! | H     | gives up waiting for its ACK              | 64*T1                 | same     | server `Refused`    |
//! | I     | absorbs further ACKs                      | T4                    | 0        | server `Confirmed`  |
//! | J     | repeats the answer to others              | 64*T1                 | 0        | server `Done`       |
//! | K     | absorbs repeated answers to others        | T4                    | 0        | client `Done`       |
//! | L     | absorbs repeated INVITEs after a 2xx      | 64*T1                 | same     | server `Answered`, `Acknowledged` |
//! | M     | takes 2xx of further forks                | 64*T1                 | same     | client `Accepted`   |
//! | –     | repeats a 2xx until its ACK (§13.3.1.4)   | T1, doubling up to T2 | same     | server `Answered`   |

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
