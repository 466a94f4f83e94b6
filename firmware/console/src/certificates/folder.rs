//! Where pairs and requests lie: files of the box's user alone, each written whole or not at all.
//!
//! Not here: what is in them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use store::{Wall, file};

use super::{Pair, Request};

/// Requests that may wait at a time.
const MOST_REQUESTS: usize = 64;
/// No pair is longer.
const LONGEST: u64 = 1 << 20;
/// Beside the configuration, which names what is in it.
const PAIRS: &str = "certificates";

/// The name of an identity, which files bear as well: letters, digits, `-` and `_`, 48 at most.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Label(String);

impl Label {
    pub(crate) fn new(name: &str) -> Option<Self> {
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
        let is_good = (1..=48).contains(&name.len())
            && name.chars().all(is_plain)
            && name.starts_with(|first: char| first.is_ascii_alphanumeric());
        is_good.then(|| Self(name.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a file was not kept or found.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FolderError {
    /// There are too many.
    #[error("{MOST_REQUESTS} requests wait already: take one back first")]
    Full,
    /// The disk.
    #[error(transparent)]
    Disk(#[from] io::Error),
}

/// A request that waits for its certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Waiting {
    pub(crate) names: Vec<String>,
    pub(crate) request: String,
    key: String,
}

impl Waiting {
    pub(crate) fn key(&self) -> &str {
        &self.key
    }
}

/// The files.
#[derive(Debug)]
pub(crate) struct Folder {
    /// That of the configuration.
    configuration: PathBuf,
    requests: PathBuf,
}

impl Folder {
    /// Beside this configuration, and below what the console keeps.
    pub(crate) fn new(configuration: &Path, data: &Path) -> Self {
        Self {
            configuration: configuration
                .parent()
                .unwrap_or_else(|| Path::new(""))
                .to_owned(),
            requests: data.join("requests"),
        }
    }

    /// Keeps a pair; gives the name by which a configuration names it.
    pub(crate) fn keep(&self, name: &Label, pair: &Pair, now: Wall) -> io::Result<String> {
        let mut number = 0;
        loop {
            let more = if number == 0 {
                String::new()
            } else {
                format!("-{number}")
            };
            let named = format!("{PAIRS}/{}-{}{more}.pem", name.as_str(), now.0);
            let path = self.configuration.join(&named);
            if path.exists() {
                number += 1;
                continue;
            }
            fs::create_dir_all(self.configuration.join(PAIRS))?;
            let text = format!("{}\n{}\n", pair.chain.trim(), pair.key.trim());
            file::replace(&path, text.as_bytes())?;
            return Ok(named);
        }
    }

    /// Lets go of a pair that did not come into use.
    pub(crate) fn drop_pair(&self, named: &str) {
        if named.starts_with(PAIRS) {
            // A file too many harms nobody.
            let _ = fs::remove_file(self.configuration.join(named));
        }
    }

    /// Reads a file that the configuration names.
    pub(crate) fn read(&self, named: &str) -> io::Result<String> {
        let path = self.configuration.join(named);
        if fs::metadata(&path)?.len() > LONGEST {
            return Err(io::Error::other("it is too long for a certificate"));
        }
        fs::read_to_string(path)
    }

    /// Keeps a request with its key.
    pub(crate) fn await_answer(
        &self,
        name: &Label,
        names: Vec<String>,
        request: Request,
    ) -> Result<(), FolderError> {
        fs::create_dir_all(&self.requests)?;
        if fs::read_dir(&self.requests)?.count() >= MOST_REQUESTS {
            return Err(FolderError::Full);
        }
        let waiting = Waiting {
            names,
            request: request.request,
            key: request.key,
        };
        let text = serde_json::to_vec(&waiting).map_err(io::Error::other)?;
        Ok(file::replace(&self.path(name), &text)?)
    }

    /// The request of this name, if one waits.
    pub(crate) fn awaited(&self, name: &Label) -> Option<Waiting> {
        serde_json::from_slice(&fs::read(self.path(name)).ok()?).ok()
    }

    /// All that wait, by name.
    pub(crate) fn all_awaited(&self) -> Vec<(Label, Waiting)> {
        let entries = fs::read_dir(&self.requests).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| {
            let name = entry.file_name();
            Label::new(name.to_str()?.strip_suffix(".json")?)
        });
        let mut all: Vec<_> = names
            .filter_map(|name| Some((name.clone(), self.awaited(&name)?)))
            .collect();
        all.sort_by(|one, other| one.0.cmp(&other.0));
        all
    }

    /// Takes a request back, with its key. Says whether there was one.
    pub(crate) fn forget(&self, name: &Label) -> io::Result<bool> {
        match fs::remove_file(self.path(name)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn path(&self, name: &Label) -> PathBuf {
        self.requests.join(format!("{}.json", name.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_of_a_file_and_of_no_other_folder() {
        for name in ["contoso", "a", "Contoso_2-b"] {
            assert!(Label::new(name).is_some(), "{name}");
        }
        for name in ["", ".", "..", "a/b", "../a", "-a", "a b", "a.pem", "ä"] {
            assert!(Label::new(name).is_none(), "{name}");
        }
        assert!(Label::new(&"a".repeat(49)).is_none());
    }
}
