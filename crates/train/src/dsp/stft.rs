use std::f64::consts::PI;
use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

/// What frames are multiplied by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// `sin(pi (n + 1/2) / N)`: its square and the square of itself half a window later sum to 1.
    Sine,
    /// `sin^2(pi (n + 1/2) / N)`
    Hann,
}

/// The short-time Fourier transform, its inverse by overlap-add, and the transposes of both, which carry gradients.
///
/// Spectra are unnormalised: bin `k` of a frame is `sum_n w[n] x[n] exp(-2 pi i k n / N)`, `k = 0..=N/2`.
pub struct Stft {
    size: usize,
    hop: usize,
    window: Vec<f32>,
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
}

impl Stft {
    /// Frames of `size` samples (even), `hop` apart.
    pub fn new(size: usize, hop: usize, window: Window) -> Self {
        let mut planner = RealFftPlanner::new();
        let at = |n: usize| {
            let sine = (PI * (n as f64 + 0.5) / size as f64).sin();
            (if window == Window::Sine { sine } else { sine * sine }) as f32
        };
        Self {
            size,
            hop,
            window: (0..size).map(at).collect(),
            forward: planner.plan_fft_forward(size),
            inverse: planner.plan_fft_inverse(size),
        }
    }

    /// Bins of a frame.
    pub fn bins(&self) -> usize {
        self.size / 2 + 1
    }

    /// Whole frames in this many samples.
    pub fn frames(&self, samples: usize) -> usize {
        if samples < self.size { 0 } else { (samples - self.size) / self.hop + 1 }
    }

    /// Samples that this many frames reach over.
    pub fn samples(&self, frames: usize) -> usize {
        if frames == 0 { 0 } else { (frames - 1) * self.hop + self.size }
    }

    /// The sum of the window's squares: the power of white noise of power 1 in a bin.
    pub fn noise_gain(&self) -> f32 {
        self.window.iter().map(|w| w * w).sum()
    }

    /// The spectra of all whole frames of `samples`, `[frames, bins]`.
    pub fn analyse(&self, samples: &[f32]) -> Vec<Complex<f32>> {
        self.transform(samples, |_, bin| bin)
    }

    /// The samples whose spectra are `spectra` `[frames, bins]` by overlap-add with the window, for a [`Window::Sine`] with a
    /// hop of half its size. The first and the last half window are not whole.
    pub fn synthesise(&self, spectra: &[Complex<f32>]) -> Vec<f32> {
        let gain = 1.0 / self.size as f32;
        self.overlap_add(spectra, |_, bin| bin * gain)
    }

    /// The gradient of samples from that of their spectra (real and imaginary part each).
    pub fn analyse_transposed(&self, gradient: &[Complex<f32>]) -> Vec<f32> {
        // The inverse transform counts every bin between the first and the last twice.
        let last = self.bins() - 1;
        self.overlap_add(gradient, |k, bin| if k == 0 || k == last { bin } else { bin * 0.5 })
    }

    /// The gradient of spectra from that of the samples that [`synthesise`](Self::synthesise) makes of them.
    pub fn synthesise_transposed(&self, gradient: &[f32]) -> Vec<Complex<f32>> {
        let gain = 1.0 / self.size as f32;
        let last = self.bins() - 1;
        self.transform(gradient, |k, bin| match k {
            0 => Complex::new(bin.re * gain, 0.0),
            k if k == last => Complex::new(bin.re * gain, 0.0),
            _ => bin * (2.0 * gain),
        })
    }

    fn transform(&self, samples: &[f32], of: impl Fn(usize, Complex<f32>) -> Complex<f32>) -> Vec<Complex<f32>> {
        let bins = self.bins();
        let mut spectra = vec![Complex::default(); self.frames(samples.len()) * bins];
        let mut frame = self.forward.make_input_vec();
        let mut scratch = self.forward.make_scratch_vec();
        for (t, spectrum) in spectra.chunks_exact_mut(bins).enumerate() {
            let samples = &samples[t * self.hop..][..self.size];
            for ((frame, sample), w) in frame.iter_mut().zip(samples).zip(&self.window) {
                *frame = sample * w;
            }
            let done = self.forward.process_with_scratch(&mut frame, spectrum, &mut scratch);
            debug_assert!(done.is_ok(), "buffers are of the transform's own sizes");
            for (k, bin) in spectrum.iter_mut().enumerate() {
                *bin = of(k, *bin);
            }
        }
        spectra
    }

    fn overlap_add(&self, spectra: &[Complex<f32>], of: impl Fn(usize, Complex<f32>) -> Complex<f32>) -> Vec<f32> {
        let bins = self.bins();
        let mut samples = vec![0f32; self.samples(spectra.len() / bins)];
        let mut spectrum = self.inverse.make_input_vec();
        let mut frame = self.inverse.make_output_vec();
        let mut scratch = self.inverse.make_scratch_vec();
        for (t, source) in spectra.chunks_exact(bins).enumerate() {
            for (k, (bin, source)) in spectrum.iter_mut().zip(source).enumerate() {
                *bin = of(k, *source);
            }
            // A real signal has no imaginary part there.
            (spectrum[0].im, spectrum[bins - 1].im) = (0.0, 0.0);
            let done = self.inverse.process_with_scratch(&mut spectrum, &mut frame, &mut scratch);
            debug_assert!(done.is_ok(), "buffers are of the transform's own sizes");
            for ((sum, v), w) in samples[t * self.hop..].iter_mut().zip(&frame).zip(&self.window) {
                *sum += v * w;
            }
        }
        samples
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signal(count: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn what_is_taken_apart_comes_together_again() {
        let stft = Stft::new(960, 480, Window::Sine);
        let samples = signal(480 * 9, 1);
        let again = stft.synthesise(&stft.analyse(&samples));
        let whole = 480..480 * 8;
        assert!(samples[whole.clone()].iter().zip(&again[whole]).all(|(a, b)| (a - b).abs() < 1e-5));
    }

    /// `<A x, g> = <x, A^T g>` for any x and g.
    #[test]
    fn transposes_are_transposes() {
        for (size, hop, window) in [(16, 8, Window::Sine), (64, 16, Window::Hann)] {
            let stft = Stft::new(size, hop, window);
            let x = signal(stft.samples(7), 2);
            let g = signal(2 * 7 * stft.bins(), 3);
            let g: Vec<Complex<f32>> = g.chunks(2).map(|pair| Complex::new(pair[0], pair[1])).collect();
            let dot = |a: &[Complex<f32>], b: &[Complex<f32>]| {
                a.iter().zip(b).map(|(a, b)| f64::from(a.re * b.re + a.im * b.im)).sum::<f64>()
            };
            let real = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
            let (left, right) = (dot(&stft.analyse(&x), &g), real(&x, &stft.analyse_transposed(&g)));
            assert!((left - right).abs() < 1e-3 * left.abs().max(1.0), "{left} {right}");
            let (left, right) = (real(&stft.synthesise(&g), &x), dot(&g, &stft.synthesise_transposed(&x)));
            assert!((left - right).abs() < 1e-3 * left.abs().max(1.0), "{left} {right}");
        }
    }
}
