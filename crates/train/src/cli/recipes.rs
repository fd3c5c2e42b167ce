use anyhow::Result;
use clap::Args;
use latentd::media::MediaKind;
use latentd::model::Task;

use super::train::{Job, Training};
use super::{BLOCKS, WIDTHS, within};
use crate::data::{self, Picture};
use crate::recipes::denoise_photo::{self, DenoisePhoto, Noise};
use crate::recipes::upscale_photo::{self, Input, Pair, UpscalePhoto};
use crate::refuse;

/// Sides of the held-out crops that runs are scored on, in pixels of the clean picture.
const SCORED_SIDE: usize = 192;

/// Levels of a denoiser, at most: squares to learn from are multiples of what these divide by.
const MOST_LEVELS: usize = 8;

#[derive(Args)]
pub struct Denoise {
    #[command(flatten)]
    training: Training,
    /// Channels of each level of the encoder and decoder, finest first
    #[arg(long, value_delimiter = ',', default_value = "32,64,96")]
    widths: Vec<usize>,
    /// Residual blocks of each level
    #[arg(long, value_delimiter = ',', default_value = "1,1,2")]
    blocks: Vec<usize>,
    /// Side of the training squares in pixels; half as much again in the last third of the run
    #[arg(long, default_value_t = 64)]
    patch: usize,
}

impl Denoise {
    /// Trains and publishes.
    pub fn run(self, noise: Noise) -> Result<()> {
        let shape = denoise_photo::Shape { widths: self.widths, blocks: self.blocks };
        within("--widths", &shape.widths, WIDTHS)?;
        within("--blocks", &shape.blocks, BLOCKS)?;
        if shape.widths.is_empty() || shape.widths.len() != shape.blocks.len() || shape.widths.len() > MOST_LEVELS {
            refuse!(Usage, "--widths and --blocks must have as many entries, one a level, {MOST_LEVELS} at most");
        }
        let multiple = shape.multiple_of();
        if self.patch == 0
            || !self.patch.is_multiple_of(2 * multiple)
            || self.patch * 3 / 2 + data::camera::MARGIN > data::MIN_SIDE
        {
            refuse!(
                Usage,
                "--patch must be a multiple of {} and at most {}",
                2 * multiple,
                (data::MIN_SIDE - data::camera::MARGIN) * 2 / 3
            );
        }
        let pictures = self.training.pictures()?;
        let (name, multiple) = match noise {
            Noise::White => ("denoise-photo", multiple),
            // Squares, whole in blocks of JPEG.
            Noise::Camera => ("denoise-camera", multiple.max(16)),
        };
        let recipe = DenoisePhoto {
            noise,
            shape: shape.clone(),
            training: pictures.training,
            development: pictures.development.iter().map(|p| square(p, multiple)).collect(),
            batch: self.training.batch,
            patch: self.patch,
        };
        let widths = list(&shape.widths);
        let options = format!("--widths {widths} --blocks {} --patch {}", list(&shape.blocks), self.patch);
        let job = Job {
            name: name.to_owned(),
            shape: serde_json::to_value(&shape)?,
            options,
            view: String::new(),
            task: Task::Denoise,
            media: MediaKind::Image,
            files: pictures.count,
            data: pictures.sets,
        };
        self.training.run(&recipe, job)
    }
}

#[derive(Args)]
pub struct Upscale {
    #[command(flatten)]
    training: Training,
    /// Channels of the trunk
    #[arg(long, default_value_t = 32)]
    width: usize,
    /// Residual blocks of the trunk
    #[arg(long, default_value_t = 4)]
    blocks: usize,
    /// Side of the training squares, in pixels of the small picture (default: 32, or as many as the smallest pictures have)
    #[arg(long)]
    patch: Option<usize>,
}

/// What [`Upscale::patch`] is where nobody says otherwise.
const UPSCALE_PATCH: usize = 32;

impl Upscale {
    /// Trains and publishes.
    pub fn run(self, input: Input, scale: usize) -> Result<()> {
        let largest = data::MIN_SIDE / scale - input.margin();
        let patch = self.patch.unwrap_or(UPSCALE_PATCH.min(largest));
        within("--patch", &[patch], 1..=largest)?;
        within("--width", &[self.width], WIDTHS)?;
        within("--blocks", &[self.blocks], BLOCKS)?;
        let shape = upscale_photo::Shape { scale, width: self.width, blocks: self.blocks };
        let pictures = self.training.pictures()?;
        let recipe = UpscalePhoto {
            input,
            shape: shape.clone(),
            // One by one, so that a picture is not there twice.
            training: pictures.training.into_iter().map(|picture| Pair::new(&picture, scale)).collect(),
            development: pictures.development.into_iter().map(|p| Pair::new(&square(&p, scale), scale)).collect(),
            batch: self.training.batch,
            patch,
        };
        let options = format!("--width {} --blocks {} --patch {patch}", self.width, self.blocks);
        let job = Job {
            name: input.recipe(scale),
            shape: serde_json::to_value(&shape)?,
            options,
            view: String::new(),
            task: Task::Upscale,
            media: MediaKind::Image,
            files: pictures.count,
            data: pictures.sets,
        };
        self.training.run(&recipe, job)
    }
}

/// The middle of a picture as a square, which a camera's noise is made for.
fn square(picture: &Picture, multiple: usize) -> Picture {
    picture.centre(SCORED_SIDE.min(picture.width).min(picture.height), multiple)
}

fn list(values: &[usize]) -> String {
    values.iter().map(usize::to_string).collect::<Vec<_>>().join(",")
}

/// Pictures, split.
pub struct Pictures {
    /// To learn from.
    pub training: Vec<Picture>,
    /// Held out, whole.
    pub development: Vec<Picture>,
    /// Where they come from.
    pub sets: Vec<latentd::model::DataSet>,
    /// How many there are in all.
    pub count: usize,
}
