//! `upscale`: makes a picture 2, 3 or 4 times as wide and high, by a network that invents no more than it must.

use std::sync::Arc;

use super::{Context, Site, Stage, each_image, tiles};
use crate::config::{Component, Description, Field, Kind, Presence, Problem};
use crate::error::Result;
use crate::media::{Media, MediaKind};
use crate::model::{Model, Task};

pub(super) const DESCRIPTION: Description = Description {
    name: "upscale",
    doc: "Makes pictures larger by a network; the model says by how much.",
    takes: &[MediaKind::Image],
    gives: &[MediaKind::Image],
    example: "upscale: { model: upscale-photo-x2 }",
    fields: &[
        Field {
            name: "model",
            doc: "Name of an upscaling model (`upscale-photo-x2`, `-x3`, `-x4`, each also with `-fast` behind it; `upscale-camera-x2`, `-x4` for photos of phones and the web), or the path of an ONNX file with a card beside it.",
            kind: Kind::Text,
            presence: Presence::Default("upscale-photo-x2"),
        },
        tiles::ENSEMBLE,
    ],
};

#[derive(Debug)]
struct Upscale {
    model: Arc<Model>,
    ensemble: bool,
}

pub(super) fn build(component: &Component, site: &Site) -> std::result::Result<Box<dyn Stage>, Vec<Problem>> {
    let ensemble = component.settings.flag("ensemble");
    Ok(Box::new(Upscale { model: super::model_for(component, Task::Upscale, site)?, ensemble }))
}

impl Stage for Upscale {
    fn name(&self) -> &'static str {
        DESCRIPTION.name
    }

    fn takes(&self) -> MediaKind {
        self.model.card.media
    }

    fn size(&self, width: usize, height: usize) -> (usize, usize) {
        (width.saturating_mul(self.model.card.scale), height.saturating_mul(self.model.card.scale))
    }

    fn rest(&self) {
        self.model.forget_plans();
    }

    fn run(&self, media: Vec<Media>, context: &Context) -> Result<Vec<Media>> {
        each_image(media, |image| {
            let settings = tiles::Settings { sigma: 0.0, strength: 1.0, ensemble: self.ensemble };
            tiles::run(&self.model, image, settings, context)
        })
    }
}
