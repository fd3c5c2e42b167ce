//! Promise: with `overwrite`, results replace their own older ones, and never those of other inputs.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::fs;
use std::time::Duration;

use common::{Home, count, encoded, png, wait_for};
use image::ImageFormat;

const LONG: Duration = Duration::from_secs(120);

fn side(home: &Home, name: &str) -> u32 {
    image::open(home.path(&format!("outbox/{name}"))).unwrap().width()
}

/// A photo beside its raw twin: both results had one name, and one was lost with its original.
#[test]
fn two_inputs_of_one_stem_keep_both_results() {
    let home = Home::new();
    let sink = ", name: \"{stem}.jpg\", overwrite: true, originals: delete";
    let pipeline = home.pipeline(", quiet: 200ms", "resize: { long_side: 40 }", sink);
    let done = |n: u64| {
        wait_for("the results", LONG, || {
            let status = home.run(&["status", "--json"]).stdout;
            let status: serde_json::Value = serde_json::from_slice(&status).unwrap_or_default();
            status["pipelines"][0]["counts"]["done"] == n && count(&home.path("inbox")) == 0
        });
    };
    let daemon = home.daemon(&pipeline, &[]);
    fs::write(home.path("inbox/a.png"), png(20, 20)).unwrap();
    done(1);
    fs::write(home.path("inbox/a.jpg"), encoded(30, 30, ImageFormat::Jpeg)).unwrap();
    done(2);
    assert_eq!((side(&home, "a.jpg"), side(&home, "a-1.jpg")), (20, 30));
    // Anew, each in its own place.
    fs::write(home.path("inbox/a.png"), png(22, 22)).unwrap();
    done(3);
    assert_eq!((side(&home, "a.jpg"), side(&home, "a-1.jpg")), (22, 30));
    assert_eq!(daemon.stop(), Some(0));
    // The next start remembers whose they are.
    let daemon = home.daemon(&pipeline, &[]);
    fs::write(home.path("inbox/a.jpg"), encoded(32, 32, ImageFormat::Jpeg)).unwrap();
    done(1);
    fs::write(home.path("inbox/a.bmp"), encoded(24, 24, ImageFormat::Bmp)).unwrap();
    done(2);
    assert_eq!((side(&home, "a.jpg"), side(&home, "a-1.jpg"), side(&home, "a-2.jpg")), (22, 32, 24));
    assert_eq!(daemon.stop(), Some(0));
}

/// As of a camera's last picture.
#[test]
fn one_name_for_all_is_replaced() {
    let home = Home::new();
    let pipeline = home.pipeline("", "resize: { long_side: 40 }", ", name: last.png, overwrite: true");
    let one = home.path("one.png");
    let two = home.path("two.png");
    fs::write(&one, png(20, 20)).unwrap();
    fs::write(&two, png(30, 30)).unwrap();
    for (input, width) in [(&one, 20), (&two, 30)] {
        let output = home.latentd().arg("apply").args([&pipeline, input]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(side(&home, "last.png"), width);
    }
    assert_eq!(count(&home.path("outbox")), 1);
}

#[test]
fn apply_refuses_two_inputs_whose_results_would_replace_each_other() {
    let home = Home::new();
    let pipeline = home.pipeline("", "resize: { long_side: 40 }", ", overwrite: true");
    let paths = ["x", "y"].map(|folder| home.folder(folder).join("cat.png"));
    paths.iter().for_each(|path| fs::write(path, png(6, 6)).unwrap());
    let output = home.latentd().arg("apply").arg(&pipeline).args(&paths).output().unwrap();
    assert_eq!(output.status.code(), Some(64), "{output:?}");
    assert_eq!(count(&home.path("outbox")), 0);
}

/// Only the inputs of the same job were looked at: the first job's result took the place of what the second had still to read.
#[test]
fn apply_writes_over_no_input_of_another_job() {
    let home = Home::new();
    let (one, other) = (encoded(30, 30, ImageFormat::Jpeg), png(20, 20));
    home.folder("photos");
    let refused = |name: &str, inputs: &[&str]| {
        let pipeline = home.pipeline("", "resize: { scale: 0.5 }", &format!(", name: \"{name}\", overwrite: true"));
        fs::write(home.path("photos/a.jpg"), &one).unwrap();
        fs::write(home.path("photos/15.png"), &other).unwrap();
        let output = home.latentd().arg("apply").arg(&pipeline).args(inputs).args(["-o", "photos"]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        match output.status.code() {
            Some(64) if text.contains("take the place of the input photos/15.png") => {
                assert!(fs::read(home.path("photos/a.jpg")).unwrap() == one, "{name}: {text}");
                assert!(fs::read(home.path("photos/15.png")).unwrap() == other, "{name}: {text}");
                assert_eq!(count(&home.path("photos")), 2, "{name}");
                true
            }
            code => {
                assert_eq!(code, Some(0), "{name}: {text}");
                false
            }
        }
    };
    for inputs in [&["photos"][..], &["photos/15.png", "photos/a.jpg"], &["photos/a.jpg", "photos/15.png"]] {
        assert!(refused("15.png", inputs), "{inputs:?}");
        // The picture's width is 15 in the end, which nobody knows before.
        assert!(refused("{width}.png", inputs), "{inputs:?}");
        assert!(refused("{height}.{ext}", inputs), "{inputs:?}");
    }
    // Beside the inputs there is room.
    assert!(!refused("{stem}-{width}.{ext}", &["photos/15.png", "photos/a.jpg"]));
    assert!(home.path("photos/a-15.jpg").is_file() && home.path("photos/15-10.png").is_file());
}

/// Positions and names must not reach the web with a thumbnail.
#[test]
fn metadata_is_dropped_where_the_sink_says_so() {
    let home = Home::new();
    let input = home.path("photo.png");
    let mut file = std::io::BufWriter::new(fs::File::create(&input).unwrap());
    let mut encoder = png_with_exif(&mut file);
    encoder.write_image_data(&[128; 8 * 8 * 3]).unwrap();
    encoder.finish().unwrap();
    drop(file);
    let mut sizes = Vec::new();
    for (name, sink) in [("keep", ""), ("drop", ", metadata: drop"), ("half", ", metadata: drop, chroma: half")] {
        let sink = format!(", name: {name}.jpg, overwrite: true{sink}");
        let pipeline = home.pipeline("", "resize: { long_side: 40 }", &sink);
        let output = home.latentd().arg("apply").args([&pipeline, &input]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let bytes = fs::read(home.path(&format!("outbox/{name}.jpg"))).unwrap();
        assert_eq!(bytes.windows(6).any(|w| w == b"Exif\0\0"), name == "keep", "{name}");
        // The frame's header: the first component's factors, 1x1 or 2x2.
        let frame = bytes.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
        assert_eq!(bytes[frame + 11], if name == "half" { 0x22 } else { 0x11 }, "{name}");
        sizes.push(bytes.len());
    }
    assert!(sizes[1] < sizes[0], "{sizes:?}");
}

fn png_with_exif<W: std::io::Write>(out: W) -> png::Writer<W> {
    let mut info = png::Info::with_size(8, 8);
    info.color_type = png::ColorType::Rgb;
    info.bit_depth = png::BitDepth::Eight;
    // A TIFF structure with one entry, the software.
    let block = b"II*\0\x08\0\0\0\x01\0\x31\x01\x02\0\x04\0\0\0cat\0\0\0\0\0";
    info.exif_metadata = Some(block.to_vec().into());
    png::Encoder::with_info(out, info).unwrap().write_header().unwrap()
}

/// A pipe, and for root a device as `/dev/null`, was replaced by the picture.
#[test]
fn what_is_no_file_is_not_replaced() {
    use std::os::unix::fs::FileTypeExt;

    let home = Home::new();
    fs::write(home.path("a.png"), png(20, 20)).unwrap();
    let pipe = home.path("sheet.png");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let (a, out) = (home.path("a.png"), pipe.to_str().unwrap().to_owned());
    let output = home.run(&["compare", a.to_str().unwrap(), a.to_str().unwrap(), "--out", &out]);
    assert_eq!(output.status.code(), Some(73), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no file, and stays"));
    assert!(fs::symlink_metadata(&pipe).unwrap().file_type().is_fifo());
}

/// Side by side, an older and larger one was done last, and stayed.
#[test]
fn the_newest_of_one_name_is_the_one_that_stays() {
    let home = Home::new();
    let pipeline = home.pipeline("", "resize: { scale: 0.5 }", ", name: last.png, overwrite: true");
    // The older, the larger, and the later by name.
    for n in 1..=6u32 {
        let path = home.path(&format!("inbox/{}.png", 9 - n));
        fs::write(&path, png(2800 / n, 2800 / n)).unwrap();
        let time = std::time::SystemTime::now() - Duration::from_secs(u64::from(1000 - 10 * n));
        fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    }
    let daemon = home.daemon(&pipeline, &["-j", "4"]);
    wait_for("all six", LONG, || {
        let status = home.run(&["status", "--json"]).stdout;
        let status: serde_json::Value = serde_json::from_slice(&status).unwrap_or_default();
        status["pipelines"][0]["counts"]["done"] == 6
    });
    assert_eq!(side(&home, "last.png"), 2800 / 6 / 2);
    assert_eq!(daemon.stop(), Some(0));
}

/// Of many files one was left, with `originals: delete`; and originals that were moved to where results go were replaced by those of later ones.
#[test]
fn what_would_lose_originals_is_refused() {
    let home = Home::new();
    for (sink, mistake) in [
        (", overwrite: true, name: last.png, originals: delete", Some("nothing is left of that")),
        (", overwrite: true, name: last.png, originals: { move: ./done }", None),
        (", overwrite: true, originals: delete", None),
        (", name: last.png, originals: delete", None),
        (
            ", overwrite: true, originals: { move: ./outbox }",
            Some("`originals: move` puts files where results may replace them"),
        ),
        (", overwrite: true, quarantine: ./outbox", Some("`quarantine` puts files where results may replace them")),
        (", overwrite: true, name: \"deep/{stem}.png\", originals: { move: ./outbox/deep }", Some("may replace them")),
        (", overwrite: true, originals: { move: ./outbox/done }", None),
        (", originals: { move: ./outbox }", None),
    ] {
        home.pipeline("", "resize: { long_side: 4 }", sink);
        let (code, out, err) = common::run(&home, "check pipeline.yaml");
        assert_eq!(code, Some(if mistake.is_some() { 78 } else { 0 }), "{sink}: {out}{err}");
        assert!(err.contains(mistake.unwrap_or_default()), "{sink}: {err}");
    }
}
