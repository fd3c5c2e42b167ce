//! How far cleaned speech is from clean speech, and which way is better.
//!
//! Compressed spectra (Ephrat et al. 2018; Braun and Tashev 2021, "A consolidated view of loss functions") at three
//! resolutions of the waveform: magnitudes, complex values, and once more where speech was taken away (asymmetric loss:
//! Wang et al. 2020, "VoiceFilter-Lite"), which people mind more than noise left; the waveform itself; and what is heard amiss
//! (`loudness.rs`); and, if there is a listener, how people would rate it (`listener.rs`). The gradient is written by hand: it
//! is one pass over the spectra, where a graph of operations would be thirty.

use rayon::prelude::*;
use realfft::num_complex::Complex;

use super::listener::Listener;
use super::loudness::Loudness;
use super::zones::{COMPRESSION, HOP, KEPT, Layout, WINDOW};
use crate::data::speech::Clip;
use crate::dsp::math::{power, rms};
use crate::dsp::{Stft, Window};

/// Weights of the parts.
#[derive(Clone, Copy, Debug)]
pub struct Weights {
    /// Of squared differences of magnitudes.
    pub magnitude: f32,
    /// Of squared differences of complex values.
    pub complex: f32,
    /// Of squared differences of magnitudes where too little is left, on top.
    pub lost: f32,
    /// Of absolute differences of samples.
    pub waveform: f32,
    /// Of what is heard amiss, in PESQ's units: most of the gradient comes of it.
    pub loudness: f32,
    /// Of what a listener's rating lacks of the best one.
    pub rating: f32,
}

impl Default for Weights {
    fn default() -> Self {
        Self { magnitude: 0.7, complex: 0.3, lost: 0.4, waveform: 0.3, loudness: 0.025, rating: 0.02 }
    }
}

/// Beside 1, the power of a mixture's bin on average: powers below count as silence.
const FLOOR: f32 = 1e-6;

/// The level at which a listener hears mixtures, -26 dB of full scale.
const HEARD: f32 = 0.05;

/// A listener judges clips with at least this much speech in them and this much else, shares of the mixture's size: what
/// has no speech it was not made for, and what is clean shall stay as it is.
const JUDGED: [f32; 2] = [0.25, 0.05];

/// One clip as the loss needs it.
#[derive(Clone, Debug)]
pub struct Scene {
    /// The mixture's spectra, `[T, BINS]`.
    pub spectra: Vec<Complex<f32>>,
    /// The samples to be reached, those that all spectra make whole: `(T - 1) * HOP`.
    pub clean: Vec<f32>,
    /// What a teacher made of the mixture: it is reached for in place of them, but for what is heard amiss.
    pub taught: Option<Vec<f32>>,
    /// What brings the mixture to power 1.
    pub gain: f32,
    /// The mixture's samples at the same times, if a listener is asked.
    pub judged: Option<Vec<f32>>,
}

/// Makes scenes, and measures answers.
pub struct Loss {
    /// The network's frames.
    pub stft: Stft,
    /// The network's view.
    pub layout: Layout,
    weights: Weights,
    resolutions: Vec<Resolution>,
    loudness: Loudness,
    listener: Option<Listener>,
}

/// One way to look at the waveform.
struct Resolution {
    stft: Stft,
    /// How much each bin counts; they sum to 1.
    bins: Vec<f32>,
}

impl Resolution {
    fn new(size: usize, hop: usize) -> Self {
        let stft = Stft::new(size, hop, Window::Hann);
        // As many mels a bin (O'Shaughnessy 1987, m ~ ln(1 + f / 700)): hearing is finest where bins are widest.
        let weight = |k: usize| 1.0 / (700.0 + k as f32 * 48_000.0 / size as f32);
        let sum: f32 = (0..stft.bins()).map(weight).sum();
        let bins = (0..stft.bins()).map(|k| weight(k) / sum).collect();
        Self { stft, bins }
    }
}

impl Loss {
    /// With these weights.
    pub fn new(weights: Weights) -> Self {
        let resolutions = [(480, 240), (960, 480), (1920, 960)].map(|(size, hop)| Resolution::new(size, hop));
        Self {
            stft: Stft::new(WINDOW, HOP, Window::Sine),
            layout: Layout::default(),
            weights,
            resolutions: resolutions.into(),
            loudness: Loudness::default(),
            listener: None,
        }
    }

    /// The same that asks a listener too.
    pub fn with_listener(self, listener: Listener) -> Self {
        Self { listener: Some(listener), ..self }
    }

    /// A mixture and the speech in it, samples of equal number, `(T + 1) * HOP`.
    pub fn scene(&self, clip: &Clip) -> Scene {
        let (noisy, clean) = (&clip.noisy[..], &clip.clean[..]);
        let spectra = self.stft.analyse(noisy);
        let gain = 1.0 / rms(noisy).max(1e-4);
        let rest: Vec<f32> = noisy.iter().zip(clean).map(|(noisy, clean)| noisy - clean).collect();
        let whole = |samples: &[f32]| samples[HOP..samples.len() - HOP].to_vec();
        let judged = gain * rms(clean) >= JUDGED[0] && gain * rms(&rest) >= JUDGED[1];
        let taught = clip.taught.as_deref().map(whole);
        Scene { spectra, clean: whole(clean), taught, gain, judged: judged.then(|| whole(noisy)) }
    }

    /// The samples that the network's answers (`[outputs, T, positions]` a zone) make of a scene, as long as its `clean`.
    pub fn waveform(&self, scene: &Scene, answers: [&[f32]; 3]) -> Vec<f32> {
        let samples = self.stft.synthesise(&self.layout.apply(answers, &scene.spectra));
        samples[HOP..samples.len() - HOP].to_vec()
    }

    /// The mean loss of clips and its gradient, `[clips, outputs, T, positions]` a zone, as `answers` are.
    pub fn measure(&self, scenes: &[Scene], answers: [&[f32]; 3]) -> (f32, [Vec<f32>; 3]) {
        let count = scenes.len();
        let share = |zone: usize, clip: usize| {
            let size = answers[zone].len() / count;
            &answers[zone][clip * size..][..size]
        };
        let clips: Vec<(f32, [Vec<f32>; 3])> = (0..count)
            .into_par_iter()
            .map(|clip| self.one(&scenes[clip], [share(0, clip), share(1, clip), share(2, clip)]))
            .collect();
        let loss = clips.iter().map(|(loss, _)| loss).sum::<f32>() / count as f32;
        let gather = |zone: usize| {
            clips.iter().flat_map(|(_, gradient)| gradient[zone].iter().map(|g| g / count as f32)).collect()
        };
        (loss, [gather(0), gather(1), gather(2)])
    }

    fn one(&self, scene: &Scene, answers: [&[f32]; 3]) -> (f32, [Vec<f32>; 3]) {
        let samples = self.stft.synthesise(&self.layout.apply(answers, &scene.spectra));
        let whole = HOP..samples.len() - HOP;
        let mut gradient = vec![0f32; samples.len()];
        let found = &samples[whole.clone()];
        let target = scene.taught.as_ref().unwrap_or(&scene.clean);
        let mut loss = self.waveforms(found, target, scene.gain, &mut gradient[whole.clone()]);
        loss += self.heard(found, &scene.clean, &mut gradient[whole.clone()]);
        if let (Some(listener), Some(noisy)) = (&self.listener, &scene.judged) {
            // It hears what is published, with a little of the mixture: what is far below that is nothing to it.
            let published = samples[whole.clone()].iter().zip(noisy).map(|(v, noisy)| v * (1.0 - KEPT) + noisy * KEPT);
            let (published, weight) = (published.collect::<Vec<f32>>(), self.weights.rating);
            let (gain, factor) = (HEARD * scene.gain, weight * (1.0 - KEPT));
            loss += weight * listener.measure(&published, gain, factor, &mut gradient[whole]);
        }
        let of_spectra = self.stft.synthesise_transposed(&gradient);
        (loss, self.layout.apply_transposed(answers, &scene.spectra, &of_spectra))
    }

    /// The loss of what is heard amiss of `found` where `clean` is wanted; adds its gradient to `gradient`.
    fn heard(&self, found: &[f32], clean: &[f32], gradient: &mut [f32]) -> f32 {
        let weight = self.weights.loudness;
        weight * self.loudness.measure(found, clean, weight, gradient)
    }

    /// The loss of `found` by its samples and spectra where `clean` is wanted; adds its gradient to `gradient`.
    pub fn waveforms(&self, found: &[f32], clean: &[f32], gain: f32, gradient: &mut [f32]) -> f32 {
        let step = self.weights.waveform * gain / found.len() as f32;
        let mut loss = 0.0;
        for ((found, clean), gradient) in found.iter().zip(clean).zip(gradient.iter_mut()) {
            let error = found - clean;
            loss += step * error.abs();
            *gradient += step * if error == 0.0 { 0.0 } else { error.signum() };
        }
        for resolution in &self.resolutions {
            loss += self.spectra(resolution, found, clean, gain, gradient) / self.resolutions.len() as f32;
        }
        loss
    }

    fn spectra(&self, at: &Resolution, found: &[f32], clean: &[f32], gain: f32, gradient: &mut [f32]) -> f32 {
        let scale = gain / at.stft.noise_gain().sqrt();
        let mut found = at.stft.analyse(found);
        let clean = at.stft.analyse(clean);
        let bins = at.stft.bins();
        let share = 1.0 / (found.len() / bins).max(1) as f32;
        let factor = scale * share / self.resolutions.len() as f32;
        let weights = self.weights;
        let mut loss = 0.0;
        for (found, clean) in found.chunks_exact_mut(bins).zip(clean.chunks_exact(bins)) {
            loss += latentd_conv::vectorise!(frame(weights, &at.bins, scale, factor, found, clean));
        }
        let back = at.stft.analyse_transposed(&found);
        gradient.iter_mut().zip(back).for_each(|(sum, v)| *sum += v);
        loss * share
    }
}

/// The loss of one frame, times its bins' weights; `found` becomes its gradient, times `factor`.
#[inline(always)]
fn frame(
    weights: Weights,
    bins: &[f32],
    scale: f32,
    factor: f32,
    found: &mut [Complex<f32>],
    clean: &[Complex<f32>],
) -> f32 {
    const C: f32 = COMPRESSION;
    let mut loss = 0.0;
    for ((found, clean), weight) in found.iter_mut().zip(clean).zip(bins) {
        let (x, y) = (found.re * scale, found.im * scale);
        let (u, v) = (clean.re * scale, clean.im * scale);
        let (p, q) = (x * x + y * y + FLOOR, u * u + v * v + FLOOR);
        let (a, b) = (power(p, 0.5 * (C - 1.0)), power(q, 0.5 * (C - 1.0)));
        let (m, n) = (a * p.sqrt(), b * q.sqrt());
        let (dx, dy) = (x * a - u * b, y * a - v * b);
        let difference = m - n;
        let lost = difference.min(0.0);
        loss += weight
            * (weights.magnitude * difference * difference
                + weights.lost * lost * lost
                + weights.complex * (dx * dx + dy * dy));
        // d m / d x = C x m / p; d (x a) / d x = a + (C - 1) x^2 a / p.
        let of_m = 2.0 * (weights.magnitude * difference + weights.lost * lost) * C * m / p;
        let of_a = 2.0 * weights.complex * a;
        let along = (C - 1.0) * (dx * x + dy * y) / p;
        let gradient = weight * factor;
        found.re = gradient * (of_m * x + of_a * (dx + along * x));
        found.im = gradient * (of_m * y + of_a * (dy + along * y));
    }
    loss
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::super::zones::ZONES;
    use super::*;

    /// The gradient written by hand against differences of the loss itself.
    #[test]
    fn the_gradient_is_the_losss() {
        let mut rng = StdRng::seed_from_u64(5);
        let frames = 12;
        let samples = (frames + 1) * HOP;
        let mut noise =
            |gain: f32| -> Vec<f32> { (0..samples).map(|_| gain * rng.random_range(-1.0..1.0f32)).collect() };
        let clean = noise(0.1);
        let noisy: Vec<f32> = noise(0.1).iter().zip(&clean).map(|(n, c)| n + c).collect();
        let loss = Loss::new(Weights::default());
        let scene = [loss.scene(&Clip { noisy, clean, taught: None })];
        let answers = ZONES.map(|zone| -> Vec<f32> {
            (0..zone.outputs() * frames * zone.positions).map(|_| rng.random_range(-1.0..1.2f32)).collect()
        });
        let of = |answers: &[Vec<f32>; 3]| loss.measure(&scene, [&answers[0], &answers[1], &answers[2]]);
        let (_, gradient) = of(&answers);
        for zone in 0..3 {
            // Along a direction in which all values are told to raise the loss, since single ones are lost in rounding.
            let direction: Vec<f32> =
                gradient[zone].iter().map(|g| g.signum() * rng.random_range(0.0..1.0f32)).collect();
            let moved = |step: f32| {
                let mut moved = answers.clone();
                moved[zone].iter_mut().zip(&direction).for_each(|(v, d)| *v += step * d);
                f64::from(of(&moved).0)
            };
            let step = 2e-4f32;
            let measured = (moved(step) - moved(-step)) / (2.0 * f64::from(step));
            let told: f64 = gradient[zone].iter().zip(&direction).map(|(g, d)| f64::from(g * d)).sum();
            assert!((measured - told).abs() < 0.01 * measured.abs(), "zone {zone}: {measured} {told}");
        }
    }

    #[test]
    fn clean_speech_costs_nothing_and_lost_speech_more_than_noise_left() {
        // Without the waveform's part, which knows only how far and not which way.
        let loss = Loss::new(Weights { waveform: 0.0, ..Weights::default() });
        let clean: Vec<f32> = (0..9600).map(|n| 0.1 * (n as f32 * 0.05).sin()).collect();
        let of = |found: &[f32]| loss.waveforms(found, &clean, 10.0, &mut vec![0.0; found.len()]);
        assert!(of(&clean) < 1e-9);
        // As far off either way by what is compared, the magnitude to the power of the compression.
        let scaled = |compressed: f32| -> Vec<f32> {
            let gain = compressed.powf(1.0 / COMPRESSION);
            clean.iter().map(|v| v * gain).collect()
        };
        assert!(of(&scaled(0.8)) > 1.3 * of(&scaled(1.2)));
    }
}
