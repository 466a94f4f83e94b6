//! Random names and keys, from OpenSSL's generator.
//!
//! The lab plays peers in real time, so its runs need not be repeatable; what a test must repeat, it scripts.
//!
//! Not here: anything for the firmware, whose randomness is seeded.

/// `N` random bytes.
///
/// # Panics
/// Where OpenSSL has no randomness, which leaves nothing to test with.
#[must_use]
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    openssl::rand::rand_bytes(&mut bytes).expect("OpenSSL has randomness");
    bytes
}

/// A tag, branch or Call-ID.
#[must_use]
pub(crate) fn token() -> String {
    bytes::<8>()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// In the form of a GUID, as Microsoft's identifiers are.
#[must_use]
pub(crate) fn guid() -> String {
    let hex: String = bytes::<16>()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}
