//! How much louder or softer than clean speech cleaned speech is heard, in critical bands.
//!
//! After PESQ's model of hearing (ITU-T P.862 and its wide-band extension P.862.2; as a loss: Martín-Doñas et al. 2018, "A
//! deep learning loss function based on the perceptual evaluation of the speech quality"): powers in bands become loudness,
//! differences that are masked do not count, and noise that was added counts more than speech that is missing. Bands and the
//! threshold of hearing are computed here, not tabulated, both signals are given the level of the clean one, and what is
//! stepwise there is continuous here.

use realfft::num_complex::Complex;

use crate::data::speech::RATE;
use crate::dsp::{Stft, Window};

/// Samples of a frame, 32 ms.
const SIZE: usize = 1536;

/// Above this, in Hz, wide-band PESQ does not hear.
const EDGE: f32 = 8000.0;

/// The least width of a band in Bark.
const WIDTH: f32 = 0.45;

/// Loudness grows as power to this (Zwicker).
const GROWTH: f32 = 0.23;

/// The mean power of speech between 350 and 3,250 Hz that the model listens at.
const LEVEL: f32 = 1e7;

/// What a unit of disturbance costs in PESQ's scale of 1 to 4.5: of any kind, and of noise that was added.
const COSTS: [f32; 2] = [0.1, 0.0309];

/// One critical band.
struct Band {
    /// Its bins.
    bins: std::ops::Range<usize>,
    /// In Bark.
    width: f32,
    /// The power below which nothing is heard.
    threshold: f32,
    /// A unit of loudness at the threshold.
    unit: f32,
}

/// Listens.
pub struct Loudness {
    stft: Stft,
    bands: Vec<Band>,
    /// What the power of each bin below [`EDGE`] is multiplied by.
    weights: Vec<f32>,
}

/// What one frame sounds like beside what it should sound like.
struct Frame {
    /// Disturbance of both kinds.
    heard: [f32; 2],
    /// The gradient of each kind from each band's power.
    gradient: [Vec<f32>; 2],
}

impl Default for Loudness {
    fn default() -> Self {
        let stft = Stft::new(SIZE, SIZE / 2, Window::Hann);
        let hertz = |bin: f32| bin * RATE as f32 / SIZE as f32;
        // Schroeder 1977.
        let bark = |bin: f32| 7.0 * (hertz(bin) / 650.0).asinh();
        let last = (EDGE / hertz(1.0)) as usize;
        let mut bands = Vec::new();
        let mut first = 1;
        while first < last {
            let width = |end: usize| bark(end as f32 - 0.5) - bark(first as f32 - 0.5);
            let end = (first + 1..last).find(|&end| width(end) >= WIDTH).unwrap_or(last);
            // Terhardt 1979, 6 dB lower, as P.862 has it.
            let kilohertz = hertz((first + end - 1) as f32 / 2.0) / 1000.0;
            let decibels = 3.64 * kilohertz.powf(-0.8) - 6.5 * (-0.6 * (kilohertz - 3.3).powi(2)).exp()
                + 1e-3 * kilohertz.powi(4)
                - 6.0;
            let threshold = 10f32.powf(decibels / 10.0);
            let unit = 0.186_605_5 * (2.0 * threshold).powf(GROWTH);
            bands.push(Band { bins: first..end, width: width(end), threshold, unit });
            first = end;
        }
        // P.862's factor for spectra at 16 kHz, whose frames have a third of the samples; and its way to the ear.
        let weights = (0..last).map(|k| 6.910_853e-4 / 9.0 * ear(hertz(k as f32))).collect();
        Self { stft, bands, weights }
    }
}

/// The power gain of the filter that wide-band listening begins with, a high pass (P.862.2, at 16 kHz).
fn ear(hertz: f32) -> f32 {
    let z = Complex::from_polar(1.0, -std::f32::consts::TAU * hertz / 16_000.0);
    let difference = Complex::new(1.0, 0.0) - z;
    (difference * difference * 2.665_763 / (z * z * 0.894_874_34 - z * 1.889_033_1 + 1.0)).norm_sqr()
}

impl Loudness {
    /// What is heard amiss in `found` where `clean` is wanted, in PESQ's units; adds its gradient times `factor` to
    /// `gradient`. Where there is no speech it hears nothing.
    pub fn measure(&self, found: &[f32], clean: &[f32], factor: f32, gradient: &mut [f32]) -> f32 {
        let bins = self.stft.bins();
        let mut spectra = self.stft.analyse(found);
        let clean = self.stft.analyse(clean);
        let frames = spectra.len() / bins;
        let gain = self.gain(&clean);
        if frames == 0 || !gain.is_finite() {
            return 0.0;
        }
        let judged: Vec<Frame> = spectra
            .chunks_exact(bins)
            .zip(clean.chunks_exact(bins))
            .map(|(found, clean)| self.frame(&self.powers(found, gain), &self.powers(clean, gain)))
            .collect();
        let rms = [0, 1].map(|kind| {
            let sum: f32 = judged.iter().map(|frame| frame.heard[kind].powi(2)).sum();
            (sum / frames as f32).sqrt()
        });
        for (spectrum, frame) in spectra.chunks_exact_mut(bins).zip(&judged) {
            let share = [0, 1].map(|kind| match rms[kind] {
                0.0 => 0.0,
                rms => factor * COSTS[kind] * frame.heard[kind] / (frames as f32 * rms),
            });
            spectrum[0] = Complex::default();
            spectrum[self.weights.len()..].fill(Complex::default());
            for (index, band) in self.bands.iter().enumerate() {
                let of_power = share[0] * frame.gradient[0][index] + share[1] * frame.gradient[1][index];
                for k in band.bins.clone() {
                    spectrum[k] *= 2.0 * gain * self.weights[k] * of_power;
                }
            }
        }
        let back = self.stft.analyse_transposed(&spectra);
        gradient.iter_mut().zip(back).for_each(|(sum, v)| *sum += v);
        COSTS[0] * rms[0] + COSTS[1] * rms[1]
    }

    /// What brings the power of clean speech to [`LEVEL`]; not finite where there is none.
    fn gain(&self, clean: &[Complex<f32>]) -> f32 {
        let bin = RATE as f32 / SIZE as f32;
        let heard = (350.0 / bin) as usize + 1..(3250.0 / bin) as usize + 1;
        let bins = self.stft.bins();
        let frames = (clean.len() / bins).max(1) as f32;
        let sum: f32 = clean.chunks_exact(bins).flat_map(|frame| &frame[heard.clone()]).map(|bin| bin.norm_sqr()).sum();
        let power = 2.0 * sum / (frames * SIZE as f32 * self.stft.noise_gain());
        if power > 1e-10 { LEVEL / power } else { f32::INFINITY }
    }

    /// The power of a spectrum in each band.
    fn powers(&self, spectrum: &[Complex<f32>], gain: f32) -> Vec<f32> {
        let of = |k: usize| spectrum[k].norm_sqr() * self.weights[k];
        self.bands.iter().map(|band| gain * band.bins.clone().map(of).sum::<f32>()).collect()
    }

    fn frame(&self, found: &[f32], clean: &[f32]) -> Frame {
        let (heard, wanted) = (found.iter().sum::<f32>(), clean.iter().sum::<f32>());
        // Level that changes from frame to frame counts less than colour.
        let scale = ((wanted + 5e3) / (heard + 5e3)).clamp(3e-4, 5.0);
        let of_scale = if scale > 3e-4 && scale < 5.0 { -scale / (heard + 5e3) } else { 0.0 };
        let width: f32 = self.bands.iter().map(|band| band.width).sum();
        let weight = ((wanted + 1e5) / LEVEL).powf(-0.04);
        let mut sums = [0f32; 2];
        let mut gradient = [vec![0f32; found.len()], vec![0f32; found.len()]];
        for (index, band) in self.bands.iter().enumerate() {
            let power = found[index] * scale;
            let (loud, slope) = band.loudness(power);
            let (aim, _) = band.loudness(clean[index]);
            // A quarter of the softer one masks the difference.
            let (amiss, grows) = if loud > aim {
                ((loud - 1.25 * aim).max(0.0), slope)
            } else {
                ((1.25 * loud - aim).min(0.0), 1.25 * slope)
            };
            if amiss == 0.0 {
                continue;
            }
            let ratio = ((power + 50.0) / (clean[index] + 50.0)).powf(1.2);
            let added = (1.2 * (ratio - 2.0)).clamp(0.0, 12.0);
            let of_added = if added > 0.0 && added < 12.0 { 1.44 * ratio / (power + 50.0) } else { 0.0 };
            sums[0] += (amiss * band.width).powi(2);
            sums[1] += amiss.abs() * band.width * added;
            gradient[0][index] = amiss * band.width * band.width * grows;
            gradient[1][index] = band.width * (amiss.signum() * grows * added + amiss.abs() * of_added);
        }
        let heard = [weight * (width * sums[0]).sqrt(), weight * sums[1]];
        let factors = [if heard[0] > 0.0 { weight * weight * width / heard[0] } else { 0.0 }, weight];
        for (gradient, factor) in gradient.iter_mut().zip(factors) {
            let through: f32 = gradient.iter().zip(found).map(|(g, power)| g * power).sum();
            gradient.iter_mut().for_each(|g| *g = factor * (*g * scale + through * of_scale));
        }
        Frame { heard, gradient }
    }
}

impl Band {
    /// The loudness of a power, and how fast it grows with it.
    fn loudness(&self, power: f32) -> (f32, f32) {
        if power <= self.threshold {
            return (0.0, 0.0);
        }
        let base = 0.5 + 0.5 * power / self.threshold;
        let grown = self.unit * base.powf(GROWTH);
        (grown - self.unit, GROWTH * grown / base * 0.5 / self.threshold)
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    fn voice(gain: f32) -> Vec<f32> {
        (0..24_000)
            .map(|n| gain * (1..9).map(|k| (n as f32 * 0.0196 * k as f32).sin() / k as f32).sum::<f32>())
            .collect()
    }

    fn noise(seed: u64, gain: f32) -> Vec<f32> {
        let mut rng = StdRng::seed_from_u64(seed);
        (0..24_000).map(|_| gain * rng.random_range(-1.0..1.0f32)).collect()
    }

    fn sum(a: &[f32], b: &[f32]) -> Vec<f32> {
        a.iter().zip(b).map(|(a, b)| a + b).collect()
    }

    #[test]
    fn the_gradient_is_the_measures() {
        let loudness = Loudness::default();
        let clean = sum(&voice(0.1), &noise(1, 0.01));
        for seed in [2, 3] {
            let found = sum(&sum(&voice(0.08), &noise(1, 0.004)), &noise(seed, 0.02));
            let mut gradient = vec![0f32; found.len()];
            loudness.measure(&found, &clean, 1.0, &mut gradient);
            let norm = gradient.iter().map(|g| g * g).sum::<f32>().sqrt();
            let at = |step: f32| {
                let moved: Vec<f32> = found.iter().zip(&gradient).map(|(v, g)| v + step * g / norm).collect();
                f64::from(loudness.measure(&moved, &clean, 1.0, &mut vec![0.0; found.len()]))
            };
            let step = 0.01;
            let measured = (at(step) - at(-step)) / (2.0 * f64::from(step));
            assert!((measured / f64::from(norm) - 1.0).abs() < 0.02, "{measured} {norm}");
        }
    }

    #[test]
    fn noise_added_is_worse_than_as_much_missing_and_levels_do_not_count() {
        let loudness = Loudness::default();
        let of = |found: &[f32], clean: &[f32]| loudness.measure(found, clean, 1.0, &mut vec![0.0; found.len()]);
        let (dry, wet) = (voice(0.1), sum(&voice(0.1), &noise(4, 0.05)));
        assert_eq!(of(&dry, &dry), 0.0);
        assert!(of(&wet, &dry) > 1.5 * of(&dry, &wet));
        let louder = |sound: &[f32]| -> Vec<f32> { sound.iter().map(|v| 3.0 * v).collect() };
        let (once, thrice) = (of(&wet, &dry), of(&louder(&wet), &louder(&dry)));
        assert!((once / thrice - 1.0).abs() < 1e-3);
        assert_eq!(of(&wet, &vec![0.0; wet.len()]), 0.0);
    }
}
