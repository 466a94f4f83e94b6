//! A configuration.
//!
//! Seeds and old crashes lie in `tests/regressions/config`, replayed by the crate's own tests as well.
//! What is held is in `firmware/config/src/fuzz.rs`; nothing is decided here.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| config::fuzz::fuzz_parse(data));
