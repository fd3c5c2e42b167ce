use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use flate2::read::GzDecoder;

use crate::refuse;

/// The most bytes that an IDX file may unpack to: a hundred times the 60,000 training digits.
const LARGEST: u64 = 5_000_000_000;

/// Pictures and their classes from a pair of IDX files, the format of MNIST and Fashion-MNIST.
pub struct Idx {
    /// Rows of each picture.
    pub height: usize,
    /// Pixels a row.
    pub width: usize,
    /// `count * height * width` gray values, 0 is black.
    pub pixels: Vec<u8>,
    /// The class of each picture.
    pub labels: Vec<u8>,
}

/// The two parts of such a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// To learn from.
    Training,
    /// For scores only.
    Test,
}

impl Part {
    fn prefix(self) -> &'static str {
        match self {
            Self::Training => "train",
            Self::Test => "t10k",
        }
    }
}

/// Whether `folder` holds a set of IDX files.
pub fn is_idx(folder: &Path) -> bool {
    find(folder, Part::Training, "images-idx3").is_some()
}

/// Reads one part of the set in `folder`: `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and the like, packed by
/// gzip or not.
///
/// # Errors
/// When a file is missing, damaged, or the two do not belong together.
pub fn read(folder: &Path, part: Part) -> Result<Idx> {
    let (shape, pixels) = part_of(folder, part, "images-idx3")?;
    let (counts, labels) = part_of(folder, part, "labels-idx1")?;
    let &[count, height, width] = shape.as_slice() else { bail!("{} holds no pictures", folder.display()) };
    if counts != [count] {
        bail!("{}: {count} pictures, {counts:?} labels", folder.display());
    }
    Ok(Idx { height, width, pixels, labels })
}

fn find(folder: &Path, part: Part, what: &str) -> Option<PathBuf> {
    let name = format!("{}-{what}-ubyte", part.prefix());
    [format!("{name}.gz"), name].map(|name| folder.join(name)).into_iter().find(|path| path.is_file())
}

fn part_of(folder: &Path, part: Part, what: &str) -> Result<(Vec<usize>, Vec<u8>)> {
    let Some(path) = find(folder, part, what) else {
        refuse!(NoInput, "there is no {}-{what}-ubyte(.gz) in {}", part.prefix(), folder.display());
    };
    let file = File::open(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut bytes = Vec::new();
    let read = match path.extension() {
        Some(ending) if ending == "gz" => GzDecoder::new(file).take(LARGEST).read_to_end(&mut bytes),
        _ => file.take(LARGEST).read_to_end(&mut bytes),
    };
    read.with_context(|| format!("cannot read {}", path.display()))?;
    decode(bytes).with_context(|| format!("{} is no IDX file of bytes", path.display()))
}

/// The shape and the values of an IDX file: two zeros, the type (8: bytes), the number of axes, each axis' length as
/// four bytes, big end first, then the values.
fn decode(mut bytes: Vec<u8>) -> Result<(Vec<usize>, Vec<u8>)> {
    let (Some(&[0, 0, 8, axes]), true) = (bytes.first_chunk::<4>(), bytes.len() >= 4) else {
        bail!("it does not begin as one");
    };
    let start = 4 + 4 * usize::from(axes);
    let Some(lengths) = bytes.get(4..start) else { bail!("it ends within its header") };
    let shape: Vec<usize> =
        lengths.chunks_exact(4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]) as usize).collect();
    let count = shape.iter().try_fold(1usize, |n, &length| n.checked_mul(length));
    if count != Some(bytes.len() - start) {
        bail!("{} values for the shape {shape:?}", bytes.len() - start);
    }
    bytes.drain(..start);
    Ok((shape, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idx_file_is_its_header_and_its_values() {
        let bytes = vec![0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6];
        assert_eq!(decode(bytes.clone()).expect("valid"), (vec![2, 3], vec![1, 2, 3, 4, 5, 6]));
        assert!(decode(bytes[..17].to_vec()).is_err(), "a value is missing");
        assert!(decode(bytes[..9].to_vec()).is_err(), "cut in its header");
        assert!(decode(vec![0, 0, 13, 1, 0, 0, 0, 0]).is_err(), "of another type");
        assert!(
            decode(vec![0, 0, 8, 4, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255])
                .is_err()
        );
    }
}
