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

/// A picture's colours as planes of 0..=1, stretched to `width` x `height` without smoothing.
pub fn stretched(picture: &Image, width: usize, height: usize) -> Vec<f32> {
    let whole = Tile { y: 0, x: 0, height: picture.height, width: picture.width };
    let channels = picture.layout.colors();
    let planes = picture.tile_f32(whole, channels);
    let value = |at: usize| {
        let (plane, at) = (at / (width * height), at % (width * height));
        let (x, y) = (at % width * picture.width / width, at / width * picture.height / height);
        planes[(plane * picture.height + y) * picture.width + x]
    };
    (0..channels * width * height).map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
