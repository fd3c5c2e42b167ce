use std::fmt::{self, Display};

use anyhow::{Result, anyhow, bail};
use latentd::media::Image;
use latentd::media::image::{Depth, Layout, Samples};
use latentd::model::{Model, Role};
use latentd::stage::{Ensemble, estimate_sigma};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::{luma, psnr, ssim};
use crate::data::{Picture, camera, imresize};
use crate::recipes::denoise_photo::noisy;
use crate::recipes::upscale_photo::Pair;

/// What a model made of one picture.
#[derive(Clone, Copy, Debug)]
pub struct Score {
    /// PSNR in dB of what the model was to better: the noisy picture, or bicubic enlargement.
    pub before: f64,
    /// PSNR in dB of the model's output.
    pub psnr: f64,
    /// SSIM of the model's output.
    pub ssim: f64,
    /// The deviation of the noise, of 255, where it was measured: 0 of a picture that measures clean, which stays as it is.
    pub measured: Option<f64>,
}

/// How strong a denoiser is told that the noise is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sigma {
    /// This deviation, of 255.
    Told(f64),
    /// What the stage `denoise` measures in the picture, as a file of 8 bits holds it.
    Auto,
}

impl Display for Sigma {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Sigma::Told(sigma) => sigma.fmt(f),
            Sigma::Auto => f.write_str("auto"),
        }
    }
}

/// How a model is run.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    /// What a denoiser is told; it means nothing to one that is told nothing.
    pub sigma: Sigma,
    /// Whether the mean of what it makes of all eight orientations is taken, as the stages do with `ensemble: true`.
    pub ensemble: bool,
}

/// White Gaussian noise that is added to a clean picture.
#[derive(Clone, Copy, Debug)]
pub struct WhiteNoise {
    /// Its deviation, of 255.
    pub sigma: f64,
    /// Whether the noisy picture and the cleaned one become what a file of 8 bits holds, rounded and cut off at black and white. Papers have neither.
    pub stored: bool,
}

impl WhiteNoise {
    /// `clean` with noise drawn by `seed`.
    fn added_to(self, clean: &[f32], seed: u64) -> Vec<f32> {
        let noisy = noisy(clean, self.sigma, seed);
        if self.stored { stored(noisy) } else { noisy }
    }
}

/// Side of the window of SSIM, which must fit into what is scored.
const WINDOW: usize = 11;

/// The shortest side of a picture that a model that enlarges `scale` times, or only cleans (1), can be scored on.
pub fn smallest(scale: usize) -> usize {
    // Of an enlarged picture, which is cut to whole squares, the border is not scored.
    if scale > 1 { (WINDOW + 2 * scale).next_multiple_of(scale) } else { WINDOW }
}

/// White noise, drawn by `seed` and taken out by the model; scored in RGB against the clean picture.
///
/// # Errors
/// When tract cannot run the model.
pub fn denoise(model: &Model, picture: &Picture, noise: WhiteNoise, way: Way, seed: u64) -> Result<Score> {
    let (clean, size) = (picture.planes(), (picture.height, picture.width));
    score(model, &clean, &noise.added_to(&clean, seed), size, way, noise.stored)
}

/// [`denoise`] of the picture in gray: the model gets three equal planes, and the mean of those it gives is scored.
///
/// # Errors
/// When tract cannot run the model.
pub fn denoise_gray(model: &Model, picture: &Picture, noise: WhiteNoise, way: Way, seed: u64) -> Result<Score> {
    let (clean, size) = (picture.gray(), (picture.height, picture.width));
    score(model, &clean, &noise.added_to(&clean, seed), size, way, noise.stored)
}

/// A photo that a camera made noisy, as the model cleans it and a file of 8 bits keeps it; scored in RGB against its clean counterpart.
///
/// # Errors
/// When the pictures differ in size, or tract cannot run the model.
pub fn denoise_pair(model: &Model, noisy: &Picture, clean: &Picture, way: Way) -> Result<Score> {
    let size = (clean.height, clean.width);
    if (noisy.height, noisy.width) != size {
        bail!("{} and {} differ in size", noisy.path.display(), clean.path.display());
    }
    score(model, &clean.planes(), &noisy.planes(), size, way, true)
}

/// The middle square of a picture with what a camera and a JPEG file do to it, drawn by `seed`, taken out by the model; scored in RGB.
///
/// # Errors
/// When tract cannot run the model.
pub fn denoise_camera(model: &Model, picture: &Picture, way: Way, seed: u64) -> Result<Score> {
    let picture = square(picture, 1);
    let (clean, side) = (picture.planes(), picture.width);
    let noisy = camera::degrade(&mut StdRng::seed_from_u64(seed), &clean, side);
    score(model, &clean, &noisy, (side, side), way, false)
}

/// The score of what the model makes of noisy planes, one of gray or three, as a file of 8 bits holds it where it is to be `eight_bits`.
fn score(
    model: &Model,
    clean: &[f32],
    noisy: &[f32],
    (height, width): (usize, usize),
    way: Way,
    eight_bits: bool,
) -> Result<Score> {
    let measure = way.sigma == Sigma::Auto && model.card.input(Role::Sigma).is_some();
    let measured = measure.then(|| estimate_sigma(&picture_of(noisy, height, width)));
    let sigma = match way.sigma {
        Sigma::Told(sigma) => (sigma / 255.0) as f32,
        Sigma::Auto => measured.unwrap_or(0.0),
    };
    let plane = height * width;
    let output = if measured == Some(0.0) {
        noisy.to_vec()
    } else if noisy.len() == plane {
        let output = run(model, &noisy.repeat(3), height, width, sigma, way.ensemble)?;
        (0..plane).map(|i| (output[i] + output[plane + i] + output[2 * plane + i]) / 3.0).collect()
    } else {
        run(model, noisy, height, width, sigma, way.ensemble)?
    };
    let output = if eight_bits { stored(output) } else { clamped(output) };
    Ok(Score {
        before: psnr(clean, noisy),
        psnr: psnr(clean, &output),
        ssim: ssim(clean, &output, height, width),
        measured: measured.map(|sigma| f64::from(sigma) * 255.0),
    })
}

/// Planes of 0..1, one of gray or three, as a picture of 8 bits.
fn picture_of(planes: &[f32], height: usize, width: usize) -> Image {
    let plane = height * width;
    let colors = planes.len() / plane;
    let layout = if colors == 1 { Layout::Gray } else { Layout::Rgb };
    let byte = |i: usize| (planes[i % colors * plane + i / colors].clamp(0.0, 1.0) * 255.0).round() as u8;
    let mut image = Image::new(width, height, layout, Depth::Eight);
    image.samples = Samples::U8((0..planes.len()).map(byte).collect());
    image
}

/// The largest square in the middle whose side is a multiple of `multiple`: [`camera`] takes squares.
fn square(picture: &Picture, multiple: usize) -> Picture {
    picture.centre(picture.width.min(picture.height), multiple)
}

/// The picture made small by MATLAB's bicubic and rounded to 8 bits, enlarged by the model; scored on the Y plane
/// without a border of as many pixels as the scale. With a seed it is the picture's middle square, and a camera and a JPEG file do to the small one what
/// they do to photos. An `ensemble` is as in [`Way`].
///
/// # Errors
/// When tract cannot run the model.
pub fn upscale(model: &Model, picture: &Picture, camera: Option<u64>, ensemble: bool) -> Result<Score> {
    let scale = model.card.scale;
    let (planes, Pair { large, small, .. }) = match camera {
        None => {
            let pair = Pair::new(picture, scale);
            (pair.small.planes(), pair)
        }
        Some(seed) => {
            let pair = Pair::new(&square(picture, scale), scale);
            let mut rng = StdRng::seed_from_u64(seed);
            (camera::degrade_small(&mut rng, &pair.small.planes(), pair.small.width), pair)
        }
    };
    let (bicubic, ..) = imresize(&planes, small.height, small.width, scale as f64);
    let output = clamped(run(model, &planes, small.height, small.width, 0.0, ensemble)?);
    let y = |planes: &[f32]| luma(planes, large.height, large.width, scale);
    let (clean, bicubic, output) = (y(&large.planes()), y(&bicubic), y(&output));
    Ok(Score {
        before: psnr(&clean, &bicubic),
        psnr: psnr(&clean, &output),
        ssim: ssim(&clean, &output, large.height - 2 * scale, large.width - 2 * scale),
        measured: None,
    })
}

fn clamped(mut planes: Vec<f32>) -> Vec<f32> {
    planes.iter_mut().for_each(|v| *v = v.clamp(0.0, 1.0));
    planes
}

/// What a file of 8 bits holds of values of 0..1.
fn stored(planes: Vec<f32>) -> Vec<f32> {
    let mut planes = clamped(planes);
    planes.iter_mut().for_each(|v| *v = (*v * 255.0).round() / 255.0);
    planes
}

/// Runs the model on the whole picture, mirrored at its right and lower edge to the sizes that the model takes.
fn run(model: &Model, planes: &[f32], height: usize, width: usize, sigma: f32, ensemble: bool) -> Result<Vec<f32>> {
    let multiple = model.card.multiple_of;
    let (tall, wide) = (height.next_multiple_of(multiple), width.next_multiple_of(multiple));
    let mut padded = Vec::with_capacity(3 * tall * wide);
    for plane in planes.chunks(height * width) {
        for y in 0..tall {
            let row = &plane[mirror(y, height) * width..][..width];
            padded.extend((0..wide).map(|x| row[mirror(x, width)]));
        }
    }
    let kernel = model.choice().kernel;
    let output = match ensemble {
        true => Ensemble::new(model, tall, wide, kernel).and_then(|all| all.run(&padded, sigma)),
        false => model.plan(tall, wide, kernel).and_then(|plan| plan.run(padded, sigma)),
    };
    let output = output.map_err(|error| anyhow!("{error}"))?;
    // A plan holds the working memory of its size: pictures of many sizes must not add up.
    model.forget_plans();
    let scale = model.card.scale;
    let rows = output.chunks(wide * scale).enumerate().filter(|(y, _)| y % (tall * scale) < height * scale);
    Ok(rows.flat_map(|(_, row)| row[..width * scale].iter().copied()).collect())
}

/// The index that `at` shows when `length` values are mirrored at the last one, which is not doubled.
fn mirror(at: usize, length: usize) -> usize {
    if at < length { at } else { (2 * (length - 1)).saturating_sub(at) }
}
