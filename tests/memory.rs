//! Memory is bounded by the picture's own samples: a 24-megapixel photo through denoise and x2 stays below 1.2 GiB.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::process::Stdio;

use common::{Home, encoded, peak_memory};

/// Peak resident memory, in MiB, of `apply` with denoise and x2 over a photo of this size.
fn peak(width: u32, height: u32) -> f64 {
    let home = Home::new();
    let stages = "denoise: { sigma: 15 }, upscale: { model: upscale-photo-x2 }";
    let pipeline = home.pipeline("", stages, "");
    std::fs::write(home.path("inbox/photo.jpg"), encoded(width, height, image::ImageFormat::Jpeg)).unwrap();
    let mut command = home.latentd();
    command.arg("apply").arg(pipeline).args(["inbox/photo.jpg", "--out", "out", "-j", "2"]).stdout(Stdio::null());
    let peak = peak_memory(&mut command);
    assert!(home.path("out/photo.jpg").is_file());
    peak
}

#[test]
fn a_24_megapixel_photo_fits() {
    let mut last = 0.0;
    for (width, height) in [(1224, 816), (3000, 2000), (6000, 4000)] {
        last = peak(width, height);
        println!("{:5.1} megapixels: {last:6.0} MiB at most", f64::from(width * height) / 1e6);
    }
    assert!(last < 1.2 * 1024.0, "{last:.0} MiB");
}
