//! Doors for the fuzzers: each takes any bytes and returns.
//!
//! Beside not panicking, each holds one invariant that a wrong parser would break: translating to and fro gives the same
//! packet, a refused SRTP packet is unchanged, a rewritten header reads as written. Corpora lie in `tests/regressions/`,
//! which `media-dsp/tests/regressions.rs` replays.

use alloc::vec::Vec;

use crate::rtcp::{self, Compound};
use crate::rtp::{Header, Packet, PacketMut};
use crate::srtp::burst::{Job, unprotect};
use crate::srtp::{Keying, Limits, MasterKey, Mki, MkiRule, Receiver, Sender, Suite};
use crate::stun;

/// RTP: view and rewriting.
pub fn rtp(data: &[u8]) {
    let Ok(packet) = Packet::parse(data) else {
        return;
    };
    let parts = packet.header_len() + packet.payload().len() + packet.padding_len();
    assert_eq!(parts, data.len(), "the parts are the whole");
    let words = packet.csrcs().len()
        + packet
            .extension()
            .map_or(0, |extension| 1 + extension.data.len() / 4);
    assert_eq!(
        packet.header_len(),
        12 + 4 * words,
        "the header is its parts"
    );
    let mut copy = data.to_vec();
    let rewritten = Header {
        marker: !packet.marker(),
        ssrc: !packet.ssrc(),
        ..packet.header()
    };
    let mut packet = PacketMut::parse(&mut copy).expect("the same bytes parse again");
    packet.set_header(rewritten);
    assert_eq!(packet.header(), rewritten);
}

/// RTCP: view, iteration and translation.
pub fn rtcp(data: &[u8]) {
    let Ok(compound) = Compound::parse(data) else {
        return;
    };
    let mut lengths = 0;
    for packet in compound.packets() {
        lengths += match packet {
            rtcp::Packet::SenderReport { blocks, .. }
            | rtcp::Packet::ReceiverReport { blocks, .. } => blocks.count(),
            rtcp::Packet::SourceDescription(chunks) => {
                chunks.map(|chunk| chunk.items().count()).sum()
            }
            rtcp::Packet::Goodbye { sources, reason } => {
                sources.count() + reason.map_or(0, <[u8]>::len)
            }
            rtcp::Packet::Application { data, .. } => data.len(),
            rtcp::Packet::Feedback { fci, .. } => fci.len(),
            rtcp::Packet::ExtendedReport { blocks, .. } => {
                rtcp::Blocks::parse(blocks).map_or(blocks.len(), Iterator::count)
            }
            rtcp::Packet::Other { body, .. } => body.len(),
        };
    }
    assert!(lengths <= data.len(), "nothing is counted twice");
    let mut copy = data.to_vec();
    let mut mirror = |ssrc: u32| !ssrc;
    rtcp::translate(&mut copy, &mut mirror).expect("the same bytes parse again");
    rtcp::translate(&mut copy, &mut mirror).expect("a translated packet parses");
    assert_eq!(copy, data, "translated to and fro");
}

/// STUN: view, attributes, both checks.
pub fn stun(data: &[u8]) {
    let Ok(message) = stun::Message::parse(data) else {
        return;
    };
    let attributes = message.attributes().count();
    assert!(
        attributes <= data.len() / 4,
        "an attribute has at least its header"
    );
    let _ = (message.method(), message.class(), message.transaction_id());
    let _ = (message.integrity(b"secret"), message.fingerprint());
}

/// SRTP and SRTCP of strangers: the first byte chooses suite and MKI rule, the rest is the packet.
pub fn srtp(data: &[u8]) {
    let Some((choice, packet)) = data.split_first() else {
        return;
    };
    let suite = Suite::ALL[usize::from(choice % 6)];
    let mki = match choice / 6 % 4 {
        0 => MkiRule::Absent,
        1 => MkiRule::Exact(Mki::from_value(1, 4).expect("one fits four bytes")),
        2 => MkiRule::AnyValue(1),
        _ => MkiRule::Optional(4),
    };
    let material: Vec<u8> = (0..suite.key_len() + suite.salt_len())
        .map(|byte| byte as u8)
        .collect();
    let master = MasterKey::new(suite, &material).expect("the material has the suite's length");
    let mut receiver = Receiver::new(
        Keying {
            mki,
            ..Keying::new(master)
        },
        Limits::default(),
    );
    let mut copy = packet.to_vec();
    if receiver.unprotect_rtp(&mut copy).is_err() {
        assert_eq!(copy, packet, "a refused packet is unchanged");
        if receiver.unprotect_rtcp(&mut copy).is_err() {
            assert_eq!(copy, packet, "a refused packet is unchanged");
            assert!(
                receiver.snapshot().sources.is_empty(),
                "strangers take no place"
            );
        }
    }
    burst(suite, receiver.keying().clone(), packet);
}

/// A burst says of a packet from a source it knows what the packet by itself would have been told.
fn burst(suite: Suite, keying: Keying, packet: &[u8]) {
    let Ok((header, _)) = Header::read(packet) else {
        return;
    };
    let before = Header {
        sequence: header.sequence.wrapping_sub(1),
        ..header
    };
    let mut known = [0; 64];
    let length = before.emit(&[], &mut known).expect("a header fits");
    // Whoever writes an MKI must know its value.
    let mki = match &keying.mki {
        MkiRule::AnyValue(_) => MkiRule::Exact(Mki::from_value(1, 1).expect("one fits a byte")),
        other => other.clone(),
    };
    let mut sender = Sender::new(
        Keying {
            mki,
            ..keying.clone()
        },
        Limits::default(),
    );
    let length = sender
        .protect_rtp(&mut known, length)
        .expect("a first packet");
    let known = &known[..length];
    let [mut alone, mut together] = [(), ()].map(|()| {
        let mut receiver = Receiver::new(keying.clone(), Limits::default());
        let taken = receiver.unprotect_rtp(&mut known.to_vec());
        assert!(taken.is_ok(), "{suite}: {taken:?}");
        [receiver]
    });
    let (mut one, mut other) = (packet.to_vec(), packet.to_vec());
    let expected = alone[0].unprotect_rtp(&mut one);
    let mut jobs = [Job::new(0, &mut other[..], packet.len())];
    unprotect(&mut together[..], &mut jobs);
    assert_eq!(jobs[0].outcome, expected, "{suite}");
    assert_eq!(one, other, "{suite}");
    assert_eq!(alone[0].snapshot(), together[0].snapshot(), "{suite}");
}
