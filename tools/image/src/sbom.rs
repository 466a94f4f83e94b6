//! The papers of an image: what is in it (CycloneDX 1.5) and how it was made (in-toto statement with SLSA provenance 1).
//!
//! Both are made of what went into the build and of no clock, so they are the same for the same image.
//!
//! Not here: signing them; the bundle's signature covers the image itself.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use system::bundle::hexadecimal;

use crate::Error;
use crate::parts::Part;

/// The crates that a program is made of, as `name version licence`.
///
/// # Errors
/// Where cargo cannot tell.
pub fn crates(workspace: &Path, target: &str) -> Result<BTreeSet<[String; 3]>, Error> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args([
            "tree",
            "--offline",
            "--package",
            "postern",
            "--edges",
            "normal",
        ])
        .args([
            "--prefix", "none", "--format", "{p}|{l}", "--target", target,
        ])
        .current_dir(workspace)
        .output()
        .map_err(|error| Error::Program("cargo tree", error.to_string()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(Error::Program("cargo tree", said));
    }
    Ok(read_tree(&String::from_utf8_lossy(&output.stdout)))
}

fn read_tree(text: &str) -> BTreeSet<[String; 3]> {
    text.lines()
        .filter_map(|line| {
            let (package, licence) = line.split_once('|')?;
            let mut words = package.split_whitespace();
            let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
            let licence = licence.trim_end_matches(" (*)").replace('/', " OR ");
            Some([name.to_owned(), version.to_owned(), licence])
        })
        .collect()
}

/// What is in an image.
#[must_use]
pub fn bill(name: &str, version: &str, crates: &BTreeSet<[String; 3]>, parts: &[Part]) -> Value {
    let crates = crates.iter().map(|[name, version, licence]| {
        json!({
            "type": "library",
            "name": name,
            "version": version,
            "purl": format!("pkg:cargo/{name}@{version}"),
            "licenses": [{ "expression": licence }],
        })
    });
    let parts = parts.iter().map(|part| {
        json!({
            "type": "application",
            "name": part.name,
            "version": part.version,
            "purl": format!("pkg:deb/debian/{}@{}?arch={}", part.name, part.version, part.architecture),
            "hashes": [{ "alg": "SHA-256", "content": part.sha256 }],
        })
    });
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "component": { "type": "firmware", "name": name, "version": version } },
        "components": crates.chain(parts).collect::<Vec<_>>(),
    })
}

/// How an image was made.
#[must_use]
pub fn provenance(
    products: &[(String, Vec<u8>)],
    parameters: &Value,
    commit: &str,
    parts: &[Part],
) -> Value {
    let subject: Vec<_> = products
        .iter()
        .map(|(name, digest)| json!({ "name": name, "digest": { "sha256": hexadecimal(digest) } }))
        .collect();
    let mut dependencies: Vec<_> = parts
        .iter()
        .map(|part| {
            json!({
                "uri": format!("pkg:deb/debian/{}@{}?arch={}", part.name, part.version, part.architecture),
                "digest": { "sha256": part.sha256 },
            })
        })
        .collect();
    dependencies.push(json!({ "uri": "git+local", "digest": { "gitCommit": commit } }));
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subject,
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "https://github.com/postern-sbc/postern/image/v1",
                "externalParameters": parameters,
                "resolvedDependencies": dependencies,
            },
            "runDetails": { "builder": { "id": "https://github.com/postern-sbc/postern/tools/image" } },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_are_told_once_with_their_licence() {
        let text = "postern v0.1.0 (/somewhere)|MIT OR Apache-2.0\nring v0.17.14|Apache-2.0 AND ISC\n\
                    memchr v2.7.6|Unlicense/MIT\nring v0.17.14|Apache-2.0 AND ISC (*)\n\n";
        let crates = read_tree(text);
        assert_eq!(crates.len(), 3);
        let bill = bill("postern-x86", "0.1.0", &crates, &[]);
        let components = bill["components"].as_array().expect("a list");
        assert_eq!(components[0]["purl"], "pkg:cargo/memchr@2.7.6");
        assert_eq!(
            components[0]["licenses"][0]["expression"],
            "Unlicense OR MIT"
        );
    }
}
