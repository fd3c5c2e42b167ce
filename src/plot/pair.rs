//! Two pictures of one size side by side under their names; below each the squares in which the two differ most, larger, and each of those in a frame
//! of a colour that is drawn about its place in the whole picture too.

use super::write_line;
use crate::error::{Error, Kind, Result};
use crate::media::Image;
use crate::media::image::{Depth, Filter, Layout, Metadata, Samples, Tile, resize_with};

/// The longer side of a picture shown whole, at most: one that is larger is made smaller, but its crops are not.
const LARGEST: usize = 2048;

/// Side of a crop at least, where the picture has as much, how many there are at most, how many times larger they are shown at least and at most, and
/// how many times if the crop can be chosen for it.
const CROP: usize = 96;
const CROPS: usize = 3;
const ZOOM: (usize, usize) = (2, 8);
const GOOD_ZOOM: usize = 4;

/// Colours of the frames: of Paul Tol's "vibrant" scheme those that are seen on dark and on bright pictures.
const FRAMES: [[u8; 3]; CROPS] = [[0xee, 0x77, 0x33], [0x33, 0xbb, 0xee], [0xee, 0x33, 0x77]];

/// The least width of a column, so that its name can be read, and the height of letters.
const COLUMN: usize = 160;
const LETTERS: (usize, usize) = (18, 160);

/// Where everything lies, in pixels.
#[derive(Debug, Clone, Copy)]
struct Form {
    /// The picture as it is shown whole.
    width: usize,
    height: usize,
    /// How much smaller that is than the picture itself.
    scale: f64,
    /// Side of a crop in the picture, how many, how many times larger.
    side: usize,
    count: usize,
    zoom: usize,
    /// Height of letters, and what they and their distance to the picture take.
    letters: usize,
    line: usize,
    /// Thickness of frames, and what lies between the parts and around all.
    thick: usize,
    gap: usize,
    /// Width of what belongs to one picture.
    column: usize,
}

impl Form {
    fn of(whole_width: usize, whole_height: usize) -> Form {
        let scale = (LARGEST as f64 / whole_width.max(whole_height) as f64).min(1.0);
        let [width, height] = [whole_width, whole_height].map(|side| ((side as f64 * scale).round() as usize).max(1));
        // The sheet of a large picture is looked at from far away.
        let letters = (width / 40).min(height / 6).clamp(LETTERS.0, LETTERS.1);
        let thick = (letters / 8).max(2);
        let gap = 4 * thick;
        let shorter = whole_width.min(whole_height);
        let least = CROP.min(shorter);
        // As many as fit below a narrow picture, but one, and that at twice its size, even where it is wider.
        let count = ((width + gap) / (ZOOM.0 * least + gap)).clamp(1, CROPS);
        let strip = (width + gap).saturating_sub(gap * count) / count;
        let side = (strip / GOOD_ZOOM).clamp(least, shorter);
        let zoom = (strip / side).clamp(ZOOM.0, ZOOM.1);
        let column = width.max(count * side * zoom + (count - 1) * gap).max(COLUMN);
        Form { width, height, scale, side, count, zoom, letters, line: letters * 5 / 4, thick, gap, column }
    }

    fn size(&self) -> (usize, usize) {
        (2 * self.column + 3 * self.gap, self.crops() + self.side * self.zoom + self.gap)
    }

    /// Where the column of the first or second picture starts.
    fn left(&self, number: usize) -> usize {
        self.gap + number * (self.column + self.gap)
    }

    /// Where the pictures start, and below them the crops.
    fn top(&self) -> usize {
        self.gap / 2 + self.line
    }

    fn crops(&self) -> usize {
        self.top() + self.height + self.gap
    }
}

/// The sheet of two pictures, in RGB of 8 bits, and so are they.
///
/// # Errors
/// Kind bug: they are not, or differ in size.
pub fn side_by_side(pictures: [&Image; 2], names: [&str; 2]) -> Result<Image> {
    let [before, after] = pictures;
    before.check()?;
    after.check()?;
    let shape = |image: &Image| (image.width, image.height, image.layout);
    if shape(before) != shape(after) || before.layout != Layout::Rgb {
        return Err(Error::new(Kind::Bug, "pictures of different shapes are put side by side"));
    }
    let form = Form::of(before.width, before.height);
    let places = differing_places(before, after, form.side, form.count);
    let (width, height) = form.size();
    let mut sheet = Canvas { width, height, pixels: vec![255; width * height * 3] };
    let shrunk = |at: usize| (at as f64 * form.scale) as usize;
    let square = (form.side, form.side);
    let framed = (shrunk(form.side).max(1), shrunk(form.side).max(1));
    for (number, (picture, name)) in pictures.into_iter().zip(names).enumerate() {
        let source = bytes(picture)?;
        let (left, top) = (form.left(number), form.top());
        let letters = u32::try_from(form.letters).unwrap_or(u32::MAX);
        write_line(&mut sheet.pixels[..top * width * 3], width, name, letters, (left, form.column))?;
        let smaller = (form.scale < 1.0)
            .then(|| resize_with(picture, form.width, form.height, Filter::CatmullRom))
            .transpose()?;
        let whole = smaller.as_ref().map_or(Ok(source), bytes)?;
        sheet.put((left, top), whole, form.width, (0, 0), (form.width, form.height), 1);
        for (index, ((y, x), colour)) in places.iter().zip(FRAMES).enumerate() {
            sheet.frame((left + shrunk(*x), top + shrunk(*y)), framed, form.thick, colour);
            let large = form.side * form.zoom;
            let at = (left + index * (large + form.gap), form.crops());
            sheet.put(at, source, before.width, (*x, *y), square, form.zoom);
            sheet.frame(at, (large, large), form.thick, colour);
        }
    }
    let samples = Samples::U8(sheet.pixels);
    Ok(Image { width, height, layout: Layout::Rgb, samples, depth: Depth::Eight, metadata: Metadata::default() })
}

fn bytes(image: &Image) -> Result<&[u8]> {
    match &image.samples {
        Samples::U8(samples) => Ok(samples),
        Samples::U16(_) => Err(Error::new(Kind::Bug, "pictures of 16 bits are put side by side")),
    }
}

/// Rows of RGB.
struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Canvas {
    /// Puts a part of a picture here, enlarged by whole pixels so that nothing is smoothed over.
    fn put(
        &mut self,
        (left, top): (usize, usize),
        source: &[u8],
        source_width: usize,
        (x, y): (usize, usize),
        (wide, high): (usize, usize),
        zoom: usize,
    ) {
        for row in 0..high * zoom {
            let from = &source[((y + row / zoom) * source_width + x) * 3..][..wide * 3];
            let to = &mut self.pixels[((top + row) * self.width + left) * 3..][..wide * zoom * 3];
            for (pixels, pixel) in to.chunks_exact_mut(3 * zoom).zip(from.chunks_exact(3)) {
                pixels.chunks_exact_mut(3).for_each(|to| to.copy_from_slice(pixel));
            }
        }
    }

    /// Draws a frame about a rectangle, which stays as it is.
    fn frame(&mut self, (left, top): (usize, usize), (wide, high): (usize, usize), thick: usize, colour: [u8; 3]) {
        for y in top.saturating_sub(thick)..(top + high + thick).min(self.height) {
            let within = (top..top + high).contains(&y);
            for x in left.saturating_sub(thick)..(left + wide + thick).min(self.width) {
                if !(within && (left..left + wide).contains(&x)) {
                    self.pixels[(y * self.width + x) * 3..][..3].copy_from_slice(&colour);
                }
            }
        }
    }
}

/// Corners (row, column) of the squares in which the pictures differ most, `count` at most, none overlapping.
fn differing_places(before: &Image, after: &Image, side: usize, count: usize) -> Vec<(usize, usize)> {
    let mut squares = Vec::new();
    for top in starts(before.height, side) {
        for left in starts(before.width, side) {
            let tile = Tile { y: top as isize, x: left as isize, height: side, width: side };
            let (a, b) = (before.tile_f32(tile, 3), after.tile_f32(tile, 3));
            let difference: f32 = a.iter().zip(&b).map(|(a, b)| (a - b).powi(2)).sum();
            squares.push((difference, top, left));
        }
    }
    squares.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut places: Vec<(usize, usize)> = Vec::new();
    for (_, top, left) in squares {
        let apart = |place: &(usize, usize)| place.0.abs_diff(top) >= side || place.1.abs_diff(left) >= side;
        if places.len() < count && places.iter().all(apart) {
            places.push((top, left));
        }
    }
    // From left to right, so that the eye finds them in the picture.
    places.sort_by_key(|(_, left)| *left);
    places
}

/// Where squares of that side begin along a length: one behind the other, and the last at its end.
fn starts(length: usize, side: usize) -> impl Iterator<Item = usize> {
    let last = length - side;
    (0..last).step_by(side).chain([last])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Crops were 48 pixels wide whatever the picture, 8 and more times enlarged: a carpet of squares.
    #[test]
    fn crops_grow_with_the_picture() {
        for ((width, height), (side, count, zoom)) in [
            ((6000, 4000), (166, 3, 4)),
            ((2000, 1333), (162, 3, 4)),
            ((1200, 667), (98, 3, 4)),
            ((700, 300), (96, 3, 2)),
            ((304, 120), (96, 1, 3)),
            ((100, 400), (96, 1, 2)),
            ((28, 28), (28, 1, 2)),
            ((9000, 12), (12, 3, 8)),
            ((1, 1), (1, 1, 2)),
        ] {
            let form = Form::of(width, height);
            assert_eq!((form.side, form.count, form.zoom), (side, count, zoom), "{width} x {height}");
            assert!(
                form.column >= form.width
                    && form.width <= LARGEST
                    && form.count * (form.side * form.zoom + form.gap) <= form.column + form.gap
            );
        }
    }

    /// Nothing told which of the two is which.
    #[test]
    fn each_picture_stands_under_its_name() {
        let picture = Image::new(300, 200, Layout::Rgb, Depth::Eight);
        let of = |names: [&str; 2]| match side_by_side([&picture, &picture], names).unwrap() {
            Image { width, samples: Samples::U8(pixels), .. } => (width, pixels),
            other => panic!("{:?}", other.samples.depth()),
        };
        let form = Form::of(300, 200);
        let (width, plain) = of(["", ""]);
        let changed = |names: [&str; 2], column: usize| {
            let (_, pixels) = of(names);
            let differ = |at: &usize| pixels[at * 3..][..3] != plain[at * 3..][..3];
            let within = |at: &usize| (form.left(column)..form.left(column) + form.column).contains(&(at % width));
            let all: Vec<usize> = (0..pixels.len() / 3).filter(differ).collect();
            // Only above the pictures, and nothing beside the column that it is the name of.
            assert!(all.iter().all(|at| at / width < form.top() && within(at)), "{names:?}");
            all.len()
        };
        assert!(changed(["before", ""], 0) > 50);
        assert!(changed(["", "after"], 1) > 50);
        // What is too long is cut.
        let long = "long ".repeat(100);
        assert!(changed([long.as_str(), ""], 0) > 500);
    }
}
