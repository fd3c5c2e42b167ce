//! Self-ensemble: a network sees a picture and its seven mirrored and turned copies, and the mean of what it makes of them is a little better
//! than any one (Timofte et al. 2016, "Seven ways to improve example-based single image super resolution").

use std::sync::Arc;

use crate::crew::Stop;
use crate::error::Result;
use crate::model::{Kernel, Model, Plan};

/// The orientations of a square.
const TURNS: u8 = 8;

/// A network for pictures of one size, upright and lying, that gives the mean of what it makes of all their orientations: what `ensemble: true` runs on
/// each tile, for whoever scores a model so.
pub struct Ensemble {
    upright: Arc<Plan>,
    lying: Arc<Plan>,
    height: usize,
    width: usize,
    scale: usize,
}

impl Ensemble {
    /// Makes the plans for pictures of `height` x `width`; they stay with the model until [`Model::forget_plans`].
    ///
    /// # Errors
    /// Kind model: the graph cannot take one of the two sizes.
    pub fn new(model: &Model, height: usize, width: usize, kernel: Kernel) -> Result<Ensemble> {
        let (upright, lying) = (model.plan(height, width, kernel)?, model.plan(width, height, kernel)?);
        Ok(Ensemble { upright, lying, height, width, scale: model.card.scale })
    }

    /// The mean of what the network makes of all orientations of `planes`; they, `sigma` and what is returned are as for [`Plan::run`].
    ///
    /// # Errors
    /// As for [`Plan::run`].
    pub fn run(&self, planes: &[f32], sigma: f32) -> Result<Vec<f32>> {
        self.run_until(&Stop::default(), planes, sigma)
    }

    /// [`Ensemble::run`], which ends between two orientations once `stop` is set: eight times the work of a tile is long.
    ///
    /// # Errors
    /// As for [`Plan::run`]. Kind bug: it is given up.
    pub(super) fn run_until(&self, stop: &Stop, planes: &[f32], sigma: f32) -> Result<Vec<f32>> {
        let (height, width) = (self.height * self.scale, self.width * self.scale);
        let mut sum: Vec<f32> = Vec::new();
        for turn in 0..TURNS {
            stop.check()?;
            let network = if turn & 4 == 0 { &self.upright } else { &self.lying };
            let result = network.run(turned(planes, self.height, self.width, turn), sigma)?;
            let result = turned_back(&result, height, width, turn);
            match sum.is_empty() {
                true => sum = result,
                false => sum.iter_mut().zip(&result).for_each(|(sum, value)| *sum += value),
            }
        }
        sum.iter_mut().for_each(|value| *value /= f32::from(TURNS));
        Ok(sum)
    }
}

/// Where the value at row `y`, column `x` of the upright picture lies in the turned one. Bit 0 of `turn` mirrors left-right, bit 1 top-bottom, bit 2
/// swaps the axes after that.
fn place(y: usize, x: usize, height: usize, width: usize, turn: u8) -> usize {
    let y = if turn & 2 == 0 { y } else { height - 1 - y };
    let x = if turn & 1 == 0 { x } else { width - 1 - x };
    if turn & 4 == 0 { y * width + x } else { x * height + y }
}

fn turned(planes: &[f32], height: usize, width: usize, turn: u8) -> Vec<f32> {
    let mut out = vec![0.0; planes.len()];
    for (from, to) in planes.chunks_exact(height * width).zip(out.chunks_exact_mut(height * width)) {
        for y in 0..height {
            for x in 0..width {
                to[place(y, x, height, width, turn)] = from[y * width + x];
            }
        }
    }
    out
}

fn turned_back(planes: &[f32], height: usize, width: usize, turn: u8) -> Vec<f32> {
    let mut out = vec![0.0; planes.len()];
    for (from, to) in planes.chunks_exact(height * width).zip(out.chunks_exact_mut(height * width)) {
        for y in 0..height {
            for x in 0..width {
                to[y * width + x] = from[place(y, x, height, width, turn)];
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::model::Models;

    /// Eight times the work of a tile was done for nobody.
    #[test]
    fn what_is_given_up_ends_before_the_next_orientation() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
        let model = Models::new(vec![folder]).get("denoise-photo-fast", Path::new(".")).unwrap();
        let ensemble = Ensemble::new(&model, 64, 64, Kernel::Direct).unwrap();
        let planes = vec![0.5; 64 * 64 * model.card.channels()];
        let stop = Stop::default();
        assert!(ensemble.run_until(&stop, &planes, 0.1).is_ok());
        stop.set();
        assert!(ensemble.run_until(&stop, &planes, 0.1).unwrap_err().to_string().contains("it was given up"));
    }

    #[test]
    fn eight_different_orientations_that_all_turn_back() {
        let (height, width) = (2, 3);
        let planes: Vec<f32> = (0..12u8).map(f32::from).collect();
        let all: Vec<Vec<f32>> = (0..TURNS).map(|turn| turned(&planes, height, width, turn)).collect();
        for (turn, copy) in (0..TURNS).zip(&all) {
            assert_eq!(turned_back(copy, height, width, turn), planes);
            assert_eq!(all.iter().filter(|other| *other == copy).count(), 1);
        }
    }
}
