//! `resize`: classical resampling, for thumbnails or to cap the size.

use super::{Context, Site, Stage, each_image};
use crate::config::{Component, Description, Field, Kind, Presence, Problem, Value};
use crate::error::Result;
use crate::media::{Media, MediaKind, image};

const LENGTH: Kind = Kind::Integer { min: 1, max: 65535 };

pub(super) const DESCRIPTION: Description = Description {
    name: "resize",
    doc: "Resamples by a classical filter (Lanczos), keeping the picture's proportions. Only makes smaller unless `enlarge` is set.",
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
            doc: "Width and height are multiplied by this.",
            kind: Kind::Number { min: 0.01, max: 16.0 },
            presence: Presence::Optional,
        },
        Field {
            name: "enlarge",
            doc: "Whether pictures that are smaller than asked are made larger.",
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
    /// The size that a picture of `width` x `height` gets: all that is asked holds, proportions are kept, no side becomes 0.
    fn target(&self, width: usize, height: usize) -> (usize, usize) {
        let (w, h) = (width as f64, height as f64);
        let wanted =
            [self.long_side.map(|n| n / w.max(h)), self.width.map(|n| n / w), self.height.map(|n| n / h), self.scale];
        let factor = wanted.into_iter().flatten().fold(f64::INFINITY, f64::min);
        // A scale above 1 that is asked for by name needs no second permission.
        let most = if self.enlarge || self.scale.is_some() { 16.0 } else { 1.0 };
        let side = |n: f64| ((n * factor.min(most)).round() as usize).max(1);
        (side(w), side(h))
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
