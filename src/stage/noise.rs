//! How noisy is a picture that nobody tells us of?
//!
//! After Chen, Zhu and Heng, "An Efficient Statistical Method for Image Noise Level Estimation", ICCV 2015: small patches of a natural
//! picture lie near a subspace, and outside of it there is only noise. So the small eigenvalues of the patches' covariance are all the
//! noise's variance, and the large ones the picture's. The large are left out one by one until mean and median of the rest agree.

use nalgebra::DMatrix;

use crate::media::Image;
use crate::media::image::Tile;

/// Side of a patch in pixels.
const SIDE: usize = 8;
/// Values of a patch.
const SIZE: usize = SIDE * SIDE;
/// Patches looked at in each colour: enough for a steady estimate, few enough for the largest photo to take no longer than a small one.
const PATCHES: usize = 40_000;

/// Standard deviation of the noise in 0..1 (that of 8-bit values over 255), the mean over the colours; 0 for a picture that is smaller than
/// a patch.
pub fn estimate_sigma(image: &Image) -> f32 {
    if image.width < 2 * SIDE || image.height < 2 * SIDE {
        return 0.0;
    }
    let colors = image.layout.colors();
    let sum: f64 = (0..colors).map(|color| sigma_of_plane(image, color)).sum();
    (sum / colors as f64) as f32
}

fn sigma_of_plane(image: &Image, color: usize) -> f64 {
    let (columns, rows) = (image.width - SIDE + 1, image.height - SIDE + 1);
    // A step that is odd in both directions does not fall in with the 8x8 grid of a JPEG.
    let step = ((columns * rows / PATCHES) as f64).sqrt() as usize | 1;
    let mut sum = [0.0f64; SIZE];
    let mut products = vec![0.0f64; SIZE * SIZE];
    let mut count = 0usize;
    let mut patch = [0.0f32; SIZE];
    for top in (0..rows).step_by(step) {
        let band = Tile { y: top as isize, x: 0, height: SIDE, width: image.width };
        let planes = image.tile_f32(band, image.layout.colors());
        let plane = &planes[color * SIDE * image.width..(color + 1) * SIDE * image.width];
        for left in (0..columns).step_by(step) {
            for (row, line) in patch.chunks_exact_mut(SIDE).zip(plane.chunks_exact(image.width)) {
                row.copy_from_slice(&line[left..left + SIDE]);
            }
            // Where the sensor was at its limits, noise is cut off.
            if patch.iter().filter(|v| **v <= 0.0 || **v >= 1.0).count() > SIZE / 8 {
                continue;
            }
            count += 1;
            for i in 0..SIZE {
                let a = f64::from(patch[i]);
                sum[i] += a;
                for (product, b) in products[i * SIZE..=i * SIZE + i].iter_mut().zip(&patch) {
                    *product += a * f64::from(*b);
                }
            }
        }
    }
    if count < 4 * SIZE {
        return 0.0;
    }
    let n = count as f64;
    let covariance = DMatrix::from_fn(SIZE, SIZE, |i, j| {
        let (high, low) = (i.max(j), i.min(j));
        products[high * SIZE + low] / n - sum[i] / n * (sum[j] / n)
    });
    let mut eigenvalues: Vec<f64> = covariance.symmetric_eigenvalues().iter().map(|v| v.max(0.0)).collect();
    eigenvalues.sort_by(f64::total_cmp);
    let mut total: f64 = eigenvalues.iter().sum();
    for kept in (1..=SIZE).rev() {
        let mean = total / kept as f64;
        let median = (eigenvalues[(kept - 1) / 2] + eigenvalues[kept / 2]) / 2.0;
        if mean <= median || kept == 1 {
            return mean.max(0.0).sqrt();
        }
        total -= eigenvalues[kept - 1];
    }
    0.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::image::{Depth, Layout, Metadata, Samples};

    /// A smooth picture with uniform noise of the given standard deviation (in 8-bit steps).
    fn noisy(sigma: f64) -> Image {
        let (width, height) = (320usize, 240usize);
        let mut state = 1u64;
        let mut uniform = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 40) as f64 / (1u64 << 24) as f64 - 0.5
        };
        let samples = (0..width * height * 3)
            .map(|i| {
                let (x, y) = ((i / 3 % width) as f64, (i / 3 / width) as f64);
                let clean = 128.0 + 50.0 * (x / 31.0).sin() + 40.0 * (y / 23.0).cos();
                (clean + uniform() * sigma * 12f64.sqrt()).round().clamp(0.0, 255.0) as u8
            })
            .collect();
        Image {
            width,
            height,
            layout: Layout::Rgb,
            samples: Samples::U8(samples),
            depth: Depth::Eight,
            metadata: Metadata::default(),
        }
    }

    #[test]
    fn the_noise_level_is_measured() {
        for sigma in [5.0, 15.0, 25.0] {
            let found = f64::from(estimate_sigma(&noisy(sigma))) * 255.0;
            assert!((found - sigma).abs() < 0.05 * sigma + 0.3, "{sigma}: {found}");
        }
        assert!(estimate_sigma(&noisy(0.0)) * 255.0 < 1.0);
    }

    #[test]
    fn tiny_pictures_have_no_measurable_noise() {
        let mut image = noisy(25.0);
        (image.width, image.height) = (1, 1);
        image.samples = Samples::U8(vec![1, 2, 3]);
        assert_eq!(estimate_sigma(&image), 0.0);
    }
}
