//! A network over a picture of any size: overlapping tiles, each with enough context around it that no seam can be seen.

use std::sync::Arc;

use super::Context;
use super::ensemble::Ensemble;
use crate::config::{Field, Kind, Presence};
use crate::error::{self, Error, Result};
use crate::media::Image;
use crate::media::image::{Depth, Tile, fill_under_alpha, resize_alpha};
use crate::model::tune::MARGIN;
use crate::model::{Choice, Model};

/// Tiles smaller than the tuned size, for small pictures and for what is left at the edge. Few, because each size that occurs costs a plan.
const LADDER: &[usize] = &[64, 96, 128, 192, 256, 384, 512];

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

/// One axis cut up: `count` tiles of `size` input pixels, of which the middle `step` are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cut {
    count: usize,
    size: usize,
    step: usize,
}

impl Cut {
    /// Cuts `length` pixels into as few tiles of at most `largest` as will do, and takes the smallest size that still does.
    fn new(length: usize, largest: usize, context: usize, multiple: usize) -> Cut {
        let round = |n: usize| n.next_multiple_of(multiple);
        // A tile that is all context would make no progress: a wide reach forces a larger tile.
        let largest = round(largest.max(2 * context + MARGIN));
        let count = length.div_ceil(largest - 2 * context);
        let needed = length.div_ceil(count) + 2 * context;
        let size = LADDER.iter().map(|&n| round(n)).find(|&n| n >= needed && n <= largest).unwrap_or(largest);
        Cut { count: length.div_ceil(size - 2 * context), size, step: size - 2 * context }
    }

    /// Start and length of the part that tile `index` contributes.
    fn part(&self, index: usize, length: usize) -> (usize, usize) {
        let start = index * self.step;
        (start, self.step.min(length - start))
    }
}

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
    let rows = Cut::new(image.height, tile, margin, multiple);
    let columns = Cut::new(image.width, tile, margin, multiple);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_cover_every_length_without_gaps() {
        for length in 1..1500 {
            for (largest, context, multiple) in [(256, 24, 8), (128, 62, 8), (96, 5, 1), (512, 0, 16)] {
                let cut = Cut::new(length, largest, context, multiple);
                assert_eq!(cut.size % multiple, 0);
                let covered: usize = (0..cut.count).map(|i| cut.part(i, length).1).sum();
                assert_eq!(covered, length, "{length} {cut:?}");
                assert!((0..cut.count).all(|i| cut.part(i, length).1 > 0));
            }
        }
    }

    #[test]
    fn small_pictures_get_small_tiles() {
        assert_eq!(Cut::new(30, 256, 16, 8).size, 64);
        assert_eq!(Cut::new(1000, 256, 16, 8).count, 5);
    }
}
