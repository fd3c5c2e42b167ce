//! `latentd plot compare` shows photos in their own shapes on a sheet that can be looked at, and small pictures as large as ever.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use common::{Home, png, run};
use image::{Rgb, RgbImage};

const YELLOW: Rgb<u8> = Rgb([255, 255, 0]);
const RED: Rgb<u8> = Rgb([255, 0, 0]);
const BLUE: Rgb<u8> = Rgb([0, 0, 255]);

/// A photo of a round sign.
fn sign(width: u32, height: u32, colour: Rgb<u8>) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let (x, y) = (f64::from(x) - f64::from(width) / 2.0, f64::from(y) - f64::from(height) / 2.0);
        if x.hypot(y) < 250.0 { colour } else { YELLOW }
    })
}

fn sheet(home: &Home, line: &str) -> RgbImage {
    let (code, _, err) = run(home, &format!("plot compare {line} -o sheet.png"));
    assert_eq!(code, Some(0), "{line}: {err}");
    image::open(home.path("sheet.png")).unwrap().into_rgb8()
}

/// Width and height of what is nearly of that colour.
fn extent(sheet: &RgbImage, colour: Rgb<u8>) -> (u32, u32) {
    let near = |pixel: &Rgb<u8>| (0..3).all(|c| pixel.0[c].abs_diff(colour.0[c]) < 60);
    let found: Vec<(u32, u32)> =
        sheet.enumerate_pixels().filter(|(_, _, pixel)| near(pixel)).map(|(x, y, _)| (x, y)).collect();
    let span = |of: fn(&(u32, u32)) -> u32| {
        let all = || found.iter().map(of);
        all().max().unwrap_or(0) + 1 - all().min().unwrap_or(0)
    };
    (span(|at| at.0), span(|at| at.1))
}

/// They were stretched to one shape, enlarged twice, and the sheet of five was 12,106 pixels wide, with names ten pixels high.
#[test]
fn photos_keep_their_shape_and_sheets_their_bounds() {
    let home = Home::new();
    for (folder, signs) in [("before", [RED, BLUE]), ("after", [YELLOW, YELLOW])] {
        let folder = home.folder(folder);
        sign(1200, 667, signs[0]).save(folder.join("a.png")).unwrap();
        sign(667, 1000, signs[1]).save(folder.join("b.png")).unwrap();
    }
    let found = sheet(&home, "before after");
    assert!((1200..=2400).contains(&found.width()) && found.height() < 2400, "{:?}", found.dimensions());
    for colour in [RED, BLUE] {
        let (width, height) = extent(&found, colour);
        assert!(width > 300 && width.abs_diff(height) <= 3, "{colour:?}: {width} x {height}");
    }
    // Names stand left of the photos, more than half as high as their letters are told to be.
    let ink = |y: &u32| (0..80).any(|x| found.get_pixel(x, *y).0.iter().all(|v| *v < 100));
    assert!((0..found.height() / 2).filter(ink).count() >= 12);
    // In one folder, and in rows of one.
    let (one, tall) = (sheet(&home, "before"), sheet(&home, "before after --columns 1"));
    assert!(one.width() <= 2400 && one.height() < 1100, "{:?}", one.dimensions());
    assert!(tall.width() <= 2400 && tall.height() > 3 * 667, "{:?}", tall.dimensions());
    // Whoever says how large they are shown gets it.
    assert!(sheet(&home, "before after --zoom 1").width() > 2400);
}

#[test]
fn digits_are_shown_as_they_were() {
    let home = Home::new();
    for folder in ["before", "after"] {
        let folder = home.folder(folder);
        (0..12).for_each(|number| std::fs::write(folder.join(format!("{number:02}.png")), png(28, 28)).unwrap());
    }
    // Twice as large, 4 pixels apart, 12 about all, and 62 for the names.
    assert_eq!(sheet(&home, "before after").dimensions(), (12 * 60 + 24 + 62, 2 * 60 + 24));
    assert_eq!(sheet(&home, "before").dimensions(), (12 * 60 + 24, 60 + 24));
}

/// It was offered where there is nothing that it could make larger.
#[test]
fn only_sheets_have_a_zoom() {
    let home = Home::new();
    for line in ["plot curves run -o c.png --zoom 2", "plot scatter digits-vae2 x -o c.png --zoom 2"] {
        let (code, _, err) = run(&home, line);
        assert!(code == Some(64) && err.contains("--zoom"), "{line}: {code:?} {err}");
    }
}
