//! What is clean already is not harmed: a picture that no stage changes comes out as the very file that it came in, unless more is asked for.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;
mod images_common;

use std::fs;

use common::Home;
use images_common::encoded;
use latentd::media::image::{Depth, Format, Image, Layout, Samples};

/// Slopes alone: it measures clean.
fn clean() -> Image {
    let mut image = Image::new(160, 120, Layout::Rgb, Depth::Eight);
    if let Samples::U8(samples) = &mut image.samples {
        samples
            .iter_mut()
            .enumerate()
            .for_each(|(at, sample)| *sample = (at / 3 % 160 + at / 480 + at % 3 * 20) as u8 / 2);
    }
    image
}

/// What `apply` makes of a file by `sigma: auto`.
fn applied(bytes: &[u8], name: &str, sink: &str) -> (Vec<u8>, String) {
    applied_by("denoise: { model: denoise-photo-fast, sigma: auto }", bytes, name, sink)
}

fn applied_by(stages: &str, bytes: &[u8], name: &str, sink: &str) -> (Vec<u8>, String) {
    let home = Home::new();
    fs::write(home.path(name), bytes).unwrap();
    let pipeline = home.pipeline("", stages, sink);
    let output = home.run(&["apply", pipeline.to_str().unwrap(), name, "--out", "out"]);
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{err}");
    let mut results = fs::read_dir(home.path("out")).unwrap();
    (fs::read(results.next().unwrap().unwrap().path()).unwrap(), err)
}

/// A JPEG was written again at quality 92, and had 38 dB to itself.
#[test]
fn a_clean_picture_is_the_file_that_it_was() {
    for format in Format::ALL {
        let mut bytes = encoded(&clean(), format);
        if format == Format::Jpeg {
            // What an encoder of ours would not write, behind the end.
            bytes.extend([0; 100]);
        }
        let (result, err) = applied(&bytes, &format!("photo.{}", format.extensions()[0]), "");
        assert!(err.contains("measures clean") || err.is_empty(), "{err}");
        assert!(result == bytes, "{}", format.name());
    }
}

/// Each photo was said to stay as it is, and `denoise-camera` was recommended, which was the next stage.
#[test]
fn what_follows_anyway_is_not_recommended() {
    let bytes = encoded(&clean(), Format::Png);
    let auto = "denoise: { model: denoise-photo-fast, sigma: auto }";
    let told = |stages: &str| applied_by(stages, &bytes, "photo.png", "").1;
    assert!(told(&format!("{auto}, resize: {{ long_side: 80 }}")).contains("`denoise-camera`"));
    let err = told(&format!("{auto}, denoise: {{ model: denoise-camera }}"));
    assert!(!err.contains("measures clean"), "{err}");
}

#[test]
fn where_more_is_asked_for_it_is_written_anew() {
    let bytes = encoded(&clean(), Format::Jpeg);
    for (sink, ending) in [
        (", quality: 60", &b"\xff\xd8"[..]),
        (", metadata: drop, chroma: half", b"\xff\xd8"),
        (", name: \"{stem}.png\"", b"\x89PNG"),
    ] {
        let (result, _) = applied(&bytes, "photo.jpg", sink);
        assert!(result != bytes && result.starts_with(ending), "{sink}");
    }
    // A name that says the same in another way is no other format.
    assert!(applied(&bytes, "photo.jpg", ", name: \"{stem}.JPEG\"").0 == bytes);
}

#[test]
fn a_noisy_picture_is_not_what_it_was() {
    let bytes = common::png(200, 200);
    let (result, _) = applied(&bytes, "photo.png", "");
    assert!(result != bytes && result.starts_with(b"\x89PNG"));
}
