//! What a camera and a JPEG file do to a picture, so that a network can learn to undo it.
//!
//! Light arrives in whole photons and is read out with an error, so that noise in linear light has a variance of `shot * light + read^2`
//! (Foi et al. 2008, "Practical Poissonian-Gaussian noise modeling"). Demosaicking and the camera's own smoothing make blotches of
//! it, white balance makes red and blue noisier than green, the tone curve and sharpening make shadows noisier than lights, and JPEG adds its blocks.

mod sensor;

use std::io::Cursor;

use image::ImageFormat;
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use rand::RngExt;
use rand::rngs::StdRng;

/// Pixels that a square must have around what is kept, on the right and below: JPEG's blocks shall lie anywhere in it.
pub const MARGIN: usize = 8;

/// The share of squares that come through without noise, and the share that pass through JPEG.
const NOISELESS: f64 = 0.1;
const COMPRESSED: f64 = 0.75;

/// How often pictures are soft, and by a Gaussian of how many pixels.
pub struct Softness {
    share: f64,
    deviations: std::ops::Range<f32>,
}

/// Of photos at the size that a camera makes: mosaics and lenses show hardly anything to the pixel.
pub const FULL_SIZE: Softness = Softness { share: 0.8, deviations: 0.4..2.0 };

/// Of photos that were made smaller.
const SMALL: Softness = Softness { share: 0.5, deviations: 0.3..1.2 };

/// Degrades a square of `side` pixels, planes of 0..1, `[3, side, side]`, and returns it in 0..1.
pub fn degrade(rng: &mut StdRng, square: &[f32], side: usize) -> Vec<f32> {
    let mut planes = square.to_vec();
    if !rng.random_bool(NOISELESS) {
        sensor::expose(rng, &mut planes, side);
    }
    if rng.random_bool(COMPRESSED) {
        planes = compress(rng, &planes, side);
    }
    planes
}

/// [`degrade`] of a picture that was, as often as not, also soft: what a small photo is like that shall become large.
pub fn degrade_small(rng: &mut StdRng, square: &[f32], side: usize) -> Vec<f32> {
    let softened = soften(rng, &SMALL, square, side);
    degrade(rng, &softened, side)
}

/// A picture made soft: pictures to learn from were made small, and are sharp to the pixel. It takes what little noise they have with it.
pub fn soften(rng: &mut StdRng, softness: &Softness, square: &[f32], side: usize) -> Vec<f32> {
    if !rng.random_bool(softness.share) {
        return square.to_vec();
    }
    let kernel = gaussian(rng.random_range(softness.deviations.clone()));
    square.chunks_exact(side * side).flat_map(|plane| smooth(plane, side, &kernel)).collect()
}

/// The square of `side` pixels at row and column `corner` of planes of `whole` x `whole`.
pub fn inner(planes: &[f32], whole: usize, corner: [usize; 2], side: usize) -> Vec<f32> {
    let rows =
        planes.chunks_exact(whole * whole).flat_map(|plane| plane.chunks_exact(whole).skip(corner[0]).take(side));
    rows.flat_map(|row| &row[corner[1]..corner[1] + side]).copied().collect()
}

/// The weights of a Gaussian of `deviation` pixels, of sum 1.
fn gaussian(deviation: f32) -> Vec<f32> {
    let radius = (2.5 * deviation).ceil() as isize;
    let weights: Vec<f32> =
        (-radius..=radius).map(|i| (-((i * i) as f32) / (2.0 * deviation * deviation)).exp()).collect();
    let sum: f32 = weights.iter().sum();
    weights.iter().map(|w| w / sum).collect()
}

/// A plane with the kernel over its rows and columns; at the edge it goes on as its last pixel.
fn smooth(plane: &[f32], side: usize, kernel: &[f32]) -> Vec<f32> {
    let radius = kernel.len() / 2;
    let add =
        |out: &mut [f32], weight: f32, values: &[f32]| out.iter_mut().zip(values).for_each(|(o, v)| *o += weight * v);
    let mut rows = vec![0f32; side * side];
    let mut padded = vec![0f32; side + 2 * radius];
    for (row, out) in plane.chunks_exact(side).zip(rows.chunks_exact_mut(side)) {
        padded[..radius].fill(row[0]);
        padded[radius..radius + side].copy_from_slice(row);
        padded[radius + side..].fill(row[side - 1]);
        kernel.iter().enumerate().for_each(|(i, weight)| add(out, *weight, &padded[i..i + side]));
    }
    let mut whole = vec![0f32; side * side];
    for (y, out) in whole.chunks_exact_mut(side).enumerate() {
        for (i, weight) in kernel.iter().enumerate() {
            let from = (y + i).saturating_sub(radius).min(side - 1);
            add(out, *weight, &rows[from * side..][..side]);
        }
    }
    whole
}

/// Through a JPEG file of a random quality and back.
fn compress(rng: &mut StdRng, planes: &[f32], side: usize) -> Vec<f32> {
    let plane = side * side;
    let byte = |v: f32| (v.clamp(0.0, 1.0) * 255.0).round() as u8;
    let rgb: Vec<u8> = (0..plane * 3).map(|i| byte(planes[i % 3 * plane + i / 3])).collect();
    let mut file = Vec::new();
    // A camera's own file as often as one that has been made small for the web.
    let quality = if rng.random_bool(0.5) { rng.random_range(85..=98) } else { rng.random_range(30..=95) };
    let mut encoder = Encoder::new(&mut file, quality);
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
    fn a_blur_leaves_what_is_even_and_spreads_what_is_not() {
        let side = 16;
        let kernel = gaussian(1.0);
        assert!(smooth(&vec![0.5; side * side], side, &kernel).iter().all(|v| (v - 0.5).abs() < 1e-6));
        let mut dot = vec![0.0; side * side];
        dot[8 * side + 8] = 1.0;
        let spread = smooth(&dot, side, &kernel);
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
