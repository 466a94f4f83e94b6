//! Who may use whom: the manifests, `[workspace.metadata.arrows]` and ARCHITECTURE.md say the same.
//!
//! The table in the root `Cargo.toml` is the decision; a dependency it does not name fails here, and so does a page that
//! tells another story. Dev-dependencies are apart.
//!
//! Not here: what a crate may do inside (`tidy.rs`, and each crate's clippy bans).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use tests::workspace::{Workspace, root};

/// Crates below the rim: no IO, no threads, no clock of their own.
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

/// What only the rim may pull in.
const RIM_ONLY: [&str; 10] = [
    "tokio",
    "tokio-rustls",
    "rustls",
    "hickory-resolver",
    "mio",
    "socket2",
    "rustix",
    "libc",
    "tracing-subscriber",
    "openssl",
];

#[test]
fn every_dependency_is_an_allowed_arrow() {
    let workspace = Workspace::load();
    let mut wrong = Vec::new();
    for member in &workspace.members {
        let Some(allowed) = workspace.arrows.get(&member.name) else {
            wrong.push(format!(
                "{} is not in [workspace.metadata.arrows]",
                member.name
            ));
            continue;
        };
        for used in member
            .dependencies
            .iter()
            .filter(|name| workspace.owns(name))
        {
            if !allowed.iter().any(|name| name == used || name == "*") {
                wrong.push(format!(
                    "{} uses {used}, which no arrow allows",
                    member.name
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn the_table_of_arrows_names_only_crates_that_exist() {
    let workspace = Workspace::load();
    let named = workspace
        .arrows
        .iter()
        .flat_map(|(from, to)| std::iter::once(from).chain(to))
        .filter(|name| *name != "*");
    let strangers: BTreeSet<_> = named.filter(|name| !workspace.owns(name)).collect();
    assert!(
        strangers.is_empty(),
        "in the table, but no crate: {strangers:?}"
    );
}

#[test]
fn pure_crates_pull_in_nothing_of_the_rim() {
    let workspace = Workspace::load();
    let wrong: Vec<_> = workspace
        .members
        .iter()
        .filter(|member| PURE.contains(&member.name.as_str()))
        .flat_map(|member| {
            member
                .dependencies
                .iter()
                .map(move |used| (&member.name, used))
        })
        .filter(|(_, used)| RIM_ONLY.contains(&used.as_str()))
        .collect();
    assert!(wrong.is_empty(), "only the rim may use these: {wrong:?}");
}

#[test]
fn nobody_uses_the_tests_or_the_bench() {
    let workspace = Workspace::load();
    for member in &workspace.members {
        for used in &member.dependencies {
            assert!(
                used != "tests" && used != "bench",
                "{} uses {used}",
                member.name
            );
        }
    }
}

#[test]
fn the_page_tells_the_arrows_as_they_are() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let arrows = Workspace::load().arrows;
    let told = table(&page);
    assert_eq!(
        told, arrows,
        "left: ARCHITECTURE.md, right: [workspace.metadata.arrows]"
    );
}

/// The rows between the two markers: crate, then what it may use, each name in backticks.
fn table(page: &str) -> BTreeMap<String, Vec<String>> {
    page.lines()
        .skip_while(|line| !line.contains("arrows: begin"))
        .take_while(|line| !line.contains("arrows: end"))
        .filter_map(|line| {
            let mut cells = line.trim().strip_prefix('|')?.split('|');
            let from = quoted(cells.next()?).next()?;
            Some((from, quoted(cells.next()?).collect()))
        })
        .collect()
}

fn quoted(cell: &str) -> impl Iterator<Item = String> + '_ {
    cell.split('`').skip(1).step_by(2).map(str::to_owned)
}
