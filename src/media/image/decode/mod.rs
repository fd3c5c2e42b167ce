//! From a file to a picture, under limits. The content decides the format; a file that is truncated, damaged, mislabelled,
//! animated or too large is refused, never half decoded.
//!
//! What a decoder holds beside the finished picture: for JPEG the compressed file (a progressive one also its coefficients, 2
//! bytes a sample), for lossless WebP without opacity one RGBA copy, for the others a few rows.

mod bmp;
mod heic;
mod jpeg;
mod png;
mod tiff;
mod webp;

use super::format::{Format, foreign};
use super::{Density, Depth, Image, Layout, Metadata, Samples, exif, icc, orient, photoshop, xmp};
use crate::error::{Error, Kind, Result};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use tracing::warn;

/// What a file may cost. Checked against its header, before anything is decoded.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Width times height; by default 128 megapixels.
    pub max_pixels: u64,
    /// Length of the file in bytes; by default 1 GiB.
    pub max_bytes: u64,
    /// Bytes that the decoded picture and the decoder's own buffers may take together; by default 2 GiB.
    pub max_alloc: u64,
    /// What is to be done with the picture; counts against `max_alloc` too.
    pub work: Work,
}

/// What a picture's header promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Samples of a pixel, opacity included.
    pub channels: usize,
    /// Bits of a sample.
    pub depth: Depth,
}

impl Header {
    /// Bytes of the picture in memory.
    pub fn bytes(&self) -> u64 {
        let pixel = self.channels * self.depth.bytes();
        (self.width as u64).saturating_mul(self.height as u64).saturating_mul(pixel as u64)
    }
}

/// Tells of a picture by its header how many bytes all of the work on it takes; by default none.
#[derive(Clone, Default)]
pub struct Work(Option<Arc<dyn Fn(Header) -> u64 + Send + Sync>>);

impl Work {
    /// Work that takes what `bytes` says.
    pub fn new(bytes: impl Fn(Header) -> u64 + Send + Sync + 'static) -> Work {
        Work(Some(Arc::new(bytes)))
    }

    fn bytes(&self, header: Header) -> u64 {
        self.0.as_ref().map_or(0, |bytes| bytes(header))
    }
}

impl std::fmt::Debug for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Work(..)" } else { "Work" })
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits { max_pixels: 128_000_000, max_bytes: 1 << 30, max_alloc: 2 << 30, work: Work::default() }
    }
}

impl Limits {
    /// Refuses a header that promises too much. `buffers` is what the decoder holds for each pixel beside the picture, in bytes.
    fn check(&self, header: Header, buffers: usize) -> Result<()> {
        let Header { width, height, .. } = header;
        if width == 0 || height == 0 {
            return Err(damaged("its header says that it has no pixels"));
        }
        let pixels = width as u64 * height as u64;
        if pixels > self.max_pixels {
            // As exact as it takes for both to differ.
            let mega = |n: u64| {
                let text = if n < 1_000_000 { n as f64 / 1e6 } else { (n as f64 / 1e5).round() / 10.0 };
                text.to_string()
            };
            let message = format!(
                "the picture is {width} x {height}, {} megapixels; the limit is {}",
                mega(pixels),
                mega(self.max_pixels)
            );
            return Err(too_large(message));
        }
        let decoding = header.bytes().saturating_add(pixels.saturating_mul(buffers as u64));
        // EXIF, which stands further on, may say that it lies on its side.
        let turned = Header { width: height, height: width, ..header };
        let bytes = decoding.max(self.work.bytes(header)).max(self.work.bytes(turned));
        if bytes > self.max_alloc {
            let mib = |n: u64| n >> 20;
            let message = format!(
                "the picture is {width} x {height} and takes {} MiB of memory to work on; the limit is {} MiB",
                mib(bytes),
                mib(self.max_alloc)
            );
            return Err(too_large(message));
        }
        Ok(())
    }
}

/// What one format's decoder gives back: the pixels as stored, and metadata as found.
struct Decoded {
    image: Image,
    /// By a format's own tag; `None` where only the EXIF block tells.
    orientation: Option<u8>,
}

impl Decoded {
    fn new(width: usize, height: usize, layout: Layout, samples: Samples, metadata: Metadata) -> Decoded {
        let depth = samples.depth();
        Decoded { image: Image { width, height, layout, samples, depth, metadata }, orientation: None }
    }
}

/// Reads the picture in `file` from its start. `name` is the file's path: it stands in errors, and its extension must not
/// contradict the content. An opened [`std::fs::File`], or a reference to one, serves as `file`.
///
/// The EXIF orientation is applied to the pixels. Palettes and fewer than 8 bits are expanded to 8; CMYK becomes RGB without
/// colour management.
///
/// # Errors
///
/// [`Kind::Input`] when the content is at fault; what [`Error::io`] says when reading itself fails.
pub fn read(file: impl Read + Seek, name: &Path, limits: &Limits) -> Result<Image> {
    let mut watched = Watched { inner: file, failure: None };
    // A decoder is the code most exposed to strangers: should one panic, the file is at fault, not the daemon.
    let result = catch_unwind(AssertUnwindSafe(|| open(&mut watched, name, limits)))
        .unwrap_or_else(|_| Err(damaged("its contents are not valid")));
    match (result, watched.failure) {
        (Ok(image), _) => Ok(image),
        (Err(_), Some(failure)) => Err(Error::io("read", name, failure)),
        (Err(error), None) => Err(error.at(name)),
    }
}

fn open(file: &mut (impl Read + Seek), name: &Path, limits: &Limits) -> Result<Image> {
    let length = file.seek(SeekFrom::End(0)).map_err(truncated)?;
    if length == 0 {
        return Err(Error::new(Kind::Input, "the file is empty").mend("copy it again from where it came from"));
    }
    if length > limits.max_bytes {
        return Err(too_large(format!("the file has {length} bytes; the limit is {}", limits.max_bytes)));
    }
    let mut head = Vec::new();
    file.seek(SeekFrom::Start(0)).map_err(truncated)?;
    file.take(32).read_to_end(&mut head).map_err(truncated)?;
    file.seek(SeekFrom::Start(0)).map_err(truncated)?;
    let Decoded { mut image, orientation } = match identify(&head, name)? {
        Found::Heic => heic::read(file, length, limits),
        Found::Written(Format::Png) => png::read(BufReader::new(file), limits),
        Found::Written(Format::Jpeg) => jpeg::read(file, length, limits),
        Found::Written(Format::WebP) => webp::read(BufReader::new(file), length, limits),
        Found::Written(Format::Tiff) => tiff::read(file, limits),
        Found::Written(Format::Bmp) => bmp::read(BufReader::new(file), limits),
    }?;
    let by_exif = image.metadata.exif.as_deref().map_or(1, exif::orientation);
    settle_metadata(&mut image, name);
    orient::apply(&mut image, orientation.unwrap_or(by_exif));
    Ok(image)
}

/// Refuses a file whose first bytes are of no picture, or of another than its name says.
///
/// # Errors
/// As for [`read`].
pub(crate) fn glance(file: &mut (impl Read + Seek), name: &Path) -> Result<()> {
    let mut head = Vec::new();
    file.rewind().and_then(|()| file.take(32).read_to_end(&mut head)).map_err(|e| Error::io("read", name, e))?;
    identify(&head, name).map(drop).map_err(|e| e.at(name))
}

/// A format that is read.
#[derive(Clone, Copy, PartialEq)]
enum Found {
    /// One that is written too.
    Written(Format),
    Heic,
}

impl Found {
    fn of_content(head: &[u8]) -> Option<Found> {
        Format::from_content(head).map(Found::Written).or(heic::is(head).then_some(Found::Heic))
    }

    fn of_extension(extension: &str) -> Option<Found> {
        let heic = heic::EXTENSIONS.contains(&extension);
        Format::with_extension(extension).map(Found::Written).or(heic.then_some(Found::Heic))
    }

    fn name(self) -> &'static str {
        match self {
            Found::Written(format) => format.name(),
            Found::Heic => heic::NAME,
        }
    }

    fn extensions(self) -> &'static [&'static str] {
        match self {
            Found::Written(format) => format.extensions(),
            Found::Heic => &heic::EXTENSIONS,
        }
    }
}

/// Whether a file of this name could be a picture that is read.
pub fn reads(name: &Path) -> bool {
    let extension = name.extension().map(|e| e.to_string_lossy().to_lowercase());
    extension.is_some_and(|extension| Found::of_extension(&extension).is_some())
}

/// The format, if latentd reads it and the extension does not contradict it.
fn identify(head: &[u8], name: &Path) -> Result<Found> {
    let extension = name.extension().map(|e| e.to_string_lossy().to_lowercase());
    let found = Found::of_content(head);
    let is_raw = extension.as_deref().is_some_and(|extension| RAW_EXTENSIONS.contains(&extension));
    if is_raw && matches!(found, None | Some(Found::Written(Format::Tiff))) {
        return Err(raw("it is a camera's raw file, which latentd does not read"));
    }
    let Some(found) = found else {
        let what = foreign(head).unwrap_or("not a picture that latentd knows");
        return Err(Error::new(Kind::Input, format!("the content is {what}"))
            .mend("latentd reads PNG, JPEG, WebP, TIFF, BMP and HEIC; convert the file to one of them"));
    };
    let Some(extension) = extension else { return Ok(found) };
    let labelled = match Found::of_extension(&extension) {
        Some(labelled) => labelled.name().to_owned(),
        None if FOREIGN_EXTENSIONS.contains(&extension.as_str()) => extension.to_uppercase(),
        // Raw files of other cameras are TIFF inside as well and would give a tiny preview, so for TIFF the name must agree.
        None if found == Found::Written(Format::Tiff) => extension.escape_debug().to_string(),
        None => return Ok(found),
    };
    if labelled == found.name() {
        return Ok(found);
    }
    let usual = found.extensions()[0];
    Err(Error::new(Kind::Input, format!("the name says {labelled}, but the content is {}", found.name()))
        .mend(format!("if it is the picture you mean, rename it to end in .{usual}")))
}

/// Extensions of pictures that latentd does not read: under such a name other content is a mistake.
const FOREIGN_EXTENSIONS: [&str; 11] = ["gif", "avif", "jxl", "jp2", "psd", "ico", "svg", "exr", "tga", "pdf", "mp4"];

/// Extensions of cameras' raw files, of which most are TIFF inside.
const RAW_EXTENSIONS: [&str; 15] =
    ["3fr", "arw", "cr2", "cr3", "crw", "dng", "erf", "nef", "nrw", "orf", "pef", "raf", "rw2", "rwl", "srw"];

/// An error for a camera's raw file.
fn raw(what: &str) -> Error {
    unsupported(what, "develop it with a raw converter and save it as TIFF or PNG")
}

/// Makes the metadata true of the upright picture; what cannot be made true is dropped with a warning.
fn settle_metadata(image: &mut Image, name: &Path) {
    let Metadata { icc, exif, xmp, density, photoshop, .. } = &mut image.metadata;
    let layout = image.layout;
    let lost = |what| warn!(file = %crate::error::show_path(name), "{what}");
    *icc = icc.take().filter(|profile| {
        let fits = icc::fits(profile, layout);
        if !fits {
            lost("the colour profile does not fit the pixels and is dropped");
        }
        fits
    });
    let settle = |block: Option<Vec<u8>>, settle: fn(Vec<u8>) -> Option<Vec<u8>>, message| {
        let settled = settle(block?);
        if settled.is_none() {
            lost(message);
        }
        settled
    };
    *exif = settle(exif.take(), exif::settle, "the EXIF block is broken and is dropped");
    *xmp = settle(xmp.take(), xmp::settle, "the XMP packet is not UTF-8 and is dropped");
    *density = density.or_else(|| exif.as_deref().and_then(Density::of_exif));
    *photoshop = photoshop.as_deref().and_then(photoshop::settle);
}

/// Remembers a failure of reading itself, which a decoder would report as if the content were at fault.
struct Watched<R> {
    inner: R,
    failure: Option<io::Error>,
}

impl<R> Watched<R> {
    fn note<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        use io::ErrorKind as E;
        result.inspect_err(|error| {
            // A seek before the start follows from hostile offsets.
            if !matches!(error.kind(), E::Interrupted | E::UnexpectedEof | E::InvalidInput) {
                self.failure = Some(match error.raw_os_error() {
                    Some(code) => io::Error::from_raw_os_error(code),
                    None => error.kind().into(),
                });
            }
        })
    }
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let result = self.inner.read(buffer);
        self.note(result)
    }
}

impl<R: Seek> Seek for Watched<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let result = self.inner.seek(to);
        self.note(result)
    }
}

/// An error for content that is not what it should be.
fn damaged(message: impl Into<String>) -> Error {
    Error::new(Kind::Input, format!("the file is damaged: {}", message.into()))
        .mend("copy it again from where it came from; if it is damaged there too, open and save it in an image editor")
}

/// An error for content that ends too early, or whatever else the decoder says.
fn undecodable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>, ended: bool) -> Error {
    let error = error.into();
    if ended { truncated(error) } else { damaged("it cannot be decoded").because(error) }
}

fn truncated(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(Kind::Input, "the file ends in the middle of the picture")
        .mend("copy it again from where it came from; the copy may have been cut off")
        .because(error)
}

pub(in crate::media) fn too_large(message: String) -> Error {
    Error::new(Kind::Input, message).mend(
        "make it smaller first; in a pipeline, `max_megapixels`, `max_size` and `max_memory` of the source allow more",
    )
}

/// An error for a sound file with a feature that latentd does not read.
fn unsupported(what: impl Into<String>, mend: &str) -> Error {
    Error::new(Kind::Input, what).mend(mend)
}

/// Tells that a picture's inks became red, green and blue by plain arithmetic. Its profile is dropped before it is asked whether it fits:
/// one warning is enough.
fn warn_of_cmyk() {
    warn!(
        mend = "convert it to sRGB first for exact ones",
        "it is CMYK; its colours were converted without its profile and may look different"
    );
}

fn animated(frames: impl std::fmt::Display) -> Error {
    unsupported(
        format!("it is an animation of {frames} frames, and latentd would lose all but the first"),
        "split it into single pictures first",
    )
}

/// Room for samples, zeroed.
fn samples(depth: Depth, width: usize, height: usize, layout: Layout) -> Samples {
    Samples::zeros(depth, width * height * layout.channels())
}
