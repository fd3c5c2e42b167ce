//! `decode`: a latent to the media that it stands for.

use super::codec::{self, Codec};
use super::{Context, Site, Stage, each};
use crate::config::{Component, Description, Problem};
use crate::error::{Error, Kind, Result};
use crate::media::melody::Choice;
use crate::media::{Media, MediaKind};

pub(super) const DESCRIPTION: Description = Description {
    name: "decode",
    doc: "Decodes a latent into the media that it stands for, by the autoencoder that it came from.",
    takes: &[MediaKind::Latent],
    gives: &[MediaKind::Image, MediaKind::Melody],
    example: "decode: { model: digits-vae20 }",
    fields: &[codec::MODEL, codec::CLASS],
};

#[derive(Debug)]
struct Decode(Box<dyn Codec>);

pub(super) fn build(component: &Component, site: &Site) -> std::result::Result<Box<dyn Stage>, Vec<Problem>> {
    Ok(Box::new(Decode(codec::of_component(component, site, Choice::Auto)?)))
}

impl Stage for Decode {
    fn name(&self) -> &'static str {
        DESCRIPTION.name
    }

    fn takes(&self) -> MediaKind {
        MediaKind::Latent
    }

    fn yields(&self) -> MediaKind {
        self.0.media()
    }

    fn space(&self) -> Option<&str> {
        Some(self.0.name())
    }

    fn run(&self, media: Vec<Media>, _: &Context) -> Result<Vec<Media>> {
        each(media, |piece| match piece {
            Media::Latent(mut latent) => {
                // Formats of numbers alone do not tell it; whoever wrote the pipeline says which it is.
                if latent.model.is_empty() {
                    latent.model = self.0.name().to_owned();
                }
                self.0.decode(&latent)
            }
            other => Err(Error::new(Kind::Bug, format!("`decode` was given {}", other.kind().with_article()))),
        })
    }
}
