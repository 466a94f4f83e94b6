//! Rewriting a compound packet for the other leg, where it lies.
//!
//! A relay that shows its own SSRCs, timestamps or sequence numbers must tell the same story in RTCP, or the far end's
//! reports are about sources nobody knows (RFC 3550 §7.2). Lengths never change.
//!
//! Not here: sequence numbers inside feedback (generic NACK, transport-wide feedback); packets of unknown types.

use super::{
    APPLICATION, Compound, EXTENDED_REPORT, GOODBYE, Malformed, PAYLOAD_FEEDBACK, RECEIVER_REPORT,
    ReportBlock, SENDER_REPORT, SOURCE_DESCRIPTION, SenderInfo, TRANSPORT_FEEDBACK,
};

/// How names and numbers of one leg become those of the other. A closure from SSRC to SSRC is one.
pub trait Translate {
    /// The other leg's name of a source; a source that has none keeps its own.
    fn ssrc(&mut self, ssrc: u32) -> u32;

    /// What `source` (named as on this leg) has sent, as it was sent on the other leg: the media clock there, the counts there.
    fn sender_info(&mut self, source: u32, info: SenderInfo) -> SenderInfo {
        let _ = source;
        info
    }

    /// How a source is heard, in terms of the other leg. The block still names it as on this leg, and its name is translated
    /// apart.
    fn block(&mut self, block: ReportBlock) -> ReportBlock {
        block
    }
}

impl<F: FnMut(u32) -> u32> Translate for F {
    fn ssrc(&mut self, ssrc: u32) -> u32 {
        self(ssrc)
    }
}

/// Rewrites every source of the compound packet `bytes`.
///
/// # Errors
/// [`Malformed`] as [`Compound::parse`]; nothing has been changed then.
pub fn translate(bytes: &mut [u8], with: &mut impl Translate) -> Result<(), Malformed> {
    Compound::parse(bytes)?;
    let mut rest = bytes;
    while let Some(&[first, packet_type, high, low]) = rest.first_chunk() {
        let length = 4 + 4 * usize::from(u16::from_be_bytes([high, low]));
        let (packet, following) = rest.split_at_mut(length);
        let padding = if first & 0x20 == 0 {
            0
        } else {
            usize::from(packet[length - 1])
        };
        let body = &mut packet[4..length - padding];
        rewrite_packet(packet_type, first & 0x1f, body, with);
        rest = following;
    }
    Ok(())
}

fn rewrite_packet(packet_type: u8, count: u8, body: &mut [u8], with: &mut impl Translate) {
    match packet_type {
        SENDER_REPORT => {
            let source = read(body, 0);
            rewrite(body, 0, with);
            if let Some(place) = body[4..].first_chunk_mut::<{ SenderInfo::LENGTH }>() {
                *place = with.sender_info(source, SenderInfo::read(place)).bytes();
            }
            rewrite_blocks(&mut body[4 + SenderInfo::LENGTH..], count, with);
        }
        RECEIVER_REPORT => {
            rewrite(body, 0, with);
            rewrite_blocks(&mut body[4..], count, with);
        }
        SOURCE_DESCRIPTION => rewrite_chunks(body, count, with),
        GOODBYE => (0..usize::from(count)).for_each(|index| rewrite(body, 4 * index, with)),
        APPLICATION => rewrite(body, 0, with),
        TRANSPORT_FEEDBACK | PAYLOAD_FEEDBACK => {
            rewrite(body, 0, with);
            rewrite(body, 4, with);
            rewrite_feedback(packet_type, count, &mut body[8..], with);
        }
        EXTENDED_REPORT => {
            rewrite(body, 0, with);
            rewrite_extended(&mut body[4..], with);
        }
        _ => {}
    }
}

fn rewrite_blocks(bytes: &mut [u8], count: u8, with: &mut impl Translate) {
    for block in bytes
        .as_chunks_mut::<{ ReportBlock::LENGTH }>()
        .0
        .iter_mut()
        .take(usize::from(count))
    {
        let told = ReportBlock::read(block);
        let ssrc = with.ssrc(told.ssrc);
        *block = ReportBlock {
            ssrc,
            ..with.block(told)
        }
        .bytes();
    }
}

fn rewrite_chunks(body: &mut [u8], count: u8, with: &mut impl Translate) {
    let mut at = 0;
    for _ in 0..count {
        rewrite(body, at, with);
        at += 4;
        while at < body.len() && body[at] != 0 {
            at += 2 + usize::from(body[at + 1]);
        }
        at = (at + 4) & !3;
    }
}

/// Formats whose control information names sources: TMMBR, TMMBN (RFC 5104 §4.2) and FIR, TSTR, TSTN, VBCM (§4.3) have
/// entries that begin with one; FIR's kin all have eight bytes and more, the first two families exactly eight.
fn rewrite_feedback(packet_type: u8, format: u8, fci: &mut [u8], with: &mut impl Translate) {
    let has_entries = match packet_type {
        TRANSPORT_FEEDBACK => matches!(format, 3 | 4),
        _ => matches!(format, 4..=6),
    };
    if has_entries {
        for entry in fci.as_chunks_mut::<8>().0 {
            rewrite(entry, 0, with);
        }
    }
}

/// Block types of RFC 3611 §4 that name sources: one at the start of most, one for each sub-block of DLRR.
fn rewrite_extended(mut blocks: &mut [u8], with: &mut impl Translate) {
    while let Some(&[kind, _, high, low]) = blocks.first_chunk() {
        let length = 4 + 4 * usize::from(u16::from_be_bytes([high, low]));
        let Some((block, rest)) = blocks.split_at_mut_checked(length) else {
            return;
        };
        let body = &mut block[4..];
        match kind {
            1 | 2 | 3 | 6 | 7 if body.len() >= 4 => rewrite(body, 0, with),
            5 => body
                .as_chunks_mut::<12>()
                .0
                .iter_mut()
                .for_each(|entry| rewrite(entry, 0, with)),
            _ => {}
        }
        blocks = rest;
    }
}

fn rewrite(bytes: &mut [u8], at: usize, with: &mut impl Translate) {
    let ssrc = with.ssrc(read(bytes, at));
    write(bytes, at, ssrc);
}

fn read(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn write(bytes: &mut [u8], at: usize, word: u32) {
    bytes[at..at + 4].copy_from_slice(&word.to_be_bytes());
}
