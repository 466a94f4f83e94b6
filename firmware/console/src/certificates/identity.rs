//! The identities of a configuration: which files they are, who uses them, and how one comes to name another file without a comment lost.
//!
//! Not here: what an identity is for (`config`).

use config::{IdentityId, Snapshot};
use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, value};

/// An identity of the configuration in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) name: String,
    pub(crate) certificate: String,
    pub(crate) key: String,
    /// The host names for which it is shown.
    pub(crate) hosts: Vec<String>,
}

/// All identities of a configuration.
pub(crate) fn identities(snapshot: &Snapshot) -> Vec<Identity> {
    let identities = snapshot.identities.iter().enumerate();
    identities
        .map(|(number, identity)| {
            let tenants = snapshot.tenants.iter();
            let theirs =
                tenants.filter(|tenant| tenant.identity.map(IdentityId::index) == Some(number));
            Identity {
                name: identity.name.clone(),
                certificate: identity.certificate.clone(),
                key: identity.key.clone(),
                hosts: theirs.map(|tenant| tenant.fqdn.clone()).collect(),
            }
        })
        .collect()
}

/// Why a document cannot be edited here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdentityEditError {
    /// It is no TOML.
    #[error("the configuration cannot be read: {0}")]
    Toml(#[from] toml_edit::TomlError),
    /// Identities are written in a way that is not edited by us.
    #[error(
        "the configuration writes its identities in one line; write them as [[identity]] first"
    )]
    Inline,
}

/// The document with the identity `name` in this file, made if it has none of that name.
pub(crate) fn with_identity(
    text: &str,
    name: &str,
    file: &str,
) -> Result<String, IdentityEditError> {
    let mut document: DocumentMut = text.parse()?;
    let identities = document
        .entry("identity")
        .or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()))
        .as_array_of_tables_mut()
        .ok_or(IdentityEditError::Inline)?;
    let known = identities
        .iter()
        .position(|table| table.get("name").and_then(Item::as_str) == Some(name));
    let mut fresh = Table::new();
    let table = match known.and_then(|place| identities.get_mut(place)) {
        Some(table) => table,
        None => &mut fresh,
    };
    for (key, own) in [("name", name), ("certificate", file), ("key", file)] {
        match table.get_mut(key).and_then(Item::as_value_mut) {
            // A remark behind it stays.
            Some(old) => {
                let decor = old.decor().clone();
                *old = own.into();
                *old.decor_mut() = decor;
            }
            None => {
                table.insert(key, value(own));
            }
        }
    }
    if known.is_none() {
        identities.push(fresh);
    }
    Ok(document.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_changed_where_it_stands_and_made_where_it_does_not() {
        let text = "version = 1 # ours\n\n[[identity]] # the first\nname = \"a\"\ncertificate = \"a.pem\" # of Monday\nkey = \"a.key\"\n\n[media]\naddress = \"192.0.2.1\"\n";
        let changed = with_identity(text, "a", "certificates/a-1.pem").expect("it is edited");
        assert_eq!(
            changed,
            text.replace("a.pem", "certificates/a-1.pem")
                .replace("a.key", "certificates/a-1.pem")
        );
        let more = with_identity(text, "b", "certificates/b-1.pem").expect("it is edited");
        assert!(
            more.contains("# ours") && more.contains("# the first"),
            "{more}"
        );
        let names = |text: &str| {
            let document: DocumentMut = text.parse().expect("TOML");
            let tables = document["identity"].as_array_of_tables().expect("tables");
            tables
                .iter()
                .map(|table| table["name"].as_str().expect("text").to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(names(&more), ["a", "b"]);
        let first = with_identity("version = 1\n", "a", "f").expect("it is edited");
        assert_eq!(names(&first), ["a"]);
        assert!(with_identity("identity = []", "a", "f").is_err());
        assert!(with_identity("= 1", "a", "f").is_err());
    }
}
