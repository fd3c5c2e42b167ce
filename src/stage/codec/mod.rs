//! Media to latents and back. A [`Codec`] hides what kind of media a model encodes; verbs and stages know nothing else of it.

mod image;
mod melody;

use std::sync::Arc;

pub use image::ImageCodec;
pub use melody::{MelodyCodec, mixed};

use super::{Site, model_for};
use crate::config::{Component, Field, Kind as Form, Presence, Problem, Value};
use crate::error::{Error, Kind, Result, show_text};
use crate::media::melody::Choice;
use crate::media::{Latent, Media, MediaKind};
use crate::model::{LatentSpace, Model, Task};

/// An autoencoder at work on one kind of media.
pub trait Codec: Send + Sync + std::fmt::Debug {
    /// Its model's name.
    fn name(&self) -> &str;

    /// The media it encodes.
    fn media(&self) -> MediaKind;

    /// What its card tells of the latent space.
    fn space(&self) -> &LatentSpace;

    /// The point, or points one after another, that stand for a piece of media: the distribution's mean where the encoder gives one.
    ///
    /// # Errors
    /// Kind input: media of another kind, or such as the model cannot take. Kind model: the model failed.
    fn encode(&self, media: &Media) -> Result<Latent>;

    /// The media that points stand for.
    ///
    /// # Errors
    /// Kind input: points of another model or number. Kind model: the model failed.
    fn decode(&self, latent: &Latent) -> Result<Media>;

    /// The media that points between those of other media stand for; each of the others counts as much as its weight tells. What latents do not
    /// hold (tempo, instruments, loudness) comes from them.
    ///
    /// # Errors
    /// As for decode.
    fn decode_between(&self, latent: &Latent, _ends: &[(&Media, f32)]) -> Result<Media> {
        self.decode(latent)
    }

    /// [`encode`](Self::encode), and what a person should know of the way there, for those who can tell which file it is about; `encode` logs it.
    ///
    /// # Errors
    /// As for encode.
    fn encode_aloud(&self, media: &Media) -> Result<(Latent, Vec<String>)> {
        Ok((self.encode(media)?, Vec::new()))
    }

    /// The codec itself where it is one of melodies, which are compared and put together on the grid.
    fn melodies(&self) -> Option<&MelodyCodec> {
        None
    }

    /// What remains of a piece of media when it goes through the latent.
    ///
    /// # Errors
    /// As for encode and decode.
    fn reconstruct(&self, media: &Media) -> Result<Media> {
        let (media, remarks) = self.reconstruct_aloud(media)?;
        remarks.iter().for_each(|remark| tracing::info!("{remark}"));
        Ok(media)
    }

    /// [`reconstruct`](Self::reconstruct), and what a person should know of the way there.
    ///
    /// # Errors
    /// As for encode and decode.
    fn reconstruct_aloud(&self, media: &Media) -> Result<(Media, Vec<String>)> {
        let (latent, remarks) = self.encode_aloud(media)?;
        Ok((self.decode_between(&latent, &[(media, 1.0)])?, remarks))
    }
}

/// The codec that runs `model`. `class` is what a conditional model is told, counted from 0.
///
/// # Errors
/// Kind model: it is no autoencoder, or of media that cannot be encoded. Kind usage: a class that the model does not have, or none where it needs one.
pub fn open(model: &Arc<Model>, class: Option<usize>) -> Result<Box<dyn Codec>> {
    open_choosing(model, class, Choice::Auto)
}

/// [`open`], with the melody taken from a track or channel of choice.
///
/// # Errors
/// As for open. Kind usage too: a choice where there is none.
pub fn open_choosing(model: &Arc<Model>, class: Option<usize>, choice: Choice) -> Result<Box<dyn Codec>> {
    let card = &model.card;
    space_of(model, class)?;
    match card.media {
        MediaKind::Image if choice != Choice::Auto => {
            let what = format!("`{}` encodes pictures, which have no tracks or channels", card.name);
            Err(Error::new(Kind::Usage, what).mend("leave `track` and `channel` out"))
        }
        MediaKind::Image => Ok(Box::new(ImageCodec::open(model, class)?)),
        MediaKind::Melody => Ok(Box::new(MelodyCodec::open(model)?.choosing(choice)?)),
        other => Err(Error::new(
            Kind::Model,
            format!("`{}` encodes {}, which needs no codec", card.name, other.with_article()),
        )),
    }
}

/// The latent space of an autoencoder that has this class, if it is one and has it.
fn space_of(model: &Model, class: Option<usize>) -> Result<&LatentSpace> {
    let card = &model.card;
    let (Task::Autoencode, Some(space)) = (card.task, &card.latent) else {
        let what = format!("`{}` is a model for `{}`, not an autoencoder", card.name, card.task.name());
        return Err(Error::new(Kind::Model, what)
            .mend("choose one whose task is `autoencode`; `latentd models list` shows them"));
    };
    check_class(&card.name, space, class)?;
    Ok(space)
}

/// The setting `model` of stages with a codec.
pub(super) const MODEL: Field = Field {
    name: "model",
    doc: "Name of an autoencoder, or the path of an ONNX file with a card beside it.",
    kind: Form::Text,
    presence: Presence::Required,
};

/// The setting `class` of stages with a codec.
pub(super) const CLASS: Field = Field {
    name: "class",
    doc: "The class that a conditional model is told, counted from 0; such a model needs one, and others take none.",
    kind: Form::Integer { min: 0, max: 65_535 },
    presence: Presence::Optional,
};

/// The setting `track` of stages that encode.
pub(super) const TRACK: Field = Field {
    name: "track",
    doc: "The track that the melody is on in MIDI files, counted from 1; where left out, the one that looks most like a melody.",
    kind: Form::Integer { min: 1, max: 65_535 },
    presence: Presence::Optional,
};

/// The setting `channel` of stages that encode.
pub(super) const CHANNEL: Field = Field {
    name: "channel",
    doc: "The channel that the melody is on in MIDI files, counted from 1; in place of `track`.",
    kind: Form::Integer { min: 1, max: 16 },
    presence: Presence::Optional,
};

/// The melody that the settings [`TRACK`] and [`CHANNEL`] of a stage choose.
pub(super) fn choice_of(component: &Component) -> std::result::Result<Choice, Vec<Problem>> {
    let settings = &component.settings;
    if settings.get("track").is_some() && settings.get("channel").is_some() {
        let problem = Problem::new(settings.span("channel"), "`track` and `channel` both say where the melody is");
        return Err(vec![problem.mend("leave one of them out")]);
    }
    let number =
        |name: &str| settings.get(name).and_then(Value::as_integer).and_then(|number| usize::try_from(number).ok());
    Ok(Choice::of(number("track"), number("channel")))
}

/// The codec that a stage's settings ask for.
pub(super) fn of_component(
    component: &Component,
    site: &Site,
    choice: Choice,
) -> std::result::Result<Box<dyn Codec>, Vec<Problem>> {
    let settings = &component.settings;
    let model = model_for(component, Task::Autoencode, site)?;
    let class = settings.get("class").and_then(Value::as_integer).and_then(|class| usize::try_from(class).ok());
    open_choosing(&model, class, choice).map_err(|e| vec![Problem::of(settings.span("model"), &e)])
}

fn check_class(name: &str, space: &LatentSpace, class: Option<usize>) -> Result<()> {
    let classes = space.classes;
    let (what, mend) = match class {
        Some(_) if classes == 0 => (format!("`{name}` is told no class"), "leave `class` out".to_owned()),
        Some(class) if class >= classes => {
            (format!("`{name}` has no class {class}"), format!("choose one of 0 to {}", classes - 1))
        }
        None if classes > 0 => {
            (format!("`{name}` must be told a class"), format!("choose one of 0 to {}", classes - 1))
        }
        _ => return Ok(()),
    };
    Err(Error::new(Kind::Usage, what).mend(mend))
}

/// Refuses a latent that is not of this model's space. One that does not tell its model, as formats of numbers alone do not, is taken for this
/// one's: the user says so.
///
/// # Errors
/// Kind input: it is of another model or size, or not of numbers. Kind model: the model has no latents.
pub fn adopt(model: &Model, latent: &mut Latent) -> Result<()> {
    let card = &model.card;
    let space = card.latent.as_ref();
    let space = space.ok_or_else(|| Error::new(Kind::Model, format!("`{}` has no latents", card.name)))?;
    if latent.model.is_empty() {
        latent.model.clone_from(&card.name);
    }
    check_latent(&card.name, space, latent)
}

/// Refuses points that are not of this model's space.
fn check_latent(name: &str, space: &LatentSpace, latent: &Latent) -> Result<()> {
    if latent.model != name {
        let what = format!("a latent of `{}`, which means nothing to `{name}`", show_text(&latent.model, 80));
        return Err(Error::new(Kind::Input, what).mend("decode it by the model that encoded it"));
    }
    if latent.size != space.size || latent.values.is_empty() || !latent.values.len().is_multiple_of(space.size) {
        let what = format!("a latent of {} numbers a point; `{name}` has {}", latent.size, space.size);
        return Err(Error::new(Kind::Input, what).mend("encode again with this version of the model"));
    }
    if latent.values.iter().any(|value| !value.is_finite()) {
        return Err(Error::new(Kind::Input, "a latent with values that are not numbers"));
    }
    Ok(())
}

/// Refuses what the model `name` gave if it is no numbers.
fn check_finite(name: &str, values: &[f32]) -> Result<()> {
    match values.iter().all(|value| value.is_finite()) {
        true => Ok(()),
        false => Err(Error::new(Kind::Model, format!("`{name}` gave something that is not a number"))),
    }
}
