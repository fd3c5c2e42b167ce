//! PNG, by the `png` crate itself: through `image` an XMP or EXIF chunk that stands behind the pixels is lost, and so is the
//! end of the file, which tells whether it is whole.

use super::{Decoded, Header, Limits, animated, damaged, samples, truncated, undecodable};
use crate::error::{Error, Result};
use crate::media::image::{Depth, Layout, Metadata, Samples, chunks};
use png::{BitDepth, ColorType, Decoder, DecodingError, Transformations};
use std::io::{BufRead, ErrorKind, Seek};

/// Bound on chunks held in memory (profiles, text), compressed or not.
const MAX_CHUNKS: usize = 64 << 20;
/// Bound on the XMP packet, decompressed.
const MAX_TEXT: usize = 16 << 20;

pub(super) fn read(file: impl BufRead + Seek, limits: &Limits) -> Result<Decoded> {
    let mut decoder = Decoder::new_with_limits(file, png::Limits { bytes: MAX_CHUNKS });
    decoder.set_transformations(Transformations::EXPAND);
    let info = decoder.read_header_info().map_err(failed)?;
    let (width, height) = (info.width as usize, info.height as usize);
    let channels = if info.color_type == ColorType::Indexed { 3 } else { info.color_type.samples() };
    let depth = if info.bit_depth == BitDepth::Sixteen { Depth::Sixteen } else { Depth::Eight };
    let header = Header { width, height, channels, depth };
    limits.check(header, 0)?;

    let mut reader = decoder.read_info().map_err(failed)?;
    if let Some(animation) = reader.info().animation_control.filter(|a| a.num_frames > 1) {
        return Err(animated(animation.num_frames));
    }
    let (color, depth) = reader.output_color_type();
    let layout = match color {
        ColorType::Grayscale => Layout::Gray,
        ColorType::GrayscaleAlpha => Layout::GrayAlpha,
        ColorType::Rgb => Layout::Rgb,
        ColorType::Rgba => Layout::Rgba,
        ColorType::Indexed => return Err(damaged("its palette is missing")),
    };
    // That there is a color that means transparent is told behind the header.
    limits.check(Header { channels: layout.channels(), ..header }, 0)?;
    let depth = if depth == BitDepth::Sixteen { Depth::Sixteen } else { Depth::Eight };
    let mut samples = samples(depth, width, height, layout);
    match &mut samples {
        Samples::U8(samples) => {
            reader.next_frame(samples).map_err(failed)?;
        }
        Samples::U16(samples) => {
            reader.next_frame(bytemuck::cast_slice_mut(samples)).map_err(failed)?;
            samples.iter_mut().for_each(|s| *s = u16::from_be(*s));
        }
    }
    reader.finish().map_err(failed)?;

    let info = reader.info();
    let xmp = info.utf8_text.iter().find(|t| t.keyword == chunks::XMP).and_then(|text| {
        let mut text = text.clone();
        text.decompress_text_with_limit(MAX_TEXT).ok()?;
        text.get_text().ok()
    });
    let metadata = Metadata {
        icc: info.icc_profile.as_ref().map(|p| p.to_vec()),
        exif: info.exif_metadata.as_ref().map(|e| e.to_vec()),
        xmp: xmp.map(String::into_bytes),
        chunks: chunks::of(info),
        density: chunks::density(info),
        texts: chunks::texts(info),
        ..Metadata::default()
    };
    Ok(Decoded::new(width, height, layout, samples, metadata))
}

fn failed(error: DecodingError) -> Error {
    match error {
        DecodingError::IoError(error) => {
            let ended = error.kind() == ErrorKind::UnexpectedEof;
            undecodable(error, ended)
        }
        // The pixels end before the picture does: with checksums intact, that is how its writer left it.
        error if error.to_string().contains("not enough") => truncated(error),
        error => undecodable(error, false),
    }
}
