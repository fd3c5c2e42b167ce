//! Promise: what a PNG says of its colours goes into the next PNG, and no result says that something follows the first picture
//! of its file.
#![allow(missing_docs, clippy::unwrap_used)]

mod images_common;

use images_common::*;
use latentd::media::image::{Depth, Format, Layout, resize};

/// Where the chunks behind a PNG's header begin.
const HEADER_END: usize = 33;

/// A PNG with `chunks` behind its header.
fn png_with(png: &[u8], chunks: &[Vec<u8>]) -> Vec<u8> {
    [&png[..HEADER_END], &chunks.concat(), &png[HEADER_END..]].concat()
}

fn holds(file: &[u8], part: &[u8]) -> bool {
    file.windows(part.len()).any(|window| window == part)
}

/// Linear, wide and HDR pictures came out with other colours.
#[test]
fn a_png_keeps_what_it_says_of_its_colours() {
    let wide = [31_270_u32, 32_900, 70_800, 29_200, 17_000, 79_700, 13_100, 4_600].map(u32::to_be_bytes);
    let display = [35_400_u16, 14_600, 8_500, 39_850, 6_550, 2_300, 15_635, 16_450].map(u16::to_be_bytes);
    let kept = [
        chunk(b"cICP", &[9, 16, 0, 1]),
        chunk(b"mDCV", &[display.concat(), vec![0, 0x98, 0x96, 0x80, 0, 0, 0, 50]].concat()),
        chunk(b"cLLI", &[0, 0x98, 0x96, 0x80, 0, 0x0f, 0x42, 0x40]),
        chunk(b"gAMA", &100_000_u32.to_be_bytes()),
        chunk(b"cHRM", &wide.concat()),
        chunk(b"sRGB", &[1]),
    ];
    let pixels = |x: u8, y: u8| chunk(b"pHYs", &[0, 0, 0, x, 0, 0, 0, y, 1]);
    let turned = chunk(b"eXIf", &tiff_structure(&[&[(0x0112, 3, 1, &[6, 0])]], None));
    for layout in LAYOUTS {
        let plain = encoded(&picture(30, 20, layout, Depth::Sixteen), Format::Png);
        let image =
            decoded(&png_with(&png_with(&plain, &[pixels(100, 200), turned.clone()]), &kept), Format::Png).unwrap();
        let mut smaller = resize(&image, 10, 15).unwrap().to_depth(Depth::Eight);
        smaller.depth = Depth::Eight;
        let png = encoded(&smaller, Format::Png);
        for chunk in kept.iter().chain([&pixels(200, 100)]) {
            assert!(holds(&png, chunk), "{layout:?} {:?}", String::from_utf8_lossy(&chunk[4..8]));
        }
        assert_eq!(decoded(&png, Format::Png).unwrap().metadata.chunks, image.metadata.chunks, "{layout:?}");
        // No other format has a place for them.
        for format in Format::ALL.into_iter().filter(|format| *format != Format::Png) {
            let back = decoded(&encoded(&image, format), format).unwrap().metadata;
            assert!(back.chunks.is_empty(), "{format:?}");
        }
    }
}

/// The PNG writer leaves a profile out where sRGB stands beside it.
#[test]
fn a_profile_wins_over_srgb() {
    let mut profile = vec![0; 132];
    profile[3] = 132;
    profile[16..20].copy_from_slice(b"RGB ");
    profile[36..40].copy_from_slice(b"acsp");
    let mut image = picture(9, 8, Layout::Rgb, Depth::Eight);
    image.metadata.icc = Some(profile.clone());
    let png = png_with(&encoded(&image, Format::Png), &[chunk(b"sRGB", &[0]), chunk(b"cICP", &[12, 13, 0, 1])]);
    let again = encoded(&decoded(&png, Format::Png).unwrap(), Format::Png);
    assert_eq!(decoded(&again, Format::Png).unwrap().metadata.icc, Some(profile));
    assert!(holds(&again, b"cICP") && !holds(&again, b"sRGB"));
}

/// The result still said that a film and a map for HDR screens follow.
#[test]
fn a_photo_with_a_film_behind_it_becomes_a_plain_one() {
    let mut image = picture(30, 20, Layout::Rgb, Depth::Eight);
    let second = encoded(&image, Format::Jpeg);
    let told = r#"<rdf:D GCamera:MotionPhoto="1" GCamera:MicroVideoOffset="99" hdrgm:Version="1.0" dc:title="sea"><Container:Directory>
        <Container:Item Item:Semantic="GainMap" Item:Length="99"/></Container:Directory></rdf:D>"#;
    image.metadata.xmp = Some(told.as_bytes().to_vec());
    let first = encoded(&image, Format::Jpeg);
    let film = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom".to_vec();
    for behind in [vec![], second, film] {
        let found = decoded(&[first.clone(), behind].concat(), Format::Jpeg).unwrap();
        let xmp = String::from_utf8(found.metadata.xmp.unwrap()).unwrap();
        let expected = r#"<rdf:D GCamera:MotionPhoto="0" GCamera:MicroVideoOffset="0"  dc:title="sea"></rdf:D>"#;
        assert_eq!(xmp, expected);
    }
}
