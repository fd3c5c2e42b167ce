use anyhow::{Result, anyhow, bail};
use latentd::model::Model;
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
}

/// Side of the window of SSIM, which must fit into what is scored.
const WINDOW: usize = 11;

/// The shortest side of a picture that a model that enlarges `scale` times, or only cleans (1), can be scored on.
pub fn smallest(scale: usize) -> usize {
    // Of an enlarged picture, which is cut to whole squares, the border is not scored.
    if scale > 1 { (WINDOW + 2 * scale).next_multiple_of(scale) } else { WINDOW }
}

/// White Gaussian noise of deviation `sigma` (of 255), not clipped, drawn by `seed`, taken out by the model; scored in
/// RGB against the clean picture.
///
/// # Errors
/// When tract cannot run the model.
pub fn denoise(model: &Model, picture: &Picture, sigma: f64, seed: u64) -> Result<Score> {
    let (height, width) = (picture.height, picture.width);
    let clean = picture.planes();
    let noisy = noisy(&clean, sigma, seed);
    let output = clamped(run(model, &noisy, height, width, (sigma / 255.0) as f32)?);
    Ok(Score { before: psnr(&clean, &noisy), psnr: psnr(&clean, &output), ssim: ssim(&clean, &output, height, width) })
}

/// [`denoise`] of the picture in gray: the model gets three equal planes, and the mean of those it gives is scored.
///
/// # Errors
/// When tract cannot run the model.
pub fn denoise_gray(model: &Model, picture: &Picture, sigma: f64, seed: u64) -> Result<Score> {
    let (height, width) = (picture.height, picture.width);
    let clean = picture.gray();
    let noisy = noisy(&clean, sigma, seed);
    let output = run(model, &noisy.repeat(3), height, width, (sigma / 255.0) as f32)?;
    let plane = height * width;
    let mean = (0..plane).map(|i| (output[i] + output[plane + i] + output[2 * plane + i]) / 3.0).collect();
    let output = clamped(mean);
    Ok(Score { before: psnr(&clean, &noisy), psnr: psnr(&clean, &output), ssim: ssim(&clean, &output, height, width) })
}

/// A photo that a camera made noisy, as the model cleans it and a file of 8 bits keeps it; scored in RGB against its clean counterpart. `sigma` is for
/// models that are told it.
///
/// # Errors
/// When the pictures differ in size, or tract cannot run the model.
pub fn denoise_pair(model: &Model, noisy: &Picture, clean: &Picture, sigma: f64) -> Result<Score> {
    let (height, width) = (clean.height, clean.width);
    if (noisy.height, noisy.width) != (height, width) {
        bail!("{} and {} differ in size", noisy.path.display(), clean.path.display());
    }
    let (before, clean) = (noisy.planes(), clean.planes());
    let mut output = clamped(run(model, &before, height, width, (sigma / 255.0) as f32)?);
    output.iter_mut().for_each(|v| *v = (*v * 255.0).round() / 255.0);
    Ok(Score { before: psnr(&clean, &before), psnr: psnr(&clean, &output), ssim: ssim(&clean, &output, height, width) })
}

/// The middle square of a picture with what a camera and a JPEG file do to it, drawn by `seed`, taken out by the model; scored in RGB.
///
/// # Errors
/// When tract cannot run the model.
pub fn denoise_camera(model: &Model, picture: &Picture, seed: u64) -> Result<Score> {
    let picture = square(picture, 1);
    let (clean, side) = (picture.planes(), picture.width);
    let noisy = camera::degrade(&mut StdRng::seed_from_u64(seed), &clean, side);
    let output = clamped(run(model, &noisy, side, side, 0.0)?);
    Ok(Score { before: psnr(&clean, &noisy), psnr: psnr(&clean, &output), ssim: ssim(&clean, &output, side, side) })
}

/// The largest square in the middle whose side is a multiple of `multiple`: [`camera`] takes squares.
fn square(picture: &Picture, multiple: usize) -> Picture {
    picture.centre(picture.width.min(picture.height), multiple)
}

/// The picture made small by MATLAB's bicubic and rounded to 8 bits, enlarged by the model; scored on the Y plane
/// without a border of as many pixels as the scale. With a seed it is the picture's middle square, and a camera and a JPEG file do to the small one what
/// they do to photos.
///
/// # Errors
/// When tract cannot run the model.
pub fn upscale(model: &Model, picture: &Picture, camera: Option<u64>) -> Result<Score> {
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
    let output = clamped(run(model, &planes, small.height, small.width, 0.0)?);
    let y = |planes: &[f32]| luma(planes, large.height, large.width, scale);
    let (clean, bicubic, output) = (y(&large.planes()), y(&bicubic), y(&output));
    Ok(Score {
        before: psnr(&clean, &bicubic),
        psnr: psnr(&clean, &output),
        ssim: ssim(&clean, &output, large.height - 2 * scale, large.width - 2 * scale),
    })
}

fn clamped(mut planes: Vec<f32>) -> Vec<f32> {
    planes.iter_mut().for_each(|v| *v = v.clamp(0.0, 1.0));
    planes
}

/// Runs the model on the whole picture, mirrored at its right and lower edge to the sizes that the model takes.
fn run(model: &Model, planes: &[f32], height: usize, width: usize, sigma: f32) -> Result<Vec<f32>> {
    let multiple = model.card.multiple_of;
    let (tall, wide) = (height.next_multiple_of(multiple), width.next_multiple_of(multiple));
    let mut padded = Vec::with_capacity(3 * tall * wide);
    for plane in planes.chunks(height * width) {
        for y in 0..tall {
            let row = &plane[mirror(y, height) * width..][..width];
            padded.extend((0..wide).map(|x| row[mirror(x, width)]));
        }
    }
    let plan = model.plan(tall, wide, model.choice().kernel).map_err(|error| anyhow!("{error}"))?;
    let output = plan.run(padded, sigma).map_err(|error| anyhow!("{error}"))?;
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
