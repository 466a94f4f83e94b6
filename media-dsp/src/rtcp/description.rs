//! Source descriptions (RFC 3550 §6.5): chunks of items.
//!
//! ```text
//!  | SSRC | kind | length | value … | kind | length | value … | 0 … up to the next word |
//! ```
//!
//! Not here: what an item means; only the canonical name has a use in this house.

use super::{CNAME, Malformed, word};

/// Iterator over the chunks of a source description.
#[derive(Debug, Clone)]
pub struct Chunks<'a> {
    rest: &'a [u8],
    left: u8,
}

impl<'a> Chunks<'a> {
    pub(super) fn check(body: &'a [u8], count: u8) -> Result<Self, Malformed> {
        let mut rest = body;
        for _ in 0..count {
            (_, rest) = Chunk::split(rest)?;
        }
        Ok(Self {
            rest: body,
            left: count,
        })
    }
}

impl<'a> Iterator for Chunks<'a> {
    type Item = Chunk<'a>;

    fn next(&mut self) -> Option<Chunk<'a>> {
        self.left = self.left.checked_sub(1)?;
        let (chunk, rest) = Chunk::split(self.rest).ok()?;
        self.rest = rest;
        Some(chunk)
    }
}

/// What one source says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// The source.
    pub ssrc: u32,
    items: &'a [u8],
}

impl<'a> Chunk<'a> {
    /// A chunk ends with one to four zero bytes, up to the next word (RFC 3550 §6.5). Senders that leave them out at the
    /// end of the packet are understood.
    fn split(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), Malformed> {
        let (ssrc, _) = word(bytes)?;
        let mut end = 4;
        while end < bytes.len() && bytes[end] != 0 {
            let Some(length) = bytes.get(end + 1) else {
                return Err(Malformed::Truncated);
            };
            end += 2 + usize::from(*length);
        }
        let Some(items) = bytes.get(4..end) else {
            return Err(Malformed::Truncated);
        };
        let next = if end == bytes.len() {
            end
        } else {
            (end + 4) & !3
        };
        let rest = bytes.get(next..).ok_or(Malformed::Truncated)?;
        Ok((Self { ssrc, items }, rest))
    }

    /// The items: kind ([`CNAME`] …) and value.
    pub fn items(&self) -> impl Iterator<Item = (u8, &'a [u8])> + use<'a> {
        let mut rest = self.items;
        core::iter::from_fn(move || {
            let [kind, length] = *rest.first_chunk()?;
            let value = rest.get(2..2 + usize::from(length))?;
            rest = &rest[2 + value.len()..];
            Some((kind, value))
        })
    }

    /// The canonical name, if it is there.
    pub fn cname(&self) -> Option<&'a [u8]> {
        self.items()
            .find(|(kind, _)| *kind == CNAME)
            .map(|(_, value)| value)
    }
}
