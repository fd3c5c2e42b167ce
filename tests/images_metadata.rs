//! Promise: colour profile, EXIF and XMP travel with the pixels through every pair of formats, and stay true.
#![allow(missing_docs, clippy::unwrap_used)]

mod images_common;

use images_common::*;
use latentd::Kind;
use latentd::media::image::{Depth, Format, Image, Layout, Limits, Metadata, Samples, Work, decode, resize};
use std::io::Cursor;

const WITH_METADATA: [Format; 4] = [Format::Png, Format::Jpeg, Format::WebP, Format::Tiff];

fn profile(space: &[u8; 4], len: usize) -> Vec<u8> {
    let mut profile: Vec<u8> = (0..len).map(|i| (i * 7) as u8).collect();
    profile[..4].copy_from_slice(&(len as u32).to_be_bytes());
    profile[16..20].copy_from_slice(space);
    profile[36..40].copy_from_slice(b"acsp");
    profile
}

fn exif(orientation: u8) -> Vec<u8> {
    let [x, y, thumbnail] = [[99, 0], [77, 0], [5, 0]];
    tiff_structure(
        &[
            &[
                (0x010f, 2, 12, b"Camera Works"),
                (0x0112, 3, 1, &[orientation, 0]),
                (0x0132, 2, 20, b"2024:05:06 07:08:09\0"),
                (0x8769, 4, 1, &[1]),
                (0x8825, 4, 1, &[2]),
            ],
            &[
                (0x829a, 5, 1, &[1, 0, 0, 0, 125, 0, 0, 0]),
                (0x927c, 7, 6, b"makers"),
                (0xa002, 3, 1, &x),
                (0xa003, 3, 1, &y),
                (0xa005, 4, 1, &[3]),
            ],
            &[
                (0x0001, 2, 2, b"N\0"),
                (0x0002, 5, 3, &[47, 0, 0, 0, 1, 0, 0, 0, 22, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]),
            ],
            &[(0x0001, 2, 4, b"R98\0")],
            &[(0x0103, 3, 1, &[6, 0]), (0x9999, 2, 10, b"thumbnail\0"), (0x0202, 4, 1, &thumbnail)],
        ],
        Some(4),
    )
}

const XMP: &str = r#"<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6" exif:PixelXDimension="99"
    exif:PixelYDimension="77" dc:title="Grüße"/></x:xmpmeta>"#;

/// Every value under a tag in a block, whichever directory it is in, read by another implementation.
fn value(block: &[u8], directory: exif_reader::Context, tag: u16) -> Option<String> {
    exif_reader::value(block, directory, tag)
}

/// A reader of EXIF written for the tests, so that the code under test does not judge itself.
mod exif_reader {
    #[derive(Clone, Copy, PartialEq)]
    pub enum Context {
        Main,
        Exif,
        Gps,
        Interoperability,
    }

    pub fn value(block: &[u8], context: Context, tag: u16) -> Option<String> {
        let little = block.starts_with(b"II");
        let number = |at: usize, len: usize| {
            let bytes = &block[at..at + len];
            let fold = |sum: usize, b: &u8| sum << 8 | usize::from(*b);
            if little { bytes.iter().rev().fold(0, fold) } else { bytes.iter().fold(0, fold) }
        };
        let find = |directory: usize, tag: u16| {
            (0..number(directory, 2)).map(|i| directory + 2 + 12 * i).find(|e| number(*e, 2) == usize::from(tag))
        };
        let follow = |directory: usize, tag| find(directory, tag).map(|e| number(e + 8, 4));
        let main = number(4, 4);
        let directory = match context {
            Context::Main => Some(main),
            Context::Exif => follow(main, 0x8769),
            Context::Gps => follow(main, 0x8825),
            Context::Interoperability => follow(main, 0x8769).and_then(|exif| follow(exif, 0xa005)),
        }?;
        let entry = find(directory, tag)?;
        let (kind, count) = (number(entry + 2, 2), number(entry + 4, 4));
        let size = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8][kind];
        let at = if size * count <= 4 { entry + 8 } else { number(entry + 8, 4) };
        Some(match kind {
            2 | 7 => String::from_utf8_lossy(&block[at..at + count]).trim_end_matches('\0').to_owned(),
            5 => (0..count).map(|i| format!("{}/{} ", number(at + 8 * i, 4), number(at + 8 * i + 4, 4))).collect(),
            _ => (0..count).map(|i| number(at + size * i, size).to_string()).collect::<Vec<_>>().join(" "),
        })
    }

    pub fn has_second_directory(block: &[u8]) -> bool {
        let main = u32::from_le_bytes(block[4..8].try_into().unwrap()) as usize;
        let count = usize::from(u16::from_le_bytes(block[main..main + 2].try_into().unwrap()));
        block[main + 2 + 12 * count..][..4] != [0; 4]
    }
}

use exif_reader::Context;

fn carried(image: &Image, width: &str, height: &str, label: &str) {
    let exif = image.metadata.exif.as_deref().unwrap_or_else(|| panic!("{label}: no EXIF"));
    let expect = |context, tag, expected: &str| {
        assert_eq!(value(exif, context, tag).as_deref(), Some(expected), "{label}: {tag:#x}");
    };
    expect(Context::Main, 0x010f, "Camera Works");
    expect(Context::Main, 0x0132, "2024:05:06 07:08:09");
    assert!(matches!(value(exif, Context::Main, 0x0112).as_deref(), None | Some("1")), "{label}: orientation");
    expect(Context::Exif, 0x829a, "1/125 ");
    expect(Context::Exif, 0x927c, "makers");
    expect(Context::Exif, 0xa002, width);
    expect(Context::Exif, 0xa003, height);
    expect(Context::Gps, 0x0001, "N");
    expect(Context::Gps, 0x0002, "47/1 22/1 0/1 ");
    expect(Context::Interoperability, 0x0001, "R98");
    assert!(!exif_reader::has_second_directory(exif), "{label}: the thumbnail is still there");
    assert!(!exif.windows(9).any(|w| w == b"thumbnail"), "{label}: bytes of the thumbnail are still there");
    let xmp = String::from_utf8(image.metadata.xmp.clone().unwrap_or_else(|| panic!("{label}: no XMP"))).unwrap();
    let expected = XMP.replace("Orientation=\"6\"", "Orientation=\"1\"").replace("\"99\"", &format!("\"{width}\""));
    assert_eq!(xmp, expected.replace("\"77\"", &format!("\"{height}\"")), "{label}");
}

/// A file of `format` as a camera or another program would have left it: orientation and sizes untouched by us.
fn original(format: Format, orientation: u8, layout: Layout, space: &[u8; 4]) -> Vec<u8> {
    let mut image = picture(30, 20, layout, Depth::Eight);
    image.metadata = Metadata {
        icc: Some(profile(space, 500)),
        exif: Some(exif(orientation)),
        xmp: Some(XMP.as_bytes().to_vec()),
        ..Metadata::default()
    };
    let mut bytes = encoded(&image, format);
    if format == Format::Tiff {
        // Orientation is a tag of the picture's own, which the encoder does not write because decoding applied it: a
        // tag of no meaning is turned into it. Tag 0x0131 would sort as well.
        let at = bytes.windows(8).rposition(|w| w == [0x28, 1, 3, 0, 1, 0, 0, 0]).unwrap();
        // ResolutionUnit (0x0128) becomes Orientation (0x0112); readers do not mind the order.
        bytes[at] = 0x12;
        bytes[at + 8] = orientation;
    }
    bytes
}

#[test]
fn every_pair_of_formats() {
    for from in WITH_METADATA {
        let first = decoded(&original(from, 6, Layout::Rgb, b"RGB "), from).unwrap();
        assert_eq!((first.width, first.height), (20, 30), "{from:?}: turned upright");
        for to in WITH_METADATA {
            let larger = resize(&first, 44, 66).unwrap();
            let second = decoded(&encoded(&larger, to), to).unwrap();
            let label = format!("{from:?} to {to:?}");
            assert_eq!((second.width, second.height), (44, 66), "{label}: not turned again");
            assert_eq!(second.metadata.icc, Some(profile(b"RGB ", 500)), "{label}");
            carried(&second, "44", "66", &label);
        }
        let bmp = decoded(&encoded(&first, Format::Bmp), Format::Bmp).unwrap();
        assert_eq!(bmp.metadata, Metadata::default());
    }
}

#[test]
fn gray_and_sixteen_bits_too() {
    for format in [Format::Png, Format::Tiff] {
        for layout in LAYOUTS {
            let mut image = picture(9, 8, layout, Depth::Sixteen);
            let space = if layout.colors() == 1 { b"GRAY" } else { b"RGB " };
            image.metadata.icc = Some(profile(space, 200));
            image.metadata.exif = Some(exif(1));
            let back = decoded(&encoded(&image, format), format).unwrap();
            assert_eq!(back.samples, image.samples);
            assert_eq!(back.metadata.icc, image.metadata.icc, "{format:?} {layout:?}");
            assert_eq!(value(&back.metadata.exif.unwrap(), Context::Exif, 0xa002).unwrap(), "9");
        }
    }
}

#[test]
fn a_profile_of_another_colour_space_is_dropped() {
    for format in WITH_METADATA {
        for (layout, space) in [(Layout::Rgb, b"CMYK"), (Layout::Rgb, b"GRAY"), (Layout::Gray, b"RGB ")] {
            let mut image = picture(9, 8, layout, Depth::Eight);
            image.metadata.icc = Some(profile(space, 200));
            assert_eq!(decoded(&encoded(&image, format), format).unwrap().metadata.icc, None);
        }
    }
    // And one that a file brings: the writer under test would not have written it.
    let mut bytes = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, 90);
    encoder.add_icc_profile(&profile(b"CMYK", 300)).unwrap();
    encoder.encode(&[0; 256], 8, 8, jpeg_encoder::ColorType::Cmyk).unwrap();
    assert_eq!(decoded(&bytes, Format::Jpeg).unwrap().metadata.icc, None);
}

#[test]
fn profiles_longer_than_a_jpeg_segment() {
    let mut image = picture(9, 8, Layout::Rgb, Depth::Eight);
    image.metadata.icc = Some(profile(b"RGB ", 200_000));
    for format in WITH_METADATA {
        assert_eq!(decoded(&encoded(&image, format), format).unwrap().metadata.icc, image.metadata.icc, "{format:?}");
    }
}

#[test]
fn blocks_too_long_for_a_jpeg_are_dropped_alone() {
    let mut image = picture(9, 8, Layout::Rgb, Depth::Eight);
    image.metadata.exif = Some([exif(1), vec![0; 70_000]].concat());
    image.metadata.xmp = Some(vec![b' '; 70_000]);
    image.metadata.icc = Some(profile(b"RGB ", 200));
    let back = decoded(&encoded(&image, Format::Jpeg), Format::Jpeg).unwrap();
    assert_eq!(back.metadata, Metadata { icc: image.metadata.icc.clone(), ..Metadata::default() });
    let back = decoded(&encoded(&image, Format::Png), Format::Png).unwrap();
    assert!(back.metadata.exif.is_some() && back.metadata.xmp == image.metadata.xmp);
}

#[test]
fn broken_metadata_is_dropped_not_fatal() {
    for format in WITH_METADATA {
        let mut image = picture(9, 8, Layout::Rgb, Depth::Eight);
        for exif in [&b"garbage"[..], b"II\x2a\0\xff\xff\xff\xff", b"MM\0\x2a\0\0\0\x08\xff\xff", b""] {
            image.metadata = Metadata {
                icc: Some(vec![1; 50]),
                exif: Some(exif.to_vec()),
                xmp: Some(vec![0xff; 9]),
                ..Metadata::default()
            };
            // An XMP packet that is no text cannot even be written into a PNG; the rest can.
            let back = decoded(&encoded(&image, format), format).unwrap();
            assert_eq!(back.metadata, Metadata::default(), "{format:?}");
        }
    }
}

#[test]
fn png_metadata_behind_the_pixels() {
    let bytes = encoded(&picture(30, 20, Layout::Rgb, Depth::Eight), Format::Png);
    let end = bytes.len() - 12;
    let text = [b"XML:com.adobe.xmp\0\0\0\0\0", XMP.as_bytes()].concat();
    let bytes = [&bytes[..end], &chunk(b"eXIf", &exif(6)), &chunk(b"iTXt", &text), &bytes[end..]].concat();
    let image = decoded(&bytes, Format::Png).unwrap();
    assert_eq!((image.width, image.height), (20, 30));
    assert!(image.metadata.xmp.is_some());
}

/// Orientation 1..=8 of EXIF 2.32, 4.6.4: where row 0 and column 0 of the stored picture are seen.
#[test]
fn orientations() {
    // Upright:  1 2 3
    //           4 5 6
    let stored: [(u8, usize, [u8; 6]); 8] = [
        (1, 3, [1, 2, 3, 4, 5, 6]),
        (2, 3, [3, 2, 1, 6, 5, 4]),
        (3, 3, [6, 5, 4, 3, 2, 1]),
        (4, 3, [4, 5, 6, 1, 2, 3]),
        (5, 2, [1, 4, 2, 5, 3, 6]),
        (6, 2, [3, 6, 2, 5, 1, 4]),
        (7, 2, [6, 3, 5, 2, 4, 1]),
        (8, 2, [4, 1, 5, 2, 6, 3]),
    ];
    for (orientation, width, pixels) in stored {
        for layout in LAYOUTS {
            for depth in [Depth::Eight, Depth::Sixteen] {
                let mut image = Image::new(width, 6 / width, layout, depth);
                let channels = layout.channels();
                let spread = |p: u8| (0..channels).map(move |c| u16::from(p) * 8 + c as u16);
                let fill = |image: &mut Image, pixels: &[u8]| match &mut image.samples {
                    Samples::U8(s) => *s = pixels.iter().flat_map(|p| spread(*p)).map(|v| v as u8).collect(),
                    Samples::U16(s) => *s = pixels.iter().flat_map(|p| spread(*p)).collect(),
                };
                fill(&mut image, &pixels);
                image.metadata.exif = Some(exif(orientation));
                let upright = decoded(&encoded(&image, Format::Png), Format::Png).unwrap();
                let mut expected = Image::new(3, 2, layout, depth);
                fill(&mut expected, &[1, 2, 3, 4, 5, 6]);
                assert_eq!((upright.width, upright.height), (3, 2), "{orientation}");
                assert_eq!(upright.samples, expected.samples, "{orientation} {layout:?} {depth:?}");
            }
        }
    }
    for format in WITH_METADATA {
        for orientation in 1..=8 {
            let image = decoded(&original(format, orientation, Layout::Rgb, b"RGB "), format).unwrap();
            let expected = if orientation < 5 { (30, 20) } else { (20, 30) };
            assert_eq!((image.width, image.height), expected, "{format:?} {orientation}");
        }
    }
}

/// Only the way a picture is stored was counted, and one that its EXIF turns took more memory than the limit.
#[test]
fn a_turned_picture_counts_both_ways() {
    // Work that takes memory by the row, and by the column.
    let by_row = Work::new(|header| header.height as u64 * 100_000);
    let by_column = Work::new(|header| header.width as u64 * 100_000);
    for format in WITH_METADATA {
        // Stored as 30 x 20, upright 20 x 30.
        let bytes = original(format, 6, Layout::Rgb, b"RGB ");
        for work in [&by_row, &by_column] {
            let read = |max_alloc| {
                let limits = Limits { max_alloc, work: work.clone(), ..Limits::default() };
                decode::read(Cursor::new(&bytes), &name(format), &limits)
            };
            assert_eq!(read(2_999_999).unwrap_err().kind(), Kind::Input, "{format:?} {work:?}");
            assert!(read(3_000_000).is_ok(), "{format:?}");
        }
    }
}

/// EXIF in a PNG that begins as JPEG's does was not turned by, and then told that it was.
#[test]
fn a_prefix_before_exif_changes_nothing() {
    let mut image = picture(30, 20, Layout::Rgb, Depth::Eight);
    for prefix in [&b""[..], b"Exif\0\0"] {
        image.metadata.exif = Some([prefix, &exif(6)].concat());
        let upright = decoded(&encoded(&image, Format::Png), Format::Png).unwrap();
        assert_eq!((upright.width, upright.height), (20, 30), "{prefix:?}");
    }
}

/// One tag that cannot be followed took all others with it, and the picture lay on its side.
#[test]
fn what_is_broken_in_a_tiffs_exif_costs_that_alone() {
    let pixels = [7u8; 6];
    let file = |exif_at: u8, offset: [u8; 4]| {
        let main: &[TiffTag] = &[
            (0x0100, 3, 1, &[3, 0]),
            (0x0101, 3, 1, &[2, 0]),
            (0x0102, 3, 1, &[8, 0]),
            (0x0103, 3, 1, &[1, 0]),
            (0x0106, 3, 1, &[1, 0]),
            (0x010f, 2, 12, b"Camera Works"),
            (0x0111, 4, 1, &offset),
            (0x0112, 3, 1, &[6, 0]),
            (0x0115, 3, 1, &[1, 0]),
            (0x0116, 3, 1, &[2, 0]),
            (0x0117, 4, 1, &[6, 0, 0, 0]),
            (0x8769, 4, 1, &[exif_at]),
        ];
        tiff_structure(&[main, &[(0x829a, 5, 1, &[1, 0, 0, 0, 125, 0, 0, 0])]], None)
    };
    let length = file(1, [0; 4]).len() as u32;
    let whole = [file(1, length.to_le_bytes()), pixels.to_vec()].concat();
    let mut broken = whole.clone();
    // The pointer to the EXIF directory is the last entry of the first directory.
    let at = 8 + 2 + 12 * 11 + 8;
    broken[at..at + 4].copy_from_slice(&0x00ff_ffffu32.to_le_bytes());
    for bytes in [whole, broken] {
        let image = decoded(&bytes, Format::Tiff).unwrap();
        assert_eq!((image.width, image.height), (2, 3));
        let exif = image.metadata.exif.unwrap();
        assert_eq!(value(&exif, Context::Main, 0x010f).as_deref(), Some("Camera Works"));
    }
}

/// Luma and chroma were taken for red, green and blue.
#[test]
fn jpeg_in_a_tiff_has_its_colours() {
    let mut image = picture(16, 16, Layout::Rgb, Depth::Eight);
    if let Samples::U8(samples) = &mut image.samples {
        samples.chunks_mut(3).for_each(|pixel| pixel.copy_from_slice(&[220, 30, 40]));
    }
    let jpeg = encoded(&image, Format::Jpeg);
    let file = |compression: u8, offset: [u8; 4]| {
        let count = (jpeg.len() as u32).to_le_bytes();
        let main: &[TiffTag] = &[
            (0x0100, 3, 1, &[16, 0]),
            (0x0101, 3, 1, &[16, 0]),
            (0x0102, 3, 3, &[8, 0, 8, 0, 8, 0]),
            (0x0103, 3, 1, &[compression, 0]),
            (0x0106, 3, 1, &[6, 0]),
            (0x0111, 4, 1, &offset),
            (0x0115, 3, 1, &[3, 0]),
            (0x0116, 3, 1, &[16, 0]),
            (0x0117, 4, 1, &count),
        ];
        tiff_structure(&[main], None)
    };
    let offset = (file(7, [0; 4]).len() as u32).to_le_bytes();
    let found = decoded(&[file(7, offset), jpeg.clone()].concat(), Format::Tiff).unwrap();
    let Samples::U8(samples) = &found.samples else { panic!("8 bits") };
    for pixel in samples.chunks(3) {
        assert!(pixel.iter().zip([220, 30, 40]).all(|(a, b)| a.abs_diff(b) < 6), "{pixel:?}");
    }
    // Without JPEG it is refused: nobody here knows how its chroma is laid out.
    let error = decoded(&[file(1, offset), vec![100; 1000]].concat(), Format::Tiff).unwrap_err();
    assert!(error.to_string().contains("does not read"), "{error}");
}
