//! `encode`: media to a latent, the few numbers that say the most of it.

use super::codec::{self, Codec};
use super::{Context, Site, Stage, each};
use crate::config::{Component, Description, Problem};
use crate::error::Result;
use crate::media::{Media, MediaKind};

pub(super) const DESCRIPTION: Description = Description {
    name: "encode",
    doc: "Encodes media into a latent by an autoencoder: the mean, where the encoder gives a distribution.",
    takes: &[MediaKind::Image, MediaKind::Melody],
    gives: &[MediaKind::Latent],
    example: "encode: { model: digits-vae20 }",
    fields: &[codec::MODEL, codec::TRACK, codec::CHANNEL, codec::CLASS],
};

#[derive(Debug)]
struct Encode(Box<dyn Codec>);

pub(super) fn build(component: &Component, site: &Site) -> std::result::Result<Box<dyn Stage>, Vec<Problem>> {
    Ok(Box::new(Encode(codec::of_component(component, site, codec::choice_of(component)?)?)))
}

impl Stage for Encode {
    fn name(&self) -> &'static str {
        DESCRIPTION.name
    }

    fn takes(&self) -> MediaKind {
        self.0.media()
    }

    fn yields(&self) -> MediaKind {
        MediaKind::Latent
    }

    fn space(&self) -> Option<&str> {
        Some(self.0.name())
    }

    fn run(&self, media: Vec<Media>, _: &Context) -> Result<Vec<Media>> {
        each(media, |piece| self.0.encode(&piece).map(Media::Latent))
    }
}
