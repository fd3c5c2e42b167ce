use burn::tensor::TensorData;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

use super::{CAMERA_LEVEL, MAX_SIGMA};
use crate::data::{Picture, camera, space_to_depth};

/// The share of squares that are gray, with the same noise in all three channels. Without them the network takes noise to
/// be what differs between the channels, and leaves all of it in a gray picture.
const GRAY_SHARE: f64 = 0.15;

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
            let sigma = (rng.random_range(0.0..MAX_SIGMA) / 255.0) as f32;
            let mut noise: Vec<f32> = square.iter().map(|_| sigma * gaussian(rng)).collect();
            if rng.random_bool(GRAY_SHARE) {
                make_gray(&mut square);
                make_equal(&mut noise);
            }
            let dirty: Vec<f32> = square.iter().zip(&noise).map(|(v, n)| v + n).collect();
            clean.extend(space_to_depth(&square, 3, side, side, 2));
            noisy.extend(space_to_depth(&dirty, 3, side, side, 2));
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

/// [`Batch::draw`] with what a camera and a JPEG file do to the squares; sigma is [`CAMERA_LEVEL`], since the network is not told.
pub fn draw_camera(rng: &mut StdRng, pictures: &[Picture], count: usize, side: usize) -> Batch {
    let (mut clean, mut dirty) = (Vec::new(), Vec::new());
    let whole = side + camera::MARGIN;
    for _ in 0..count {
        let picture = &pictures[rng.random_range(0..pictures.len())];
        let left = rng.random_range(0..=picture.width - whole);
        let top = rng.random_range(0..=picture.height - whole);
        let mut square = Vec::with_capacity(3 * whole * whole);
        picture.square(left, top, whole, rng.random_range(0..8), &mut square);
        if rng.random_bool(GRAY_SHARE) {
            make_gray(&mut square);
        }
        let square = camera::soften(rng, &camera::FULL_SIZE, &square, whole);
        let degraded = camera::degrade(rng, &square, whole);
        let corner = [rng.random_range(0..=camera::MARGIN), rng.random_range(0..=camera::MARGIN)];
        clean.extend(space_to_depth(&camera::inner(&square, whole, corner, side), 3, side, side, 2));
        dirty.extend(space_to_depth(&camera::inner(&degraded, whole, corner, side), 3, side, side, 2));
    }
    let shape = [count, 12, side / 2, side / 2];
    Batch {
        noisy: TensorData::new(dirty, shape),
        clean: TensorData::new(clean, shape),
        sigma: TensorData::new(vec![CAMERA_LEVEL; count], [count, 1, 1, 1]),
    }
}

/// Gives all three planes the luma of the picture.
fn make_gray(planes: &mut [f32]) {
    let plane = planes.len() / 3;
    for i in 0..plane {
        planes[i] = 0.299 * planes[i] + 0.587 * planes[plane + i] + 0.114 * planes[2 * plane + i];
    }
    make_equal(planes);
}

/// Copies the first of three planes to the others.
fn make_equal(planes: &mut [f32]) {
    let plane = planes.len() / 3;
    planes.copy_within(..plane, plane);
    planes.copy_within(..plane, 2 * plane);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_squares_are_gray_with_gray_noise_and_most_are_not() {
        let rgb = (0..128 * 128 * 3u32).map(|i| (i * 37 % 251) as u8).collect();
        let picture = Picture { path: "made-up".into(), width: 128, height: 128, rgb };
        let mut rng = StdRng::seed_from_u64(1);
        let batch = Batch::draw(&mut rng, &[picture], 200, 4);
        let gray = |data: &TensorData| {
            let values: Vec<f32> = data.iter::<f32>().collect();
            // Depth layout: channels 0, 1, 2 are red, green, blue of the first pixel of each 2x2 square.
            let equal = |square: &[f32]| (0..4).all(|i| square[i] == square[4 + i] && square[i] == square[8 + i]);
            values.chunks(12 * 4).map(equal).collect::<Vec<_>>()
        };
        let squares = gray(&batch.noisy);
        assert_eq!(squares, gray(&batch.clean));
        assert!((15..50).contains(&squares.iter().filter(|gray| **gray).count()));
    }
}
