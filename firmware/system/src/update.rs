//! A new release into the other slot, and what becomes of it.
//!
//! The image is written beside the slots under a name that the loader does not read, forced to disk, and only then named as a
//! slot with three tries. A power cut at any moment leaves the running release as it was. The mark below which no release is
//! taken moves when a release is kept, never before: a box must always be able to go back.
//!
//! Not here: bringing a bundle (`fetch` of `init`); the trial (`trial`); the file system's own faults.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::bundle::{Opened, PublicKey, Refusal};
use crate::release::{Release, Version};
use crate::slots::{self, Slot, Standing};

/// Where an image has the keys whose bundles it takes, a line each.
pub const KEYS: &str = "/etc/postern/update-keys";

/// Why a release is not taken.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// The bundle is not to be believed.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// It is for another box.
    #[error("it is for the board '{theirs}', and this is '{ours}'")]
    OtherBoard {
        /// Of the bundle.
        theirs: String,
        /// Of the box.
        ours: String,
    },
    /// It is older than what has been kept here.
    #[error("release {theirs} is older than {mark}, which this box has kept")]
    Older {
        /// Of the bundle.
        theirs: Version,
        /// The mark.
        mark: Version,
    },
    /// It is what runs.
    #[error("release {0} runs already")]
    Running(Version),
    /// The disk refuses.
    #[error("it could not be stored: {0}")]
    Disk(#[from] io::Error),
}

/// The keys of this image.
#[must_use]
pub fn keys(text: &str) -> Vec<PublicKey> {
    text.lines().filter_map(PublicKey::parse).collect()
}

/// What a box remembers of its releases, on the data partition.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Memory {
    /// No release below it is taken.
    pub mark: Option<Version>,
    /// The release that was taken last, until its fate is known.
    pub awaited: Option<Version>,
    /// What became of the last one, for people.
    pub last: Option<String>,
}

impl Memory {
    /// Reads it; a box that remembers nothing is a new one.
    #[must_use]
    pub fn read(file: &Path) -> Self {
        let text = fs::read(file).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn write(&self, file: &Path) -> io::Result<()> {
        let fresh = file.with_extension("new");
        let to = File::create(&fresh)?;
        serde_json::to_writer(&to, self)?;
        to.sync_all()?;
        fs::rename(&fresh, file)?;
        sync_folder(file)
    }

    /// A release was kept.
    pub fn kept(&mut self, version: Version) {
        self.mark = self.mark.max(Some(version));
        self.awaited = None;
        self.last = Some(format!("release {version} is kept"));
    }

    /// A release was left behind.
    pub fn left(&mut self, version: Version, reason: &str) {
        self.awaited = None;
        self.last = Some(format!("release {version} was left behind: {reason}"));
    }

    /// At a start: whether what was awaited is not what runs.
    pub fn began(&mut self, running: Version) {
        if let Some(awaited) = self.awaited
            && awaited != running
        {
            self.left(awaited, "it did not start, or hung, in all of its tries");
        }
    }
}

/// The slots of a boot partition mounted at `boot`.
#[derive(Debug, Clone)]
pub struct Slots {
    folder: PathBuf,
}

impl Slots {
    /// Those of this boot partition.
    #[must_use]
    pub fn at(boot: &Path) -> Self {
        Self {
            folder: boot.join(slots::FOLDER),
        }
    }

    /// What lies in them.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub fn list(&self) -> io::Result<Vec<Slot>> {
        let mut slots = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            slots.extend(entry?.file_name().to_str().and_then(Slot::parse));
        }
        Ok(slots)
    }

    /// The slot of a release.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub fn of(&self, version: Version) -> io::Result<Option<Slot>> {
        let slots = self.list()?;
        Ok(slots.into_iter().find(|slot| slot.version == version))
    }

    /// Takes a release from its bundle, to be tried at the next start.
    ///
    /// # Errors
    /// Where it is not to be had, or not to be believed; the slots are as before then.
    pub fn take(
        &self,
        bundle: impl Read,
        keys: &[PublicKey],
        running: &Release,
        mark: Option<Version>,
    ) -> Result<Version, NotTaken> {
        let bundle = Opened::read(bundle, keys)?;
        let coming = bundle.description().clone();
        if coming.board != running.board {
            return Err(NotTaken::OtherBoard {
                theirs: coming.board,
                ours: running.board.clone(),
            });
        }
        if coming.version == running.version {
            return Err(NotTaken::Running(running.version));
        }
        if let Some(mark) = mark.filter(|mark| coming.version < *mark) {
            return Err(NotTaken::Older {
                theirs: coming.version,
                mark,
            });
        }
        self.clear()?;
        for slot in slots::to_be_removed(&self.list()?, running.version, coming.version) {
            fs::remove_file(self.folder.join(slot.to_string()))?;
        }
        let fresh = self.folder.join("coming.new");
        let stored = self.store(bundle, &fresh);
        if stored.is_err() {
            let _ = fs::remove_file(&fresh);
        }
        stored?;
        let slot = Slot::fresh(coming.version);
        fs::rename(&fresh, self.folder.join(slot.to_string()))?;
        sync_folder(&fresh)?;
        Ok(coming.version)
    }

    fn store(&self, bundle: Opened<impl Read>, fresh: &Path) -> Result<(), NotTaken> {
        let to = File::create(fresh)?;
        bundle.copy_image(&to)?;
        to.sync_all()?;
        Ok(sync_folder(fresh)?)
    }

    /// Removes what an update that was cut short has left.
    ///
    /// # Errors
    /// Where it cannot be removed.
    pub fn clear(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "new") {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// Takes the counter of a release away: it is good.
    ///
    /// # Errors
    /// Where the slot is gone, or the disk refuses.
    pub fn keep(&self, version: Version) -> io::Result<()> {
        self.rename(version, Slot::good(version))
    }

    /// Has the loader start a release only if there is nothing else.
    ///
    /// # Errors
    /// Where the slot is gone, or the disk refuses.
    pub fn leave(&self, version: Version) -> io::Result<()> {
        let standing = Standing::OnTrial {
            left: 0,
            used: slots::TRIES,
        };
        self.rename(version, Slot { version, standing })
    }

    fn rename(&self, version: Version, to: Slot) -> io::Result<()> {
        let from = self.of(version)?.ok_or(io::ErrorKind::NotFound)?;
        if from == to {
            return Ok(());
        }
        let [from, to] = [from, to].map(|slot| self.folder.join(slot.to_string()));
        fs::rename(from, &to)?;
        sync_folder(&to)
    }
}

fn sync_folder(file: &Path) -> io::Result<()> {
    file.parent()
        .map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::Ed25519KeyPair;

    use super::*;
    use crate::bundle::{self, SigningKey};

    struct Bench {
        boot: PathBuf,
        slots: Slots,
        key: SigningKey,
    }

    impl Bench {
        fn new(name: &str, files: &[&str]) -> Self {
            let boot = std::env::temp_dir().join(format!("postern-{name}-{}", std::process::id()));
            let folder = boot.join(slots::FOLDER);
            fs::create_dir_all(&folder).expect("a folder");
            for file in files {
                fs::write(folder.join(file), file).expect("a file");
            }
            let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("chance");
            let key = SigningKey::from_pkcs8(pkcs8.as_ref()).expect("as made");
            let slots = Slots::at(&boot);
            Self { boot, slots, key }
        }

        fn bundle(&self, board: &str, version: &str) -> Vec<u8> {
            let mut bundle = Vec::new();
            let version = version.parse().expect("a version");
            bundle::write(&mut bundle, board, version, 7, &[7; 9_999], &self.key).expect("memory");
            bundle
        }

        fn take(&self, bundle: &[u8], mark: Option<&str>) -> Result<Version, NotTaken> {
            let running = Release {
                version: version("1.0"),
                board: "x86".to_owned(),
                built: 7,
                console: String::new(),
                modules: Vec::new(),
                trial: crate::trial::Terms {
                    patience: 1,
                    proof: 1,
                },
            };
            let mark = mark.map(version);
            self.slots
                .take(bundle, &[self.key.public()], &running, mark)
        }

        fn names(&self) -> Vec<String> {
            let mut names: Vec<String> = fs::read_dir(self.boot.join(slots::FOLDER))
                .expect("a folder")
                .map(|entry| {
                    entry
                        .expect("an entry")
                        .file_name()
                        .into_string()
                        .expect("a name")
                })
                .collect();
            names.sort();
            names
        }
    }

    impl Drop for Bench {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.boot);
        }
    }

    fn version(text: &str) -> Version {
        text.parse().expect("a version")
    }

    #[test]
    fn a_release_is_taken_tried_and_kept_and_the_old_one_stays_beside_it() {
        let bench = Bench::new(
            "take",
            &["postern_0.9.0.efi", "postern_1.0.0.efi", "coming.new"],
        );
        let taken = bench.take(&bench.bundle("x86", "1.1"), Some("1.0"));
        assert_eq!(taken.expect("it is good"), version("1.1"));
        assert_eq!(bench.names(), ["postern_1.0.0.efi", "postern_1.1.0+3.efi"]);
        bench.slots.keep(version("1.1")).expect("it is there");
        bench
            .slots
            .keep(version("1.1"))
            .expect("once more is no harm");
        assert_eq!(bench.names(), ["postern_1.0.0.efi", "postern_1.1.0.efi"]);
    }

    #[test]
    fn a_release_that_fails_is_behind_what_was_before() {
        let bench = Bench::new("leave", &["postern_1.0.0.efi", "postern_1.1.0+2-1.efi"]);
        bench.slots.leave(version("1.1")).expect("it is there");
        let slots = bench.slots.list().expect("a folder");
        assert_eq!(slots::next(&slots), Some(Slot::good(version("1.0"))));
        assert!(bench.slots.leave(version("3.0")).is_err());
    }

    #[test]
    fn what_is_refused_leaves_the_slots_as_they_were() {
        let bench = Bench::new("refuse", &["postern_0.9.0.efi", "postern_1.0.0.efi"]);
        let before = bench.names();
        let good = bench.bundle("x86", "1.1");
        let mut changed = good.clone();
        *changed.last_mut().expect("not empty") ^= 1;
        let running = bench.take(&bench.bundle("x86", "1.0"), None);
        assert!(matches!(running, Err(NotTaken::Running(_))));
        let older = bench.take(&bench.bundle("x86", "0.9"), Some("1.0"));
        assert!(matches!(older, Err(NotTaken::Older { .. })));
        let other = bench.take(&bench.bundle("arm", "1.1"), None);
        assert!(matches!(other, Err(NotTaken::OtherBoard { .. })));
        let stranger = Bench::new("stranger", &[]);
        let forged = bench.take(&stranger.bundle("x86", "1.1"), None);
        assert!(matches!(
            forged,
            Err(NotTaken::Refused(Refusal::UnknownKey))
        ));
        assert_eq!(bench.names(), before);
        // These fail when their image has been written: room was made for it, and what runs is untouched.
        let refused = bench.take(&changed, None);
        assert!(matches!(refused, Err(NotTaken::Refused(Refusal::Changed))));
        assert!(bench.take(&good[..good.len() - 1], None).is_err());
        assert_eq!(bench.names(), ["postern_1.0.0.efi"]);
    }

    #[test]
    fn the_mark_moves_when_a_release_is_kept_and_never_back() {
        let folder = std::env::temp_dir().join(format!("postern-memory-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let file = folder.join("releases.json");
        let mut memory = Memory::read(&file);
        assert_eq!(memory, Memory::default());
        memory.awaited = Some(version("1.1"));
        memory.kept(version("1.1"));
        memory.kept(version("1.0"));
        assert_eq!(memory.mark, Some(version("1.1")));
        memory.awaited = Some(version("1.2"));
        memory.write(&file).expect("a folder of ours");
        let mut memory = Memory::read(&file);
        memory.began(version("1.2"));
        assert_eq!(memory.awaited, Some(version("1.2")), "its trial goes on");
        memory.began(version("1.1"));
        assert_eq!((memory.awaited, memory.mark), (None, Some(version("1.1"))));
        assert!(
            memory
                .last
                .is_some_and(|text| text.contains("1.2.0 was left behind"))
        );
        fs::remove_dir_all(folder).expect("it is ours");
    }
}
