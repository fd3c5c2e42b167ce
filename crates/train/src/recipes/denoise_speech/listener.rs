//! How people would rate sound, as a network guesses that was trained on their ratings.
//!
//! DNSMOS (Reddy et al. 2022, "DNSMOS P.835: a non-intrusive perceptual objective speech quality metric to evaluate noise
//! suppressors"): the logarithm of spectra, convolutions, the largest value of each channel, and three ratings from 1 to 5.
//! Its weights are read from the ONNX file that is published with it. As a loss it tells what no clean speech to compare
//! with can: how much people mind what is left beside what is lost.

use std::cell::RefCell;
use std::f64::consts::PI;
use std::path::Path;

use anyhow::{Context, Result};
use latentd_conv::{Activation, Conv2d, Epilogue, Geometry, Matrix, Scratch, gemm};

use super::pooling::{larger, largest};
use super::zones::HOP;
use crate::data::speech::RATE;
use crate::onnx::Weights;

/// Bins of a spectrum, up to 8 kHz.
const BINS: usize = 161;

/// Samples of a frame at 16 kHz, where it listens.
const SIZE: usize = 320;

/// Samples of ours for each of its.
const RATIO: usize = RATE as usize / 16_000;

/// Samples of ours on either side of one of its that the low pass between reaches to.
const REACH: usize = 16 * RATIO;

/// Samples of ours that a frame reaches over.
const FRAME: usize = (SIZE - 1) * RATIO + 2 * REACH + 1;

/// Powers below count as silence.
const FLOOR: f32 = 1e-12;

/// Channels out of each convolution, and whether the larger of two by two points follow it.
const LAYERS: [(usize, bool); 7] =
    [(128, false), (64, false), (64, false), (32, true), (32, true), (32, true), (64, false)];

/// Values out of each dense layer; the last are the ratings of signal, background and whole.
const DENSE: [usize; 3] = [128, 64, 3];

/// What the published program makes of the network's third value.
const OVERALL: [f32; 3] = [0.046_025_35, 1.115_464_7, -0.067_662_83];

/// Fewer frames are nothing to judge by.
const SHORTEST: usize = 32;

/// Samples of ours that the published program rates at once, 9.01 s.
const WINDOW: usize = RATE as usize * 901 / 100;

/// Listens.
pub struct Listener {
    /// From a frame of ours to real and imaginary parts: `[FRAME, 2 * BINS]`.
    transform: Vec<f32>,
    convolutions: Vec<Layer>,
    dense: Vec<Layer>,
}

/// Weights: `[out, in, 3, 3]` of a convolution, `[in, out]` of a dense layer.
struct Layer {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

/// What a convolution gave, after its ReLU, and where the largest of four were found.
struct Heard {
    values: Vec<f32>,
    pooled: Option<(Vec<f32>, Vec<u32>)>,
    size: [usize; 2],
}

/// All that a rating was made of.
struct Judged {
    spectra: Vec<f32>,
    heard: Vec<Heard>,
    /// Where the largest values of the last convolution's channels are, and what they are.
    most: Vec<(usize, f32)>,
    rating: f32,
    /// The rating's gradient from each of them.
    of_most: Vec<f32>,
}

/// Does `work` with memory that is kept from one call to the next.
fn with_scratch<T>(work: impl FnOnce(&mut Scratch) -> T) -> T {
    thread_local! {
        static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::single());
    }
    SCRATCH.with_borrow_mut(work)
}

impl Listener {
    /// Reads `sig_bak_ovr.onnx`.
    ///
    /// # Errors
    /// When the file cannot be read or holds another network.
    pub fn read(path: &Path) -> Result<Self> {
        Self::new(Weights::read(path)?).with_context(|| format!("{} is not DNSMOS's sig_bak_ovr.onnx", path.display()))
    }

    fn new(mut weights: Weights) -> Result<Self> {
        let mut kernel = |part: &str| weights.take(&format!("time2freq/stft-{part}/kernel:0"), &[BINS, SIZE, 1]);
        let transform = at_our_rate(&[kernel("real")?, kernel("imag")?].concat());
        let suffix = |n: usize| if n == 0 { String::new() } else { format!("_{n}") };
        let mut convolutions = Vec::new();
        let mut inputs = 1;
        for (n, (outputs, _)) in LAYERS.into_iter().enumerate() {
            let weight = weights.take(&format!("conv2d{}/kernel:0", suffix(n)), &[outputs, inputs, 3, 3])?;
            let bias = weights.take(&format!("conv2d{}/bias:0", suffix(n)), &[outputs])?;
            convolutions.push(Layer { weight, bias });
            inputs = outputs;
        }
        let mut dense = Vec::new();
        // The third was left out of what was published.
        for (n, outputs) in ["", "_1", "_3"].into_iter().zip(DENSE) {
            let mut of = |part: &str, shape: &[usize]| {
                weights.take(&format!("mos_estimator_logpow/dense{n}/{part}/ReadVariableOp/resource:0"), shape)
            };
            let (weight, bias) = (of("MatMul", &[inputs, outputs])?, of("BiasAdd", &[outputs])?);
            dense.push(Layer { weight, bias });
            inputs = outputs;
        }
        Ok(Self { transform, convolutions, dense })
    }

    /// The rating of a whole sound, 1 to 5, as the published program has it: the mean of windows a second apart; what is
    /// shorter than one is repeated. Of no sound there is none.
    pub fn rate(&self, samples: &[f32]) -> Option<f32> {
        let mut samples = samples.to_vec();
        while !samples.is_empty() && samples.len() < WINDOW {
            samples.extend_from_within(..);
        }
        // Whole seconds beyond the window, which is a little longer than nine.
        let count = (samples.len() / RATE as usize).saturating_sub(10) + 1;
        let windows = samples.windows(WINDOW).step_by(RATE as usize).take(count);
        let ratings: Vec<f32> = windows
            .filter_map(|window| {
                let window = [&[0.0; REACH], window, &[0.0; REACH]].concat();
                with_scratch(|scratch| self.judge(&window, 1.0, scratch)).map(|judged| judged.rating)
            })
            .collect();
        (!ratings.is_empty()).then(|| ratings.iter().sum::<f32>() / ratings.len() as f32)
    }

    /// How far `gain * found` is from the best rating as a whole, 5; adds the gradient times `factor` to `gradient`. Of less
    /// than a third of a second nothing is said.
    pub fn measure(&self, found: &[f32], gain: f32, factor: f32, gradient: &mut [f32]) -> f32 {
        with_scratch(|scratch| {
            let Some(judged) = self.judge(found, gain, scratch) else { return 0.0 };
            let last = judged.heard.last().map_or(0, |last| last.values.len());
            let mut of_values = vec![0f32; last];
            for ((at, _), g) in judged.most.iter().zip(&judged.of_most) {
                of_values[*at] = -factor * g;
            }
            let of_logarithms = self.back(&judged.heard, of_values, scratch);
            self.spread(&judged.spectra, &of_logarithms, gain, gradient);
            5.0 - judged.rating
        })
    }

    fn judge(&self, found: &[f32], gain: f32, scratch: &mut Scratch) -> Option<Judged> {
        let frames = if found.len() < FRAME { 0 } else { (found.len() - FRAME) / HOP + 1 };
        if frames < SHORTEST {
            return None;
        }
        let spectra = self.analyse(found, frames, gain);
        let heard = self.listen(logarithms(&spectra), frames, scratch);
        let most = largest(&heard.last()?.values, LAYERS[LAYERS.len() - 1].0);
        let (rating, of_most) = self.weigh(&most);
        Some(Judged { spectra, heard, most, rating, of_most })
    }

    /// `[frames, 2, BINS]`
    fn analyse(&self, samples: &[f32], frames: usize, gain: f32) -> Vec<f32> {
        let mut spectra = vec![0f32; frames * 2 * BINS];
        let transform = Matrix { data: &self.transform, rows: 1, columns: 2 * BINS };
        let samples = Matrix { data: samples, rows: 1, columns: HOP };
        gemm([2 * BINS, frames, FRAME], (&mut spectra, 2 * BINS), false, transform, samples);
        spectra.iter_mut().for_each(|v| *v *= gain);
        spectra
    }

    /// Adds the gradient of samples, given that of the logarithms of the powers of their spectra.
    fn spread(&self, spectra: &[f32], of_logarithms: &[f32], gain: f32, gradient: &mut [f32]) {
        let frames = of_logarithms.len() / BINS;
        let mut of_spectra = vec![0f32; spectra.len()];
        for ((of, spectrum), g) in of_spectra
            .chunks_exact_mut(2 * BINS)
            .zip(spectra.chunks_exact(2 * BINS))
            .zip(of_logarithms.chunks_exact(BINS))
        {
            for k in 0..BINS {
                let (re, im) = (spectrum[k], spectrum[BINS + k]);
                let power = re * re + im * im;
                let slope = if power > FLOOR { 2.0 * gain * g[k] / (power * std::f32::consts::LN_10) } else { 0.0 };
                (of[k], of[BINS + k]) = (slope * re, slope * im);
            }
        }
        let mut back = vec![0f32; frames * FRAME];
        let transform = Matrix { data: &self.transform, rows: 2 * BINS, columns: 1 };
        let of_spectra = Matrix { data: &of_spectra, rows: 1, columns: 2 * BINS };
        gemm([FRAME, frames, 2 * BINS], (&mut back, FRAME), false, transform, of_spectra);
        for (t, frame) in back.chunks_exact(FRAME).enumerate() {
            gradient[t * HOP..].iter_mut().zip(frame).for_each(|(sum, v)| *sum += v);
        }
    }

    /// What each convolution gives, the first of which sees `[frames, BINS]`.
    fn listen(&self, logarithms: Vec<f32>, frames: usize, scratch: &mut Scratch) -> Vec<Heard> {
        let mut heard: Vec<Heard> = Vec::new();
        let mut size = [frames, BINS];
        let mut inputs = 1;
        for (layer, (outputs, pool)) in self.convolutions.iter().zip(LAYERS) {
            let input = match heard.last() {
                None => &logarithms,
                Some(before) => before.pooled.as_ref().map_or(&before.values, |(values, _)| values),
            };
            let mut values = vec![0f32; outputs * size[0] * size[1]];
            let epilogue = Epilogue { bias: Some(&layer.bias), activation: Activation::Relu, ..Epilogue::default() };
            let done =
                convolution(inputs, outputs, size).forward(input, &layer.weight, &mut values, &epilogue, scratch);
            done.expect(SIZES);
            let pooled = pool.then(|| larger(&values, size));
            heard.push(Heard { values, pooled, size });
            size = if pool { size.map(|side| side / 2) } else { size };
            inputs = outputs;
        }
        heard
    }

    /// The gradient of the logarithms, given that of what the last convolution gave.
    fn back(&self, heard: &[Heard], of_last: Vec<f32>, scratch: &mut Scratch) -> Vec<f32> {
        let mut gradient = of_last;
        for (n, heard) in heard.iter().enumerate().rev() {
            if let Some((_, places)) = &heard.pooled {
                let mut spread = vec![0f32; heard.values.len()];
                places.iter().zip(&gradient).for_each(|(&at, g)| spread[at as usize] = *g);
                gradient = spread;
            }
            gradient.iter_mut().zip(&heard.values).filter(|(_, v)| **v <= 0.0).for_each(|(g, _)| *g = 0.0);
            let inputs = if n == 0 { 1 } else { LAYERS[n - 1].0 };
            let mut of_input = vec![0f32; inputs * heard.size[0] * heard.size[1]];
            let conv = convolution(inputs, LAYERS[n].0, heard.size);
            conv.input_gradient(&gradient, &self.convolutions[n].weight, &mut of_input, scratch).expect(SIZES);
            gradient = of_input;
        }
        gradient
    }

    /// The rating as a whole that the largest values make, and its gradient from each.
    fn weigh(&self, most: &[(usize, f32)]) -> (f32, Vec<f32>) {
        let mut layers = vec![most.iter().map(|(_, value)| *value).collect::<Vec<f32>>()];
        for (n, layer) in self.dense.iter().enumerate() {
            let mut sums = layer.bias.clone();
            for (value, row) in layers[n].iter().zip(layer.weight.chunks_exact(sums.len())) {
                sums.iter_mut().zip(row).for_each(|(sum, w)| *sum += value * w);
            }
            if n + 1 < self.dense.len() {
                sums.iter_mut().for_each(|sum| *sum = sum.max(0.0));
            }
            layers.push(sums);
        }
        let [constant, linear, square] = OVERALL;
        let raw = layers[self.dense.len()][2];
        let mut gradient = vec![0.0, 0.0, linear + 2.0 * square * raw];
        for (layer, values) in self.dense.iter().zip(&layers).rev() {
            let rows = layer.weight.chunks_exact(layer.bias.len());
            let of = rows.map(|row| row.iter().zip(&gradient).map(|(w, g)| w * g).sum());
            // Behind the first there is a ReLU of the convolutions', which sees to itself.
            gradient = of.zip(values).map(|(g, &value): (f32, _)| if value > 0.0 { g } else { 0.0 }).collect();
        }
        (constant + raw * (linear + square * raw), gradient)
    }
}

const SIZES: &str = "sizes that follow from each other";

fn convolution(inputs: usize, outputs: usize, size: [usize; 2]) -> Conv2d {
    Conv2d::new(Geometry::same(inputs, outputs, 3, size)).expect(SIZES)
}

/// A transform of frames at 16 kHz, `[2 * BINS, SIZE]`, as one of ours, turned: each of its samples is a low pass of ours.
fn at_our_rate(kernel: &[f32]) -> Vec<f32> {
    let filter: Vec<f32> = (0..=2 * REACH)
        .map(|n| {
            let x = n as f64 - REACH as f64;
            let cutoff = 0.96 / RATIO as f64;
            let sinc = if x == 0.0 { 1.0 } else { (PI * cutoff * x).sin() / (PI * cutoff * x) };
            let window = 0.5 + 0.5 * (PI * x / (REACH + 1) as f64).cos();
            (cutoff * sinc * window) as f32
        })
        .collect();
    let mut transform = vec![0f32; FRAME * 2 * BINS];
    for (row, kernel) in kernel.chunks_exact(SIZE).enumerate() {
        for (n, weight) in kernel.iter().enumerate() {
            for (j, tap) in filter.iter().enumerate() {
                transform[(n * RATIO + j) * 2 * BINS + row] += weight * tap;
            }
        }
    }
    transform
}

fn logarithms(spectra: &[f32]) -> Vec<f32> {
    let of = |spectrum: &[f32]| -> Vec<f32> {
        let (re, im) = spectrum.split_at(BINS);
        re.iter().zip(im).map(|(re, im)| (re * re + im * im).max(FLOOR).log10()).collect()
    };
    spectra.chunks_exact(2 * BINS).flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    /// Of DNSMOS's shape, with weights that keep what goes through at a size.
    fn listener(rng: &mut StdRng) -> Listener {
        let mut layer = |weights: usize, inputs: usize, outputs: usize| {
            let scale = (6.0 / inputs as f32).sqrt();
            let weight = (0..weights).map(|_| scale * rng.random_range(-1.0..1.0f32)).collect();
            Layer { weight, bias: (0..outputs).map(|n| 0.01 * n as f32).collect() }
        };
        let mut inputs = 1;
        let convolutions = LAYERS.map(|(outputs, _)| {
            let made = layer(outputs * inputs * 9, 9 * inputs, outputs);
            inputs = outputs;
            made
        });
        let dense = DENSE.map(|outputs| {
            let made = layer(inputs * outputs, inputs, outputs);
            inputs = outputs;
            made
        });
        let kernel: Vec<f32> = (0..2 * BINS * SIZE)
            .map(|n| {
                let (row, n) = (n / SIZE, n % SIZE);
                let turn = std::f32::consts::TAU * (row % BINS * n) as f32 / SIZE as f32;
                let window = (std::f32::consts::PI * (n as f32 + 0.5) / SIZE as f32).sin();
                window * if row < BINS { turn.cos() } else { -turn.sin() }
            })
            .collect();
        Listener { transform: at_our_rate(&kernel), convolutions: convolutions.into(), dense: dense.into() }
    }

    #[test]
    fn the_gradient_is_the_measures() {
        let mut rng = StdRng::seed_from_u64(3);
        let listener = listener(&mut rng);
        let found: Vec<f32> = (0..19_200).map(|_| 0.1 * rng.random_range(-1.0..1.0f32)).collect();
        let mut gradient = vec![0f32; found.len()];
        listener.measure(&found, 0.7, 1.0, &mut gradient);
        let norm = gradient.iter().map(|g| g * g).sum::<f32>().sqrt();
        assert!(norm > 0.0);
        let at = |step: f32| {
            let moved: Vec<f32> = found.iter().zip(&gradient).map(|(v, g)| v + step * g / norm).collect();
            f64::from(listener.measure(&moved, 0.7, 1.0, &mut vec![0.0; found.len()]))
        };
        // Steps too small for other points to become the largest.
        let step = 1e-4;
        let measured = (at(step) - at(-step)) / (2.0 * f64::from(step));
        assert!((measured / f64::from(norm) - 1.0).abs() < 0.02, "{measured} {norm}");
    }

    #[test]
    fn tones_are_seen_where_they_are_and_none_above_8_khz() {
        let listener = listener(&mut StdRng::seed_from_u64(4));
        let tone = |hertz: f32| -> Vec<f32> {
            (0..2 * FRAME).map(|n| (std::f32::consts::TAU * hertz * n as f32 / RATE as f32).sin()).collect()
        };
        let loudest = |hertz: f32| {
            let seen = logarithms(&listener.analyse(&tone(hertz), 1, 1.0));
            largest(&seen, 1)[0]
        };
        let (bin, level) = loudest(1_000.0);
        assert_eq!(bin, 20);
        assert!(loudest(9_500.0).1 < level - 5.0, "{} {level}", loudest(9_500.0).1);
    }

    #[test]
    fn of_very_short_sounds_nothing_is_said() {
        let listener = listener(&mut StdRng::seed_from_u64(5));
        let mut gradient = vec![0f32; 4_000];
        assert_eq!(listener.measure(&[0.1; 4_000], 1.0, 1.0, &mut gradient), 0.0);
        assert!(gradient.iter().all(|g| *g == 0.0));
    }
}
