//! A network over a picture of any size: overlapping tiles, each with enough context around it that no seam can be seen.

use std::sync::Arc;

use super::Context;
use super::cut::Shape;
use super::ensemble::Ensemble;
use crate::config::{Field, Kind, Presence};
use crate::error::{self, Error, Result};
use crate::media::Image;
use crate::media::image::{Depth, Tile, fill_under_alpha, resize_alpha};
use crate::model::{Choice, Model};

/// What to do with a picture, beside running the network over it.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Standard deviation of the noise in 0..1, for networks that are told it.
    pub sigma: f32,
    /// How much of the network's result to use, 0..1; below 1 the input is mixed in (only for networks that keep the size).
    pub strength: f32,
    /// Whether the network sees each tile in all eight orientations.
    pub ensemble: bool,
}

/// The setting `ensemble`, for the stages that run a network over pictures.
pub(super) const ENSEMBLE: Field = Field {
    name: "ensemble",
    doc: "Run the network over eight mirrored and turned copies and take the mean: a little better, and eight times the work.",
    kind: Kind::Flag,
    presence: Presence::Default("false"),
};

/// What makes planes of a tile's planes; it takes them, so that a tile is copied only where it is needed again.
type Network = Box<dyn Fn(Vec<f32>) -> Result<Vec<f32>> + Send + Sync>;

/// Runs `model` over `image`. The result has the picture's layout and metadata, and `scale` times its size.
///
/// Memory: beside the input and the output (1 or 2 bytes a sample), one tile of floats for each thread that works on it.
///
/// # Errors
/// Kind model: the network failed, or gave something that is not a number. Kind bug: the work is given up.
pub fn run(model: &Arc<Model>, image: Image, settings: Settings, context: &Context) -> Result<Image> {
    let Choice { tile, kernel } = model.choice();
    let (scale, multiple) = (model.card.scale, model.card.multiple_of);
    // A network with strides gives other results where a tile begins at another phase, so tiles begin at multiples.
    let margin = model.card.context().next_multiple_of(multiple);
    super::check_size(image.width * scale, image.height * scale)?;
    let shape = Shape { largest: tile, context: margin, multiple };
    let (rows, columns) = shape.cut(image.height, image.width, 1 + context.crew.spare());
    let colors = image.layout.colors();
    let depth = if context.intermediate { Depth::Sixteen } else { image.depth };

    let mut image = image;
    fill_under_alpha(&mut image);
    let image = Arc::new(image);
    let mut output = Image::new(image.width * scale, image.height * scale, image.layout, depth);
    (output.depth, output.metadata) = (image.depth, image.metadata.clone());
    resize_alpha(&image, &mut output)?;

    let channels = model.card.channels();
    let source = Arc::clone(&image);
    let stop = context.crew.stop().clone();
    let network: Network = if settings.ensemble {
        let ensemble = Ensemble::new(model, rows.size, columns.size, kernel)?;
        Box::new(move |planes| ensemble.run_until(&stop, &planes, settings.sigma))
    } else {
        let plan = model.plan(rows.size, columns.size, kernel)?;
        Box::new(move |planes| {
            stop.check()?;
            plan.run(planes, settings.sigma)
        })
    };
    let piece = move |index: usize| {
        let (row, column) = (index / columns.count, index % columns.count);
        let tile = Tile {
            y: (row * rows.step) as isize - margin as isize,
            x: (column * columns.step) as isize - margin as isize,
            height: rows.size,
            width: columns.size,
        };
        let planes = source.tile_f32(tile, channels.max(colors));
        let before = (settings.strength < 1.0).then(|| planes.clone());
        let mut result = match (channels, colors) {
            // A network for gray pictures sees the colours of a colour picture one after another.
            (1, 3) => {
                let mut all = Vec::with_capacity(planes.len() * scale * scale);
                for plane in planes.chunks_exact(rows.size * columns.size) {
                    all.extend(network(plane.to_vec())?);
                }
                all
            }
            _ => network(planes)?,
        };
        if let Some(before) = before {
            for (value, before) in result.iter_mut().zip(&before) {
                *value = before + settings.strength * (*value - before);
            }
        }
        finite(result)
    };
    let place = |index: usize, planes: Vec<f32>| {
        let (top, height) = rows.part(index / columns.count, image.height);
        let (left, width) = columns.part(index % columns.count, image.width);
        let offset = |start: usize| (start * scale) as isize - (margin * scale) as isize;
        let tile = Tile { y: offset(top), x: offset(left), height: rows.size * scale, width: columns.size * scale };
        let inner = (margin * scale) as isize;
        let part = Tile { y: inner, x: inner, height: height * scale, width: width * scale };
        output.put_tile_f32(&planes, channels.max(colors), tile, part);
        Ok(())
    };
    context.crew.share(rows.count * columns.count, piece, place)?;
    Ok(output)
}

fn finite(planes: Vec<f32>) -> Result<Vec<f32>> {
    match planes.iter().all(|v| v.is_finite()) {
        true => Ok(planes),
        false => Err(Error::new(error::Kind::Model, "the network gave values that are not numbers")
            .mend("check the model with `latentd models verify`")),
    }
}
