//! Who did what: an append-only log, in which each line vouches for all before it.
//!
//! A line is JSON, ended by the hash of the line before it and of itself (SHA-256): a line changed, taken out or put in between
//! breaks the chain from there on, which [`verify`] tells. Forced to disk before the deed is answered. The log goes on in a new
//! file when one is full, and the oldest file goes when there are too many.
//!
//! Not here: what is worth a line (`console`); signing, which would need a key that the box's owner does not hold.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::Wall;

/// A file so long is followed by the next.
const FILE: u64 = 8 << 20;
/// Files kept.
const FILES: usize = 16;

/// One deed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number: one more than the one before.
    pub number: u64,
    /// When.
    pub at: Wall,
    /// Who: a user, a token, or the box itself.
    pub who: String,
    /// From which address, where it came over the network.
    pub from: Option<String>,
    /// What was done, as a word like `signed_in`.
    pub what: String,
    /// To whom or what.
    pub about: String,
}

/// What is to be written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deed<'a> {
    /// Who.
    pub who: &'a str,
    /// From which address.
    pub from: Option<&'a str>,
    /// What, as a word.
    pub what: &'a str,
    /// To whom or what.
    pub about: &'a str,
}

/// A line as it is written.
#[derive(Serialize, Deserialize)]
struct Line {
    #[serde(flatten)]
    entry: Entry,
    chain: String,
}

/// The log, open for writing.
#[derive(Debug)]
pub struct Audit {
    folder: PathBuf,
    file: File,
    length: u64,
    next: u64,
    chain: String,
}

impl Audit {
    /// Opens the log of a folder, or begins one. A last line cut off by a power cut is taken away.
    ///
    /// # Errors
    /// Where the folder cannot be used.
    pub fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let (mut next, mut chain) = (1, String::new());
        let files = files(folder)?;
        // The last file may have been begun and nothing written to it.
        for path in files.iter().rev() {
            let lines = whole_lines(path)?;
            if let Some(last) = lines.lines().next_back() {
                let last: Line = serde_json::from_str(last)?;
                (next, chain) = (last.entry.number + 1, last.chain);
                break;
            }
        }
        let path = files.into_iter().next_back();
        let path = path.unwrap_or_else(|| folder.join(name(next)));
        let file = append_to(&path)?;
        let length = whole_lines(&path)?.len() as u64;
        file.set_len(length)?;
        Ok(Self {
            folder: folder.to_owned(),
            file,
            length,
            next,
            chain,
        })
    }

    /// Writes a deed down. It is on the disk when this returns.
    ///
    /// # Errors
    /// Where the disk is full or fails.
    pub fn append(&mut self, deed: &Deed<'_>, now: Wall) -> io::Result<Entry> {
        if self.length >= FILE {
            self.turn()?;
        }
        let entry = Entry {
            number: self.next,
            at: now,
            who: deed.who.to_owned(),
            from: deed.from.map(str::to_owned),
            what: deed.what.to_owned(),
            about: deed.about.to_owned(),
        };
        let chain = link(&self.chain, &entry)?;
        let line = Line {
            entry: entry.clone(),
            chain: chain.clone(),
        };
        let mut bytes = serde_json::to_vec(&line)?;
        bytes.push(b'\n');
        if let Err(error) = self
            .file
            .write_all(&bytes)
            .and_then(|()| self.file.sync_data())
        {
            // Half a line must not stand before the next.
            self.file.set_len(self.length)?;
            return Err(error);
        }
        self.length += bytes.len() as u64;
        self.next += 1;
        self.chain = chain;
        Ok(entry)
    }

    /// Entries, the newest first: at most so many of those before `before`.
    ///
    /// # Errors
    /// Where the files cannot be read.
    pub fn list(&self, before: Option<u64>, most: usize) -> io::Result<Vec<Entry>> {
        let mut listed = Vec::new();
        for path in files(&self.folder)?.iter().rev() {
            if listed.len() >= most {
                break;
            }
            if before.is_some_and(|before| first_of(path).is_some_and(|first| first >= before)) {
                continue;
            }
            let lines = whole_lines(path)?;
            for line in lines.lines().rev() {
                let Line { entry, .. } = serde_json::from_str(line)?;
                if before.is_none_or(|before| entry.number < before) {
                    listed.push(entry);
                    if listed.len() >= most {
                        break;
                    }
                }
            }
        }
        Ok(listed)
    }

    fn turn(&mut self) -> io::Result<()> {
        let path = self.folder.join(name(self.next));
        self.file = append_to(&path)?;
        self.length = 0;
        let files = files(&self.folder)?;
        for old in files.iter().rev().skip(FILES) {
            fs::remove_file(old)?;
        }
        File::open(&self.folder)?.sync_all()
    }
}

/// Looks whether every line follows from the one before; the number of the first that does not.
///
/// # Errors
/// Where the files cannot be read.
pub fn verify(folder: &Path) -> io::Result<Option<u64>> {
    let mut before: Option<Line> = None;
    for path in files(folder)? {
        for text in whole_lines(&path)?.lines() {
            let Ok(line) = serde_json::from_str::<Line>(text) else {
                return Ok(Some(before.map_or(1, |before| before.entry.number + 1)));
            };
            // What the oldest kept line follows is gone.
            let follows = match &before {
                Some(before) => {
                    line.entry.number == before.entry.number + 1
                        && line.chain == link(&before.chain, &line.entry)?
                }
                None => line.entry.number != 1 || line.chain == link("", &line.entry)?,
            };
            if !follows {
                return Ok(Some(line.entry.number));
            }
            before = Some(line);
        }
    }
    Ok(None)
}

fn link(before: &str, entry: &Entry) -> io::Result<String> {
    let mut text = before.as_bytes().to_vec();
    serde_json::to_writer(&mut text, entry)?;
    let hash = digest(&SHA256, &text);
    Ok(hash
        .as_ref()
        .iter()
        .map(|octet| format!("{octet:02x}"))
        .collect())
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
}

/// Files sort by the number of their first entry.
fn name(first: u64) -> String {
    format!("audit-{first:012}.jsonl")
}

fn first_of(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?;
    name.strip_prefix("audit-")?
        .strip_suffix(".jsonl")?
        .parse()
        .ok()
}

fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if first_of(&path).is_some() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn whole_lines(path: &Path) -> io::Result<String> {
    let mut text = fs::read_to_string(path)?;
    text.truncate(text.rfind('\n').map_or(0, |end| end + 1));
    Ok(text)
}
