//! Writing compound packets into the caller's buffer.
//!
//! A compound begins with a report and carries the sender's CNAME (RFC 3550 §6.1); the caller keeps that order. A packet
//! that does not fit is not begun, so what was written before stays a whole compound.
//!
//! Not here: padding, feedback (it is relayed, never made).

use crate::NoRoom;

use super::{
    CNAME, EXTENDED_REPORT, Extension, GOODBYE, RECEIVER_REPORT, ReportBlock, SENDER_REPORT,
    SOURCE_DESCRIPTION, SenderInfo,
};

/// Report blocks, sources or chunks that fit one packet: the count field has five bits.
const MOST: usize = 31;

/// Writes RTCP packets one after the other.
#[derive(Debug)]
pub struct Builder<'a> {
    out: &'a mut [u8],
    length: usize,
}

impl<'a> Builder<'a> {
    /// Begins at the start of `out`.
    pub fn new(out: &'a mut [u8]) -> Self {
        Self { out, length: 0 }
    }

    /// Adds a sender report; blocks beyond 31 go into receiver reports behind it (RFC 3550 §6.1).
    ///
    /// # Errors
    /// [`NoRoom`]; packets that did fit stay.
    pub fn sender_report(
        &mut self,
        ssrc: u32,
        info: &SenderInfo,
        blocks: &[ReportBlock],
    ) -> Result<&mut Self, NoRoom> {
        let (first, rest) = blocks.split_at(blocks.len().min(MOST));
        let body = self.packet(
            SENDER_REPORT,
            first.len(),
            4 + SenderInfo::LENGTH + ReportBlock::LENGTH * first.len(),
        )?;
        body[..4].copy_from_slice(&ssrc.to_be_bytes());
        body[4..4 + SenderInfo::LENGTH].copy_from_slice(&info.bytes());
        write_blocks(&mut body[4 + SenderInfo::LENGTH..], first);
        for blocks in rest.chunks(MOST) {
            self.receiver_report(ssrc, blocks)?;
        }
        Ok(self)
    }

    /// Adds a receiver report, or several when there are more than 31 blocks.
    ///
    /// # Errors
    /// [`NoRoom`]; packets that did fit stay.
    pub fn receiver_report(
        &mut self,
        ssrc: u32,
        blocks: &[ReportBlock],
    ) -> Result<&mut Self, NoRoom> {
        let (first, rest) = blocks.split_at(blocks.len().min(MOST));
        let body = self.packet(
            RECEIVER_REPORT,
            first.len(),
            4 + ReportBlock::LENGTH * first.len(),
        )?;
        body[..4].copy_from_slice(&ssrc.to_be_bytes());
        write_blocks(&mut body[4..], first);
        if !rest.is_empty() {
            self.receiver_report(ssrc, rest)?;
        }
        Ok(self)
    }

    /// Adds a source description with the canonical name only; a name is cut at 255 bytes.
    ///
    /// # Errors
    /// [`NoRoom`]; packets that did fit stay.
    pub fn cname(&mut self, ssrc: u32, name: &[u8]) -> Result<&mut Self, NoRoom> {
        let name = &name[..name.len().min(255)];
        // At least one zero byte ends the chunk.
        let length = (4 + 2 + name.len() + 1).next_multiple_of(4);
        let body = self.packet(SOURCE_DESCRIPTION, 1, length)?;
        body[..4].copy_from_slice(&ssrc.to_be_bytes());
        body[4] = CNAME;
        body[5] = name.len() as u8;
        body[6..6 + name.len()].copy_from_slice(name);
        body[6 + name.len()..].fill(0);
        Ok(self)
    }

    /// Adds a goodbye of one source, without a reason.
    ///
    /// # Errors
    /// [`NoRoom`]; packets that did fit stay.
    pub fn goodbye(&mut self, ssrc: u32) -> Result<&mut Self, NoRoom> {
        let body = self.packet(GOODBYE, 1, 4)?;
        body.copy_from_slice(&ssrc.to_be_bytes());
        Ok(self)
    }

    /// Adds an extended report (RFC 3611).
    ///
    /// # Errors
    /// [`NoRoom`]; packets that did fit stay.
    pub fn extended_report(
        &mut self,
        ssrc: u32,
        blocks: &[Extension<'_>],
    ) -> Result<&mut Self, NoRoom> {
        let length = blocks.iter().map(Extension::length).sum::<usize>();
        let body = self.packet(EXTENDED_REPORT, 0, 4 + length)?;
        let (first, mut rest) = body.split_at_mut(4);
        first.copy_from_slice(&ssrc.to_be_bytes());
        for block in blocks {
            let (place, behind) = rest.split_at_mut(block.length());
            block.write(place);
            rest = behind;
        }
        Ok(self)
    }

    /// The length of what was written.
    pub fn finish(self) -> usize {
        self.length
    }

    /// Writes a header and gives the body, `length` bytes and a multiple of four.
    fn packet(
        &mut self,
        packet_type: u8,
        count: usize,
        length: usize,
    ) -> Result<&mut [u8], NoRoom> {
        let at = self.length;
        let needed = at + 4 + length;
        let Some(packet) = self.out.get_mut(at..needed) else {
            return Err(NoRoom { needed });
        };
        self.length = needed;
        packet[0] = 0x80 | count as u8;
        packet[1] = packet_type;
        packet[2..4].copy_from_slice(&((length / 4) as u16).to_be_bytes());
        Ok(&mut packet[4..])
    }
}

fn write_blocks(out: &mut [u8], blocks: &[ReportBlock]) {
    for (place, block) in out.as_chunks_mut().0.iter_mut().zip(blocks) {
        *place = block.bytes();
    }
}
