//! A writer is killed at any moment, two hundred times: what is in force is what was acknowledged last, or what was being
//! committed then, whole; and the file beside it is one of the two, too.
//!
//! The writer is this same program, called with a folder in its environment. Not here: a disk that lies about what it has written.
#![forbid(unsafe_code)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, fs, io, thread};

use store::versions::{Draft, FileState, Origin, Versions};
use store::{Database, Wall};

const FOLDER: &str = "POSTERN_POWER_CUT";
const CUTS: u64 = 200;

/// Some 20 kB in which every line names its version: no two versions can be mixed unseen.
fn document(number: u64) -> String {
    let lines = 200 + number % 400;
    (0..lines)
        .map(|line| format!("line {line} of {lines} of version {number}\n"))
        .collect()
}

/// Which version a text is, if it is one as a whole.
fn recognise(text: &str) -> Option<u64> {
    let number = text.lines().next()?.rsplit(' ').next()?.parse().ok()?;
    (text == document(number)).then_some(number)
}

/// Commits for ever, and says each number after its commit.
#[test]
fn writer() {
    let Some(folder) = env::var_os(FOLDER).map(PathBuf::from) else {
        return;
    };
    let database = Database::open(&folder).expect("open");
    let versions = Versions::of(&database);
    let mut current = versions
        .standing()
        .expect("read")
        .map_or(0, |standing| standing.current);
    // What the box does first.
    let file = folder.join("box.toml");
    versions.export(&file).expect("written");
    let mut out = io::stderr();
    writeln!(out, "committed {current}").expect("said");
    loop {
        let number = current + 1;
        let draft = Draft {
            text: document(number),
            author: "writer".to_owned(),
            comment: String::new(),
            origin: Origin::Commit,
            based_on: current,
            confirm_until: None,
        };
        versions.commit(&draft, Wall(number)).expect("committed");
        writeln!(out, "committed {number}").expect("said");
        versions.export(&file).expect("written");
        current = number;
    }
}

/// What the writer acknowledged last before it was killed.
fn cut(folder: &Path, after: Duration) -> u64 {
    let mut writer = Command::new(env::current_exe().expect("this program"))
        .args(["--exact", "writer", "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    let mut words = BufReader::new(writer.stderr.take().expect("piped"));
    let mut first = String::new();
    words.read_line(&mut first).expect("it says what is there");
    thread::sleep(after);
    writer.kill().expect("killed");
    writer.wait().expect("gone");
    // A last line may be cut off.
    let said = words.lines().map_while(Result::ok);
    std::iter::once(first)
        .chain(said)
        .filter_map(|line| line.strip_prefix("committed ")?.trim().parse().ok())
        .max()
        .unwrap_or(0)
}

#[test]
fn a_commit_cut_off_at_any_moment_leaves_the_old_or_the_new_document() {
    let folder = env::temp_dir().join(format!("postern-power-cut-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    let mut wait = 1_u64;
    for round in 0..CUTS {
        // A generator by hand (Knuth's MMIX): each run cuts at the same waits, the machine sees to the rest.
        wait = wait
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let acknowledged = cut(&folder, Duration::from_micros((wait >> 33) % 12_000));
        let database = Database::open(&folder).expect("it opens after a cut");
        let versions = Versions::of(&database);
        let standing = versions.standing().expect("read");
        let current = standing.as_ref().map_or(0, |standing| standing.current);
        assert!(
            current == acknowledged || current == acknowledged + 1,
            "round {round}: {acknowledged} was acknowledged, {current} is in force"
        );
        if current > 0 {
            let text = versions.text(current).expect("read").expect("kept");
            assert_eq!(recognise(&text), Some(current), "round {round}");
        }
        if let Ok(text) = fs::read_to_string(folder.join("box.toml")) {
            let in_file = recognise(&text).expect("the file is whole");
            assert!(
                in_file == current || in_file + 1 == current,
                "round {round}: {in_file} in the file, {current} in force"
            );
            assert_ne!(versions.compare(&text).expect("read"), FileState::Edited);
        }
    }
    let _ = fs::remove_dir_all(&folder);
}
