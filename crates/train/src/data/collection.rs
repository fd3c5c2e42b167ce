//! A folder of pictures in memory, to learn from. Somebody's own photos may be thousands, of dozens of megabytes each: they are made smaller, and as many are
//! taken as fit.

use std::path::{Path, PathBuf};

use anyhow::Result;
use image::imageops::FilterType;
use image::{ImageReader, RgbImage};
use rayon::prelude::*;

use super::pictures::EXTENSIONS;
use super::{MIN_SIDE, Picture, find, lot, warn_that_none_is_held_out};
use crate::refuse;
use crate::tell;

/// Pictures with a longer side than this are made smaller; it takes their noise too, which is not to be learnt.
const LONGEST: usize = 2048;

/// Bytes that a collection takes at most.
const MOST_BYTES: u64 = 3 << 30;

/// Decodes the pictures below `folder` into memory, in the order of their paths, those with a side above 2048 pixels made smaller. Files that cannot be
/// decoded or are smaller than [`MIN_SIDE`] are passed over with a warning; of more than fit into 3 GiB, as many as fit are taken.
///
/// # Errors
/// When the folder cannot be read or holds no usable picture.
pub fn load(folder: &Path) -> Result<Vec<Picture>> {
    let files = find(folder)?;
    if files.is_empty() {
        refuse!(NoInput, "no pictures ({}) below {}", EXTENSIONS.join(", "), folder.display());
    }
    let count = files.len();
    let files = fitting(files.par_iter().map(|path| cost(path)).collect(), files);
    let pictures: Vec<Picture> = files.par_iter().filter_map(|path| open_or_warn(path)).collect();
    if pictures.is_empty() {
        refuse!(
            NoInput,
            "none of the {count} pictures below {} can be used; each must decode and be at least {MIN_SIDE}x{MIN_SIDE}",
            folder.display()
        );
    }
    Ok(pictures)
}

/// Bytes that a file's picture takes once it is in the collection; 0 if its header cannot be read, which is told when it is opened.
fn cost(path: &Path) -> u64 {
    let reader = ImageReader::open(path).ok().and_then(|reader| reader.with_guessed_format().ok());
    let (width, height) = reader.and_then(|reader| reader.into_dimensions().ok()).unwrap_or((0, 0));
    let (width, height) = fitted(width as usize, height as usize);
    3 * (width * height) as u64
}

/// As many of `files` as fit into memory, which is told where it is not all of them.
pub(super) fn fitting(costs: Vec<u64>, files: Vec<PathBuf>) -> Vec<PathBuf> {
    fitting_into(MOST_BYTES, costs, files, "pictures")
}

/// As many of `files` as fit into so many bytes; `what` they are is told where it is not all of them.
pub(super) fn fitting_into(most: u64, costs: Vec<u64>, files: Vec<PathBuf>, what: &str) -> Vec<PathBuf> {
    let count = files.len();
    let files = spread(costs, files, most);
    if files.len() < count {
        let (fit, most) = (files.len(), most >> 30);
        tell(format_args!("{fit} of {count} {what} fit into {most} GiB of memory: taken from all over"));
    }
    files
}

/// As many of `files` as cost no more than `most` together, spread evenly over all.
fn spread(costs: Vec<u64>, files: Vec<PathBuf>, most: u64) -> Vec<PathBuf> {
    let share = most as f64 / costs.iter().sum::<u64>().max(1) as f64;
    if share >= 1.0 {
        return files;
    }
    let (mut due, mut taken) = (0.0, 0);
    let chosen = files.into_iter().zip(costs).filter(|(_, cost)| {
        due += share * *cost as f64;
        let fits = taken + cost <= due as u64;
        taken += if fits { *cost } else { 0 };
        fits
    });
    chosen.map(|(file, _)| file).collect()
}

/// The size of a picture of this size with its longer side at most [`LONGEST`].
fn fitted(width: usize, height: usize) -> (usize, usize) {
    let longer = width.max(height);
    if longer <= LONGEST {
        return (width, height);
    }
    let fit = |side: usize| (side * LONGEST / longer).max(1);
    (fit(width), fit(height))
}

fn open_or_warn(path: &Path) -> Option<Picture> {
    match Picture::open(path).map(made_smaller) {
        Ok(picture) if picture.width.min(picture.height) >= MIN_SIDE => Some(picture),
        Ok(picture) => {
            let (path, width, height) = (path.display(), picture.width, picture.height);
            tell(format_args!("warning: {path} is only {width}x{height}: passed over"));
            None
        }
        Err(error) => {
            tell(format_args!("warning: {error:#}: passed over"));
            None
        }
    }
}

fn made_smaller(picture: Picture) -> Picture {
    let (width, height) = fitted(picture.width, picture.height);
    if (width, height) == (picture.width, picture.height) {
        return picture;
    }
    let Picture { path, width: before, height: rows, rgb } = picture;
    // The buffer is that of a decoded picture of this size.
    let large = RgbImage::from_raw(before as u32, rows as u32, rgb).unwrap_or_default();
    let small = image::imageops::resize(&large, width as u32, height as u32, FilterType::CatmullRom);
    Picture { path, width, height, rgb: small.into_raw() }
}

/// Holds out `held_out` pictures of those below `folder`, drawn by `seed` and their names, as a development set: (training, development). A small
/// collection gives at most a quarter, and a single picture serves as both, which is told.
pub fn split(mut pictures: Vec<Picture>, folder: &Path, held_out: usize, seed: u64) -> (Vec<Picture>, Vec<Picture>) {
    if pictures.len() == 1 {
        warn_that_none_is_held_out("pictures");
        return (pictures.clone(), pictures);
    }
    pictures.sort_by_cached_key(|picture| lot(folder, &picture.path, seed));
    let held_out = held_out.min(pictures.len().div_ceil(4));
    let training = pictures.split_off(held_out);
    (training, pictures)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_pictures_are_made_smaller_and_others_left() {
        let picture = |width, height| {
            let rgb = [200, 100, 50].repeat(width * height);
            made_smaller(Picture { path: "made-up".into(), width, height, rgb })
        };
        let (small, large) = (picture(300, 200), picture(4096, 1000));
        assert_eq!((small.width, small.height, small.rgb.len()), (300, 200, 180_000));
        assert_eq!((large.width, large.height), (2048, 500));
        assert!(large.rgb.chunks(3).all(|pixel| pixel == [200, 100, 50]));
    }

    #[test]
    fn of_too_many_pictures_those_that_fit_are_taken_from_all_over() {
        let files: Vec<PathBuf> = (0..1000).map(|n| PathBuf::from(format!("{n}"))).collect();
        assert_eq!(spread(vec![10; 1000], files.clone(), 10_000), files);
        let some = spread(vec![10; 1000], files, 2_500);
        assert!((245..=250).contains(&some.len()), "{}", some.len());
        let late = some.iter().filter(|file| file.to_string_lossy().parse::<u32>().is_ok_and(|n| n >= 500)).count();
        assert!((120..=128).contains(&late), "{late}");
    }
    /// Of a folder that had grown, or had moved, others were held out than before: those that the network had learnt from.
    #[test]
    fn few_other_pictures_are_held_out_where_some_come_or_go() {
        let held = |folder: &str, count: usize, seed: u64| {
            let path = |n: usize| Path::new(folder).join(format!("{n}.png"));
            let picture = |n| Picture { path: path(n), width: 1, height: 1, rgb: vec![0; 3] };
            let (training, held) = split((0..count).map(picture).collect(), Path::new(folder), 20, seed);
            assert_eq!((training.len(), held.len()), (count - 20, 20));
            let name = |picture: &Picture| picture.path.file_name().map(std::ffi::OsStr::to_owned);
            held.iter().filter_map(name).collect::<std::collections::BTreeSet<_>>()
        };
        let before = held("here", 200, 1);
        assert_eq!(before, held("there/or/there", 200, 1));
        assert!(before.intersection(&held("here", 210, 1)).count() >= 15);
        assert!(before.intersection(&held("here", 200, 2)).count() < 10);
    }
}
