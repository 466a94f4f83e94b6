//! The file systems of the kernel, and the two of the disk's partitions.
//!
//! Nothing that is written to can hold programs, devices or rights of others: everything but the root is mounted without.
//!
//! Not here: finding and checking the data (`data`).

use std::fs;
use std::io;
use std::path::Path;

use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_remount, unmount};

/// Where what survives updates is.
pub const DATA: &str = "/data";
/// Where the loader and the slots are.
pub const BOOT: &str = "/boot";

const SAFE: MountFlags = MountFlags::NOSUID
    .union(MountFlags::NODEV)
    .union(MountFlags::NOEXEC);

/// Those of the kernel: where, of which kind, how, with which words.
const KERNEL: [(&str, &str, MountFlags, &std::ffi::CStr); 6] = [
    ("/proc", "proc", SAFE, c"hidepid=invisible"),
    ("/sys", "sysfs", SAFE, c""),
    (
        "/dev",
        "devtmpfs",
        MountFlags::NOSUID.union(MountFlags::NOEXEC),
        c"mode=0755",
    ),
    ("/run", "tmpfs", SAFE, c"mode=0755,size=25%"),
    ("/tmp", "tmpfs", SAFE, c"mode=1777,size=5%"),
    ("/sys/fs/bpf", "bpf", SAFE, c"mode=0700"),
];

/// Mounts what the kernel offers. What fails is told; a box without it may still serve.
pub fn kernel() {
    for (place, kind, flags, words) in KERNEL {
        // The folder may be the kernel's own, below another that was just mounted.
        let _ = fs::create_dir_all(place);
        match mount(kind, place, kind, flags, words) {
            Ok(()) | Err(Errno::BUSY) => {}
            Err(error) => tracing::warn!(place, %error, "not mounted"),
        }
    }
}

/// Mounts the variables of UEFI, to be read. Without UEFI there are none.
pub fn firmware_variables() {
    let place = "/sys/firmware/efi/efivars";
    if Path::new(place).exists() {
        let flags = SAFE.union(MountFlags::RDONLY);
        if let Err(error) = mount("efivarfs", place, "efivarfs", flags, c"") {
            tracing::warn!(place, %error, "not mounted");
        }
    }
}

/// Mounts the data.
///
/// # Errors
/// Where the kernel finds no file system of its kind there.
pub fn data(device: &Path) -> io::Result<()> {
    let flags = SAFE.union(MountFlags::NOATIME);
    // A fault on the disk must not be written over with more.
    mount(device, DATA, "ext4", flags, c"errors=remount-ro")?;
    Ok(())
}

/// Has a place for data in memory, where there is no disk for it.
///
/// # Errors
/// Where the kernel refuses.
pub fn data_in_memory() -> io::Result<()> {
    mount("data", DATA, "tmpfs", SAFE, c"mode=0755,size=25%")?;
    Ok(())
}

/// Mounts the boot partition so that it cannot be changed by accident.
///
/// # Errors
/// Where the kernel finds no FAT there.
pub fn boot(device: &Path) -> io::Result<()> {
    let flags = SAFE.union(MountFlags::RDONLY).union(MountFlags::DIRSYNC);
    mount(device, BOOT, "vfat", flags, c"umask=0077,shortname=mixed")?;
    Ok(())
}

/// Has the boot partition writable while `work` is done.
///
/// # Errors
/// What `work` says, or that the partition cannot be changed.
pub fn with_boot_writable<T, E: From<io::Error>>(
    work: impl FnOnce(&Path) -> Result<T, E>,
) -> Result<T, E> {
    let flags = SAFE.union(MountFlags::DIRSYNC);
    mount_remount(BOOT, flags, c"").map_err(io::Error::from)?;
    let outcome = work(Path::new(BOOT));
    // Forced to disk before it is closed again, whatever came of it.
    let synced = fs::File::open(BOOT).and_then(|folder| Ok(rustix::fs::syncfs(folder)?));
    if let Err(error) = mount_remount(BOOT, flags.union(MountFlags::RDONLY), c"") {
        tracing::warn!(%error, "the boot partition stays writable");
    }
    let outcome = outcome?;
    synced?;
    Ok(outcome)
}

/// Makes the root unchangeable: from here on only `/run`, `/tmp` and the data are written.
pub fn seal_root() {
    if let Err(error) = mount_remount("/", MountFlags::RDONLY, c"") {
        tracing::warn!(%error, "the root stays writable");
    }
}

/// Lets go of the partitions, with all that was written.
pub fn release() {
    rustix::fs::sync();
    for place in [DATA, BOOT] {
        if let Err(error) = unmount(place, UnmountFlags::empty())
            && error != Errno::INVAL
        {
            tracing::warn!(place, %error, "not unmounted; left to be read only");
            let _ = mount_remount(place, MountFlags::RDONLY, c"");
        }
    }
    rustix::fs::sync();
}
