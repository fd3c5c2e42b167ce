//! MATLAB's `imresize(picture, scale, 'bicubic')` with antialiasing: how the papers on upscaling make their small
//! pictures, so training and measuring must do the same.

use rayon::prelude::*;

/// Resizes planes `[channels, height, width]` to `[channels, ceil(height * scale), ceil(width * scale)]`.
/// Returns the planes with their new height and width.
pub fn imresize(planes: &[f32], height: usize, width: usize, scale: f64) -> (Vec<f32>, usize, usize) {
    let new_height = (height as f64 * scale).ceil() as usize;
    let new_width = (width as f64 * scale).ceil() as usize;
    let (rows, columns) = (taps(height, new_height, scale), taps(width, new_width, scale));
    let resized = planes
        .par_chunks(height * width)
        .flat_map_iter(|plane| {
            let tall = resize_rows(plane, width, &rows);
            resize_columns(&tall, width, &columns)
        })
        .collect();
    (resized, new_height, new_width)
}

/// For each output position, the input positions that make it and their weights.
type Taps = Vec<Vec<(usize, f32)>>;

fn taps(length: usize, new_length: usize, scale: f64) -> Taps {
    // Shrinking widens the kernel by the same factor: that is the antialiasing.
    let shrink = scale.min(1.0);
    let width = 4.0 / shrink;
    (0..new_length)
        .map(|i| {
            let centre = (i as f64 + 1.0) / scale + 0.5 * (1.0 - 1.0 / scale);
            let left = (centre - width / 2.0).floor() as i64;
            let weights: Vec<f64> =
                (0..width.ceil() as i64 + 2).map(|k| cubic(shrink * (centre - (left + k) as f64))).collect();
            let sum: f64 = weights.iter().sum();
            let position = |k: usize| mirror(left + k as i64 - 1, length);
            weights
                .iter()
                .enumerate()
                .filter(|(_, w)| **w != 0.0)
                .map(|(k, w)| (position(k), (w / sum) as f32))
                .collect()
        })
        .collect()
}

/// The cubic convolution kernel with a = -0.5 (Keys 1981, "Cubic convolution interpolation for digital image
/// processing").
fn cubic(x: f64) -> f64 {
    let x = x.abs();
    match x {
        _ if x <= 1.0 => 1.5 * x.powi(3) - 2.5 * x.powi(2) + 1.0,
        _ if x <= 2.0 => -0.5 * x.powi(3) + 2.5 * x.powi(2) - 4.0 * x + 2.0,
        _ => 0.0,
    }
}

/// The position that `index` shows when the picture is mirrored at its edges, edge pixels doubled.
fn mirror(index: i64, length: usize) -> usize {
    let index = index.rem_euclid(2 * length as i64) as usize;
    if index < length { index } else { 2 * length - 1 - index }
}

fn resize_rows(plane: &[f32], width: usize, rows: &Taps) -> Vec<f32> {
    let mut out = vec![0.0; rows.len() * width];
    for (row, taps) in out.chunks_mut(width).zip(rows) {
        for &(y, weight) in taps {
            let source = &plane[y * width..][..width];
            row.iter_mut().zip(source).for_each(|(o, v)| *o += weight * v);
        }
    }
    out
}

fn resize_columns(plane: &[f32], width: usize, columns: &Taps) -> Vec<f32> {
    let resize = |row: &[f32], taps: &[(usize, f32)]| taps.iter().map(|&(x, weight)| weight * row[x]).sum();
    plane.chunks(width).flat_map(|row| columns.iter().map(move |taps| resize(row, taps))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flat_picture_stays_flat() {
        for scale in [0.5, 1.0 / 3.0, 0.25, 2.0, 4.0] {
            let (resized, h, w) = imresize(&[0.3; 12 * 24], 12, 24, scale);
            assert_eq!((h, w), ((12.0 * scale).ceil() as usize, (24.0 * scale).ceil() as usize));
            assert!(resized.iter().all(|v| (v - 0.3).abs() < 1e-6));
        }
    }

    #[test]
    fn halving_weighs_as_matlab_does() {
        // imresize([0 0 0 0 1 0 0 0 0 0], 0.5, 'bicubic') along one axis.
        let mut row = [0.0f32; 10];
        row[4] = 1.0;
        let (resized, _, w) = imresize(&row.repeat(10), 10, 10, 0.5);
        let expected = [-0.01171875, 0.11328125, 0.43359375, -0.03515625, 0.0];
        for (got, want) in resized[..w].iter().zip(expected) {
            assert!((got - want).abs() < 1e-5, "{:?}", &resized[..w]);
        }
    }
}
