//! How much context a tile really needs.
//!
//! The whole reach of a network of many convolutions is far wider than what can be seen of it: most of what comes from afar is a millionth.
//! Tiles that carry the whole reach spend most of their time on context, so what suffices is measured, and stands in the card.

use super::{Kernel, Model};
use crate::error::{Error, Kind, Result};

/// Side of the part of a tile that is compared.
const CORE: usize = 96;
/// What may differ, on values of 0..1: a quarter of a step of 8 bits, so that rounding hides it.
const INVISIBLE: f32 = 0.25 / 255.0;

/// Side of the square picture that [`measure_context`] wants of a model.
pub fn picture_side(model: &Model) -> usize {
    (CORE + 2 * model.card.receptive_field).next_multiple_of(model.card.multiple_of.max(2))
}

/// The smallest context, in input pixels, with which no pixel differs from what the whole picture gives by more than a quarter of an 8-bit
/// step. `picture` holds planes of 0..1 of side [`picture_side`], as many as the network takes; a noisy natural picture is the hardest.
///
/// # Errors
/// Kind model: the network fails. Kind bug: the picture has another size.
pub fn measure_context(model: &Model, picture: &[f32], sigma: f32) -> Result<usize> {
    let (side, channels, scale) = (picture_side(model), model.card.channels(), model.card.scale);
    if picture.len() != channels * side * side {
        return Err(Error::new(Kind::Bug, "a picture of the wrong size to measure the context with"));
    }
    let whole = model.plan(side, side, Kernel::Direct)?.run(picture.to_vec(), sigma)?;
    let step = model.card.multiple_of.max(2);
    let middle = (side - CORE) / 2 / step * step;
    let mut context = step;
    while context < middle {
        let tile = CORE + 2 * context;
        let start = middle - context;
        let part = crop(picture, side, start, tile);
        let result = model.plan(tile, tile, Kernel::Direct)?.run(part, sigma)?;
        let core = crop(&result, tile * scale, context * scale, CORE * scale);
        let expected = crop(&whole, side * scale, middle * scale, CORE * scale);
        if core.iter().zip(&expected).all(|(a, b)| (a - b).abs() <= INVISIBLE) {
            model.forget_plans();
            return Ok(context);
        }
        context += step;
    }
    model.forget_plans();
    Ok(model.card.receptive_field)
}

/// The square of `size` at row and column `start` out of planes of `side` x `side`.
fn crop(planes: &[f32], side: usize, start: usize, size: usize) -> Vec<f32> {
    let rows = planes.chunks_exact(side * side).flat_map(|plane| plane.chunks_exact(side).skip(start).take(size));
    rows.flat_map(|row| &row[start..start + size]).copied().collect()
}
