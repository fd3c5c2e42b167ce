//! `novelty`: tells whether a picture is of the kind that an autoencoder was trained on. It works only for the data it knows, and that is what
//! this stage makes use of.

use super::codec::ImageCodec;
use super::{Context, Site, Stage, each_image};
use crate::config::{Component, Description, Field, Kind, Presence, Problem};
use crate::error::{Error, Kind as ErrorKind, Result};
use crate::media::{Media, MediaKind};
use crate::model::{Novelty as Calibration, Task};

pub(super) const DESCRIPTION: Description = Description {
    name: "novelty",
    doc: "Scores how unlike a model's training data a picture is, and lets it pass unchanged, with a warning, or refuses it.",
    takes: &[MediaKind::Image],
    gives: &[MediaKind::Image],
    example: "novelty: { model: digits-vae20, above: 0.99, then: quarantine }",
    fields: &[
        Field {
            name: "model",
            doc: "Name of an autoencoder of pictures whose card holds a calibrated novelty score.",
            kind: Kind::Text,
            presence: Presence::Required,
        },
        Field {
            name: "above",
            doc: "A picture is novel if more than this share of the training data's kind (0 to 1) scores lower; at 1 none is.",
            kind: Kind::Number { min: 0.0, max: 1.0 },
            presence: Presence::Default("0.99"),
        },
        Field {
            name: "then",
            doc: "What becomes of a novel picture: `warn` lets it pass and warns, `quarantine` refuses it as a bad input.",
            kind: Kind::Choice(&["warn", "quarantine"]),
            presence: Presence::Default("warn"),
        },
    ],
};

#[derive(Debug)]
struct Novelty {
    model: String,
    codec: ImageCodec,
    calibration: Calibration,
    above: f32,
    refuse: bool,
}

pub(super) fn build(component: &Component, site: &Site) -> std::result::Result<Box<dyn Stage>, Vec<Problem>> {
    let settings = &component.settings;
    let span = settings.span("model");
    let model = super::model_for(component, Task::Autoencode, site)?;
    let card = &model.card;
    let calibration = card.latent.as_ref().and_then(|space| space.novelty.clone());
    let (MediaKind::Image, Some(calibration)) = (card.media, calibration) else {
        return Err(vec![
            Problem::new(span, format!("`{}` has no novelty score of pictures", card.name))
                .mend("choose an autoencoder of pictures whose card holds `novelty` under `latent`"),
        ]);
    };
    let codec = ImageCodec::open(&model, None).map_err(|e| vec![Problem::new(span, e.to_string())])?;
    Ok(Box::new(Novelty {
        model: card.name.clone(),
        codec,
        calibration,
        above: settings.number("above") as f32,
        refuse: settings.choice("then") == "quarantine",
    }))
}

impl Stage for Novelty {
    fn name(&self) -> &'static str {
        DESCRIPTION.name
    }

    fn takes(&self) -> MediaKind {
        MediaKind::Image
    }

    fn run(&self, media: Vec<Media>, _: &Context) -> Result<Vec<Media>> {
        each_image(media, |picture| {
            let score = self.codec.novelty(&self.codec.view(&picture)?)?;
            let percentile = self.calibration.percentile(score);
            tracing::debug!(score, percentile, "novelty");
            if percentile <= self.above {
                return Ok(picture);
            }
            let share = f64::from(percentile) * 100.0;
            let what = format!("unlike what `{}` was trained on: {share:.1} % of that is more alike", self.model);
            if self.refuse {
                let mend = "look whether it belongs here; raise `above`, or set `then: warn`, to let it pass";
                return Err(Error::new(ErrorKind::Input, what).mend(mend));
            }
            tracing::warn!("{what}");
            Ok(picture)
        })
    }
}
