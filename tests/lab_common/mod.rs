//! Forty digits of MNIST's training part for tests of the digits models: one of each class in a row.
#![allow(dead_code, missing_docs, clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use image::{GrayImage, imageops};
use latentd::model::Model;

pub const SIDE: u32 = 28;

/// The digits as pictures with their classes.
pub fn digits() -> Vec<(usize, GrayImage)> {
    let sheet = image::open(root().join("tests/lab_common/digits.png")).unwrap().into_luma8();
    assert_eq!(sheet.dimensions(), (10 * SIDE, 4 * SIDE));
    let cut = |row: u32, class: u32| imageops::crop_imm(&sheet, class * SIDE, row * SIDE, SIDE, SIDE).to_image();
    (0..4).flat_map(|row| (0..10).map(move |class| (class as usize, cut(row, class)))).collect()
}

/// Values of 0..1.
pub fn values(picture: &GrayImage) -> Vec<f32> {
    picture.as_raw().iter().map(|&v| f32::from(v) / 255.0).collect()
}

/// The digits as files, each in a folder named for its class.
pub fn write(folder: &Path) {
    for (index, (class, picture)) in digits().iter().enumerate() {
        let folder = folder.join(class.to_string());
        std::fs::create_dir_all(&folder).unwrap();
        picture.save(folder.join(format!("{index:02}.png"))).unwrap();
    }
}

/// A picture that is no digit: a bright cloth with stripes.
pub fn cloth() -> GrayImage {
    GrayImage::from_fn(SIDE, SIDE, |x, y| {
        image::Luma([if (4..24).contains(&x) { 140 + (y % 4) as u8 * 30 } else { 0 }])
    })
}

/// A shipped model.
pub fn model(name: &str) -> Arc<Model> {
    Arc::new(Model::from_path(&models().join(name)).unwrap())
}

/// The folder of shipped models.
pub fn models() -> PathBuf {
    root().join("models")
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
