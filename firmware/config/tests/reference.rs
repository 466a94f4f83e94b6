//! The reference is a configuration that can be read, and leaves no setting out.
//!
//! A reader that asks for a new setting fails here until the reference shows it. Whether its words are true, only a reader of
//! another kind can tell.

use std::collections::BTreeSet;

#[test]
fn the_reference_can_be_read() {
    if let Err(findings) = config::parse(config::REFERENCE) {
        panic!("{findings}");
    }
}

/// What the readers ask for, found in their source: a word in quotes behind the call that reads a setting.
#[test]
#[allow(
    clippy::disallowed_methods,
    reason = "the readers are read as files, and not by the crate"
)]
fn the_reference_shows_every_setting() {
    let asks = regex::Regex::new(
        r#"\b(?:must|or|maybe|list|within|tables)(?:::<\w+>)?\(\s*(?:section,\s*)?"(\w+)""#,
    )
    .expect("a pattern");
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/document");
    let mut settings = BTreeSet::new();
    for file in std::fs::read_dir(folder).expect("the readers").flatten() {
        let source = std::fs::read_to_string(file.path()).expect("a reader");
        let code = source.split("#[cfg(test)]").next().unwrap_or_default();
        settings.extend(asks.captures_iter(code).map(|found| found[1].to_owned()));
    }
    assert!(
        settings.len() > 50,
        "the readers are where they were: {settings:?}"
    );
    let shown = |setting: &str| {
        let written = regex::Regex::new(&format!(
            r"(?m)(^|[{{, ]){setting} = |^\[+(\w+\.)?{setting}\]"
        ))
        .expect("a pattern");
        written.is_match(config::REFERENCE)
    };
    let missing: Vec<_> = settings.iter().filter(|setting| !shown(setting)).collect();
    assert!(missing.is_empty(), "not in reference.toml: {missing:?}");
}
