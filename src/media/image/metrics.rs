//! How alike two pictures are, by the numbers that papers use.

use super::{Image, Tile};
use crate::error::{Error, Kind, Result};

/// Peak signal-to-noise ratio in dB over all colours, for a peak of 1; infinite for equal pictures.
///
/// # Errors
/// Kind input: the pictures differ in size.
pub fn psnr(a: &Image, b: &Image) -> Result<f64> {
    same_size(a, b)?;
    // Row by row, so that no second copy in floats is needed.
    let mut sum = 0.0;
    for y in 0..a.height {
        let row = Tile { y: y as isize, x: 0, height: 1, width: a.width };
        sum += squares(&a.tile_f32(row, a.layout.colors()), &b.tile_f32(row, b.layout.colors()));
    }
    Ok(-10.0 * (sum / (a.height * a.width * a.layout.colors()) as f64).log10())
}

/// [`psnr`] of values of 0..1, equally many; infinite for equal ones.
pub fn psnr_values(a: &[f32], b: &[f32]) -> f64 {
    -10.0 * (squares(a, b) / a.len() as f64).log10()
}

fn squares(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum()
}

/// Side of the Gaussian window of [`ssim`], and its standard deviation, as in the paper.
const WINDOW: (usize, f64) = (11, 1.5);
/// Rows of windows that [`ssim`] works on at once, which bounds its memory.
const BAND: usize = 64;

/// Structural similarity, -1..1, the mean over all colours and places (Wang, Bovik, Sheikh and Simoncelli, "Image Quality Assessment: From
/// Error Visibility to Structural Similarity", IEEE TIP 2004): Gaussian window 11x11 of sigma 1.5, K1 = 0.01, K2 = 0.03.
///
/// # Errors
/// Kind input: the pictures differ in size, or are smaller than the window.
pub fn ssim(a: &Image, b: &Image) -> Result<f64> {
    same_size(a, b)?;
    let (height, width, colors) = (a.height, a.width, a.layout.colors());
    if height < WINDOW.0 || width < WINDOW.0 {
        return Err(Error::new(Kind::Input, "the pictures are smaller than the window of SSIM (11 x 11)"));
    }
    let rows = height - (WINDOW.0 - 1);
    let mut total = 0.0;
    for top in (0..rows).step_by(BAND) {
        let windows = BAND.min(rows - top);
        let band = Tile { y: top as isize, x: 0, height: windows + WINDOW.0 - 1, width };
        let (a, b) = (a.tile_f32(band, colors), b.tile_f32(band, colors));
        total += ssim_planes(&a, &b, band.height, width) * windows as f64;
    }
    Ok(total / rows as f64)
}

/// [`ssim`] of planes `[channels, height, width]` of 0..1, each side at least 11; the mean over the planes.
pub fn ssim_planes(a: &[f32], b: &[f32], height: usize, width: usize) -> f64 {
    let planes = a.chunks_exact(height * width).zip(b.chunks_exact(height * width));
    let scores: Vec<f64> = planes.map(|(a, b)| ssim_plane(a, b, width)).collect();
    scores.iter().sum::<f64>() / scores.len() as f64
}

fn ssim_plane(a: &[f32], b: &[f32], width: usize) -> f64 {
    let product =
        |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)).collect::<Vec<_>>();
    let plain = |x: &[f32]| x.iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
    let [mean_a, mean_b, aa, bb, ab] =
        [plain(a), plain(b), product(a, a), product(b, b), product(a, b)].map(|values| blur(&values, width));
    let (c1, c2) = (0.01f64.powi(2), 0.03f64.powi(2));
    let places = mean_a.len();
    let total: f64 = (0..places)
        .map(|i| {
            let (ma, mb) = (mean_a[i], mean_b[i]);
            let (va, vb, cov) = (aa[i] - ma * ma, bb[i] - mb * mb, ab[i] - ma * mb);
            (2.0 * ma * mb + c1) * (2.0 * cov + c2) / ((ma * ma + mb * mb + c1) * (va + vb + c2))
        })
        .sum();
    total / places as f64
}

/// Convolution with the Gaussian window where it fits wholly, rows then columns.
fn blur(values: &[f64], width: usize) -> Vec<f64> {
    let (side, sigma) = WINDOW;
    let weights: Vec<f64> =
        (0..side).map(|i| (-((i as f64 - (side / 2) as f64).powi(2)) / (2.0 * sigma * sigma)).exp()).collect();
    let total: f64 = weights.iter().sum();
    let out_width = width - side + 1;
    let rows: Vec<f64> = values
        .chunks_exact(width)
        .flat_map(|row| (0..out_width).map(|x| row[x..x + side].iter().zip(&weights).map(|(v, w)| v * w).sum::<f64>()))
        .map(|v| v / total)
        .collect();
    let height = rows.len() / out_width;
    let mut out = vec![0.0; (height - side + 1) * out_width];
    for (y, line) in out.chunks_exact_mut(out_width).enumerate() {
        for (k, weight) in weights.iter().enumerate() {
            for (value, above) in line.iter_mut().zip(&rows[(y + k) * out_width..]) {
                *value += above * weight / total;
            }
        }
    }
    out
}

fn same_size(a: &Image, b: &Image) -> Result<()> {
    if (a.width, a.height, a.layout.colors()) == (b.width, b.height, b.layout.colors()) {
        return Ok(());
    }
    let size = |i: &Image| format!("{}x{} with {} colours", i.width, i.height, i.layout.colors());
    Err(Error::new(Kind::Input, format!("the pictures differ in size: {} and {}", size(a), size(b))))
}

#[cfg(test)]
mod tests {
    use super::super::{Depth, Layout, Samples};
    use super::*;

    fn flat(value: u8) -> Image {
        let mut image = Image::new(16, 12, Layout::Rgb, Depth::Eight);
        image.samples = Samples::U8((0..16 * 12 * 3).map(|i| value + (i % 7) as u8).collect());
        image
    }

    #[test]
    fn a_known_difference_gives_the_known_number() {
        assert!((psnr(&flat(100), &flat(101)).unwrap() - 20.0 * 255f64.log10()).abs() < 1e-4);
        assert!(psnr(&flat(100), &flat(100)).unwrap().is_infinite());
        assert!((ssim(&flat(100), &flat(100)).unwrap() - 1.0).abs() < 1e-9);
        assert!(ssim(&flat(100), &flat(160)).unwrap() < 0.95);
        assert!(psnr(&flat(1), &Image::new(3, 3, Layout::Rgb, Depth::Eight)).is_err());
    }

    #[test]
    fn bands_give_what_the_whole_gives() {
        let (width, height) = (23, 2 * BAND + 17);
        let picture = |step: usize| {
            let mut image = Image::new(width, height, Layout::Rgb, Depth::Eight);
            image.samples = Samples::U8((0..width * height * 3).map(|i| (i * step % 251) as u8).collect());
            image
        };
        let (a, b) = (picture(7), picture(8));
        let whole = Tile { y: 0, x: 0, height, width };
        let at_once = ssim_planes(&a.tile_f32(whole, 3), &b.tile_f32(whole, 3), height, width);
        assert!((ssim(&a, &b).unwrap() - at_once).abs() < 1e-12);
    }
}
