//! Depth and layout of a picture, changed without going through floats.

use super::{Depth, Image, Layout, Samples};
use std::borrow::Cow;

/// 0..=255 to 0..=65535, exactly: 255 becomes 65535.
pub(super) const fn widen(sample: u8) -> u16 {
    sample as u16 * 257
}

/// 0..=65535 to the nearest of 0..=255.
pub(super) const fn narrow(sample: u16) -> u8 {
    ((sample as u32 + 128) / 257) as u8
}

impl Samples {
    /// Number of values.
    pub fn len(&self) -> usize {
        match self {
            Samples::U8(samples) => samples.len(),
            Samples::U16(samples) => samples.len(),
        }
    }

    /// Whether there are no values; a sound picture has some.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How they are held in memory.
    pub fn depth(&self) -> Depth {
        match self {
            Samples::U8(_) => Depth::Eight,
            Samples::U16(_) => Depth::Sixteen,
        }
    }

    /// `len` zeros of `depth`.
    pub fn zeros(depth: Depth, len: usize) -> Samples {
        match depth {
            Depth::Eight => Samples::U8(vec![0; len]),
            Depth::Sixteen => Samples::U16(vec![0; len]),
        }
    }
}

impl Image {
    /// A black, transparent picture held at `depth`, with no metadata.
    pub fn new(width: usize, height: usize, layout: Layout, depth: Depth) -> Image {
        let samples = Samples::zeros(depth, width * height * layout.channels());
        Image { width, height, layout, samples, depth, metadata: Default::default() }
    }

    /// The same picture with its samples held at `depth`, 16 bits rounded to the nearest of 8. The `depth` field, which speaks of
    /// the file, stays.
    #[must_use]
    pub fn to_depth(mut self, depth: Depth) -> Image {
        self.samples = match (self.samples, depth) {
            (Samples::U8(s), Depth::Sixteen) => Samples::U16(s.into_iter().map(widen).collect()),
            (Samples::U16(s), Depth::Eight) => Samples::U8(s.into_iter().map(narrow).collect()),
            (same, _) => same,
        };
        self
    }

    /// The same picture with its samples held at 16 bits, so that several stages in a row do not each round to 8.
    #[must_use]
    pub fn to_sixteen(self) -> Image {
        self.to_depth(Depth::Sixteen)
    }

    /// The samples at 8 bits, copied only if they are not.
    pub(super) fn eight(&self) -> Cow<'_, [u8]> {
        match &self.samples {
            Samples::U8(samples) => Cow::Borrowed(samples),
            Samples::U16(samples) => Cow::Owned(samples.iter().copied().map(narrow).collect()),
        }
    }

    /// The samples at 16 bits, copied only if they are not.
    pub(super) fn sixteen(&self) -> Cow<'_, [u16]> {
        match &self.samples {
            Samples::U8(samples) => Cow::Owned(samples.iter().copied().map(widen).collect()),
            Samples::U16(samples) => Cow::Borrowed(samples),
        }
    }
}

/// Colours over white where they are transparent; the alpha channel is gone. `channels` counts it: 2 or 4.
pub(super) fn over_white(samples: &[u8], channels: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(samples.len() / channels * (channels - 1));
    for pixel in samples.chunks_exact(channels) {
        let (colors, alpha) = pixel.split_at(channels - 1);
        let alpha = u32::from(alpha[0]);
        out.extend(colors.iter().map(|&c| ((u32::from(c) * alpha + 255 * (255 - alpha) + 127) / 255) as u8));
    }
    out
}

/// Gray and alpha as red, green, blue and alpha.
pub(super) fn gray_alpha_to_rgba(samples: &[u8]) -> Vec<u8> {
    samples.as_chunks().0.iter().flat_map(|&[gray, alpha]| [gray, gray, gray, alpha]).collect()
}

/// One channel where all three are equal.
pub(super) fn rgb_to_gray(samples: &[u8]) -> Vec<u8> {
    samples.as_chunks::<3>().0.iter().map(|pixel| pixel[0]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widening_and_narrowing_agree() {
        assert!((0..=255).all(|v| narrow(widen(v)) == v));
        for v in 0..=65535_u16 {
            let exact = f64::from(v) / 257.0;
            assert!((f64::from(narrow(v)) - exact).abs() <= 0.5, "{v}");
        }
    }

    #[test]
    fn white_shows_through() {
        assert_eq!(
            over_white(&[10, 20, 30, 0, 10, 20, 30, 255, 0, 0, 0, 128], 4),
            [255, 255, 255, 10, 20, 30, 127, 127, 127]
        );
    }
}
