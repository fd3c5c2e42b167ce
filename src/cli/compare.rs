//! `latentd compare`: two pictures side by side, with places where they differ most shown larger, and how alike they are in numbers.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::files;
use crate::durable::{Collision, Draft};
use crate::error::{Error, Kind, Result};
use crate::media::Image;
use crate::media::image::{Depth, EncodeOptions, Filter, Format, Layout, Samples, Tile, encode, metrics, resize_with};

/// Side of a crop in pixels of the smaller picture, how many there are, and how much larger they are shown.
const CROP: usize = 48;
const CROPS: usize = 3;
/// Pixels between the parts.
const GAP: usize = 8;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The picture as it was
    before: PathBuf,
    /// The picture as it is now; it may be larger
    after: PathBuf,
    /// Write the two side by side, below them crops of where they differ most
    #[arg(long, short, value_name = "PNG")]
    out: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<ExitCode> {
    // Told before the work, not after it.
    if let Some(out) = &args.out {
        Format::from_extension(out).map_err(|e| {
            let mend = e.mend_text().unwrap_or("name a .png").to_owned();
            Error::new(Kind::Usage, e.message()).at(out).mend(mend)
        })?;
        files::check_apart(out, [args.before.as_path(), args.after.as_path()])?;
    }
    let before = read(&args.before)?;
    let after = read(&args.after)?;
    let same = (before.width, before.height) == (after.width, after.height);
    // A picture that was made larger is compared with the one it came from at its own size.
    let resized = if same { before } else { resize_with(&before, after.width, after.height, Filter::CatmullRom)? };
    let (psnr, ssim) = (metrics::psnr(&resized, &after)?, metrics::ssim(&resized, &after).ok());
    if args.json {
        say!(
            "{}",
            serde_json::json!({ "psnr_db": psnr.is_finite().then_some(psnr), "ssim": ssim, "equal": psnr.is_infinite() })
        );
    } else {
        let ssim = ssim.map(|s| format!(", SSIM {s:.4}")).unwrap_or_default();
        let size = format!("{} x {}", after.width, after.height);
        let how = if same { String::new() } else { format!(" (the first resized to {size} by a bicubic filter)") };
        say!("PSNR {psnr:.2} dB{ssim}{how}");
    }
    if let Some(out) = &args.out {
        write(&montage(&resized, &after)?, out)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path) -> Result<Image> {
    let mut image = files::read_picture(path)?.to_depth(Depth::Eight);
    // Both are shown as people see them: in colours, on white.
    if image.layout != Layout::Rgb {
        let mut rgb = Image::new(image.width, image.height, Layout::Rgb, Depth::Eight);
        let whole = Tile { y: 0, x: 0, height: image.height, width: image.width };
        let mut planes = image.tile_f32(whole, 3);
        if let Some(alpha) = image.alpha_tile_f32(whole) {
            for plane in planes.chunks_exact_mut(alpha.len()) {
                plane.iter_mut().zip(&alpha).for_each(|(v, a)| *v = 1.0 - a * (1.0 - *v));
            }
        }
        rgb.put_tile_f32(&planes, 3, whole, whole);
        image = rgb;
    }
    image.depth = Depth::Eight;
    Ok(image)
}

fn write(image: &Image, path: &Path) -> Result<()> {
    let format = Format::from_extension(path)?;
    let draft = Draft::new(path)?.fill(|out| {
        encode::write(image, format, &EncodeOptions::default(), out).map_err(|e| match e.kind() {
            // Two pictures side by side are wider than some formats can be.
            Kind::Input => e.at(path).mend("write a .png or .tif"),
            _ => e.at(path),
        })
    })?;
    draft.publish(Collision::Replace).map(drop)
}

/// The two side by side; below each its crops, enlarged by whole pixels so that nothing is smoothed over.
fn montage(before: &Image, after: &Image) -> Result<Image> {
    let (width, height) = (before.width, before.height);
    let side = CROP.min(width).min(height);
    let places = differing_places(before, after, side);
    let zoom = (width.saturating_sub(GAP * (CROPS - 1)) / CROPS / side).max(1);
    let strip = side * zoom;
    let mut sheet = Image::new(2 * width + GAP, height + GAP + strip, Layout::Rgb, Depth::Eight);
    let Samples::U8(pixels) = &mut sheet.samples else { return Err(Error::new(Kind::Bug, "a sheet of 16 bits")) };
    pixels.fill(255);
    let stride = (2 * width + GAP) * 3;
    for (number, picture) in [before, after].into_iter().enumerate() {
        let Samples::U8(source) = &picture.samples else { return Err(Error::new(Kind::Bug, "a picture of 16 bits")) };
        let left = number * (width + GAP);
        for (y, row) in source.chunks_exact(width * 3).enumerate() {
            pixels[y * stride + left * 3..][..width * 3].copy_from_slice(row);
        }
        for (index, (top, from)) in places.iter().enumerate() {
            let start = left + index * (strip + GAP);
            for y in 0..strip {
                for x in 0..strip.min((left + width).saturating_sub(start)) {
                    let at = ((top + y / zoom) * width + from + x / zoom) * 3;
                    let to = (height + GAP + y) * stride + (start + x) * 3;
                    pixels[to..to + 3].copy_from_slice(&source[at..at + 3]);
                }
            }
        }
    }
    Ok(sheet)
}

/// Corners (row, column) of the squares in which the pictures differ most, none overlapping.
fn differing_places(before: &Image, after: &Image, side: usize) -> Vec<(usize, usize)> {
    let mut squares = Vec::new();
    for top in (0..=before.height - side).step_by(side) {
        for left in (0..=before.width - side).step_by(side) {
            let tile = Tile { y: top as isize, x: left as isize, height: side, width: side };
            let (a, b) = (before.tile_f32(tile, 3), after.tile_f32(tile, 3));
            let difference: f32 = a.iter().zip(&b).map(|(a, b)| (a - b).powi(2)).sum();
            squares.push((difference, top, left));
        }
    }
    squares.sort_by(|a, b| b.0.total_cmp(&a.0));
    // From left to right, so that the eye finds them in the picture.
    let mut places: Vec<(usize, usize)> = squares.into_iter().take(CROPS).map(|(_, top, left)| (top, left)).collect();
    places.sort_by_key(|(_, left)| *left);
    places
}
