//! The card of a model: all that a program or a person must know of an ONNX file to use it well.

pub mod audio;
mod latent;
mod melody;
mod plain;

use serde::{Deserialize, Serialize};

pub use latent::{LatentSpace, Novelty};
pub use melody::MelodySpace;

use crate::error::{Error, Kind, Result};
use crate::media::MediaKind;

/// Contents of `card.yaml`. `docs/model-card.md` explains each field to those who bring a model of their own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// TASK-DOMAIN[-VARIANT], the name that pipelines use.
    pub name: String,
    /// The stage it serves.
    pub task: Task,
    /// The media it takes.
    pub media: MediaKind,
    /// One sentence for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// SHA-256 of the ONNX file in lower-case hex; a file that differs is not loaded.
    pub sha256: String,
    /// What the graph takes.
    pub inputs: Vec<Port>,
    /// What it gives.
    pub outputs: Vec<Port>,
    /// Output pixels for each input pixel, along one side.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub scale: usize,
    /// How far, in input pixels, an input pixel can reach an output pixel: the whole reach of the convolutions. For models of pictures.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub receptive_field: usize,
    /// How much context a tile needs on each side so that no seam can be seen, where measured to be less than the whole reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tile_context: Option<usize>,
    /// Height and width of the input must be multiples of this.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub multiple_of: usize,
    /// The latent space of an autoencoder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latent: Option<LatentSpace>,
    /// How a stream of samples becomes what the network takes, and back; models of sound have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio: Option<audio::AudioCard>,
    /// What a model of melodies takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub melody: Option<MelodySpace>,
    /// Parameters of the network, and multiply-adds for each input pixel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<Size>,
    /// How it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<Training>,
    /// How well it does, each number with the command that measures it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<Metric>,
    /// Where it fails, in plain words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<String>,
    /// Licence of the weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
}

fn one() -> usize {
    1
}

fn is_one(n: &usize) -> bool {
    *n == 1
}

fn is_zero(n: &usize) -> bool {
    *n == 0
}

/// What a model is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// Takes noise away.
    Denoise,
    /// Makes larger.
    Upscale,
    /// Encodes into a latent space, and decodes from it.
    Autoencode,
}

impl Task {
    /// The word in cards and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Task::Denoise => "denoise",
            Task::Upscale => "upscale",
            Task::Autoencode => "autoencode",
        }
    }
}

/// An input or output tensor of the graph, always f32.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Port {
    /// Its name in the graph.
    pub name: String,
    /// What it carries; where left out, the name tells (`image`, `sigma`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Batch, channels, height, width; `H` and `W` are free.
    pub shape: Vec<Dim>,
    /// The values that stand for black and white (for `sigma`: for no noise and for 255); `[0, 1]` where left out.
    #[serde(default = "unit", skip_serializing_if = "is_unit")]
    pub range: [f32; 2],
}

fn unit() -> [f32; 2] {
    [0.0, 1.0]
}

fn is_unit(range: &[f32; 2]) -> bool {
    *range == [0.0, 1.0]
}

/// What a tensor carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A picture, planes of colours.
    Image,
    /// Standard deviation of the noise.
    Sigma,
}

impl Port {
    /// What it carries, told or guessed from the name.
    pub fn role(&self) -> Role {
        self.role.unwrap_or(if self.name.contains("sigma") { Role::Sigma } else { Role::Image })
    }

    /// The shape as people write it: `[1, 3, H, W]`.
    pub fn shape_text(&self) -> String {
        let dims: Vec<String> = self
            .shape
            .iter()
            .map(|d| match d {
                Dim::Fixed(n) => n.to_string(),
                Dim::Free(s) => s.clone(),
            })
            .collect();
        format!("[{}]", dims.join(", "))
    }
}

/// One axis of a shape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Dim {
    /// Always this long.
    Fixed(usize),
    /// Named: `H`, `W`, or a multiple like `2H`.
    Free(String),
}

/// How large a network is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Size {
    /// Trained numbers.
    pub parameters: u64,
    /// Multiply-adds for each input pixel, of a network that takes pictures of any size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multiply_adds_per_pixel: Option<u64>,
}

/// How a model was made, enough to make it again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// Recipe of latentd-train, with its options.
    pub recipe: String,
    /// What it saw.
    pub data: Vec<DataSet>,
    /// Seed of all that is random.
    pub seed: u64,
    /// Optimiser steps.
    pub steps: u64,
    /// Hours of computing.
    pub hours: f64,
    /// Version of burn.
    pub burn: String,
    /// Commit of latentd.
    pub commit: String,
    /// The published model it started from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<String>,
}

/// A set of training data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSet {
    /// Its name.
    pub name: String,
    /// Its licence.
    pub licence: String,
}

/// One measured number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metric {
    /// What was measured on what: `Kodak24 sigma 25, PSNR`.
    pub name: String,
    /// The number.
    pub value: f64,
    /// Its unit: `dB`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// What measures it again.
    pub command: String,
}

impl Card {
    /// A card that says nothing yet but what the model is for; its name and hash are still to be filled in.
    pub fn new(task: Task, media: MediaKind) -> Card {
        Card {
            name: String::new(),
            task,
            media,
            summary: None,
            sha256: String::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            scale: 1,
            receptive_field: 0,
            tile_context: None,
            multiple_of: 1,
            latent: None,
            audio: None,
            melody: None,
            size: None,
            training: None,
            metrics: Vec::new(),
            limits: Vec::new(),
            licence: None,
        }
    }

    /// Reads a card.
    ///
    /// # Errors
    /// Kind model: the YAML is wrong (with line and column), or what it says cannot be.
    pub fn from_yaml(text: &str) -> Result<Card> {
        plain::check(text)?;
        let card: Card = serde_yaml::from_str(text).map_err(|e| {
            Error::new(Kind::Model, "the card cannot be read")
                .because(e)
                .mend("docs/model-card.md tells what a card holds")
        })?;
        card.check()?;
        Ok(card)
    }

    /// Writes a card.
    ///
    /// # Errors
    /// Kind bug: it could not be written as YAML.
    pub fn to_yaml(&self) -> Result<String> {
        serde_yaml::to_string(self).map_err(|e| Error::new(Kind::Bug, "the card cannot be written").because(e))
    }

    /// All of the card that decides what comes out of the model, as YAML: not what people are told of it.
    ///
    /// # Errors
    /// As for [`Card::to_yaml`].
    pub fn behaviour(&self) -> Result<String> {
        let mut card = self.clone();
        (card.summary, card.size, card.training, card.licence) = (None, None, None, None);
        (card.metrics, card.limits) = (Vec::new(), Vec::new());
        card.to_yaml()
    }

    /// How much context, in input pixels, a tile gets on each side.
    pub fn context(&self) -> usize {
        self.tile_context.unwrap_or(self.receptive_field)
    }

    /// Whether its model takes pictures of any size, tile by tile.
    pub fn is_tiled(&self) -> bool {
        self.media == MediaKind::Image && self.task != Task::Autoencode
    }

    /// The share of the sound as it was, 0..1, that the network leaves in what it gives.
    pub fn keeps(&self) -> f64 {
        self.audio.as_ref().map_or(0.0, |audio| audio.keeps)
    }

    /// The port that carries `role`.
    pub fn input(&self, role: Role) -> Option<&Port> {
        self.inputs.iter().find(|p| p.role() == role)
    }

    /// Colour channels that the picture input takes, 1 or 3.
    pub fn channels(&self) -> usize {
        match self.input(Role::Image).and_then(|p| p.shape.get(1)) {
            Some(Dim::Fixed(n)) => *n,
            _ => 3,
        }
    }

    fn check(&self) -> Result<()> {
        let fail = |what: String| Err(Error::new(Kind::Model, format!("the card of `{}` {what}", self.name)));
        if self.name.is_empty() || !self.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            return Err(Error::new(Kind::Model, "the card's name may hold letters, digits and `-` only"));
        }
        if self.sha256.len() != 64 || !self.sha256.bytes().all(|b| b.is_ascii_hexdigit()) {
            return fail("has no SHA-256 of 64 hex digits".into());
        }
        if !(1..=8).contains(&self.scale) || !(1..=256).contains(&self.multiple_of) || self.receptive_field > 1024 {
            return fail(
                "has a scale outside 1..8, a multiple_of outside 1..256 or a receptive_field above 1024".into(),
            );
        }
        if self.tile_context.is_some_and(|context| context > self.receptive_field) {
            return fail("has a tile_context above its receptive_field".into());
        }
        if self.is_tiled() {
            let Some(image) = self.input(Role::Image) else { return fail("names no picture input".into()) };
            let &[Dim::Fixed(1), Dim::Fixed(1 | 3), Dim::Free(_), Dim::Free(_)] = image.shape.as_slice() else {
                let shape = image.shape_text();
                return fail(format!(
                    "takes pictures of the shape {shape}, not [1, 1, H, W] or [1, 3, H, W] of any size"
                ));
            };
            if self.receptive_field == 0 {
                return fail("tells no receptive_field, without which tiles would show seams".into());
            }
        }
        if self.task == Task::Autoencode
            && !self.latent.as_ref().is_some_and(|space| (1..=65_536).contains(&space.size))
        {
            return fail("tells no latent space of 1 to 65,536 numbers".into());
        }
        match (self.media, &self.audio) {
            (MediaKind::Audio, None) => return fail("is of a model of sound, but has no section `audio`".into()),
            (MediaKind::Audio, Some(audio)) => {
                if let Some(wrong) = audio.check(&self.inputs, &self.outputs) {
                    return fail(wrong);
                }
            }
            (_, Some(_)) => return fail("has a section `audio`, but is of no model of sound".into()),
            (_, None) => {}
        }
        if self.media == MediaKind::Melody {
            let told = self.melody.as_ref().is_some_and(|melody| {
                !melody.parts.is_empty()
                    && (1..=4096).contains(&melody.steps)
                    && (1..=64).contains(&melody.windows)
                    && melody.parts.len() <= 16
            });
            if !told {
                return fail("tells no `melody` of 1 to 16 parts, 1 to 4096 steps and 1 to 64 windows".into());
            }
        }
        let is_range = |[low, high]: [f32; 2]| low < high && (high - low).is_finite();
        if self.outputs.is_empty() || !self.inputs.iter().chain(&self.outputs).all(|p| is_range(p.range)) {
            return fail("names no output, or a range that is empty".into());
        }
        if self.task == Task::Upscale && self.media != MediaKind::Image {
            return fail(format!("says that it enlarges {}, and only pictures are", self.media.with_article()));
        }
        if self.latent.as_ref().and_then(|space| space.novelty.as_ref()).is_some_and(|novelty| !novelty.is_sound()) {
            return fail("tells quantiles of novelty that are not numbers from the lowest to the highest".into());
        }
        if self.task == Task::Denoise && self.scale != 1 {
            return fail("says that it denoises, and also that it enlarges".into());
        }
        Ok(())
    }
}
