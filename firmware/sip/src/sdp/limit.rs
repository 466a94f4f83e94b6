//! The bounds of a description: how much of it is read before it is refused.
//!
//! A Teams offer with SILK, candidates and crypto has about 60 lines and 2.5 kB; the bounds leave it room tenfold.
//! Passing one is an error, never a silent cut: half a description is a wrong description.

/// Bytes of a body.
pub const BODY: usize = 64 * 1024;
/// Bytes of one line.
pub const LINE: usize = 4096;
/// Lines of a body.
pub const LINES: usize = 1024;
/// `m=` lines of a description.
pub const MEDIA: usize = 16;
/// Formats of one `m=` line.
pub const FORMATS: usize = 128;
/// `a=crypto` lines of one media section.
pub const CRYPTO: usize = 16;
/// Keys of one `a=crypto` line; a line with more is not understood.
pub const KEYS: usize = 8;
/// Parameters of one `a=crypto` line; a line with more is not understood.
pub const SESSION_PARAMETERS: usize = 8;
/// `a=fingerprint` lines of a level; those beyond are not understood.
pub const FINGERPRINTS: usize = 8;
/// Bytes of a section's name in `a=mid`; a longer one is not understood.
pub const MID: usize = 64;
/// ICE candidates of one media section.
pub const CANDIDATES: usize = 128;
