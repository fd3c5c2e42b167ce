use burn::tensor::TensorData;
use rand::RngExt;
use rand::rngs::StdRng;

use super::Input;
use crate::data::{Picture, camera, imresize, space_to_depth};

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
    pub fn draw(rng: &mut StdRng, pairs: &[Pair], input: Input, count: usize, side: usize) -> Self {
        let scale = pairs[0].scale;
        let (mut small, mut large) = (Vec::new(), Vec::new());
        let whole = side + input.margin();
        let mut squares = [Vec::new(), Vec::new()];
        for _ in 0..count {
            let pair = &pairs[rng.random_range(0..pairs.len())];
            let left = rng.random_range(0..=pair.small.width - whole);
            let top = rng.random_range(0..=pair.small.height - whole);
            let turn = rng.random_range(0..8);
            squares.iter_mut().for_each(Vec::clear);
            pair.small.square(left, top, whole, turn, &mut squares[0]);
            pair.large.square(left * scale, top * scale, whole * scale, turn, &mut squares[1]);
            let mut corner = [0; 2];
            if input == Input::Camera {
                squares[0] = camera::degrade_small(rng, &squares[0], whole);
                corner = [rng.random_range(0..=camera::MARGIN), rng.random_range(0..=camera::MARGIN)];
            }
            small.extend(camera::inner(&squares[0], whole, corner, side));
            let large_square = camera::inner(&squares[1], whole * scale, corner.map(|at| at * scale), side * scale);
            large.extend(space_to_depth(&large_square, 3, side * scale, side * scale, scale));
        }
        Self {
            small: TensorData::new(small, [count, 3, side, side]),
            large: TensorData::new(large, [count, 3 * scale * scale, side, side]),
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::measure::psnr;

    #[test]
    fn a_photo_taken_by_a_camera_shows_the_place_of_its_large_counterpart() {
        // A smooth scene, so that noise and JPEG change it less than a shift by one pixel would.
        let rgb = (0..120 * 120 * 3).map(|i| (128.0 + 100.0 * ((i / 3 % 120) as f32 * 0.2).sin()) as u8).collect();
        let pair = Pair::new(&Picture { path: "made-up".into(), width: 120, height: 120, rgb }, 2);
        let mut rng = StdRng::seed_from_u64(3);
        for input in [Input::Clean, Input::Camera] {
            let batch = Batch::draw(&mut rng, std::slice::from_ref(&pair), input, 20, 24);
            let (small, large): (Vec<f32>, Vec<f32>) = (batch.small.iter().collect(), batch.large.iter().collect());
            // The mean of the four large pixels that belong to a small one.
            let plane = 24 * 24;
            let shrunk = (0..small.len()).map(|at| {
                let (example, channel, place) = (at / (3 * plane), at / plane % 3, at % plane);
                (0..4).map(|i| large[(example * 12 + i * 3 + channel) * plane + place]).sum::<f32>() / 4.0
            });
            let alike = psnr(&small, &shrunk.collect::<Vec<_>>());
            assert!(alike > if input == Input::Clean { 40.0 } else { 22.0 }, "{input:?}: {alike}");
        }
    }
}
