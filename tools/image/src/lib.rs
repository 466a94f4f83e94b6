//! Builds what is flashed: from a static program, a kernel and a boot loader to a disk image, an update bundle and their papers.
//!
//! ```text
//! program ┐
//! modules ├► cpio ► zstd ┐
//! papers  ┘              ├► unified kernel image ┬► FAT ► GPT disk image
//! kernel, EFI stub ──────┘                       └► signed bundle
//! ```
//!
//! Needs no root and no loop device: each format is written here, octet by octet, so that the same sources give the same
//! octets. The only moment anywhere in an image is `SOURCE_DATE_EPOCH`.
//!
//! Not here: what the image does when it starts (`system`); fetching anything but Debian's packages by name.
#![forbid(unsafe_code)]

pub mod assembly;
pub mod board;
pub mod cpio;
pub mod esp;
pub mod flash;
pub mod gpt;
pub mod module;
pub mod parts;
pub mod pe;
pub mod sbom;

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or a device does not do what it must.
    #[error("{0}: {1}")]
    File(String, #[source] std::io::Error),
    /// Something given is not what it should be.
    #[error("{0}: {1}")]
    Wrong(String, &'static str),
    /// A program that we need failed.
    #[error("{0} failed: {1}")]
    Program(&'static str, String),
    /// A board is not described well.
    #[error("{0}: {1}")]
    Board(String, toml::de::Error),
}

impl Error {
    pub(crate) fn at(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.display().to_string();
        move |error| Self::File(path, error)
    }
}

/// Reads a file whole.
///
/// # Errors
/// Where it cannot be read, with its name.
pub fn read(path: &std::path::Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(Error::at(path))
}
