//! An RTCP compound packet.
//!
//! Seeds and old crashes lie in `tests/regressions/rtcp`, replayed by the crate's own tests as well.
//! What is held is in `media-dsp/src/fuzz.rs`; nothing is decided here.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| media_dsp::fuzz::rtcp(data));
