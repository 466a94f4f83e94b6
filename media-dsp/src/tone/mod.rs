//! Call progress tones as G.711 frames of 20 ms (ITU-T E.180 Supplement 2).
//!
//! A [`Generator`] runs two oscillators whose phases go on through pauses and from frame to frame, so a tone has no
//! clicks. Integer arithmetic only; the sine table is made at compile time.
//!
//! Not here: pacing (one call of [`Generator::frame`] is 20 ms of the caller's time), DTMF, which tone a call deserves.

mod cadence;

#[cfg(test)]
mod tests;

use crate::codec::{FRAME, Law, SAMPLE_RATE};

use cadence::Cadence;

/// What is to be heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tone {
    /// The far end rings.
    Ringback,
    /// The far end is busy.
    Busy,
    /// The network cannot place the call (reorder, fast busy).
    Congestion,
}

/// Where the caller is used to hear tones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Region {
    /// 425 Hz as ETSI TR 101 041 recommends and most of Europe plays.
    #[default]
    Europe,
    /// United States and Canada: pairs of frequencies.
    NorthAmerica,
    /// United Kingdom: double ring.
    UnitedKingdom,
    /// France: 440 Hz.
    France,
    /// Brazil: 425 Hz with its own cadences.
    Brazil,
    /// Australia: modulated double ring.
    Australia,
}

/// Plays one tone for ever.
#[derive(Debug, Clone)]
pub struct Generator {
    law: Law,
    cadence: &'static Cadence,
    phases: [u32; 2],
    segment: usize,
    /// Samples left of the current segment.
    left: u32,
}

impl Generator {
    /// A generator at the beginning of the tone's first burst.
    pub fn new(tone: Tone, region: Region, law: Law) -> Self {
        let cadence = cadence::of(tone, region);
        Self {
            law,
            cadence,
            phases: [0; 2],
            segment: 0,
            left: samples(cadence.milliseconds[0]),
        }
    }

    /// The next 20 ms.
    pub fn frame(&mut self, out: &mut [u8; FRAME]) {
        out.iter_mut()
            .for_each(|code| *code = self.law.encode(self.sample()));
    }

    /// The next sample, for a mixer.
    pub fn sample(&mut self) -> i16 {
        if self.left == 0 {
            self.segment = (self.segment + 1) % self.cadence.milliseconds.len();
            self.left = samples(self.cadence.milliseconds[self.segment]);
        }
        self.left -= 1;
        let mut sum = 0;
        for (phase, hertz) in self.phases.iter_mut().zip(self.cadence.hertz) {
            if hertz != 0 {
                sum += sine(*phase);
            }
            *phase = phase.wrapping_add(step(hertz));
        }
        // Even segments sound, odd ones are pauses.
        if self.segment.is_multiple_of(2) {
            self.cadence.scale(sum)
        } else {
            0
        }
    }
}

const fn samples(milliseconds: u16) -> u32 {
    milliseconds as u32 * (SAMPLE_RATE / 1_000)
}

/// Phase advance of each sample: a whole turn is 2^32.
const fn step(hertz: u16) -> u32 {
    (((hertz as u64) << 32) / SAMPLE_RATE as u64) as u32
}

/// Full-scale sine of a phase, within a few counts of exact: the table is interpolated.
fn sine(phase: u32) -> i32 {
    let index = (phase >> 24) as usize;
    let fraction = (phase >> 8 & 0xffff) as i32;
    let here = i32::from(SINE[index]);
    let next = i32::from(SINE[(index + 1) % SINE.len()]);
    here + (((next - here) * fraction) >> 16)
}

static SINE: [i16; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        // Fold into the first quarter, where the series converges quickly.
        let quarter = match index % 128 {
            early @ 0..=64 => early,
            late => 128 - late,
        };
        let angle = quarter as f64 * core::f64::consts::PI / 128.0;
        let square = angle * angle;
        let mut term = angle;
        let mut sum = angle;
        let mut order = 1;
        while order < 8 {
            term = -term * square / ((2 * order) as f64 * (2 * order + 1) as f64);
            sum += term;
            order += 1;
        }
        let value = (sum * 32_767.0 + 0.5) as i16;
        table[index] = if index < 128 { value } else { -value };
        index += 1;
    }
    table
};
