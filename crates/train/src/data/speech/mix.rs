use std::sync::Arc;

use rand::RngExt;
use rand::rngs::StdRng;
use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use super::colour::{self, Curve};
use super::excerpt::excerpt;
use super::room::Room;
use super::{Corpus, Material, RATE, noise};
use crate::dsp::math::{from_db, rms};

/// Samples made before a clip and thrown away: filters and rooms wrap around into them.
pub const PREROLL: usize = RATE as usize * 3 / 4;

/// A mixture and what is to come out of it.
#[derive(Clone, Debug)]
pub struct Clip {
    /// What the microphone hears, -1..1.
    pub noisy: Vec<f32>,
    /// The speech in it.
    pub clean: Vec<f32>,
    /// What another denoiser made of the mixture, if it is to be learnt from.
    pub taught: Option<Vec<f32>>,
}

/// Makes mixtures of one length: speech, alone or of two, in a room or not, at any level, through any microphone, with
/// noise at -5..20 dB; sometimes no noise, sometimes no speech.
pub struct Mixer {
    samples: usize,
    size: usize,
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
}

/// Ratios of speech to noise in dB that mixtures are made at.
const RATIOS: std::ops::Range<f64> = -5.0..20.0;

impl Mixer {
    /// A maker of clips of this many samples.
    pub fn new(samples: usize) -> Self {
        let size = (samples + PREROLL).next_multiple_of(1 << 12);
        let mut planner = RealFftPlanner::new();
        Self { samples, size, forward: planner.plan_fft_forward(size), inverse: planner.plan_fft_inverse(size) }
    }

    /// Samples of a clip.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// A clip of random everything.
    pub fn draw(&self, rng: &mut StdRng, corpus: &Corpus) -> Clip {
        let speechless = rng.random_bool(0.06);
        let noiseless = !speechless && rng.random_bool(0.05);
        let (voice, bandwidth) = self.voice(rng, &corpus.speech);
        let voice = self.transform(voice);
        let mut curve = colour::flat(voice.len());
        if rng.random_bool(0.6) {
            colour::equalise(rng, &mut curve, 8.0);
        }
        if rng.random_bool(0.3) {
            let hertz = rng.random_range(40.0..200.0);
            colour::high_pass(&mut curve, hertz);
        }
        // The microphone's or the call's upper edge limits voice and noise alike; half of the recordings have one.
        let limit = if f64::from(bandwidth) < 9000.0 && rng.random_bool(0.65) {
            Some(8000.0)
        } else {
            rng.random_bool(0.15).then(|| rng.random_range(3400.0..18_000.0))
        };
        let room = rng.random_bool(0.35).then(|| Room::draw(rng));
        let (mut noisy, mut clean) = self.through(voice, curve, limit, room.as_ref());
        let level = from_db(rng.random_range(-42.0..-14.0));
        let gain = if speechless { 0.0 } else { level / loudness(&clean).max(1e-5) };
        scale(&mut noisy, gain);
        scale(&mut clean, gain);
        if !noiseless {
            self.add_noise(rng, corpus, limit, level, &mut noisy);
        }
        // No converter goes beyond full scale; what would, is all turned down.
        let peak = noisy.iter().chain(&clean).fold(1f32, |most, v| most.max(v.abs()));
        scale(&mut noisy, 1.0 / peak);
        scale(&mut clean, 1.0 / peak);
        Clip { noisy, clean, taught: None }
    }

    /// Adds one noise or two to speech of `level`; now and then the sum is clipped.
    fn add_noise(&self, rng: &mut StdRng, corpus: &Corpus, limit: Option<f64>, level: f32, speech: &mut [f32]) {
        let mut hiss = self.noise(rng, corpus, limit);
        if rng.random_bool(0.3) {
            let more = self.noise(rng, corpus, limit);
            let share = from_db(rng.random_range(-12.0..6.0));
            hiss.iter_mut().zip(more).for_each(|(sum, v)| *sum += share * v);
        }
        let loud = level / rms(&hiss).max(1e-6) / from_db(rng.random_range(RATIOS));
        speech.iter_mut().zip(hiss).for_each(|(sum, noise)| *sum += loud * noise);
        if rng.random_bool(0.05) {
            let edge = speech.iter().fold(0f32, |most, v| most.max(v.abs())) * rng.random_range(0.2..0.9);
            speech.iter_mut().for_each(|v| *v = v.clamp(-edge, edge));
        }
    }

    /// A clip to score by: one speaker as recorded, one recorded noise at 0..15 dB.
    pub fn draw_scored(&self, rng: &mut StdRng, corpus: &Corpus) -> Clip {
        let clip = |samples: Vec<f32>| samples[self.size - self.samples..].to_vec();
        let mut clean = clip(excerpt(rng, &corpus.speech, 100..101, self.size).0);
        let noise = clip(excerpt(rng, &corpus.noise, 100..101, self.size).0);
        let level = from_db(-26.0);
        let gain = level / loudness(&clean).max(1e-5);
        scale(&mut clean, gain);
        let loud = level / rms(&noise).max(1e-6) / from_db(rng.random_range(0.0..15.0));
        Clip { noisy: clean.iter().zip(noise).map(|(c, n)| c + loud * n).collect(), clean, taught: None }
    }

    /// One speaker, now and then two at once; and how far up the voice reaches.
    fn voice(&self, rng: &mut StdRng, speech: &Material) -> (Vec<f32>, f32) {
        let (mut voice, bandwidth) = excerpt(rng, speech, 85..118, self.size);
        if rng.random_bool(0.07) {
            let (second, other) = excerpt(rng, speech, 85..118, self.size);
            let share = from_db(rng.random_range(-10.0..3.0)) * loudness(&voice) / loudness(&second).max(1e-5);
            voice.iter_mut().zip(second).for_each(|(sum, v)| *sum += share * v);
            return (voice, bandwidth.max(other));
        }
        (voice, bandwidth)
    }

    /// Noise of power 1 through some microphone.
    fn noise(&self, rng: &mut StdRng, corpus: &Corpus, limit: Option<f64>) -> Vec<f32> {
        let mut curve = colour::flat(self.size / 2 + 1);
        let mut room = None;
        let mut samples = match rng.random_range(0..100) {
            0..62 => {
                // There are few recordings: what is much slower, much faster or backwards is another noise, as speech
                // would not be.
                let mut samples = excerpt(rng, &corpus.noise, 50..180, self.size).0;
                if rng.random_bool(0.2) {
                    samples.reverse();
                }
                samples
            }
            62..72 => {
                let slope = rng.random_range(-1.0..9.0);
                colour::tilt(&mut curve, slope);
                noise::white(rng, self.size)
            }
            72..76 => noise::hum(rng, self.size),
            76..82 => noise::music(rng, self.size),
            _ => {
                room = rng.random_bool(0.6).then(|| Room::draw(rng));
                self.babble(rng, &corpus.speech)
            }
        };
        if rng.random_bool(0.25) {
            swell(rng, &mut samples);
        }
        // Rooms, vehicles and streets rumble; recordings made to be listened to were rid of it.
        if rng.random_bool(0.4) {
            let slope = rng.random_range(0.0..6.0);
            colour::tilt(&mut curve, slope);
        }
        if rng.random_bool(0.6) {
            colour::equalise(rng, &mut curve, 10.0);
        }
        let (mut noise, _) = self.through(self.transform(samples), curve, limit, room.as_ref());
        let power = rms(&noise).max(1e-6);
        scale(&mut noise, 1.0 / power);
        noise
    }

    /// Several people at a distance.
    fn babble(&self, rng: &mut StdRng, speech: &Material) -> Vec<f32> {
        let mut sum = vec![0f32; self.size];
        for _ in 0..rng.random_range(3..10) {
            let (voice, _) = excerpt(rng, speech, 80..125, self.size);
            let gain = from_db(rng.random_range(-8.0..0.0)) / loudness(&voice).max(1e-4);
            sum.iter_mut().zip(voice).for_each(|(sum, v)| *sum += gain * v);
        }
        sum
    }

    fn transform(&self, mut samples: Vec<f32>) -> Vec<Complex<f32>> {
        let mut spectrum = self.forward.make_output_vec();
        let done = self.forward.process(&mut samples, &mut spectrum);
        debug_assert!(done.is_ok(), "buffers are of the transform's own sizes");
        spectrum
    }

    /// A sound through `curve` and `room`: what is heard, and what is to be kept of it.
    fn through(
        &self,
        mut spectrum: Vec<Complex<f32>>,
        mut curve: Curve,
        limit: Option<f64>,
        room: Option<&Room>,
    ) -> (Vec<f32>, Vec<f32>) {
        if let Some(hertz) = limit {
            colour::low_pass(&mut curve, hertz);
        }
        spectrum.iter_mut().zip(&curve).for_each(|(bin, gain)| *bin *= gain);
        let Some(room) = room else {
            let samples = self.back(spectrum);
            return (samples.clone(), samples);
        };
        let [heard, kept] = [&room.heard, &room.kept].map(|response| {
            let mut padded = vec![0f32; self.size];
            padded[..response.len()].copy_from_slice(response);
            self.back(self.transform(padded).iter().zip(&spectrum).map(|(a, b)| a * b).collect())
        });
        (heard, kept)
    }

    /// The samples of a spectrum without the preroll.
    fn back(&self, mut spectrum: Vec<Complex<f32>>) -> Vec<f32> {
        let last = spectrum.len() - 1;
        (spectrum[0].im, spectrum[last].im) = (0.0, 0.0);
        let mut samples = self.inverse.make_output_vec();
        let done = self.inverse.process(&mut spectrum, &mut samples);
        debug_assert!(done.is_ok(), "buffers are of the transform's own sizes");
        let gain = 1.0 / self.size as f32;
        let from = self.size - self.samples;
        samples[from..].iter().map(|v| v * gain).collect()
    }
}

/// Makes a sound come and go.
fn swell(rng: &mut StdRng, samples: &mut [f32]) {
    let step = (rng.random_range(0.1..1.2) * f64::from(RATE)) as usize;
    let gains: Vec<f32> = (0..samples.len() / step + 2).map(|_| from_db(rng.random_range(-25.0..3.0))).collect();
    for (n, sample) in samples.iter_mut().enumerate() {
        let (index, part) = (n / step, (n % step) as f32 / step as f32);
        *sample *= gains[index] + (gains[index + 1] - gains[index]) * part;
    }
}

/// The level of speech without its pauses: the root of the mean power of the louder half of its 20 ms frames.
fn loudness(samples: &[f32]) -> f32 {
    let mut frames: Vec<f32> = samples.chunks(960).map(|frame| rms(frame).powi(2)).collect();
    frames.sort_by(|a, b| b.total_cmp(a));
    let half = &frames[..frames.len().div_ceil(2)];
    (half.iter().sum::<f32>() / half.len().max(1) as f32).sqrt()
}

fn scale(samples: &mut [f32], gain: f32) {
    samples.iter_mut().for_each(|v| *v *= gain);
}
