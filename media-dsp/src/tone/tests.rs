//! Tones measured: which frequencies, how loud, how long, and whether they go on without a click.
//!
//! Measured on the samples, with floating point that the generator itself does not use.

use alloc::vec::Vec;

use super::*;

const TONES: [Tone; 3] = [Tone::Ringback, Tone::Busy, Tone::Congestion];
const REGIONS: [Region; 6] = [
    Region::Europe,
    Region::NorthAmerica,
    Region::UnitedKingdom,
    Region::France,
    Region::Brazil,
    Region::Australia,
];

/// What a full-scale sine of A-law has, in dBm0 (G.711 §4).
const FULL_SCALE: f64 = 3.139;

fn play(tone: Tone, region: Region, milliseconds: usize) -> Vec<i16> {
    let mut generator = Generator::new(tone, region, Law::A);
    (0..milliseconds * 8).map(|_| generator.sample()).collect()
}

/// Amplitude of one frequency, by the sum of a Fourier series.
fn amplitude(samples: &[i16], hertz: f64) -> f64 {
    let (mut real, mut imaginary) = (0.0, 0.0);
    for (index, sample) in samples.iter().enumerate() {
        let angle = core::f64::consts::TAU * hertz * index as f64 / 8_000.0;
        real += f64::from(*sample) * angle.cos();
        imaginary += f64::from(*sample) * angle.sin();
    }
    2.0 * real.hypot(imaginary) / samples.len() as f64
}

/// Lengths of sound and pause in milliseconds, heard with an ear of 5 ms.
fn cadence_heard(samples: &[i16]) -> Vec<usize> {
    let loud: Vec<bool> = samples
        .chunks(40)
        .map(|chunk| chunk.iter().any(|sample| *sample != 0))
        .collect();
    loud.chunk_by(|a, b| a == b)
        .map(|run| run.len() * 5)
        .collect()
}

#[test]
fn the_frequencies_are_those_of_the_region() {
    for (region, tone, frequencies) in [
        (Region::Europe, Tone::Ringback, &[425.0][..]),
        (Region::Brazil, Tone::Busy, &[425.0]),
        (Region::NorthAmerica, Tone::Ringback, &[440.0, 480.0]),
        (Region::NorthAmerica, Tone::Busy, &[480.0, 620.0]),
        (Region::UnitedKingdom, Tone::Ringback, &[400.0, 450.0]),
        (Region::France, Tone::Congestion, &[440.0]),
    ] {
        let samples = play(tone, region, 200);
        for hertz in frequencies {
            assert!(
                amplitude(&samples, *hertz) > 3_000.0,
                "{region:?} {tone:?}: {hertz} Hz"
            );
        }
        for hertz in [350.0, 525.0, 700.0, 850.0, 1_275.0] {
            assert!(
                amplitude(&samples, hertz) < 30.0,
                "{region:?} {tone:?}: no {hertz} Hz"
            );
        }
    }
}

#[test]
fn the_level_is_about_minus_13_dbm0() {
    for region in REGIONS {
        // Whole beats of both frequencies.
        let samples = play(Tone::Ringback, region, 400);
        let power = samples
            .iter()
            .map(|sample| f64::from(*sample).powi(2))
            .sum::<f64>()
            / samples.len() as f64;
        let level = 10.0 * (power / (32_768.0_f64.powi(2) / 2.0)).log10() + FULL_SCALE;
        assert!(
            (-13.5..-12.5).contains(&level),
            "{region:?}: {level:.2} dBm0"
        );
    }
}

#[test]
fn the_cadence_is_that_of_the_region() {
    assert_eq!(
        cadence_heard(&play(Tone::Ringback, Region::Europe, 10_000)),
        [1_000, 4_000, 1_000, 4_000]
    );
    assert_eq!(
        cadence_heard(&play(Tone::Ringback, Region::NorthAmerica, 6_000)),
        [2_000, 4_000]
    );
    assert_eq!(
        cadence_heard(&play(Tone::Ringback, Region::UnitedKingdom, 3_000)),
        [400, 200, 400, 2_000]
    );
    assert_eq!(
        cadence_heard(&play(Tone::Busy, Region::Brazil, 1_000)),
        [250; 4]
    );
    assert_eq!(
        cadence_heard(&play(Tone::Congestion, Region::Brazil, 1_500)),
        [250, 250, 750, 250]
    );
}

#[test]
fn the_phase_goes_on_from_frame_to_frame_and_over_pauses() {
    for region in REGIONS {
        for tone in TONES {
            let mut generator = Generator::new(tone, region, Law::Mu);
            let mut frames = Vec::new();
            for _ in 0..500 {
                let mut frame = [0; FRAME];
                generator.frame(&mut frame);
                frames.extend(frame);
            }
            let samples = play(tone, region, 10_000);
            let codes: Vec<u8> = samples
                .iter()
                .map(|sample| Law::Mu.encode(*sample))
                .collect();
            assert_eq!(frames, codes, "frames are cut from one stream");

            let cadence = cadence::of(tone, region);
            let steps = cadence
                .hertz
                .map(|hertz| f64::from(hertz) * core::f64::consts::TAU / 8_000.0);
            let peak = if cadence.hertz[1] == 0 {
                5_100.0
            } else {
                3_607.0
            };
            for (index, sample) in samples
                .iter()
                .enumerate()
                .filter(|(_, sample)| **sample != 0)
            {
                let exact: f64 = steps
                    .iter()
                    .map(|step| (step * index as f64).sin() * peak)
                    .sum();
                assert!(
                    (exact - f64::from(*sample)).abs() < 12.0,
                    "{region:?} {tone:?} sample {index}"
                );
            }
        }
    }
}

#[test]
fn pauses_are_the_silence_of_the_law() {
    for law in [Law::Mu, Law::A] {
        let mut generator = Generator::new(Tone::Ringback, Region::Europe, law);
        let mut frame = [0; FRAME];
        for _ in 0..=50 {
            generator.frame(&mut frame);
        }
        assert_eq!(frame, [law.silence(); FRAME]);
    }
}
