//! Sections added to an EFI program: how systemd's stub, a kernel, its command line and its first files become one program.
//!
//! The stub finds its sections by name in memory; those of ours follow its own, the kernel last, for it may write beyond its
//! end while it unpacks itself. The header grows where the stub leaves it no room: what follows in the file moves, what is in
//! memory does not.
//!
//! Not here: signing; the certificate table of a program that is signed already would be lost, so there must be none.

use crate::Error;

const PAGE: usize = 4096;
const SECTION: usize = 40;
/// Initialised data, to be read.
const READABLE_DATA: u32 = 0x4000_0040;

/// A program with further sections, in this order.
///
/// # Errors
/// Where `stub` is no EFI program, or has no room in memory for a longer header.
pub fn with_sections(stub: &[u8], added: &[(&str, &[u8])]) -> Result<Vec<u8>, Error> {
    build(stub, added).ok_or_else(|| {
        Error::Wrong(
            "the stub".to_owned(),
            "it is no EFI program that sections can be added to",
        )
    })
}

/// The fields of the headers that we read, by their place in the file (Microsoft PE format, "COFF File Header" and after).
struct Header {
    sections: usize,
    optional: usize,
    table: usize,
    section_alignment: usize,
    file_alignment: usize,
}

fn build(stub: &[u8], added: &[(&str, &[u8])]) -> Option<Vec<u8>> {
    let coff = word(stub, 0x3c)? + 4;
    if stub.get(coff - 4..coff)? != b"PE\0\0" {
        return None;
    }
    let optional = coff + 20;
    let header = Header {
        sections: half(stub, coff + 2)?,
        optional,
        table: optional + half(stub, coff + 16)?,
        section_alignment: word(stub, optional + 32)?.max(PAGE),
        file_alignment: word(stub, optional + 36)?,
    };
    // PE32+ with all of its data directories, of which the fifth would be the certificates.
    if half(stub, header.optional)? != 0x20b || word(stub, header.optional + 112 + 32)? != 0 {
        return None;
    }
    let own_end = header.table + header.sections * SECTION;
    let end = own_end + added.len() * SECTION;
    let head_size = end.next_multiple_of(header.file_alignment);

    let mut program = stub.get(..own_end)?.to_vec();
    program.resize(head_size, 0);
    let mut free = 0;
    for index in 0..header.sections {
        let at = header.table + index * SECTION;
        let [size, address, raw_size, raw] = [8, 12, 16, 20].map(|field| word(stub, at + field));
        let (address, raw_size, raw) = (address?, raw_size?, raw?);
        if address < head_size {
            return None;
        }
        free = free.max(address + size?.max(raw_size));
        if raw_size > 0 {
            let place = program.len();
            put(&mut program, at + 20, place);
            // Some tools leave the last section short in the file.
            let content = stub.get(raw..stub.len().min(raw + raw_size))?;
            append(&mut program, content, header.file_alignment);
            put(
                &mut program,
                at + 16,
                raw_size.next_multiple_of(header.file_alignment),
            );
        }
    }
    for (index, (name, content)) in added.iter().enumerate() {
        let at = own_end + index * SECTION;
        let address = free.next_multiple_of(header.section_alignment);
        free = address + content.len();
        program[at..at + name.len()].copy_from_slice(name.as_bytes());
        put(&mut program, at + 8, content.len());
        put(&mut program, at + 12, address);
        put(
            &mut program,
            at + 16,
            content.len().next_multiple_of(header.file_alignment),
        );
        let place = program.len();
        put(&mut program, at + 20, place);
        program[at + 36..at + 40].copy_from_slice(&READABLE_DATA.to_le_bytes());
        append(&mut program, content, header.file_alignment);
    }
    let count = u16::try_from(header.sections + added.len()).ok()?;
    program[coff + 2..coff + 4].copy_from_slice(&count.to_le_bytes());
    // The table of symbols lies behind the sections and is for debuggers.
    put(&mut program, coff + 8, 0);
    put(&mut program, coff + 12, 0);
    put(
        &mut program,
        header.optional + 56,
        free.next_multiple_of(header.section_alignment),
    );
    put(&mut program, header.optional + 60, head_size);
    // A checksum of nothing is one that nobody checks.
    put(&mut program, header.optional + 64, 0);
    Some(program)
}

fn append(program: &mut Vec<u8>, content: &[u8], alignment: usize) {
    program.extend(content);
    program.resize(program.len().next_multiple_of(alignment), 0);
}

fn put(program: &mut [u8], at: usize, value: usize) {
    let value = u32::try_from(value).expect("a program is smaller than 4 GiB");
    program[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

fn half(octets: &[u8], at: usize) -> Option<usize> {
    let octets = octets.get(at..at + 2)?;
    Some(usize::from(u16::from_le_bytes(octets.try_into().ok()?)))
}

fn word(octets: &[u8], at: usize) -> Option<usize> {
    let octets = octets.get(at..at + 4)?;
    usize::try_from(u32::from_le_bytes(octets.try_into().ok()?)).ok()
}

/// The content of a section.
#[must_use]
pub fn section<'p>(program: &'p [u8], name: &str) -> Option<&'p [u8]> {
    let coff = word(program, 0x3c)? + 4;
    let table = coff + 20 + half(program, coff + 16)?;
    (0..half(program, coff + 2)?).find_map(|index| {
        let at = table + index * SECTION;
        let found = program.get(at..at + 8)?.split(|octet| *octet == 0).next()?;
        let raw = word(program, at + 20)?;
        let size = word(program, at + 8)?;
        (found == name.as_bytes()).then(|| program.get(raw..raw + size))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An EFI program of one section, with no room in its header for more than one further.
    fn stub() -> Vec<u8> {
        let mut stub = vec![0; 0x400];
        put(&mut stub, 0x3c, 0x40);
        stub[0x40..0x44].copy_from_slice(b"PE\0\0");
        stub[0x46] = 1;
        stub[0x54] = 240;
        let optional = 0x58;
        stub[optional..optional + 2].copy_from_slice(&0x20b_u16.to_le_bytes());
        put(&mut stub, optional + 32, 0x1000);
        put(&mut stub, optional + 36, 0x200);
        let section = optional + 240;
        stub[section..section + 5].copy_from_slice(b".text");
        for (field, value) in [(8, 4), (12, 0x1000), (16, 0x200), (20, 0x200)] {
            put(&mut stub, section + field, value);
        }
        stub[0x200..0x204].copy_from_slice(b"code");
        stub
    }

    #[test]
    fn all_sections_are_found_and_lie_apart() {
        let kernel = vec![7; 10_000];
        let names = [
            ".osrel", ".cmdline", ".initrd", ".uname", ".splash", ".a", ".b",
        ];
        let mut added: Vec<(&str, &[u8])> =
            names.iter().map(|name| (*name, &b"text"[..])).collect();
        added.push((".linux", &kernel));
        let program = with_sections(&stub(), &added).expect("a stub");
        assert_eq!(section(&program, ".text"), Some(&b"code"[..]));
        assert_eq!(section(&program, ".cmdline"), Some(&b"text"[..]));
        assert_eq!(section(&program, ".linux"), Some(&kernel[..]));
        assert_eq!(section(&program, ".nothing"), None);
        assert_eq!(program.len() % 0x200, 0);
        // The same again on top: sections can be added to what has some.
        let twice = with_sections(&program, &[(".more", b"x")]).expect("still one");
        assert_eq!(section(&twice, ".linux"), Some(&kernel[..]));
        assert_eq!(section(&twice, ".more"), Some(&b"x"[..]));
    }

    #[test]
    fn what_is_no_program_is_refused() {
        for length in [0, 0x3f, 0x44, 0x100, 0x16f] {
            assert!(with_sections(&stub()[..length], &[]).is_err(), "{length}");
        }
        assert!(with_sections(&[0; 4096], &[(".a", b"")]).is_err());
    }
}
