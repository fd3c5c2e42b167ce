//! Promise: what a file says for people and for printers (captions, texts, how large it is printed) goes along where the next format has
//! a place for it, and what is lost with the colours or channels of a file is told once.
#![allow(missing_docs, clippy::unwrap_used)]

mod images_common;

use images_common::*;
use latentd::media::image::{Density, Depth, Format, Image, Layout, Samples, resize};
use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};
use tracing::span;

/// Remembers warnings.
struct Ear(Arc<Mutex<Vec<String>>>);

struct Text<'a>(&'a mut String);

impl tracing::field::Visit for Text<'_> {
    fn record_debug(&mut self, _: &tracing::field::Field, value: &dyn Debug) {
        let _ = write!(self.0, "{value:?} ");
    }
}

impl tracing::Subscriber for Ear {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::WARN
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut text = String::new();
        event.record(&mut Text(&mut text));
        self.0.lock().unwrap().push(text);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// What `work` gives, and the warnings on the way.
fn heard<T>(work: impl FnOnce() -> T) -> (T, Vec<String>) {
    let warnings = Arc::new(Mutex::new(Vec::new()));
    let result = tracing::subscriber::with_default(Ear(warnings.clone()), work);
    let warnings = warnings.lock().unwrap().clone();
    (result, warnings)
}

/// The picture, and the one warning about it, which speaks of `what`.
fn warned_once(bytes: &[u8], format: Format, what: &str) -> Image {
    let (image, warnings) = heard(|| decoded(bytes, format).unwrap());
    assert!(warnings.len() == 1 && warnings[0].contains(what), "{what}: {warnings:?}");
    image
}

fn holds(file: &[u8], part: &[u8]) -> bool {
    file.windows(part.len()).any(|window| window == part)
}

fn plain() -> Image {
    picture(9, 8, Layout::Rgb, Depth::Eight)
}

/// A JPEG with more segments behind its JFIF header: marker and content.
fn jpeg_with(jpeg: &[u8], segments: &[(u8, &[u8])]) -> Vec<u8> {
    let mut more = Vec::new();
    for (marker, content) in segments {
        more.extend([0xff, *marker]);
        more.extend((content.len() as u16 + 2).to_be_bytes());
        more.extend_from_slice(content);
    }
    [&jpeg[..20], &more, &jpeg[20..]].concat()
}

/// A PNG with chunks behind its header.
fn png_with(png: &[u8], chunks: &[Vec<u8>]) -> Vec<u8> {
    [&png[..33], &chunks.concat(), &png[33..]].concat()
}

/// A TIFF of 2 x 2 pixels of 8 bits, not compressed.
fn tiff(photometric: u8, channels: u8, data: &[u8], more: &[TiffTag]) -> Vec<u8> {
    let bits: Vec<u8> = [8, 0].repeat(usize::from(channels));
    let [photometric, stored] = [[photometric, 0], [channels, 0]];
    let length = (data.len() as u32).to_le_bytes();
    let make = |offset: u32| {
        let offset = offset.to_le_bytes();
        let mut tags: Vec<TiffTag> = vec![
            (256, 3, 1, &[2, 0]),
            (257, 3, 1, &[2, 0]),
            (258, 3, u32::from(channels), &bits),
            (259, 3, 1, &[1, 0]),
            (262, 3, 1, &photometric),
            (273, 4, 1, &offset),
            (277, 3, 1, &stored),
            (278, 3, 1, &[2, 0]),
            (279, 4, 1, &length),
        ];
        tags.extend(more);
        tags.sort_by_key(|tag| tag.0);
        tiff_structure(&[&tags], None)
    };
    let offset = make(0).len() as u32;
    [make(offset), data.to_vec()].concat()
}

/// The result pointed to a part of its XMP that it did not have.
#[test]
fn the_longer_part_of_xmp_is_missed_once() {
    let mut image = plain();
    let told = r#"<rdf:D dc:title="sea" xmpNote:HasExtendedXMP="0123456789ABCDEF0123456789ABCDEF"/>"#;
    image.metadata.xmp = Some(told.as_bytes().to_vec());
    let jpeg = encoded(&image, Format::Jpeg);
    let guid = b"0123456789ABCDEF0123456789ABCDEF";
    let longer = [&b"http://ns.adobe.com/xmp/extension/\0"[..], guid, &[0, 0, 0, 4], &[0; 4], b"long"].concat();
    let found = warned_once(&jpeg_with(&jpeg, &[(0xe1, &longer)]), Format::Jpeg, "the longer part of its XMP");
    assert_eq!(found.metadata.xmp.unwrap(), br#"<rdf:D dc:title="sea" />"#);
    let (found, warnings) = heard(|| decoded(&jpeg, Format::Jpeg).unwrap());
    assert!(warnings.is_empty(), "{warnings:?}");
    assert!(!holds(&found.metadata.xmp.unwrap(), b"HasExtendedXMP"));
}

/// Colours changed, and only a profile that did not fit was told of.
#[test]
fn cmyk_is_told_once() {
    let mut profile = vec![0; 132];
    profile[3] = 132;
    profile[16..20].copy_from_slice(b"CMYK");
    profile[36..40].copy_from_slice(b"acsp");
    for icc in [None, Some(&profile)] {
        let mut jpeg = Vec::new();
        let mut encoder = jpeg_encoder::Encoder::new(&mut jpeg, 90);
        if let Some(icc) = icc {
            encoder.add_icc_profile(icc).unwrap();
        }
        encoder.encode(&[0; 256], 8, 8, jpeg_encoder::ColorType::Cmyk).unwrap();
        assert_eq!(warned_once(&jpeg, Format::Jpeg, "it is CMYK").metadata.icc, None);
        let tag: Vec<TiffTag> = icc.iter().map(|icc| (34675, 7, 132, &icc[..])).collect();
        let found = warned_once(&tiff(5, 4, &[0; 16], &tag), Format::Tiff, "it is CMYK");
        assert_eq!((found.metadata.icc, found.samples), (None, Samples::U8(vec![255; 12])));
    }
}

#[test]
fn saved_selections_are_told_of() {
    let data: Vec<u8> = (0..16).collect();
    let found = warned_once(&tiff(2, 4, &data, &[(338, 3, 1, &[0, 0])]), Format::Tiff, "further channels");
    assert_eq!((found.layout, found.samples), (Layout::Rgb, Samples::U8(vec![0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14])));
    let (found, warnings) = heard(|| decoded(&tiff(2, 4, &data, &[(338, 3, 1, &[2, 0])]), Format::Tiff).unwrap());
    assert_eq!((found.layout, warnings), (Layout::Rgba, vec![]));
}

/// Pictures came out with no print resolution, or with another program's idea of one.
#[test]
fn print_resolution_goes_along() {
    let density = Some(Density { x: 300.0, y: 150.0 });
    let formats = Format::ALL.into_iter().filter(|format| *format != Format::WebP);
    for from in formats.clone() {
        let mut image = plain();
        image.metadata.density = density;
        let first = decoded(&encoded(&image, from), from).unwrap();
        assert_eq!(first.metadata.density, density, "{from:?}");
        // More pixels leave it as it is.
        let larger = resize(&first, 18, 16).unwrap();
        for to in formats.clone() {
            let bytes = encoded(&larger, to);
            assert_eq!(decoded(&bytes, to).unwrap().metadata.density, density, "{from:?} to {to:?}");
            match to {
                Format::Jpeg => assert!(holds(&bytes, b"JFIF\0\x01\x02\x01\x01\x2c\0\x96"), "{from:?}"),
                Format::Png => {
                    assert!(holds(&bytes, &chunk(b"pHYs", &[0, 0, 0x2e, 0x23, 0, 0, 0x17, 0x12, 1])), "{from:?}");
                }
                _ => {}
            }
        }
    }
}

#[test]
fn print_resolution_in_exif_stays() {
    let one: &[u8] = &[72, 0, 0, 0, 1, 0, 0, 0];
    let mut image = plain();
    image.metadata.exif =
        Some(tiff_structure(&[&[(0x011a, 5, 1, one), (0x011b, 5, 1, one), (0x0128, 3, 1, &[2, 0])]], None));
    let found = decoded(&encoded(&image, Format::WebP), Format::WebP).unwrap();
    let told = Some(Density { x: 72.0, y: 72.0 });
    assert_eq!(found.metadata.density, told);
    assert_eq!(decoded(&encoded(&found, Format::Bmp), Format::Bmp).unwrap().metadata.density, told);
    image.metadata.density = Some(Density { x: 300.0, y: 300.0 });
    assert_eq!(decoded(&encoded(&image, Format::Tiff), Format::Tiff).unwrap().metadata.density, told);
}

#[test]
fn the_shape_of_pixels_is_no_print_resolution() {
    let shape = chunk(b"pHYs", &[0, 0, 0, 2, 0, 0, 0, 1, 0]);
    let image = decoded(&png_with(&encoded(&plain(), Format::Png), std::slice::from_ref(&shape)), Format::Png).unwrap();
    assert_eq!(image.metadata.density, None);
    assert!(holds(&encoded(&image, Format::Png), &shape));
}

/// It was laid over white without a word.
#[test]
fn opacity_that_a_jpeg_loses_is_told() {
    for (opacity, told) in [(255, 0), (254, 1), (0, 1)] {
        let mut image = Image::new(8, 8, Layout::GrayAlpha, Depth::Eight);
        image.samples = Samples::U8([100, opacity].repeat(64));
        let (_, warnings) = heard(|| encoded(&image, Format::Jpeg));
        assert!(warnings.len() == told && warnings.iter().all(|w| w.contains("opacity")), "{opacity}: {warnings:?}");
    }
}

/// Who made a picture and what is on it was lost without a word.
#[test]
fn captions_go_along() {
    let caption = b"8BIM\x04\x04\0\0\0\0\0\x08\x1c\x02\x78\0\x03sea";
    let thumbnail = b"8BIM\x04\x0c\0\0\0\0\0\x04old!";
    let start = &b"Photoshop 3.0\0"[..];
    // It begins in one segment and ends in the next.
    let segments = [[start, thumbnail, &caption[..15]].concat(), [start, &caption[15..]].concat()];
    let jpeg = encoded(&plain(), Format::Jpeg);
    let jpeg = jpeg_with(&jpeg, &[(0xed, &segments[0]), (0xed, &segments[1])]);
    let image = decoded(&jpeg, Format::Jpeg).unwrap();
    assert_eq!(image.metadata.photoshop.as_deref(), Some(&caption[..]));
    for format in Format::ALL {
        let (bytes, warnings) = heard(|| encoded(&image, format));
        let back = decoded(&bytes, format).unwrap().metadata.photoshop;
        if matches!(format, Format::Jpeg | Format::Tiff) {
            assert_eq!((back.as_deref(), warnings), (Some(&caption[..]), vec![]), "{format:?}");
        } else {
            assert_eq!((back, warnings.len()), (None, 1), "{format:?}");
            assert!(warnings[0].contains("IPTC"), "{warnings:?}");
        }
    }
    // The tag of its own that TIFF has for it, as bytes and as numbers.
    for (kind, count) in [(1, 8), (7, 8), (4, 2)] {
        let file = tiff(2, 3, &[0; 12], &[(33723, kind, count, &caption[12..])]);
        assert_eq!(decoded(&file, Format::Tiff).unwrap().metadata.photoshop.as_deref(), Some(&caption[..]), "{kind}");
    }
}

#[test]
fn captions_longer_than_a_jpeg_segment() {
    let block = [0x1c].repeat(100_000);
    let resource = [&b"8BIM\x04\x04\0\0\0\x01\x86\xa0"[..], &block].concat();
    let mut image = plain();
    image.metadata.photoshop = Some(resource.clone());
    assert_eq!(decoded(&encoded(&image, Format::Jpeg), Format::Jpeg).unwrap().metadata.photoshop, Some(resource));
}

#[test]
fn texts_of_a_png_go_along_to_png() {
    let kept = [
        chunk(b"tEXt", b"Title\0a sea"),
        chunk(b"iTXt", "Author\0\0\0de\0Urheber\0Grüße".as_bytes()),
        // Stored without compression: one block with its length and checksum.
        chunk(b"zTXt", b"Comment\0\0\x78\x01\x01\x02\0\xfd\xffhi\x01\x3b\0\xd2"),
    ];
    let dropped = chunk(b"tEXt", b"Raw profile type exif\0\nexif\n");
    let xmp = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x/>");
    let mut all = kept.to_vec();
    all.extend([dropped.clone(), xmp.clone()]);
    let image = decoded(&png_with(&encoded(&plain(), Format::Png), &all), Format::Png).unwrap();
    let png = encoded(&image, Format::Png);
    assert!(kept.iter().all(|text| holds(&png, text)) && !holds(&png, &dropped));
    assert_eq!(png.windows(xmp.len()).filter(|window| *window == xmp).count(), 1);
    for format in Format::ALL.into_iter().filter(|format| *format != Format::Png) {
        assert!(!holds(&encoded(&image, format), b"a sea"), "{format:?}");
    }
    let long = chunk(b"tEXt", &[&b"Long\0"[..], "x".repeat(2 << 20).as_bytes()].concat());
    let file = png_with(&encoded(&plain(), Format::Png), &[long, kept[0].clone()]);
    assert_eq!(warned_once(&file, Format::Png, "texts").metadata.texts.len(), 1);
}

#[test]
fn comments_of_a_jpeg_go_along_to_jpeg() {
    let jpeg = jpeg_with(&encoded(&plain(), Format::Jpeg), &[(0xfe, b"a sea"), (0xfe, b""), (0xfe, b"and sand")]);
    let image = decoded(&jpeg, Format::Jpeg).unwrap();
    assert_eq!(image.metadata.comments, [b"a sea".to_vec(), b"and sand".to_vec()]);
    let again = encoded(&image, Format::Jpeg);
    // The JFIF header stands first.
    assert_eq!(again[6..11], *b"JFIF\0");
    assert_eq!(again[20..29], *b"\xff\xfe\0\x07a sea");
    assert_eq!(decoded(&again, Format::Jpeg).unwrap().metadata, image.metadata);
    for format in Format::ALL.into_iter().filter(|format| *format != Format::Jpeg) {
        assert!(!holds(&encoded(&image, format), b"and sand"), "{format:?}");
    }
}

/// Pixels turned, and EXIF, which TIFF takes its own from, said the same as before: across for down.
#[test]
fn unlike_densities_turn_with_the_picture() {
    let [across, down]: [&[u8]; 2] = [&[44, 1, 0, 0, 1, 0, 0, 0], &[150, 0, 0, 0, 1, 0, 0, 0]];
    for from in [Format::Png, Format::Jpeg, Format::WebP] {
        for orientation in 1..=8 {
            let turned: &[u8] = &[orientation, 0];
            let told: &[TiffTag] =
                &[(0x0112, 3, 1, turned), (0x011a, 5, 1, across), (0x011b, 5, 1, down), (0x0128, 3, 1, &[2, 0])];
            let mut image = plain();
            image.metadata.exif = Some(tiff_structure(&[told], None));
            let mut upright = decoded(&encoded(&image, from), from).unwrap();
            let (x, y) = if orientation < 5 { (300.0, 150.0) } else { (150.0, 300.0) };
            let density = Some(Density { x, y });
            assert_eq!(upright.metadata.density, density, "{from:?} {orientation}");
            for to in Format::ALL {
                let back = decoded(&encoded(&upright, to), to).unwrap().metadata.density;
                assert_eq!(back, density, "{from:?} {orientation} to {to:?}");
            }
            // By EXIF alone.
            upright.metadata.density = None;
            for to in [Format::Png, Format::Tiff] {
                let back = decoded(&encoded(&upright, to), to).unwrap().metadata.density;
                assert_eq!(back, density, "{from:?} {orientation} to {to:?}");
            }
        }
    }
}

/// Programs that read it could do nothing with a profile of gray on red, green and blue.
#[test]
fn a_gray_profile_is_not_put_on_a_webp_which_has_no_gray() {
    let mut profile = vec![0; 132];
    profile[3] = 132;
    profile[16..20].copy_from_slice(b"GRAY");
    profile[36..40].copy_from_slice(b"acsp");
    for layout in [Layout::Gray, Layout::GrayAlpha] {
        let mut image = picture(9, 8, layout, Depth::Eight);
        let (_, warnings) = heard(|| encoded(&image, Format::WebP));
        assert!(warnings.is_empty(), "{warnings:?}");
        image.metadata.icc = Some(profile.clone());
        let (bytes, warnings) = heard(|| encoded(&image, Format::WebP));
        assert!(!holds(&bytes, b"ICCP") && warnings.len() == 1 && warnings[0].contains("gray"), "{warnings:?}");
        let (found, warnings) = heard(|| decoded(&bytes, Format::WebP).unwrap());
        assert!(found.metadata.icc.is_none() && warnings.is_empty(), "{warnings:?}");
        for format in [Format::Png, Format::Tiff] {
            assert_eq!(decoded(&encoded(&image, format), format).unwrap().metadata.icc.as_ref(), Some(&profile));
        }
    }
}
