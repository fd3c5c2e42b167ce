//! What a camera and a JPEG file do to a picture, so that a network can learn to undo it.
//!
//! Light arrives in whole photons and is read out with an error, so that noise in linear light has a variance of `shot * light + read^2`
//! (Foi et al. 2008, "Practical Poissonian-Gaussian noise modeling"). Demosaicking and the camera's own smoothing make blotches of
//! it, white balance makes red and blue noisier than green, the tone curve and sharpening make shadows noisier than lights, and JPEG adds its blocks.

use std::io::Cursor;

use image::ImageFormat;
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use rand::RngExt;
use rand::rngs::StdRng;
use rand_distr::{Distribution, StandardNormal};

/// Pixels that a square must have around what is kept, on the right and below: JPEG's blocks shall lie anywhere in it.
pub const MARGIN: usize = 8;

/// The share of squares that come through without noise, and the share that pass through JPEG.
const NOISELESS: f64 = 0.1;
const COMPRESSED: f64 = 0.75;

/// The share of pictures that are soft.
const SOFT: f64 = 0.5;

/// The exponent of the tone curve, near enough to sRGB's.
const GAMMA: f32 = 2.2;

/// Degrades a square of `side` pixels, planes of 0..1, `[3, side, side]`, and returns it in 0..1.
pub fn degrade(rng: &mut StdRng, square: &[f32], side: usize) -> Vec<f32> {
    let mut planes = square.to_vec();
    if !rng.random_bool(NOISELESS) {
        expose(rng, &mut planes, side);
    }
    if rng.random_bool(COMPRESSED) {
        planes = compress(rng, &planes, side);
    }
    planes
}

/// [`degrade`] of a picture that was, as often as not, also soft: what a small photo is like that shall become large.
pub fn degrade_small(rng: &mut StdRng, square: &[f32], side: usize) -> Vec<f32> {
    let softened = soften(rng, square, side);
    degrade(rng, &softened, side)
}

/// A picture as soft as cameras make them at their full size, as often as not: pictures to learn from were made small, and are sharp to the pixel.
/// It takes what little noise they have with it.
pub fn soften(rng: &mut StdRng, square: &[f32], side: usize) -> Vec<f32> {
    if !rng.random_bool(SOFT) {
        return square.to_vec();
    }
    let kernel = gaussian(rng.random_range(0.3..1.2));
    let clamped = |at: isize| at.clamp(0, side as isize - 1) as usize;
    square.chunks_exact(side * side).flat_map(|plane| smooth(plane, side, &kernel, clamped)).collect()
}

/// The square of `side` pixels at row and column `corner` of planes of `whole` x `whole`.
pub fn inner(planes: &[f32], whole: usize, corner: [usize; 2], side: usize) -> Vec<f32> {
    let rows =
        planes.chunks_exact(whole * whole).flat_map(|plane| plane.chunks_exact(whole).skip(corner[0]).take(side));
    rows.flat_map(|row| &row[corner[1]..corner[1] + side]).copied().collect()
}

/// The noise of a sensor, as it looks when the camera has made a picture of it.
fn expose(rng: &mut StdRng, planes: &mut [f32], side: usize) {
    let logarithmic = |rng: &mut StdRng, low: f32, high: f32| (rng.random_range(low.ln()..high.ln())).exp();
    let shot = logarithmic(rng, 2e-5, 8e-3);
    let read = logarithmic(rng, 5e-4, 2e-2);
    let balance = [rng.random_range(1.0..2.0f32), 1.0, rng.random_range(1.0..2.0f32)];
    // Deviations in pixels of the smoothing that demosaicking and the camera do: colours are smoothed more than brightness.
    let fine = rng.random_range(0.0..1.2f32);
    let coarse = fine + rng.random_range(0.0..1.6f32);
    let shared = rng.random_range(0.0..0.8f32);
    let plane = side * side;
    let brightness = correlated(rng, side, fine);
    for (channel, values) in planes.chunks_exact_mut(plane).enumerate() {
        let colour = correlated(rng, side, coarse);
        for ((value, common), own) in values.iter_mut().zip(&brightness).zip(&colour) {
            let light = value.max(0.0).powf(GAMMA);
            let deviation = (shot * light + read * read).sqrt() * balance[channel].sqrt();
            let noise = shared * common + (1.0 - shared * shared).sqrt() * own;
            *value = (light + deviation * noise).clamp(0.0, 1.0).powf(1.0 / GAMMA);
        }
        if shared > 0.4 {
            sharpen(values, side, shared - 0.4);
        }
    }
}

/// Noise of deviation 1, smoothed by a Gaussian of `deviation` pixels.
fn correlated(rng: &mut StdRng, side: usize, deviation: f32) -> Vec<f32> {
    let noise: Vec<f32> = (0..side * side).map(|_| StandardNormal.sample(rng)).collect();
    if deviation < 0.25 {
        return noise;
    }
    let kernel = gaussian(deviation);
    // Round the edge to the other side, which keeps the deviation the same everywhere.
    let smooth = smooth(&noise, side, &kernel, |at| at.rem_euclid(side as isize) as usize);
    // A sum of independent values has the root of the sum of the squared weights as its deviation, here once along rows and once along columns.
    let norm = kernel.iter().map(|k| k * k).sum::<f32>();
    smooth.iter().map(|v| v / norm).collect()
}

/// The weights of a Gaussian of `deviation` pixels, of sum 1.
fn gaussian(deviation: f32) -> Vec<f32> {
    let radius = (2.5 * deviation).ceil() as isize;
    let weights: Vec<f32> =
        (-radius..=radius).map(|i| (-((i * i) as f32) / (2.0 * deviation * deviation)).exp()).collect();
    let sum: f32 = weights.iter().sum();
    weights.iter().map(|w| w / sum).collect()
}

/// A plane with the kernel over its rows and columns; `edge` tells where a place beyond the edge is taken from.
fn smooth(plane: &[f32], side: usize, kernel: &[f32], edge: impl Fn(isize) -> usize) -> Vec<f32> {
    let radius = kernel.len() / 2;
    let pass = |source: &[f32], across: bool| -> Vec<f32> {
        let value = |x: usize, y: usize| {
            let terms = kernel.iter().enumerate().map(|(i, weight)| {
                let moved = |at: usize| edge((at + i) as isize - radius as isize);
                let (x, y) = if across { (moved(x), y) } else { (x, moved(y)) };
                weight * source[y * side + x]
            });
            terms.sum::<f32>()
        };
        (0..side * side).map(|at| value(at % side, at / side)).collect()
    };
    pass(&pass(plane, true), false)
}

/// Unsharp masking by a 3x3 mean.
fn sharpen(plane: &mut [f32], side: usize, amount: f32) {
    let source = plane.to_vec();
    for y in 1..side - 1 {
        for x in 1..side - 1 {
            let mean: f32 = (0..9).map(|i| source[(y + i / 3 - 1) * side + x + i % 3 - 1]).sum::<f32>() / 9.0;
            let at = y * side + x;
            plane[at] = (source[at] + amount * (source[at] - mean)).clamp(0.0, 1.0);
        }
    }
}

/// Through a JPEG file of a random quality and back.
fn compress(rng: &mut StdRng, planes: &[f32], side: usize) -> Vec<f32> {
    let plane = side * side;
    let byte = |v: f32| (v.clamp(0.0, 1.0) * 255.0).round() as u8;
    let rgb: Vec<u8> = (0..plane * 3).map(|i| byte(planes[i % 3 * plane + i / 3])).collect();
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, rng.random_range(30..=95));
    encoder.set_sampling_factor(if rng.random_bool(0.6) { SamplingFactor::F_2_2 } else { SamplingFactor::F_1_1 });
    encoder.encode(&rgb, side as u16, side as u16, ColorType::Rgb).expect("a small picture can be written into memory");
    let decoded = image::ImageReader::with_format(Cursor::new(file), ImageFormat::Jpeg);
    let rgb = decoded.decode().expect("what was written can be read").into_rgb8().into_raw();
    (0..plane * 3).map(|i| f32::from(rgb[i % plane * 3 + i / plane]) / 255.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn correlated_noise_has_deviation_one_and_neighbours_that_are_alike() {
        let mut rng = StdRng::seed_from_u64(1);
        for deviation in [0.0, 0.5, 1.5] {
            let side = 128;
            let noise = correlated(&mut rng, side, deviation);
            let variance = noise.iter().map(|v| v * v).sum::<f32>() / noise.len() as f32;
            assert!((0.85..1.15).contains(&variance), "{deviation}: {variance}");
            let alike = noise.windows(2).map(|pair| pair[0] * pair[1]).sum::<f32>() / noise.len() as f32 / variance;
            assert_eq!(alike > 0.2, deviation > 0.4, "{deviation}: {alike}");
        }
    }

    #[test]
    fn a_blur_leaves_what_is_even_and_spreads_what_is_not() {
        let side = 16;
        let kernel = gaussian(1.0);
        let clamped = |at: isize| at.clamp(0, side as isize - 1) as usize;
        assert!(smooth(&vec![0.5; side * side], side, &kernel, clamped).iter().all(|v| (v - 0.5).abs() < 1e-6));
        let mut dot = vec![0.0; side * side];
        dot[8 * side + 8] = 1.0;
        let spread = smooth(&dot, side, &kernel, clamped);
        // 1 / (2 pi) in the middle, e^-1/2 of it beside, and the whole as much as before.
        assert!((spread[8 * side + 8] - 0.16).abs() < 0.01 && (spread[8 * side + 9] - 0.097).abs() < 0.01);
        assert!((spread.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    }

    #[test]
    fn degraded_squares_stay_pictures_of_the_same_scene() {
        let side = 64;
        let square: Vec<f32> = (0..3 * side * side).map(|i| 0.5 + 0.4 * ((i % side) as f32 * 0.1).sin()).collect();
        let mut rng = StdRng::seed_from_u64(2);
        let mut changed = 0;
        for round in 0..50 {
            let degrade = if round % 2 == 0 { degrade } else { degrade_small };
            let result = degrade(&mut rng, &square, side);
            assert!(result.len() == square.len() && result.iter().all(|v| (0.0..=1.0).contains(v)));
            let error = result.iter().zip(&square).map(|(a, b)| (a - b).powi(2)).sum::<f32>() / square.len() as f32;
            assert!(error < 0.03, "{error}");
            changed += usize::from(error > 1e-5);
        }
        assert!(changed > 40, "{changed}");
    }
}
