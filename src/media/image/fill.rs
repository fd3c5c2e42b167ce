//! Colour for pixels that have none to show.

use super::{Image, Samples};

/// Replaces the colour under fully transparent pixels by colour drawn from the visible neighbourhood, so that a model or a
/// resampler does not smear whatever garbage lay there into visible edges. Visible pixels, however faint, and opacity itself
/// stay. A picture without opacity, or without any visible pixel, is left alone.
///
/// Push-pull: colours weighted by opacity are averaged into smaller and smaller pictures until every pixel has seen a visible
/// one, then holes are filled from the next smaller picture. The pyramid takes about 1.33 / 4 of 16 bytes a pixel.
pub fn fill_under_alpha(image: &mut Image) {
    if !image.layout.has_alpha() {
        return;
    }
    let (width, height, channels) = (image.width, image.height, image.layout.channels());
    match &mut image.samples {
        Samples::U8(samples) => fill(samples, width, height, channels, f32::from, |v| (v + 0.5) as u8),
        Samples::U16(samples) => fill(samples, width, height, channels, f32::from, |v| (v + 0.5) as u16),
    }
}

/// One level: colours times weight (unused channels stay 0), and the weight, 0..=1.
struct Level {
    width: usize,
    height: usize,
    pixels: Vec<[f32; 4]>,
}

fn fill<T: Copy + Default + PartialEq>(
    samples: &mut [T],
    width: usize,
    height: usize,
    channels: usize,
    to_float: impl Fn(T) -> f32,
    from_float: impl Fn(f32) -> T,
) {
    let colors = channels - 1;
    let is_hole = |pixel: &[T]| pixel[colors] == T::default();
    if !samples.chunks_exact(channels).any(is_hole) || samples.chunks_exact(channels).all(is_hole) {
        return;
    }
    let first = halve(width, height, |x, y| {
        let pixel = &samples[(y * width + x) * channels..][..channels];
        let mut sum = [0.0; 4];
        if !is_hole(pixel) {
            for (sum, &color) in sum.iter_mut().zip(&pixel[..colors]) {
                *sum = to_float(color);
            }
            sum[3] = 1.0;
        }
        sum
    });
    let mut levels = vec![first];
    while let Some(last) = levels.last().filter(|l| l.pixels.iter().any(|p| p[3] == 0.0)) {
        let smaller = halve(last.width, last.height, |x, y| last.pixels[y * last.width + x]);
        levels.push(smaller);
    }
    for level in (1..levels.len()).rev() {
        let (finer, coarser) = levels.split_at_mut(level);
        let finer = &mut finer[level - 1];
        for y in 0..finer.height {
            for x in 0..finer.width {
                let pixel = &mut finer.pixels[y * finer.width + x];
                if pixel[3] == 0.0 {
                    *pixel = sample(&coarser[0], x, y);
                }
            }
        }
    }
    for y in 0..height {
        for x in 0..width {
            let pixel = &mut samples[(y * width + x) * channels..][..channels];
            if is_hole(pixel) {
                let filled = sample(&levels[0], x, y);
                for (color, value) in pixel[..colors].iter_mut().zip(filled) {
                    *color = from_float(value);
                }
            }
        }
    }
}

/// A level of half the size: the mean of each 2 x 2, weighted.
fn halve(width: usize, height: usize, at: impl Fn(usize, usize) -> [f32; 4]) -> Level {
    let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
    let mut pixels = Vec::with_capacity(half_width * half_height);
    for y in 0..half_height {
        for x in 0..half_width {
            let mut sum = [0.0; 4];
            for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                if 2 * x + dx < width && 2 * y + dy < height {
                    let pixel = at(2 * x + dx, 2 * y + dy);
                    for c in 0..3 {
                        sum[c] += pixel[c] * pixel[3];
                    }
                    sum[3] += pixel[3];
                }
            }
            if sum[3] > 0.0 {
                let weight = sum[3];
                sum.iter_mut().for_each(|s| *s /= weight);
            }
            pixels.push(sum);
        }
    }
    Level { width: half_width, height: half_height, pixels }
}

/// The colour that a filled level has at a pixel of the level twice as fine, interpolated, so that no blocks show.
fn sample(level: &Level, x: usize, y: usize) -> [f32; 4] {
    // The four nearest, with weights 9, 3, 3, 1 sixteenths: bilinear interpolation at a quarter's distance.
    let near = |i: usize, len: usize| {
        let other = if i.is_multiple_of(2) { (i / 2).saturating_sub(1) } else { (i / 2 + 1).min(len - 1) };
        [(i / 2, 0.75), (other, 0.25)]
    };
    let mut sum = [0.0; 4];
    for (sy, wy) in near(y, level.height) {
        for (sx, wx) in near(x, level.width) {
            let pixel = level.pixels[sy * level.width + sx];
            let weight = wx * wy * pixel[3];
            for c in 0..3 {
                sum[c] += pixel[c] * weight;
            }
            sum[3] += weight;
        }
    }
    if sum[3] > 0.0 {
        let weight = sum[3];
        sum.iter_mut().for_each(|s| *s /= weight);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::super::{Depth, Layout};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_visible_pixel_colours_all() {
        let mut image = Image::new(37, 19, Layout::Rgba, Depth::Eight);
        let Samples::U8(samples) = &mut image.samples else { panic!() };
        samples.chunks_mut(4).for_each(|p| p.copy_from_slice(&[0, 255, 0, 0]));
        samples[400..404].copy_from_slice(&[200, 100, 50, 1]);
        fill_under_alpha(&mut image);
        let Samples::U8(samples) = &image.samples else { panic!() };
        assert!(samples.chunks(4).all(|p| p[..3] == [200, 100, 50]));
        assert_eq!(samples.chunks(4).filter(|p| p[3] == 1).count(), 1);
    }

    proptest! {
        #[test]
        fn visible_pixels_stay_and_filled_ones_lie_between(
            width in 1usize..20, height in 1usize..20, seed in proptest::collection::vec((any::<u16>(), any::<bool>()), 400),
        ) {
            let mut image = Image::new(width, height, Layout::GrayAlpha, Depth::Sixteen);
            let pixels: Vec<_> = seed[..width * height].to_vec();
            image.samples = Samples::U16(pixels.iter().flat_map(|&(v, visible)| [v, u16::from(visible)]).collect());
            let visible: Vec<u16> = pixels.iter().filter(|p| p.1).map(|p| p.0).collect();
            fill_under_alpha(&mut image);
            let Samples::U16(filled) = &image.samples else { panic!() };
            for (filled, &(before, shown)) in filled.chunks(2).zip(&pixels) {
                prop_assert_eq!(filled[1], u16::from(shown));
                if shown || visible.is_empty() {
                    prop_assert_eq!(filled[0], before);
                } else {
                    let (low, high) = (visible.iter().min(), visible.iter().max());
                    prop_assert!(low.is_some_and(|l| filled[0].saturating_add(1) >= *l) && high.is_some_and(|h| filled[0] <= h.saturating_add(1)));
                }
            }
        }
    }
}
