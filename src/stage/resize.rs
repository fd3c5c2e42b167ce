//! `resize`: classical resampling, for thumbnails or to cap the size.

use super::{Context, Site, Stage, each_image};
use crate::config::{Component, Description, Field, Kind, Presence, Problem, Value};
use crate::error::Result;
use crate::media::{Media, MediaKind, image};

/// How many times as large a picture becomes, at most.
const MOST: f64 = 16.0;
const LENGTH: Kind = Kind::Measured(&Kind::Integer { min: 1, max: 65535 }, "pixels");

pub(super) const DESCRIPTION: Description = Description {
    name: "resize",
    doc: "Resamples by a classical filter (Lanczos), keeping the picture's proportions, so that all that is asked for holds: one of `long_side`, `width`, `height` and `scale` at least. Only makes smaller unless `enlarge` is set.",
    takes: &[MediaKind::Image],
    gives: &[MediaKind::Image],
    example: "resize: { long_side: 640 }",
    fields: &[
        Field {
            name: "long_side",
            doc: "The longer side becomes this many pixels.",
            kind: LENGTH,
            presence: Presence::Optional,
        },
        Field {
            name: "width",
            doc: "The width becomes at most this many pixels.",
            kind: LENGTH,
            presence: Presence::Optional,
        },
        Field {
            name: "height",
            doc: "The height becomes at most this many pixels.",
            kind: LENGTH,
            presence: Presence::Optional,
        },
        Field {
            name: "scale",
            doc: "Width and height are multiplied by this; above 1 it needs no `enlarge`.",
            kind: Kind::Number { min: 0.01, max: MOST },
            presence: Presence::Optional,
        },
        Field {
            name: "enlarge",
            doc: "Whether pictures that are smaller than asked are made larger, at most 16 times.",
            kind: Kind::Flag,
            presence: Presence::Default("false"),
        },
    ],
};

#[derive(Debug)]
struct Resize {
    long_side: Option<f64>,
    width: Option<f64>,
    height: Option<f64>,
    scale: Option<f64>,
    enlarge: bool,
}

pub(super) fn build(component: &Component, _: &Site) -> std::result::Result<Box<dyn Stage>, Vec<Problem>> {
    let settings = &component.settings;
    let length = |name| settings.get(name).and_then(Value::as_integer).map(|n| n as f64);
    let resize = Resize {
        long_side: length("long_side"),
        width: length("width"),
        height: length("height"),
        scale: settings.get("scale").and_then(Value::as_number),
        enlarge: settings.flag("enlarge"),
    };
    if resize.long_side.or(resize.width).or(resize.height).or(resize.scale).is_none() {
        return Err(vec![
            Problem::new(component.span, "`resize` is not told the size")
                .mend("give one of `long_side`, `width`, `height` or `scale`"),
        ]);
    }
    Ok(Box::new(resize))
}

impl Resize {
    /// How many times as large a picture of `width` x `height` must become for all that is asked to hold.
    fn asked(&self, width: usize, height: usize) -> f64 {
        let (w, h) = (width as f64, height as f64);
        let wanted =
            [self.long_side.map(|n| n / w.max(h)), self.width.map(|n| n / w), self.height.map(|n| n / h), self.scale];
        wanted.into_iter().flatten().fold(f64::INFINITY, f64::min)
    }

    /// The size that it gets: proportions are kept, no side becomes 0.
    fn target(&self, width: usize, height: usize) -> (usize, usize) {
        // A scale above 1 that is asked for by name needs no second permission.
        let most = if self.enlarge || self.scale.is_some() { MOST } else { 1.0 };
        let factor = self.asked(width, height).min(most);
        let side = |n: usize| ((n as f64 * factor).round() as usize).max(1);
        (side(width), side(height))
    }
}

impl Stage for Resize {
    fn name(&self) -> &'static str {
        DESCRIPTION.name
    }

    fn takes(&self) -> MediaKind {
        MediaKind::Image
    }

    fn size(&self, width: usize, height: usize) -> (usize, usize) {
        self.target(width, height)
    }

    fn run(&self, media: Vec<Media>, _: &Context) -> Result<Vec<Media>> {
        each_image(media, |picture| {
            let (width, height) = self.target(picture.width, picture.height);
            super::check_size(width, height)?;
            if self.enlarge && self.asked(picture.width, picture.height) > MOST {
                tracing::warn!(
                    mend = "put another `resize` stage behind it",
                    "it becomes {MOST} times as large, {width} x {height}, and not as large as asked"
                );
            }
            if (width, height) == (picture.width, picture.height) {
                Ok(picture)
            } else {
                image::resize(&picture, width, height)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proportions_are_kept_and_small_pictures_stay() {
        let mut resize = Resize { long_side: Some(100.0), width: None, height: None, scale: None, enlarge: false };
        assert_eq!(resize.target(400, 200), (100, 50));
        assert_eq!(resize.target(40, 20), (40, 20));
        assert_eq!(resize.target(10_000, 3), (100, 1));
        resize.enlarge = true;
        assert_eq!(resize.target(40, 20), (100, 50));
        resize.height = Some(20.0);
        assert_eq!(resize.target(400, 200), (40, 20));
    }
}
