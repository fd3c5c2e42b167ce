//! `reconstruct`: what remains of media when it goes through a latent.

use super::codec::{self, Codec};
use super::{Context, Site, Stage, each};
use crate::config::{Component, Description, Problem};
use crate::error::Result;
use crate::media::{Media, MediaKind};

pub(super) const DESCRIPTION: Description = Description {
    name: "reconstruct",
    doc: "Encodes media and decodes it again: what an autoencoder keeps of it. A picture comes out in the model's size.",
    takes: &[MediaKind::Image, MediaKind::Melody],
    gives: &[MediaKind::Image, MediaKind::Melody],
    example: "reconstruct: { model: melody-2bar }",
    fields: &[codec::MODEL, codec::TRACK, codec::CHANNEL, codec::CLASS],
};

#[derive(Debug)]
struct Reconstruct(Box<dyn Codec>);

pub(super) fn build(component: &Component, site: &Site) -> std::result::Result<Box<dyn Stage>, Vec<Problem>> {
    Ok(Box::new(Reconstruct(codec::of_component(component, site, codec::choice_of(component)?)?)))
}

impl Stage for Reconstruct {
    fn name(&self) -> &'static str {
        DESCRIPTION.name
    }

    fn takes(&self) -> MediaKind {
        self.0.media()
    }

    fn run(&self, media: Vec<Media>, _: &Context) -> Result<Vec<Media>> {
        each(media, |piece| self.0.reconstruct(&piece))
    }
}
