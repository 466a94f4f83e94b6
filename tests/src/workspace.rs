//! The workspace as the tests see it: its root, its crates as cargo tells of them, its source files.
//!
//! Cargo is asked once per call and offline, so that the answer is the one the build itself used.
//!
//! Not here: rules. Those are in the tests that hold them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The folder of the workspace's `Cargo.toml`.
#[must_use]
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this crate lies one folder below the root")
}

/// One crate of the workspace.
#[derive(Debug)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// The folder of its manifest.
    pub folder: PathBuf,
    /// Names of the crates it needs to be built, ours and others.
    pub dependencies: Vec<String>,
}

/// The workspace by `cargo metadata`.
#[derive(Debug)]
pub struct Workspace {
    /// Its crates, by name.
    pub members: Vec<Member>,
    /// `[workspace.metadata.arrows]`: who may use whom.
    pub arrows: BTreeMap<String, Vec<String>>,
}

impl Workspace {
    /// Asks cargo.
    ///
    /// # Panics
    /// Where cargo cannot be asked or the manifest lacks its table of arrows: a test cannot go on then.
    #[must_use]
    pub fn load() -> Self {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args([
                "metadata",
                "--format-version",
                "1",
                "--no-deps",
                "--offline",
            ])
            .current_dir(root())
            .output()
            .expect("cargo runs");
        assert!(
            output.status.success(),
            "cargo metadata: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo speaks JSON");

        let mut members: Vec<Member> = list(&metadata["packages"]).iter().map(member).collect();
        members.sort_by(|a, b| a.name.cmp(&b.name));
        let arrows = metadata["metadata"]["arrows"]
            .as_object()
            .expect("[workspace.metadata.arrows] in the root Cargo.toml")
            .iter()
            .map(|(name, to)| (name.clone(), list(to).iter().map(text).collect()))
            .collect();
        Self { members, arrows }
    }

    /// Whether a crate of that name is ours.
    #[must_use]
    pub fn owns(&self, name: &str) -> bool {
        self.members.iter().any(|member| member.name == name)
    }
}

fn member(package: &Value) -> Member {
    let manifest = PathBuf::from(text(&package["manifest_path"]));
    Member {
        name: text(&package["name"]),
        folder: manifest
            .parent()
            .expect("a manifest lies in a folder")
            .to_owned(),
        // Dev-dependencies are apart: a test may look at whatever it likes, as it ships nothing.
        dependencies: list(&package["dependencies"])
            .iter()
            .filter(|dependency| dependency["kind"] != "dev")
            .map(|dependency| text(&dependency["name"]))
            .collect(),
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Every file below `folder` whose name ends in `ending`, sorted; build output is left out.
#[must_use]
pub fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for path in entries.flatten().map(|entry| entry.path()) {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if path.is_dir() && !matches!(name.as_str(), "target" | ".git" | "corpus" | "artifacts")
            {
                folders.push(path);
            } else if name.ends_with(ending) && path.is_file() {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
