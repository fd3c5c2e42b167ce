//! Pictures made in code, for the tests of images.
#![allow(dead_code)]

use latentd::media::image::{Depth, EncodeOptions, Format, Image, Layout, Limits, Samples, decode, encode};
use std::io::Cursor;
use std::path::PathBuf;

pub const LAYOUTS: [Layout; 4] = [Layout::Gray, Layout::GrayAlpha, Layout::Rgb, Layout::Rgba];

/// A picture with gradients, an edge and some noise, so that every codec has something to do.
pub fn picture(width: usize, height: usize, layout: Layout, depth: Depth) -> Image {
    let mut image = Image::new(width, height, layout, depth);
    let channels = layout.channels();
    let mut noise = 12345_u32;
    let mut at = |i: usize| {
        let (x, y, c) = (i / channels % width, i / channels / width, i % channels);
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let edge = if x * 3 > y * 2 + 20 { 60 } else { 0 };
        ((x * (c + 1) + y * 2 + edge) as u32 + (noise >> 29)) % 256
    };
    match &mut image.samples {
        Samples::U8(s) => s.iter_mut().enumerate().for_each(|(i, s)| *s = at(i) as u8),
        Samples::U16(s) => s.iter_mut().enumerate().for_each(|(i, s)| *s = (at(i) * 256 + i as u32 % 256) as u16),
    }
    image
}

pub fn encoded(image: &Image, format: Format) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    encode::write(image, format, &EncodeOptions::default(), &mut out).unwrap();
    out.into_inner()
}

pub fn name(format: Format) -> PathBuf {
    PathBuf::from(format!("picture.{}", format.extensions()[0]))
}

pub fn decoded(bytes: &[u8], format: Format) -> latentd::Result<Image> {
    decode::read(Cursor::new(bytes), &name(format), &Limits::default())
}

/// Tag, type, count and the value's bytes.
pub type TiffTag<'a> = (u16, u16, u32, &'a [u8]);

/// A little-endian TIFF structure of the directories given; entries are tag, type, count and the value's bytes. The value of a
/// pointer is the index of the directory it points to; directory 0 is the main one.
pub fn tiff_structure(directories: &[&[TiffTag]], next: Option<usize>) -> Vec<u8> {
    let sizes = directories
        .iter()
        .map(|d| 2 + 12 * d.len() + 4 + d.iter().map(|e| if e.3.len() > 4 { e.3.len() } else { 0 }).sum::<usize>());
    let starts: Vec<usize> = sizes.scan(8, |at, size| Some(std::mem::replace(at, *at + size))).collect();
    let mut out = b"II\x2a\0\x08\0\0\0".to_vec();
    for (index, directory) in directories.iter().enumerate() {
        let mut values = Vec::new();
        let values_at = starts[index] + 2 + 12 * directory.len() + 4;
        out.extend((directory.len() as u16).to_le_bytes());
        for (tag, kind, count, bytes) in *directory {
            out.extend(tag.to_le_bytes());
            out.extend(kind.to_le_bytes());
            out.extend(count.to_le_bytes());
            if matches!(tag, 0x8769 | 0x8825 | 0xa005) {
                out.extend((starts[usize::from(bytes[0])] as u32).to_le_bytes());
            } else if bytes.len() > 4 {
                out.extend(((values_at + values.len()) as u32).to_le_bytes());
                values.extend_from_slice(bytes);
            } else {
                out.extend_from_slice(bytes);
                out.resize(out.len() + 4 - bytes.len(), 0);
            }
        }
        let next = if index == 0 { next.map_or(0, |n| starts[n]) } else { 0 };
        out.extend((next as u32).to_le_bytes());
        out.extend(values);
    }
    out
}

/// The CRC of a PNG chunk.
pub fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    })
}

pub fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let body = [kind, data].concat();
    [&(data.len() as u32).to_be_bytes()[..], &body, &crc(&body).to_be_bytes()].concat()
}

/// A PNG header: 8-bit RGB.
pub fn png_start(width: u32, height: u32) -> Vec<u8> {
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
    [b"\x89PNG\r\n\x1a\n".to_vec(), chunk(b"IHDR", &header)].concat()
}
