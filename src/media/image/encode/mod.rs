//! From a picture to a file.
//!
//! What a format cannot hold is changed as little as possible: 16 bits are rounded to 8 for JPEG, WebP and BMP; for JPEG,
//! transparent colours are laid over white. BMP has no place for metadata but the print resolution, JPEG none for EXIF and XMP
//! beyond 64 KB, WebP none for profiles of gray, JPEG and TIFF alone one for captions (IPTC), and PNG alone for what its own
//! chunks say of colours.

mod jpeg;
mod tiff;

use super::convert::{gray_alpha_to_rgba, narrow};
use super::format::Format;
use super::{Density, Depth, Image, Layout, Metadata, Samples, chunks, exif, icc, photoshop, xmp};
use crate::error::{Error, Kind, Result};
use std::borrow::Cow;
use std::io::{self, Seek, Write};
use tracing::warn;

/// How a JPEG stores colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Chroma {
    /// Colour at full resolution (4:4:4): the default, because latentd exists to make pictures better.
    #[default]
    Full,
    /// Colour at half the resolution both ways (4:2:0): files about a quarter smaller, edges between strong colours softer.
    Half,
}

/// How hard to compress where that loses nothing (PNG and TIFF).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Effort {
    /// Quickly: half a second for 24 megapixels.
    #[default]
    Fast,
    /// Ten times the time and more; photos become hardly smaller, drawings with patterns that recur can.
    Balanced,
}

/// How to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodeOptions {
    /// JPEG quality, 1..=100; 92 by default, at which the loss is hard to see.
    pub quality: u8,
    /// JPEG colour resolution.
    pub chroma: Chroma,
    /// Effort of lossless compression.
    pub effort: Effort,
}

impl Default for EncodeOptions {
    fn default() -> Self {
        EncodeOptions { quality: 92, chroma: Chroma::default(), effort: Effort::default() }
    }
}

/// Writes `image` to `out` as `format`, at the depth of `image.depth` where the format allows. The statements of size in its
/// metadata are set to its size on the way. `out` should be buffered; it is not flushed.
///
/// # Errors
///
/// [`Kind::Input`] when the format cannot hold so large a picture, [`Kind::Config`] for a quality out of range, what
/// [`Error::io`] says when writing itself fails (with `format`'s name in place of a path), [`Kind::Bug`] for an image whose
/// samples do not match its size.
pub fn write(image: &Image, format: Format, options: &EncodeOptions, out: &mut (impl Write + Seek)) -> Result<()> {
    image.check()?;
    if !(1..=100).contains(&options.quality) {
        return Err(Error::new(Kind::Config, format!("the JPEG quality is {}", options.quality))
            .mend("give a quality from 1 to 100"));
    }
    let (width, height) = check_size(image, format)?;
    let metadata = metadata(image, format);
    let mut out = Watched { inner: out, failure: None };
    let result = match format {
        Format::Png => png(image, width, height, metadata, options, &mut out),
        Format::Jpeg => jpeg::write(image, metadata, options, &mut out),
        Format::WebP => webp(image, width, height, metadata, &mut out),
        Format::Tiff => tiff::write(image, width, height, metadata, options.effort, &mut out),
        Format::Bmp => bmp(image, width, height, metadata.density, &mut out),
    };
    match (out.failure, result) {
        // Whatever the codec says: the PNG writer swallows a failure to write its last chunk.
        (Some(failure), _) => Err(Error::io("write", std::path::Path::new(format.name()), failure)),
        (None, Err(error)) => {
            Err(Error::new(Kind::Bug, format!("cannot encode the picture as {}", format.name())).because(error))
        }
        (None, Ok(())) => Ok(()),
    }
}

/// What a codec says went wrong.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Refuses a picture larger than the format can hold.
fn check_size(image: &Image, format: Format) -> Result<(u32, u32)> {
    let side = match format {
        Format::Jpeg => 65_535,
        Format::WebP => 16_383,
        Format::Png | Format::Bmp => i32::MAX as usize,
        Format::Tiff => u32::MAX as usize,
    };
    let (width, height) = (image.width, image.height);
    if width > side || height > side {
        let name = format.name();
        let message = format!("{name} holds at most {side} x {side} pixels, and the picture is {width} x {height}");
        let other = if format == Format::WebP { "PNG, TIFF or JPEG" } else { "PNG or TIFF" };
        return Err(Error::new(Kind::Input, message).mend(format!("write {other}, or put a `resize` stage last")));
    }
    // Offsets in these two are 32 bits wide; half of that leaves room for data that does not compress.
    let sample_bytes = if image.depth == Depth::Sixteen { 2 } else { 1 };
    if matches!(format, Format::Tiff | Format::Bmp) && image.samples.len() * sample_bytes > 2 << 30 {
        let message = format!("{} holds at most 2 GiB, and the picture is {width} x {height}", format.name());
        return Err(Error::new(Kind::Input, message).mend("write PNG, or put a `resize` stage last"));
    }
    Ok((width as u32, height as u32))
}

/// The metadata that `format` has a place for, its statements of size made true.
fn metadata(image: &Image, format: Format) -> Metadata {
    if format != Format::Png && chunks::matter(&image.metadata) {
        warn!(
            mend = "write PNG, or convert the picture to sRGB first",
            "{} has no place for what the file says of its colours (cICP, gAMA or cHRM), and they will look different",
            format.name()
        );
    }
    let has_caption = image.metadata.photoshop.as_deref().is_some_and(photoshop::has_caption);
    if has_caption && !matches!(format, Format::Jpeg | Format::Tiff) {
        warn!(
            mend = "write JPEG or TIFF",
            "{} has no place for the caption block (IPTC), and it is not carried over",
            format.name()
        );
    }
    if format == Format::Bmp {
        return Metadata { density: image.metadata.density, ..Metadata::default() };
    }
    let mut metadata = image.metadata.clone();
    metadata.icc = metadata.icc.filter(|profile| icc::fits(profile, image.layout));
    if format == Format::WebP && image.layout.colors() == 1 && metadata.icc.take().is_some() {
        warn!(
            mend = "write PNG, or convert the picture to sRGB first",
            "WebP holds gray as red, green and blue, which the gray colour profile does not fit; it is not carried over, and the picture may look different"
        );
    }
    if let Some(exif) = &mut metadata.exif {
        exif::set_size(exif, image.width, image.height);
    }
    metadata.xmp = metadata.xmp.map(|packet| xmp::set_size(packet, image.width, image.height));
    metadata
}

fn png(
    image: &Image,
    width: u32,
    height: u32,
    mut metadata: Metadata,
    options: &EncodeOptions,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let chunks = chunks::with_density(&mut metadata);
    let mut info = png::Info::with_size(width, height);
    info.icc_profile = metadata.icc.map(Cow::Owned);
    info.exif_metadata = metadata.exif.map(Cow::Owned);
    let mut encoder = png::Encoder::with_info(out, info)?;
    encoder.set_color(match image.layout {
        Layout::Gray => png::ColorType::Grayscale,
        Layout::GrayAlpha => png::ColorType::GrayscaleAlpha,
        Layout::Rgb => png::ColorType::Rgb,
        Layout::Rgba => png::ColorType::Rgba,
    });
    encoder.set_compression(match options.effort {
        Effort::Fast => png::Compression::Fast,
        Effort::Balanced => png::Compression::Balanced,
    });
    if let Some(xmp) = metadata.xmp.and_then(|packet| String::from_utf8(packet).ok()) {
        encoder.add_itxt_chunk(chunks::XMP.to_owned(), xmp)?;
    }
    encoder.set_depth(match image.depth {
        Depth::Eight => png::BitDepth::Eight,
        Depth::Sixteen => png::BitDepth::Sixteen,
    });
    let mut writer = encoder.write_header()?;
    for (name, content) in chunks.iter().chain(&metadata.texts) {
        writer.write_chunk(png::chunk::ChunkType(*name), content)?;
    }
    // Row by row, so that neither the big-endian samples nor the compressed file are held in memory.
    let mut stream = writer.stream_writer_with_size(PNG_CHUNK)?;
    let row = image.width * image.layout.channels();
    match (image.depth, &image.samples) {
        (Depth::Eight, Samples::U8(samples)) => stream.write_all(samples)?,
        (Depth::Eight, Samples::U16(samples)) => {
            for samples in samples.chunks_exact(row) {
                stream.write_all(&samples.iter().copied().map(narrow).collect::<Vec<_>>())?;
            }
        }
        (Depth::Sixteen, Samples::U8(samples)) => {
            for samples in samples.chunks_exact(row) {
                // Widened, both bytes are the sample.
                stream.write_all(&samples.iter().flat_map(|&s| [s, s]).collect::<Vec<_>>())?;
            }
        }
        (Depth::Sixteen, Samples::U16(samples)) => {
            for samples in samples.chunks_exact(row) {
                stream.write_all(&samples.iter().flat_map(|s| s.to_be_bytes()).collect::<Vec<_>>())?;
            }
        }
    }
    stream.finish()?;
    Ok(writer.finish()?)
}

/// Bytes of compressed data in a PNG chunk.
const PNG_CHUNK: usize = 1 << 18;
fn webp(image: &Image, width: u32, height: u32, metadata: Metadata, out: &mut impl Write) -> Result<(), Failure> {
    let mut encoder = image_webp::WebPEncoder::new(out);
    encoder.set_icc_profile(metadata.icc.unwrap_or_default());
    encoder.set_exif_metadata(metadata.exif.unwrap_or_default());
    encoder.set_xmp_metadata(metadata.xmp.unwrap_or_default());
    let color = match image.layout {
        Layout::Gray => image_webp::ColorType::L8,
        Layout::GrayAlpha => image_webp::ColorType::La8,
        Layout::Rgb => image_webp::ColorType::Rgb8,
        Layout::Rgba => image_webp::ColorType::Rgba8,
    };
    Ok(encoder.encode(&image.eight(), width, height, color)?)
}

/// Where in a BMP the print resolution stands.
const BMP_DENSITY: u64 = 38;

fn bmp(
    image: &Image,
    width: u32,
    height: u32,
    density: Option<Density>,
    out: &mut (impl Write + Seek),
) -> Result<(), Failure> {
    use image::ExtendedColorType as Color;
    let (samples, color) = match image.layout {
        Layout::Gray => (image.eight(), Color::L8),
        // Gray with opacity has no form of its own in BMP.
        Layout::GrayAlpha => (Cow::Owned(gray_alpha_to_rgba(&image.eight())), Color::Rgba8),
        Layout::Rgb => (image.eight(), Color::Rgb8),
        Layout::Rgba => (image.eight(), Color::Rgba8),
    };
    let start = out.stream_position()?;
    image::codecs::bmp::BmpEncoder::new(out).encode(&samples, width, height, color)?;
    if let Some(density) = density {
        // The encoder leaves it open.
        let end = out.stream_position()?;
        out.seek(io::SeekFrom::Start(start + BMP_DENSITY))?;
        out.write_all(density.to_per_metre().map(u32::to_le_bytes).as_flattened())?;
        out.seek(io::SeekFrom::Start(end))?;
    }
    Ok(())
}

/// Remembers a failure of writing itself, which codecs wrap beyond recognition.
struct Watched<'a, W> {
    inner: &'a mut W,
    failure: Option<io::Error>,
}

impl<W> Watched<'_, W> {
    fn note<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        result.inspect_err(|error| {
            if error.kind() != io::ErrorKind::Interrupted {
                self.failure = Some(match error.raw_os_error() {
                    Some(code) => io::Error::from_raw_os_error(code),
                    None => error.kind().into(),
                });
            }
        })
    }
}

impl<W: Write> Write for Watched<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = match self.inner.write(bytes) {
            Ok(0) if !bytes.is_empty() => Err(io::ErrorKind::WriteZero.into()),
            result => result,
        };
        self.note(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.inner.flush();
        self.note(result)
    }
}

impl<W: Seek> Seek for Watched<'_, W> {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        let result = self.inner.seek(to);
        self.note(result)
    }
}
