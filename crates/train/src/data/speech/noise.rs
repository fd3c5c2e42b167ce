//! Noise that no recording is needed for.

use std::f64::consts::TAU;

use rand::RngExt;
use rand::rngs::StdRng;
use rand_distr::{Distribution, StandardNormal};

use super::RATE;
use crate::dsp::math::from_db;

/// White noise of power 1.
pub fn white(rng: &mut StdRng, count: usize) -> Vec<f32> {
    (0..count).map(|_| StandardNormal.sample(rng)).collect()
}

/// Mains hum, a fan or a whine: a few harmonics of one frequency that drifts a little, without end.
pub fn hum(rng: &mut StdRng, count: usize) -> Vec<f32> {
    let base: f64 = if rng.random_bool(0.4) {
        [50.0, 60.0, 100.0, 120.0][rng.random_range(0..4)]
    } else {
        60.0 * 2f64.powf(rng.random_range(0.0..6.0))
    };
    let drift = rng.random_range(0.0..0.01);
    let rate = rng.random_range(0.05..2.0);
    let partials: Vec<(f64, f64, f64)> = (1..=rng.random_range(1..20usize))
        .filter(|k| base * (*k as f64) < 20_000.0)
        .map(|k| (k as f64, f64::from(from_db(-rng.random_range(0.0..40.0))), rng.random_range(0.0..TAU)))
        .collect();
    let mut phase = 0.0;
    (0..count)
        .map(|n| {
            let seconds = n as f64 / f64::from(RATE);
            phase += TAU * base / f64::from(RATE) * (1.0 + drift * (TAU * rate * seconds).sin());
            partials.iter().map(|(k, gain, start)| gain * (k * phase + start).sin()).sum::<f64>() as f32
        })
        .collect()
}

/// Something like music: chords of plucked and held tones with overtones, in a rhythm.
pub fn music(rng: &mut StdRng, count: usize) -> Vec<f32> {
    const SCALE: [i32; 7] = [0, 2, 4, 5, 7, 9, 11];
    let mut samples = vec![0f32; count];
    let key = 40.0 * 2f64.powf(rng.random_range(0.0..1.0));
    let beat = rng.random_range(0.12..0.6);
    let held = rng.random_range(0.2..6.0);
    let overtones = rng.random_range(1..9usize);
    let brightness = rng.random_range(0.3..0.85f64);
    let mut start = 0.0;
    while ((start * f64::from(RATE)) as usize) < count {
        let root = rng.random_range(7..28usize);
        for step in [0, 2, 4].into_iter().take(rng.random_range(1..=3)) {
            let degree = root + step;
            let semitones = f64::from(SCALE[degree % 7]) + 12.0 * (degree / 7) as f64;
            let hertz = key * 2f64.powf(semitones / 12.0);
            let first = (start * f64::from(RATE)) as usize;
            let length = ((3.0 * beat * held) * f64::from(RATE)) as usize;
            let decay = 1.0 / (beat * held * f64::from(RATE));
            for k in (1..=overtones).filter(|k| hertz * (*k as f64) < 20_000.0) {
                let gain = brightness.powi(k as i32 - 1);
                let turn = TAU * hertz * k as f64 / f64::from(RATE);
                // A rotating pointer is a sine without a sine for each sample.
                let (mut x, mut y) = (gain, 0.0);
                let (cos, sin) = ((-decay).exp() * turn.cos(), (-decay).exp() * turn.sin());
                for sample in samples.iter_mut().skip(first).take(length) {
                    (x, y) = (x * cos - y * sin, x * sin + y * cos);
                    *sample += y as f32;
                }
            }
        }
        start += beat * f64::from(rng.random_range(1..=4u8));
    }
    samples
}
