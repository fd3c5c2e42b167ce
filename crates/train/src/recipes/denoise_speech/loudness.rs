//! How differently loud two sounds are in each critical band, as PESQ sees it (ITU-T P.862 and P.862.2), in a form that can
//! be trained by (Martín-Doñas et al. 2018, "A deep learning loss function based on the perceptual evaluation of the speech
//! quality"): no alignment, no equalisation, one mean over time.

use std::ops::Range;

use realfft::num_complex::Complex;

use crate::data::speech::RATE;
use crate::dsp::math::{power, rms};
use crate::dsp::{Stft, Window};

/// Samples of a frame, 32 ms.
const SIZE: usize = 1536;

/// Width of a band in Bark.
const WIDTH: f64 = 0.5;

/// Where bands end, in Hz: wide-band PESQ hears no higher.
const EDGE: f64 = 8000.0;

/// The level at which speech is listened to, as PESQ scales it: its power beside that of the threshold of hearing near 1 kHz.
const LEVEL: f32 = 3.2e6;

/// The exponent of loudness (Zwicker and Feldtkeller 1967) and the factor that makes sones of it.
const EXPONENT: f32 = 0.23;
const SONES: f32 = 0.187;

/// The share of the quieter loudness below which a difference is not heard.
const MASKED: f32 = 0.25;

/// How much more what was added is minded than what is missing.
const ADDED: f32 = 2.5;

/// The quietest that speech is taken to be beside the mixture: where there is none, what is left of the noise is judged by it.
const QUIETEST: f32 = 0.1;

/// Bins that are heard as one.
struct Band {
    bins: Range<usize>,
    /// The power that can just be heard.
    threshold: f32,
    /// `SONES (2 threshold)^EXPONENT`
    factor: f32,
}

/// Compares loudnesses.
pub struct Loudness {
    stft: Stft,
    bands: Vec<Band>,
}

impl Loudness {
    /// For sound at [`RATE`].
    pub fn new() -> Self {
        let stft = Stft::new(SIZE, SIZE / 2, Window::Hann);
        let hertz = |bin: usize| bin as f64 * f64::from(RATE) / SIZE as f64;
        // The first bin is the mean, which is not heard.
        let heard: Vec<usize> = (1..stft.bins()).take_while(|&bin| hertz(bin) < EDGE).collect();
        let band = |bins: &[usize]| {
            let threshold = threshold(hertz(bins[0] + bins[bins.len() - 1]) / 2.0);
            let factor = SONES * (2.0 * threshold).powf(EXPONENT);
            Band { bins: bins[0]..bins[bins.len() - 1] + 1, threshold, factor }
        };
        let place = |bin: &usize| (bark(hertz(*bin)) / WIDTH) as usize;
        let bands = heard.chunk_by(|a, b| place(a) == place(b)).map(band).collect();
        Self { stft, bands }
    }

    /// The mean over time and bands of squared differences that are heard, where `found` is heard and `clean` wanted; adds
    /// `weight` times its gradient to `gradient`. `gain` brings the mixture to power 1.
    pub fn measure(&self, found: &[f32], clean: &[f32], gain: f32, weight: f32, gradient: &mut [f32]) -> f32 {
        let quiet = QUIETEST / gain;
        let scale = LEVEL / rms(clean).max(quiet).powi(2) * 2.0 / (SIZE as f32 * self.stft.noise_gain());
        let mut found = self.stft.analyse(found);
        let clean = self.stft.analyse(clean);
        let bins = self.stft.bins();
        let share = 1.0 / (found.len() / bins * self.bands.len()).max(1) as f32;
        let mut loss = 0.0;
        for (found, clean) in found.chunks_exact_mut(bins).zip(clean.chunks_exact(bins)) {
            for band in &self.bands {
                let power = |bins: &[Complex<f32>]| scale * bins.iter().map(Complex::norm_sqr).sum::<f32>();
                let (value, slope) = band.compare(power(&found[band.bins.clone()]), power(&clean[band.bins.clone()]));
                loss += share * value;
                let factor = 2.0 * scale * share * weight * slope;
                found[band.bins.clone()].iter_mut().for_each(|bin| *bin *= factor);
            }
            found[0] = Complex::default();
            let last = self.bands.last().map_or(0, |band| band.bins.end);
            found[last..].fill(Complex::default());
        }
        let back = self.stft.analyse_transposed(&found);
        gradient.iter_mut().zip(back).for_each(|(sum, v)| *sum += v);
        loss
    }
}

impl Band {
    /// The squared difference that is heard between two powers, and its derivative by the first.
    fn compare(&self, found: f32, clean: f32) -> (f32, f32) {
        let loudness = |x: f32| self.factor * (power(0.5 + 0.5 * x, EXPONENT) - 1.0).max(0.0);
        let x = found / self.threshold;
        let (l, wanted) = (loudness(x), loudness(clean / self.threshold));
        let (heard, slope, minded) = if l > wanted {
            ((l - wanted * (1.0 + MASKED)).max(0.0), 1.0, ADDED)
        } else {
            ((l * (1.0 + MASKED) - wanted).min(0.0), 1.0 + MASKED, 1.0)
        };
        // Quieter than the threshold, a sound is not heard, however it changes.
        let by_power = if l > 0.0 {
            self.factor * EXPONENT * 0.5 * power(0.5 + 0.5 * x, EXPONENT - 1.0) / self.threshold
        } else {
            0.0
        };
        (minded * heard * heard, 2.0 * minded * heard * slope * by_power)
    }
}

/// The critical-band rate of a frequency (Zwicker and Terhardt 1980).
fn bark(hertz: f64) -> f64 {
    13.0 * (0.000_76 * hertz).atan() + 3.5 * (hertz / 7500.0).powi(2).atan()
}

/// The power that can just be heard (Terhardt 1979), 1 at 0 dB.
fn threshold(hertz: f64) -> f32 {
    let khz = hertz / 1000.0;
    let db = 3.64 * khz.powf(-0.8) - 6.5 * (-0.6 * (khz - 3.3).powi(2)).exp() + 1e-3 * khz.powi(4);
    10f64.powf(db / 10.0) as f32
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    fn noise(rng: &mut StdRng, gain: f32) -> Vec<f32> {
        (0..9600).map(|_| gain * rng.random_range(-1.0..1.0f32)).collect()
    }

    #[test]
    fn the_gradient_is_the_measures() {
        let mut rng = StdRng::seed_from_u64(3);
        let loudness = Loudness::new();
        let (found, clean) = (noise(&mut rng, 0.1), noise(&mut rng, 0.05));
        let of = |found: &[f32], gradient: &mut [f32]| f64::from(loudness.measure(found, &clean, 10.0, 1.0, gradient));
        let mut gradient = vec![0.0; found.len()];
        assert!(of(&found, &mut gradient) > 0.0);
        // Louder, here more and there less: along a direction of nothing but chance the change would be lost in rounding.
        let direction: Vec<f32> = found.iter().map(|v| v * rng.random_range(0.0..2.0f32)).collect();
        let moved = |step: f32| {
            let moved: Vec<f32> = found.iter().zip(&direction).map(|(v, d)| v + step * d).collect();
            of(&moved, &mut vec![0.0; found.len()])
        };
        let step = 2e-3;
        let measured = (moved(step) - moved(-step)) / (2.0 * f64::from(step));
        let told: f64 = gradient.iter().zip(&direction).map(|(g, d)| f64::from(g * d)).sum();
        assert!((measured - told).abs() < 0.03 * measured.abs(), "{measured} {told}");
    }

    #[test]
    fn what_is_masked_is_not_heard_and_noise_in_silence_is() {
        let mut rng = StdRng::seed_from_u64(4);
        let loudness = Loudness::new();
        let of = |found: &[f32], clean: &[f32]| loudness.measure(found, clean, 10.0, 1.0, &mut vec![0.0; found.len()]);
        let clean = noise(&mut rng, 0.1);
        let scaled = |gain: f32| clean.iter().map(|v| v * gain).collect::<Vec<_>>();
        assert_eq!(of(&scaled(1.1), &clean), 0.0);
        assert!(of(&scaled(4.0), &clean) > of(&scaled(0.25), &clean));
        assert!(of(&noise(&mut rng, 0.01), &vec![0.0; clean.len()]) > 0.01);
    }

    #[test]
    fn bands_cover_what_is_heard_once() {
        let bands = Loudness::new().bands;
        assert!(bands.windows(2).all(|pair| pair[0].bins.end == pair[1].bins.start));
        assert_eq!((bands[0].bins.start, bands.last().map(|band| band.bins.end)), (1, Some(256)));
        assert!((38..46).contains(&bands.len()), "{}", bands.len());
    }
}
