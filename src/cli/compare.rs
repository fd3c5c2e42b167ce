//! `latentd compare`: two pictures side by side, with places where they differ most shown larger, and how alike they are in numbers.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::files;
use super::results::elsewhere;
use crate::durable::{Collision, Draft};
use crate::error::{Error, Kind, Result, show_path};
use crate::media::image::{Depth, EncodeOptions, Filter, Format, Layout, Tile, encode, metrics, resize_with};
use crate::media::{Image, audio};
use crate::plot::pair;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The picture as it was
    before: PathBuf,
    /// The picture as it is now; one of the two may be larger
    after: PathBuf,
    /// Write the two side by side, below them crops of where they differ most: .png, or another format of pictures
    #[arg(long, short, value_name = "FILE")]
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
            Error::new(Kind::Usage, e.message()).mend(mend)
        })?;
        files::check_apart(out, [args.before.as_path(), args.after.as_path()])?;
    }
    let read = |path: &Path| {
        files::read_picture(path).map_err(|e| match e.kind() {
            Kind::Input if is_sound(path) => of_sound(args, path),
            _ => e,
        })
    };
    let (before, after) = (read(&args.before)?, read(&args.after)?);
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
        let names = names(args, same, psnr);
        let pictures = [resized, after].map(|picture| picture.to_depth(Depth::Eight));
        let mut sheet = pair::side_by_side([&pictures[0], &pictures[1]], [names[0].as_str(), names[1].as_str()])?;
        sheet.metadata.icc = profile;
        write(&sheet, out)?;
        if !args.json {
            say!("{}", show_path(out));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether a file that is no picture holds sound.
fn is_sound(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| audio::decode::read(file, path, u64::MAX).is_ok())
}

fn of_sound(args: &Args, path: &Path) -> Error {
    let (before, after) = (show_path(&args.before), show_path(&args.after));
    let e = Error::new(Kind::Usage, "it is sound, and `compare` is for pictures").at(path);
    e.mend(format!("see both by `latentd plot {before} {after}`"))
}

/// What stands above the two.
fn names(args: &Args, same: bool, psnr: f64) -> [String; 2] {
    let name = |path: &Path| show_path(Path::new(path.file_name().unwrap_or(path.as_os_str())));
    let resized = if same { "" } else { " (resized)" };
    let numbers = if psnr.is_finite() { format!("PSNR {psnr:.2} dB") } else { "they look alike".to_owned() };
    [format!("before: {}{resized}", name(&args.before)), format!("after: {} ({numbers})", name(&args.after))]
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
    let draft = Draft::new(path)
        .map_err(elsewhere)?
        .fill(|out| encode::write(image, format, &EncodeOptions::default(), out).map_err(|e| e.at(path)))?;
    draft.publish(Collision::Replace).map(drop).map_err(elsewhere)
}
