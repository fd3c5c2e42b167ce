use burn::tensor::TensorData;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Normal};

use super::{Damage, Shape};
use crate::data::{SmallPictures, space_to_depth};

/// What one step learns from.
pub struct Batch {
    /// `[N, channels in, H, W]` as the network takes it
    pub damaged: TensorData,
    /// `[N, 4 C, S / 2, S / 2]`, in depth layout
    pub whole: TensorData,
    /// By how many points the damaged pictures were continued on each side.
    pub border: usize,
}

/// Points by which every fourth batch is continued on each side, mirrored: so do tiles continue a picture in use, where training
/// alone would have shown nothing beyond it but zeros. A multiple of what the network's levels divide by.
const BORDER: usize = 4;

impl Batch {
    /// Draws `count` pictures and damages them.
    pub fn draw(rng: &mut StdRng, pictures: &SmallPictures, shape: &Shape, count: usize) -> Self {
        let chosen = (0..count).map(|_| rng.random_range(0..pictures.len())).collect::<Vec<_>>();
        let images = chosen.into_iter().map(|index| pictures.draw(rng, index)).collect();
        let border = if rng.random_bool(0.25) { BORDER.min(pictures.side / 2 - 1) / 4 * 4 } else { 0 };
        Self::new(rng, images, pictures.side, shape, border)
    }

    /// The first `count` pictures, damaged the same way every time.
    pub fn of(pictures: &SmallPictures, shape: &Shape, count: usize) -> Self {
        let images = (0..count).map(|index| pictures.picture(index)).collect();
        Self::new(&mut StdRng::seed_from_u64(1), images, pictures.side, shape, 0)
    }

    fn new(rng: &mut StdRng, images: Vec<Vec<f32>>, side: usize, shape: &Shape, border: usize) -> Self {
        let (count, channels) = (images.len(), shape.channels);
        let (mut damaged, mut whole) = (Vec::new(), Vec::new());
        for planes in images {
            match shape.damage {
                // The border is counted in points of the network's finest level, half the size of the picture's.
                Damage::Noise => {
                    let noisy = mirrored(&noisy(rng, &planes), side, 2 * border);
                    let side = side + 4 * border;
                    damaged.extend(space_to_depth(&noisy, channels, side, side, 2));
                }
                Damage::Halving => damaged.extend(mirrored(&halved(&planes, side), side / 2, border)),
            }
            whole.extend(space_to_depth(&planes, channels, side, side, 2));
        }
        let half = side / 2 + 2 * border;
        Self {
            damaged: TensorData::new::<f32, _>(damaged, [count, shape.channels_in(), half, half]),
            whole: TensorData::new::<f32, _>(whole, [count, 4 * channels, side / 2, side / 2]),
            border,
        }
    }
}

/// Values of 0..1 with noise `N(0.5, 0.5)` added, clipped to 0..1.
pub fn noisy(rng: &mut StdRng, values: &[f32]) -> Vec<f32> {
    let noise = Normal::new(0.5f32, 0.5).expect("a positive deviation");
    values.iter().map(|value| (value + noise.sample(rng)).clamp(0.0, 1.0)).collect()
}

/// Square planes of `side` rows made half as large: the mean of each 2x2 pixels.
pub fn halved(planes: &[f32], side: usize) -> Vec<f32> {
    let half = side / 2;
    let planes = planes.chunks_exact(side * side);
    let mean = |plane: &[f32], at: usize| {
        let corner = at / half * 2 * side + at % half * 2;
        (plane[corner] + plane[corner + 1] + plane[corner + side] + plane[corner + side + 1]) / 4.0
    };
    planes.flat_map(|plane| (0..half * half).map(move |at| mean(plane, at))).collect()
}

/// Square planes continued by `border` on each side, mirrored about the outermost pixel.
fn mirrored(planes: &[f32], side: usize, border: usize) -> Vec<f32> {
    let inside = |at: usize| {
        let at = at.abs_diff(border);
        if at < side { at } else { 2 * (side - 1) - at }
    };
    let long = side + 2 * border;
    planes
        .chunks_exact(side * side)
        .flat_map(|plane| (0..long * long).map(move |at| plane[inside(at / long) * side + inside(at % long)]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halving_takes_means_and_mirrors_continue() {
        let planes: Vec<f32> = (0..16).map(|v| v as f32).collect();
        assert_eq!(halved(&planes, 4), [2.5, 4.5, 10.5, 12.5]);
        let row: Vec<f32> = mirrored(&planes, 4, 2)[16..24].to_vec();
        assert_eq!(row, [2.0, 1.0, 0.0, 1.0, 2.0, 3.0, 2.0, 1.0]);
    }
}
