//! Two voices, in frames of 20 ms of G.711, and the way back from a frame to its place in the sentence.
//!
//! No two frames of a voice are alike in either law (a test holds it), so that what was heard can be compared frame by
//! frame with what was said, wherever listening began.
//!
//! Not here: sending or receiving.

use std::collections::HashMap;
use std::sync::OnceLock;

/// Bytes of G.711 in 20 ms.
pub const FRAME: usize = 160;

/// Whose voice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voice {
    /// The person at Contoso.
    Teams,
    /// The person on the telephone network.
    Carrier,
}

/// G.711 of either law.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// µ-law, payload type 0.
    Pcmu,
    /// A-law, payload type 8.
    Pcma,
}

impl Codec {
    /// The static payload type of RFC 3551.
    #[must_use]
    pub fn payload(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
        }
    }

    /// By payload type.
    #[must_use]
    pub fn of(payload: u8) -> Option<Self> {
        [Self::Pcmu, Self::Pcma]
            .into_iter()
            .find(|codec| codec.payload() == payload)
    }

    /// As in `a=rtpmap`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU/8000",
            Self::Pcma => "PCMA/8000",
        }
    }
}

/// A voice in one law.
#[derive(Debug)]
pub struct Speech {
    frames: Vec<[u8; FRAME]>,
    places: HashMap<[u8; FRAME], usize>,
}

impl Speech {
    /// This voice in this law.
    #[must_use]
    pub fn of(voice: Voice, codec: Codec) -> &'static Self {
        static ALL: [OnceLock<Speech>; 4] = [const { OnceLock::new() }; 4];
        let (place, wave): (usize, &[u8]) = match voice {
            Voice::Teams => (0, include_bytes!("../../assets/teams.wav")),
            Voice::Carrier => (2, include_bytes!("../../assets/carrier.wav")),
        };
        let place = place + usize::from(codec == Codec::Pcma);
        ALL[place].get_or_init(|| Self::encode(wave, codec))
    }

    /// Frames before it begins again.
    #[must_use]
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Never: both voices have something to say.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// The frame at a place, counted round and round.
    #[must_use]
    pub fn frame(&self, place: usize) -> &[u8; FRAME] {
        &self.frames[place % self.frames.len()]
    }

    /// Where this payload stands in the sentence.
    #[must_use]
    pub fn place(&self, payload: &[u8]) -> Option<usize> {
        self.places.get(payload).copied()
    }

    fn encode(wave: &[u8], codec: Codec) -> Self {
        // A canonical header of 44 bytes, as sox writes it.
        let samples: Vec<i16> = wave[44..]
            .chunks_exact(2)
            .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
            .collect();
        let frames: Vec<[u8; FRAME]> = samples
            .chunks_exact(FRAME)
            .map(|frame| {
                std::array::from_fn(|at| match codec {
                    Codec::Pcmu => mu_law(frame[at]),
                    Codec::Pcma => a_law(frame[at]),
                })
            })
            .collect();
        let places = frames
            .iter()
            .enumerate()
            .map(|(place, frame)| (*frame, place))
            .collect();
        Self { frames, places }
    }
}

/// G.711 µ-law of a 16-bit sample: 14 bits count, biased by 33, in eight segments that double.
fn mu_law(sample: i16) -> u8 {
    const BIAS: i32 = 0x84;
    const CLIP: i32 = 32_635;
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = i32::from(sample).abs().min(CLIP) + BIAS;
    let segment = 24 - magnitude.leading_zeros().min(24);
    let mantissa = (magnitude >> (segment + 3)) & 0x0f;
    let byte = sign | (segment << 4) as u8 | mantissa as u8;
    !byte
}

/// G.711 A-law of a 16-bit sample: 13 bits count, even bits inverted.
fn a_law(sample: i16) -> u8 {
    let (sign, magnitude) = if sample >= 0 {
        (0x80, i32::from(sample) >> 3)
    } else {
        (0, (-1 - i32::from(sample)) >> 3)
    };
    let byte = match magnitude {
        0..64 => magnitude >> 1,
        _ => {
            let segment = 27 - magnitude.leading_zeros() as i32;
            (segment << 4) | ((magnitude >> segment) & 0x0f)
        }
    };
    (sign | byte as u8) ^ 0x55
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g711_of_the_recommendation() {
        // Decision values of ITU-T G.711 tables 1a and 2a, in 16-bit scale.
        for (sample, expected) in [
            (0, 0xff),
            (-1, 0x7f),
            (32_767, 0x80),
            (-32_768, 0x00),
            (132, 0xef),
        ] {
            assert_eq!(mu_law(sample), expected, "µ-law of {sample}");
        }
        for (sample, expected) in [
            (0, 0xd5),
            (-1, 0x55),
            (32_767, 0xaa),
            (-32_768, 0x2a),
            (1024, 0xe5),
        ] {
            assert_eq!(a_law(sample), expected, "A-law of {sample}");
        }
    }

    #[test]
    fn no_two_frames_are_alike() {
        for codec in [Codec::Pcmu, Codec::Pcma] {
            let voices = [
                Speech::of(Voice::Teams, codec),
                Speech::of(Voice::Carrier, codec),
            ];
            for speech in voices {
                assert!(speech.len() > 300, "seven seconds");
                assert_eq!(speech.places.len(), speech.len(), "{codec:?}");
            }
            assert!(
                voices[0]
                    .frames
                    .iter()
                    .all(|frame| voices[1].place(frame).is_none())
            );
        }
    }
}
