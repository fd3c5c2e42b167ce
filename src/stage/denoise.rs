//! `denoise`: takes noise away by a network that is told how much there is.

use std::sync::Arc;

use super::{Context, Site, Stage, each_image, noise, tiles};
use crate::config::{Component, Description, Field, Kind, Presence, Problem, Value};
use crate::error::Result;
use crate::media::{Media, MediaKind};
use crate::model::{Model, Role, Task};

pub(super) const DESCRIPTION: Description = Description {
    name: "denoise",
    doc: "Takes noise away.",
    fields: &[
        Field {
            name: "model",
            doc: "Name of a denoising model, or the path of an ONNX file with a card beside it.",
            kind: Kind::Text,
            presence: Presence::Default("denoise-photo"),
        },
        Field {
            name: "sigma",
            doc: "How strong the noise is: its standard deviation in steps of an 8-bit picture (0 to 75), or `auto` to measure it in each picture (one that measures clean is left as it is).",
            kind: Kind::Either(&[Kind::Choice(&["auto"]), Kind::Number { min: 0.0, max: 75.0 }]),
            presence: Presence::Default("auto"),
        },
        Field {
            name: "strength",
            doc: "How much of the noise to take away, from 0 (none) to 1 (all).",
            kind: Kind::Number { min: 0.0, max: 1.0 },
            presence: Presence::Default("1"),
        },
    ],
};

#[derive(Debug)]
struct Denoise {
    model: Arc<Model>,
    /// In 0..1; nothing where it is measured.
    sigma: Option<f32>,
    strength: f32,
}

pub(super) fn build(component: &Component, site: &Site) -> std::result::Result<Box<dyn Stage>, Vec<Problem>> {
    let settings = &component.settings;
    let model = super::model_for(component, Task::Denoise, site)?;
    let sigma = settings.get("sigma").and_then(Value::as_number).map(|s| s as f32 / 255.0);
    let strength = settings.number("strength") as f32;
    Ok(Box::new(Denoise { model, sigma, strength }))
}

impl Stage for Denoise {
    fn name(&self) -> &'static str {
        DESCRIPTION.name
    }

    fn takes(&self) -> MediaKind {
        self.model.card.media
    }

    fn rest(&self) {
        self.model.forget_plans();
    }

    fn run(&self, media: Vec<Media>, context: &Context) -> Result<Vec<Media>> {
        each_image(media, |image| {
            let told = self.model.card.input(Role::Sigma).is_some();
            let sigma = match self.sigma {
                Some(sigma) => sigma,
                None if told => match noise::estimate_sigma(&image) {
                    // Even when told of no noise, a network harms a clean picture.
                    clean if clean <= 0.0 => {
                        tracing::debug!("no noise");
                        return Ok(image);
                    }
                    sigma => sigma,
                },
                None => 0.0,
            };
            tracing::debug!(sigma = f64::from(sigma) * 255.0, "noise level");
            tiles::run(&self.model, image, tiles::Settings { sigma, strength: self.strength }, context)
        })
    }
}
