//! The folder where the processes meet: names of its sockets and files, and the number of each process in it.
//!
//! Whoever must find a process (the lab, a supervisor, a person) reads its number here. A socket left by a process that
//! died is replaced; sockets and files are for their owner alone.
//!
//! Not here: what is said over the sockets.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

/// The folder.
#[derive(Debug, Clone)]
pub struct RunDir(PathBuf);

impl RunDir {
    /// The folder at `path`, made if need be.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn at(path: &Path) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        Ok(Self(path.to_owned()))
    }

    /// The folder itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Where media listens for control.
    #[must_use]
    pub fn media_socket(&self) -> PathBuf {
        self.0.join("media.sock")
    }

    /// Where control listens for questions.
    #[must_use]
    pub fn control_socket(&self) -> PathBuf {
        self.0.join("control.sock")
    }

    /// Where control remembers its calls, unless told another place.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.0.join("control.journal")
    }

    /// Where calls are recorded.
    #[must_use]
    pub fn traces(&self) -> PathBuf {
        self.0.join("traces")
    }

    /// Where the console keeps what outlives it, unless told another place.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    /// Where the console says its address, and the set-up code while it is worth anything.
    #[must_use]
    pub fn console_notice(&self) -> PathBuf {
        self.0.join("console.json")
    }

    /// Writes this process's number under `name`, whole or not at all.
    ///
    /// # Errors
    /// Where the folder cannot be written to.
    pub fn announce(&self, name: &str) -> io::Result<()> {
        let file = self.0.join(format!("{name}.pid"));
        let fresh = self.0.join(format!("{name}.pid.new"));
        fs::write(&fresh, format!("{}\n", std::process::id()))?;
        fs::rename(fresh, file)
    }

    /// Listens on a socket in this folder, in the place of one that a dead process left.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn listen(&self, socket: &Path) -> io::Result<UnixListener> {
        match fs::remove_file(socket) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(socket)?;
        fs::set_permissions(socket, fs::Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    }
}
