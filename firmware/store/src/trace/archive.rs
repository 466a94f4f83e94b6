//! The calls on disk: pieces are appended, the oldest files go when there is no more space, and an index in memory finds a call.
//!
//! Not here: the form of a file (`segment`); what is asked (`search`).

use std::collections::{HashMap, VecDeque};
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::assembly::Piece;
use super::item::{CallNumber, Item};
use super::search::{Index, Page, Query};
use super::segment::{Head, Place, Segment, read_items};
use super::summary::Summary;

/// A file is begun anew after so many octets, or a sixteenth of all space if that is less.
const LARGEST_SEGMENT: u64 = 16 * 1024 * 1024;
const SHARE: u64 = 16;
/// Calls of an earlier process that it left unended.
const MOST_UNENDED: usize = 20_000;

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Octets on disk.
    pub octets: u64,
    /// Calls.
    pub calls: usize,
}

impl Space {
    /// The last 100,000 calls, in a gigabyte.
    pub const USUAL: Self = Self {
        octets: 1 << 30,
        calls: 100_000,
    };
}

/// A call as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// At a glance.
    pub summary: Summary,
    /// What happened, in order.
    pub items: Vec<Item>,
    /// Pieces of it that are gone or damaged.
    pub missing: usize,
}

/// The calls on disk. Drop it to close them.
#[derive(Debug)]
pub struct Archive {
    folder: PathBuf,
    space: Space,
    current: Segment,
    /// Numbers and lengths of the files that are not written any more, the oldest first.
    full: VecDeque<(u32, u64)>,
    index: Index,
    /// Calls that are not over: what is known of them and where their pieces lie.
    unended: HashMap<CallNumber, (Summary, Vec<Place>)>,
}

impl Archive {
    /// Opens the folder, made if need be, and reads what is known of each call.
    ///
    /// # Errors
    /// Where the folder cannot be read or written.
    pub fn open(folder: &Path, space: Space) -> io::Result<Self> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        let mut numbers: Vec<u32> = fs::read_dir(folder)?
            .filter_map(|entry| Segment::number_of(entry.ok()?.file_name().to_str()?))
            .collect();
        numbers.sort_unstable();
        let mut index = Index::default();
        let mut unended = HashMap::new();
        let mut files = VecDeque::new();
        for number in &numbers {
            let opened = Segment::open(folder, *number, |place, head| {
                file_away(&mut index, &mut unended, place, head);
            });
            match opened {
                Ok(Some(segment)) => files.push_back(segment),
                // Another version's, or damaged from the first octet: no use to anybody.
                Ok(None) | Err(_) => fs::remove_file(Segment::path(folder, *number))?,
            }
        }
        let last = files.pop_back();
        let current = match last {
            Some(segment) => {
                segment.cut()?;
                segment
            }
            None => {
                let next = numbers.last().map_or(0, |last| last.wrapping_add(1));
                Segment::create(folder, next)?
            }
        };
        let mut archive = Self {
            folder: folder.to_owned(),
            space,
            current,
            full: files
                .iter()
                .map(|segment| (segment.number(), segment.length()))
                .collect(),
            index,
            unended,
        };
        archive.make_room()?;
        Ok(archive)
    }

    /// Writes a piece of a call.
    ///
    /// # Errors
    /// Where it cannot be written; then it is lost, and the next one may be tried.
    pub fn append(&mut self, piece: &Piece) -> io::Result<()> {
        let mut summary = piece.summary.clone();
        let mut earlier = Vec::new();
        if let Some((before, places)) = self.unended.get(&summary.call) {
            // A control that took the call over does not know when it began, nor whose it is.
            summary.began = summary.began.min(before.began);
            summary.tenant = summary.tenant.or_else(|| before.tenant.clone());
            earlier.clone_from(places);
        }
        let head = Head {
            summary,
            is_last: piece.is_last,
            earlier,
        };
        let place = self.current.append(&head, &piece.items)?;
        file_away(&mut self.index, &mut self.unended, place, head);
        self.make_room()
    }

    /// A call, whether it is over or not, as far as it is written.
    ///
    /// # Errors
    /// Only where nothing of the files can be read; pieces that are gone are counted.
    pub fn read(&self, call: CallNumber) -> Option<Found> {
        let (summary, places) = match self.unended.get(&call) {
            Some((summary, places)) => (summary.clone(), places.as_slice()),
            None => self.index.find(call)?,
        };
        let mut found = Found {
            summary,
            items: Vec::new(),
            missing: 0,
        };
        for place in places {
            match read_items(&self.folder, *place) {
                Ok(items) => found.items.extend(items),
                Err(_) => found.missing += 1,
            }
        }
        // A message may have waited to be claimed.
        found.items.sort_by_key(|item| item.at);
        Some(found)
    }

    /// The calls that are over and fit, the newest first.
    #[must_use]
    pub fn search(&self, query: &Query) -> Page {
        self.index.search(query)
    }

    /// How many calls are kept that are over.
    #[must_use]
    pub fn count(&self) -> usize {
        self.index.len()
    }

    /// Octets on disk.
    #[must_use]
    pub fn octets(&self) -> u64 {
        self.current.length() + self.full.iter().map(|(_, length)| length).sum::<u64>()
    }

    fn make_room(&mut self) -> io::Result<()> {
        if self.current.length() > LARGEST_SEGMENT.min(self.space.octets / SHARE) {
            let next = Segment::create(&self.folder, self.current.number().wrapping_add(1))?;
            let full = std::mem::replace(&mut self.current, next);
            self.full.push_back((full.number(), full.length()));
        }
        while self.index.len() > self.space.calls {
            self.index.pop();
        }
        while let Some(&(oldest, _)) = self.full.front()
            && (self.octets() > self.space.octets || !self.is_wanted(oldest))
        {
            while self
                .index
                .oldest()
                .and_then(<[Place]>::last)
                .is_some_and(|last| last.segment <= oldest)
            {
                self.index.pop();
            }
            self.unended
                .retain(|_, (_, places)| places.last().is_some_and(|last| last.segment > oldest));
            fs::remove_file(Segment::path(&self.folder, oldest))?;
            self.full.pop_front();
        }
        Ok(())
    }

    /// Whether some call that is kept begins in this file, or an older one.
    fn is_wanted(&self, segment: u32) -> bool {
        let begins =
            |places: &[Place]| places.first().is_some_and(|first| first.segment <= segment);
        self.index.oldest().is_some_and(begins)
            || self.unended.values().any(|(_, places)| begins(places))
    }
}

/// Remembers where a piece lies.
fn file_away(
    index: &mut Index,
    unended: &mut HashMap<CallNumber, (Summary, Vec<Place>)>,
    place: Place,
    head: Head,
) {
    let Head {
        summary,
        is_last,
        mut earlier,
    } = head;
    earlier.push(place);
    if is_last {
        unended.remove(&summary.call);
        index.push(&summary, earlier);
    } else if unended.len() < MOST_UNENDED || unended.contains_key(&summary.call) {
        unended.insert(summary.call, (summary, earlier));
    }
}
