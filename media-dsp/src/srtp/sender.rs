//! Protecting what leaves.
//!
//! Not here: unprotecting (`receiver.rs`), the transforms (`cipher.rs`).

use super::{ContextState, Keying, Limits, ProtectError, Rekey, RestoreError};

/// Protects the packets of one direction.
pub struct Sender {
    keying: Keying,
}

impl Sender {
    /// Derives the session keys and sets memory aside; nothing is allocated afterwards.
    pub fn new(keying: Keying, _limits: Limits) -> Self {
        Self { keying }
    }

    /// Protects the RTP packet in `buffer[..length]` where it lies and gives its new length.
    ///
    /// # Errors
    /// [`ProtectError`]; the packet must not be sent then.
    pub fn protect_rtp(
        &mut self,
        _buffer: &mut [u8],
        _length: usize,
    ) -> Result<usize, ProtectError> {
        todo!()
    }

    /// Protects the compound RTCP packet in `buffer[..length]` where it lies and gives its new length.
    ///
    /// # Errors
    /// [`ProtectError`]; the packet must not be sent then.
    pub fn protect_rtcp(
        &mut self,
        _buffer: &mut [u8],
        _length: usize,
    ) -> Result<usize, ProtectError> {
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

    /// Packets that may still be protected with this key.
    pub fn remaining(&self) -> u64 {
        todo!()
    }

    /// The state as plain data, for a standby.
    pub fn snapshot(&self) -> ContextState {
        todo!()
    }

    /// Takes over a snapshot of the same keying; SRTCP indices go on `rtcp_lead` further.
    ///
    /// # Errors
    /// [`RestoreError`] when the snapshot does not fit.
    pub fn restore(&mut self, _state: &ContextState, _rtcp_lead: u32) -> Result<(), RestoreError> {
        todo!()
    }
}
