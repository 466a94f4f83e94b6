//! The journal: what control must remember to find its calls again after it died, appended to one file.
//!
//! ```text
//! file:    "PSTNJRNL" version   then records
//! record:  length (u32 LE)  check (first 4 bytes of SHA-256 over the payload)  payload (postcard)
//! ```
//!
//! A batch is handed to the kernel before the messages that follow from it leave, so a control that is killed knows at
//! least what others know; it is not forced to the disk, because a box that loses power has lost the calls with it. A
//! record torn at the end is cut off.
//!
//! Not here: what the records say (`call::journal`).

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use ring::digest;
use serde::Serialize;
use serde::de::DeserializeOwned;

const MAGIC: &[u8; 8] = b"PSTNJRNL";
/// Changes when `call::journal::Record` does.
const VERSION: u32 = 2;
const START: usize = MAGIC.len() + 4;
/// No record is longer; a length beyond it is no length.
const LONGEST: usize = 4 * 1024 * 1024;

/// The journal, open at its end.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    batch: Vec<u8>,
    length: u64,
}

impl Journal {
    /// Opens the file at `path`, made if need be, and reads all that it remembers. What is torn is cut off, what another
    /// version wrote begun anew.
    ///
    /// # Errors
    /// Where the file cannot be read or written.
    pub fn open<T: DeserializeOwned>(path: &Path) -> io::Result<(Self, Vec<T>)> {
        let mut file = private().truncate(false).open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let (records, good) = replay(&bytes);
        if good == 0 {
            file.set_len(0)?;
            file.seek(SeekFrom::Start(0))?;
            file.write_all(&header())?;
        } else {
            file.set_len(good as u64)?;
            file.seek(SeekFrom::Start(good as u64))?;
        }
        let length = good.max(START) as u64;
        Ok((
            Self {
                path: path.to_owned(),
                file,
                batch: Vec::new(),
                length,
            },
            records,
        ))
    }

    /// Adds a record to the batch.
    pub fn append<T: Serialize>(&mut self, record: &T) {
        encode(record, &mut self.batch);
    }

    /// Hands the batch to the kernel.
    ///
    /// # Errors
    /// Where the disk is full or gone; the batch is given up, since the calls must go on.
    pub fn write(&mut self) -> io::Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let outcome = self.file.write_all(&self.batch);
        match &outcome {
            Ok(()) => self.length += self.batch.len() as u64,
            // Half a record would hide all that come after it.
            Err(_) => {
                self.file.set_len(self.length)?;
                self.file.seek(SeekFrom::Start(self.length))?;
            }
        }
        self.batch.clear();
        outcome
    }

    /// How long the file is.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// Puts `records` in the place of all that was remembered.
    ///
    /// # Errors
    /// Where the new file cannot be written; then the old one stays.
    pub fn replace<T: Serialize>(&mut self, records: &[T]) -> io::Result<()> {
        let mut bytes = header().to_vec();
        for record in records {
            encode(record, &mut bytes);
        }
        let fresh = self.path.with_extension("new");
        let mut file = private().truncate(true).open(&fresh)?;
        file.write_all(&bytes)?;
        std::fs::rename(&fresh, &self.path)?;
        self.file = file;
        self.length = bytes.len() as u64;
        self.batch.clear();
        Ok(())
    }
}

/// Records hold the keys of calls: the file is for its owner alone.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).mode(0o600);
    options
}

fn header() -> [u8; START] {
    let mut header = [0; START];
    header[..MAGIC.len()].copy_from_slice(MAGIC);
    header[MAGIC.len()..].copy_from_slice(&VERSION.to_le_bytes());
    header
}

fn encode<T: Serialize>(record: &T, into: &mut Vec<u8>) {
    // Only a type that postcard cannot write at all fails: a fault of the build, seen by the first test.
    let payload = match postcard::to_allocvec(record) {
        Ok(payload) => payload,
        Err(error) => return tracing::error!(%error, "a record cannot be written"),
    };
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    into.extend_from_slice(&length.to_le_bytes());
    into.extend_from_slice(&check(&payload));
    into.extend_from_slice(&payload);
}

fn check(payload: &[u8]) -> [u8; 4] {
    let digest = digest::digest(&digest::SHA256, payload);
    digest.as_ref()[..4]
        .try_into()
        .expect("a digest is longer than that")
}

/// The records, and the length of the part of the file that is good; 0 where not even its beginning is ours.
fn replay<T: DeserializeOwned>(bytes: &[u8]) -> (Vec<T>, usize) {
    if bytes.len() < START || bytes[..START] != header() {
        return (Vec::new(), 0);
    }
    let mut records = Vec::new();
    let mut good = START;
    while let Some((record, length)) = next(&bytes[good..]) {
        records.push(record);
        good += length;
    }
    (records, good)
}

fn next<T: DeserializeOwned>(bytes: &[u8]) -> Option<(T, usize)> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (sum, rest) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length))
        .ok()
        .filter(|length| *length <= LONGEST)?;
    let payload = rest.get(..length)?;
    if check(payload) != *sum {
        return None;
    }
    Some((postcard::from_bytes(payload).ok()?, 8 + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("postern-{}-{name}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        path
    }

    #[test]
    fn what_was_written_is_remembered_and_added_to() {
        let path = file("remembered");
        let (mut journal, before) = Journal::open::<String>(&path).expect("opened");
        assert!(before.is_empty());
        journal.append(&"one");
        journal.append(&"two");
        journal.write().expect("written");
        journal.append(&"lost with the process");
        let (mut journal, before) = Journal::open::<String>(&path).expect("opened");
        assert_eq!(before, ["one", "two"]);
        journal.append(&"three");
        journal.write().expect("written");
        let (_, before) = Journal::open::<String>(&path).expect("opened");
        assert_eq!(before, ["one", "two", "three"]);
    }

    #[test]
    fn a_tail_torn_anywhere_costs_only_itself() {
        let path = file("torn");
        let (mut journal, _) = Journal::open::<String>(&path).expect("opened");
        journal.append(&"kept");
        journal.write().expect("written");
        let whole = std::fs::read(&path).expect("read").len();
        journal.append(&"torn apart");
        journal.write().expect("written");
        let bytes = std::fs::read(&path).expect("read");
        for cut in whole..bytes.len() {
            std::fs::write(&path, &bytes[..cut]).expect("cut");
            let (mut journal, before) = Journal::open::<String>(&path).expect("opened");
            assert_eq!(before, ["kept"], "cut at {cut}");
            journal.append(&"next");
            journal.write().expect("written");
            let (_, before) = Journal::open::<String>(&path).expect("opened");
            assert_eq!(before, ["kept", "next"], "cut at {cut}");
        }
    }

    #[test]
    fn a_bit_that_flipped_ends_the_memory_there() {
        let path = file("flipped");
        let (mut journal, _) = Journal::open::<String>(&path).expect("opened");
        journal.append(&"good");
        journal.append(&"spoilt");
        journal.write().expect("written");
        let mut bytes = std::fs::read(&path).expect("read");
        *bytes.last_mut().expect("not empty") ^= 1;
        std::fs::write(&path, bytes).expect("written");
        assert_eq!(Journal::open::<String>(&path).expect("opened").1, ["good"]);
    }

    #[test]
    fn what_another_version_wrote_is_begun_anew() {
        let path = file("foreign");
        std::fs::write(&path, b"something else altogether").expect("written");
        let (mut journal, before) = Journal::open::<String>(&path).expect("opened");
        assert!(before.is_empty());
        journal.append(&"ours");
        journal.write().expect("written");
        assert_eq!(Journal::open::<String>(&path).expect("opened").1, ["ours"]);
    }

    #[test]
    fn replacing_forgets_what_is_over() {
        let path = file("replaced");
        let (mut journal, _) = Journal::open::<u32>(&path).expect("opened");
        for number in 0..1_000_u32 {
            journal.append(&number);
        }
        journal.write().expect("written");
        let long = journal.length();
        journal.replace(&[7_u32]).expect("replaced");
        assert!(journal.length() < long);
        journal.append(&8_u32);
        journal.write().expect("written");
        assert_eq!(Journal::open::<u32>(&path).expect("opened").1, [7, 8]);
    }
}
