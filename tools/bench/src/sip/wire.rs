//! A wire of our own: two virtual interfaces joined, over which a box can have audio without a socket.
//!
//! Making it takes rights that a person may not have; then there is none, and that is said.
//!
//! Not here: traffic on it.

use std::process::{Command, Stdio};

/// The wire, gone with the value.
#[derive(Debug)]
pub(super) struct Wire {
    near: String,
}

impl Wire {
    /// A new one; `None` where it may not be made.
    pub(super) fn new() -> Option<Self> {
        let number = std::process::id() % 100_000;
        let (near, far) = (format!("bench{number}n"), format!("bench{number}f"));
        ip(&["link", "add", &near, "type", "veth", "peer", "name", &far])?;
        let wire = Self { near };
        ip(&["link", "set", &wire.near, "up"])?;
        ip(&["link", "set", &far, "up"])?;
        Some(wire)
    }

    /// The end that is the box's.
    pub(super) fn near(&self) -> &str {
        &self.near
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        // Gone already: then there is nothing to remove.
        let _ = ip(&["link", "del", &self.near]);
    }
}

fn ip(arguments: &[&str]) -> Option<()> {
    let status = Command::new("ip")
        .args(arguments)
        .stderr(Stdio::null())
        .status()
        .ok()?;
    status.success().then_some(())
}
