//! `denoise`: takes noise away, from pictures or from sound, as the model is made for one or the other.

mod audio;
mod image;

pub use audio::share;

use super::{Site, Stage};
use crate::config::{Component, Description, Field, Kind, Presence, Problem};
use crate::media::MediaKind;
use crate::model::{Role, Task};

pub(super) const DESCRIPTION: Description = Description {
    name: "denoise",
    doc: "Takes noise away, from pictures or from sound.",
    takes: &[MediaKind::Image, MediaKind::Audio],
    gives: &[MediaKind::Image, MediaKind::Audio],
    example: "denoise: { model: denoise-camera, strength: 0.8 }",
    fields: &[
        Field {
            name: "model",
            doc: "Name of a denoising model, or the path of an ONNX file with a card beside it. The model decides whether it is for pictures or for sound.",
            kind: Kind::Text,
            presence: Presence::Default("denoise-photo"),
        },
        Field {
            name: "sigma",
            doc: "For pictures: how strong the noise is: its standard deviation, where white is 255, or `auto` to measure it in each picture (one that measures clean is left as it is). Models that find it themselves take `auto` alone.",
            kind: Kind::Either(&[
                Kind::Choice(&["auto"]),
                Kind::Measured(&Kind::Number { min: 0.0, max: 75.0 }, "of 255"),
            ]),
            presence: Presence::Default("auto"),
        },
        Field {
            name: "strength",
            doc: "How much of the noise to take away, from 0 (none) to 1 (all).",
            kind: Kind::Number { min: 0.0, max: 1.0 },
            presence: Presence::Default("1"),
        },
        Field {
            name: "attenuation_limit_db",
            doc: "For sound: by how many decibels noise is made quieter at most (a model may leave more by itself); what is left of it keeps pauses from sounding dead. Left out, there is no such limit.",
            kind: Kind::Measured(&Kind::Number { min: 0.0, max: 100.0 }, "dB"),
            presence: Presence::Optional,
        },
        super::tiles::ENSEMBLE,
    ],
};

pub(super) fn build(component: &Component, site: &Site) -> std::result::Result<Box<dyn Stage>, Vec<Problem>> {
    let model = super::model_for(component, Task::Denoise, site)?;
    let kind = model.card.media;
    let only_for = |setting: &str, others: &str| {
        let message = format!("`{setting}` is for {others}, and `{}` is none", model.card.name);
        vec![Problem::new(component.settings.span(setting), message).mend("leave it out")]
    };
    let told = component.settings.get("sigma").is_some_and(|sigma| sigma.as_number().is_some());
    match kind {
        MediaKind::Image if component.settings.get("attenuation_limit_db").is_some() => {
            Err(only_for("attenuation_limit_db", "models of sound"))
        }
        MediaKind::Image if told && model.card.input(Role::Sigma).is_none() => {
            Err(only_for("sigma", "models that are told how strong the noise is"))
        }
        MediaKind::Image => image::build(component, model),
        MediaKind::Audio if told => Err(only_for("sigma", "models of pictures")),
        MediaKind::Audio if component.settings.flag("ensemble") => Err(only_for("ensemble", "models of pictures")),
        MediaKind::Audio => audio::build(component, model),
        other => {
            let message =
                format!("`denoise` works on pictures and sound; `{}` is for {}", model.card.name, other.with_article());
            Err(vec![Problem::new(component.settings.span("model"), message).mend("choose another model")])
        }
    }
}
