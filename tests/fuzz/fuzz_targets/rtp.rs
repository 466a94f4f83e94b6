//! An RTP packet.
//!
//! Seeds and old crashes lie in `tests/regressions/rtp`, replayed by the crate's own tests as well.
//! What is held is in `media-dsp/src/fuzz.rs`; nothing is decided here.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| media_dsp::fuzz::rtp(data));
