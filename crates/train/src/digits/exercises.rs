//! The lesson's exercises in numbers: what the models do with what they were not made for.

use std::path::Path;

use anyhow::Result;
use rand::RngExt;

use super::{Desk, Line, generator, own, restore};
use crate::data::idx::Part;
use crate::data::{Picture, SmallPictures, find};
use crate::measure;
use crate::measure::statistics::{auroc, cross_entropy, squared_error};
use crate::recipes::restore::{halved, noisy};

/// Pictures of each kind that novelty is told on.
const JUDGED: usize = 2000;

/// Pictures of CIFAR-10 that are enlarged.
const ENLARGED: usize = 200;

/// Measures, and tells each line as soon as it is known. `fashion` holds Fashion-MNIST's files, `cifar` pictures of CIFAR-10.
///
/// # Errors
/// When a model or the data cannot be read.
pub fn exercises(desk: &Desk, fashion: Option<&Path>, cifar: Option<&Path>, tell: &mut dyn FnMut(Line)) -> Result<()> {
    let clothes = fashion.map(|folder| SmallPictures::from_idx(folder, Part::Test)).transpose()?;
    let scenes = cifar.map(|folder| SmallPictures::from_folder(folder, desk.test.side, 1)).transpose()?;
    for name in ["digits-ae16", "digits-vae2", "digits-vae20"] {
        novelty(desk, name, clothes.as_ref(), scenes.as_ref(), tell)?;
    }
    if let Some(clothes) = &clothes {
        domain_shift(desk, clothes, tell)?;
    }
    if let Some(folder) = cifar {
        enlarging(desk, folder, tell)?;
    }
    pure_noise(desk, tell)
}

/// How well the novelty score tells digits from all else.
fn novelty(
    desk: &Desk,
    name: &str,
    clothes: Option<&SmallPictures>,
    scenes: Option<&SmallPictures>,
    tell: &mut dyn FnMut(Line),
) -> Result<()> {
    let codec = desk.codec(name, None)?;
    let score = |picture: &[f32]| codec.novelty(picture).map_err(own);
    let of = |set: &SmallPictures| -> Result<Vec<f32>> {
        (0..set.len().min(JUDGED)).map(|index| score(&set.picture(index))).collect()
    };
    let digits = of(&desk.test)?;
    let mut add = |what: &str, scores: Vec<f32>, bar: Option<f64>| {
        let line = Line::new(name, &format!("novelty, AUROC of digits against {what}"), auroc(&digits, &scores));
        tell(match bar {
            Some(bar) => line.at_least(bar),
            None => line,
        });
    };
    if let Some(clothes) = clothes {
        add("Fashion-MNIST", of(clothes)?, Some(0.95));
    }
    if let Some(scenes) = scenes {
        add("CIFAR-10 in gray", of(scenes)?, None);
    }
    let inverted = |index: usize| score(&desk.test.picture(index).iter().map(|v| 1.0 - v).collect::<Vec<_>>());
    add("inverted digits", (0..JUDGED).map(inverted).collect::<Result<_>>()?, None);
    let mut rng = generator();
    let mut noise = || score(&(0..desk.test.values()).map(|_| rng.random::<f32>()).collect::<Vec<_>>());
    add("uniform noise", (0..JUDGED).map(|_| noise()).collect::<Result<_>>()?, None);
    let mut rng = generator();
    let heavy = (0..JUDGED).map(|index| score(&noisy(&mut rng, &desk.test.picture(index))));
    add("digits under the denoiser's noise", heavy.collect::<Result<_>>()?, None);
    Ok(())
}

/// The restorers of digits on clothes.
fn domain_shift(desk: &Desk, clothes: &SmallPictures, tell: &mut dyn FnMut(Line)) -> Result<()> {
    let side = desk.test.side;
    for (name, input) in [("digits-denoise", side), ("digits-upscale-x2", side / 2)] {
        let session = desk.restorer(name, input)?;
        let mut rng = generator();
        for (what, set) in [("digits", &desk.test), ("Fashion-MNIST", clothes)] {
            let (mut entropy, mut square, mut before) = (0.0, 0.0, 0.0);
            let count = set.len().min(JUDGED);
            for index in 0..count {
                let picture = set.picture(index);
                let damaged = if input == side { noisy(&mut rng, &picture) } else { halved(&picture, side) };
                let restored = restore(&session, &damaged)?;
                entropy += cross_entropy(&restored, &picture) / count as f64;
                square += squared_error(&restored, &picture) / count as f64;
                if input == side {
                    before += squared_error(&damaged, &picture) / count as f64;
                }
            }
            let decibel = |square: f64| -10.0 * square.log10();
            let note = if before > 0.0 { format!("{:.2} dB before", decibel(before)) } else { String::new() };
            tell(Line::new(name, &format!("cross-entropy of a value on {what}"), entropy));
            tell(Line::new(name, &format!("PSNR on {what}, dB"), decibel(square)).note(note));
        }
    }
    Ok(())
}

/// CIFAR-10 made small and enlarged again by the models for photos.
fn enlarging(desk: &Desk, folder: &Path, tell: &mut dyn FnMut(Line)) -> Result<()> {
    for name in ["upscale-photo-x2-fast", "upscale-photo-x4-fast"] {
        let model = desk.model(name)?;
        let (mut before, mut after, mut count) = (0.0, 0.0, 0.0);
        let files = find(folder)?;
        // Spread over all, since files lie sorted by class.
        for file in files.iter().step_by((files.len() / ENLARGED).max(1)).take(ENLARGED) {
            let score = measure::upscale(&model, &Picture::open(file)?, None, false)?;
            before += score.before;
            after += score.psnr;
            count += 1.0;
        }
        let what = "CIFAR-10 made small and enlarged, PSNR, dB";
        tell(
            Line::new(name, what, after / f64::max(count, 1.0))
                .note(format!("bicubic: {:.2}", before / f64::max(count, 1.0))),
        );
    }
    Ok(())
}

/// Noise fed to the model that enlarges most: what it makes of a picture of nothing.
fn pure_noise(desk: &Desk, tell: &mut dyn FnMut(Line)) -> Result<()> {
    const SIDE: usize = 64;
    let name = "upscale-photo-x4-fast";
    let model = desk.model(name)?;
    let session = latentd::model::Session::new(&model, &[("image", &[1, 3, SIDE, SIDE])], &["output"]).map_err(own)?;
    let mut rng = generator();
    let noise: Vec<f32> = (0..3 * SIDE * SIDE).map(|_| rng.random()).collect();
    let output = restore(&session, &noise)?;
    let outside = output.iter().filter(|v| !(0.0..=1.0).contains(*v)).count() as f64 / output.len() as f64;
    let note = format!(
        "of the noise itself: {:.3}; {:.1} % of the values fall outside 0..1",
        deviation(&noise),
        outside * 100.0
    );
    tell(Line::new(name, "deviation of what becomes of uniform noise", deviation(&output)).note(note));
    Ok(())
}

fn deviation(values: &[f32]) -> f64 {
    let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / values.len() as f64;
    (values.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
}
