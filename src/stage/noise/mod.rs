//! How noisy is a picture that nobody tells us of?
//!
//! White noise is as strong in the fast waves of a picture as in the slow ones, while what the picture shows is mostly slow. So patches of
//! 8x8 are taken apart into waves (a cosine transform); the patches with the least in their slow waves show the least, and what their fast
//! waves hold is noise. Choosing by some waves and measuring by others keeps the choice from favouring patches whose noise happens to be
//! weak, since the waves of white noise are independent: Ponomarenko, Lukin, Zriakhov, Kaarna and Astola, "An Automatic Approach to Lossy
//! Compression of AVIRIS Images", IGARSS 2007. That the choice may widen until patches of noise alone would be left out is from Liu, Tanaka
//! and Okutomi, "Single-Image Noise Level Estimation for Blind Denoising", TIP 2013.
//!
//! In a colour picture the differences of the colours are measured, because even fine texture is of one colour and vanishes in them: a
//! clean photo holds less than one step of 255 there. Where the noise is itself without colour (a gray picture stored in colour, or a JPEG
//! that keeps colour at half the size), and in a gray picture, the luminance must do; some texture is left in it, but it fades towards the
//! fastest waves, which noise does not, and by that is told from it.

mod patches;
mod waves;

use crate::media::Image;
use patches::{Patch, SIDE, clipped_little, patches};
use waves::{FAST_WAVES, SLOW_WAVES};

/// Fewer patches than this are never chosen, as long as there are as many.
const FEWEST: usize = 300;

/// The part of the fast waves, the weakest, that luminance is measured by.
const WEAKEST: usize = FAST_WAVES / 3;

/// Below this standard deviation a picture counts as clean: nearly all photos with no noise added measure less (most of them less than
/// half a step), and at this level a denoiser does as much harm as good.
const CLEAN: f64 = 2.0 / 255.0;
/// Noise without colour is believed from here on, and if it is [`COLORLESS_RATIO`] times the noise in the colour differences: the luminance
/// of clean photos, finely textured ones included, measures up to 5.8 steps.
const COLORLESS: f64 = 6.5 / 255.0;
/// See [`COLORLESS`].
const COLORLESS_RATIO: f64 = 2.0;
/// If less than one patch in so many is within the range, what is at the limits decides: see [`STROKES`].
const NARROW: usize = 200;
/// There the fast waves of the median patch are at most 1.16 times as strong as the noise, which is cut off, and those of text on a black
/// or white page, most of them, 1.2 to 6 times as strong as those of the few patches that were measured.
const STROKES: f64 = 1.2;
/// How much of what the median of the fast waves holds more than the weakest is taken off the weakest, for the texture that is left in
/// them. Fitted on gray photos with known noise.
const TEXTURE: f64 = 1.0;

/// Standard deviation of the noise in 0..1 (that of 8-bit values over 255), as of white noise that is independent in each colour. 0 for a
/// clean picture (below 2 of 255), and for one too small to tell or that is none ([`Image::check`]).
///
/// Noise that is the same in all colours gives the deviation of independent noise with as much luminance, which is up to `3.sqrt()` times
/// its own: a denoiser made for the one needs to be told that much to take the other away.
pub fn estimate_sigma(image: &Image) -> f32 {
    if image.width < 2 * SIDE || image.height < 2 * SIDE || image.check().is_err() {
        return 0.0;
    }
    let mut patches = patches(image);
    // Where the sensor was at its limits, noise is cut off. In a picture that is like that all over, the best there is must do.
    patches.sort_by_key(|patch| patch.clipped);
    let colors = image.layout.colors();
    let open = clipped_little(&patches, colors);
    let chosen = &patches[..open.max(3 * FEWEST).min(patches.len())];
    let sigma = match colors {
        1 => luminance(chosen),
        _ => {
            let (gray, color) = (luminance(chosen), color_difference(chosen));
            if gray > COLORLESS && gray > COLORLESS_RATIO * color { gray } else { color }
        }
    };
    let text = NARROW * open < patches.len() && usual(&patches) > STROKES * sigma;
    if sigma < CLEAN || text { 0.0 } else { sigma as f32 }
}

/// The deviation in the colour differences, in the fifth of the patches that shows the least.
fn color_difference(patches: &[Patch]) -> f64 {
    let slow: Vec<f32> = patches.iter().map(|patch| patch.slow).collect();
    let limit = smallest(slow, patches.len() / 5);
    let chosen = patches.iter().filter(|patch| patch.slow <= limit);
    let (sum, count) = chosen.fold((0.0, 0usize), |(sum, count), patch| (sum + f64::from(patch.color), count + 1));
    (sum / count.max(1) as f64).sqrt()
}

/// The deviation in luminance, in the twentieth of the patches that shows the least, and in all others that may be noise alone.
fn luminance(patches: &[Patch]) -> f64 {
    let slow: Vec<f32> = patches.iter().map(|patch| patch.slow_gray).collect();
    let mut limit = smallest(slow, patches.len() / 20);
    let mut variance = 0.0;
    for _ in 0..3 {
        let mut waves = [0.0f64; FAST_WAVES];
        let mut count = 0usize;
        for patch in patches.iter().filter(|patch| patch.slow_gray <= limit) {
            waves.iter_mut().zip(&patch.gray).for_each(|(sum, square)| *sum += f64::from(*square));
            count += 1;
        }
        waves.iter_mut().for_each(|sum| *sum /= count.max(1) as f64);
        waves.sort_by(f64::total_cmp);
        let weakest = waves[..WEAKEST].iter().sum::<f64>() / WEAKEST as f64;
        // The median, since one regular pattern may hold all its strength in a few waves.
        variance = weakest - TEXTURE * (waves[FAST_WAVES / 2] - weakest);
        // The slow waves of noise alone spread by a third of their mean (1 / sqrt(10)): 9 of 10 such patches are within this.
        limit = limit.max((1.4 * weakest) as f32 * SLOW_WAVES as f32);
    }
    variance.max(0.0).sqrt()
}

/// The deviation of luminance in the fast waves of the median patch.
fn usual(patches: &[Patch]) -> f64 {
    let strengths = patches.iter().map(|patch| patch.gray.iter().sum::<f32>() / FAST_WAVES as f32).collect();
    f64::from(smallest(strengths, patches.len() / 2)).sqrt()
}

/// The `count`th smallest value, with a `count` of at least [`FEWEST`] and at most all.
fn smallest(mut values: Vec<f32>, count: usize) -> f32 {
    match values.len() {
        0 => 0.0,
        len => *values.select_nth_unstable_by(count.max(FEWEST).min(len) - 1, f32::total_cmp).1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::image::{Depth, Layout, Metadata, Samples};

    /// Gaussian noise of deviation 1, near enough: the sum of 12 even ones.
    fn gaussian() -> impl FnMut() -> f64 {
        let mut state = 1u64;
        move || {
            let mut even = || {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                (state >> 40) as f64 / (1u64 << 24) as f64 - 0.5
            };
            (0..12).map(|_| even()).sum()
        }
    }

    /// A picture of what `shade` tells of (column, row, channel), in 8-bit steps.
    fn picture(layout: Layout, side: usize, depth: Depth, mut shade: impl FnMut(usize, usize, usize) -> f64) -> Image {
        let channels = layout.channels();
        let values = (0..side * side * channels)
            .map(|i| shade(i / channels % side, i / channels / side, i % channels).clamp(0.0, 255.0));
        let samples = match depth {
            Depth::Eight => Samples::U8(values.map(|v| v.round() as u8).collect()),
            _ => Samples::U16(values.map(|v| (v * 257.0).round() as u16).collect()),
        };
        Image { width: side, height: side, layout, samples, depth, metadata: Metadata::default() }
    }

    /// Soft shapes, and a fine texture without colour in half of the picture.
    fn shapes(x: usize, y: usize, channel: usize) -> f64 {
        let (x, y) = (x as f64, y as f64);
        let fine = if x > 128.0 { 15.0 * (x * 1.1).sin() * (y * 0.8 + (x / 9.0).sin()).cos() } else { 0.0 };
        120.0 + 35.0 * (x / 31.0 + channel as f64).sin() + 30.0 * (y / 23.0).cos() + fine
    }

    fn found(image: &Image) -> f64 {
        f64::from(estimate_sigma(image)) * 255.0
    }

    #[test]
    fn the_noise_level_is_measured() {
        for (layout, depth) in
            [(Layout::Rgb, Depth::Eight), (Layout::Rgb, Depth::Sixteen), (Layout::Gray, Depth::Eight)]
        {
            for sigma in [3.0, 5.0, 15.0, 25.0, 40.0] {
                let mut noise = gaussian();
                let image = picture(layout, 256, depth, |x, y, c| shapes(x, y, c) + sigma * noise());
                let found = found(&image);
                assert!((found - sigma).abs() < 0.06 * sigma + 0.15, "{layout:?} {depth:?} {sigma}: {found}");
            }
        }
    }

    #[test]
    fn a_clean_picture_has_none() {
        for layout in [Layout::Rgb, Layout::Gray] {
            for depth in [Depth::Eight, Depth::Sixteen] {
                assert_eq!(found(&picture(layout, 256, depth, shapes)), 0.0, "{layout:?} {depth:?}");
                for shade in [0.0, 99.0, 255.0] {
                    assert_eq!(
                        found(&picture(layout, 64, depth, |_, _, _| shade)),
                        0.0,
                        "{layout:?} {depth:?} {shade}"
                    );
                }
            }
        }
        let mut noise = gaussian();
        let faint = picture(Layout::Rgb, 256, Depth::Eight, |x, y, c| shapes(x, y, c) + 1.5 * noise());
        assert_eq!(found(&faint), 0.0);
    }

    #[test]
    fn noise_beside_crushed_black_and_burnt_white_is_measured_and_text_has_none() {
        for (layout, limit) in [(Layout::Rgb, 0.0), (Layout::Gray, 0.0), (Layout::Rgb, 255.0)] {
            let mut noise = gaussian();
            let shade = |x: usize, y: usize, c| if x < 128 { limit } else { shapes(x, y, c) + 15.0 * noise() };
            let found = found(&picture(layout, 256, Depth::Eight, shade));
            assert!((found - 15.0).abs() < 1.5, "{layout:?} {limit}: {found}");
        }
        // Strokes with soft edges on a white page, and on a black one.
        for [paper, ink] in [[255.0, 0.0], [0.0, 255.0]] {
            let page = picture(Layout::Rgb, 512, Depth::Eight, |x, y, _| match (x * 7 + y / 24 * 13) % 31 {
                0..4 if y % 24 < 12 => ink,
                4 if y % 24 < 12 => (paper + ink) / 2.0 + (y % 5) as f64,
                _ => paper,
            });
            assert_eq!(found(&page), 0.0, "{paper} {ink}");
        }
    }

    /// A third of such pages measured up to 36 steps: no patch is of the paper alone, and the few with the least in their slow waves hold parts
    /// of letters that look like noise.
    #[test]
    fn dense_text_has_none() {
        for [paper, ink] in [[255.0, 0.0], [0.0, 255.0], [240.0, 20.0], [30.0, 212.0]] {
            for layout in [Layout::Gray, Layout::Rgb] {
                // Strokes of different widths and shades, no two letters alike.
                let stroke = |x: usize, y: usize| {
                    let letter = (x / 6 * 2_654_435_761 + y / 9 * 40_503) >> 3;
                    let part = (letter >> (x % 6 * 3 + y % 9)) & 7;
                    if x.is_multiple_of(6) || y % 9 > 6 { 0.0 } else { [0.0, 0.0, 0.0, 0.0, 0.3, 0.7, 1.0, 1.0][part] }
                };
                let page = picture(layout, 512, Depth::Eight, |x, y, _| paper + (ink - paper) * stroke(x, y));
                assert_eq!(found(&page), 0.0, "{layout:?} {ink} on {paper}");
            }
        }
    }

    /// It measured clean, or too weak: hardly a patch of it is without any sample at the limits.
    #[test]
    fn strong_noise_beside_much_white_or_black_is_measured() {
        for (layout, limit) in [(Layout::Rgb, 0.0), (Layout::Gray, 0.0), (Layout::Rgb, 255.0), (Layout::Gray, 255.0)] {
            for sigma in [30.0, 40.0, 50.0] {
                let mut noise = gaussian();
                let shade = |x: usize, y: usize, c| if x < 128 { limit } else { shapes(x, y, c) + sigma * noise() };
                let found = found(&picture(layout, 256, Depth::Eight, shade));
                assert!((found - sigma).abs() < 0.1 * sigma, "{layout:?} {limit} {sigma}: {found}");
            }
        }
    }

    #[test]
    fn noise_without_color_is_seen_in_a_color_picture() {
        let mut noise = gaussian();
        let gray: Vec<f64> = (0..256 * 256).map(|_| 15.0 * noise()).collect();
        let image = picture(Layout::Rgb, 256, Depth::Eight, |x, y, c| shapes(x, y, c) + gray[y * 256 + x]);
        let (found, expected) = (found(&image), 15.0 * 3f64.sqrt());
        assert!((found - expected).abs() < 0.06 * expected, "{found}");
    }

    #[test]
    fn borders_and_transparency_do_not_count() {
        let mut noise = gaussian();
        let image = picture(Layout::Rgba, 256, Depth::Eight, |x, y, channel| match (x, y, channel) {
            (..64, _, 3) => 0.0,
            (.., 3) => 255.0,
            (..64, ..) => 77.0 + (x % 2) as f64,
            (_, ..32, _) => 50.0,
            _ => shapes(x, y, channel) + 10.0 * noise(),
        });
        let found = found(&image);
        assert!((found - 10.0).abs() < 0.5, "{found}");
    }

    #[test]
    fn tiny_and_dark_pictures_do_no_harm() {
        let mut noise = gaussian();
        for side in [1, 7, 15] {
            assert_eq!(found(&picture(Layout::Rgb, side, Depth::Eight, |_, _, _| 100.0 + 25.0 * noise())), 0.0);
        }
        for layout in [Layout::Rgb, Layout::Gray] {
            let small = found(&picture(layout, 16, Depth::Eight, |_, _, _| 100.0 + 25.0 * noise()));
            assert!((8.0..35.0).contains(&small), "{layout:?} {small}");
            // Half of the noise is cut off here: too little is found, but some.
            let dark = found(&picture(layout, 128, Depth::Eight, |_, _, _| 25.0 * noise()));
            assert!((8.0..26.0).contains(&dark), "{layout:?} {dark}");
        }
    }
}
