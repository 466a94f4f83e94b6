//! Versions, records, secrets and the audit log, as their users see them.
//!
//! Each test has a folder of its own. Not here: what a power cut leaves (`power_cut.rs`), calls (`trace.rs`).
#![forbid(unsafe_code)]

use std::fs;
use std::path::PathBuf;

use store::audit::{self, Audit, Deed};
use store::sealed::Secrets;
use store::shelf::Shelf;
use store::versions::{CommitError, Draft, FileState, Origin, Versions};
use store::{Database, StoreError, Wall};

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("postern-store-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    folder
}

fn draft(text: &str, based_on: u64) -> Draft {
    Draft {
        text: text.to_owned(),
        author: "ana".to_owned(),
        comment: String::new(),
        origin: Origin::Commit,
        based_on,
        confirm_until: None,
    }
}

#[test]
fn a_commit_is_in_force_and_the_ones_before_are_kept() {
    let database = Database::open(&folder("commit")).expect("open");
    let versions = Versions::of(&database);
    assert_eq!(versions.standing().expect("read"), None);
    assert_eq!(versions.compare("a").expect("read"), FileState::First);
    for (number, text) in [(1, "a"), (2, "b"), (3, "c")] {
        let version = versions
            .commit(&draft(text, number - 1), Wall(number))
            .expect("committed");
        assert_eq!(version.number, number);
    }
    let standing = versions.standing().expect("read").expect("in force");
    assert_eq!((standing.current, standing.pending), (3, None));
    assert_eq!(versions.text(2).expect("read").as_deref(), Some("b"));
    let listed = versions.list(Some(3), 10).expect("read");
    let numbers: Vec<u64> = listed.iter().map(|version| version.number).collect();
    assert_eq!(numbers, [2, 1]);
    assert_eq!(
        versions.version(2).expect("read").expect("kept").at,
        Wall(2)
    );
    assert_eq!(versions.version(9).expect("read"), None);
}

#[test]
fn who_edits_what_is_no_longer_in_force_is_told() {
    let database = Database::open(&folder("moved")).expect("open");
    let versions = Versions::of(&database);
    versions.commit(&draft("a", 0), Wall(1)).expect("committed");
    versions.commit(&draft("b", 1), Wall(2)).expect("committed");
    let late = versions.commit(&draft("c", 1), Wall(3));
    assert!(matches!(late, Err(CommitError::Moved { current: 2 })));
}

#[test]
fn what_is_not_confirmed_can_be_undone_and_what_is_stays() {
    let database = Database::open(&folder("confirm")).expect("open");
    let versions = Versions::of(&database);
    versions.commit(&draft("a", 0), Wall(1)).expect("committed");
    let trial = Draft {
        confirm_until: Some(Wall(60)),
        ..draft("b", 1)
    };
    versions.commit(&trial, Wall(2)).expect("committed");
    let standing = versions.standing().expect("read").expect("in force");
    let pending = standing.pending.expect("it waits");
    assert_eq!((pending.until, pending.back_to), (Wall(60), 1));
    let another = versions.commit(&draft("c", 2), Wall(3));
    assert!(matches!(
        another,
        Err(CommitError::Unconfirmed { current: 2 })
    ));

    let back = versions.undo("the box", Wall(60)).expect("undone");
    assert_eq!((back.number, back.origin), (3, Origin::Undone(1)));
    assert_eq!(versions.text(3).expect("read").as_deref(), Some("a"));
    assert!(matches!(
        versions.confirm(),
        Err(CommitError::NothingPending)
    ));

    let trial = Draft {
        based_on: 3,
        ..trial
    };
    versions.commit(&trial, Wall(70)).expect("committed");
    assert_eq!(versions.confirm().expect("confirmed"), 4);
    let undo = versions.undo("the box", Wall(130));
    assert!(matches!(undo, Err(CommitError::NothingPending)));
}

#[test]
fn a_file_cut_off_is_told_from_one_that_was_edited() {
    let folder = folder("file");
    let database = Database::open(&folder).expect("open");
    let versions = Versions::of(&database);
    let file = folder.join("box.toml");
    versions.commit(&draft("a", 0), Wall(1)).expect("committed");
    versions.export(&file).expect("written");
    assert_eq!(fs::read_to_string(&file).expect("there"), "a");
    versions.commit(&draft("b", 1), Wall(2)).expect("committed");
    let compare = |text| versions.compare(text).expect("read");
    assert_eq!(compare("b"), FileState::Same);
    assert_eq!(compare("a"), FileState::Behind);
    assert_eq!(compare("x"), FileState::Edited);
    versions.export(&file).expect("written");
    assert_eq!(fs::read_to_string(&file).expect("there"), "b");
    // Somebody put the old text back by hand.
    assert_eq!(compare("a"), FileState::Edited);
}

#[test]
fn the_oldest_versions_go() {
    let database = Database::open(&folder("oldest")).expect("open");
    let versions = Versions::of(&database);
    // Fewer commits, each forced to disk: the numbers are what counts.
    for number in 1..=store::versions::KEPT + 2 {
        versions
            .commit(&draft("a", number - 1), Wall(number))
            .expect("committed");
    }
    assert_eq!(versions.text(2).expect("read"), None);
    assert!(versions.text(3).expect("read").is_some());
}

#[test]
fn records_change_together_or_not_at_all() {
    let database = Database::open(&folder("shelf")).expect("open");
    let shelf = Shelf::of(&database);
    assert_eq!(shelf.read::<u32>("user", "ana").expect("read"), None);
    let failed = shelf.change(|change| {
        change.put("user", "ana", &1)?;
        Err::<(), _>(StoreError::Record("no".to_owned()))
    });
    assert!(failed.is_err());
    assert_eq!(shelf.all::<u32>("user").expect("read"), [0_u32; 0]);
    for (name, value) in [("bo", 2), ("ana", 1)] {
        shelf.put("user", name, &value).expect("put");
    }
    shelf.put("users", "x", &9).expect("put");
    assert_eq!(shelf.all::<u32>("user").expect("read"), [1, 2]);
    assert!(shelf.remove("user", "bo").expect("removed"));
    assert!(!shelf.remove("user", "bo").expect("asked"));
}

#[test]
fn a_secret_opens_with_its_key_and_under_its_name_alone() {
    let folder = folder("sealed");
    let database = Database::open(&folder).expect("open");
    let key = folder.join("key");
    let secrets = Secrets::open(&database, &key, [7; 32]).expect("open");
    secrets.put("a", b"correct horse", [1; 12]).expect("put");
    let again = Secrets::open(&database, &key, [8; 32]).expect("open");
    let opened = again.read("a").expect("read").expect("there");
    assert_eq!(opened.as_slice(), b"correct horse");
    assert_eq!(again.read("b").expect("read"), None);
    let other = Secrets::open(&database, &folder.join("other"), [9; 32]).expect("open");
    assert!(other.read("a").is_err());
    let at_rest = fs::read(folder.join("settings.redb")).expect("the file");
    assert!(!at_rest.windows(7).any(|window| window == b"correct"));
    fs::write(&key, b"short").expect("written");
    assert!(Secrets::open(&database, &key, [7; 32]).is_err());
}

fn deed(about: &str) -> Deed<'_> {
    Deed {
        who: "ana",
        from: Some("192.0.2.1"),
        what: "signed_in",
        about,
    }
}

#[test]
fn the_audit_log_goes_on_where_it_was_and_a_half_line_is_taken_away() {
    let folder = folder("audit");
    let mut log = Audit::open(&folder).expect("open");
    for number in 1..=3 {
        let entry = log.append(&deed("one"), Wall(number)).expect("written");
        assert_eq!(entry.number, number);
    }
    let file = folder.join("audit-000000000001.jsonl");
    let text = fs::read_to_string(&file).expect("the file");
    fs::write(&file, format!("{text}{{\"number\":4,\"at")).expect("written");
    let mut log = Audit::open(&folder).expect("open");
    assert_eq!(
        log.append(&deed("two"), Wall(4)).expect("written").number,
        4
    );
    let numbers = |before, most| -> Vec<u64> {
        let listed = log.list(before, most).expect("read");
        listed.iter().map(|entry| entry.number).collect()
    };
    assert_eq!(numbers(None, 2), [4, 3]);
    assert_eq!(numbers(Some(3), 9), [2, 1]);
    assert_eq!(audit::verify(&folder).expect("read"), None);
}

#[test]
fn a_line_changed_or_taken_out_breaks_the_chain() {
    let folder = folder("chain");
    let mut log = Audit::open(&folder).expect("open");
    for about in ["one", "two", "three"] {
        log.append(&deed(about), Wall(1)).expect("written");
    }
    let file = folder.join("audit-000000000001.jsonl");
    let text = fs::read_to_string(&file).expect("the file");
    fs::write(&file, text.replace("two", "six")).expect("written");
    assert_eq!(audit::verify(&folder).expect("read"), Some(2));
    let without: String = text
        .split_inclusive('\n')
        .filter(|line| !line.contains("two"))
        .collect();
    fs::write(&file, without).expect("written");
    assert_eq!(audit::verify(&folder).expect("read"), Some(3));
}
