//! One file of pieces of calls, written at its end and never changed.
//!
//! ```text
//! file:    "PSTNTRCE" version   then records
//! record:  head's length, body's length, head's CRC-32, body's CRC-32 (u32 LE each)   head (postcard)   body (lz4 of postcard)
//! ```
//!
//! Heads can be read without their bodies: that is how an index is made anew at the start. A record torn at the end is cut off.
//!
//! Not here: which file is written, and which goes (`archive`).

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::item::Item;
use super::summary::Summary;

const MAGIC: &[u8; 8] = b"PSTNTRCE";
/// Changes with the form of heads and items.
const VERSION: u32 = 1;
const START: u64 = 12;
const PREFIX: usize = 16;
/// No part of a record is longer; a length beyond it is no length.
const LONGEST: u32 = 16 * 1024 * 1024;

/// Where a piece lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// Number of the file.
    pub segment: u32,
    /// Octet at which the record begins.
    pub offset: u32,
}

/// What can be known of a piece without its items.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) summary: Summary,
    pub(super) is_last: bool,
    /// The pieces of the same call that came before.
    pub(super) earlier: Vec<Place>,
}

/// A file that is written.
#[derive(Debug)]
pub(super) struct Segment {
    number: u32,
    file: File,
    length: u64,
}

impl Segment {
    pub(super) fn path(folder: &Path, number: u32) -> PathBuf {
        folder.join(format!("calls-{number:010}.trace"))
    }

    /// The number in a file's name, if it is one of ours.
    pub(super) fn number_of(name: &str) -> Option<u32> {
        name.strip_prefix("calls-")?
            .strip_suffix(".trace")?
            .parse()
            .ok()
    }

    pub(super) fn create(folder: &Path, number: u32) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(Self::path(folder, number))?;
        let mut start = MAGIC.to_vec();
        start.extend(VERSION.to_le_bytes());
        file.write_all_at(&start, 0)?;
        Ok(Self {
            number,
            file,
            length: START,
        })
    }

    /// Opens a file and shows the head of each record that is whole. What lies behind the last of them is cut off if the file is to be
    /// written on; `None` if another version has written it.
    pub(super) fn open(
        folder: &Path,
        number: u32,
        mut show: impl FnMut(Place, Head),
    ) -> io::Result<Option<Self>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(Self::path(folder, number))?;
        let end = file.metadata()?.len();
        let mut start = [0; START as usize];
        if end < START || file.read_exact_at(&mut start, 0).is_err() {
            return Ok(None);
        }
        if start[..8] != *MAGIC || start[8..] != VERSION.to_le_bytes() {
            return Ok(None);
        }
        let mut at = START;
        while let Some((head, next)) = read_head(&file, at, end)? {
            let Ok(offset) = u32::try_from(at) else { break };
            show(
                Place {
                    segment: number,
                    offset,
                },
                head,
            );
            at = next;
        }
        Ok(Some(Self {
            number,
            file,
            length: at,
        }))
    }

    pub(super) const fn number(&self) -> u32 {
        self.number
    }

    /// Octets in it.
    pub(super) const fn length(&self) -> u64 {
        self.length
    }

    /// Writes a piece at the end.
    pub(super) fn append(&mut self, head: &Head, items: &[Item]) -> io::Result<Place> {
        let head = postcard::to_allocvec(head).map_err(io::Error::other)?;
        let items = postcard::to_allocvec(items).map_err(io::Error::other)?;
        let body = lz4_flex::compress_prepend_size(&items);
        let offset = u32::try_from(self.length).map_err(io::Error::other)?;
        let mut record = Vec::with_capacity(PREFIX + head.len() + body.len());
        for word in [
            u32::try_from(head.len()).map_err(io::Error::other)?,
            u32::try_from(body.len()).map_err(io::Error::other)?,
            crc32fast::hash(&head),
            crc32fast::hash(&body),
        ] {
            record.extend(word.to_le_bytes());
        }
        record.extend(head);
        record.extend(body);
        self.file.write_all_at(&record, self.length)?;
        self.length += record.len() as u64;
        Ok(Place {
            segment: self.number,
            offset,
        })
    }

    /// Cuts off what a death in the middle of a write has left.
    pub(super) fn cut(&self) -> io::Result<()> {
        self.file.set_len(self.length)
    }
}

/// The items of the piece at a place.
pub(super) fn read_items(folder: &Path, place: Place) -> io::Result<Vec<Item>> {
    let file = File::open(Segment::path(folder, place.segment))?;
    let at = u64::from(place.offset);
    let prefix = read_prefix(&file, at, file.metadata()?.len())?
        .ok_or_else(|| io::Error::other("no piece of a call lies there"))?;
    let mut body = vec![0; prefix.body as usize];
    file.read_exact_at(&mut body, at + (PREFIX as u64) + u64::from(prefix.head))?;
    if crc32fast::hash(&body) != prefix.body_check {
        return Err(io::Error::other("a piece of a call is damaged"));
    }
    let (length, _) = lz4_flex::block::uncompressed_size(&body).map_err(io::Error::other)?;
    if length > LONGEST as usize {
        return Err(io::Error::other("a piece of a call is too long"));
    }
    let items = lz4_flex::decompress_size_prepended(&body).map_err(io::Error::other)?;
    postcard::from_bytes(&items).map_err(io::Error::other)
}

struct Prefix {
    head: u32,
    body: u32,
    head_check: u32,
    body_check: u32,
}

/// What stands before a record; `None` where no whole one begins.
fn read_prefix(file: &File, at: u64, end: u64) -> io::Result<Option<Prefix>> {
    if at + PREFIX as u64 > end {
        return Ok(None);
    }
    let mut prefix = [0; PREFIX];
    file.read_exact_at(&mut prefix, at)?;
    let word = |number: usize| {
        let octets = &prefix[number * 4..number * 4 + 4];
        octets.try_into().map_or(0, u32::from_le_bytes)
    };
    let [head, body, head_check, body_check] = [0, 1, 2, 3].map(word);
    if head > LONGEST || body > LONGEST {
        return Ok(None);
    }
    let length = PREFIX as u64 + u64::from(head) + u64::from(body);
    Ok((at + length <= end).then_some(Prefix {
        head,
        body,
        head_check,
        body_check,
    }))
}

/// The head of the record here and where the next one begins; `None` at the end of what is whole.
fn read_head(file: &File, at: u64, end: u64) -> io::Result<Option<(Head, u64)>> {
    let Some(prefix) = read_prefix(file, at, end)? else {
        return Ok(None);
    };
    let mut head = vec![0; prefix.head as usize];
    file.read_exact_at(&mut head, at + PREFIX as u64)?;
    if crc32fast::hash(&head) != prefix.head_check {
        return Ok(None);
    }
    let next = at + PREFIX as u64 + u64::from(prefix.head) + u64::from(prefix.body);
    Ok(postcard::from_bytes(&head).ok().map(|head| (head, next)))
}
