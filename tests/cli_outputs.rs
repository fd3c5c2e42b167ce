//! What a verb writes takes the place of no file that the user did not name, and never of one that it was made of.
#![allow(missing_docs, clippy::unwrap_used)]

mod audio_common;
mod common;
mod images_common;

use std::fs;
use std::os::unix::fs::symlink;

use audio_common::write_wav;
use common::{Home, png};
use images_common::{decoded, encoded, picture};
use latentd::media::image::{Depth, Format, Image, Layout, Samples};

fn run(home: &Home, line: &str) -> (Option<i32>, String, String) {
    let output = home.run(&line.split(' ').collect::<Vec<_>>());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

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
    let (code, _, err) = run(&home, "compare a.png a.png --out sheet.webp");
    assert!(code == Some(65) && err.contains("sheet.webp") && err.contains("write a .png"), "{code:?} {err}");
    assert!(!home.path("sheet.webp").exists());
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
