//! SRTP against `webrtc-srtp`, an implementation that shares no code with ours.
//!
//! What one protects the other reads, in both directions, for every suite, with random keys, sources, sizes, losses and
//! wraps; for SRTP even the bytes are equal.

use media_dsp::rtcp::{Builder, Ntp, ReportBlock, SenderInfo};
use media_dsp::rtp::Header;
use media_dsp::srtp::{Keying, Limits, MasterKey, Receiver, Sender, Suite};
use proptest::prelude::*;
use webrtc_srtp::context::Context;
use webrtc_srtp::protection_profile::ProtectionProfile;

fn profile(suite: Suite) -> ProtectionProfile {
    match suite {
        Suite::AesCm128HmacSha1_80 => ProtectionProfile::Aes128CmHmacSha1_80,
        Suite::AesCm128HmacSha1_32 => ProtectionProfile::Aes128CmHmacSha1_32,
        Suite::AesCm256HmacSha1_80 => ProtectionProfile::Aes256CmHmacSha1_80,
        Suite::AesCm256HmacSha1_32 => ProtectionProfile::Aes256CmHmacSha1_32,
        Suite::AeadAes128Gcm => ProtectionProfile::AeadAes128Gcm,
        Suite::AeadAes256Gcm => ProtectionProfile::AeadAes256Gcm,
    }
}

/// Ours and theirs with one key.
struct Peers {
    sender: Sender,
    receiver: Receiver,
    their_sender: Context,
    their_receiver: Context,
}

impl Peers {
    fn new(suite: Suite, material: &[u8; 46]) -> Self {
        let material = &material[..suite.key_len() + suite.salt_len()];
        let (key, salt) = material.split_at(suite.key_len());
        let keying = Keying::new(MasterKey::new(suite, material).expect("the suite's length"));
        let theirs =
            || Context::new(key, salt, profile(suite), None, None).expect("the suite's lengths");
        Self {
            sender: Sender::new(keying.clone(), Limits::default()),
            receiver: Receiver::new(keying, Limits::default()),
            their_sender: theirs(),
            their_receiver: theirs(),
        }
    }

    fn rtp(&mut self, plain: &[u8]) {
        let mut buffer = plain.to_vec();
        buffer.resize(plain.len() + 16, 0);
        let length = self
            .sender
            .protect_rtp(&mut buffer, plain.len())
            .expect("a new index");
        let theirs = self.their_sender.encrypt_rtp(plain).expect("a new index");
        assert_eq!(buffer[..length], theirs[..], "the same bytes");

        let read = self
            .their_receiver
            .decrypt_rtp(&buffer[..length])
            .expect("they verify ours");
        assert_eq!(read[..], *plain);
        let mut theirs = theirs.to_vec();
        let length = self
            .receiver
            .unprotect_rtp(&mut theirs)
            .expect("we verify theirs");
        assert_eq!(theirs[..length], *plain);
    }

    /// Their first SRTCP index is 1, ours is 0 as RFC 3711 §3.4 says; so the bytes differ and only the reading agrees.
    fn rtcp(&mut self, plain: &[u8]) {
        let mut buffer = plain.to_vec();
        buffer.resize(plain.len() + 24, 0);
        let length = self
            .sender
            .protect_rtcp(&mut buffer, plain.len())
            .expect("a new index");
        let read = self
            .their_receiver
            .decrypt_rtcp(&buffer[..length])
            .expect("they verify ours");
        assert_eq!(read[..], *plain);

        let mut theirs = self
            .their_sender
            .encrypt_rtcp(plain)
            .expect("a new index")
            .to_vec();
        let length = self
            .receiver
            .unprotect_rtcp(&mut theirs)
            .expect("we verify theirs");
        assert_eq!(theirs[..length], *plain);
    }
}

fn report(ssrc: u32, blocks: usize) -> Vec<u8> {
    let mut packet = vec![0; 1_024];
    let info = SenderInfo {
        ntp: Ntp(1),
        rtp_timestamp: 2,
        packets: 3,
        octets: 4,
    };
    let mut builder = Builder::new(&mut packet);
    builder
        .sender_report(ssrc, &info, &vec![ReportBlock::default(); blocks])
        .and_then(|b| b.cname(ssrc, b"a@b"))
        .expect("a kilobyte holds it");
    let length = builder.finish();
    packet.truncate(length);
    packet
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_one_protects_the_other_reads(
        suite in prop::sample::select(&Suite::ALL[..]),
        material in any::<[u8; 46]>(),
        ssrc in any::<u32>(),
        start in prop_oneof![any::<u16>(), 65_400_u16..=u16::MAX],
        packets in prop::collection::vec((1_u16..40, 0_usize..240, 0_u8..4), 1..60),
    ) {
        let mut peers = Peers::new(suite, &material);
        let mut sequence = start;
        for (gap, size, csrcs) in packets {
            let header = Header { marker: gap == 1, payload_type: 8, sequence, timestamp: u32::from(sequence) * 160, ssrc };
            let mut plain = vec![0; 12 + size];
            header.emit(&vec![gap as u8; size], &mut plain).expect("the buffer was made for it");
            plain[0] |= csrcs;
            plain.splice(12..12, vec![csrcs; 4 * usize::from(csrcs)]);
            peers.rtp(&plain);
            peers.rtcp(&report(ssrc, usize::from(csrcs)));
            sequence = sequence.wrapping_add(gap);
        }
    }
}
