//! The house rules that neither rustfmt nor clippy know: headers, lengths, names, words, where `unsafe` may be.
//!
//! Each test reports every offence at once, with its file and line.
//!
//! Not here: who may use whom (`arrows.rs`); what clippy can say by itself (the workspace's lints).

use std::fs;
use std::path::{Path, PathBuf};

use tests::workspace::{Workspace, files, root};

/// Files are to be about 400 lines; past this they are split. Tests may be longer: they are read one at a time.
const LONGEST_FILE: usize = 600;
const LONGEST_TEST: usize = 900;

/// A header says what the file is for, what holds in it, what it does not do: no less, and no essay.
const HEADER_LINES: std::ops::RangeInclusive<usize> = 3..=30;

/// Where `unsafe` may stand: system calls, and SIMD beside its scalar twin.
const UNSAFE_PLACES: [&str; 7] = [
    "board/src/linux/",
    "board/src/host/sys.rs",
    "board/src/shm.rs",
    "board/src/x86",
    "board/src/arm",
    "media-dsp/src/simd/",
    "media-dsp/src/srtp/",
];

/// Crates that never ask the time, open a file or a socket, or start a thread; clippy holds each to it.
const PURE: [&str; 8] = [
    "hal",
    "media-dsp",
    "measure",
    "media-api",
    "pipeline",
    "sip",
    "config",
    "call",
];

/// A name that says nothing invites everything.
const EMPTY_NAMES: [&str; 7] = [
    "util", "utils", "common", "helper", "helpers", "manager", "misc",
];

struct Source {
    path: PathBuf,
    name: String,
    text: String,
}

impl Source {
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
    }

    fn is_test(&self) -> bool {
        self.name.contains("/tests/")
            || self.name.ends_with("/tests.rs")
            || self.name.starts_with("tests/")
    }
}

fn sources() -> Vec<Source> {
    ["hal", "board", "media-dsp", "firmware", "tools", "tests"]
        .iter()
        .flat_map(|folder| files(&root().join(folder), ".rs"))
        .map(|path| Source {
            name: relative(&path),
            text: fs::read_to_string(&path).expect("a source file is text"),
            path,
        })
        .collect()
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root())
        .unwrap_or(path)
        .display()
        .to_string()
}

fn report(rule: &str, wrong: &[String]) {
    assert!(wrong.is_empty(), "{rule}:\n  {}\n", wrong.join("\n  "));
}

#[test]
fn every_file_begins_with_its_purpose() {
    let mut wrong = Vec::new();
    for source in sources() {
        let header = source
            .text
            .lines()
            .take_while(|line| line.starts_with("//!"))
            .count();
        let is_tour = source.name.ends_with("src/lib.rs");
        let fits = HEADER_LINES.contains(&header) || (is_tour && header > 3);
        if !fits {
            wrong.push(format!("{}: {header} lines", source.name));
        }
    }
    report(
        "a file begins with `//!` and says in 3 to 30 lines what it is for and what it does not do",
        &wrong,
    );
}

#[test]
fn no_file_is_too_long_to_read() {
    let mut wrong = Vec::new();
    for source in sources() {
        let bound = if source.is_test() {
            LONGEST_TEST
        } else {
            LONGEST_FILE
        };
        let length = source.text.lines().count();
        if length > bound {
            wrong.push(format!("{}: {length} lines, {bound} at most", source.name));
        }
    }
    report("split these", &wrong);
}

#[test]
fn nothing_is_left_for_later() {
    // Put together here, so that this file does not find itself.
    let marks = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("X", "XX"),
        concat!("HA", "CK"),
    ];
    let macros = [
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("dbg", "!("),
    ];
    let mut wrong = Vec::new();
    for source in sources() {
        for (number, line) in source.lines() {
            let comment = line.split_once("//").map_or("", |(_, comment)| comment);
            let marked = comment
                .split(|c: char| !c.is_ascii_alphanumeric())
                .any(|word| marks.contains(&word));
            if marked || macros.iter().any(|name| line.contains(name)) {
                wrong.push(format!("{}:{number}: {}", source.name, line.trim()));
            }
        }
    }
    report("finish it, or file it where work is planned", &wrong);
}

#[test]
fn names_say_something() {
    let getter = concat!("fn ", "get_");
    let mut wrong = Vec::new();
    for source in sources() {
        let stem = source
            .path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let folder = source
            .path
            .parent()
            .and_then(Path::file_name)
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if EMPTY_NAMES.contains(&stem.as_str()) || EMPTY_NAMES.contains(&folder.as_str()) {
            wrong.push(format!("{}: a name that says nothing", source.name));
        }
        for (number, line) in source.lines().filter(|(_, line)| line.contains(getter)) {
            wrong.push(format!("{}:{number}: {}", source.name, line.trim()));
        }
    }
    report("name things for what they are; no `get_`", &wrong);
}

#[test]
fn no_path_of_somebodys_machine() {
    let places = [
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("/ho", "me/"),
    ];
    let mut wrong = Vec::new();
    for source in sources() {
        for (number, line) in source.lines() {
            if places.iter().any(|place| line.contains(place)) {
                wrong.push(format!("{}:{number}: {}", source.name, line.trim()));
            }
        }
    }
    report("a path that exists on one machine only", &wrong);
}

#[test]
fn unsafe_is_a_place() {
    let keyword = concat!("un", "safe");
    let mut wrong = Vec::new();
    for source in sources() {
        if UNSAFE_PLACES
            .iter()
            .any(|place| source.name.starts_with(place))
        {
            continue;
        }
        for (number, line) in source.lines() {
            let code = line.split_once("//").map_or(line, |(code, _)| code);
            let opens = ["{", " fn ", " impl ", " extern ", " trait "]
                .iter()
                .any(|next| {
                    code.contains(&format!("{keyword}{next}"))
                        || code.contains(&format!("{keyword} {next}"))
                });
            if opens {
                wrong.push(format!("{}:{number}: {}", source.name, line.trim()));
            }
        }
    }
    report("no unsafe outside the places named in this test", &wrong);
}

#[test]
fn every_crate_forbids_unsafe_or_is_named_as_allowed_it() {
    let mut wrong = Vec::new();
    for member in Workspace::load().members {
        let may = matches!(member.name.as_str(), "board" | "media-dsp");
        for root in ["src/lib.rs", "src/main.rs"] {
            let Ok(text) = fs::read_to_string(member.folder.join(root)) else {
                continue;
            };
            let level = if may {
                "deny(unsafe_code)"
            } else {
                "forbid(unsafe_code)"
            };
            if !text.contains(level) && !text.contains("forbid(unsafe_code)") {
                wrong.push(format!("{}/{root}: wants #![{level}]", member.name));
            }
        }
    }
    report("unsafe is forbidden crate by crate", &wrong);
}

#[test]
fn every_crate_obeys_the_workspace_lints() {
    let mut wrong = Vec::new();
    for member in Workspace::load().members {
        let manifest =
            fs::read_to_string(member.folder.join("Cargo.toml")).expect("a crate has a manifest");
        if !manifest.contains("[lints]\nworkspace = true") {
            wrong.push(member.name);
        }
    }
    report("these manifests lack `[lints] workspace = true`", &wrong);
}

#[test]
fn pure_crates_are_held_to_it_by_clippy() {
    let bans = [
        "std::time::Instant::now",
        "std::time::SystemTime::now",
        "std::net::UdpSocket",
        "std::thread::spawn",
    ];
    let mut wrong = Vec::new();
    for member in Workspace::load().members {
        // Where there is no std the compiler itself holds it.
        let root = fs::read_to_string(member.folder.join("src/lib.rs")).unwrap_or_default();
        if !PURE.contains(&member.name.as_str()) || root.contains("no_std") {
            continue;
        }
        let text = [".clippy.toml", "clippy.toml"]
            .iter()
            .find_map(|name| fs::read_to_string(member.folder.join(name)).ok())
            .unwrap_or_default();
        for ban in bans.iter().filter(|ban| !text.contains(**ban)) {
            wrong.push(format!(
                "{}: its clippy.toml does not ban {ban}",
                member.name
            ));
        }
    }
    report("clippy must hold what the architecture promises", &wrong);
}

#[test]
fn every_exception_to_a_lint_gives_its_reason() {
    let mut wrong = Vec::new();
    for source in sources() {
        let lines: Vec<&str> = source.text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let line = line.trim_start();
            if line.starts_with("#[allow(")
                || line.starts_with("#![allow(")
                || line.starts_with("#[expect(")
            {
                let attribute = lines[index..lines.len().min(index + 6)].join(" ");
                let attribute = attribute.split(")]").next().unwrap_or_default();
                if !attribute.contains("reason") {
                    wrong.push(format!("{}:{}: {line}", source.name, index + 1));
                }
            }
        }
    }
    report("say why: `reason = \"…\"`", &wrong);
}
