//! One tile of a picture at a time as planes of floats, and back. Only tiles become floats: a whole picture would take four
//! times its memory.

use super::{Image, Samples};
use std::ops::Range;

/// A rectangle of a picture, which may reach over its border.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tile {
    /// First row; negative above the picture.
    pub y: isize,
    /// First column; negative left of the picture.
    pub x: isize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

/// The index inside `0..len` that stands for `index`: beyond the border the picture is reflected about its outermost pixel,
/// again and again if it is smaller than the distance (`2 1 | 0 1 2 | 1 0`).
fn reflect(index: isize, len: usize) -> usize {
    if len <= 1 {
        return 0;
    }
    let period = 2 * (len as isize - 1);
    let folded = index.rem_euclid(period);
    folded.min(period - folded) as usize
}

impl Image {
    /// The colours of `tile` as `channels` planes, one after the other (the order of an NCHW tensor), each sample 0..=1. What
    /// lies over the border is reflected.
    ///
    /// Gray is repeated for 3 channels; of three colours the mean is taken for 1. Opacity is left out: see
    /// [`Image::alpha_tile_f32`] and [`fill_under_alpha`](super::fill_under_alpha).
    ///
    /// # Panics
    ///
    /// If `channels` is neither 1 nor 3.
    pub fn tile_f32(&self, tile: Tile, channels: usize) -> Vec<f32> {
        assert!(channels == 1 || channels == 3, "a picture has 1 or 3 colours, not {channels}");
        let colors = self.layout.colors();
        let mut planes = self.gather(tile, 0..colors);
        let plane = tile.width * tile.height;
        match (colors, channels) {
            (1, 3) => {
                planes.reserve_exact(2 * plane);
                planes.extend_from_within(..);
                planes.extend_from_within(..plane);
            }
            (3, 1) => {
                let (first, rest) = planes.split_at_mut(plane);
                let (second, third) = rest.split_at(plane);
                for ((a, b), c) in first.iter_mut().zip(second).zip(third) {
                    *a = (*a + b + c) / 3.0;
                }
                planes.truncate(plane);
            }
            _ => {}
        }
        planes
    }

    /// The opacity of `tile` as one plane, 0..=1; `None` for a picture without.
    pub fn alpha_tile_f32(&self, tile: Tile) -> Option<Vec<f32>> {
        let colors = self.layout.colors();
        self.layout.has_alpha().then(|| self.gather(tile, colors..colors + 1))
    }

    /// The middle of a picture, at most as large as it is, without its metadata.
    pub fn middle(&self, width: usize, height: usize) -> Image {
        let (width, height) = (width.min(self.width), height.min(self.height));
        let (x, y, stride) = ((self.width - width) / 2, (self.height - height) / 2, self.layout.channels());
        let rows = (y..y + height).map(|row| (row * self.width + x) * stride).map(|at| at..at + width * stride);
        let samples = match &self.samples {
            Samples::U8(samples) => Samples::U8(rows.flat_map(|row| &samples[row]).copied().collect()),
            Samples::U16(samples) => Samples::U16(rows.flat_map(|row| &samples[row]).copied().collect()),
        };
        Image { width, height, layout: self.layout, samples, depth: self.depth, metadata: super::Metadata::default() }
    }

    fn gather(&self, tile: Tile, channels: Range<usize>) -> Vec<f32> {
        match &self.samples {
            Samples::U8(samples) => self.gather_from(samples, tile, channels, |s| f32::from(s) / 255.0),
            Samples::U16(samples) => self.gather_from(samples, tile, channels, |s| f32::from(s) / 65_535.0),
        }
    }

    fn gather_from<T: Copy>(
        &self,
        samples: &[T],
        tile: Tile,
        channels: Range<usize>,
        to_float: impl Fn(T) -> f32 + Copy,
    ) -> Vec<f32> {
        let stride = self.layout.channels();
        let mut out = vec![0.0; channels.len() * tile.width * tile.height];
        // The columns that need no reflection are walked without a table.
        let left = (-tile.x).clamp(0, tile.width as isize) as usize;
        let inside = (self.width as isize - tile.x).clamp(left as isize, tile.width as isize) as usize;
        let border: Vec<(usize, usize)> = (0..left)
            .chain(inside..tile.width)
            .map(|column| (column, reflect(tile.x + column as isize, self.width) * stride))
            .collect();
        let plane = tile.width * tile.height;
        for row in 0..tile.height {
            let y = reflect(tile.y + row as isize, self.height);
            let source = &samples[y * self.width * stride..(y + 1) * self.width * stride];
            for (index, channel) in channels.clone().enumerate() {
                let at = index * plane + row * tile.width;
                let target = &mut out[at..at + tile.width];
                if inside > left {
                    let first = (tile.x + left as isize) as usize * stride + channel;
                    for (value, sample) in target[left..inside].iter_mut().zip(source[first..].iter().step_by(stride)) {
                        *value = to_float(*sample);
                    }
                }
                for &(column, at) in &border {
                    target[column] = to_float(source[at + channel]);
                }
            }
        }
        out
    }

    /// Puts colours back: `planes` holds `channels` planes of `tile`'s size as [`Image::tile_f32`] gave them, of which `part`
    /// (counted from the tile's corner) is stored; whatever of it lies outside the picture is left out. Values are clamped to
    /// 0..=1 and rounded; what is not a number becomes 0. Three channels become the gray of a gray picture as their mean; one
    /// channel becomes all three colours. Opacity stays.
    ///
    /// # Panics
    ///
    /// If `planes` is not as long as `channels` planes of `tile`, `channels` is neither 1 nor 3, or `part` reaches over the tile.
    pub fn put_tile_f32(&mut self, planes: &[f32], channels: usize, tile: Tile, part: Tile) {
        assert!(channels == 1 || channels == 3, "a picture has 1 or 3 colours, not {channels}");
        assert_eq!(planes.len(), channels * tile.width * tile.height, "planes of another size");
        assert!(
            part.y >= 0
                && part.x >= 0
                && part.y as usize + part.height <= tile.height
                && part.x as usize + part.width <= tile.width,
            "{part:?} is no part of {tile:?}"
        );
        let (width, height) = (self.width, self.height);
        let (stride, colors) = (self.layout.channels(), self.layout.colors());
        let scatter = Scatter { planes, channels, tile, part, width, height, stride, colors };
        match &mut self.samples {
            Samples::U8(samples) => scatter.put(samples, |v| (v * 255.0 + 0.5) as u8),
            Samples::U16(samples) => scatter.put(samples, |v| (v * 65_535.0 + 0.5) as u16),
        }
    }
}

/// Planes on their way into an interleaved picture.
struct Scatter<'a> {
    planes: &'a [f32],
    channels: usize,
    tile: Tile,
    part: Tile,
    width: usize,
    height: usize,
    stride: usize,
    colors: usize,
}

impl Scatter<'_> {
    /// `from_float` gets values above 0 and up to 1 with no other limits; a cast of what is not a number gives 0.
    fn put<T>(&self, samples: &mut [T], from_float: impl Fn(f32) -> T + Copy) {
        let Scatter { planes, channels, tile, part, .. } = *self;
        let plane = tile.width * tile.height;
        let clip = |start: isize, len: usize, limit: usize| {
            let skipped = (-start).clamp(0, len as isize) as usize;
            skipped..(limit as isize - start).clamp(skipped as isize, len as isize) as usize
        };
        let columns = clip(tile.x + part.x, part.width, self.width);
        if columns.is_empty() {
            return;
        }
        for row in clip(tile.y + part.y, part.height, self.height) {
            let y = (tile.y + part.y + row as isize) as usize;
            let x = (tile.x + part.x + columns.start as isize) as usize;
            let from = (part.y as usize + row) * tile.width + part.x as usize + columns.start;
            let target = &mut samples[(y * self.width + x) * self.stride..][..columns.len() * self.stride];
            let values = |channel: usize| &planes[channel * plane + from..][..columns.len()];
            if self.colors == 1 && channels == 3 {
                let rgb = values(0).iter().zip(values(1)).zip(values(2));
                for (sample, ((a, b), c)) in target.iter_mut().step_by(self.stride).zip(rgb) {
                    *sample = from_float(((a + b + c) / 3.0).clamp(0.0, 1.0));
                }
                continue;
            }
            for color in 0..self.colors {
                let values = values(color.min(channels - 1));
                for (sample, value) in target[color..].iter_mut().step_by(self.stride).zip(values) {
                    *sample = from_float(value.clamp(0.0, 1.0));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Depth, Layout};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reflection_as_drawn() {
        let drawn: Vec<_> = (-5..8).map(|i| reflect(i, 3)).collect();
        assert_eq!(drawn, [1, 0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2, 1]);
        assert!((-9..9).all(|i| reflect(i, 1) == 0));
    }

    #[test]
    fn gray_out_of_three_is_their_mean() {
        let mut image = Image::new(1, 1, Layout::GrayAlpha, Depth::Eight);
        let tile = Tile { y: 0, x: 0, height: 1, width: 1 };
        image.put_tile_f32(&[0.0, 0.3, 0.9], 3, tile, tile);
        assert_eq!(image.samples, Samples::U8(vec![102, 0]));
        image.put_tile_f32(&[f32::NAN], 1, tile, tile);
        assert_eq!(image.samples, Samples::U8(vec![0, 0]));
    }

    fn layouts() -> impl Strategy<Value = Layout> {
        prop_oneof![Just(Layout::Gray), Just(Layout::GrayAlpha), Just(Layout::Rgb), Just(Layout::Rgba)]
    }

    proptest! {
        #[test]
        fn every_sample_is_the_reflected_one(
            (width, height) in (1usize..7, 1usize..7), (y, x) in (-20isize..20, -20isize..20),
            (rows, columns) in (1usize..20, 1usize..20), layout in layouts(), sixteen: bool,
        ) {
            let mut image = Image::new(width, height, layout, if sixteen { Depth::Sixteen } else { Depth::Eight });
            match &mut image.samples {
                Samples::U8(s) => s.iter_mut().enumerate().for_each(|(i, s)| *s = i as u8),
                Samples::U16(s) => s.iter_mut().enumerate().for_each(|(i, s)| *s = i as u16 * 300),
            }
            let tile = Tile { y, x, height: rows, width: columns };
            let planes = image.tile_f32(tile, 3);
            let at = |c: usize, y: usize, x: usize| {
                let c = c.min(layout.colors() - 1);
                let i = (y * width + x) * layout.channels() + c;
                match &image.samples {
                    Samples::U8(s) => f32::from(s[i]) / 255.0,
                    Samples::U16(s) => f32::from(s[i]) / 65_535.0,
                }
            };
            for c in 0..3 {
                for r in 0..rows {
                    for k in 0..columns {
                        let expected = at(c, reflect(y + r as isize, height), reflect(x + k as isize, width));
                        prop_assert_eq!(planes[(c * rows + r) * columns + k], expected);
                    }
                }
            }
            // Put back into an empty picture, what lies inside is the same again.
            let mut back = Image::new(width, height, layout, image.depth);
            back.put_tile_f32(&planes, 3, tile, Tile { y: 0, x: 0, height: rows, width: columns });
            let inside = |r: usize, k: usize| {
                (y..y + rows as isize).contains(&(r as isize)) && (x..x + columns as isize).contains(&(k as isize))
            };
            for r in 0..height {
                for k in 0..width {
                    for c in 0..layout.colors() {
                        let i = (r * width + k) * layout.channels() + c;
                        let same = match (&back.samples, &image.samples) {
                            (Samples::U8(b), Samples::U8(s)) => b[i] == if inside(r, k) { s[i] } else { 0 },
                            (Samples::U16(b), Samples::U16(s)) => b[i] == if inside(r, k) { s[i] } else { 0 },
                            _ => false,
                        };
                        prop_assert!(same);
                    }
                }
            }
        }
    }
}
