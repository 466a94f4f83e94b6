//! Writes an image to a stick or a disk, if it is surely the one that is meant.
//!
//! A whole disk, not a part of one; nothing of it mounted; large enough; and its model typed by who writes, for `/dev/sdb` is
//! another disk after each plugging in. What was written is read back.
//!
//! Not here: unpacking; it takes the image as `image build` leaves it.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::Error;

const PIECE: usize = 4 << 20;

/// A disk that could be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// Maker and model, as the kernel has them.
    pub model: String,
    /// Octets.
    pub size: u64,
}

/// Looks at a disk.
///
/// # Errors
/// Where it is no whole disk, or is in use.
pub fn look(device: &Path) -> Result<Disk, Error> {
    let real = fs::canonicalize(device).map_err(Error::at(device))?;
    let name = real
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    inspect(Path::new("/sys/class/block"), &name, &mounts)
}

fn inspect(sys: &Path, name: &str, mounts: &str) -> Result<Disk, Error> {
    let wrong = |problem| Err(Error::Wrong(format!("/dev/{name}"), problem));
    let folder = sys.join(name);
    if name.is_empty() || !folder.exists() {
        return wrong("it is no disk");
    }
    if folder.join("partition").exists() {
        return wrong("it is a part of a disk; name the whole one");
    }
    let own = format!("/dev/{name}");
    let uses = |line: &str| {
        line.split(' ')
            .next()
            .is_some_and(|from| from.starts_with(&own))
    };
    if mounts.lines().any(uses) {
        return wrong("something of it is mounted");
    }
    let fact = |file: &str| {
        let text = fs::read_to_string(folder.join(file)).unwrap_or_default();
        text.trim().to_owned()
    };
    let model = format!("{} {}", fact("device/vendor"), fact("device/model"));
    let sectors: u64 = fact("size").parse().unwrap_or(0);
    Ok(Disk {
        model: model.trim().to_owned(),
        size: sectors * 512,
    })
}

/// Writes an image and reads it back.
///
/// # Errors
/// Where it does not fit, or what was read is not what was written.
pub fn write(image: &Path, device: &Path, disk: &Disk) -> Result<(), Error> {
    let mut from = File::open(image).map_err(Error::at(image))?;
    let size = from.metadata().map_err(Error::at(image))?.len();
    if size > disk.size {
        let device = device.display().to_string();
        return Err(Error::Wrong(device, "it is smaller than the image"));
    }
    let mut to = OpenOptions::new()
        .read(true)
        .write(true)
        .open(device)
        .map_err(Error::at(device))?;
    std::io::copy(&mut from, &mut to).map_err(Error::at(device))?;
    to.flush()
        .and_then(|()| to.sync_all())
        .map_err(Error::at(device))?;
    for file in [&mut from, &mut to] {
        file.seek(SeekFrom::Start(0)).map_err(Error::at(device))?;
    }
    let (mut written, mut read) = (vec![0; PIECE], vec![0; PIECE]);
    let mut left = size;
    while left > 0 {
        let length = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        from.read_exact(&mut written[..length])
            .map_err(Error::at(image))?;
        to.read_exact(&mut read[..length])
            .map_err(Error::at(device))?;
        if written[..length] != read[..length] {
            let device = device.display().to_string();
            return Err(Error::Wrong(
                device,
                "it does not hold what was written to it",
            ));
        }
        left -= length as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_disk_that_nobody_uses_is_taken() {
        let sys = std::env::temp_dir().join(format!("postern-flash-{}", std::process::id()));
        fs::create_dir_all(sys.join("sdx/device")).expect("a folder");
        fs::create_dir_all(sys.join("sdx1")).expect("a folder");
        fs::write(sys.join("sdx/device/model"), "Stick 7 \n").expect("a file");
        fs::write(sys.join("sdx/size"), "2048\n").expect("a file");
        fs::write(sys.join("sdx1/partition"), "1\n").expect("a file");
        let disk = inspect(&sys, "sdx", "/dev/sda1 / ext4 rw 0 0\n").expect("a disk");
        assert_eq!((disk.model.as_str(), disk.size), ("Stick 7", 1 << 20));
        for (name, mounts) in [
            ("sdx1", ""),
            ("sdy", ""),
            ("", ""),
            ("sdx", "/dev/sdx1 /mnt vfat rw 0 0\n"),
        ] {
            assert!(inspect(&sys, name, mounts).is_err(), "{name} {mounts}");
        }
        fs::remove_dir_all(sys).expect("it is ours");
    }

    #[test]
    fn what_is_written_is_what_was_meant() {
        let folder = std::env::temp_dir().join(format!("postern-write-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let (image, device) = (folder.join("image"), folder.join("device"));
        fs::write(&image, vec![7; 5 << 20]).expect("a file");
        fs::write(&device, vec![0; 6 << 20]).expect("a file");
        let disk = |size| Disk {
            model: String::new(),
            size,
        };
        assert!(write(&image, &device, &disk(1 << 20)).is_err());
        write(&image, &device, &disk(6 << 20)).expect("it fits");
        assert!(fs::read(&device).expect("a file")[..5 << 20] == [7; 5 << 20]);
        fs::remove_dir_all(folder).expect("it is ours");
    }
}
