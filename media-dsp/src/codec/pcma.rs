//! PCMA: ITU-T G.711 A-law.
//!
//! ```text
//!  |sign| exponent 3 | mantissa 4 |   even bits inverted on the line (0x55); sign 1 is positive
//! ```
//!
//! Encoding finds the segment by counting leading zeros and has no table; decoding is a table made at compile time.

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
    let bits = code ^ 0x55;
    let exponent = bits >> 4 & 7;
    let mantissa = (bits & 0x0f) as i16;
    // Middle of the interval: the mantissa, a one below it, and a one above it in all segments but the first.
    let magnitude = match exponent {
        0 => mantissa << 4 | 8,
        _ => (mantissa << 4 | 0x108) << (exponent - 1),
    };
    if bits & 0x80 == 0 {
        -magnitude
    } else {
        magnitude
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
    let sign = !(sample >> 8) as u8 & 0x80;
    let magnitude = (sample ^ (sample >> 15)) as u16 >> 4;
    // Eleven bits are left; segments 0 and 1 have the same step.
    let exponent = 12u16.saturating_sub(magnitude.leading_zeros() as u16);
    let mantissa = match exponent {
        0 => magnitude,
        _ => magnitude >> (exponent - 1),
    } & 0x0f;
    (sign | (exponent << 4 | mantissa) as u8) ^ 0x55
}
