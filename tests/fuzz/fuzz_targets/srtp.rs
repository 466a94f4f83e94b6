//! An SRTP packet of a stranger.
//!
//! Seeds and old crashes lie in `tests/regressions/srtp`, replayed by the crate's own tests as well.
//! What is held is in `media-dsp/src/fuzz.rs`; nothing is decided here.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| media_dsp::fuzz::srtp(data));
