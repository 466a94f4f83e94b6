//! Seeds and old crashes of the fuzzer, replayed.
//!
//! A crash that the fuzzer finds is kept as a file in `tests/regressions/<target>/`, named for what was wrong.
//!
//! Not here: looking for new ones (`make fuzz`).

use std::path::Path;

fn replay(target: &str, door: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/regressions")
        .join(target);
    let mut count = 0;
    for file in std::fs::read_dir(&folder).expect("the folder is there") {
        let path = file.expect("a file").path();
        println!("{}", path.display());
        door(&std::fs::read(&path).expect("a readable file"));
        count += 1;
    }
    assert!(count > 0, "{target} has seeds");
}

#[test]
fn messages() {
    replay("message", sip::fuzz::message);
}

#[test]
fn uris() {
    replay("uri", sip::fuzz::uri);
}

#[test]
fn streams() {
    replay("framing", sip::fuzz::framing);
}
