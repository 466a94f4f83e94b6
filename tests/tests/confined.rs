//! `postern confine`: what a plane of an appliance may do, and what not, seen from outside in `/proc` and by trying.
//!
//! Only root can let go of root; run by another user these tests say so and pass.
//!
//! Not here: which plane gets what (`system::init`); the machine around them (`appliance.rs`).
#![forbid(unsafe_code)]

use std::fs;
use std::os::unix::fs::chown;
use std::path::PathBuf;
use std::process::{Child, Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use tests::place::{Place, program};

/// Nobody's number on this machine.
const USER: u32 = 64_990;

/// A place that this user reaches, with the program in it: where that was built, he may not be let in.
fn place(name: &str) -> Option<(Place, PathBuf)> {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not root: nothing to let go of");
        return None;
    }
    let place = Place::new(name);
    let copy = place.path().join("postern");
    fs::copy(program("postern"), &copy).expect("room for a copy");
    Some((place, copy))
}

fn confine(program: &PathBuf, more: &[&str], command: &[&str]) -> Command {
    let mut line = Command::new(program);
    line.args(["confine", "--user", &USER.to_string()]);
    // What a program that is not static needs.
    for folder in ["/lib", "/lib64", "/usr", "/etc", "/proc"] {
        line.args(["--read", folder]);
    }
    line.args(more).arg("--").args(command);
    line
}

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // Gone already: then there is nothing to end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_plane_is_nobody_with_one_capability() {
    let Some((place, program)) = place("confined") else {
        return;
    };
    let run = place.path().join("run");
    fs::create_dir(&run).expect("a folder");
    chown(&run, Some(USER), Some(USER)).expect("we are root");
    let folder = run.to_string_lossy();
    let more = ["--keep", "net_bind_service", "--write", &folder];
    let child = confine(&program, &more, &["media", "--run", &folder])
        .spawn()
        .expect("it starts");
    let child = Ended(child);
    let until = Instant::now() + Duration::from_secs(20);
    while !run.join("media.sock").exists() {
        assert!(Instant::now() < until, "media does not come up");
        thread::sleep(Duration::from_millis(20));
    }
    let status = fs::read_to_string(format!("/proc/{}/status", child.0.id())).expect("it runs");
    let fact = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        let words = line.unwrap_or_default().split_whitespace();
        words.collect::<Vec<_>>().join(" ")
    };
    let user = USER.to_string();
    assert_eq!(fact("Uid:"), [&user[..]; 4].join(" "));
    assert_eq!(fact("Gid:"), [&user[..]; 4].join(" "));
    assert_eq!(fact("Groups:"), "");
    // CAP_NET_BIND_SERVICE is the tenth.
    for set in ["CapPrm:", "CapEff:", "CapAmb:"] {
        assert_eq!(fact(set), "0000000000000400", "{set}");
    }
    assert_eq!(fact("NoNewPrivs:"), "1");
}

#[test]
fn a_plane_reads_what_it_was_given_and_nothing_else() {
    let Some((place, program)) = place("files") else {
        return;
    };
    let file = place.write(
        "postern.toml",
        "version = 1\n[media]\naddress = \"192.0.2.1\"\n",
    );
    let file = file.to_string_lossy();
    let check = |more: &[&str]| -> Output {
        confine(&program, more, &["check", &file])
            .output()
            .expect("it starts")
    };
    let given = check(&["--read", &file]);
    let said = String::from_utf8_lossy(&given.stdout);
    assert!(given.status.success(), "{said}");
    let kept_from = check(&[]);
    let said = String::from_utf8_lossy(&kept_from.stdout);
    assert!(
        !kept_from.status.success() && said.contains("denied"),
        "{said}"
    );
}
