//! What an image is: its version, the box it is for, when it was built. Written by the image tool, read by the first process.
//!
//! A version is one to four numbers with dots, compared number by number; the boot loader orders names the same way.
//!
//! Not here: whether one release may follow another (`update`).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::trial::Terms;

/// Where an image says what it is.
pub const FILE: &str = "/etc/postern/release.json";

/// A version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version([u32; 4]);

/// It is no version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a version is one to four numbers with dots, like 1.4.2")]
pub struct NotAVersion;

impl FromStr for Version {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        let mut numbers = [0; 4];
        for (count, part) in text.split('.').enumerate() {
            let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            let place = numbers.get_mut(count).filter(|_| is_number);
            *place.ok_or(NotAVersion)? = part.parse().map_err(|_| NotAVersion)?;
        }
        Ok(Self(numbers))
    }
}

impl TryFrom<String> for Version {
    type Error = NotAVersion;

    fn try_from(text: String) -> Result<Self, NotAVersion> {
        text.parse()
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.to_string()
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch, build] = self.0;
        write!(f, "{major}.{minor}.{patch}")?;
        if build != 0 {
            write!(f, ".{build}")?;
        }
        Ok(())
    }
}

/// What an image is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Its version.
    pub version: Version,
    /// The board it was made for.
    pub board: String,
    /// When its sources were made, in seconds since 1970-01-01 UTC: no clock of the box may show less.
    pub built: u64,
    /// Console of the kernel, as `/dev/ttyS0`.
    pub console: String,
    /// Modules of the kernel that no device asks for, with their parameters.
    pub modules: Vec<String>,
    /// How long a new release may take to prove itself.
    pub trial: Terms,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().expect("a version")
    }

    #[test]
    fn versions_are_ordered_by_number_and_told_in_one_way() {
        assert!(version("1.10") > version("1.9.9"));
        assert!(version("1.2.3.4") > version("1.2.3"));
        assert_eq!(version("1.2"), version("1.2.0"));
        assert_eq!(version("1.2").to_string(), "1.2.0");
        assert_eq!(version("1.2.3.4").to_string(), "1.2.3.4");
    }

    #[test]
    fn what_is_no_version_is_refused() {
        for text in ["", "1.", ".1", "1.2.3.4.5", "1.x", "+1", "99999999999"] {
            assert_eq!(text.parse::<Version>(), Err(NotAVersion), "{text:?}");
        }
    }
}
