//! A disk with partitions: GPT (UEFI 2.10 §5), with the protective table of old before it and its own copy at the end.
//!
//! Every identity is made from a name, so that the same image has the same ones; a box finds its partitions by their names.
//!
//! Not here: what is in the partitions.

use ring::digest::{SHA256, digest};

/// Octets of a sector.
pub const SECTOR: u64 = 512;
/// Partitions begin at whole mebibytes.
pub const MEBIBYTE: u64 = 1 << 20;

const ENTRIES: usize = 128;
const ENTRY: usize = 128;
const TABLE_SECTORS: u64 = (ENTRIES * ENTRY) as u64 / SECTOR;

/// What a partition is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What UEFI reads (C12A7328-F81F-11D2-BA4B-00A0C93EC93B).
    Boot,
    /// Data of Linux (0FC63DAF-8483-4772-8E79-3D69D8477DE4).
    Data,
}

impl Kind {
    const fn id(self) -> [u8; 16] {
        match self {
            Self::Boot => *b"\x28\x73\x2a\xc1\x1f\xf8\xd2\x11\xba\x4b\x00\xa0\xc9\x3e\xc9\x3b",
            Self::Data => *b"\xaf\x3d\xc6\x0f\x83\x84\x72\x47\x8e\x79\x3d\x69\xd8\x47\x7d\xe4",
        }
    }
}

/// A partition to be.
#[derive(Debug, Clone, Copy)]
pub struct Partition<'a> {
    /// Its name, by which a box finds it.
    pub name: &'a str,
    /// What it is for.
    pub kind: Kind,
    /// Mebibytes.
    pub size: u32,
}

/// The tables of a disk, and where its partitions lie.
#[derive(Debug)]
pub struct Layout {
    /// Octets of the disk.
    pub size: u64,
    /// What stands at its beginning.
    pub head: Vec<u8>,
    /// What stands at its end.
    pub tail: Vec<u8>,
    /// First octets of the partitions, in their order.
    pub starts: Vec<u64>,
}

/// A disk with these partitions, one after the other.
#[must_use]
pub fn layout(disk: &str, partitions: &[Partition<'_>]) -> Layout {
    let mut entries = vec![0; ENTRIES * ENTRY];
    let mut starts = Vec::new();
    let mut next = MEBIBYTE;
    for (partition, entry) in partitions.iter().zip(entries.chunks_exact_mut(ENTRY)) {
        let size = u64::from(partition.size) * MEBIBYTE;
        let (first, last) = (next / SECTOR, (next + size) / SECTOR - 1);
        entry[..16].copy_from_slice(&partition.kind.id());
        entry[16..32].copy_from_slice(&identity(disk, partition.name));
        entry[32..40].copy_from_slice(&first.to_le_bytes());
        entry[40..48].copy_from_slice(&last.to_le_bytes());
        for (place, unit) in entry[56..]
            .chunks_exact_mut(2)
            .zip(partition.name.encode_utf16())
        {
            place.copy_from_slice(&unit.to_le_bytes());
        }
        starts.push(next);
        next += size;
    }
    let size = next + MEBIBYTE;
    let last = size / SECTOR - 1;
    let mut head = protective(last);
    head.extend(header(disk, &entries, (1, last), 2, last));
    head.extend(&entries);
    let mut tail = entries.clone();
    tail.extend(header(
        disk,
        &entries,
        (last, 1),
        last - TABLE_SECTORS,
        last,
    ));
    Layout {
        size,
        head,
        tail,
        starts,
    }
}

/// One partition over all of the disk, for who knows no GPT.
fn protective(last: u64) -> Vec<u8> {
    let mut sector = vec![0; SECTOR as usize];
    let count = u32::try_from(last).unwrap_or(u32::MAX);
    sector[446..462].copy_from_slice(&[0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff, 1, 0, 0, 0, 0, 0, 0, 0]);
    sector[458..462].copy_from_slice(&count.to_le_bytes());
    sector[510..].copy_from_slice(&[0x55, 0xaa]);
    sector
}

fn header(disk: &str, entries: &[u8], (own, other): (u64, u64), table: u64, last: u64) -> Vec<u8> {
    let mut header = Vec::with_capacity(SECTOR as usize);
    header.extend(b"EFI PART");
    header.extend(0x0001_0000_u32.to_le_bytes());
    header.extend(92_u32.to_le_bytes());
    header.extend([0; 8]);
    for place in [own, other, 2 + TABLE_SECTORS, last - TABLE_SECTORS - 1] {
        header.extend(place.to_le_bytes());
    }
    header.extend(identity(disk, ""));
    header.extend(table.to_le_bytes());
    header.extend((ENTRIES as u32).to_le_bytes());
    header.extend((ENTRY as u32).to_le_bytes());
    header.extend(crc32fast::hash(entries).to_le_bytes());
    let sum = crc32fast::hash(&header);
    header[16..20].copy_from_slice(&sum.to_le_bytes());
    header.resize(SECTOR as usize, 0);
    header
}

/// An identity made of a name (as RFC 9562 §5.8 allows: version 8).
#[must_use]
pub fn identity(disk: &str, partition: &str) -> [u8; 16] {
    let digest = digest(&SHA256, format!("postern {disk} {partition}").as_bytes());
    let mut identity: [u8; 16] = *digest.as_ref().first_chunk().expect("32 octets");
    // The first three groups are stored with their last octet first.
    identity[7] = identity[7] & 0x0f | 0x80;
    identity[8] = identity[8] & 0x3f | 0x80;
    identity
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_tables_tell_the_same_and_hold_their_sums() {
        let partitions = [
            Partition {
                name: "postern-boot",
                kind: Kind::Boot,
                size: 64,
            },
            Partition {
                name: "postern-data",
                kind: Kind::Data,
                size: 8,
            },
        ];
        let layout = layout("x86", &partitions);
        assert_eq!(layout.size, (1 + 64 + 8 + 1) * MEBIBYTE);
        assert_eq!(layout.starts, [MEBIBYTE, 65 * MEBIBYTE]);
        let sector = SECTOR as usize;
        let entries = &layout.head[2 * sector..];
        assert_eq!(entries, &layout.tail[..layout.tail.len() - sector]);
        for header in [
            &layout.head[sector..2 * sector],
            &layout.tail[layout.tail.len() - sector..],
        ] {
            let mut header = header[..92].to_vec();
            let sum = u32::from_le_bytes(header[16..20].try_into().expect("four octets"));
            header[16..20].fill(0);
            assert_eq!(crc32fast::hash(&header), sum);
            let of_entries = u32::from_le_bytes(header[88..92].try_into().expect("four octets"));
            assert_eq!(crc32fast::hash(entries), of_entries);
        }
        assert_ne!(identity("x86", "a"), identity("x86", "b"));
    }
}
