//! SRTP by `webrtc-srtp`: one context per key and way, and what a new key means.
//!
//! MED-04: a new key begins a new context, its roll-over counter at 0, on its way alone; the same key keeps the context
//! it has. For a moment after a change, packets under the old key are still taken: they were on their way.
//!
//! Not here: choosing keys (`crate::sdp`).

use std::time::{Duration, Instant};

use bytes::Bytes;
use webrtc_srtp::context::Context;
use webrtc_srtp::option::{srtcp_replay_protection, srtp_replay_protection};
use webrtc_srtp::protection_profile::ProtectionProfile;

use crate::sdp::{Crypto, Suite};

/// How long packets under the key before are still taken.
const GRACE: Duration = Duration::from_millis(500);
/// Packets of reordering that are no replay.
const WINDOW: usize = 64;

/// One way of a stream, protected or plain.
#[derive(Default)]
pub struct Way {
    now: Option<Keyed>,
    before: Option<(Keyed, Instant)>,
}

struct Keyed {
    key: Vec<u8>,
    suite: Suite,
    context: Context,
}

/// A packet that could not be unprotected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(String);

impl Way {
    /// Sets the key for this way; an unchanged one changes nothing.
    ///
    /// # Errors
    /// Where the library does not take it.
    pub fn set(&mut self, crypto: Option<&Crypto>) -> Result<(), Refused> {
        let Some(crypto) = crypto else {
            self.now = None;
            return Ok(());
        };
        let same = |keyed: &Keyed| keyed.key == crypto.key && keyed.suite == crypto.suite;
        if self.now.as_ref().is_some_and(same) {
            return Ok(());
        }
        let (length, _) = crypto.suite.lengths();
        let (key, salt) = crypto.key.split_at(length);
        let profile = match crypto.suite {
            Suite::Sha1_80 => ProtectionProfile::Aes128CmHmacSha1_80,
            Suite::Sha1_32 => ProtectionProfile::Aes128CmHmacSha1_32,
            Suite::Gcm128 => ProtectionProfile::AeadAes128Gcm,
            Suite::Gcm256 => ProtectionProfile::AeadAes256Gcm,
        };
        let context = Context::new(
            key,
            salt,
            profile,
            Some(srtp_replay_protection(WINDOW)),
            Some(srtcp_replay_protection(WINDOW)),
        )
        .map_err(|error| Refused(error.to_string()))?;
        let fresh = Keyed {
            key: crypto.key.clone(),
            suite: crypto.suite,
            context,
        };
        if let Some(old) = self.now.replace(fresh) {
            self.before = Some((old, Instant::now() + GRACE));
        }
        Ok(())
    }

    /// Begins anew under whatever key is set next, even the same.
    pub fn restart(&mut self) {
        if let Some(keyed) = self.now.take() {
            self.before = Some((keyed, Instant::now() + GRACE));
        }
    }

    /// Whether there is a key.
    #[must_use]
    pub fn is_protected(&self) -> bool {
        self.now.is_some()
    }

    /// Protects RTP.
    ///
    /// # Errors
    /// Where the library refuses.
    pub fn protect_rtp(&mut self, packet: &[u8]) -> Result<Bytes, Refused> {
        self.protect(packet, |context| context.encrypt_rtp(packet))
    }

    /// Protects RTCP.
    ///
    /// # Errors
    /// Where the library refuses.
    pub fn protect_rtcp(&mut self, packet: &[u8]) -> Result<Bytes, Refused> {
        self.protect(packet, |context| context.encrypt_rtcp(packet))
    }

    /// Unprotects RTP.
    ///
    /// # Errors
    /// Where it is not authentic, or a replay.
    pub fn unprotect_rtp(&mut self, packet: &[u8]) -> Result<Bytes, Refused> {
        self.unprotect(packet, |context| context.decrypt_rtp(packet))
    }

    /// Unprotects RTCP.
    ///
    /// # Errors
    /// Where it is not authentic, or a replay.
    pub fn unprotect_rtcp(&mut self, packet: &[u8]) -> Result<Bytes, Refused> {
        self.unprotect(packet, |context| context.decrypt_rtcp(packet))
    }

    fn protect<E: std::fmt::Display>(
        &mut self,
        plain: &[u8],
        with: impl FnOnce(&mut Context) -> Result<Bytes, E>,
    ) -> Result<Bytes, Refused> {
        match &mut self.now {
            None => Ok(Bytes::copy_from_slice(plain)),
            Some(keyed) => with(&mut keyed.context).map_err(|error| Refused(error.to_string())),
        }
    }

    fn unprotect<E: std::fmt::Display>(
        &mut self,
        packet: &[u8],
        with: impl Fn(&mut Context) -> Result<Bytes, E>,
    ) -> Result<Bytes, Refused> {
        let Some(keyed) = &mut self.now else {
            return Ok(Bytes::copy_from_slice(packet));
        };
        let refused = match with(&mut keyed.context) {
            Ok(plain) => return Ok(plain),
            Err(error) => Refused(error.to_string()),
        };
        match &mut self.before {
            Some((keyed, until)) if *until > Instant::now() => {
                with(&mut keyed.context).map_err(|_| refused)
            }
            _ => Err(refused),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::packet::Rtp;
    use super::*;

    fn packet(sequence: u16) -> Vec<u8> {
        Rtp {
            marker: false,
            payload_type: 0,
            sequence,
            timestamp: 0,
            ssrc: 9,
            payload: &[sequence as u8; 160],
        }
        .print()
    }

    #[test]
    fn the_same_key_keeps_the_roll_over_counter_and_a_new_one_resets_it() {
        for suite in Suite::ALL {
            let key = Crypto::fresh(1, suite);
            let (mut out, mut into) = (Way::default(), Way::default());
            out.set(Some(&key)).expect("a key");
            into.set(Some(&key)).expect("a key");
            for sequence in [65_534, 65_535, 0, 1] {
                let sealed = out.protect_rtp(&packet(sequence)).expect("protected");
                assert_ne!(sealed[12..172], packet(sequence)[12..172]);
                assert_eq!(
                    into.unprotect_rtp(&sealed).expect("opened"),
                    packet(sequence)
                );
                out.set(Some(&key)).expect("unchanged");
            }
            let fresh = Crypto::fresh(1, suite);
            out.set(Some(&fresh)).expect("a key");
            let mut other = Way::default();
            other.set(Some(&fresh)).expect("a key");
            let sealed = out.protect_rtp(&packet(2)).expect("protected");
            assert_eq!(
                other.unprotect_rtp(&sealed).expect("its counter is 0"),
                packet(2)
            );
        }
    }

    #[test]
    fn a_forged_packet_is_refused() {
        let key = Crypto::fresh(1, Suite::Sha1_80);
        let mut into = Way::default();
        into.set(Some(&key)).expect("a key");
        assert!(into.unprotect_rtp(&packet(1)).is_err());
    }
}
