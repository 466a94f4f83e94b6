//! Codecs, one file each: [`pcmu`] and [`pcma`] of ITU-T G.711.
//!
//! Samples are 16-bit linear, left-aligned: the 14 bits of μ-law and the 13 bits of A-law in the upper part.
//!
//! Not here: packet loss concealment, comfort noise, resampling.

pub mod pcma;
pub mod pcmu;

#[cfg(test)]
mod tests;

/// Samples each second of both laws.
pub const SAMPLE_RATE: u32 = 8_000;

/// Samples, and bytes, of a 20 ms frame.
pub const FRAME: usize = 160;

/// The two companding laws of G.711, with the static payload types of RFC 3551 §6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Law {
    /// PCMU, payload type 0.
    Mu,
    /// PCMA, payload type 8.
    A,
}

impl Law {
    /// The static payload type.
    pub const fn payload_type(self) -> u8 {
        match self {
            Self::Mu => 0,
            Self::A => 8,
        }
    }

    /// The code of silence.
    pub const fn silence(self) -> u8 {
        match self {
            Self::Mu => 0xff,
            Self::A => 0xd5,
        }
    }

    /// Codes one sample.
    #[inline]
    pub fn encode(self, sample: i16) -> u8 {
        match self {
            Self::Mu => pcmu::encode(sample),
            Self::A => pcma::encode(sample),
        }
    }

    /// Decodes one sample.
    #[inline]
    pub fn decode(self, code: u8) -> i16 {
        match self {
            Self::Mu => pcmu::decode(code),
            Self::A => pcma::decode(code),
        }
    }
}
