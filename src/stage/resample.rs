//! `resample`: another sample rate.

use super::{Context, Site, Stage, each_audio};
use crate::config::{Component, Description, Field, Kind, Presence, Problem};
use crate::error::Result;
use crate::media::audio::{Format, Process, Resample};
use crate::media::{Media, MediaKind};

pub(super) const DESCRIPTION: Description = Description {
    name: "resample",
    doc: "Changes the sample rate. The length in seconds is kept, and nothing is shifted.",
    takes: &[MediaKind::Audio],
    gives: &[MediaKind::Audio],
    example: "resample: { rate: 48000 }",
    fields: &[Field {
        name: "rate",
        doc: "Frames a second, in Hz.",
        kind: Kind::Measured(&Kind::Integer { min: 4_000, max: 384_000 }, "Hz"),
        presence: Presence::Required,
    }],
};

#[derive(Debug)]
struct ChangeRate {
    rate: u32,
}

pub(super) fn build(component: &Component, _: &Site) -> std::result::Result<Box<dyn Stage>, Vec<Problem>> {
    Ok(Box::new(ChangeRate { rate: u32::try_from(component.settings.integer("rate")).unwrap_or(48_000) }))
}

impl Stage for ChangeRate {
    fn name(&self) -> &'static str {
        DESCRIPTION.name
    }

    fn takes(&self) -> MediaKind {
        MediaKind::Audio
    }

    fn run(&self, media: Vec<Media>, _: &Context) -> Result<Vec<Media>> {
        each_audio(media, |audio| match audio.format() {
            format if format.rate == self.rate => Ok(audio),
            format => Ok(audio.through(Resample::new(format, self.rate)?)),
        })
    }

    fn live(&self, format: Format) -> Result<Option<Box<dyn Process>>> {
        Ok(Some(Box::new(Resample::new(format, self.rate)?)))
    }
}
