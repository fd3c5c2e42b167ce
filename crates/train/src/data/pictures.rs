use std::collections::{BTreeMap, HashSet, VecDeque};
use std::fs;
use std::io::Cursor;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, ImageResult, Limits, RgbImage};

use crate::tell;

/// Pictures with a shorter side than this are passed over.
pub const MIN_SIDE: usize = 128;

pub(super) const EXTENSIONS: [&str; 7] = ["png", "jpg", "jpeg", "bmp", "tif", "tiff", "webp"];

/// An RGB picture of 8 bits a channel.
#[derive(Clone)]
pub struct Picture {
    /// Where it came from.
    pub path: PathBuf,
    /// Pixels a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `height * width * 3` bytes: red, green, blue of each pixel, row by row.
    pub rgb: Vec<u8>,
}

impl Picture {
    /// Decodes one file, upright as its EXIF tells.
    ///
    /// # Errors
    /// When the file cannot be read or is not a whole picture of a known format.
    pub fn open(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let reader = ImageReader::new(Cursor::new(bytes.as_slice())).with_guessed_format()?;
        if reader.format() == Some(ImageFormat::Jpeg) && !has_end(&bytes) {
            bail!("{} is cut off", path.display());
        }
        let decoded = decode(reader).with_context(|| format!("cannot decode {}", path.display()))?;
        let (width, height) = (decoded.width() as usize, decoded.height() as usize);
        Ok(Self { path: path.to_owned(), width, height, rgb: decoded.into_raw() })
    }

    /// The part of the picture at (`left`, `top`), which must lie inside it.
    pub fn crop(&self, left: usize, top: usize, width: usize, height: usize) -> Self {
        let row = |y: usize| &self.rgb[((top + y) * self.width + left) * 3..][..width * 3];
        let rgb = (0..height).flat_map(|y| row(y).iter().copied()).collect();
        Self { path: self.path.clone(), width, height, rgb }
    }

    /// The middle of the picture, at most `side` wide and high, both sides multiples of `multiple`.
    pub fn centre(&self, side: usize, multiple: usize) -> Self {
        let width = self.width.min(side) / multiple * multiple;
        let height = self.height.min(side) / multiple * multiple;
        self.crop((self.width - width) / 2, (self.height - height) / 2, width, height)
    }

    /// Three planes of values 0..1, `[3, height, width]`.
    pub fn planes(&self) -> Vec<f32> {
        (0..3).flat_map(|c| self.rgb.iter().skip(c).step_by(3).map(|&v| f32::from(v) / 255.0)).collect()
    }

    /// One plane of gray values 0..1, `[height, width]`: ITU-R BT.601's luma rounded to 8 bits, as Pillow's mode L.
    pub fn gray(&self) -> Vec<f32> {
        let luma = |rgb: &[u8]| {
            let [r, g, b] = [rgb[0], rgb[1], rgb[2]].map(u32::from);
            (r * 19_595 + g * 38_470 + b * 7_471 + (1 << 15)) >> 16
        };
        self.rgb.chunks_exact(3).map(|rgb| luma(rgb) as f32 / 255.0).collect()
    }

    /// The square of `side` pixels at (`left`, `top`) in one of its eight orientations, as planes of values 0..1
    /// appended to `out`. `turn` is 0..8: bit 0 mirrors left-right, bit 1 top-bottom, bit 2 swaps the axes.
    pub fn square(&self, left: usize, top: usize, side: usize, turn: u8, out: &mut Vec<f32>) {
        for c in 0..3 {
            for v in 0..side {
                for u in 0..side {
                    let (u, v) = if turn & 4 == 0 { (u, v) } else { (v, u) };
                    let x = left + if turn & 1 == 0 { u } else { side - 1 - u };
                    let y = top + if turn & 2 == 0 { v } else { side - 1 - v };
                    out.push(f32::from(self.rgb[(y * self.width + x) * 3 + c]) / 255.0);
                }
            }
        }
    }
}

/// What `ImageReader::decode` does, and the turn that the camera has noted.
fn decode(reader: ImageReader<Cursor<&[u8]>>) -> ImageResult<RgbImage> {
    let mut decoder = reader.into_decoder()?;
    // A header may claim any size.
    Limits::default().reserve(decoder.total_bytes())?;
    // Damaged EXIF does no harm to the picture.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder)?;
    picture.apply_orientation(orientation);
    Ok(picture.into_rgb8())
}

/// Whether a JPEG file has an end marker in its second half; the decoder paints what is missing gray and says nothing.
/// The first half may hold the marker of a thumbnail, and something may follow the picture.
fn has_end(jpeg: &[u8]) -> bool {
    jpeg[jpeg.len() / 2..].windows(2).any(|pair| pair == [0xff, 0xd9])
}

/// The picture files below `folder`, sorted by path. Folders and files that cannot be read are passed over with a
/// warning, and files of other kinds are counted: phones keep their photos in kinds that are not read here.
///
/// # Errors
/// When `folder` itself cannot be read.
pub fn find(folder: &Path) -> Result<Vec<PathBuf>> {
    let (files, others) = walk(folder, &EXTENSIONS)?;
    if !others.is_empty() {
        tell(passed_over(&others));
    }
    Ok(files)
}

/// Kinds of files that are named when they are passed over, at most.
const NAMED: usize = 5;

fn passed_over(others: &BTreeMap<String, usize>) -> String {
    let count: usize = others.values().sum();
    let mut kinds: Vec<_> = others.iter().collect();
    kinds.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let mut named: Vec<String> = kinds.iter().take(NAMED).map(|(kind, count)| format!("{kind} {count}")).collect();
    named.extend((kinds.len() > NAMED).then(|| "...".to_owned()));
    format!("{count} files of other kinds passed over ({})", named.join(", "))
}

/// The files below `folder` whose names end so, sorted by path. Folders and files that cannot be read are passed over with
/// a warning.
///
/// # Errors
/// When `folder` itself cannot be read.
pub fn find_files(folder: &Path, extensions: &[&str]) -> Result<Vec<PathBuf>> {
    Ok(walk(folder, extensions)?.0)
}

/// The files below `folder` whose names end so, and how many there are of each other kind, hidden ones left out. Links are followed, and no folder
/// is searched twice.
fn walk(folder: &Path, extensions: &[&str]) -> Result<(Vec<PathBuf>, BTreeMap<String, usize>)> {
    let (mut files, mut others) = (Vec::new(), BTreeMap::new());
    let (mut folders, mut seen) = (VecDeque::from([folder.to_owned()]), HashSet::new());
    while let Some(current) = folders.pop_front() {
        if fs::metadata(&current).is_ok_and(|folder| !seen.insert((folder.dev(), folder.ino()))) {
            continue;
        }
        let entries = match fs::read_dir(&current) {
            Ok(entries) => entries,
            Err(error) if current == folder => {
                return Err(error).with_context(|| format!("cannot read the folder {}", folder.display()));
            }
            Err(error) => {
                tell(format_args!("warning: {}: {error}", current.display()));
                continue;
            }
        };
        for entry in entries.flatten() {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push_front(path);
            } else if path.is_dir() {
                // Behind all that lie here themselves: what is here by two names goes by its own.
                folders.push_back(path);
            } else if path.is_file() {
                let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
                if extensions.contains(&extension.as_str()) {
                    files.push(path);
                } else if !entry.file_name().as_encoded_bytes().starts_with(b".") {
                    let kind = if extension.is_empty() { "without an ending".to_owned() } else { extension };
                    *others.entry(kind).or_insert(0) += 1;
                }
            }
        }
    }
    files.sort();
    Ok((files, others))
}

#[cfg(test)]
mod tests {
    use image::codecs::png::PngEncoder;
    use image::{ImageEncoder, Rgb};

    use super::*;

    /// Of a phone's folder most was passed over without a word.
    #[test]
    fn files_of_other_kinds_are_counted() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["a.png", "b.HEIC", "c.heic", "d.avif", "e", ".hidden"] {
            fs::write(folder.path().join(name), "").expect("a file");
        }
        let (files, others) = walk(folder.path(), &EXTENSIONS).expect("a folder");
        assert_eq!(files, [folder.path().join("a.png")]);
        assert_eq!(passed_over(&others), "4 files of other kinds passed over (heic 2, avif 1, without an ending 1)");
    }

    /// There were said to be no pictures below a folder of links, which is how people put sets together.
    #[test]
    fn links_to_folders_are_followed_once() {
        let place = tempfile::tempdir().expect("a folder");
        let [set, other] = ["set", "other"].map(|name| place.path().join(name));
        for folder in [&set.join("own"), &other] {
            fs::create_dir_all(folder).expect("a folder");
            fs::write(folder.join("a.png"), "").expect("a file");
        }
        for (target, name) in [(&other, "away"), (&set, "round"), (&set.join("own"), "again")] {
            std::os::unix::fs::symlink(target, set.join(name)).expect("a link");
        }
        let found = find_files(&set, &EXTENSIONS).expect("a folder");
        assert_eq!(found, ["away/a.png", "own/a.png"].map(|name| set.join(name)));
    }

    /// Networks learnt from pictures that lay on their side.
    #[test]
    fn pictures_stand_as_their_exif_tells() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("turned.png");
        let mut picture = RgbImage::new(3, 2);
        picture.put_pixel(0, 0, Rgb([255, 0, 0]));
        // One entry, the orientation (0x112): the camera was turned by 90 degrees (6).
        let exif = [b"II*\0\x08\0\0\0\x01\0".as_slice(), &[0x12, 1, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0], &[0; 4]].concat();
        let mut file = Vec::new();
        let mut encoder = PngEncoder::new(&mut file);
        encoder.set_exif_metadata(exif).expect("PNG has EXIF");
        picture.write_with_encoder(encoder).expect("a picture");
        fs::write(&path, file).expect("a file");
        let upright = Picture::open(&path).expect("a picture");
        assert_eq!((upright.width, upright.height), (2, 3));
        assert_eq!(upright.rgb[..6], [0, 0, 0, 255, 0, 0]);
    }
}
