//! JPEG, by `zune-jpeg` in its strict mode. Even so it fills what a truncated file lacks with gray, so that the markers are
//! walked here first: a whole file ends with an end-of-image marker outside every segment. JPEG has no checksum: a file whose
//! data was damaged, or cut and then closed with that marker by another program, cannot always be told from a sound one.

use super::{Decoded, Header, Limits, damaged, samples, truncated, undecodable, unsupported, warn_of_cmyk};
use crate::error::{Error, Result};
use crate::media::image::{Density, Depth, Layout, MAX_TEXTS, Metadata, Samples, photoshop};
use std::io::{ErrorKind, Read};
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// What stands before each piece of the longer part of an XMP packet.
const LONGER_XMP: &[u8] = b"http://ns.adobe.com/xmp/extension/\0";

pub(super) fn read(mut file: impl Read, length: u64, limits: &Limits) -> Result<Decoded> {
    let mut bytes = Vec::with_capacity(length as usize);
    (&mut file).take(limits.max_bytes).read_to_end(&mut bytes).map_err(truncated)?;
    let (picture, behind) = bytes.split_at(walk(&bytes)?);

    // The widest that the format has: the limit that counts is checked below.
    let options = DecoderOptions::default().set_strict_mode(true).set_max_width(65_535).set_max_height(65_535);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(picture), options);
    decoder.decode_headers().map_err(failed)?;
    let (Some(info), Some(color)) = (decoder.info(), decoder.input_colorspace()) else {
        return Err(damaged("it has no picture in it"));
    };
    let (width, height) = (usize::from(info.width), usize::from(info.height));
    let layout = if color == ColorSpace::Luma { Layout::Gray } else { Layout::Rgb };
    let coefficients = if info.sof.is_progressive() { usize::from(info.components) * 2 } else { 0 };
    limits.check(Header { width, height, channels: layout.channels(), depth: Depth::Eight }, coefficients)?;

    let out = if layout == Layout::Gray { ColorSpace::Luma } else { ColorSpace::RGB };
    decoder.set_options(options.jpeg_set_out_colorspace(out));
    let mut samples = samples(Depth::Eight, width, height, layout);
    if let Samples::U8(samples) = &mut samples {
        decoder.decode_into(samples).map_err(failed)?;
    }
    let has_inks = info.components == 4;
    if has_inks {
        warn_of_cmyk();
    }
    let metadata = Metadata {
        icc: decoder.icc_profile().filter(|_| !has_inks),
        exif: decoder.exif().cloned(),
        xmp: decoder.xmp().cloned(),
        ..of_segments(picture)
    };
    if holds_more(behind) {
        tracing::warn!("the second picture or film in it is not carried over");
    }
    Ok(Decoded::new(width, height, layout, samples, metadata))
}

/// What the decoder does not tell: the print resolution, Photoshop's resources, of which it takes the last segment alone, and
/// comments.
fn of_segments(picture: &[u8]) -> Metadata {
    let mut metadata = Metadata::default();
    let mut resources = Vec::new();
    let mut room = MAX_TEXTS;
    let (mut has_longer_xmp, mut has_more_comments) = (false, false);
    for (marker, content) in segments(picture) {
        match marker {
            0xe0 => metadata.density = metadata.density.or(Density::of_jfif(content)),
            0xe1 => has_longer_xmp |= content.starts_with(LONGER_XMP),
            // One resource may go on in the next segment.
            0xed => resources.extend_from_slice(content.strip_prefix(photoshop::SEGMENT).unwrap_or_default()),
            0xfe if !content.is_empty() => match room.checked_sub(content.len()) {
                Some(left) => {
                    metadata.comments.push(content.to_vec());
                    room = left;
                }
                None => has_more_comments = true,
            },
            _ => {}
        }
    }
    if has_more_comments {
        tracing::warn!("its comments are longer than 1 MiB, and not all of them are carried over");
    }
    if has_longer_xmp {
        tracing::warn!("the longer part of its XMP is not carried over");
    }
    metadata.photoshop = Some(resources).filter(|resources| !resources.is_empty());
    metadata
}

/// The segments before the first scan: marker and content.
fn segments(picture: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    // Behind the marker that starts the picture.
    let mut rest = picture.get(2..).unwrap_or_default();
    std::iter::from_fn(move || {
        let fill = rest.iter().take_while(|byte| **byte == 0xff).count();
        let [marker, high, low, ..] = rest[fill..] else { return None };
        if fill == 0 || marker == 0xda {
            return None;
        }
        let end = fill + 1 + usize::from(u16::from_be_bytes([high, low]));
        let content = rest.get(fill + 3..end)?;
        rest = &rest[end..];
        Some((marker, content))
    })
}

/// Whether a second picture (of another eye, or a map of what HDR screens make brighter) or a film stands behind the first.
fn holds_more(behind: &[u8]) -> bool {
    behind.windows(4).any(|bytes| bytes.starts_with(&[0xff, 0xd8, 0xff]) || bytes == b"ftyp")
}

/// Follows the markers to the end of the first picture, behind which some cameras put more. Tells where it ends.
fn walk(bytes: &[u8]) -> Result<usize> {
    let cut = || truncated("no end-of-image marker");
    let mut at = 2;
    let mut scans = 0;
    loop {
        // Between segments: 0xff, possibly repeated, then the marker. In a scan: data in which 0xff is followed by 0.
        let found = bytes[at..].iter().position(|&b| b == 0xff).ok_or_else(cut)?;
        at += found + 1;
        let marker = *bytes.get(at).ok_or_else(cut)?;
        match marker {
            0xff => {}
            0x00 | 0x01 | 0xd0..=0xd7 => at += 1,
            0xd8 => return Err(damaged("a picture starts inside another")),
            0xd9 if scans == 0 => return Err(damaged("it has no picture in it")),
            0xd9 => return Ok(at + 1),
            _ => {
                scans += usize::from(marker == 0xda);
                let [high, low, ..] = bytes[at + 1..] else { return Err(cut()) };
                let length = usize::from(u16::from_be_bytes([high, low]));
                at += 1 + length;
                if length < 2 {
                    return Err(damaged("a segment has no length"));
                }
                if at >= bytes.len() {
                    return Err(cut());
                }
            }
        }
    }
}

fn failed(error: DecodeErrors) -> Error {
    match error {
        DecodeErrors::Unsupported(scheme) => unsupported(
            format!("it is a JPEG of a rare kind ({scheme:?}) that latentd does not read"),
            "open and save it in an image editor",
        ),
        DecodeErrors::ExhaustedData => truncated("data ended"),
        DecodeErrors::IoErrors(error) => {
            let error = std::io::Error::new(ErrorKind::UnexpectedEof, format!("{error:?}"));
            undecodable(error, true)
        }
        error => undecodable(format!("{error:?}"), false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// They went without a word.
    #[test]
    fn a_second_picture_and_a_film_are_seen() {
        for behind in [&b"\0\0\xff\xd8\xff\xe1"[..], b"\0\0\0\x18ftypmp42"] {
            assert!(holds_more(behind), "{behind:x?}");
        }
        for behind in [&b""[..], &[0; 100], b"\xff\xd8", b"SEFT"] {
            assert!(!holds_more(behind), "{behind:x?}");
        }
    }
}
