//! `latentd compare`: two pictures side by side, with places where they differ most shown larger, and how alike they are in numbers.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::files;
use super::results::elsewhere;
use crate::durable::{Collision, Draft};
use crate::error::{Error, Kind, Result};
use crate::media::Image;
use crate::media::image::{Depth, EncodeOptions, Filter, Format, Layout, Samples, Tile, encode, metrics, resize_with};

/// Side of a crop in pixels of the smaller picture, how many there are at most, and how many times larger they are shown at least.
const CROP: usize = 48;
const CROPS: usize = 3;
const ZOOM: usize = 2;
/// Pixels between the parts.
const GAP: usize = 8;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The picture as it was
    before: PathBuf,
    /// The picture as it is now; one of the two may be larger
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
    let before = files::read_picture(&args.before)?;
    let after = files::read_picture(&args.after)?;
    check_shapes(&before, &after).map_err(|e| e.at(&args.after))?;
    let size = |image: &Image| (image.width, image.height, image.layout);
    let equal = size(&before) == size(&after) && before.samples == after.samples;
    let profile = profile(&before, &after);
    let depth = before.samples.depth().min(after.samples.depth());
    let (before, after) = (shown(before, depth), shown(after, depth));
    let same = (before.width, before.height) == (after.width, after.height);
    // A picture that was made larger is compared with the one it came from at its own size.
    let resized = if same { before } else { resize_with(&before, after.width, after.height, Filter::CatmullRom)? };
    let (psnr, ssim) = (metrics::psnr(&resized, &after)?, metrics::ssim(&resized, &after).ok());
    if args.json {
        let resized = (!same).then_some([after.width, after.height]);
        let psnr = psnr.is_finite().then_some(psnr);
        say!("{}", serde_json::json!({ "psnr_db": psnr, "ssim": ssim, "equal": equal, "resized": resized }));
    } else {
        let ssim = ssim.map(|s| format!(", SSIM {s:.4}")).unwrap_or_default();
        let size = format!("{} x {}", after.width, after.height);
        let how = if same { String::new() } else { format!(" (the first resized to {size} by a bicubic filter)") };
        let verdict = match (equal, psnr.is_infinite()) {
            (true, _) => "; they are equal".to_owned(),
            (false, true) => format!("; they are not equal, but look alike on white in {} bits", 8 * depth.bytes()),
            (false, false) => String::new(),
        };
        say!("PSNR {psnr:.2} dB{ssim}{how}{verdict}");
    }
    if let Some(out) = &args.out {
        let mut sheet = montage(&resized.to_depth(Depth::Eight), &after.to_depth(Depth::Eight))?;
        sheet.metadata.icc = profile;
        write(&sheet, out)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Refuses pictures of which none is the other made larger or smaller, but for a pixel that was rounded.
fn check_shapes(a: &Image, b: &Image) -> Result<()> {
    let (aw, ah, bw, bh) = (a.width as f64, a.height as f64, b.width as f64, b.height as f64);
    // Lengths of one side, of which `scale` makes the other picture's.
    let fits = |scale: f64, of: f64, to: f64| (of * scale - to).abs() <= 1.0f64.max(scale);
    if fits(bw / aw, ah, bh) || fits(bh / ah, aw, bw) {
        return Ok(());
    }
    let what = format!("the pictures differ in shape: {aw} x {ah} and {bw} x {bh}");
    Err(Error::new(Kind::Input, what).mend("crop or turn one of them first"))
}

/// The colour profile that holds for both, and so for a sheet of both.
fn profile(a: &Image, b: &Image) -> Option<Vec<u8>> {
    let is_coloured = |image: &Image| image.layout.colors() == 3;
    match (&a.metadata.icc, &b.metadata.icc) {
        (one, other) if one != other => {
            tracing::warn!(
                "the pictures have different colour profiles; their numbers are compared as if they were one"
            );
            None
        }
        (one, _) => one.clone().filter(|_| is_coloured(a) && is_coloured(b)),
    }
}

/// As people see it: in colours, on white. Row by row, so that no second copy in floats is needed.
fn shown(image: Image, depth: Depth) -> Image {
    let image = image.to_depth(depth);
    if image.layout == Layout::Rgb {
        return image;
    }
    let width = image.width;
    let mut rgb = Image::new(width, image.height, Layout::Rgb, depth);
    let whole = Tile { y: 0, x: 0, height: 1, width };
    for y in 0..image.height {
        let row = Tile { y: y as isize, ..whole };
        let mut planes = image.tile_f32(row, 3);
        if let Some(alpha) = image.alpha_tile_f32(row) {
            for plane in planes.chunks_exact_mut(width) {
                plane.iter_mut().zip(&alpha).for_each(|(v, a)| *v = 1.0 - a * (1.0 - *v));
            }
        }
        rgb.put_tile_f32(&planes, 3, row, whole);
    }
    rgb
}

fn write(image: &Image, path: &Path) -> Result<()> {
    let format = Format::from_extension(path)?;
    let draft = Draft::new(path).map_err(elsewhere)?.fill(|out| {
        encode::write(image, format, &EncodeOptions::default(), out).map_err(|e| match e.kind() {
            // Two pictures side by side are wider than some formats can be.
            Kind::Input => e.at(path).mend("write a .png or .tif"),
            _ => e.at(path),
        })
    })?;
    draft.publish(Collision::Replace).map(drop).map_err(elsewhere)
}

/// The two side by side; below each its crops, enlarged by whole pixels so that nothing is smoothed over.
fn montage(before: &Image, after: &Image) -> Result<Image> {
    let (width, height) = (before.width, before.height);
    let side = CROP.min(width).min(height);
    // As many as fit below a narrow picture, but one, and that at twice its size, even where it is wider.
    let count = ((width + GAP) / (ZOOM * side + GAP)).clamp(1, CROPS);
    let zoom = ((width + GAP).saturating_sub(GAP * count) / count / side).max(ZOOM);
    let places = differing_places(before, after, side, count);
    let strip = side * zoom;
    let column = width.max(count * strip + (count - 1) * GAP);
    let mut sheet = Image::new(2 * column + GAP, height + GAP + strip, Layout::Rgb, Depth::Eight);
    let Samples::U8(pixels) = &mut sheet.samples else { return Err(Error::new(Kind::Bug, "a sheet of 16 bits")) };
    pixels.fill(255);
    let stride = (2 * column + GAP) * 3;
    for (number, picture) in [before, after].into_iter().enumerate() {
        let Samples::U8(source) = &picture.samples else { return Err(Error::new(Kind::Bug, "a picture of 16 bits")) };
        let left = number * (column + GAP);
        for (y, row) in source.chunks_exact(width * 3).enumerate() {
            pixels[y * stride + left * 3..][..width * 3].copy_from_slice(row);
        }
        for (index, (top, from)) in places.iter().enumerate() {
            let start = left + index * (strip + GAP);
            for y in 0..strip {
                for x in 0..strip {
                    let at = ((top + y / zoom) * width + from + x / zoom) * 3;
                    let to = (height + GAP + y) * stride + (start + x) * 3;
                    pixels[to..to + 3].copy_from_slice(&source[at..at + 3]);
                }
            }
        }
    }
    Ok(sheet)
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
