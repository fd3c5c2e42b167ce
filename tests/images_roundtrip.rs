//! Promise: what a format can hold comes back as it was; what cannot be written is an error.
#![allow(missing_docs, clippy::unwrap_used)]

mod images_common;

use images_common::*;
use latentd::Kind;
use latentd::media::image::{Chroma, Depth, Effort, EncodeOptions, Format, Image, Layout, Samples, encode};
use proptest::prelude::*;
use std::io::{self, Cursor};

fn image() -> impl Strategy<Value = Image> {
    (1usize..40, 1usize..40, prop::sample::select(&LAYOUTS), any::<bool>(), any::<bool>()).prop_flat_map(
        |(width, height, layout, sixteen, flat)| {
            let depth = if sixteen { Depth::Sixteen } else { Depth::Eight };
            let len = width * height * layout.channels();
            let noise = prop::collection::vec(any::<u16>(), if flat { 1 } else { len });
            noise.prop_map(move |noise| {
                let mut image = Image::new(width, height, layout, depth);
                match &mut image.samples {
                    Samples::U8(s) => s.iter_mut().zip(noise.iter().cycle()).for_each(|(s, n)| *s = *n as u8),
                    Samples::U16(s) => s.iter_mut().zip(noise.iter().cycle()).for_each(|(s, n)| *s = *n),
                }
                image
            })
        },
    )
}

/// What a format that has only some layouts makes of the others.
fn as_layout(image: &Image, layout: Layout) -> Image {
    let mut out = Image { layout, ..image.clone() };
    let Samples::U8(samples) = &image.samples else { panic!() };
    out.samples = Samples::U8(match (image.layout, layout) {
        (Layout::Gray, Layout::Rgb) => samples.iter().flat_map(|&g| [g; 3]).collect(),
        (Layout::GrayAlpha, Layout::Rgba) => samples.chunks(2).flat_map(|p| [p[0], p[0], p[0], p[1]]).collect(),
        _ => samples.clone(),
    });
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn lossless_formats_keep_every_sample(image in image(), balanced: bool) {
        let options =
            EncodeOptions { effort: if balanced { Effort::Balanced } else { Effort::Fast }, ..Default::default() };
        for format in [Format::Png, Format::Tiff, Format::WebP, Format::Bmp] {
            let mut out = Cursor::new(Vec::new());
            encode::write(&image, format, &options, &mut out).unwrap();
            let back = decoded(out.get_ref(), format).unwrap();
            let expected = match format {
                Format::Png | Format::Tiff => image.clone(),
                Format::WebP | Format::Bmp => {
                    let mut eight = image.clone().to_depth(Depth::Eight);
                    eight.depth = Depth::Eight;
                    let layout = match (image.layout, format) {
                        (Layout::Gray, Format::WebP) => Layout::Rgb,
                        (Layout::GrayAlpha, _) => Layout::Rgba,
                        (layout, _) => layout,
                    };
                    as_layout(&eight, layout)
                }
                Format::Jpeg => unreachable!(),
            };
            prop_assert_eq!(back, expected, "{:?}", format);
        }
    }

    #[test]
    fn depth_of_the_file_is_the_depth_written(image in image()) {
        // Stages hold 8-bit pictures at 16 bits; the file is 8 bits all the same.
        let held = image.clone().to_sixteen();
        for format in [Format::Png, Format::Tiff] {
            prop_assert_eq!(&decoded(&encoded(&held, format), format).unwrap(), &image);
        }
    }
}

#[test]
fn jpeg_is_near() {
    for layout in [Layout::Gray, Layout::Rgb] {
        for (chroma, bound) in [(Chroma::Full, 2.0), (Chroma::Half, 8.0)] {
            let image = picture(64, 48, layout, Depth::Eight);
            // Colours that change slowly, or 4:2:0 would rightly lose much.
            let image = latentd::media::image::resize(&image, 640, 480).unwrap();
            let options = EncodeOptions { quality: 95, chroma, ..Default::default() };
            let mut out = Cursor::new(Vec::new());
            encode::write(&image, Format::Jpeg, &options, &mut out).unwrap();
            let back = decoded(out.get_ref(), Format::Jpeg).unwrap();
            assert_eq!((back.width, back.height, back.layout), (640, 480, layout), "gray stays gray");
            let (Samples::U8(a), Samples::U8(b)) = (&image.samples, &back.samples) else { panic!() };
            let mean = a.iter().zip(b).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / a.len() as f64;
            assert!(mean < bound, "{layout:?} {chroma:?}: {mean}");
        }
    }
}

#[test]
fn jpeg_lays_transparent_colours_over_white() {
    for (layout, pixel) in [(Layout::Rgba, &[200, 0, 0, 0][..]), (Layout::GrayAlpha, &[0, 0])] {
        let mut image = Image::new(8, 8, layout, Depth::Eight);
        image.samples = Samples::U8(pixel.repeat(64));
        let back = decoded(&encoded(&image, Format::Jpeg), Format::Jpeg).unwrap();
        let Samples::U8(samples) = &back.samples else { panic!() };
        assert!(samples.iter().all(|s| *s >= 254), "{samples:?}");
    }
}

#[test]
fn palettes_and_few_bits() {
    use png::{BitDepth, ColorType};
    let write = |color, depth, palette: Option<(&[u8], &[u8])>, data: &[u8]| {
        let mut out = Vec::new();
        let mut encoder = png::Encoder::new(&mut out, 4, 1);
        encoder.set_color(color);
        encoder.set_depth(depth);
        if let Some((colors, alpha)) = palette {
            encoder.set_palette(colors.to_vec());
            if !alpha.is_empty() {
                encoder.set_trns(alpha.to_vec());
            }
        }
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(data).unwrap();
        writer.finish().unwrap();
        decoded(&out, Format::Png).unwrap()
    };
    let image = write(ColorType::Grayscale, BitDepth::One, None, &[0b1010_0000]);
    assert_eq!((image.layout, image.samples), (Layout::Gray, Samples::U8(vec![255, 0, 255, 0])));
    let image = write(ColorType::Grayscale, BitDepth::Four, None, &[0x0f, 0x1e]);
    assert_eq!(image.samples, Samples::U8(vec![0, 255, 17, 238]));
    let image = write(ColorType::Indexed, BitDepth::Two, Some((&[1, 2, 3, 4, 5, 6], &[])), &[0b0001_0100]);
    assert_eq!((image.layout, image.samples), (Layout::Rgb, Samples::U8(vec![1, 2, 3, 4, 5, 6, 4, 5, 6, 1, 2, 3])));
    let image = write(ColorType::Indexed, BitDepth::Eight, Some((&[1, 2, 3, 4, 5, 6], &[9])), &[0, 1, 1, 0]);
    assert_eq!(
        (image.layout, image.samples),
        (Layout::Rgba, Samples::U8(vec![1, 2, 3, 9, 4, 5, 6, 255, 4, 5, 6, 255, 1, 2, 3, 9]))
    );
}

#[test]
fn rare_tiffs() {
    let long = |n: u32| n.to_le_bytes();
    let make = |photometric: u16, bits: u16, data: &[u8], more: &[TiffTag]| {
        let photometric = photometric.to_le_bytes();
        let bits = bits.to_le_bytes();
        let len = long(data.len() as u32);
        let make = |offset: u32| {
            let offset = long(offset);
            let mut tags: Vec<TiffTag> = vec![
                (256, 3, 1, &[2, 0]),
                (257, 3, 1, &[2, 0]),
                (258, 3, 1, &bits),
                (259, 3, 1, &[1, 0]),
                (262, 3, 1, &photometric),
                (273, 4, 1, &offset),
                (277, 3, 1, &[1, 0]),
                (278, 3, 1, &[2, 0]),
                (279, 4, 1, &len),
            ];
            tags.retain(|t| more.iter().all(|m| m.0 != t.0));
            tags.extend(more);
            tags.sort_by_key(|t| t.0);
            tiff_structure(&[&tags], None)
        };
        let offset = make(0).len();
        decoded(&[make(offset as u32), data.to_vec()].concat(), Format::Tiff)
    };
    // One bit, black and white either way round.
    assert_eq!(make(1, 1, &[0b1000_0000, 0b0100_0000], &[]).unwrap().samples, Samples::U8(vec![255, 0, 0, 255]));
    assert_eq!(make(0, 1, &[0b1000_0000, 0b0100_0000], &[]).unwrap().samples, Samples::U8(vec![0, 255, 255, 0]));
    assert_eq!(make(1, 4, &[0x0f, 0x1e], &[]).unwrap().samples, Samples::U8(vec![0, 255, 17, 238]));
    assert_eq!(make(0, 8, &[0, 1, 2, 255], &[]).unwrap().samples, Samples::U8(vec![255, 254, 253, 0]));
    // CMYK.
    let four: &[TiffTag] = &[(258, 3, 4, &[8, 0, 8, 0, 8, 0, 8, 0]), (277, 3, 1, &[4, 0])];
    let cmyk = make(5, 8, &[0, 0, 0, 0, 255, 0, 0, 0, 0, 0, 0, 255, 0, 255, 255, 0], four).unwrap();
    assert_eq!(
        (cmyk.layout, cmyk.samples),
        (Layout::Rgb, Samples::U8(vec![255, 255, 255, 0, 255, 255, 0, 0, 0, 255, 0, 0]))
    );
    // Colours multiplied by opacity.
    let associated: &[TiffTag] = &[four[0], four[1], (338, 3, 1, &[1, 0])];
    let rgba = make(2, 8, &[50, 0, 0, 100, 0, 0, 0, 0, 10, 20, 30, 255, 200, 0, 0, 100], associated).unwrap();
    assert_eq!(rgba.layout, Layout::Rgba);
    assert_eq!(rgba.samples, Samples::U8(vec![128, 0, 0, 100, 0, 0, 0, 0, 10, 20, 30, 255, 255, 0, 0, 100]));
    // Planes one after the other.
    let offsets = |start: u32| [long(start), long(start + 4), long(start + 8)].concat();
    let bits = [8, 0, 8, 0, 8, 0];
    let counts = [long(4), long(4), long(4)].concat();
    let planar = |start: u32| {
        let offsets = offsets(start);
        tiff_structure(
            &[&[
                (256, 3, 1, &[2, 0]),
                (257, 3, 1, &[2, 0]),
                (258, 3, 3, &bits),
                (259, 3, 1, &[1, 0]),
                (262, 3, 1, &[2, 0]),
                (273, 4, 3, &offsets),
                (277, 3, 1, &[3, 0]),
                (278, 3, 1, &[2, 0]),
                (279, 4, 3, &counts),
                (284, 3, 1, &[2, 0]),
            ]],
            None,
        )
    };
    let start = planar(0).len() as u32;
    let image = decoded(&[planar(start), (1..=12).collect()].concat(), Format::Tiff).unwrap();
    assert_eq!(image.samples, Samples::U8(vec![1, 5, 9, 2, 6, 10, 3, 7, 11, 4, 8, 12]));
    // What is not read says so.
    let float: &[TiffTag] = &[(258, 3, 1, &[32, 0]), (339, 3, 1, &[3, 0])];
    for error in
        [make(1, 32, &[0; 16], float).unwrap_err(), make(3, 8, &[0; 4], &[(320, 3, 768, &[0; 1536])]).unwrap_err()]
    {
        assert_eq!(error.kind(), Kind::Input);
        assert!(error.mend_text().unwrap().contains("image editor"), "{error}");
    }
}

#[test]
fn cmyk_jpegs() {
    for kind in [jpeg_encoder::ColorType::Cmyk, jpeg_encoder::ColorType::CmykAsYcck] {
        let mut out = Vec::new();
        let data: Vec<u8> = [[0, 255, 255, 0]; 64 * 64].concat();
        jpeg_encoder::Encoder::new(&mut out, 95).encode(&data, 64, 64, kind).unwrap();
        let image = decoded(&out, Format::Jpeg).unwrap();
        assert_eq!(image.layout, Layout::Rgb);
        let Samples::U8(samples) = &image.samples else { panic!() };
        let first = &samples[..3];
        assert!(first[0] > 245 && first[1] < 10 && first[2] < 10, "{kind:?}: {first:?}");
    }
}

#[test]
fn a_full_disk() {
    struct Full(usize);
    impl io::Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    impl io::Seek for Full {
        fn seek(&mut self, _: io::SeekFrom) -> io::Result<u64> {
            Ok(8)
        }
    }
    for format in Format::ALL {
        let image = picture(200, 200, Layout::Rgb, Depth::Eight);
        let len = encoded(&image, format).len();
        for room in [0, 10, 300, len / 2, len - 1] {
            let error = encode::write(&image, format, &EncodeOptions::default(), &mut Full(room)).unwrap_err();
            assert_eq!(error.kind(), Kind::Transient, "{error}");
        }
    }
}

#[test]
fn too_large_for_the_format() {
    for (format, width) in [(Format::WebP, 16_384), (Format::Jpeg, 65_536)] {
        let image = picture(width, 1, Layout::Gray, Depth::Eight);
        let error = encode::write(&image, format, &EncodeOptions::default(), &mut Cursor::new(Vec::new())).unwrap_err();
        assert_eq!(error.kind(), Kind::Input);
        assert!(error.mend_text().unwrap().contains("PNG"));
    }
    let image = picture(4, 4, Layout::Gray, Depth::Eight);
    let options = EncodeOptions { quality: 0, ..Default::default() };
    assert_eq!(
        encode::write(&image, Format::Jpeg, &options, &mut Cursor::new(Vec::new())).unwrap_err().kind(),
        Kind::Config
    );
}
