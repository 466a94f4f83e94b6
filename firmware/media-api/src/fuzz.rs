//! Doors for fuzzing: bytes of anybody into the decoders.
//!
//! Ordinary functions that never panic; `tests/hostile.rs` replays the corpus through them.
//!
//! Not here: the fuzzer.

use alloc::vec::Vec;

use crate::{Command, Decoder, Event, Frame, encode};

/// Commands of a control gone mad, in pieces of seven octets.
pub fn fuzz_command(data: &[u8]) {
    decode::<Command>(data);
}

/// Events of a media gone mad.
pub fn fuzz_event(data: &[u8]) {
    decode::<Event>(data);
}

/// What decodes must encode again.
fn decode<T: Frame>(data: &[u8]) {
    let mut decoder = Decoder::<T>::new();
    let mut out = Vec::new();
    for piece in data.chunks(7) {
        decoder.push(piece);
        loop {
            match decoder.poll() {
                Ok(Some(message)) => {
                    out.clear();
                    assert!(
                        encode(&message, &mut out).is_ok(),
                        "what came in one frame fits one frame"
                    );
                }
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
}
