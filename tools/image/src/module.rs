//! What a module of the kernel says of itself: its name, what it needs, which devices it serves (the ELF section `.modinfo`).
//!
//! Debian makes its index of modules when a kernel is installed; an image has none installed, so it is made here, in the form
//! that `system::modules` reads.
//!
//! Not here: which modules an image has (`assembly`).

use std::collections::{BTreeMap, BTreeSet};

/// A module.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// Modules that must be there before it.
    pub needs: Vec<String>,
    /// Patterns of devices and names that ask for it.
    pub aliases: Vec<String>,
}

/// The name that the kernel has for a module's file.
#[must_use]
pub fn name(file: &str) -> String {
    let base = file.rsplit('/').next().unwrap_or(file);
    base.trim_end_matches(".ko").replace('-', "_")
}

/// Reads what a module says of itself. None where it is no module.
#[must_use]
pub fn facts(module: &[u8]) -> Option<Facts> {
    let mut facts = Facts::default();
    for text in section(module, b".modinfo")?.split(|octet| *octet == 0) {
        let Ok(text) = std::str::from_utf8(text) else {
            continue;
        };
        match text.split_once('=') {
            Some(("depends", names)) => {
                let names = names.split(',').filter(|name| !name.is_empty());
                facts.needs.extend(names.map(name));
            }
            // `softdep=pre: a b post: c`: it works better, or only, with these before it.
            Some(("softdep", words)) => {
                let pre = words.split("post:").next().unwrap_or_default();
                let names = pre.split_whitespace().filter(|word| *word != "pre:");
                facts.needs.extend(names.map(name));
            }
            Some(("alias", pattern)) if !pattern.contains(char::is_whitespace) => {
                facts.aliases.push(pattern.to_owned());
            }
            _ => {}
        }
    }
    Some(facts)
}

/// A section of a 64-bit ELF file, least octet first.
fn section<'m>(elf: &'m [u8], wanted: &[u8]) -> Option<&'m [u8]> {
    if elf.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    let table = number::<8>(elf, 40)?;
    let [size, count, names] = [58, 60, 62].map(|at| number::<2>(elf, at));
    let header = |index: usize| table.checked_add(index.checked_mul(size?)?);
    let content = |at: usize| {
        let start = number::<8>(elf, at.checked_add(24)?)?;
        let length = number::<8>(elf, at.checked_add(32)?)?;
        elf.get(start..start.checked_add(length)?)
    };
    let names = content(header(names?)?)?;
    (0..count?).find_map(|index| {
        let at = header(index)?;
        let name = names.get(number::<4>(elf, at)?..)?;
        let name = name.split(|octet| *octet == 0).next()?;
        (name == wanted).then(|| content(at))?
    })
}

fn number<const N: usize>(octets: &[u8], at: usize) -> Option<usize> {
    let octets = octets.get(at..at.checked_add(N)?)?;
    let value = octets
        .iter()
        .rev()
        .fold(0_u64, |value, octet| value << 8 | u64::from(*octet));
    usize::try_from(value).ok()
}

/// The modules with these names and all that they need, of those that there are. What is built into the kernel is in no file.
#[must_use]
pub fn with_needs(all: &BTreeMap<String, Facts>, wanted: &[String]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&String> = wanted.iter().collect();
    while let Some(name) = open.pop() {
        if let Some((name, facts)) = all.get_key_value(name)
            && found.insert(name.clone())
        {
            open.extend(&facts.needs);
        }
    }
    found
}

/// The index of modules, each with its file.
#[must_use]
pub fn index<'m>(modules: impl IntoIterator<Item = (&'m str, &'m str, &'m Facts)>) -> String {
    let mut index = String::new();
    for (name, file, facts) in modules {
        let needs = if facts.needs.is_empty() {
            "-".to_owned()
        } else {
            facts.needs.join(",")
        };
        index.push_str(&format!("module {name} {file} {needs}\n"));
        for alias in &facts.aliases {
            index.push_str(&format!("alias {alias} {name}\n"));
        }
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An ELF file with two sections, `.modinfo` and the names.
    fn module(info: &[u8]) -> Vec<u8> {
        let names = b"\0.modinfo\0";
        let mut elf = vec![0; 64];
        elf[..6].copy_from_slice(b"\x7fELF\x02\x01");
        elf[58] = 64;
        elf[60] = 2;
        elf[62] = 1;
        let info_at = elf.len();
        elf.extend(info);
        let names_at = elf.len();
        elf.extend(names);
        let table = elf.len() as u64;
        elf[40..48].copy_from_slice(&table.to_le_bytes());
        for (name, at, length) in [(1_u32, info_at, info.len()), (0, names_at, names.len())] {
            let mut header = [0; 64];
            header[..4].copy_from_slice(&name.to_le_bytes());
            header[24..32].copy_from_slice(&(at as u64).to_le_bytes());
            header[32..40].copy_from_slice(&(length as u64).to_le_bytes());
            elf.extend(header);
        }
        elf
    }

    #[test]
    fn a_module_tells_what_it_needs_and_serves() {
        let file = module(
            b"license=GPL\0alias=pci:v00001AF4d*\0alias=a\0depends=net-failover,virtio\0softdep=pre: crc post: x\0",
        );
        let facts = facts(&file).expect("a module");
        assert_eq!(facts.needs, ["net_failover", "virtio", "crc"]);
        assert_eq!(facts.aliases, ["pci:v00001AF4d*", "a"]);
        assert_eq!(name("kernel/drivers/net/virtio-net.ko"), "virtio_net");
    }

    #[test]
    fn what_is_no_module_is_none_and_never_a_panic() {
        let whole = module(b"depends=a\0");
        for length in 0..whole.len() {
            let _ = facts(&whole[..length]);
        }
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] = 0xff;
            let _ = facts(&changed);
        }
        assert_eq!(facts(b"text"), None);
    }

    #[test]
    fn needs_are_followed_to_their_end() {
        let facts = |needs: &[&str]| Facts {
            needs: needs.iter().map(ToString::to_string).collect(),
            aliases: Vec::new(),
        };
        let all = BTreeMap::from([
            ("a".to_owned(), facts(&["b", "builtin"])),
            ("b".to_owned(), facts(&["c", "a"])),
            ("c".to_owned(), facts(&[])),
            ("d".to_owned(), facts(&[])),
        ]);
        let found = with_needs(&all, &["a".to_owned(), "nothing".to_owned()]);
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(
            index([("a", "a.ko", &all["a"])]),
            "module a a.ko b,builtin\n"
        );
    }
}
