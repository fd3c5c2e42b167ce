use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use latentd::media::Image;
use latentd::media::image::{Depth, Layout, Metadata, Samples, Tile, resize};
use latentd::model::DataSet;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rayon::prelude::*;

use super::collection::fitting;
use super::idx::{self, Part};
use super::{Picture, find, lot, warn_that_none_is_held_out};
use crate::publish::{SUPPLIED, data_sets};
use crate::refuse;
use crate::tell;

/// Classes of pictures at most; where there are more folders, none counts as a class.
const MOST_CLASSES: usize = 256;

/// Small square pictures of one size, all in memory, with their classes.
#[derive(Clone, Debug)]
pub struct SmallPictures {
    /// Planes a picture: 1 (gray) or 3 (red, green, blue).
    pub channels: usize,
    /// Rows and columns that a network sees.
    pub side: usize,
    /// `count * channels * side * side` values: of each picture what a network is given of it in use.
    pixels: Vec<u8>,
    /// Rows and columns of the larger pictures that training draws squares out of; `side` where it draws none.
    room: usize,
    /// `count * room * room * channels` values of those, channel after channel of each pixel; none where `room` is `side`.
    large: Vec<u8>,
    /// The class of each picture; all 0 where nothing tells classes.
    pub labels: Vec<u8>,
}

/// A collection split for training, and what the card says of it.
pub struct Split {
    /// To learn from.
    pub training: SmallPictures,
    /// Held out: for the score during training and for calibration.
    pub development: SmallPictures,
    /// Where they come from.
    pub sets: Vec<DataSet>,
    /// How many pictures there are in all.
    pub count: usize,
}

impl SmallPictures {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Values of one picture as a network sees it.
    pub fn values(&self) -> usize {
        self.channels * self.side * self.side
    }

    /// Picture `index` as planes of 0..1, `[channels, side, side]`: what the program gives a network of it.
    pub fn picture(&self, index: usize) -> Vec<f32> {
        let values = self.values();
        self.pixels[index * values..][..values].iter().map(|&v| f32::from(v) / 255.0).collect()
    }

    /// A picture as training sees it: where there is room, a square of at least four fifths of its sides at random, the whole included, mirrored or not.
    pub fn draw(&self, rng: &mut StdRng, index: usize) -> Vec<f32> {
        if self.room == self.side {
            return self.picture(index);
        }
        let size = rng.random_range(self.side..=self.room);
        let spare = self.room - size;
        let (left, top) = (rng.random_range(0..=spare), rng.random_range(0..=spare));
        let mirrored = rng.random_bool(0.5);
        let square = if spare == 0 { None } else { self.square(index, left, top, size).ok() };
        let mut planes = square.unwrap_or_else(|| self.picture(index));
        if mirrored {
            planes.chunks_exact_mut(self.side).for_each(<[f32]>::reverse);
        }
        planes
    }

    fn square(&self, index: usize, left: usize, top: usize, size: usize) -> Result<Vec<f32>> {
        let values = self.room * self.room * self.channels;
        let large = &self.large[index * values..][..values];
        let row = |y: usize| &large[((top + y) * self.room + left) * self.channels..][..size * self.channels];
        let square = (0..size).flat_map(row).copied().collect();
        let layout = if self.channels == 1 { Layout::Gray } else { Layout::Rgb };
        Ok(planes(&resized(&picture_of(square, size, size, layout), self.side)?, self.channels))
    }

    /// One part of a set of IDX files.
    ///
    /// # Errors
    /// When it cannot be read or its pictures are not square.
    pub fn from_idx(folder: &Path, part: Part) -> Result<Self> {
        let idx = idx::read(folder, part)?;
        if idx.height != idx.width || idx.labels.is_empty() {
            refuse!(NoInput, "{} holds no square pictures", folder.display());
        }
        let side = idx.width;
        Ok(Self { channels: 1, side, pixels: idx.pixels, room: side, large: Vec::new(), labels: idx.labels })
    }

    /// Every picture below `folder`: its middle square, resampled to `side`, as the program does it. A picture's class is the folder that it lies in.
    ///
    /// # Errors
    /// When the folder cannot be read or holds no usable picture.
    pub fn from_folder(folder: &Path, side: usize, channels: usize) -> Result<Self> {
        Ok(Self::from_files(find(folder)?, folder, side, channels)?.0)
    }

    /// The same of these files, and which of them could be used.
    fn from_files(files: Vec<PathBuf>, folder: &Path, side: usize, channels: usize) -> Result<(Self, Vec<PathBuf>)> {
        let room = side + side / 4;
        let cost = (channels * (side * side + room * room)) as u64;
        let files = fitting(vec![cost; files.len()], files);
        let mut folders: Vec<_> = files.iter().map(|file| file.parent()).collect();
        folders.sort();
        folders.dedup();
        if folders.len() > MOST_CLASSES {
            // A library by date, say: whoever wants classes is told that there are none.
            folders.clear();
        }
        let squares: Vec<_> = files
            .par_iter()
            .filter_map(|file| {
                let square = Picture::open(file).and_then(|picture| squares(picture, side, room, channels));
                let square = square.inspect_err(|e| tell(format_args!("warning: {e:#}: passed over"))).ok()?;
                let class = folders.iter().position(|folder| *folder == file.parent()).unwrap_or(0);
                Some((square, class as u8, file.clone()))
            })
            .collect();
        if squares.is_empty() {
            refuse!(NoInput, "there is no usable picture below {}", folder.display());
        }
        let mut set = Self { channels, side, pixels: Vec::new(), room, large: Vec::new(), labels: Vec::new() };
        let mut used = Vec::new();
        for ([pixels, large], class, file) in squares {
            set.pixels.extend(pixels);
            set.large.extend(large);
            set.labels.push(class);
            used.push(file);
        }
        Ok((set, used))
    }

    /// The pictures at these indices.
    pub fn select(&self, indices: &[usize]) -> Self {
        let of = |all: &[u8]| {
            let values = all.len() / self.len().max(1);
            indices.iter().flat_map(|&i| all[i * values..][..values].iter().copied()).collect::<Vec<u8>>()
        };
        Self {
            pixels: of(&self.pixels),
            large: of(&self.large),
            labels: indices.iter().map(|&i| self.labels[i]).collect(),
            ..*self
        }
    }
}

/// Loads a set to learn from, IDX files or any folder of pictures, and holds out `held_out` of them (0: a twelfth, at most 5,000; never more than
/// half), drawn by `seed`; where that is none, all serve as both, which is told. `side` and `channels` count for folders; IDX files have their own.
///
/// # Errors
/// When nothing usable is there.
pub fn load_small(data: &Path, side: usize, channels: usize, held_out: usize, seed: u64) -> Result<Split> {
    let (all, sets, order) = if idx::is_idx(data) {
        let name = data.file_name().unwrap_or_default().to_string_lossy();
        let set = match name.to_lowercase() {
            name if name.contains("fashion") => ("Fashion-MNIST (training part)", "MIT"),
            name if name.contains("mnist") => ("MNIST (training part)", "none stated"),
            _ => ("a set of IDX files (training part)", SUPPLIED),
        };
        let set = DataSet { name: set.0.to_owned(), licence: set.1.to_owned() };
        let all = SmallPictures::from_idx(data, Part::Training)?;
        let mut order: Vec<usize> = (0..all.len()).collect();
        order.shuffle(&mut StdRng::seed_from_u64(seed));
        (all, vec![set], order)
    } else {
        let files = find(data)?;
        let sets = data_sets(data, files.iter().map(|file| file.as_path()));
        let (all, used) = SmallPictures::from_files(files, data, side, channels)?;
        let mut order: Vec<usize> = (0..all.len()).collect();
        order.sort_by_cached_key(|&at| lot(data, &used[at], seed));
        (all, sets, order)
    };
    let count = all.len();
    let held_out = if held_out == 0 { (count / 12).min(5000) } else { held_out.min(count / 2) };
    let (development, training) = if held_out == 0 {
        warn_that_none_is_held_out("pictures");
        (&order[..], &order[..])
    } else {
        order.split_at(held_out)
    };
    Ok(Split { training: all.select(training), development: all.select(development), sets, count })
}

/// The middle square of a picture at both sizes: as planes of `side` rows, and as pixels of `room` rows.
fn squares(picture: Picture, side: usize, room: usize, channels: usize) -> Result<[Vec<u8>; 2]> {
    let Picture { width, height, rgb, .. } = picture;
    let short = width.min(height);
    let square = picture_of(rgb, width, height, Layout::Rgb).middle(short, short);
    let bytes = |values: Vec<f32>| values.iter().map(|v| (v * 255.0).round() as u8).collect::<Vec<u8>>();
    let small = bytes(planes(&resized(&square, side)?, channels));
    let large = resized(&square, room)?;
    let large = match large.samples {
        Samples::U8(samples) if channels == 3 => samples,
        _ => bytes(planes(&large, channels)),
    };
    Ok([small, large])
}

fn picture_of(samples: Vec<u8>, width: usize, height: usize, layout: Layout) -> Image {
    let (samples, depth, metadata) = (Samples::U8(samples), Depth::Eight, Metadata::default());
    Image { width, height, layout, samples, depth, metadata }
}

/// A square by the filter that the program gives pictures to networks by.
fn resized(square: &Image, side: usize) -> Result<Image> {
    if square.width == side {
        return Ok(square.clone());
    }
    resize(square, side, side).map_err(|error| anyhow!("{error}"))
}

/// The planes of a square, of 0..1; of colours the mean for one plane.
fn planes(square: &Image, channels: usize) -> Vec<f32> {
    square.tile_f32(Tile { y: 0, x: 0, height: square.height, width: square.width }, channels)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Training saw squares of four fifths of the pictures only, and the score was of the same.
    #[test]
    fn what_is_drawn_is_between_four_fifths_and_the_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let ramp = image::RgbImage::from_fn(200, 160, |x, _| image::Rgb([x.saturating_sub(20).min(160) as u8; 3]));
        ramp.save(folder.path().join("ramp.png")).expect("a picture");
        for channels in [1, 3] {
            let set = SmallPictures::from_folder(folder.path(), 32, channels).expect("a picture");
            let width = |planes: &[f32]| (planes[31] - planes[0]).abs() * 255.0 / 155.0;
            assert!((width(&set.picture(0)) - 1.0).abs() < 0.04, "{}", width(&set.picture(0)));
            let mut rng = StdRng::seed_from_u64(1);
            let widths: Vec<f32> = (0..200).map(|_| width(&set.draw(&mut rng, 0))).collect();
            let (least, most) = widths.iter().fold((f32::MAX, 0f32), |(a, b), &v| (a.min(v), b.max(v)));
            assert!((0.76..0.84).contains(&least) && (0.95..1.05).contains(&most), "{least} {most}");
            assert_eq!(set.select(&[0, 0]).draw(&mut StdRng::seed_from_u64(5), 1).len(), set.values());
        }
    }
}
