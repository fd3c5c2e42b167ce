//! TIFF, by the `tiff` crate itself: through `image` its EXIF, gray with opacity and the other pages are lost.

use super::{Decoded, Header, Limits, raw, samples, truncated, undecodable, unsupported, warn_of_cmyk};
use crate::error::{Error, Result};
use crate::media::image::exif_block::{self, Exif};
use crate::media::image::{Depth, Image, Layout, Metadata, Samples, photoshop};
use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom};
use tiff::decoder::{Decoder, DecodingResult};
use tiff::tags::{ByteOrder, SampleFormat, Tag};
use tiff::{ColorType, TiffError};

const SAVE_PLAIN: &str = "open it in an image editor and save it with 8 or 16 bits as gray or RGB";
/// The compression that is JPEG.
const JPEG: u16 = 7;
const XMP: Tag = Tag::Unknown(700);
const PHOTOSHOP: Tag = Tag::Unknown(34377);
const CAPTION: Tag = Tag::Unknown(33723);
/// Bound on the value of one tag.
const MAX_TAG: usize = 64 << 20;

pub(super) fn read(file: &mut (impl Read + Seek), limits: &Limits) -> Result<Decoded> {
    let exif = exif_block::take(&mut BufReader::new(&mut *file));
    if exif.as_ref().map_or(true, |exif| exif.broken) {
        tracing::warn!("what EXIF of it cannot be read is dropped");
    }
    file.seek(SeekFrom::Start(0)).map_err(truncated)?;
    let mut decoder = Decoder::new(BufReader::new(file)).map_err(failed)?;
    let mut tiff_limits = tiff::decoder::Limits::default();
    tiff_limits.decoding_buffer_size = usize::try_from(limits.max_alloc).unwrap_or(usize::MAX);
    tiff_limits.intermediate_buffer_size = tiff_limits.decoding_buffer_size;
    tiff_limits.ifd_value_size = MAX_TAG;
    decoder = decoder.with_limits(tiff_limits);

    let (width, height) = decoder.dimensions().map_err(failed)?;
    let (width, height) = (width as usize, height as usize);
    let kind = Kind::of(&mut decoder)?;
    let depth = if kind.bits == 16 { Depth::Sixteen } else { Depth::Eight };
    let header = Header { width, height, channels: kind.stored_channels, depth };
    // The tiff crate reads a strip at a time, but a file may hold the whole picture in one.
    limits.check(header, header.channels * depth.bytes())?;

    let metadata = Metadata {
        icc: decoder.get_tag_u8_vec(Tag::IccProfile).ok().filter(|_| !kind.has_inks),
        exif: exif.as_ref().ok().filter(|e| !e.is_empty()).map(Exif::to_block),
        xmp: decoder.get_tag_u8_vec(XMP).ok(),
        photoshop: resources(&mut decoder),
        ..Metadata::default()
    };
    // Whatever else is wrong, the picture shall stand upright.
    let orientation = decoder.find_tag_unsigned::<u16>(Tag::Orientation).ok().flatten();
    let orientation = orientation.filter(|o| (1..=8).contains(o)).map_or(1, |o| o as u8);
    let mut samples = pixels(&mut decoder, width, height, depth, &kind)?;
    if let (true, Samples::U8(samples)) = (kind.ycbcr, &mut samples) {
        samples.as_chunks_mut::<3>().0.iter_mut().for_each(|pixel| *pixel = rgb(*pixel));
    }
    let stored = decoder.find_tag_unsigned::<usize>(Tag::SamplesPerPixel).ok().flatten();
    refuse_pages(&mut decoder)?;
    if stored.is_some_and(|stored| stored > kind.stored_channels) {
        tracing::warn!("its further channels are not carried over");
    }
    if kind.has_inks {
        warn_of_cmyk();
    }
    let mut decoded = Decoded::new(width, height, kind.layout, samples, metadata);
    if kind.premultiplied {
        divide_alpha(&mut decoded.image);
    }
    decoded.orientation = Some(orientation);
    Ok(decoded)
}

/// Photoshop's image resources, with the caption block (IPTC) that may also stand in a tag of its own.
fn resources<R: Read + Seek>(decoder: &mut Decoder<R>) -> Option<Vec<u8>> {
    let mut resources = decoder.get_tag_u8_vec(PHOTOSHOP).unwrap_or_default();
    if !photoshop::has_caption(&resources) {
        let block = caption(decoder).filter(|block| block.first() == Some(&0x1c));
        // First, so that it is found even if the others cannot be followed to their end.
        resources.splice(..0, block.map(|block| photoshop::caption(&block)).unwrap_or_default());
    }
    Some(resources).filter(|resources| !resources.is_empty())
}

/// The caption block in a tag of its own, as bytes or, as many write it, as numbers of four bytes.
fn caption<R: Read + Seek>(decoder: &mut Decoder<R>) -> Option<Vec<u8>> {
    let order = decoder.byte_order();
    let value = decoder.find_tag(CAPTION).ok()??;
    if let Ok(bytes) = value.clone().into_u8_vec() {
        return Some(bytes);
    }
    let bytes = |number: u32| match order {
        ByteOrder::LittleEndian => number.to_le_bytes(),
        ByteOrder::BigEndian => number.to_be_bytes(),
    };
    Some(value.into_u32_vec().ok()?.into_iter().flat_map(bytes).collect())
}

/// How the pixels are stored.
struct Kind {
    bits: u8,
    layout: Layout,
    stored_channels: usize,
    premultiplied: bool,
    /// Luma and chroma, as JPEG has them, which the crate leaves as they are.
    ycbcr: bool,
    /// CMYK.
    has_inks: bool,
}

impl Kind {
    fn of<R: Read + Seek>(decoder: &mut Decoder<R>) -> Result<Kind> {
        if let Ok(Some(3)) = decoder.find_tag_unsigned::<u16>(Tag::PhotometricInterpretation) {
            return Err(unsupported("it is a TIFF with a palette, which latentd does not read", SAVE_PLAIN));
        }
        if let Ok(Some(1)) = decoder.find_tag_unsigned::<u32>(Tag::NewSubfileType) {
            return Err(raw("the first picture in it is only a preview; it may be a camera's raw file"));
        }
        let compression = decoder.find_tag_unsigned::<u16>(Tag::Compression).ok().flatten().unwrap_or(1);
        // JPEG has an order of its own.
        if compression != JPEG && matches!(decoder.find_tag_unsigned::<u16>(Tag::FillOrder), Ok(Some(2))) {
            return Err(unsupported(
                "the bits of each of its bytes are stored in reverse order (FillOrder 2), which latentd does not read",
                SAVE_PLAIN,
            ));
        }
        let color = decoder.colortype().map_err(failed)?;
        let extra = decoder.find_tag_unsigned_vec::<u16>(Tag::ExtraSamples).ok().flatten().unwrap_or_default();
        let (layout, stored_channels) = match color {
            ColorType::Gray(1 | 2 | 4 | 8 | 16) => (Layout::Gray, 1),
            ColorType::RGB(8 | 16) => (Layout::Rgb, 3),
            ColorType::YCbCr(8) if compression == JPEG && is_jpegs(decoder) => (Layout::Rgb, 3),
            ColorType::RGBA(8 | 16) => (Layout::Rgba, 4),
            ColorType::CMYK(8 | 16) => (Layout::Rgb, 4),
            // The crate makes another picture of it.
            ColorType::Multiband { num_samples: 2, .. } if compression == JPEG => {
                return Err(unsupported(
                    "it is a TIFF of gray with opacity, compressed as JPEG, which latentd does not read",
                    SAVE_PLAIN,
                ));
            }
            ColorType::Multiband { bit_depth: 8 | 16, num_samples: 2 } if matches!(extra[..], [1 | 2]) => {
                (Layout::GrayAlpha, 2)
            }
            other => {
                return Err(unsupported(
                    format!("it is a TIFF of the kind {other:?}, which latentd does not read"),
                    SAVE_PLAIN,
                ));
            }
        };
        let formats = decoder.find_tag_unsigned_vec::<u16>(Tag::SampleFormat).ok().flatten().unwrap_or_default();
        if formats.iter().any(|f| *f != SampleFormat::Uint.to_u16()) {
            return Err(unsupported(
                "its samples are signed or floating-point numbers, which latentd does not read",
                SAVE_PLAIN,
            ));
        }
        let premultiplied = layout.has_alpha() && extra.first() == Some(&1);
        let ycbcr = matches!(color, ColorType::YCbCr(_));
        let has_inks = matches!(color, ColorType::CMYK(_));
        Ok(Kind { bits: color.bit_depth(), layout, stored_channels, premultiplied, ycbcr, has_inks })
    }
}

/// Whether luma and chroma are those of JPEG, by the usual coefficients and over the whole range. Without JPEG chroma is
/// mostly coarser than the pixels, and laid out as no reader here knows.
fn is_jpegs<R: Read + Seek>(decoder: &mut Decoder<R>) -> bool {
    const COEFFICIENTS: (Tag, &[f64]) = (Tag::Unknown(529), &[0.299, 0.587, 0.114]);
    const BLACK_AND_WHITE: (Tag, &[f64]) = (Tag::Unknown(532), &[0.0, 255.0, 128.0, 255.0, 128.0, 255.0]);
    let mut is_usual = |(tag, usual): (Tag, &[f64])| {
        let told = decoder.get_tag_f64_vec(tag).ok();
        told.is_none_or(|told| told.len() == usual.len() && told.iter().zip(usual).all(|(a, b)| (a - b).abs() < 1e-3))
    };
    is_usual(COEFFICIENTS) && is_usual(BLACK_AND_WHITE)
}

/// Of luma and chroma (ITU-R BT.601, full range, as in JFIF).
fn rgb([y, cb, cr]: [u8; 3]) -> [u8; 3] {
    let [y, cb, cr] = [f32::from(y), f32::from(cb) - 128.0, f32::from(cr) - 128.0];
    [y + 1.402 * cr, y - 0.344_136 * cb - 0.714_136 * cr, y + 1.772 * cb].map(|v| v.round().clamp(0.0, 255.0) as u8)
}

fn pixels<R: Read + Seek>(
    decoder: &mut Decoder<R>,
    width: usize,
    height: usize,
    depth: Depth,
    kind: &Kind,
) -> Result<Samples> {
    let is_plain = kind.bits >= 8 && kind.stored_channels == kind.layout.channels();
    let layout = decoder.image_buffer_layout().map_err(failed)?;
    if is_plain && layout.planes == 1 {
        let mut samples = samples(depth, width, height, kind.layout);
        match &mut samples {
            Samples::U8(samples) => decoder.read_image_bytes(samples),
            Samples::U16(samples) => decoder.read_image_bytes(bytemuck::cast_slice_mut(samples)),
        }
        .map_err(failed)?;
        return Ok(samples);
    }
    let mut result = DecodingResult::U8(Vec::new());
    let layout = decoder.read_image_to_buffer(&mut result).map_err(failed)?;
    if layout.planes > 1 && result.as_buffer(0).byte_len() < layout.complete_len {
        return Err(undecodable("a plane is missing", false));
    }
    Ok(match result {
        DecodingResult::U8(s) if kind.bits < 8 => Samples::U8(unpack(&s, width, height, kind.bits)?),
        DecodingResult::U8(s) => Samples::U8(arrange(s, layout.planes, kind, u8::MAX, |a, b| {
            ((u32::from(a) * u32::from(b) + 127) / 255) as u8
        })),
        DecodingResult::U16(s) => Samples::U16(arrange(s, layout.planes, kind, u16::MAX, |a, b| {
            ((u64::from(a) * u64::from(b) + 32_767) / 65_535) as u16
        })),
        _ => return Err(unsupported("its samples are of a kind that latentd does not read", SAVE_PLAIN)),
    })
}

/// Interleaves planes, and turns CMYK into RGB.
fn arrange<T: Copy + std::ops::Sub<Output = T>>(
    stored: Vec<T>,
    planes: usize,
    kind: &Kind,
    max: T,
    multiply: impl Fn(T, T) -> T,
) -> Vec<T> {
    let channels = kind.stored_channels;
    let stored = if planes > 1 {
        let plane = stored.len() / planes;
        (0..plane).flat_map(|i| (0..channels.min(planes)).map(move |c| c * plane + i)).map(|i| stored[i]).collect()
    } else {
        stored
    };
    if channels == kind.layout.channels() {
        return stored;
    }
    let ink = |ink: T, black: T| multiply(max - ink, max - black);
    stored.as_chunks::<4>().0.iter().flat_map(|&[c, m, y, k]| [ink(c, k), ink(m, k), ink(y, k)]).collect()
}

/// Spreads 1, 2 or 4 bits a sample over 0..=255. Each row starts at a byte.
fn unpack(packed: &[u8], width: usize, height: usize, bits: u8) -> Result<Vec<u8>> {
    let row_bytes = (width * usize::from(bits)).div_ceil(8);
    if packed.len() < row_bytes * height {
        return Err(truncated("rows are missing"));
    }
    let max = (1_u16 << bits) - 1;
    let mut out = Vec::with_capacity(width * height);
    for row in packed.chunks_exact(row_bytes).take(height) {
        out.extend((0..width).map(|x| {
            let bit = x * usize::from(bits);
            let sample = u16::from(row[bit / 8]) >> (8 - usize::from(bits) - bit % 8) & max;
            (sample * 255 / max) as u8
        }));
    }
    Ok(out)
}

/// Refuses a file with further pages; smaller versions of the first one are not pages.
fn refuse_pages<R: Read + Seek>(decoder: &mut Decoder<R>) -> Result<()> {
    // The crate refuses cycles; the bound is for patience.
    for _ in 0..1000 {
        if !decoder.more_images() {
            return Ok(());
        }
        // A page that cannot even be opened is one that would be lost.
        let is_reduced = decoder.next_image().is_ok()
            && matches!(decoder.find_tag_unsigned::<u32>(Tag::NewSubfileType), Ok(Some(flags)) if flags & 1 == 1);
        if !is_reduced {
            break;
        }
    }
    Err(unsupported(
        "it is a TIFF of several pages, and latentd would lose all but the first",
        "split it into single pictures first",
    ))
}

/// From colours multiplied by opacity to straight ones.
fn divide_alpha(image: &mut Image) {
    let channels = image.layout.channels();
    match &mut image.samples {
        Samples::U8(samples) => {
            for pixel in samples.chunks_exact_mut(channels) {
                let (colors, alpha) = pixel.split_at_mut(channels - 1);
                let alpha = u32::from(alpha[0]).max(1);
                colors.iter_mut().for_each(|c| *c = ((u32::from(*c) * 255 + alpha / 2) / alpha).min(255) as u8);
            }
        }
        Samples::U16(samples) => {
            for pixel in samples.chunks_exact_mut(channels) {
                let (colors, alpha) = pixel.split_at_mut(channels - 1);
                let alpha = u64::from(alpha[0]).max(1);
                colors.iter_mut().for_each(|c| *c = ((u64::from(*c) * 65_535 + alpha / 2) / alpha).min(65_535) as u16);
            }
        }
    }
}

fn failed(error: TiffError) -> Error {
    match error {
        TiffError::IoError(error) => {
            let ended = error.kind() == ErrorKind::UnexpectedEof;
            undecodable(error, ended)
        }
        TiffError::UnsupportedError(error) => {
            unsupported(format!("it is a TIFF of a kind that latentd does not read ({error})"), SAVE_PLAIN)
        }
        error => undecodable(error, false),
    }
}
