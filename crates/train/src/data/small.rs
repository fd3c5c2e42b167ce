use std::path::Path;

use anyhow::{Result, bail};
use image::RgbImage;
use image::imageops::{self, FilterType};
use latentd::model::DataSet;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rayon::prelude::*;

use super::idx::{self, Part};
use super::{Picture, find, warn_that_none_is_held_out};
use crate::publish::data_sets;

/// Small square pictures of one size, all in memory, with their classes.
#[derive(Clone, Debug)]
pub struct SmallPictures {
    /// Planes a picture: 1 (gray) or 3 (red, green, blue).
    pub channels: usize,
    /// Rows and columns that a network sees.
    pub side: usize,
    /// Rows and columns stored: more than `side` where squares are drawn at random out of them.
    room: usize,
    /// `count * channels * room * room` values.
    pixels: Vec<u8>,
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

    /// The middle of picture `index` as planes of 0..1, `[channels, side, side]`.
    pub fn picture(&self, index: usize) -> Vec<f32> {
        let margin = (self.room - self.side) / 2;
        self.square(index, margin, margin, false)
    }

    /// A picture as training sees it: where there is room, a square out of it at random, mirrored or not.
    pub fn draw(&self, rng: &mut StdRng, index: usize) -> Vec<f32> {
        if self.room == self.side {
            return self.picture(index);
        }
        let spare = self.room - self.side;
        let (left, top) = (rng.random_range(0..=spare), rng.random_range(0..=spare));
        let mirrored = rng.random_bool(0.5);
        self.square(index, left, top, mirrored)
    }

    fn square(&self, index: usize, left: usize, top: usize, mirrored: bool) -> Vec<f32> {
        let plane = self.room * self.room;
        let mut values = Vec::with_capacity(self.values());
        for channel in 0..self.channels {
            let pixels = &self.pixels[(index * self.channels + channel) * plane..][..plane];
            for y in 0..self.side {
                let row = &pixels[(top + y) * self.room + left..][..self.side];
                let value = |&v: &u8| f32::from(v) / 255.0;
                if mirrored {
                    values.extend(row.iter().rev().map(value));
                } else {
                    values.extend(row.iter().map(value));
                }
            }
        }
        values
    }

    /// One part of a set of IDX files.
    ///
    /// # Errors
    /// When it cannot be read or its pictures are not square.
    pub fn from_idx(folder: &Path, part: Part) -> Result<Self> {
        let idx = idx::read(folder, part)?;
        if idx.height != idx.width || idx.labels.is_empty() {
            bail!("{} holds no square pictures", folder.display());
        }
        Ok(Self { channels: 1, side: idx.width, room: idx.width, pixels: idx.pixels, labels: idx.labels })
    }

    /// Every picture below `folder`: its middle square, resampled to a quarter more than `side`. A picture's class is the
    /// folder that it lies in.
    ///
    /// # Errors
    /// When the folder cannot be read or holds no usable picture.
    pub fn from_folder(folder: &Path, side: usize, channels: usize) -> Result<Self> {
        let room = side + side / 4;
        let files = find(folder)?;
        let mut folders: Vec<_> = files.iter().map(|file| file.parent()).collect();
        folders.sort();
        folders.dedup();
        if folders.len() > 256 {
            bail!(
                "there are {} folders of pictures below {}, and 256 classes at most",
                folders.len(),
                folder.display()
            );
        }
        let squares: Vec<(Vec<u8>, usize)> = files
            .par_iter()
            .filter_map(|file| {
                let picture = Picture::open(file).inspect_err(|e| eprintln!("warning: {e:#}: passed over")).ok()?;
                let class = folders.iter().position(|folder| *folder == file.parent()).unwrap_or(0);
                Some((middle_square(&picture, room, channels), class))
            })
            .collect();
        if squares.is_empty() {
            bail!("there is no usable picture below {}", folder.display());
        }
        let labels = squares.iter().map(|(_, class)| *class as u8).collect();
        let pixels = squares.into_iter().flat_map(|(square, _)| square).collect();
        Ok(Self { channels, side, room, pixels, labels })
    }

    /// The pictures at these indices.
    pub fn select(&self, indices: &[usize]) -> Self {
        let values = self.channels * self.room * self.room;
        Self {
            pixels: indices.iter().flat_map(|&i| self.pixels[i * values..][..values].iter().copied()).collect(),
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
    let (all, sets) = if idx::is_idx(data) {
        let name = data.file_name().unwrap_or_default().to_string_lossy();
        let set = match name.to_lowercase() {
            name if name.contains("fashion") => ("Fashion-MNIST (training part)", "MIT"),
            name if name.contains("mnist") => ("MNIST (training part)", "none stated"),
            _ => ("a set of IDX files (training part)", "as supplied by the user"),
        };
        let set = DataSet { name: set.0.to_owned(), licence: set.1.to_owned() };
        (SmallPictures::from_idx(data, Part::Training)?, vec![set])
    } else {
        let files = find(data)?;
        let sets = data_sets(data, files.iter().map(|file| file.as_path()));
        (SmallPictures::from_folder(data, side, channels)?, sets)
    };
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.shuffle(&mut StdRng::seed_from_u64(seed));
    let held_out = if held_out == 0 { (all.len() / 12).min(5000) } else { held_out.min(all.len() / 2) };
    let (development, training) = if held_out == 0 {
        warn_that_none_is_held_out("pictures");
        (&order[..], &order[..])
    } else {
        order.split_at(held_out)
    };
    Ok(Split { training: all.select(training), development: all.select(development), sets })
}

/// The middle square of a picture, resampled, as planes of bytes.
fn middle_square(picture: &Picture, room: usize, channels: usize) -> Vec<u8> {
    let side = picture.width.min(picture.height);
    let square = picture.centre(side, 1);
    let square = square.crop((square.width - side) / 2, (square.height - side) / 2, side, side);
    let length = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let Some(square) = RgbImage::from_raw(length(side), length(side), square.rgb) else { return Vec::new() };
    let small = imageops::resize(&square, length(room), length(room), FilterType::Triangle);
    let raw = small.into_raw();
    if channels == 1 {
        // The mean, as models for gray pictures are given colour pictures in use.
        return raw.chunks_exact(3).map(|rgb| (rgb.iter().map(|&v| u16::from(v)).sum::<u16>() / 3) as u8).collect();
    }
    (0..3).flat_map(|c| raw.iter().skip(c).step_by(3).copied()).collect()
}
