//! Modules of the kernel: what the devices of this box ask for, and what the board names, each after what it needs.
//!
//! A device tells its kind as a text (`modalias`), a module the kinds that it serves as patterns. Loading one may show further
//! devices, so the look is repeated until nothing new comes.
//!
//! Not here: which modules an image has (the image tool), parameters of our own devices (the board's file).

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

/// Where an image lists its modules.
pub const INDEX: &str = "/lib/modules/index";
/// Looks at the devices, at most: buses behind buses behind buses.
const ROUNDS: usize = 8;

/// The modules of an image.
#[derive(Debug, Default)]
pub struct Index {
    modules: BTreeMap<String, Module>,
    aliases: Vec<(String, String)>,
}

#[derive(Debug)]
struct Module {
    file: String,
    needs: Vec<String>,
}

impl Index {
    /// Reads the list that the image tool wrote: `module NAME FILE NEEDS` and `alias PATTERN NAME`, a line each.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut index = Self::default();
        for line in text.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["module", name, file, needs] => {
                    let needs = needs.split(',').filter(|name| *name != "-");
                    let module = Module {
                        file: file.to_owned(),
                        needs: needs.map(str::to_owned).collect(),
                    };
                    index.modules.insert(name.to_owned(), module);
                }
                ["alias", pattern, name] => {
                    index.aliases.push((pattern.to_owned(), name.to_owned()));
                }
                _ => {}
            }
        }
        index
    }

    /// The modules that serve a device or go by a name.
    pub fn serving<'i>(&'i self, asked: &str) -> impl Iterator<Item = &'i str> {
        let name = asked.replace('-', "_");
        let own = self
            .modules
            .get_key_value(&name)
            .map(|(name, _)| name.as_str());
        let others = self
            .aliases
            .iter()
            .filter(move |(pattern, _)| matches(pattern, asked));
        own.into_iter()
            .chain(others.map(|(_, name)| name.as_str()).collect::<Vec<_>>())
    }

    /// A module's file and those of all that it needs, in the order of loading.
    #[must_use]
    pub fn order(&self, name: &str) -> Vec<(&str, &str)> {
        let mut seen = BTreeSet::new();
        let mut order = Vec::new();
        self.collect(name, &mut seen, &mut order);
        order
    }

    fn collect<'i>(
        &'i self,
        name: &str,
        seen: &mut BTreeSet<&'i str>,
        order: &mut Vec<(&'i str, &'i str)>,
    ) {
        let Some((name, module)) = self.modules.get_key_value(name) else {
            return;
        };
        // A circle is a fault of the image; it must not keep a box from starting.
        if !seen.insert(name) {
            return;
        }
        for need in &module.needs {
            self.collect(need, seen, order);
        }
        order.push((name, &module.file));
    }
}

/// Whether a text is of a pattern's kind: `*` for anything, `?` for one character, `[a-c]` for one of those.
#[must_use]
pub fn matches(pattern: &str, text: &str) -> bool {
    // Where to go on when what follows the last star does not fit.
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut here) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while here < text.len() {
        if pattern.get(at) == Some(&b'*') {
            star = Some((at + 1, here));
            at += 1;
        } else if let Some(next) = one(pattern, at, text[here]) {
            at = next;
            here += 1;
        } else if let Some((after, from)) = star {
            star = Some((after, from + 1));
            at = after;
            here = from + 1;
        } else {
            return false;
        }
    }
    pattern[at.min(pattern.len())..]
        .iter()
        .all(|octet| *octet == b'*')
}

/// The place after the part of a pattern that fits this character, if it does.
fn one(pattern: &[u8], at: usize, octet: u8) -> Option<usize> {
    match *pattern.get(at)? {
        b'?' => Some(at + 1),
        b'[' => {
            let length = pattern[at..].iter().position(|octet| *octet == b']')?;
            let set = &pattern[at + 1..at + length];
            let mut fits = false;
            let mut index = 0;
            while index < set.len() {
                if set.get(index + 1) == Some(&b'-') && index + 2 < set.len() {
                    fits |= (set[index]..=set[index + 2]).contains(&octet);
                    index += 3;
                } else {
                    fits |= set[index] == octet;
                    index += 1;
                }
            }
            fits.then_some(at + length + 1)
        }
        literal => (literal == octet).then_some(at + 1),
    }
}

/// Loads modules into the kernel.
#[derive(Debug)]
pub struct Loader {
    index: Index,
    loaded: BTreeSet<String>,
    asked: BTreeSet<String>,
}

impl Loader {
    /// With the modules of this image.
    ///
    /// # Errors
    /// Where the image has no list of them.
    pub fn open() -> io::Result<Self> {
        Ok(Self {
            index: Index::parse(&fs::read_to_string(INDEX)?),
            loaded: BTreeSet::new(),
            asked: BTreeSet::new(),
        })
    }

    /// Loads what a board names, with its parameters: `softdog soft_margin=60`.
    pub fn load(&mut self, line: &str) {
        let (asked, parameters) = line.split_once(' ').unwrap_or((line, ""));
        let names: Vec<String> = self.index.serving(asked).map(str::to_owned).collect();
        for name in names {
            self.load_in_order(&name, parameters);
        }
    }

    fn load_in_order(&mut self, wanted: &str, parameters: &str) {
        let order = self.index.order(wanted);
        for (name, file) in order {
            if self.loaded.contains(name) {
                continue;
            }
            let parameters = if name == wanted { parameters } else { "" };
            if let Err(error) = insert(Path::new("/").join(file), parameters) {
                tracing::warn!(module = name, %error, "not loaded");
            }
            // One that failed would fail again.
            self.loaded.insert(name.to_owned());
        }
    }

    /// Loads what the devices of this box ask for.
    pub fn settle(&mut self) {
        for _ in 0..ROUNDS {
            let mut found = BTreeSet::new();
            collect_kinds(Path::new("/sys/devices"), &mut found);
            found.retain(|kind| !self.asked.contains(kind));
            if found.is_empty() {
                return;
            }
            for kind in found {
                self.load(&kind);
                self.asked.insert(kind);
            }
        }
    }
}

fn insert(file: PathBuf, parameters: &str) -> io::Result<()> {
    let parameters = CString::new(parameters)?;
    match rustix::system::finit_module(File::open(file)?, &parameters, 0) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn collect_kinds(folder: &Path, found: &mut BTreeSet<String>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        if kind.is_dir() {
            collect_kinds(&entry.path(), found);
        } else if entry.file_name() == "modalias"
            && let Ok(text) = fs::read_to_string(entry.path())
        {
            found.insert(text.trim().to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_as_those_of_the_kernel_do() {
        for (pattern, text) in [
            ("virtio:d00000001v*", "virtio:d00000001v00001AF4"),
            (
                "pci:v00001AF4d*sv*sd*bc*sc*i*",
                "pci:v00001AF4d00001041sv00001AF4sd00001100bc02sc00i00",
            ),
            (
                "cpu:type:x86,ven*fam*mod*:feature:*0094*",
                "cpu:type:x86,ven0000fam0006mod000F:feature:,0000,0094,0095",
            ),
            ("usb:v0[a-cF]?d*", "usb:v0bXdY"),
            ("*", ""),
            ("a*b*c", "aXbYbZc"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("virtio:d00000001v*", "virtio:d00000002v00001AF4"),
            ("a?", "a"),
            ("a", "ab"),
            ("[a-c]", "d"),
            ("[a", "a"),
            ("a*b", "aXc"),
        ] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn a_module_comes_after_what_it_needs_even_in_a_circle() {
        let index = Index::parse(
            "module net net.ko -\nmodule failover failover.ko net\nmodule virtio_net v.ko failover,net,builtin\n\
             module a a.ko b\nmodule b b.ko a\nalias virtio:d00000001v* virtio_net\nnonsense\n",
        );
        let serving: Vec<_> = index.serving("virtio:d00000001v00001AF4").collect();
        assert_eq!(serving, ["virtio_net"]);
        assert_eq!(
            index.serving("virtio-net").collect::<Vec<_>>(),
            ["virtio_net"]
        );
        let order: Vec<_> = index
            .order("virtio_net")
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(order, ["net", "failover", "virtio_net"]);
        assert_eq!(index.order("a").len(), 2);
        assert!(index.order("builtin").is_empty());
    }
}
