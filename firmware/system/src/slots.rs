//! The two slots as files of the boot partition, by the names that systemd-boot gives a meaning (Boot Loader Specification,
//! "Boot counting"): `postern_1.1.0+3.efi` has three tries, `+2-1` had one of them, `+0-3` is left behind, and a name without a
//! counter is good.
//!
//! The loader counts; a good system takes the counter away. What is good has no counter, so power cuts never use it up.
//!
//! Not here: the files' content; touching the disk (`update`).

use std::fmt;

use crate::release::Version;

/// Where the loader looks, in the boot partition.
pub const FOLDER: &str = "EFI/Linux";
/// Tries of a new release.
pub const TRIES: u32 = 3;

/// How far a slot is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It has proven itself.
    Good,
    /// It is being tried.
    OnTrial {
        /// Tries left.
        left: u32,
        /// Tries used.
        used: u32,
    },
}

/// A slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// The release in it.
    pub version: Version,
    /// How far it is believed.
    pub standing: Standing,
}

impl Slot {
    /// A release that has proven itself.
    #[must_use]
    pub const fn good(version: Version) -> Self {
        Self {
            version,
            standing: Standing::Good,
        }
    }

    /// A release that has never been started.
    #[must_use]
    pub const fn fresh(version: Version) -> Self {
        Self {
            version,
            standing: Standing::OnTrial {
                left: TRIES,
                used: 0,
            },
        }
    }

    /// A slot by the name of its file. None where the file is something else.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        // FAT keeps the case of long names, but finds them by any.
        let name = name.to_ascii_lowercase();
        let stem = name.strip_prefix("postern_")?.strip_suffix(".efi")?;
        let Some((version, counter)) = stem.split_once('+') else {
            return Some(Self::good(stem.parse().ok()?));
        };
        let (left, used) = counter.split_once('-').unwrap_or((counter, "0"));
        Some(Self {
            version: version.parse().ok()?,
            standing: Standing::OnTrial {
                left: left.parse().ok()?,
                used: used.parse().ok()?,
            },
        })
    }

    /// Whether the loader starts it only if there is nothing else.
    #[must_use]
    pub const fn is_left_behind(&self) -> bool {
        matches!(self.standing, Standing::OnTrial { left: 0, .. })
    }
}

/// The name of its file.
impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "postern_{}", self.version)?;
        match self.standing {
            Standing::Good => {}
            Standing::OnTrial { left, used: 0 } => write!(f, "+{left}")?,
            Standing::OnTrial { left, used } => write!(f, "+{left}-{used}")?,
        }
        f.write_str(".efi")
    }
}

/// Which slots go to make room for `coming`: all but the one that runs and, if it is another, the best that has proven itself.
#[must_use]
pub fn to_be_removed(slots: &[Slot], running: Version, coming: Version) -> Vec<Slot> {
    let runs = |slot: &&Slot| slot.version == running;
    let running_is_good = slots
        .iter()
        .filter(runs)
        .any(|slot| slot.standing == Standing::Good);
    // While the running one is on trial it may yet fail, and what it replaced must still be there.
    let spare = slots
        .iter()
        .filter(|slot| !running_is_good && !runs(slot) && slot.standing == Standing::Good)
        .map(|slot| slot.version)
        .max();
    slots
        .iter()
        .filter(|slot| {
            let stays = slot.version == running || Some(slot.version) == spare;
            !stays || (slot.version == coming && slot.version != running)
        })
        .copied()
        .collect()
}

/// The one that the loader starts next.
#[must_use]
pub fn next(slots: &[Slot]) -> Option<Slot> {
    let key = |slot: &&Slot| (!slot.is_left_behind(), slot.version);
    slots.iter().max_by_key(key).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(name: &str) -> Slot {
        Slot::parse(name).expect("a slot")
    }

    fn version(text: &str) -> Version {
        text.parse().expect("a version")
    }

    #[test]
    fn a_name_is_read_as_it_is_written() {
        for name in [
            "postern_1.1.0.efi",
            "postern_1.1.0+3.efi",
            "postern_1.1.0+2-1.efi",
            "postern_1.1.0+0-3.efi",
        ] {
            assert_eq!(slot(name).to_string(), name);
        }
        for name in [
            "postern_1.1.0.efi.new",
            "linux.efi",
            "postern_.efi",
            "postern_1.0+x.efi",
        ] {
            assert_eq!(Slot::parse(name), None, "{name}");
        }
    }

    #[test]
    fn the_loader_starts_the_newest_that_has_tries_left() {
        let good = slot("postern_1.0.0.efi");
        let trial = slot("postern_1.10.0+1-2.efi");
        let spent = slot("postern_1.10.0+0-3.efi");
        assert_eq!(next(&[good, trial]), Some(trial));
        assert_eq!(next(&[good, spent]), Some(good));
        assert_eq!(next(&[spent]), Some(spent));
        assert_eq!(next(&[]), None);
    }

    #[test]
    fn a_good_running_release_needs_no_other() {
        let running = slot("postern_1.1.0.efi");
        let old = slot("postern_1.0.0.efi");
        let slots = [old, running];
        let gone = to_be_removed(&slots, version("1.1"), version("1.2"));
        assert_eq!(gone, [old]);
    }

    #[test]
    fn a_release_on_trial_keeps_what_it_replaced() {
        let old = slot("postern_1.0.0.efi");
        let slots = [
            slot("postern_0.9.0.efi"),
            old,
            slot("postern_1.1.0+2-1.efi"),
            slot("postern_1.0.5+0-3.efi"),
        ];
        let gone = to_be_removed(&slots, version("1.1"), version("1.2"));
        assert_eq!(gone, [slots[0], slots[3]]);
    }

    #[test]
    fn a_release_that_failed_can_be_tried_again() {
        let failed = slot("postern_1.1.0+0-3.efi");
        let slots = [slot("postern_1.0.0.efi"), failed];
        assert_eq!(
            to_be_removed(&slots, version("1.0"), version("1.1")),
            [failed]
        );
    }
}
