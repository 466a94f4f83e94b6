//! The settings of a box: its own, those it came with, or none yet.
//!
//! A box that has none serves nobody but its console, on the address that it was given: it gets settings that say just that, which
//! follow the address for as long as nobody has changed them. What it came with lies in the boot partition (`seed/`) and is taken once.
//!
//! Not here: what settings mean (`config`); keeping versions of them (`store`).

use std::fs::{self, File};
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use config::document::Document;

use super::OWN;
use super::planes::{RUN, USER};
use crate::mounts;

/// What the planes may keep.
pub(super) const FOLDER: &str = "/data/postern";
/// What the web console keeps: versions, users, the log of what they did.
pub(super) const CONSOLE: &str = "/data/console";
const NAME: &str = "postern.toml";

/// The file that the planes read, and the console writes.
pub(super) fn file() -> PathBuf {
    Path::new(FOLDER).join(NAME)
}

pub(super) fn document() -> Option<Document> {
    config::parse(&fs::read_to_string(file()).ok()?).ok()
}

/// When they were last changed.
pub(super) fn changed() -> Option<SystemTime> {
    fs::metadata(file()).ok()?.modified().ok()
}

pub(super) fn are_valid() -> bool {
    document().is_some()
}

/// Makes the folders of the planes, and takes what the box came with.
pub(super) fn prepare() -> io::Result<()> {
    fs::set_permissions(OWN, fs::Permissions::from_mode(0o700))?;
    for folder in [FOLDER, CONSOLE, RUN] {
        fs::create_dir_all(folder)?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
        chown(folder, Some(USER), Some(USER))?;
    }
    if !file().exists()
        && let Err(error) = take_seed(&Path::new(mounts::BOOT).join("seed"), Path::new(FOLDER))
    {
        tracing::warn!(%error, "the settings that the box came with are not taken");
    }
    Ok(())
}

/// Copies all files, the one that makes the rest count last: cut short, it is done again.
fn take_seed(seed: &Path, folder: &Path) -> io::Result<()> {
    let Ok(entries) = fs::read_dir(seed) else {
        return Ok(());
    };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort_by_key(|path| path.ends_with(NAME));
    for from in files {
        let Some(name) = from.file_name() else {
            continue;
        };
        let to = folder.join(name);
        put(&fs::read(&from)?, &to)?;
    }
    File::open(folder)?.sync_all()
}

/// Writes a file of the planes whole, or not at all.
fn put(octets: &[u8], to: &Path) -> io::Result<()> {
    let fresh = to.with_extension("new");
    fs::write(&fresh, octets)?;
    fs::set_permissions(&fresh, fs::Permissions::from_mode(0o600))?;
    // Outside of a box nobody has this number.
    let _ = chown(&fresh, Some(USER), Some(USER));
    File::open(&fresh)?.sync_all()?;
    fs::rename(fresh, to)
}

/// Settings for a box that has none: its address, and nobody who may call. What somebody has set is left alone.
pub(super) fn write_default(address: Ipv4Addr) {
    let text = default_text(address);
    match fs::read_to_string(file()) {
        Ok(own) if own == text || !is_untouched(&own) => return,
        _ => {}
    }
    if let Err(error) = put(text.as_bytes(), &file()) {
        tracing::warn!(%error, "there are no settings to begin with");
    }
}

/// Whether settings are what a box begins with, for whatever address.
fn is_untouched(text: &str) -> bool {
    let document = config::parse(text).ok();
    let address = document.and_then(|document| match document.listeners.first()?.address.ip() {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    });
    address.is_some_and(|address| default_text(address) == text)
}

fn default_text(address: Ipv4Addr) -> String {
    format!(
        "version = 1\n\n[media]\naddress = \"{address}\"\n\n[[listener]]\nname = \"udp\"\ntransport = \"udp\"\naddress = \"{address}:5060\"\n"
    )
}

/// A number that nobody knows.
pub(super) fn chance() -> io::Result<u32> {
    let mut octets = [0; 4];
    File::open("/dev/urandom")?.read_exact(&mut octets)?;
    Ok(u32::from_ne_bytes(octets))
}

/// Forgets all that was set, and who may enter the console; which releases were kept is no setting.
pub(super) fn forget() {
    for folder in [FOLDER, CONSOLE] {
        if let Err(error) = fs::remove_dir_all(folder) {
            tracing::error!(folder, %error, "not forgotten");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_without_settings_begins_with_some_that_are_in_order() {
        let text = default_text(Ipv4Addr::new(192, 0, 2, 7));
        let document = config::parse(&text).expect("in order");
        assert!(document.trunks.is_empty());
        assert!(is_untouched(&text));
        assert!(!is_untouched(&text.replace("5060", "5062")));
        assert!(!is_untouched(&format!("{text}# mine\n")));
        assert!(!is_untouched("not settings"));
    }

    #[test]
    fn what_a_box_came_with_is_taken_with_all_its_files() {
        let place = std::env::temp_dir().join(format!("postern-seeds-{}", std::process::id()));
        let (seed, folder) = (place.join("seed"), place.join("data"));
        fs::create_dir_all(&seed).expect("a folder");
        fs::create_dir_all(&folder).expect("a folder");
        take_seed(&place.join("nothing"), &folder).expect("none is none");
        for (name, text) in [(NAME, "version = 1"), ("a.pem", "PEM"), ("z.key", "KEY")] {
            fs::write(seed.join(name), text).expect("a file");
        }
        take_seed(&seed, &folder).expect("folders of ours");
        let key = folder.join("z.key");
        assert_eq!(fs::read_to_string(&key).expect("it is there"), "KEY");
        let mode = fs::metadata(key).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(folder.join(NAME).exists());
        fs::remove_dir_all(place).expect("it is ours");
    }
}
