//! How a conversation sounds, by the E-model (ITU-T G.107): from delay, loss and codec to R and from R to a mean opinion.
//!
//! R = 93.2 − Id − Ie,eff. All that a relay cannot know (levels, noise, echo) has G.107's default, which gives 93.2 and the delay
//! impairment Id of a table; Ie,eff is what the codec and loss cost (§7.5). An opinion is of one direction, for whoever listens.
//!
//! Not here: measuring (`reception.rs`, the party's reports), adding up the delay, wideband's own scale (G.107.1).

use super::Micros;

/// What a codec costs without loss, and how it bears loss (ITU-T G.113 appendix I).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Codec {
    /// Equipment impairment factor, Ie.
    pub impairment: f32,
    /// Packet-loss robustness factor, Bpl.
    pub robustness: f32,
}

impl Codec {
    /// G.711 whose player conceals losses, as all of today do.
    pub const G711: Self = Self {
        impairment: 0.0,
        robustness: 25.1,
    };
    /// G.711 whose player leaves gaps.
    pub const G711_BARE: Self = Self {
        impairment: 0.0,
        robustness: 4.3,
    };
    /// G.729A with voice activity detection.
    pub const G729: Self = Self {
        impairment: 11.0,
        robustness: 19.0,
    };
}

/// What one who listens has before him.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conditions {
    /// From mouth to ear: network, packets, the player's buffer.
    pub delay: Micros,
    /// Packets expected.
    pub expected: u64,
    /// Packets of these that did not come, or too late.
    pub lost: u64,
    /// Holes that the lost packets left: as many as these when each was lost alone. Zero if nobody counted.
    pub holes: u64,
    /// What carried them.
    pub codec: Codec,
}

/// G.107's transmission rating factor: 93.2 at best, below 50 nobody is pleased.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Rating(f32);

/// R with G.107's defaults, without delay, loss and codec.
const BEST: f32 = 93.2;

/// Delay in milliseconds and its impairment Id (G.107 §7.4) with the defaults, an echo path as long as the way there and back;
/// less what is in [`BEST`] already. In between it is as good as straight.
const DELAY: [(f32, f32); 18] = [
    (0.0, 0.00),
    (25.0, 0.82),
    (50.0, 1.45),
    (75.0, 2.02),
    (100.0, 2.54),
    (125.0, 3.04),
    (150.0, 3.67),
    (175.0, 4.98),
    (200.0, 7.40),
    (250.0, 14.03),
    (300.0, 20.54),
    (350.0, 26.18),
    (400.0, 30.96),
    (500.0, 38.40),
    (600.0, 43.72),
    (700.0, 47.56),
    (800.0, 50.38),
    (1000.0, 54.13),
];

impl Conditions {
    /// The rating under these conditions.
    #[must_use]
    pub fn rating(&self) -> Rating {
        Rating((BEST - self.delay_impairment() - self.loss_impairment()).max(0.0))
    }

    fn delay_impairment(&self) -> f32 {
        let delay = self.delay.0 as f32 / 1_000.0;
        let piece = DELAY.windows(2).find_map(|piece| match piece {
            [from, to] if delay <= to.0 => Some((*from, *to)),
            _ => None,
        });
        match piece {
            Some(((from, low), (to, high))) => low + (high - low) * (delay - from) / (to - from),
            // Whoever waits longer does not converse.
            None => DELAY[DELAY.len() - 1].1,
        }
    }

    /// BurstR: how long a loss lasts on average, against losses at random (§7.5); 1 to 8 (table 2).
    #[must_use]
    pub fn burst_ratio(&self) -> f32 {
        if self.holes == 0 || self.expected == 0 {
            return 1.0;
        }
        let share = self.lost.min(self.expected) as f32 / self.expected as f32;
        // At random a loss is 1 / (1 - share) packets long.
        let length = self.lost as f32 / self.holes as f32;
        (length * (1.0 - share)).clamp(1.0, 8.0)
    }

    /// Ie,eff (§7.5).
    fn loss_impairment(&self) -> f32 {
        let Codec {
            impairment,
            robustness,
        } = self.codec;
        if self.expected == 0 {
            return impairment;
        }
        let percent = 100.0 * self.lost.min(self.expected) as f32 / self.expected as f32;
        impairment + (95.0 - impairment) * percent / (percent / self.burst_ratio() + robustness)
    }
}

impl Rating {
    /// R, 0 to 93.2.
    #[must_use]
    pub fn value(self) -> f32 {
        self.0
    }

    /// The mean opinion to be expected of a conversation, 1 to 4.4 (G.107 annex B).
    #[must_use]
    pub fn opinion(self) -> f32 {
        let r = self.0;
        // The polynomial dips below 1 for R under 6.5.
        (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6).max(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(milliseconds: u64, lost_percent: u64, codec: Codec) -> Rating {
        let delay = Micros(1_000 * milliseconds);
        Conditions {
            delay,
            expected: 100,
            lost: lost_percent,
            holes: 0,
            codec,
        }
        .rating()
    }

    /// G.107 §7.4 as it stands, with table 2's defaults.
    fn delay_impairment(milliseconds: f64) -> f64 {
        let (no, ro) = (-61.179_214, 94.768_822);
        let (rlr, telr, wepl) = (2.0, 65.0, 110.0);
        let t = milliseconds;
        let roe = -1.5 * (no - rlr);
        let terv = telr - 40.0 * ((1.0 + t / 10.0) / (1.0 + t / 150.0)).log10()
            + 6.0 * (-0.3 * t * t).exp();
        let re = 80.0 + 2.5 * (terv - 14.0);
        let half = (roe - re) / 2.0;
        let talker = (half + (half * half + 100.0).sqrt() - 1.0) * (1.0 - (-t).exp());
        let rle = 10.5 * (wepl + 7.0) * (2.0 * t + 1.0).powf(-0.25);
        let half = (ro - rle) / 2.0;
        let listener = half + (half * half + 169.0).sqrt();
        let pure = if t <= 100.0 {
            0.0
        } else {
            let x = (t / 100.0).log2();
            let sixth = |x: f64| (1.0 + x.powi(6)).powf(1.0 / 6.0);
            25.0 * (sixth(x) - 3.0 * sixth(x / 3.0) + 2.0)
        };
        talker + listener + pure
    }

    #[test]
    fn the_table_is_the_recommendation() {
        let nothing = delay_impairment(0.0);
        for milliseconds in (0..=1_000).step_by(5) {
            let exact = delay_impairment(f64::from(milliseconds)) - nothing;
            let ours = BEST - after(milliseconds as u64, 0, Codec::G711).value();
            let difference = (exact - f64::from(ours)).abs();
            // A point of R is less than anybody hears; between 200 and 250 ms it is the most.
            assert!(difference < 1.0, "{milliseconds} ms: {ours} for {exact}");
        }
    }

    #[test]
    fn defaults_give_93_and_an_opinion_of_4_4() {
        let best = after(0, 0, Codec::G711);
        assert!((best.value() - 93.2).abs() < 0.01);
        assert!((best.opinion() - 4.41).abs() < 0.01);
    }

    #[test]
    fn loss_costs_what_the_codec_cannot_hide() {
        // G.107 §7.5: 95 · 5 / (5 + 25.1) = 15.8.
        assert!((after(0, 5, Codec::G711).value() - 77.4).abs() < 0.1);
        // 95 · 5 / (5 + 4.3) = 51.1.
        assert!((after(0, 5, Codec::G711_BARE).value() - 42.1).abs() < 0.1);
        // 11 + 84 · 5 / (5 + 19) = 28.5.
        assert!((after(0, 5, Codec::G729).value() - 64.7).abs() < 0.1);
    }

    #[test]
    fn losses_in_a_row_cost_more_than_the_same_at_random() {
        let lossy = |holes| Conditions {
            delay: Micros(0),
            expected: 1_000,
            lost: 20,
            holes,
            codec: Codec::G711,
        };
        assert_eq!(lossy(20).burst_ratio(), 1.0, "each alone");
        // 20 lost in 5 holes are 4 in a row, where 1 / (1 - 0.02) = 1.02 were to be expected.
        assert!((lossy(5).burst_ratio() - 3.92).abs() < 0.01);
        // G.107 §7.5: 95 · 2 / (2 / 3.92 + 25.1) = 7.42, where at random it is 7.01.
        assert!((lossy(5).rating().value() - 85.78).abs() < 0.02);
        assert!((lossy(20).rating().value() - 86.19).abs() < 0.02);
        assert_eq!(lossy(1).burst_ratio(), 8.0, "table 2 goes no further");
    }

    #[test]
    fn it_never_gets_better_by_getting_worse() {
        for codec in [Codec::G711, Codec::G711_BARE, Codec::G729] {
            let mut before = f32::MAX;
            for percent in 0..=100 {
                let opinion = after(10 * percent, percent, codec).opinion();
                assert!((1.0..=before).contains(&opinion), "{percent}");
                before = opinion;
            }
        }
    }

    #[test]
    fn nothing_expected_is_nothing_lost() {
        let quiet = Conditions {
            delay: Micros(0),
            expected: 0,
            lost: 0,
            holes: 0,
            codec: Codec::G711,
        };
        assert_eq!(quiet.rating(), after(0, 0, Codec::G711));
        assert_eq!(after(u64::MAX / 1_000, 100, Codec::G729).opinion(), 1.0);
    }
}
