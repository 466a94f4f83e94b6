//! What survives updates: the partition, found by its name, repaired before it is mounted.
//!
//! A box whose data cannot be saved still starts, with its factory settings in memory, and says so: a branch that cannot call
//! because of a broken disk is worse than one that calls with yesterday's routes.
//!
//! Not here: what is in it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::mounts;

/// Name of the partition.
pub const PARTITION: &str = "postern-data";
/// Name of the boot partition, which lies on the same disk.
pub const BOOT_PARTITION: &str = "postern-boot";

/// A disk on a slow bus shows its partitions late.
const PATIENCE: Duration = Duration::from_secs(15);
const GLANCE: Duration = Duration::from_millis(50);

/// The two partitions of this box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partitions {
    /// The loader and the slots.
    pub boot: PathBuf,
    /// What survives.
    pub data: PathBuf,
}

/// Looks for them on one disk. With several disks that have both, the first by name: a stick that a person has put in comes
/// after what is built in.
#[must_use]
pub fn find(sys: &Path) -> Option<Partitions> {
    let mut disks: Vec<_> = fs::read_dir(sys.join("block"))
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    disks.sort();
    disks.iter().find_map(|disk| {
        Some(Partitions {
            boot: named(disk, BOOT_PARTITION)?,
            data: named(disk, PARTITION)?,
        })
    })
}

fn named(disk: &Path, name: &str) -> Option<PathBuf> {
    fs::read_dir(disk).ok()?.find_map(|entry| {
        let about = fs::read_to_string(entry.ok()?.path().join("uevent")).ok()?;
        let fact = |key: &str| about.lines().find_map(|line| line.strip_prefix(key));
        (fact("PARTNAME=")? == name).then(|| Some(Path::new("/dev").join(fact("DEVNAME=")?)))?
    })
}

/// Waits for both; `settle` is called between two looks, for a disk may need modules that come late.
pub fn await_partitions(mut settle: impl FnMut()) -> Option<Partitions> {
    let until = Instant::now() + PATIENCE;
    loop {
        let found = find(Path::new("/sys"));
        if found.is_some() || Instant::now() > until {
            return found;
        }
        settle();
        thread::sleep(GLANCE);
    }
}

/// What came of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// Nothing was wrong.
    Clean,
    /// Something was, and is not any more.
    Repaired,
    /// Something still is.
    Broken,
}

impl Check {
    /// By the exit status of e2fsck (e2fsck(8)): 1 repaired, 2 repaired and to be mounted anew, 4 and more not.
    const fn of(status: Option<i32>) -> Self {
        match status {
            Some(0) => Self::Clean,
            Some(1..=3) => Self::Repaired,
            _ => Self::Broken,
        }
    }
}

/// Checks and mounts the data.
///
/// # Errors
/// Where it cannot be repaired.
pub fn mount(device: &Path) -> io::Result<Check> {
    // What can be repaired without a doubt; then, if that is not enough, at any price.
    let mut check = run_check(device, "-p")?;
    if check == Check::Broken {
        check = run_check(device, "-fy")?;
    }
    mounts::data(device)?;
    Ok(check)
}

fn run_check(device: &Path, how: &str) -> io::Result<Check> {
    let output = Command::new("/sbin/e2fsck").arg(how).arg(device).output()?;
    let check = Check::of(output.status.code());
    if check != Check::Clean {
        let said = String::from_utf8_lossy(&output.stdout);
        tracing::warn!(?check, how, said = said.trim(), "the data was checked");
    }
    Ok(check)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_are_found_on_one_disk_and_halves_are_not() {
        let sys = std::env::temp_dir().join(format!("postern-data-{}", std::process::id()));
        for (place, name) in [
            ("sda/sda1", BOOT_PARTITION),
            ("sda/sda2", "other"),
            ("vda/vda1", BOOT_PARTITION),
            ("vda/vda2", PARTITION),
        ] {
            let folder = sys.join("block").join(place);
            fs::create_dir_all(&folder).expect("a folder");
            let device = place.rsplit('/').next().expect("a name");
            let about = format!("MAJOR=8\nDEVNAME={device}\nDEVTYPE=partition\nPARTNAME={name}\n");
            fs::write(folder.join("uevent"), about).expect("a file");
        }
        let found = find(&sys).expect("they are there");
        assert_eq!(found.boot, Path::new("/dev/vda1"));
        assert_eq!(found.data, Path::new("/dev/vda2"));
        fs::remove_dir_all(&sys).expect("it is ours");
        assert_eq!(find(&sys), None);
    }

    #[test]
    fn a_check_is_judged_by_its_status() {
        assert_eq!(Check::of(Some(0)), Check::Clean);
        assert_eq!(Check::of(Some(1)), Check::Repaired);
        assert_eq!(Check::of(Some(4)), Check::Broken);
        assert_eq!(Check::of(Some(12)), Check::Broken);
        assert_eq!(Check::of(None), Check::Broken);
    }
}
