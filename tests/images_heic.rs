//! HEIC, as phones take photos: whatever tells what its samples mean, upright, with its metadata, and nothing that a stranger makes of it does harm.
//! The files are one picture, coded by libheif (tests/fixtures/heic/make.py).
#![allow(missing_docs, clippy::unwrap_used)]

mod common;
mod images_common;

use std::fs;
use std::io::Cursor;
use std::path::Path;

use common::Home;
use images_common::encoded;
use latentd::media::image::{Depth, Format, Image, Layout, Limits, Samples, decode};
use latentd::{Kind, Result};
use proptest::prelude::*;

const WIDTH: usize = 96;
const HEIGHT: usize = 64;
const ALL: [&str; 6] = ["plain", "video", "opacity", "gray", "deep", "grid"];

fn bytes(name: &str) -> Vec<u8> {
    fs::read(format!("{}/tests/fixtures/heic/{name}.heic", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn read(bytes: &[u8], limits: &Limits) -> Result<Image> {
    decode::read(Cursor::new(bytes), Path::new("a.HEIC"), limits)
}

fn decoded(name: &str) -> Image {
    read(&bytes(name), &Limits::default()).unwrap()
}

/// What the file was made of, 8 bits a sample.
fn original(x: usize, y: usize) -> [f64; 4] {
    [40 + x, 20 + 3 * y, 220 - 2 * x, 2 * x].map(|value| value as f64)
}

/// The largest and the mean difference from the original of samples that are `scale` times its, in steps of 8 bits. `place` tells where in the
/// original a pixel was.
fn differences(
    image: &Image,
    channels: &[usize],
    scale: f64,
    place: impl Fn(usize, usize) -> (usize, usize),
) -> (f64, f64) {
    let values: Vec<f64> = match &image.samples {
        Samples::U8(samples) => samples.iter().map(|value| f64::from(*value) / scale).collect(),
        Samples::U16(samples) => samples.iter().map(|value| f64::from(*value) / scale).collect(),
    };
    let differences: Vec<f64> = values
        .chunks_exact(channels.len())
        .enumerate()
        .flat_map(|(at, pixel)| {
            let (x, y) = place(at % image.width, at / image.width);
            channels.iter().zip(pixel).map(move |(channel, value)| (value - original(x, y)[*channel]).abs())
        })
        .collect();
    let most = differences.iter().copied().fold(0.0, f64::max);
    (most, differences.iter().sum::<f64>() / differences.len() as f64)
}

#[test]
fn samples_mean_what_container_or_stream_says() {
    for (name, layout, channels) in [
        ("plain", Layout::Rgb, &[0, 1, 2][..]),
        ("video", Layout::Rgb, &[0, 1, 2]),
        ("opacity", Layout::Rgba, &[0, 1, 2, 3]),
        ("gray", Layout::Gray, &[1]),
    ] {
        let image = decoded(name);
        assert_eq!((image.width, image.height, image.layout, image.depth), (WIDTH, HEIGHT, layout, Depth::Eight));
        let (most, mean) = differences(&image, channels, 1.0, |x, y| (x, y));
        assert!(most <= 6.0 && mean < 1.2, "{name}: {most}, {mean}");
        assert!(image.metadata.icc.is_none() && image.metadata.chunks.is_empty(), "{name}");
    }
}

#[test]
fn ten_bits_are_kept() {
    let image = decoded("deep");
    assert_eq!((image.layout, image.depth), (Layout::Rgb, Depth::Sixteen));
    let (most, mean) = differences(&image, &[0, 1, 2], 257.0, |x, y| (x, y));
    assert!(most <= 3.0 && mean < 0.7, "{most}, {mean}");
    let Samples::U16(samples) = &image.samples else { panic!("8 bits") };
    assert!(samples.iter().any(|value| value % 257 != 0), "between the steps of 8 bits");
    // Display P3, which PNG can say.
    assert_eq!(image.metadata.chunks, [(*b"cICP", vec![12, 13, 0, 1])]);
    let again =
        decode::read(Cursor::new(encoded(&image, Format::Png)), Path::new("a.png"), &Limits::default()).unwrap();
    assert_eq!((again.samples, again.metadata.chunks), (image.samples, image.metadata.chunks));
}

/// A profile and nothing on the matrix, as iPhones write: the stream tells it, and without it all is off by 6 of 255.
#[test]
fn a_grid_is_put_together_and_turned_once() {
    let image = decoded("grid");
    assert_eq!((image.width, image.height, image.layout), (HEIGHT, WIDTH, Layout::Rgb));
    // The left column was the upper row; EXIF says once more that it is turned.
    let (most, mean) = differences(&image, &[0, 1, 2], 1.0, |x, y| (WIDTH - 1 - y, x));
    assert!(most <= 4.0 && mean < 1.0, "{most}, {mean}");
    assert!(image.metadata.icc.is_some());
    let jpeg = encoded(&image, Format::Jpeg);
    let again = decode::read(Cursor::new(&jpeg), Path::new("a.jpg"), &Limits::default()).unwrap();
    assert_eq!((again.width, again.height, &again.metadata.icc), (HEIGHT, WIDTH, &image.metadata.icc));
    let exif = again.metadata.exif.unwrap();
    assert!(exif.windows(8).any(|text| text == b"A camera"));
}

#[test]
fn a_pipeline_makes_a_jpeg_of_it() {
    let home = Home::new();
    let pipeline = home.pipeline("", "resize: { scale: 0.5 }", "");
    fs::write(home.path("IMG_1.HEIC"), bytes("grid")).unwrap();
    let output = home.run(&["apply", pipeline.to_str().unwrap(), "IMG_1.HEIC", "--out", "out"]);
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && err.contains("HDR"), "{err}");
    let result = image::open(home.path("out/IMG_1.jpg")).unwrap();
    assert_eq!((result.width(), result.height()), (32, 48));
    // Nobody writes it, and a name that says something else is told.
    let pipeline = home.pipeline("", "resize: { scale: 0.5 }", ", name: \"{stem}.heic\"");
    let output = home.run(&["check", pipeline.to_str().unwrap()]);
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains(".heic"));
    let e = decode::read(Cursor::new(bytes("plain")), Path::new("a.jpg"), &Limits::default()).unwrap_err();
    assert!(e.message().contains("the content is HEIC") && e.mend_text().unwrap().contains(".heic"), "{e}");
}

#[test]
fn what_costs_too_much_is_refused_before() {
    let small = Limits { max_pixels: 3000, ..Limits::default() };
    for name in ALL {
        let e = read(&bytes(name), &small).unwrap_err();
        assert!(e.kind() == Kind::Input && e.to_string().contains("limit"), "{name}: {e}");
        let e = read(&bytes(name), &Limits { max_alloc: 10_000, ..Limits::default() }).unwrap_err();
        assert!(e.to_string().contains("memory"), "{name}: {e}");
    }
    // A container that says 8 x 8 of a stream that is larger.
    let mut lying = bytes("plain");
    let at = lying.windows(4).position(|kind| kind == b"ispe").unwrap() + 8;
    lying[at..at + 8].copy_from_slice(&[0, 0, 0, 8, 0, 0, 0, 8]);
    let e = read(&lying, &small).unwrap_err();
    assert!(e.to_string().contains("limit"), "{e}");
    let e = read(&lying, &Limits::default()).unwrap_err();
    assert!(e.to_string().contains("other sizes"), "{e}");
}

/// A set of the stream's sizes among those of another kind was not counted, and decoded all the same: 1.1 kB took what memory there was.
#[test]
fn a_set_that_hides_among_others_is_counted() {
    let mut hidden = bytes("plain");
    let at = hidden.windows(3).position(|array| array[0] & 0x3f == 33 && array[1..] == [0, 1]).unwrap();
    hidden[at] = hidden[at] & 0xc0 | 34;
    assert!(read(&hidden, &Limits::default()).is_ok(), "the decoder finds it");
    let mut lying = hidden.clone();
    let at = lying.windows(4).position(|kind| kind == b"ispe").unwrap() + 8;
    lying[at..at + 8].copy_from_slice(&[0, 0, 0, 8, 0, 0, 0, 8]);
    let e = read(&lying, &Limits { max_pixels: 3000, ..Limits::default() }).unwrap_err();
    assert!(e.to_string().contains("limit"), "{e}");
}

/// Items made of forty pieces of the next one, eight deep: 4 kB, and days of work.
#[test]
fn items_are_not_made_of_items() {
    let part = |kind: &[u8; 4], content: &[u8]| [&(content.len() as u32 + 8).to_be_bytes()[..], kind, content].concat();
    let mut infos = vec![0, 0, 0, 0, 0, 9];
    let mut places = vec![1, 0, 0, 0, 0x44, 0x04, 0, 9];
    for item in 1..=9u8 {
        infos.extend(part(b"infe", &[&[2, 0, 0, 0, 0, item, 0, 0][..], b"grid\0"].concat()));
        let (by, count) = if item < 9 { (2, 40) } else { (1, 1) };
        places.extend([0, item, 0, by, 0, 0, 0, count]);
        for _ in 0..count {
            places.extend([0, 0, 0, item + 1, 0, 0, 0, 0, 0, 0, 0, 0]);
        }
    }
    let meta = [
        vec![0; 4],
        part(b"hdlr", &[&[0; 8][..], b"pict", &[0; 13]].concat()),
        part(b"pitm", &[0, 0, 0, 0, 0, 1]),
        part(b"iinf", &infos),
        part(b"iloc", &places),
        part(b"idat", &[]),
    ];
    let file = [part(b"ftyp", b"heic\0\0\0\0heicmif1"), part(b"meta", &meta.concat())].concat();
    let e = read(&file, &Limits::default()).unwrap_err();
    let cause = std::error::Error::source(&e).map(ToString::to_string).unwrap_or_default();
    assert!(e.kind() == Kind::Input && cause.contains("made of other items"), "{e}: {cause}");
}

#[test]
fn every_cut_is_told() {
    for name in ALL {
        let whole = bytes(name);
        // The last item of the grid is the map, which is not read.
        let needed = if name == "grid" { whole.len() * 2 / 3 } else { whole.len() };
        for length in (0..needed).step_by(7) {
            let e = read(&whole[..length], &Limits::default()).unwrap_err();
            assert_eq!(e.kind(), Kind::Input, "{name} cut to {length}: {e}");
            assert!(e.mend_text().is_some(), "{name} cut to {length}: {e}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_damage_is_a_panic(which in 0..ALL.len(), places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut bytes = bytes(ALL[which]);
        for (at, value) in places {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let limits = Limits { max_pixels: 1_000_000, ..Limits::default() };
        match read(&bytes, &limits) {
            Ok(image) => prop_assert!(image.check().is_ok() && image.width * image.height <= 2_000_000),
            Err(e) => prop_assert_eq!(e.kind(), Kind::Input),
        }
    }
}
