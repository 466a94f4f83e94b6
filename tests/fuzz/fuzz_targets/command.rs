//! Frames of the contract between control and media: commands.
//!
//! Seeds and old crashes lie in `tests/regressions/command`, replayed by the crate's own tests as well.
//! What is held is in `firmware/media-api/src/fuzz.rs`; nothing is decided here.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| media_api::fuzz::fuzz_command(data));
