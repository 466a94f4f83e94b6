//! A board: a file in `board/boards/` that says what a box has. Its existence makes the board.
//!
//! A board may take what it does not say from another (`inherit`), so that a new box is a few lines.
//!
//! Not here: what the firmware does with any of it.

use std::path::Path;

use serde::Deserialize;
use system::trial::Terms;
use toml::{Table, Value};

use crate::Error;

/// What a box has.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Board {
    /// One line for people.
    pub description: String,
    /// The architecture by Debian's name: `amd64`, `arm64`.
    pub architecture: Architecture,
    /// Debian's package of the kernel.
    pub kernel: String,
    /// The console that the kernel and the set-up person use, as `ttyS0`.
    pub console: String,
    /// What else the kernel is told.
    #[serde(default)]
    pub command_line: Vec<String>,
    /// Modules that no device asks for, with their parameters.
    #[serde(default)]
    pub modules: Vec<String>,
    /// Modules that may be asked for by what is found: names, or folders below `kernel/` in the package.
    #[serde(default)]
    pub drivers: Vec<String>,
    /// Mebibytes.
    pub disk: Disk,
    /// How long a new release may take to prove itself.
    pub trial: Terms,
}

/// How its disk is divided, in mebibytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disk {
    /// For the loader and both slots, with room for a third while it is written.
    pub boot: u32,
    /// For what survives updates.
    pub data: u32,
}

/// An architecture, by Debian's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// x86-64.
    Amd64,
    /// aarch64.
    Arm64,
}

impl Architecture {
    /// Debian's name.
    #[must_use]
    pub const fn debian(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// UEFI's name, as in `BOOTX64.EFI` and in the file names of systemd.
    #[must_use]
    pub const fn uefi(self) -> &'static str {
        match self {
            Self::Amd64 => "x64",
            Self::Arm64 => "aa64",
        }
    }
}

impl Board {
    /// Reads the board `name` of `folder`.
    ///
    /// # Errors
    /// Where there is none, or it is not well described.
    pub fn read(folder: &Path, name: &str) -> Result<Self, Error> {
        let table = table(folder, name, 4)?;
        table
            .try_into()
            .map_err(|error| Error::Board(name.to_owned(), error))
    }
}

fn table(folder: &Path, name: &str, depth: u32) -> Result<Table, Error> {
    let path = folder.join(format!("{name}.toml"));
    let text = std::fs::read_to_string(&path).map_err(Error::at(&path))?;
    let mut table: Table = text
        .parse()
        .map_err(|error| Error::Board(name.to_owned(), error))?;
    let Some(parent) = table.remove("inherit") else {
        return Ok(table);
    };
    let (Value::String(parent), 1..) = (parent, depth) else {
        return Err(Error::Wrong(name.to_owned(), "inherits in a circle"));
    };
    let mut whole = self::table(folder, &parent, depth - 1)?;
    whole.extend(table);
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_board_of_ours_is_well_described() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../board/boards");
        let mut count = 0;
        for entry in std::fs::read_dir(&folder).expect("the folder of boards") {
            let path = entry.expect("an entry").path();
            let name = path.file_stem().expect("a name").to_string_lossy();
            let board = Board::read(&folder, &name).expect("a board");
            assert!(
                board.disk.boot >= 64,
                "{name}: room for FAT32 and two slots"
            );
            count += 1;
        }
        assert!(count >= 2);
    }
}
