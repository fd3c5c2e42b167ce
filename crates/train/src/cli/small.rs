//! Recipes of small pictures, digits first of all.

use anyhow::Result;
use clap::Args;
use latentd::media::MediaKind;
use latentd::model::Task;

use super::train::{Job, Training};
use super::{BLOCKS, WIDTHS, within};
use crate::data::{Split, idx, load_small};
use crate::recipes::autoencoder::{self, AutoencoderRecipe, Kind, Likeness};
use crate::recipes::restore::{self, Damage, Restore};
use crate::refuse;
use crate::tell;

/// How pictures of a folder are taken; IDX files have sizes of their own.
#[derive(Args, Clone)]
pub struct View {
    /// Rows and columns that pictures of a folder are resampled to
    #[arg(long, default_value_t = 28)]
    size: usize,
    /// Planes that pictures of a folder are taken as: 1 (gray) or 3 (red, green, blue)
    #[arg(long, default_value_t = 1)]
    channels: usize,
}

impl View {
    fn load(&self, training: &Training) -> Result<Split> {
        if !(8..=256).contains(&self.size) || ![1, 3].contains(&self.channels) {
            refuse!(Usage, "--size must be 8 to 256, --channels 1 or 3");
        }
        training.prepare()?;
        let split = load_small(&training.data, self.size, self.channels, training.held_out, training.seed)?;
        let (training, development) = (split.training.len(), split.development.len());
        tell(format_args!("{training} pictures to learn from, {development} held out"));
        Ok(split)
    }

    /// The options as a card tells them, where they count.
    fn words(&self, training: &Training) -> String {
        if idx::is_idx(&training.data) {
            return String::new();
        }
        format!(" --size {} --channels {}", self.size, self.channels)
    }
}

#[derive(Args)]
pub struct Autoencoder {
    #[command(flatten)]
    training: Training,
    #[command(flatten)]
    view: View,
    /// What the loss asks of the latent
    #[arg(long, value_enum, default_value = "variational")]
    kind: Kind,
    /// How reconstructions are held to pictures
    #[arg(long, value_enum, default_value = "cross-entropy")]
    likeness: Likeness,
    /// Numbers of the latent
    #[arg(long, default_value_t = 20)]
    latent: usize,
    /// Channels of each level, finest first; the first is at half the picture's size, each other at half the one before
    /// [default: 16,48 and, for pictures whose size allows it, 48 again until 8x8 remain]
    #[arg(long, value_delimiter = ',')]
    widths: Vec<usize>,
    /// Residual blocks of each level
    #[arg(long, default_value_t = 1)]
    blocks: usize,
    /// Channels of the coarsest level that the dense layers see
    #[arg(long, default_value_t = 12)]
    narrow: usize,
    /// How much the encoder's wish to mislead the discriminator counts beside the reconstruction of a value (adversarial)
    #[arg(long, default_value_t = 0.03)]
    game: f64,
    /// Values of each dense layer between the convolutions and the latent
    #[arg(long, value_delimiter = ',', default_value = "128")]
    dense: Vec<usize>,
}

impl Autoencoder {
    /// Trains and publishes.
    pub fn run(self) -> Result<()> {
        within("--latent", &[self.latent], 1..=65_536)?;
        within("--widths", &self.widths, WIDTHS)?;
        within("--blocks", &[self.blocks], BLOCKS)?;
        within("--narrow", &[self.narrow], WIDTHS)?;
        within("--dense", &self.dense, WIDTHS)?;
        if !(0.0..=100.0).contains(&self.game) {
            refuse!(Usage, "--game must be 0 to 100");
        }
        let split = self.view.load(&self.training)?;
        let side = split.training.side;
        let widths = if self.widths.is_empty() { default_widths(side) } else { self.widths };
        let multiple = 1usize.checked_shl(widths.len() as u32).unwrap_or(0);
        if multiple == 0 || !side.is_multiple_of(multiple) {
            refuse!(
                Usage,
                "pictures of {side}x{side} cannot be halved {} times; give fewer --widths, or another --size",
                widths.len()
            );
        }
        let classes = split.training.labels.iter().max().map_or(0, |&label| usize::from(label) + 1);
        if self.kind == Kind::Conditional && classes < 2 {
            refuse!(
                NoInput,
                "a conditional autoencoder needs pictures of several classes, each in a folder of its own"
            );
        }
        let game = if self.kind == Kind::Adversarial { format!(" --game {}", self.game) } else { String::new() };
        let options = format!(
            "--kind {} --likeness {} --latent {} --widths {} --blocks {} --narrow {} --dense {}{game}",
            word(&self.kind)?,
            word(&self.likeness)?,
            self.latent,
            list(&widths),
            self.blocks,
            self.narrow,
            list(&self.dense)
        );
        let shape = autoencoder::Shape {
            kind: self.kind,
            side,
            channels: split.training.channels,
            widths,
            blocks: self.blocks,
            narrow: self.narrow,
            dense: self.dense,
            latent: self.latent,
            classes: if self.kind == Kind::Conditional { classes } else { 0 },
        };
        let identity = serde_json::json!({ "shape": shape, "likeness": self.likeness });
        let job = Job {
            name: "autoencoder".to_owned(),
            shape: identity,
            options,
            view: self.view.words(&self.training),
            task: Task::Autoencode,
            media: MediaKind::Image,
            files: split.count,
            data: split.sets,
        };
        let (training, development) = (split.training, split.development);
        let batch = self.training.batch;
        let recipe =
            AutoencoderRecipe { shape, likeness: self.likeness, training, development, batch, game: self.game };
        self.training.run(&recipe, job)
    }
}

/// 28 -> 14 -> 7; 64 -> 32 -> 16 -> 8.
fn default_widths(side: usize) -> Vec<usize> {
    let mut widths = vec![16];
    let mut rest = side / 2;
    while rest.is_multiple_of(2) && rest > 8 {
        widths.push(48);
        rest /= 2;
    }
    widths
}

/// Levels that [`restore`] has at most: what its pictures are continued by while it learns is a multiple of what these divide by.
const MOST_LEVELS: usize = 4;

#[derive(Args)]
pub struct RestoreArgs {
    #[command(flatten)]
    training: Training,
    #[command(flatten)]
    view: View,
    /// What is to be undone
    #[arg(long, value_enum)]
    damage: Damage,
    /// Channels of each level, finest first; the first is at half the size of the restored picture
    #[arg(long, value_delimiter = ',', default_value = "24,48")]
    widths: Vec<usize>,
    /// Residual blocks of each level
    #[arg(long, default_value_t = 1)]
    blocks: usize,
}

impl RestoreArgs {
    /// Trains and publishes.
    pub fn run(self) -> Result<()> {
        within("--widths", &self.widths, WIDTHS)?;
        within("--blocks", &[self.blocks], BLOCKS)?;
        if self.widths.is_empty() || self.widths.len() > MOST_LEVELS {
            refuse!(Usage, "--widths must be 1 to {MOST_LEVELS} numbers");
        }
        let split = self.view.load(&self.training)?;
        let side = split.training.side;
        if !side.is_multiple_of(1 << self.widths.len()) {
            refuse!(
                Usage,
                "pictures of {side}x{side} cannot be halved {} times; give fewer --widths",
                self.widths.len()
            );
        }
        let options =
            format!("--damage {} --widths {} --blocks {}", word(&self.damage)?, list(&self.widths), self.blocks);
        let shape = restore::Shape {
            damage: self.damage,
            channels: split.training.channels,
            widths: self.widths,
            blocks: self.blocks,
        };
        let task = match shape.damage {
            Damage::Noise => Task::Denoise,
            Damage::Halving => Task::Upscale,
        };
        let job = Job {
            name: "restore".to_owned(),
            shape: serde_json::to_value(&shape)?,
            options,
            view: self.view.words(&self.training),
            task,
            media: MediaKind::Image,
            files: split.count,
            data: split.sets,
        };
        let (training, development) = (split.training, split.development);
        let recipe = Restore { shape, training, development, batch: self.training.batch };
        self.training.run(&recipe, job)
    }
}

fn word(value: &impl serde::Serialize) -> Result<String> {
    Ok(serde_json::to_value(value)?.as_str().unwrap_or_default().to_owned())
}

fn list(values: &[usize]) -> String {
    values.iter().map(usize::to_string).collect::<Vec<_>>().join(",")
}
