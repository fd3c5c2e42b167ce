use burn::tensor::TensorData;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

use super::MAX_SIGMA;
use crate::data::{Picture, space_to_depth};

/// Squares of pictures with noise of random levels, all in depth layout: the network's arithmetic is the same there
/// and the shuffle costs nothing.
pub struct Batch {
    /// `[N, 12, side / 2, side / 2]`
    pub noisy: TensorData,
    /// As `noisy`, without noise.
    pub clean: TensorData,
    /// `[N, 1, 1, 1]`, the noise's deviation, 0..1.
    pub sigma: TensorData,
}

impl Batch {
    /// Draws `count` squares of `side` pixels in random orientation, with noise levels uniform in 0..[`MAX_SIGMA`].
    pub fn draw(rng: &mut StdRng, pictures: &[Picture], count: usize, side: usize) -> Self {
        let mut square = Vec::with_capacity(3 * side * side);
        let (mut clean, mut noisy, mut sigmas) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..count {
            let picture = &pictures[rng.random_range(0..pictures.len())];
            let left = rng.random_range(0..=picture.width - side);
            let top = rng.random_range(0..=picture.height - side);
            square.clear();
            picture.square(left, top, side, rng.random_range(0..8), &mut square);
            let depth = space_to_depth(&square, 3, side, side, 2);
            let sigma = (rng.random_range(0.0..MAX_SIGMA) / 255.0) as f32;
            noisy.extend(depth.iter().map(|v| v + sigma * gaussian(rng)));
            clean.extend(depth);
            sigmas.push(sigma);
        }
        let shape = [count, 12, side / 2, side / 2];
        Self {
            noisy: TensorData::new(noisy, shape),
            clean: TensorData::new(clean, shape),
            sigma: TensorData::new(sigmas, [count, 1, 1, 1]),
        }
    }
}

fn gaussian(rng: &mut StdRng) -> f32 {
    StandardNormal.sample(rng)
}

/// `planes` with white noise of deviation `sigma` (in 1/255), unclipped, the same for the same seed.
pub fn noisy(planes: &[f32], sigma: f64, seed: u64) -> Vec<f32> {
    let mut rng = StdRng::seed_from_u64(seed);
    let deviation = (sigma / 255.0) as f32;
    planes.iter().map(|v| v + deviation * gaussian(&mut rng)).collect()
}
