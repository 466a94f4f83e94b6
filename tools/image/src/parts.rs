//! Debian's parts of an image: packages fetched by name through apt, unpacked beside each other, never installed.
//!
//! apt checks what it fetches by Debian's signatures; which version went into an image is told in its papers.
//!
//! Not here: which parts an image needs (`assembly`).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Error;
use crate::board::Architecture;

/// A package, unpacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Debian's name.
    pub name: String,
    /// Debian's version.
    pub version: String,
    /// Debian's architecture.
    pub architecture: &'static str,
    /// SHA-256 of the package, as Debian's index has it.
    pub sha256: String,
    /// Where it lies unpacked.
    pub folder: PathBuf,
}

/// Brings a package into `cache`, or finds it there. One that is only a name for another is followed.
///
/// # Errors
/// Where apt knows no such package, or cannot fetch it.
pub fn bring(cache: &Path, architecture: Architecture, name: &str) -> Result<Part, Error> {
    let wanted = format!("{name}:{}", architecture.debian());
    let record = output("apt-cache", &["show", "--no-all-versions", &wanted])?;
    let field = |key: &str| {
        let line = record.lines().find_map(|line| line.strip_prefix(key));
        line.map(|value| value.trim().to_owned())
    };
    let missing = || Error::Wrong(wanted.clone(), "apt does not know this package");
    let real = field("Depends:").and_then(|depends| successor(name, &depends));
    if let Some(real) = real {
        return bring(cache, architecture, &real);
    }
    let (version, sha256) = (
        field("Version:").ok_or_else(missing)?,
        field("SHA256:").ok_or_else(missing)?,
    );
    let folder = cache.join(format!("{name}-{}", &sha256[..16.min(sha256.len())]));
    if !folder.exists() {
        unpack(cache, &wanted, &folder)?;
    }
    Ok(Part {
        name: name.to_owned(),
        version,
        architecture: architecture.debian(),
        sha256,
        folder,
    })
}

/// The package behind a name such as `linux-image-amd64`, which is empty and depends on the kernel of the day.
fn successor(name: &str, depends: &str) -> Option<String> {
    let first = depends.split([' ', ',']).next()?;
    let is_kernel = name.starts_with("linux-image-") && first.starts_with("linux-image-");
    (is_kernel && first != name).then(|| first.to_owned())
}

fn unpack(cache: &Path, wanted: &str, folder: &Path) -> Result<(), Error> {
    let fresh = folder.with_extension("new");
    let _ = fs::remove_dir_all(&fresh);
    fs::create_dir_all(&fresh).map_err(Error::at(&fresh))?;
    run("apt-get", &["download", "-qq", wanted], &fresh)?;
    let package = fs::read_dir(&fresh)
        .map_err(Error::at(&fresh))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .ok_or_else(|| Error::Wrong(wanted.to_owned(), "apt fetched nothing"))?;
    let text = package.to_string_lossy();
    run("dpkg-deb", &["-x", &text, "."], &fresh)?;
    fs::remove_file(&package).map_err(Error::at(&package))?;
    fs::rename(&fresh, folder).map_err(Error::at(cache))
}

fn output(program: &'static str, arguments: &[&str]) -> Result<String, Error> {
    let output = Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C")
        .output()
        .map_err(|error| Error::Program(program, error.to_string()))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(Error::Program(program, said))
    }
}

/// Runs a program in a folder, and tells what it said where it fails.
pub(crate) fn run(program: &'static str, arguments: &[&str], folder: &Path) -> Result<(), Error> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .output()
        .map_err(|error| Error::Program(program, error.to_string()))?;
    if output.status.success() {
        Ok(())
    } else {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(Error::Program(program, said))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_of_the_day_is_found_behind_its_name() {
        assert_eq!(
            successor(
                "linux-image-amd64",
                "linux-image-6.1.0-56-amd64 (= 6.1.192-2)"
            ),
            Some("linux-image-6.1.0-56-amd64".to_owned())
        );
        let kernel = "linux-image-6.1.0-56-amd64";
        assert_eq!(successor(kernel, "kmod, linux-base (>= 4.3~)"), None);
        assert_eq!(successor("e2fsck-static", "libc6"), None);
    }
}
