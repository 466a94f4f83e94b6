//! A file replaced as a whole: whoever reads it sees the old or the new content, even after a power cut in between.
//!
//! Written beside it, forced to disk, renamed over it, and the folder forced to disk too, for the name lies there.
//!
//! Not here: what is in the file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Replaces `path` by these bytes. An existing file's rights are kept; a new one is its owner's alone.
///
/// # Errors
/// Where the folder cannot be written to, or the disk is full; the old content is there then.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = path.with_file_name(name);
    let mode = fs::metadata(path).map_or(0o600, |metadata| metadata.permissions().mode());
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}
