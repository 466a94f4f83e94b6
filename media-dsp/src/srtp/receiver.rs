//! Unprotecting what arrives.
//!
//! Not here: protecting (`sender.rs`), the transforms (`cipher.rs`).

use super::{ContextState, Keying, Limits, Rekey, RestoreError, UnprotectError};

/// Unprotects the packets of one direction.
pub struct Receiver {
    keying: Keying,
}

impl Receiver {
    /// Derives the session keys and sets memory aside; nothing is allocated afterwards.
    pub fn new(keying: Keying, _limits: Limits) -> Self {
        Self { keying }
    }

    /// Verifies and decrypts the SRTP packet where it lies and gives the length of the RTP packet at its start.
    ///
    /// # Errors
    /// [`UnprotectError`]; neither the bytes nor any state have changed then.
    pub fn unprotect_rtp(&mut self, _packet: &mut [u8]) -> Result<usize, UnprotectError> {
        todo!()
    }

    /// Verifies and decrypts the SRTCP packet where it lies and gives the length of the RTCP packet at its start.
    ///
    /// # Errors
    /// [`UnprotectError`]; neither the bytes nor any state have changed then.
    pub fn unprotect_rtcp(&mut self, _packet: &mut [u8]) -> Result<usize, UnprotectError> {
        todo!()
    }

    /// Takes over what a new description says (MED-04: the same key keeps its state, another starts at roll-over 0).
    pub fn rekey(&mut self, _keying: Keying) -> Rekey {
        todo!()
    }

    /// The keying in use.
    pub fn keying(&self) -> &Keying {
        &self.keying
    }

    /// Packets the peer may still send with this key by its own declaration; zero is not enforced here.
    pub fn remaining(&self) -> u64 {
        todo!()
    }

    /// The state as plain data, for a standby.
    pub fn snapshot(&self) -> ContextState {
        todo!()
    }

    /// Takes over a snapshot of the same keying.
    ///
    /// # Errors
    /// [`RestoreError`] when the snapshot does not fit.
    pub fn restore(&mut self, _state: &ContextState) -> Result<(), RestoreError> {
        todo!()
    }
}
