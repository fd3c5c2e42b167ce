//! Promise: a file that is truncated, damaged, mislabelled, animated or a bomb is refused with a clear error; nothing panics,
//! nothing is half decoded.
#![allow(missing_docs, clippy::unwrap_used)]

mod images_common;

use images_common::*;
use latentd::media::image::{Depth, Format, Layout, Limits, decode};
use latentd::{Error, Kind};
use proptest::prelude::*;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::path::Path;

fn refused(bytes: &[u8], name: &str) -> Error {
    let error = decode::read(Cursor::new(bytes), Path::new(name), &Limits::default())
        .map(|image| (image.width, image.height))
        .expect_err(&format!("{name} of {} bytes was accepted", bytes.len()));
    assert_eq!(error.kind(), Kind::Input, "{error}");
    assert!(error.message().starts_with(name), "{error}");
    assert!(error.mend_text().is_some(), "{error}");
    error
}

/// One file of every kind that we can write, and the rarer kinds by other means.
fn every_kind() -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for format in Format::ALL {
        for layout in LAYOUTS {
            for depth in [Depth::Eight, Depth::Sixteen] {
                let extension = format.extensions()[0];
                files.push((
                    format!("{layout:?}-{depth:?}.{extension}"),
                    encoded(&picture(67, 45, layout, depth), format),
                ));
            }
        }
    }
    let rgb = picture(67, 45, Layout::Rgb, Depth::Eight);
    let latentd::media::image::Samples::U8(samples) = &rgb.samples else { panic!() };
    let mut progressive = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut progressive, 80);
    encoder.set_progressive(true);
    encoder.encode(samples, 67, 45, jpeg_encoder::ColorType::Rgb).unwrap();
    files.push(("progressive.jpg".into(), progressive));
    let mut restarts = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut restarts, 80);
    encoder.set_restart_interval(4);
    encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::R_4_2_0);
    encoder.encode(samples, 67, 45, jpeg_encoder::ColorType::Rgb).unwrap();
    files.push(("restarts.jpg".into(), restarts));
    for (name, compression) in [
        ("plain.tif", tiff::encoder::Compression::Uncompressed),
        ("lzw.tif", tiff::encoder::Compression::Lzw),
        ("packbits.tif", tiff::encoder::Compression::Packbits),
    ] {
        let mut out = Cursor::new(Vec::new());
        let mut encoder = tiff::encoder::TiffEncoder::new(&mut out).unwrap().with_compression(compression);
        encoder.write_image::<tiff::encoder::colortype::RGB8>(67, 45, samples).unwrap();
        files.push((name.into(), out.into_inner()));
    }
    files
}

#[test]
fn whole_files_are_accepted() {
    for (name, bytes) in every_kind() {
        let image =
            decode::read(Cursor::new(&bytes), Path::new(&name), &Limits::default()).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!((image.width, image.height), (67, 45), "{name}");
    }
}

/// 45 files and more, each cut at every tenth and within the last bytes.
#[test]
fn truncated_anywhere() {
    let mut cuts = 0;
    for (name, bytes) in every_kind() {
        let tenths = (0..10).map(|tenth| bytes.len() * tenth / 10);
        // A TIFF of ours ends with its directory, a WebP with metadata; every format must notice the last byte missing. Only
        // the padding of a WebP chunk or a BMP row carries nothing.
        for cut in tenths.chain([bytes.len() - 2, bytes.len() - 5, bytes.len() - 13, bytes.len() - 40]) {
            refused(&bytes[..cut], &name);
            cuts += 1;
        }
    }
    assert!(cuts > 400, "{cuts}");
}

/// A file cut off and padded with zeros, as a full disk or a broken transfer leaves it.
#[test]
fn the_second_half_is_zeros() {
    for (name, mut bytes) in every_kind() {
        // In BMP, WebP and uncompressed TIFF nothing tells zeros from black: they have no checksum.
        if name.ends_with("bmp") || name.ends_with("webp") || name == "plain.tif" {
            continue;
        }
        let half = bytes.len() / 2;
        bytes[half..].fill(0);
        refused(&bytes, &name);
    }
}

#[test]
fn not_pictures() {
    let error = refused(b"", "empty.png");
    assert!(error.message().contains("empty"), "{error}");
    refused(&[0], "a.png");
    refused(&[0; 5000], "zeros.jpg");
    refused(b"To whom it may concern: this is a letter.\n", "letter.jpg");
    refused(b"BM is a company", "company.bmp");
    refused(b"GIF89a..............", "a.gif");
    refused(b"\0\0\0\x1cftypheic........", "a.heic");
    assert!(refused(b"\0\0\0\x1cftypmif1....avif", "a.heic").message().contains("HEIF"));
    assert!(refused(b"\0\0\0\x1cftypavif........", "a.png").message().contains("AVIF"));
    refused(b"%PDF-1.7 ...........", "a.pdf");
    refused(b"8BPS................", "a.psd");
    refused(b"<svg xmlns='x'></svg>", "a.svg");
    for head in [
        &b"\x89PNG\r\n\x1a\n"[..],
        b"\xff\xd8\xff\xe0",
        b"RIFF\x10\0\0\0WEBP",
        b"II\x2a\0",
        b"MM\0\x2a",
        b"BM\0\0\0\0\0\0\0\0",
    ] {
        let extension = Format::from_content(&[head, &[0; 16]].concat()).unwrap().extensions()[0];
        refused(head, &format!("head.{extension}"));
        refused(&[head, &[0; 100]].concat(), &format!("zeros.{extension}"));
        refused(&[head, &[0xff; 100]].concat(), &format!("ones.{extension}"));
    }
}

#[test]
fn mislabelled() {
    let image = picture(9, 9, Layout::Rgb, Depth::Eight);
    for content in Format::ALL {
        let bytes = encoded(&image, content);
        for label in Format::ALL.into_iter().filter(|l| *l != content) {
            for extension in label.extensions() {
                let error = refused(&bytes, &format!("a.{extension}"));
                assert!(error.message().contains(label.name()) && error.message().contains(content.name()), "{error}");
                assert!(error.mend_text().unwrap().contains(content.extensions()[0]));
            }
        }
        for extension in content.extensions() {
            decode::read(
                Cursor::new(&bytes),
                Path::new(&format!("a.{}", extension.to_uppercase())),
                &Limits::default(),
            )
            .unwrap();
        }
        decode::read(Cursor::new(&bytes), Path::new("no-extension"), &Limits::default()).unwrap();
        refused(&bytes, "a.heic");
    }
    let error = refused(&encoded(&image, Format::Tiff), "camera.nef");
    assert!(error.mend_text().is_some_and(|mend| mend.contains("raw converter")), "not to be renamed: {error}");
}

#[test]
fn bombs() {
    // A header that promises 4 gigapixels, with no data.
    let data = chunk(b"IDAT", &[0x78, 0x9c, 0x03, 0, 0, 0, 0, 1]);
    let huge = [png_start(65_535, 65_535), data.clone(), chunk(b"IEND", &[])].concat();
    let error = refused(&huge, "huge.png");
    assert!(error.message().contains("megapixels"), "{error}");
    refused(&[png_start(u32::MAX >> 1, u32::MAX >> 1), data.clone()].concat(), "absurd.png");
    refused(&[png_start(0, 5), data].concat(), "none.png");

    // 2.7 GB of black in a few kilobytes.
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, 30_000, 30_000);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header().unwrap();
    let mut stream = writer.stream_writer().unwrap();
    let row = vec![0; 30_000];
    for _ in 0..30_000 {
        io::Write::write_all(&mut stream, &row).unwrap();
    }
    stream.finish().unwrap();
    writer.finish().unwrap();
    assert!(out.len() < 10_000_000, "{}", out.len());
    assert!(refused(&out, "black.png").message().contains("900 megapixels"));

    // A JPEG whose frame header is rewritten to 65,500 x 65,500.
    let mut jpeg = encoded(&picture(16, 16, Layout::Rgb, Depth::Eight), Format::Jpeg);
    let frame = jpeg.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xff, 0xdc, 0xff, 0xdc]);
    assert!(refused(&jpeg, "huge.jpg").message().contains("megapixels"));

    // A WebP of 16,383 x 16,383.
    let mut webp = encoded(&picture(16, 16, Layout::Rgb, Depth::Eight), Format::WebP);
    webp[21..25].copy_from_slice(&((16_382 | 16_382 << 14) as u32).to_le_bytes());
    assert!(refused(&webp, "huge.webp").message().contains("megapixels"));

    // A BMP and a TIFF with rewritten sizes.
    let mut bmp = encoded(&picture(16, 16, Layout::Rgb, Depth::Eight), Format::Bmp);
    bmp[18..26].copy_from_slice(&[0, 0, 1, 0, 0, 0, 1, 0]);
    refused(&bmp, "huge.bmp");
    for (width, height) in [(1_u32 << 20, 1_u32 << 20), (1 << 31, 1 << 31), (20_000, 6_000)] {
        let long = |n: u32| n.to_le_bytes();
        let bytes = tiff_structure(
            &[&[
                (256, 4, 1, &long(width)),
                (257, 4, 1, &long(height)),
                (258, 3, 1, &[8, 0]),
                (259, 3, 1, &[1, 0]),
                (262, 3, 1, &[1, 0]),
                (273, 4, 1, &long(8)),
                (277, 3, 1, &[1, 0]),
                (278, 4, 1, &long(height)),
                (279, 4, 1, &long(100)),
            ]],
            None,
        );
        refused(&bytes, "huge.tif");
    }
}

#[test]
fn limits_are_settings() {
    let bytes = encoded(&picture(100, 100, Layout::Rgba, Depth::Sixteen), Format::Png);
    let read = |limits| decode::read(Cursor::new(&bytes), Path::new("a.png"), &limits);
    let limits = Limits::default();
    assert!(read(Limits { max_pixels: 10_000, ..limits.clone() }).is_ok());
    for limits in [
        Limits { max_pixels: 9_999, ..limits.clone() },
        Limits { max_bytes: bytes.len() as u64 - 1, ..limits.clone() },
        Limits { max_alloc: 79_999, ..limits },
    ] {
        let error = read(limits).unwrap_err();
        assert_eq!(error.kind(), Kind::Input);
        assert!(error.mend_text().unwrap().contains("max_megapixels"), "{error}");
    }
}

#[test]
fn bombs_in_metadata() {
    // 200 MB of profile, and as much text, in a few hundred kilobytes.
    let zeros = |len| {
        let mut out = flate(len);
        out.splice(0..0, *b"icc\0\0");
        out
    };
    let rgb = encoded(&picture(4, 4, Layout::Rgb, Depth::Eight), Format::Png);
    let header_end = 33;
    let with = |chunk: Vec<u8>| [&rgb[..header_end], &chunk, &rgb[header_end..]].concat();
    let profile = with(chunk(b"iCCP", &zeros(200 << 20)));
    let text = with(chunk(b"iTXt", &[b"XML:com.adobe.xmp\0\x01\0\0\0".to_vec(), flate(200 << 20)].concat()));
    for bytes in [profile, text] {
        match decode::read(Cursor::new(&bytes), Path::new("a.png"), &Limits::default()) {
            Ok(image) => assert!(image.metadata.icc.is_none() && image.metadata.xmp.is_none()),
            Err(error) => assert_eq!(error.kind(), Kind::Input),
        }
    }
}

/// `len` zeros compressed by zlib, taken out of a PNG.
fn flate(len: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, 999, (len / 1000) as u32);
    encoder.set_color(png::ColorType::Grayscale);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&vec![0; 999 * (len / 1000)]).unwrap();
    writer.finish().unwrap();
    let mut data = Vec::new();
    let mut at = 8;
    while at < out.len() {
        let len = u32::from_be_bytes(out[at..at + 4].try_into().unwrap()) as usize;
        if &out[at + 4..at + 8] == b"IDAT" {
            data.extend_from_slice(&out[at + 8..at + 8 + len]);
        }
        at += 12 + len;
    }
    data
}

#[test]
fn animations_and_pages() {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, 2, 2);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_animated(2, 0).unwrap();
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&[0; 4]).unwrap();
    writer.write_image_data(&[9; 4]).unwrap();
    writer.finish().unwrap();
    assert!(refused(&out, "a.png").message().contains("animation"));

    let mut pages = Cursor::new(Vec::new());
    let mut encoder = tiff::encoder::TiffEncoder::new(&mut pages).unwrap();
    encoder.write_image::<tiff::encoder::colortype::Gray8>(2, 2, &[1; 4]).unwrap();
    encoder.write_image::<tiff::encoder::colortype::Gray8>(2, 2, &[2; 4]).unwrap();
    assert!(refused(&pages.into_inner(), "a.tif").message().contains("pages"));

    // A smaller version of the same picture is no page.
    let mut reduced = Cursor::new(Vec::new());
    let mut encoder = tiff::encoder::TiffEncoder::new(&mut reduced).unwrap();
    encoder.write_image::<tiff::encoder::colortype::Gray8>(2, 2, &[1; 4]).unwrap();
    let mut small = encoder.new_image::<tiff::encoder::colortype::Gray8>(1, 1).unwrap();
    small.encoder().write_tag(tiff::tags::Tag::NewSubfileType, 1_u32).unwrap();
    small.write_data(&[3]).unwrap();
    decoded(&reduced.into_inner(), Format::Tiff).unwrap();

    let still = encoded(&picture(8, 8, Layout::Rgb, Depth::Eight), Format::WebP);
    let frame = |delay: u8| {
        let head = [&[0; 6][..], &[7, 0, 0, 7, 0, 0, delay, 0, 0, 0]].concat();
        riff(b"ANMF", &[head, still[12..].to_vec()].concat())
    };
    let body = [
        b"WEBP".to_vec(),
        riff(b"VP8X", &[2, 0, 0, 0, 7, 0, 0, 7, 0, 0]),
        riff(b"ANIM", &[0; 6]),
        frame(10),
        frame(20),
    ]
    .concat();
    assert!(refused(&riff(b"RIFF", &body), "a.webp").message().contains("animation"));
}

fn riff(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let padding = vec![0; data.len() % 2];
    [&kind[..], &(data.len() as u32).to_le_bytes(), data, &padding].concat()
}

/// A disk that fails is not the picture's fault.
#[test]
fn a_failing_disk() {
    struct Failing(Cursor<Vec<u8>>);
    impl Read for Failing {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.0.position() > 100 { Err(io::ErrorKind::TimedOut.into()) } else { self.0.read(&mut buffer[..1]) }
        }
    }
    impl Seek for Failing {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.0.seek(to)
        }
    }
    for format in Format::ALL {
        let bytes = encoded(&picture(20, 20, Layout::Rgb, Depth::Eight), format);
        let error = decode::read(Failing(Cursor::new(bytes)), &name(format), &Limits::default()).unwrap_err();
        assert_eq!(error.kind(), Kind::Transient, "{error}");
    }
}

fn small_kinds() -> &'static [(String, Vec<u8>)] {
    static KINDS: std::sync::OnceLock<Vec<(String, Vec<u8>)>> = std::sync::OnceLock::new();
    KINDS.get_or_init(every_kind)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn flipped_bits(kind in any::<prop::sample::Index>(), flips in prop::collection::vec((any::<prop::sample::Index>(), 0..8), 1..5), early: bool) {
        let (name, bytes) = kind.get(small_kinds());
        let mut bytes = bytes.clone();
        for (at, bit) in flips {
            let at = at.index(if early { bytes.len().min(100) } else { bytes.len() });
            bytes[at] ^= 1_u8 << bit;
        }
        match decode::read(Cursor::new(&bytes), Path::new(name), &Limits::default()) {
            Ok(image) => prop_assert_eq!(image.samples.len(), image.width * image.height * image.layout.channels()),
            Err(error) => prop_assert_eq!(error.kind(), Kind::Input),
        }
    }

    #[test]
    fn random_bytes(kind in any::<prop::sample::Index>(), keep in 4usize..60, noise in prop::collection::vec(any::<u8>(), 0..400)) {
        let (name, bytes) = kind.get(small_kinds());
        let bytes = [&bytes[..keep], &noise].concat();
        if let Err(error) = decode::read(Cursor::new(&bytes), Path::new(name), &Limits::default()) {
            prop_assert_eq!(error.kind(), Kind::Input);
        }
    }
}

/// What a panic inside a decoder looks like from outside.
#[test]
fn a_panic_is_the_files_fault() {
    struct Panics(Cursor<Vec<u8>>);
    impl Read for Panics {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            assert!(self.0.position() < 100, "a decoder's bug");
            self.0.read(&mut buffer[..1])
        }
    }
    impl Seek for Panics {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.0.seek(to)
        }
    }
    let bytes = encoded(&picture(20, 20, Layout::Rgb, Depth::Eight), Format::Png);
    let error = decode::read(Panics(Cursor::new(bytes)), Path::new("a.png"), &Limits::default()).unwrap_err();
    assert_eq!(error.kind(), Kind::Input);
}
