//! A folder of its own for each test, and programs to be found.
//!
//! The folder goes with the value, unless the test failed: then it stays, and its name is told.
//!
//! Not here: what lies in it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, thread};

/// A folder that nobody else uses.
#[derive(Debug)]
pub struct Place(PathBuf);

impl Place {
    /// A new one; `name` helps a person to find it.
    ///
    /// # Panics
    /// Where none can be made.
    #[must_use]
    pub fn new(name: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("postern-{name}-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).expect("a temporary folder can be made");
        Self(path)
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file in it.
    ///
    /// # Panics
    /// Where it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).expect("a file in a folder of ours can be written");
        path
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("what is left of the test lies in {}", self.0.display());
        } else {
            // A leftover in the temporary folder hurts nobody.
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// A program of this workspace, as it was built beside the running test.
///
/// # Panics
/// Where it has not been built: `make test` does so first.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let test = env::current_exe().expect("a test runs from a file");
    let folder = test
        .parent()
        .and_then(Path::parent)
        .expect("target/debug/deps/NAME");
    let program = folder.join(name);
    assert!(
        program.exists(),
        "{} is not built; try: cargo build -p {name}",
        program.display()
    );
    program
}
