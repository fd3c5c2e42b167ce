//! What is needed to show a latent space: values along its axes, latents and pictures as planes.

use crate::media::Image;
use crate::media::image::Tile;

/// `steps` values along one axis of a latent space, rising: equal steps from `-range` to `range`; without a range, the middles of equal shares of
/// the standard normal distribution, so that each value stands for as many draws of the prior.
pub fn values(steps: usize, range: Option<f64>) -> Vec<f64> {
    let middle = |at: usize| (at as f64 + 0.5) / steps as f64;
    match range {
        Some(range) => (0..steps).map(|at| range * (2.0 * at as f64 / (steps.max(2) - 1) as f64 - 1.0)).collect(),
        None => (0..steps).map(|at| quantile(middle(at))).collect(),
    }
}

/// The value that a standard normal variable falls below with this probability (0 < p < 1), by bisection of the distribution.
pub fn quantile(probability: f64) -> f64 {
    let (mut low, mut high) = (-9.0, 9.0);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if distribution(middle) < probability { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

/// The probability that a standard normal variable is below `x`: `(1 + erf(x / sqrt 2)) / 2`, by the series of Marsaglia (2004, "Evaluating the
/// normal distribution", equation for Phi).
fn distribution(x: f64) -> f64 {
    if x.abs() > 8.0 {
        return if x > 0.0 { 1.0 } else { 0.0 };
    }
    let (mut sum, mut term, mut k) = (x, x, 3.0);
    while term.abs() > 1e-17 * sum.abs() && k < 400.0 {
        term *= x * x / k;
        sum += term;
        k += 2.0;
    }
    0.5 + sum * (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt()
}

/// A point as a small picture: its numbers in rows, from dark (-3) to bright (3), as large as a picture of `width` x `height`.
pub fn as_picture(point: &[f32], width: usize, height: usize) -> Vec<f32> {
    let columns = (1..=point.len()).find(|n| n * n >= point.len()).unwrap_or(1);
    let rows = point.len().div_ceil(columns);
    let value = |at: usize| {
        let (x, y) = (at % width * columns / width, at / width * rows / height);
        point.get(y * columns + x).map_or(1.0, |v| (v / 6.0 + 0.5).clamp(0.0, 1.0))
    };
    (0..width * height).map(value).collect()
}

/// Width and height of the largest picture of a shape within `most`, at least 1 each.
pub fn within((width, height): (usize, usize), most: (usize, usize)) -> (usize, usize) {
    let scaled = |side: usize, by: usize, of: usize| (side * by + of / 2) / of.max(1);
    match width * most.1 >= height * most.0 {
        true => (most.0, scaled(height, most.0, width).clamp(1, most.1.max(1))),
        false => (scaled(width, most.1, height).clamp(1, most.0.max(1)), most.1),
    }
}

/// A picture's colours as planes of 0..=1, in its own shape as large as `width` x `height` take it, without smoothing; white beside or above and below it.
pub fn fitted(picture: &Image, width: usize, height: usize) -> Vec<f32> {
    let whole = Tile { y: 0, x: 0, height: picture.height, width: picture.width };
    let channels = picture.layout.colors();
    let planes = picture.tile_f32(whole, channels);
    let (wide, high) = within((picture.width, picture.height), (width, height));
    let (left, top) = ((width - wide) / 2, (height - high) / 2);
    let value = |at: usize| {
        let (plane, at) = (at / (width * height), at % (width * height));
        let (x, y) = (at % width, at / width);
        if !(left..left + wide).contains(&x) || !(top..top + high).contains(&y) {
            return 1.0;
        }
        let (x, y) = ((x - left) * picture.width / wide, (y - top) * picture.height / high);
        planes[(plane * picture.height + y) * picture.width + x]
    };
    (0..channels * width * height).map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::image::{Depth, Layout, Samples};

    /// The round sign on a photo was an egg beside one of another shape.
    #[test]
    fn a_picture_keeps_its_shape() {
        assert_eq!(within((1200, 667), (450, 675)), (450, 250));
        assert_eq!(within((667, 1200), (450, 675)), (375, 675));
        assert_eq!(within((14, 14), (28, 28)), (28, 28));
        assert_eq!(within((10_000, 1), (100, 100)), (100, 1));
        let mut picture = Image::new(2, 1, Layout::Gray, Depth::Eight);
        picture.samples = Samples::U8(vec![0, 51]);
        let [o, h, w] = [0.0, 0.2, 1.0];
        assert_eq!(fitted(&picture, 4, 4), [[w; 4], [o, o, h, h], [o, o, h, h], [w; 4]].concat());
        assert_eq!(fitted(&picture, 4, 2), [[o, o, h, h]; 2].concat());
    }

    #[test]
    fn quantiles_are_those_of_the_normal_distribution() {
        for (probability, expected) in
            [(0.5, 0.0), (0.975, 1.959_963_985), (0.001, -3.090_232_306), (0.84134474607, 1.0)]
        {
            assert!((quantile(probability) - expected).abs() < 1e-6, "{probability}: {}", quantile(probability));
        }
        let values = values(4, Some(3.0));
        assert!(values.iter().zip([-3.0, -1.0, 1.0, 3.0]).all(|(a, b)| (a - b).abs() < 1e-9), "{values:?}");
    }
}
