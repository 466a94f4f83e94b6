//! A URI, a name-address, a Via.
//!
//! Seeds and old crashes lie in `tests/regressions/uri`, replayed by the crate's own tests as well.
//! What is held is in `firmware/sip/src/fuzz.rs`; nothing is decided here.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sip::fuzz::uri(data));
