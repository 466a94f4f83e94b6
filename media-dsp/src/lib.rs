//! Media as bytes and samples: RTP, RTCP, SRTP, STUN, G.711, tones, reception quality.
//!
//! Everything works in the caller's buffer. Memory is allocated when a stream is set up ([`srtp::Sender::new`],
//! [`srtp::Receiver::new`]) and never for a packet; `tests/no_allocation.rs` counts. Parsers look once at the lengths and
//! then give infallible accessors; none of them panics on any input (`fuzz`, `tests/regressions.rs`).
//!
//! Not here: sockets, clocks, threads, flows, policy. Arrival times and NTP times are arguments, in the units of
//! [`quality`]. Which bytes are RTP, RTCP, STUN or DTLS (RFC 7983) is the pipeline's question.

#![no_std]
#![deny(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod codec;
pub mod fuzz;
pub mod quality;
pub mod rtcp;
pub mod rtp;
pub mod simd;
pub mod srtp;
pub mod stun;
pub mod tone;

/// The caller's buffer is too small for what was to be written into it; nothing was written that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoRoom {
    /// Bytes the buffer would have had to hold.
    pub needed: usize,
}

impl core::fmt::Display for NoRoom {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "the buffer would need {} bytes", self.needed)
    }
}

impl core::error::Error for NoRoom {}
