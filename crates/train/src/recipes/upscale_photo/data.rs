use burn::tensor::TensorData;
use rand::RngExt;
use rand::rngs::StdRng;

use crate::data::{Picture, imresize, space_to_depth};

/// A picture and the same made small.
pub struct Pair {
    /// Sides are `scale` times those of `small`.
    pub large: Picture,
    /// Made by [`imresize`], rounded to 8 bits.
    pub small: Picture,
    /// How many times larger `large` is on each side.
    pub scale: usize,
}

impl Pair {
    /// Cuts `picture` to a multiple of `scale` and makes it small.
    pub fn new(picture: &Picture, scale: usize) -> Self {
        let (width, height) = (picture.width / scale * scale, picture.height / scale * scale);
        let large = picture.crop(0, 0, width, height);
        let (planes, height, width) = imresize(&large.planes(), height, width, 1.0 / scale as f64);
        let byte = |v: f32| (v.clamp(0.0, 1.0) * 255.0).round() as u8;
        let plane = height * width;
        let rgb = (0..plane * 3).map(|i| byte(planes[i % 3 * plane + i / 3])).collect();
        let small = Picture { path: picture.path.clone(), width, height, rgb };
        Self { large, small, scale }
    }
}

/// Squares of small pictures and their large counterparts.
pub struct Batch {
    /// `[N, 3, side, side]`
    pub small: TensorData,
    /// `[N, 3 * scale^2, side, side]`, in depth layout
    pub large: TensorData,
}

impl Batch {
    /// Draws `count` squares of `side` small pixels in random orientation.
    pub fn draw(rng: &mut StdRng, pairs: &[Pair], count: usize, side: usize) -> Self {
        let scale = pairs[0].scale;
        let (mut small, mut large) = (Vec::new(), Vec::new());
        let mut square = Vec::new();
        for _ in 0..count {
            let pair = &pairs[rng.random_range(0..pairs.len())];
            let left = rng.random_range(0..=pair.small.width - side);
            let top = rng.random_range(0..=pair.small.height - side);
            let turn = rng.random_range(0..8);
            pair.small.square(left, top, side, turn, &mut small);
            square.clear();
            pair.large.square(left * scale, top * scale, side * scale, turn, &mut square);
            large.extend(space_to_depth(&square, 3, side * scale, side * scale, scale));
        }
        Self {
            small: TensorData::new(small, [count, 3, side, side]),
            large: TensorData::new(large, [count, 3 * scale * scale, side, side]),
        }
    }
}
