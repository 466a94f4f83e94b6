//! What is peculiar to Microsoft Teams beyond what the configuration says: identities in its headers.
//!
//! The rules of the checklist live where they are obeyed (grep the id); here is only what reads Microsoft's own parameters.

use sip::message::{Headers, Name};

/// INV-23: the `x-i` parameter of a Contact of Teams, Microsoft's correlation id of the leg.
///
/// Read from the raw value, because the rest of that Contact is not for us to understand.
pub(crate) fn correlation(headers: Headers<'_>) -> Option<String> {
    let contact = headers.get(Name::Contact)?;
    let start = contact
        .windows(5)
        .position(|window| window.eq_ignore_ascii_case(b";x-i="))?
        + 5;
    let rest = &contact[start..];
    let end = rest
        .iter()
        .position(|byte| matches!(byte, b';' | b'>' | b',' | b'?'))
        .unwrap_or(rest.len());
    let id = core::str::from_utf8(&rest[..end]).ok()?;
    // A GUID has 36 characters; whatever is much longer is not one.
    (!id.is_empty() && id.len() <= 64).then(|| id.to_owned())
}
