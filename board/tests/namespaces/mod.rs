//! A wire between two network namespaces: the box lives at one end, its parties at the other.
//!
//! The thread that makes a wire stays in the box's namespace until it ends, so each test has a network to itself. Whatever
//! becomes of the test, the namespaces go with the value.
//!
//! Not here: what goes over the wire.
#![allow(dead_code, reason = "each test file uses the part it needs")]

use std::fs::File;
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A pair of `veth` interfaces with 10.77.0.1/24 and fd77::1/64 at the near end, 10.77.0.2 and fd77::2 at the far end.
pub(crate) struct Wire {
    near_space: String,
    far_space: String,
}

impl Wire {
    /// Makes the wire and moves this thread to its near end.
    pub(crate) fn new() -> Result<Self, String> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = |end| format!("postern-{}-{number}-{end}", std::process::id());
        // From here on whatever was made is removed again.
        let wire = Self {
            near_space: name("near"),
            far_space: name("far"),
        };
        ip(&format!("netns add {}", wire.near_space))?;
        ip(&format!("netns add {}", wire.far_space))?;
        // Two queues each way, so that there is more than one socket.
        ip(&format!(
            "-n {} link add near numrxqueues 2 numtxqueues 2 type veth peer name far netns {} numrxqueues 2 numtxqueues 2",
            wire.near_space, wire.far_space
        ))?;
        for (space, end, number) in [(&wire.near_space, "near", 1), (&wire.far_space, "far", 2)] {
            for arguments in [
                format!("addr add 10.77.0.{number}/24 dev {end}"),
                // Without looking for doubles, which takes a second or two: until then the kernel has no link-local address to
                // look for neighbours from.
                format!("link set {end} addrgenmode none"),
                format!("addr add fe80::{number}/64 dev {end} nodad"),
                format!("addr add fd77::{number}/64 dev {end} nodad"),
                format!("link set {end} up"),
                "link set lo up".to_owned(),
            ] {
                ip(&format!("-n {space} {arguments}"))?;
            }
        }
        enter(&wire.near_space)?;
        Ok(wire)
    }

    /// The box's interface.
    pub(crate) fn near(&self) -> &'static str {
        "near"
    }

    /// The parties' interface.
    pub(crate) fn far(&self) -> &'static str {
        "far"
    }

    /// Whether a program is on the box's interface.
    pub(crate) fn has_program(&self) -> bool {
        let output = Command::new("ip")
            .args(["-n", &self.near_space, "link", "show", "near"])
            .output()
            .expect("it ran before");
        String::from_utf8_lossy(&output.stdout).contains("prog/xdp")
    }

    /// Gives the far end another hardware address, as when a gateway fails over.
    pub(crate) fn replace_far_end(&self, mac: &str) {
        let far = &self.far_space;
        for arguments in [
            "link set far down".to_owned(),
            format!("link set far address {mac}"),
            "link set far up".to_owned(),
        ] {
            ip(&format!("-n {far} {arguments}")).expect("it is our interface");
        }
    }

    /// Does something at the other end; sockets made there stay there.
    pub(crate) fn far_away<T>(&self, work: impl FnOnce() -> T) -> T {
        enter(&self.far_space).expect("it was there before");
        let done = work();
        enter(&self.near_space).expect("it was there before");
        done
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        for space in [&self.near_space, &self.far_space] {
            let _ = ip(&format!("netns del {space}"));
        }
    }
}

fn enter(space: &str) -> Result<(), String> {
    let file = File::open(format!("/var/run/netns/{space}")).map_err(|error| error.to_string())?;
    move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
        .map_err(|error| format!("no way into {space}: {error}"))
}

fn ip(arguments: &str) -> Result<(), String> {
    let output = Command::new("ip")
        .args(arguments.split(' '))
        .output()
        .map_err(|error| format!("ip: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    Err(format!("ip {arguments}: {}", complaint.trim()))
}
