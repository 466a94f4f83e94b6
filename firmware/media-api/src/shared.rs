//! The pages of shared memory in which media keeps the counts of the whole process, one for each worker.
//!
//! ```text
//!  word 0  version      word 1  process      word 2  start, seconds since 1970      words 3–7  reserved
//!  words 8–39   counters, by `MediaCounter::index`        words 40–103  drops, by `DropReason::index`
//! ```
//!
//! One thread writes a page, anybody may read it at any time; each word is true by itself, and two words may be a moment apart. Lists
//! grow into the reserved places without moving anything. Who reads gets the counts of all pages that have been begun, as one.
//!
//! Not here: mapping memory (`board::shm`); the counts of one stream (`Command::Statistics`).

use core::mem::{offset_of, size_of};
use core::sync::atomic::{AtomicU64, Ordering, fence};

use measure::{DropReason, MediaCounter};

use crate::VERSION;

/// Places for counters.
const COUNTERS: usize = 32;
/// Places for drop reasons.
const DROPS: usize = 64;

/// The layout. It is never built: the page is words, and this says which word is which.
#[repr(C)]
struct Page {
    version: u64,
    process: u64,
    started: u64,
    reserved: [u64; 5],
    counters: [u64; COUNTERS],
    drops: [u64; DROPS],
}

/// Words of a page.
pub const WORDS: usize = size_of::<Page>() / 8;

/// Pages of a process: it has no more workers.
pub const PAGES: usize = 16;

const _: () = {
    assert!(
        size_of::<Page>() == 832,
        "the layout has changed: raise the version"
    );
    assert!(offset_of!(Page, version) == 0);
    assert!(offset_of!(Page, counters) == 64);
    assert!(offset_of!(Page, drops) == 320);
    assert!(MediaCounter::COUNT <= COUNTERS && DropReason::COUNT <= DROPS);
};

/// Why words are no page of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayoutError {
    /// Fewer words than [`WORDS`].
    TooShort,
    /// Written by another version of media.
    Version {
        /// What the first word says.
        found: u64,
    },
}

impl core::fmt::Display for LayoutError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::TooShort => f.write_str("the page of counters is too short"),
            Self::Version { found } => write!(
                f,
                "the page of counters is of version {found}, not {VERSION}"
            ),
        }
    }
}

impl core::error::Error for LayoutError {}

/// A page, for the one who writes it.
#[derive(Debug, Clone, Copy)]
pub struct Counters<'a> {
    words: &'a [AtomicU64],
}

impl<'a> Counters<'a> {
    /// Begins a page: all counts are zero.
    ///
    /// # Errors
    /// [`LayoutError::TooShort`].
    pub fn create(words: &'a [AtomicU64], process: u32, started: u64) -> Result<Self, LayoutError> {
        let words = words.get(..WORDS).ok_or(LayoutError::TooShort)?;
        words
            .iter()
            .for_each(|word| word.store(0, Ordering::Relaxed));
        words[offset_of!(Page, process) / 8].store(u64::from(process), Ordering::Relaxed);
        words[offset_of!(Page, started) / 8].store(started, Ordering::Relaxed);
        // Last, so that a reader who sees the version sees the rest.
        words[0].store(u64::from(VERSION.0), Ordering::Release);
        Ok(Self { words })
    }

    /// Writes every count as it is now.
    pub fn publish(&self, counters: &[u64; MediaCounter::COUNT], drops: &[u64; DropReason::COUNT]) {
        let store = |at: usize, values: &[u64]| {
            for (word, value) in self.words[at..].iter().zip(values) {
                word.store(*value, Ordering::Relaxed);
            }
        };
        store(offset_of!(Page, counters) / 8, counters);
        store(offset_of!(Page, drops) / 8, drops);
    }
}

/// All pages, for whoever wants to look.
#[derive(Debug, Clone, Copy)]
pub struct Pages<'a> {
    words: &'a [AtomicU64],
}

impl<'a> Pages<'a> {
    /// Opens the pages of a media process.
    ///
    /// # Errors
    /// [`LayoutError`] when the first is not of this version.
    pub fn open(words: &'a [AtomicU64]) -> Result<Self, LayoutError> {
        let first = words.get(..WORDS).ok_or(LayoutError::TooShort)?;
        // A relaxed load and a fence: the page may be mapped for reading only, where nothing else is defined.
        let found = first[0].load(Ordering::Relaxed);
        fence(Ordering::Acquire);
        if found != u64::from(VERSION.0) {
            return Err(LayoutError::Version { found });
        }
        Ok(Self { words })
    }

    /// The process that writes.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.words[offset_of!(Page, process) / 8].load(Ordering::Relaxed) as u32
    }

    /// When it began, in seconds since 1970.
    #[must_use]
    pub fn started(&self) -> u64 {
        self.words[offset_of!(Page, started) / 8].load(Ordering::Relaxed)
    }

    /// Reads one count: the longest of what is a length, the sum of what is a number.
    #[must_use]
    pub fn counter(&self, counter: MediaCounter) -> u64 {
        let counts = self.all(offset_of!(Page, counters) / 8 + counter.index());
        match counter {
            MediaCounter::LongestTurn => counts.max().unwrap_or_default(),
            _ => counts.sum(),
        }
    }

    /// Reads how many packets were dropped for a reason.
    #[must_use]
    pub fn drops(&self, reason: DropReason) -> u64 {
        self.all(offset_of!(Page, drops) / 8 + reason.index()).sum()
    }

    /// One word of every page that has been begun.
    fn all(&self, word: usize) -> impl Iterator<Item = u64> {
        let begun = |page: &&[AtomicU64]| {
            let version = page[0].load(Ordering::Relaxed);
            fence(Ordering::Acquire);
            version == u64::from(VERSION.0)
        };
        let pages = self.words.chunks_exact(WORDS).filter(begun);
        pages.map(move |page| page[word].load(Ordering::Relaxed))
    }
}
