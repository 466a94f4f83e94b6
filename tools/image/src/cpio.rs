//! The archive that the kernel unpacks as its first file system: cpio, "newc" (Documentation/driver-api/early-userspace in Linux).
//!
//! Everything belongs to root and has one and the same time. Folders are written when the first thing in them is.
//!
//! Not here: compression.

use std::collections::BTreeSet;

const FOLDER: u32 = 0o040_755;
const LINK: u32 = 0o120_777;
const DEVICE: u32 = 0o020_600;
const FILE: u32 = 0o100_000;

/// An archive being written.
#[derive(Debug)]
pub struct Archive {
    octets: Vec<u8>,
    time: u32,
    entries: u32,
    folders: BTreeSet<String>,
}

impl Archive {
    /// An empty one, in which everything is of this time.
    #[must_use]
    pub const fn new(time: u32) -> Self {
        Self {
            octets: Vec::new(),
            time,
            entries: 0,
            folders: BTreeSet::new(),
        }
    }

    /// A folder, with those above it.
    pub fn folder(&mut self, path: &str) {
        if self.folders.insert(path.to_owned()) {
            self.above(path);
            self.entry(path, FOLDER, (0, 0), b"");
        }
    }

    /// A file that can be read by all, and executed if `mode` says so.
    pub fn file(&mut self, path: &str, mode: u32, content: &[u8]) {
        self.above(path);
        self.entry(path, FILE | mode, (0, 0), content);
    }

    /// A symbolic link.
    pub fn link(&mut self, path: &str, target: &str) {
        self.above(path);
        self.entry(path, LINK, (0, 0), target.as_bytes());
    }

    /// A character device.
    pub fn device(&mut self, path: &str, number: (u32, u32)) {
        self.above(path);
        self.entry(path, DEVICE, number, b"");
    }

    /// The whole archive.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.time = 0;
        self.entries = 0;
        self.entry("TRAILER!!!", 0, (0, 0), b"");
        self.octets
    }

    fn above(&mut self, path: &str) {
        if let Some((folder, _)) = path.rsplit_once('/') {
            self.folder(folder);
        }
    }

    fn entry(&mut self, path: &str, mode: u32, device: (u32, u32), content: &[u8]) {
        self.entries += 1;
        let size = u32::try_from(content.len()).expect("a file of an image is smaller than 4 GiB");
        let name = path.len() as u32 + 1;
        self.octets.extend(b"070701");
        let fields = [
            self.entries,
            mode,
            0,
            0,
            1,
            self.time,
            size,
            0,
            0,
            device.0,
            device.1,
            name,
            0,
        ];
        for field in fields {
            self.octets.extend(format!("{field:08x}").bytes());
        }
        self.octets.extend(path.bytes());
        self.octets.push(0);
        self.pad();
        self.octets.extend(content);
        self.pad();
    }

    fn pad(&mut self) {
        let length = self.octets.len().next_multiple_of(4);
        self.octets.resize(length, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_come_before_what_is_in_them_and_once() {
        let mut archive = Archive::new(7);
        archive.file("etc/postern/a", 0o644, b"one");
        archive.file("etc/postern/b", 0o644, b"two");
        archive.link("etc/c", "postern/a");
        archive.device("dev/console", (5, 1));
        let octets = archive.finish();
        assert_eq!(octets.len() % 4, 0);
        let text = String::from_utf8_lossy(&octets);
        let places: Vec<_> = ["etc\0", "etc/postern\0", "etc/postern/a\0", "TRAILER!!!\0"]
            .iter()
            .map(|name| text.find(name).expect("it is there"))
            .collect();
        assert!(places.is_sorted());
        assert_eq!(text.matches("070701").count(), 8);
        assert!(text.contains("00000005" /* major */) && text.contains("one\0"));
    }
}
