//! Frequencies and cadences of the regions (ITU-T E.180 Supplement 2, national plans).
//!
//! A cadence begins with sound and alternates; a second frequency of zero is absent.

use super::{Region, Tone};

/// How a tone sounds.
#[derive(Debug)]
pub(super) struct Cadence {
    /// The frequencies that sound together.
    pub(super) hertz: [u16; 2],
    /// Sound, pause, sound, pause …
    pub(super) milliseconds: &'static [u16],
}

impl Cadence {
    /// Brings the sum of the sines to about −13 dBm0 altogether: 3.14 dBm0 is full scale of one sine.
    pub(super) const fn scale(&self, sum: i32) -> i16 {
        let single = sum * 5_100 / 32_768;
        // Two tones carry half of the power each.
        (if self.hertz[1] == 0 {
            single
        } else {
            single * 181 / 256
        }) as i16
    }
}

macro_rules! cadence {
    ($first:literal $(+ $second:literal)?; $($milliseconds:literal)/+) => {
        &Cadence { hertz: [$first, 0 $(+ $second)?], milliseconds: &[$($milliseconds),+] }
    };
}

pub(super) const fn of(tone: Tone, region: Region) -> &'static Cadence {
    match (region, tone) {
        (Region::Europe, Tone::Ringback) => cadence!(425; 1000 / 4000),
        (Region::Europe, Tone::Busy) => cadence!(425; 500 / 500),
        (Region::Europe, Tone::Congestion) => cadence!(425; 250 / 250),
        (Region::NorthAmerica, Tone::Ringback) => cadence!(440 + 480; 2000 / 4000),
        (Region::NorthAmerica, Tone::Busy) => cadence!(480 + 620; 500 / 500),
        (Region::NorthAmerica, Tone::Congestion) => cadence!(480 + 620; 250 / 250),
        (Region::UnitedKingdom, Tone::Ringback) => cadence!(400 + 450; 400 / 200 / 400 / 2000),
        (Region::UnitedKingdom, Tone::Busy) => cadence!(400; 375 / 375),
        (Region::UnitedKingdom, Tone::Congestion) => cadence!(400; 400 / 350 / 225 / 525),
        (Region::France, Tone::Ringback) => cadence!(440; 1500 / 3500),
        (Region::France, Tone::Busy) => cadence!(440; 500 / 500),
        (Region::France, Tone::Congestion) => cadence!(440; 250 / 250),
        (Region::Brazil, Tone::Ringback) => cadence!(425; 1000 / 4000),
        (Region::Brazil, Tone::Busy) => cadence!(425; 250 / 250),
        (Region::Brazil, Tone::Congestion) => cadence!(425; 250 / 250 / 750 / 250),
        (Region::Australia, Tone::Ringback) => cadence!(413 + 438; 400 / 200 / 400 / 2000),
        (Region::Australia, Tone::Busy) => cadence!(425; 375 / 375),
        (Region::Australia, Tone::Congestion) => cadence!(425; 375 / 375),
    }
}
