//! The short-time Fourier transform of one channel, frame by frame: weighted overlap-add as in Crochiere, "A weighted overlap-add method of
//! short-time Fourier analysis/synthesis", 1980.

use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use crate::error::{Error, Kind, Result};

/// The weights of a frame. All are periodic, N is the window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Taper {
    /// sin(pi (n + 1/2) / N), the root of a Hann window shifted by half a sample.
    #[default]
    Sine,
    /// sin(pi n / N), the root of the Hann window.
    SqrtHann,
    /// 1/2 - 1/2 cos(2 pi n / N).
    Hann,
    /// 0.54 - 0.46 cos(2 pi n / N).
    Hamming,
    /// sin(pi/2 sin^2(pi (n + 1/2) / N)), as in Vorbis.
    Vorbis,
    /// 1 everywhere.
    Rectangular,
}

impl Taper {
    /// The weight of sample `n` of a window of `window` samples.
    pub fn weight(self, n: usize, window: usize) -> f32 {
        use std::f64::consts::PI;
        let (n, window) = (n as f64, window as f64);
        let value = match self {
            Taper::Sine => (PI * (n + 0.5) / window).sin(),
            Taper::SqrtHann => (PI * n / window).sin(),
            Taper::Hann => 0.5 - 0.5 * (2.0 * PI * n / window).cos(),
            Taper::Hamming => 0.54 - 0.46 * (2.0 * PI * n / window).cos(),
            Taper::Vorbis => (PI / 2.0 * (PI * (n + 0.5) / window).sin().powi(2)).sin(),
            Taper::Rectangular => 1.0,
        };
        value as f32
    }
}

/// How overlapping frames become samples again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Overlap {
    /// Divided by the sum of the weights, so that an unchanged spectrum gives the unchanged sound.
    #[default]
    Average,
    /// Added as they are, for networks that learned to share a sample among their frames.
    Sum,
}

/// One channel on its way into frames and back. A frame of `window` samples is taken every `hop` samples; the first is all silence but for its
/// last `hop`. What comes back lags `window - hop` samples behind.
pub struct Spectrum {
    hop: usize,
    analysis: Vec<f32>,
    synthesis: Vec<f32>,
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
    /// The last `window` samples.
    history: Vec<f32>,
    /// The frame being worked on.
    pub frame: Vec<f32>,
    /// Its spectrum, `window / 2 + 1` bins: the plain sum, without a factor.
    pub bins: Vec<Complex<f32>>,
    overlap: Vec<f32>,
    scratch: Vec<Complex<f32>>,
}

impl Spectrum {
    /// Frames of `window` samples every `hop`, weighted by the two tapers.
    ///
    /// # Errors
    /// Kind model: the frames do not cover every sample.
    pub fn new(window: usize, hop: usize, tapers: (Taper, Taper), overlap: Overlap) -> Result<Spectrum> {
        let analysis: Vec<f32> = (0..window).map(|n| tapers.0.weight(n, window)).collect();
        let mut synthesis: Vec<f32> = (0..window).map(|n| tapers.1.weight(n, window)).collect();
        if overlap == Overlap::Average {
            for phase in 0..hop {
                let sum: f32 = (phase..window).step_by(hop).map(|n| analysis[n] * synthesis[n]).sum();
                if sum < 1e-3 {
                    return Err(Error::new(Kind::Model, "the card's window, hop and taper leave samples out")
                        .mend("write a hop of at most half the window, or the taper `rectangular`"));
                }
                (phase..window).step_by(hop).for_each(|n| synthesis[n] /= sum);
            }
        }
        let mut planner = RealFftPlanner::new();
        let (forward, inverse) = (planner.plan_fft_forward(window), planner.plan_fft_inverse(window));
        let scratch = forward.get_scratch_len().max(inverse.get_scratch_len());
        Ok(Spectrum {
            hop,
            bins: forward.make_output_vec(),
            scratch: vec![Complex::default(); scratch],
            history: vec![0.0; window],
            frame: vec![0.0; window],
            overlap: vec![0.0; window],
            analysis,
            synthesis,
            forward,
            inverse,
        })
    }

    /// Takes the next `hop` samples and makes the frame that ends with them.
    pub fn push(&mut self, samples: &[f32]) {
        let kept = self.history.len() - self.hop;
        self.history.copy_within(self.hop.., 0);
        self.history[kept..].copy_from_slice(samples);
        for ((frame, sample), weight) in self.frame.iter_mut().zip(&self.history).zip(&self.analysis) {
            *frame = sample * weight;
        }
    }

    /// The spectrum of the frame, which is used up by it.
    ///
    /// # Errors
    /// Kind bug: the transform refuses lengths that it asked for.
    pub fn transform(&mut self) -> Result<()> {
        let done = self.forward.process_with_scratch(&mut self.frame, &mut self.bins, &mut self.scratch);
        done.map_err(|e| Error::new(Kind::Bug, "the Fourier transform failed").because(e))
    }

    /// The frame of the spectrum, which is used up by it.
    ///
    /// # Errors
    /// Kind bug: the transform refuses lengths that it asked for.
    pub fn transform_back(&mut self) -> Result<()> {
        // A real sound has none there, and the transform insists on it.
        self.bins[0].im = 0.0;
        if self.frame.len().is_multiple_of(2)
            && let Some(last) = self.bins.last_mut()
        {
            last.im = 0.0;
        }
        let done = self.inverse.process_with_scratch(&mut self.bins, &mut self.frame, &mut self.scratch);
        done.map_err(|e| Error::new(Kind::Bug, "the Fourier transform failed").because(e))?;
        let scale = 1.0 / self.frame.len() as f32;
        self.frame.iter_mut().for_each(|v| *v *= scale);
        Ok(())
    }

    /// Adds the frame to those before it, and puts the `hop` samples that are finished by it at the end of `out`.
    pub fn pop(&mut self, out: &mut Vec<f32>) {
        for ((sum, value), weight) in self.overlap.iter_mut().zip(&self.frame).zip(&self.synthesis) {
            *sum += value * weight;
        }
        out.extend_from_slice(&self.overlap[..self.hop]);
        self.overlap.copy_within(self.hop.., 0);
        let kept = self.overlap.len() - self.hop;
        self.overlap[kept..].fill(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unchanged_spectrum_gives_the_sound_back_in_time() {
        for (window, hop, taper) in [
            (960, 480, Taper::Sine),
            (512, 256, Taper::SqrtHann),
            (512, 128, Taper::Hann),
            (400, 100, Taper::Hamming),
            (256, 128, Taper::Vorbis),
            (480, 480, Taper::Rectangular),
        ] {
            let mut spectrum = Spectrum::new(window, hop, (taper, taper), Overlap::Average).unwrap();
            let sound: Vec<f32> = (0..hop * 40).map(|n| (n as f32 * 0.37).sin() * (n as f32 * 0.011).cos()).collect();
            let mut back = Vec::new();
            for samples in sound.chunks(hop) {
                spectrum.push(samples);
                spectrum.transform().unwrap();
                spectrum.transform_back().unwrap();
                spectrum.pop(&mut back);
            }
            for (a, b) in sound.iter().zip(&back[window - hop..]) {
                assert!((a - b).abs() < 1e-5, "{taper:?} {window}/{hop}: {a} became {b}");
            }
        }
    }

    #[test]
    fn frames_that_leave_samples_out_are_refused() {
        assert!(Spectrum::new(512, 512, (Taper::SqrtHann, Taper::SqrtHann), Overlap::Average).is_err());
    }
}
