//! BMP, by the `image` crate.

use super::{Decoded, Header, Limits, damaged, samples, truncated, undecodable};
use crate::error::{Error, Result};
use crate::media::image::convert::rgb_to_gray;
use crate::media::image::{Density, Depth, Layout, Metadata, Samples};
use image::codecs::bmp::BmpDecoder;
use image::{ColorType, ImageDecoder, ImageError};
use std::io::{BufRead, ErrorKind, Read, Seek, SeekFrom};

pub(super) fn read(mut file: impl BufRead + Seek, limits: &Limits) -> Result<Decoded> {
    // The decoder does not tell it.
    let metadata = Metadata { density: density(&mut file).map_err(truncated)?, ..Metadata::default() };
    let decoder = BmpDecoder::new(file).map_err(failed)?;
    let (width, height) = decoder.dimensions();
    let (width, height) = (width as usize, height as usize);
    let layout = match decoder.color_type() {
        ColorType::Rgb8 => Layout::Rgb,
        ColorType::Rgba8 => Layout::Rgba,
        other => return Err(damaged(format!("it claims pixels of the kind {other:?}"))),
    };
    limits.check(Header { width, height, channels: layout.channels(), depth: Depth::Eight }, 0)?;
    // BMP has no gray but through a palette of grays, which is how gray pictures are stored.
    let is_gray = decoder.get_palette().is_some_and(|p| p.iter().all(|[r, g, b]| r == g && g == b));

    let mut samples = samples(Depth::Eight, width, height, layout);
    if let Samples::U8(samples) = &mut samples {
        decoder.read_image(samples).map_err(failed)?;
    }
    Ok(match samples {
        Samples::U8(rgb) if is_gray && layout == Layout::Rgb => {
            Decoded::new(width, height, Layout::Gray, Samples::U8(rgb_to_gray(&rgb)), metadata)
        }
        samples => Decoded::new(width, height, layout, samples, metadata),
    })
}

/// How large the pixels are printed, by the file's header.
fn density(file: &mut (impl Read + Seek)) -> std::io::Result<Option<Density>> {
    let mut head = Vec::new();
    file.take(46).read_to_end(&mut head)?;
    file.seek(SeekFrom::Start(0))?;
    let number = |at: usize| head.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
    // The oldest kind of header ends before.
    let has_it = number(14).is_some_and(|length| length >= 40);
    let pair = number(38).zip(number(42)).filter(|_| has_it);
    Ok(pair.and_then(|(x, y)| Density::per_metre(x, y)))
}

fn failed(error: ImageError) -> Error {
    let ended = matches!(&error, ImageError::IoError(e) if e.kind() == ErrorKind::UnexpectedEof);
    undecodable(error, ended)
}
