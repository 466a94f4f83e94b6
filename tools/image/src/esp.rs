//! The boot partition: FAT32 with the loader, the slots and, if there are any, the settings that a new box starts with.
//!
//! Written in memory and without the time of day: the same files give the same octets.
//!
//! Not here: changing one that a box has in use.

use std::io::{self, Cursor, Write};

use fatfs::{FatType, FileSystem, FormatVolumeOptions, FsOptions, format_volume};

/// A FAT32 file system of so many octets with these files.
///
/// # Errors
/// Where they do not fit.
pub fn file_system(size: u64, label: &str, files: &[(String, Vec<u8>)]) -> io::Result<Vec<u8>> {
    let size = usize::try_from(size).map_err(io::Error::other)?;
    let mut disk = Cursor::new(vec![0; size]);
    let mut volume_label = [b' '; 11];
    for (place, octet) in volume_label.iter_mut().zip(label.bytes()) {
        *place = octet;
    }
    let options = FormatVolumeOptions::new()
        .fat_type(FatType::Fat32)
        .bytes_per_cluster(cluster(size))
        .volume_id(0x504f_5354)
        .volume_label(volume_label);
    format_volume(&mut disk, options)?;
    {
        let system = FileSystem::new(&mut disk, FsOptions::new())?;
        let root = system.root_dir();
        for (path, content) in files {
            for (end, _) in path.match_indices('/') {
                root.create_dir(&path[..end])?;
            }
            let mut file = root.create_file(path)?;
            file.truncate()?;
            file.write_all(content)?;
            file.flush()?;
        }
    }
    Ok(disk.into_inner())
}

/// The largest cluster with which a volume still has the 65,525 clusters that make it FAT32.
fn cluster(size: usize) -> u32 {
    let most = u32::try_from(size / 70_000).unwrap_or(u32::MAX);
    (1 << most.max(512).ilog2()).min(32_768)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn what_is_written_is_found_and_the_same_each_time() {
        let files = [
            ("loader/loader.conf".to_owned(), b"timeout 0\n".to_vec()),
            ("EFI/Linux/postern_1.0.0+3.efi".to_owned(), vec![7; 100_000]),
            ("EFI/BOOT/BOOTX64.EFI".to_owned(), vec![8; 10]),
        ];
        let first = file_system(64 << 20, "POSTERN", &files).expect("room");
        let second = file_system(64 << 20, "POSTERN", &files).expect("room");
        assert!(first == second);
        let system = FileSystem::new(Cursor::new(first), FsOptions::new()).expect("FAT");
        let root = system.root_dir();
        for (path, content) in files {
            let mut found = Vec::new();
            root.open_file(&path)
                .expect("it is there")
                .read_to_end(&mut found)
                .expect("it is whole");
            assert!(found == content, "{path}");
        }
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let files = [("large".to_owned(), vec![1; 65 << 20])];
        assert!(file_system(64 << 20, "POSTERN", &files).is_err());
    }
}
