//! Pictures: a network that is told how much noise there is.

use std::sync::Arc;

use super::super::{Context, Stage, each_image, noise, tiles};
use super::DESCRIPTION;
use crate::config::{Component, Problem, Value};
use crate::error::Result;
use crate::media::{Media, MediaKind};
use crate::model::{Model, Role};

#[derive(Debug)]
struct Denoise {
    model: Arc<Model>,
    /// In 0..1; nothing where it is measured.
    sigma: Option<f32>,
    strength: f32,
    ensemble: bool,
    /// Whether another `denoise` follows, for what this one finds clean.
    followed: bool,
}

pub(super) fn build(component: &Component, model: Arc<Model>) -> std::result::Result<Box<dyn Stage>, Vec<Problem>> {
    let settings = &component.settings;
    let sigma = settings.get("sigma").and_then(Value::as_number).map(|s| s as f32 / 255.0);
    let strength = settings.number("strength") as f32;
    Ok(Box::new(Denoise { model, sigma, strength, ensemble: settings.flag("ensemble"), followed: false }))
}

impl Stage for Denoise {
    fn name(&self) -> &'static str {
        DESCRIPTION.name
    }

    fn takes(&self) -> MediaKind {
        self.model.card.media
    }

    fn foresee(&mut self, later: &[Component]) {
        self.followed = later.iter().any(|component| component.description.name == DESCRIPTION.name);
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
                        match self.followed {
                            true => tracing::debug!("it measures clean, and the next `denoise` gets it as it is"),
                            false => tracing::info!(
                                "it measures clean, and `denoise` leaves it as it is; for the noise of phones and cameras: `denoise-camera`"
                            ),
                        }
                        return Ok(image);
                    }
                    sigma => sigma,
                },
                None => 0.0,
            };
            tracing::debug!(sigma = f64::from(sigma) * 255.0, "noise level");
            let settings = tiles::Settings { sigma, strength: self.strength, ensemble: self.ensemble };
            tiles::run(&self.model, image, settings, context)
        })
    }
}
