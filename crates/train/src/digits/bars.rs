//! What each model must reach.

use anyhow::Result;
use latentd::model::Session;
use latentd::plot::components::Components;

use super::{Desk, Line, generator, normal, own, restore};
use crate::data::SmallPictures;
use crate::data::idx::Part;
use crate::measure::statistics::{cross_entropy, discrepancy, squared_error};
use crate::recipes::restore::{halved, noisy};

/// Points of the aggregate posterior that are compared with the prior.
const COMPARED: usize = 2000;

/// Samples of each class.
const SAMPLES: usize = 200;

/// Measures all models and tells each line as soon as it is known.
///
/// # Errors
/// When a model or the data cannot be read.
pub fn bars(desk: &Desk, tell: &mut dyn FnMut(Line)) -> Result<()> {
    plain(desk, tell)?;
    restorers(desk, tell)?;
    for name in ["digits-vae2", "digits-vae20"] {
        variational(desk, name, tell)?;
    }
    conditional(desk, tell)?;
    adversarial(desk, tell)
}

/// Mean cross-entropy and squared error of a value over pictures, by what `restore` makes of each.
fn errors(pictures: &SmallPictures, mut restore: impl FnMut(&[f32]) -> Result<Vec<f32>>) -> Result<(f64, f64)> {
    let (mut entropy, mut square) = (0.0, 0.0);
    for index in 0..pictures.len() {
        let picture = pictures.picture(index);
        let restored = restore(&picture)?;
        entropy += cross_entropy(&restored, &picture);
        square += squared_error(&restored, &picture);
    }
    Ok((entropy / pictures.len() as f64, square / pictures.len() as f64))
}

fn plain(desk: &Desk, tell: &mut dyn FnMut(Line)) -> Result<()> {
    let name = "digits-ae";
    let codec = desk.codec(name, None)?;
    let through = |picture: &[f32]| codec.planes(&codec.posterior(picture).map_err(own)?.mean).map_err(own);
    let (entropy, square) = errors(&desk.test, through)?;
    let numbers = desk.model(name)?.card.latent.as_ref().map_or(0, |space| space.size);
    tell(Line::new(name, "cross-entropy of a value", entropy).below(0.0953).note(format!("{numbers} numbers a digit")));
    tell(Line::new(name, "squared error of a value", square));

    let training = SmallPictures::from_idx(&desk.mnist, Part::Training)?;
    let pixels: Vec<Vec<f32>> = (0..training.len()).map(|index| training.picture(index)).collect();
    let components = Components::of(&pixels.iter().map(Vec::as_slice).collect::<Vec<_>>(), 16);
    for (name, count) in [("digits-ae2", 2), ("digits-ae16", 16)] {
        let (_, by_components) = errors(&desk.test, |picture| {
            let mut place = components.project(picture);
            place.truncate(count);
            Ok(components.restore(&place))
        })?;
        let codec = desk.codec(name, None)?;
        let through = |picture: &[f32]| codec.planes(&codec.posterior(picture).map_err(own)?.mean).map_err(own);
        let (entropy, square) = errors(&desk.test, through)?;
        tell(Line::new(name, "cross-entropy of a value", entropy));
        let what = format!("squared error of a value at {count} numbers");
        tell(Line::new(name, &what, square).below(by_components).note("the bar is PCA's with as many components"));
    }
    Ok(())
}

fn restorers(desk: &Desk, tell: &mut dyn FnMut(Line)) -> Result<()> {
    let side = desk.test.side;
    let mut rng = generator();
    let session = desk.restorer("digits-denoise", side)?;
    let (entropy, square) = errors(&desk.test, |picture| restore(&session, &noisy(&mut rng, picture)))?;
    tell(Line::new("digits-denoise", "cross-entropy of a value", entropy).below(0.1398));
    tell(Line::new("digits-denoise", "PSNR, dB", -10.0 * square.log10()));
    let session = desk.restorer("digits-upscale-x2", side / 2)?;
    let (entropy, square) = errors(&desk.test, |picture| restore(&session, &halved(picture, side)))?;
    tell(Line::new("digits-upscale-x2", "cross-entropy of a value", entropy).below(0.0955));
    tell(Line::new("digits-upscale-x2", "PSNR, dB", -10.0 * square.log10()));
    Ok(())
}

/// The negative evidence lower bound with one draw of the posterior, and its parts.
fn variational(desk: &Desk, name: &str, tell: &mut dyn FnMut(Line)) -> Result<()> {
    let codec = desk.codec(name, None)?;
    let values = desk.test.values() as f64;
    let (mut rng, mut divergence) = (generator(), 0.0);
    let (entropy, square) = errors(&desk.test, |picture| {
        let posterior = codec.posterior(picture).map_err(own)?;
        divergence += f64::from(posterior.divergence());
        codec.planes(&posterior.draw(|| normal(&mut rng))).map_err(own)
    })?;
    let divergence = divergence / desk.test.len() as f64;
    let by_entropy = Line::new(name, "cross-entropy of a digit + KL, nats", values * entropy + divergence);
    let by_square = Line::new(name, "784 x squared error + KL", values * square + divergence);
    if name == "digits-vae2" {
        tell(by_square.below(35.7).note("goal 33"));
        tell(by_entropy);
    } else {
        tell(by_entropy.below(104.0).note("goal 98"));
        tell(by_square);
    }
    tell(Line::new(name, "  of that: cross-entropy of a digit, nats", values * entropy));
    tell(Line::new(name, "  of that: 784 x squared error", values * square));
    tell(Line::new(name, "  of that: KL, nats", divergence));
    Ok(())
}

fn conditional(desk: &Desk, tell: &mut dyn FnMut(Line)) -> Result<()> {
    let name = "digits-cvae";
    let model = desk.model(name)?;
    let side = desk.test.side;
    let classifier = Session::new(&model, &[("image", &[1, 1, side, side])], &["class_scores"]).map_err(own)?;
    let told = |picture: &[f32]| -> Result<usize> {
        let scores = classifier.run(&[picture]).map_err(own)?.swap_remove(0);
        Ok((0..scores.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b])).unwrap_or(0))
    };
    let mut right = 0usize;
    for index in 0..desk.test.len() {
        right += usize::from(told(&desk.test.picture(index))? == usize::from(desk.test.labels[index]));
    }
    let share = right as f64 / desk.test.len() as f64;
    tell(Line::new(name, "the classifier, right on test digits", share));
    let space = model.card.latent.as_ref().map_or((0, 0), |space| (space.size, space.classes));
    let (mut rng, mut right) = (generator(), 0usize);
    for class in 0..space.1 {
        let codec = desk.codec(name, Some(class))?;
        for _ in 0..SAMPLES {
            let point: Vec<f32> = (0..space.0).map(|_| normal(&mut rng)).collect();
            right += usize::from(told(&codec.planes(&point).map_err(own)?)? == class);
        }
    }
    let share = right as f64 / (space.1 * SAMPLES).max(1) as f64;
    tell(Line::new(name, "samples told as the class they were made for", share).at_least(0.97));
    Ok(())
}

fn adversarial(desk: &Desk, tell: &mut dyn FnMut(Line)) -> Result<()> {
    let name = "digits-aae";
    let codec = desk.codec(name, None)?;
    let through = |picture: &[f32]| codec.planes(&codec.posterior(picture).map_err(own)?.mean).map_err(own);
    let (entropy, square) = errors(&desk.test, through)?;
    tell(Line::new(name, "cross-entropy of a value", entropy));
    tell(Line::new(name, "squared error of a value", square));
    // Spread over all: the first half of MNIST's test digits are of other writers than the second.
    let stride = (desk.test.len() / COMPARED).max(1);
    let encoded = (0..desk.test.len())
        .step_by(stride)
        .take(COMPARED)
        .map(|index| Ok(codec.posterior(&desk.test.picture(index)).map_err(own)?.mean));
    let encoded = encoded.collect::<Result<Vec<_>>>()?;
    let mut rng = generator();
    let size = encoded.first().map_or(1, Vec::len);
    let mut prior =
        || -> Vec<Vec<f32>> { (0..COMPARED).map(|_| (0..size).map(|_| normal(&mut rng)).collect()).collect() };
    let (one, two) = (prior(), prior());
    let twice = discrepancy(&one, &two);
    let line = Line::new(name, "MMD^2 of latents and draws of N(0, I)", discrepancy(&encoded, &one));
    tell(line.below(0.01).note(format!("two samples of N(0, I): {twice:.5}; {size} numbers a digit")));
    Ok(())
}
