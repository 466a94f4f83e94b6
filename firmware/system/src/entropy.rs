//! Chance over restarts: the kernel's generator begins with what the last run left, besides what it finds by itself.
//!
//! What was read is replaced before it is used: the same seed twice would be no chance. The kernel mixes it in without counting
//! on it, so a seed that somebody knows does no harm.
//!
//! Not here: waiting for chance; the kernel makes whoever asks wait.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

const OCTETS: usize = 512;

/// Gives the kernel what was left in `folder` and leaves something else there.
///
/// # Errors
/// Where the folder cannot be written to; then the old seed is gone, too.
pub fn carry_over(folder: &Path) -> io::Result<()> {
    let file = folder.join("random-seed");
    let fresh = folder.join("random-seed.new");
    let old = fs::read(&file).unwrap_or_default();
    OpenOptions::new()
        .write(true)
        .open("/dev/urandom")?
        .write_all(&old)?;
    let mut seed = [0; OCTETS];
    File::open("/dev/urandom")?.read_exact(&mut seed)?;
    let mut to = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)?;
    to.write_all(&seed)?;
    to.sync_all()?;
    fs::rename(fresh, file)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_never_used_twice() {
        let folder = std::env::temp_dir().join(format!("postern-seed-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let mut seeds = Vec::new();
        for _ in 0..3 {
            carry_over(&folder).expect("a folder of ours");
            seeds.push(fs::read(folder.join("random-seed")).expect("it was left"));
        }
        assert!(seeds[0] != seeds[1] && seeds[1] != seeds[2] && seeds[2].len() == OCTETS);
        fs::remove_dir_all(folder).expect("it is ours");
    }
}
