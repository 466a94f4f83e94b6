//! PCMU: ITU-T G.711 μ-law.
//!
//! ```text
//!  |sign| exponent 3 | mantissa 4 |   all bits inverted on the line; 0xFF and 0x7F are both zero
//! ```
//!
//! Encoding finds the segment by counting leading zeros and has no table; decoding is a table made at compile time.

/// What is added to the 14-bit magnitude so that each segment begins at a power of two.
const BIAS: u16 = 33;

/// The largest 14-bit magnitude the last segment holds; louder is clipped.
const CLIP: u16 = 8_158;

static LINEAR: [i16; 256] = {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = expand(code as u8);
        code += 1;
    }
    table
};

const fn expand(code: u8) -> i16 {
    let bits = !code;
    let exponent = bits >> 4 & 7;
    let mantissa = (bits & 0x0f) as i16;
    // Middle of the interval, in 14 bits, then aligned to 16.
    let magnitude = (((mantissa << 1 | 0x21) << exponent) - BIAS as i16) << 2;
    if bits & 0x80 == 0 {
        magnitude
    } else {
        -magnitude
    }
}

/// Decodes one sample.
#[inline]
pub fn decode(code: u8) -> i16 {
    LINEAR[usize::from(code)]
}

/// Codes one sample.
#[inline]
pub fn encode(sample: i16) -> u8 {
    let sign = (sample >> 8) as u8 & 0x80;
    // One's complement keeps the two halves mirror images (the ITU's reference, G.191, does the same).
    let magnitude = (sample ^ (sample >> 15)) as u16 >> 2;
    let biased = magnitude.min(CLIP) + BIAS;
    let exponent = 10 - biased.leading_zeros() as u16;
    let mantissa = biased >> (exponent + 1) & 0x0f;
    !(sign | (exponent << 4 | mantissa) as u8)
}
