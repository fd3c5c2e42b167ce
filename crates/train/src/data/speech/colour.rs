//! The colour of sounds: random equalisers, band limits, and how far up a recording reaches.

use rand::RngExt;
use rand::rngs::StdRng;

use super::RATE;
use crate::dsp::math::from_db;
use crate::dsp::{Stft, Window};

/// A gain for each bin of a spectrum from 0 Hz to half of [`RATE`].
pub type Curve = Vec<f32>;

/// Half of [`RATE`], the highest frequency there is.
const TOP: f64 = RATE as f64 / 2.0;

/// A flat curve over this many bins.
pub fn flat(bins: usize) -> Curve {
    vec![1.0; bins]
}

/// Multiplies `curve` by a smooth random equaliser: up to `range` dB up or down at a few frequencies spread over the
/// octaves, cosines between them.
pub fn equalise(rng: &mut StdRng, curve: &mut Curve, range: f64) {
    // One value every one and a half octaves from 60 Hz.
    let points: Vec<f64> = (0..8).map(|_| rng.random_range(-range..range)).collect();
    let last = curve.len() - 1;
    for (k, gain) in curve.iter_mut().enumerate() {
        let hertz = (k as f64 / last as f64 * TOP).max(1.0);
        let at = ((hertz / 60.0).log2() / 1.25).clamp(0.0, points.len() as f64 - 1.001);
        let (index, part) = (at as usize, at.fract());
        let part = 0.5 - 0.5 * (std::f64::consts::PI * part).cos();
        *gain *= from_db(points[index] + (points[index + 1] - points[index]) * part);
    }
}

/// Multiplies `curve` by a low pass: 1 to `hertz`, falling to 0 over the next 6 %.
pub fn low_pass(curve: &mut Curve, hertz: f64) {
    edge(curve, hertz, 1.06 * hertz, true);
}

/// Multiplies `curve` by a high pass: 0 to half of `hertz`, rising to 1 at `hertz`.
pub fn high_pass(curve: &mut Curve, hertz: f64) {
    edge(curve, 0.5 * hertz, hertz, false);
}

/// A fall (or rise) by half a cosine between two frequencies.
fn edge(curve: &mut Curve, from: f64, to: f64, fall: bool) {
    let last = curve.len() - 1;
    for (k, gain) in curve.iter_mut().enumerate() {
        let at = ((k as f64 / last as f64 * TOP - from) / (to - from)).clamp(0.0, 1.0);
        let risen = 0.5 - 0.5 * (std::f64::consts::PI * at).cos();
        *gain *= (if fall { 1.0 - risen } else { risen }) as f32;
    }
}

/// Multiplies `curve` by one that falls by `slope` dB an octave above 40 Hz; what it makes of white noise is pink at 3 and brown at 6.
pub fn tilt(curve: &mut Curve, slope: f64) {
    let last = (curve.len() - 1) as f64;
    for (k, gain) in curve.iter_mut().enumerate() {
        *gain *= from_db(-slope * (k as f64 / last * TOP / 40.0).max(1.0).log2());
    }
}

/// The frequency in Hz above which a recording holds less than three millionths of its power.
pub fn bandwidth(samples: &[f32]) -> f32 {
    let stft = Stft::new(1024, 1024, Window::Hann);
    let mut power = vec![0f64; stft.bins()];
    for spectrum in stft.analyse(&samples[..samples.len().min(60 * RATE as usize)]).chunks_exact(stft.bins()) {
        power.iter_mut().zip(spectrum).for_each(|(sum, bin)| *sum += f64::from(bin.norm_sqr()));
    }
    let total: f64 = power.iter().sum();
    let mut above = 0.0;
    for (k, power) in power.iter().enumerate().rev() {
        above += power;
        if above > 3e-6 * total {
            return (k as f64 / (stft.bins() - 1) as f64 * TOP) as f32;
        }
    }
    0.0
}
