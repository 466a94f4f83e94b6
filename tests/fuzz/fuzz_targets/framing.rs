//! A stream of SIP messages, cut anywhere.
//!
//! Seeds and old crashes lie in `tests/regressions/framing`, replayed by the crate's own tests as well.
//! What is held is in `firmware/sip/src/fuzz.rs`; nothing is decided here.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sip::fuzz::framing(data));
