//! What a verb writes takes the place of no file that the user did not name, and never of one that it was made of.
#![allow(missing_docs, clippy::unwrap_used)]

mod audio_common;
mod common;
mod images_common;

use std::fs;
use std::os::unix::fs::symlink;

use audio_common::{HALF, Tiny, speech, tiny_model, write_wav};
use common::{Home, png, run};
use images_common::{decoded, encoded, picture};
use latentd::media::image::{Depth, Format, Image, Layout, Samples};

#[test]
fn a_plot_whose_name_nobody_gave_replaces_nothing() {
    let home = Home::new();
    write_wav(&home.path("talk.wav"), 16_000, &[vec![0.1; 1000]], 16, false);
    fs::write(home.path("talk.png"), "mine").unwrap();
    assert_eq!(run(&home, "plot talk.wav"), (Some(0), "talk-1.png\n".into(), String::new()));
    assert_eq!(fs::read(home.path("talk.png")).unwrap(), b"mine");
    assert!(image::open(home.path("talk-1.png")).is_ok());
    // It is what the user asks for.
    assert_eq!(run(&home, "plot talk.wav --out talk.png").0, Some(0));
    assert!(image::open(home.path("talk.png")).is_ok());
}

/// The second strip is of what the pipeline made, which is silence here.
#[test]
fn a_plot_shows_a_recording_before_and_after_a_pipeline() {
    let home = Home::new();
    write_wav(&home.path("talk.wav"), 48_000, &[speech(48_000, 1.0)], 16, false);
    let mute = tiny_model(&home.path("mute"), Tiny { gain: 0.0, ..HALF });
    home.pipeline("", &format!("denoise: {{ model: {} }}", mute.display()), "");
    assert_eq!(run(&home, "plot talk.wav -o alone.png"), (Some(0), "alone.png\n".into(), String::new()));
    for out in ["both.png", "both.svg"] {
        let line = format!("plot talk.wav --pipeline pipeline.yaml --out {out}");
        assert_eq!(run(&home, &line), (Some(0), format!("{out}\n"), String::new()));
    }
    let [alone, both] = ["alone.png", "both.png"].map(|name| image::open(home.path(name)).unwrap().into_rgb8());
    let (before, after) = both.as_raw().split_at(alone.as_raw().len());
    assert!(before == alone.as_raw() && after.len() == before.len(), "one above the other");
    // What is heard is drawn in the first colour of waveforms, what is not in the darkest of spectrograms.
    let drawn = |pixels: &[u8], colour: [u8; 3]| pixels.chunks_exact(3).filter(|pixel| **pixel == colour).count();
    let of = |colour| [before, after].map(|pixels| drawn(pixels, colour));
    let [loud, dark] = [of([0x33, 0x22, 0x88]), of([68, 1, 84])];
    assert!(loud[0] > 1000 && loud[1] == 0 && dark[1] > dark[0] + 1000, "{loud:?} {dark:?}");
    let svg = fs::read_to_string(home.path("both.svg")).unwrap();
    assert!(svg.matches("talk.wav").count() == 2 && svg.matches("talk.wav after test").count() == 1, "{svg}");

    home.pipeline("", "resize: { long_side: 4 }", "");
    let (code, _, err) = run(&home, "plot talk.wav --pipeline pipeline.yaml --out other.png");
    assert!(code == Some(64) && err.contains("the pipeline takes an image, not sound"), "{code:?} {err}");
    assert!(!home.path("other.png").exists());
}

#[test]
fn an_output_is_none_of_the_inputs() {
    let home = Home::new();
    write_wav(&home.path("talk.wav"), 16_000, &[vec![0.1; 1000]], 16, false);
    let (one, other) = (png(20, 20), png(30, 20));
    fs::write(home.path("a.png"), &one).unwrap();
    fs::write(home.folder("pictures").join("b.png"), &other).unwrap();
    fs::hard_link(home.path("a.png"), home.path("hard.png")).unwrap();
    for (to, link) in [("a.png", "link.png"), ("talk.wav", "link.svg"), ("pictures", "linked")] {
        symlink(home.path(to), home.path(link)).unwrap();
    }
    for line in [
        "compare a.png pictures/b.png --out a.png",
        "compare a.png pictures/b.png --out ./linked/b.png",
        "compare a.png pictures/b.png -o link.png",
        "compare a.png pictures/b.png -o hard.png",
        "plot talk.wav -o link.svg",
        "plot compare pictures -o pictures/b.png",
        "plot reconstruct digits-ae a.png -o link.png",
    ] {
        let (code, out, err) = run(&home, line);
        assert!(code == Some(64) && err.contains("the input") && err.contains("--out"), "{line}: {code:?} {out}{err}");
    }
    // A folder's results, over the folder itself.
    let pipeline = home.pipeline("", "resize: { long_side: 4 }", ", overwrite: true");
    let (code, out, err) = run(&home, &format!("apply {} a.png pictures --out .", pipeline.display()));
    assert!(code == Some(64) && err.contains("the input"), "{code:?} {out}{err}");
    assert!(fs::read(home.path("a.png")).unwrap() == one && fs::read(home.path("pictures/b.png")).unwrap() == other);
    assert!(home.path("link.png").is_symlink() && home.path("link.svg").is_symlink());
}

#[test]
fn an_output_that_cannot_be_is_told_by_its_name() {
    let home = Home::new();
    // Before anything is read.
    let (code, _, err) = run(&home, "compare gone.png gone.png --out sheet.gif");
    assert!(code == Some(64) && err.contains("sheet.gif"), "{code:?} {err}");
    fs::write(home.path("a.png"), png(9000, 120)).unwrap();
    fs::write(home.path("b.png"), png(900, 12)).unwrap();
    // Side by side they were wider than a WebP can be.
    let (code, _, err) = run(&home, "compare a.png a.png --out sheet.webp");
    assert!(code == Some(0) && home.path("sheet.webp").exists(), "{code:?} {err}");
    // The second is the smaller one, and the first is not said to be enlarged.
    let (code, out, _) = run(&home, "compare a.png b.png");
    assert!(code == Some(0) && out.contains("the first resized to 900 x 12"), "{out}");
    let (code, out, _) = run(&home, "compare a.png b.png --json");
    assert!(code == Some(0) && out.contains("\"resized\":[900,12]"), "{out}");
}

#[test]
fn pictures_are_compared_as_they_are() {
    let home = Home::new();
    let write = |name: &str, value: u16, alpha: u16| {
        let pixel = image::Rgba([value, 9, 9, alpha]);
        image::ImageBuffer::from_pixel(20, 12, pixel).save(home.path(name)).unwrap();
    };
    // Less than a step of 8 bits, and colours that nobody sees, were said to be equal.
    for (name, value, alpha) in
        [("a.png", 1000, 65535), ("b.png", 1060, 65535), ("c.png", 1000, 0), ("d.png", 60000, 0)]
    {
        write(name, value, alpha);
    }
    for (line, equal) in [("a.png b.png", false), ("c.png d.png", false), ("b.png b.png", true)] {
        let (code, out, err) = run(&home, &format!("compare {line} --json"));
        assert!(code == Some(0) && out.contains(&format!("\"equal\":{equal}")), "{line}: {out}{err}");
    }
    fs::write(home.path("wide.png"), png(40, 20)).unwrap();
    fs::write(home.path("high.png"), png(20, 40)).unwrap();
    let (code, _, err) = run(&home, "compare wide.png high.png");
    assert!(code == Some(65) && err.contains("40 x 20") && err.contains("high.png"), "{code:?} {err}");
}

fn save(home: &Home, name: &str, image: &Image) {
    fs::write(home.path(name), encoded(image, Format::Png)).unwrap();
}

/// They were called equal: all became 8 bits on white first.
#[test]
fn pictures_that_only_look_equal_are_not_called_so() {
    let home = Home::new();
    let deep = picture(40, 30, Layout::Rgb, Depth::Sixteen);
    let mut deeper = deep.clone();
    let Samples::U16(samples) = &mut deeper.samples else { panic!() };
    samples[0] ^= 1;
    let flat = picture(40, 30, Layout::Rgb, Depth::Eight);
    let widened = |image: Image| Image { depth: Depth::Sixteen, ..image.to_sixteen() };
    let clear = |red: u8| {
        let mut image = Image::new(40, 30, Layout::Rgba, Depth::Eight);
        let Samples::U8(samples) = &mut image.samples else { panic!() };
        samples.iter_mut().step_by(4).for_each(|sample| *sample = red);
        image
    };
    let alike =
        |bits: u8| format!("PSNR inf dB, SSIM 1.0000; they are not equal, but look alike on white in {bits} bits");
    for (one, other, words) in [
        (&deep, &deep, "PSNR inf dB, SSIM 1.0000; they are equal".to_owned()),
        // One sample of 3600 by one step of 65535.
        (&deep, &deeper, "PSNR 131.89 dB, SSIM 1.0000".to_owned()),
        (&flat, &widened(flat.clone()), alike(8)),
        (&clear(1), &clear(2), alike(8)),
        (&widened(clear(1)), &widened(clear(2)), alike(16)),
    ] {
        save(&home, "a.png", one);
        save(&home, "b.png", other);
        assert_eq!(run(&home, "compare a.png b.png"), (Some(0), format!("{words}\n"), String::new()));
        let json: serde_json::Value = serde_json::from_str(&run(&home, "compare a.png b.png --json").1).unwrap();
        assert_eq!((json["equal"].as_bool(), json["psnr_db"].is_null()), (Some(one == other), words.contains("inf")));
    }
}

/// One was stretched to the other, and nothing was said.
#[test]
fn pictures_of_other_proportions_are_not_compared() {
    let home = Home::new();
    for ((width, height), other, code) in [
        ((100, 50), (50, 100), 65),
        ((100, 50), (50, 27), 65),
        ((100, 50), (51, 50), 65),
        // Either may be the larger one, and sides are rounded.
        ((101, 51), (50, 25), 0),
        ((50, 26), (101, 51), 0),
        ((33, 100), (99, 300), 0),
    ] {
        fs::write(home.path("a.png"), png(width, height)).unwrap();
        fs::write(home.path("b.png"), png(other.0, other.1)).unwrap();
        let (found, out, err) = run(&home, "compare a.png b.png");
        assert_eq!(found, Some(code), "{width} x {height}, {other:?}: {out}{err}");
        assert!(code == 0 || err.contains("differ in shape") && err.contains("crop"), "{err}");
    }
}

/// It had none, and looked other than the pictures.
#[test]
fn a_sheet_has_the_profile_of_its_pictures() {
    let home = Home::new();
    let profile = |last: u8| {
        let mut profile = vec![0u8; 200];
        profile[..4].copy_from_slice(&200u32.to_be_bytes());
        profile[16..20].copy_from_slice(b"RGB ");
        profile[36..40].copy_from_slice(b"acsp");
        profile[199] = last;
        Some(profile)
    };
    for (one, other) in [(profile(1), profile(1)), (profile(1), profile(2)), (profile(1), None), (None, None)] {
        for (name, icc) in [("a.png", &one), ("b.png", &other)] {
            let mut image = picture(40, 30, Layout::Rgb, Depth::Eight);
            image.metadata.icc = icc.clone();
            save(&home, name, &image);
        }
        let (code, _, err) = run(&home, "compare a.png b.png --out sheet.png");
        assert!(code == Some(0) && err.contains("different colour profiles") == (one != other), "{code:?} {err}");
        let sheet = decoded(&fs::read(home.path("sheet.png")).unwrap(), Format::Png).unwrap();
        assert_eq!(sheet.metadata.icc, one.filter(|_| !err.contains("different")));
    }
}

/// Below narrow pictures crops were not enlarged and the last was cut off, what lay at the right or lower edge was in none, and nothing told where a crop
/// lies in the picture.
#[test]
fn a_sheet_shows_where_pictures_differ_and_larger() {
    let home = Home::new();
    // Corners (left, top) of what differs, its side, how many times larger it is shown, and the width of half the sheet.
    for ((width, height), corners, side, zoom, half) in [
        ((700, 300), vec![(96, 0), (288, 192), (604, 96)], 96, 2, 700),
        ((304, 120), vec![(192, 24)], 96, 3, 304),
        ((400, 200), vec![(0, 96), (304, 0)], 96, 2, 400),
        ((100, 400), vec![(4, 192)], 96, 2, 192),
        ((100, 100), vec![(4, 4)], 96, 2, 192),
        ((28, 28), vec![(0, 0)], 28, 2, 160),
    ] {
        let before = picture(width, height, Layout::Rgb, Depth::Eight);
        let mut after = before.clone();
        let Samples::U8(samples) = &mut after.samples else { panic!() };
        for (left, top) in &corners {
            for y in *top..top + side {
                samples[(y * width + left) * 3..][..side * 3].iter_mut().for_each(|sample| *sample ^= 0x80);
            }
        }
        save(&home, "before.png", &before);
        save(&home, "after.png", &after);
        let (code, out, err) = run(&home, "compare before.png after.png --out sheet.png");
        assert_eq!(code, Some(0), "{err}");
        assert!(out.ends_with("\nsheet.png\n"), "{out}");
        let sheet = decoded(&fs::read(home.path("sheet.png")).unwrap(), Format::Png).unwrap();
        // The names take 26 pixels, all parts are 8 apart, frames are 2 thick.
        let (top, crops) = (26, 26 + height + 8);
        assert_eq!((sheet.width, sheet.height), (2 * half + 24, crops + side * zoom + 8), "{width} x {height}");
        let pixel = |image: &Image, x: usize, y: usize| match &image.samples {
            Samples::U8(samples) => [0, 1, 2].map(|colour| samples[(y * image.width + x) * 3 + colour]),
            Samples::U16(_) => panic!(),
        };
        let mut colours = Vec::new();
        for (picture, start) in [(&before, 8), (&after, half + 16)] {
            // What lies in a frame is as it was, and so is what lies in none.
            let framed = |x: usize, y: usize| {
                corners.iter().any(|(left, top)| {
                    let about = |at: usize, from: usize| (from..from + side + 4).contains(&(at + 2));
                    let within = |at: usize, from: usize| (from..from + side).contains(&at);
                    about(x, *left) && about(y, *top) && !(within(x, *left) && within(y, *top))
                })
            };
            let same = |x: usize, y: usize| pixel(&sheet, start + x, top + y) == pixel(picture, x, y);
            let all = (0..height).all(|y| (0..width).all(|x| same(x, y) || framed(x, y)));
            assert!(all, "{width} x {height} at {start}");
            for (index, (left, above)) in corners.iter().enumerate() {
                let crop = start + index * (side * zoom + 8);
                let enlarged = |x: usize, y: usize| {
                    pixel(&sheet, crop + x, crops + y) == pixel(picture, left + x / zoom, above + y / zoom)
                };
                let all = (0..side * zoom).all(|y| (0..side * zoom).all(|x| enlarged(x, y)));
                assert!(all, "{width} x {height}: crop {index} at {crop}");
                // One colour for the frame of a crop and of its place, and no two crops of one colour.
                let colour = pixel(&sheet, crop - 1, crops + 9);
                assert_eq!(colour, pixel(&sheet, start + left - 1, top + above + 9), "{width} x {height}: {index}");
                colours.push(colour);
            }
        }
        let (one, other) = colours.split_at(corners.len());
        assert_eq!(one, other);
        assert!((1..one.len()).all(|at| !one[..at].contains(&one[at])), "{one:?}");
    }
}

/// A plot that was mistyped was told as a recording that is not there; the name of a sheet stood twice in its error.
#[test]
fn what_was_mistyped_is_told_as_such() {
    let home = Home::new();
    for (line, told) in [
        ("plot scater digits-ae in -o x.png", "did you mean `latentd plot scatter`?"),
        ("plot recons", "did you mean `latentd plot reconstruct`?"),
        ("compare a.png b.png --out x.xyz", "error: x.xyz: latentd does not write .xyz files"),
        ("models show melody", "did you mean `melody-2bar`?"),
        ("models show models/none", "models/none: there is no model here"),
        ("models show ./none.onnx", "./none.onnx: there is no model here"),
    ] {
        let (code, _, err) = run(&home, line);
        assert!(code != Some(0) && err.contains(told), "{line}: {err}");
    }
    let (code, _, err) = run(&home, "plot talk.wav");
    assert!(code == Some(66) && err.contains("talk.wav") && !err.contains("did you mean"), "{err}");
}
