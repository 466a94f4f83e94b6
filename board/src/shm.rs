//! Words of memory that two processes share: a file mapped into both.
//!
//! One process creates, others open for reading. All access is atomic, so there are no torn words and no undefined race;
//! what the words mean is for the two sides to agree (`media_api::shared`).
//!
//! Not here: locks, layout.
#![allow(unsafe_code, reason = "mapping memory is a system call")]

use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Deref;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// A mapped file of words.
#[derive(Debug)]
pub struct SharedWords {
    start: NonNull<AtomicU64>,
    count: usize,
}

// SAFETY: the mapping belongs to this value alone and is reached through atomics only; a thread may take it along.
unsafe impl Send for SharedWords {}
// SAFETY: as above, shared references allow atomic access only.
unsafe impl Sync for SharedWords {}

impl SharedWords {
    /// Makes the file anew, so many words of zero, for this user alone. Who has an earlier file mapped keeps that one.
    ///
    /// # Errors
    /// What the system says of file or mapping.
    pub fn create(path: &Path, count: usize) -> io::Result<Self> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        file.set_len(octets(count)? as u64)?;
        Self::map(&file, count, ProtFlags::READ | ProtFlags::WRITE)
    }

    /// Opens the file of another process. The words may be loaded, relaxed, and not stored to: a store ends the process.
    ///
    /// # Errors
    /// What the system says; [`io::ErrorKind::UnexpectedEof`] when the file has fewer words.
    pub fn open(path: &Path, count: usize) -> io::Result<Self> {
        let file = File::open(path)?;
        if file.metadata()?.len() < octets(count)? as u64 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Self::map(&file, count, ProtFlags::READ)
    }

    fn map(file: &File, count: usize, protection: ProtFlags) -> io::Result<Self> {
        // SAFETY: a null hint lets the kernel choose a place that nothing else uses, so no memory of ours is replaced. The file
        // is at least so long (both callers see to it) and stays so: nobody but this user may write it, and nobody shrinks it.
        let start = unsafe {
            mmap(
                std::ptr::null_mut(),
                octets(count)?,
                protection,
                MapFlags::SHARED,
                file,
                0,
            )?
        };
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, count })
    }
}

fn octets(count: usize) -> io::Result<usize> {
    match count.checked_mul(size_of::<AtomicU64>()) {
        Some(octets) if octets > 0 => Ok(octets),
        _ => Err(io::ErrorKind::InvalidInput.into()),
    }
}

impl Deref for SharedWords {
    type Target = [AtomicU64];

    fn deref(&self) -> &[AtomicU64] {
        // SAFETY: `start` is the page-aligned start of a mapping of `count` words that lives as long as `self`; every bit pattern
        // is a word; other processes change words only atomically. In a mapping for reading, relaxed loads of eight octets are
        // plain loads on the 64-bit targets we build for.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.count) }
    }
}

impl Drop for SharedWords {
    fn drop(&mut self) {
        // SAFETY: exactly what `map` mapped, and no reference outlives `self`. A failure would leave the mapping, which is safe.
        let _ = unsafe {
            munmap(
                self.start.as_ptr().cast(),
                self.count * size_of::<AtomicU64>(),
            )
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering::Relaxed;

    fn place(name: &str) -> std::path::PathBuf {
        std::env::temp_dir().join(format!("postern-shm-{}-{name}", std::process::id()))
    }

    #[test]
    fn what_one_side_stores_the_other_loads() {
        let path = place("pair");
        let writer = SharedWords::create(&path, 100).expect("a file can be made");
        let reader = SharedWords::open(&path, 100).expect("it can be opened");
        writer[99].store(u64::MAX - 1, Relaxed);
        assert_eq!(
            (reader[99].load(Relaxed), reader[0].load(Relaxed)),
            (u64::MAX - 1, 0)
        );
        // The reader keeps what it has when the file is made anew.
        let _second = SharedWords::create(&path, 100).expect("again");
        assert_eq!(reader[99].load(Relaxed), u64::MAX - 1);
        std::fs::remove_file(&path).expect("it is there");
    }

    #[test]
    fn a_file_that_is_too_short_is_not_mapped() {
        let path = place("short");
        drop(SharedWords::create(&path, 4).expect("a file can be made"));
        assert_eq!(
            SharedWords::open(&path, 5)
                .expect_err("five do not fit")
                .kind(),
            io::ErrorKind::UnexpectedEof
        );
        std::fs::remove_file(&path).expect("it is there");
        assert_eq!(
            SharedWords::open(&path, 4).expect_err("gone").kind(),
            io::ErrorKind::NotFound
        );
        assert!(SharedWords::create(&path, 0).is_err());
        let _ = std::fs::remove_file(&path);
    }
}
