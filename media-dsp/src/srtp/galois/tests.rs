//! RFC 7714 vectors.
