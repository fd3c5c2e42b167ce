//! Which kernel, and which tile size, is fastest differs by model and machine by a factor of 2 to 3. So it is measured once, and remembered
//! in the cache folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::{Card, GOLDEN_TOLERANCE, Golden, Kernel, Model, verify};
use crate::error::{Error, Kind, Result};

/// How a model is run on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// Side of a tile in input pixels, context included.
    pub tile: usize,
    /// Which code computes the convolutions.
    pub kernel: Kernel,
}

impl Choice {
    /// What to do before anything is measured: a middling tile, and the kernel that is most often fastest; where no golden file could
    /// tell that it is wrong, one that computes as tract does.
    pub(super) fn first(card: &Card, verifiable: bool) -> Choice {
        let tiles = tiles(card);
        let tile = tiles.iter().copied().find(|&tile| tile >= MIDDLING).unwrap_or(tiles[tiles.len() - 1]);
        Choice { tile, kernel: if verifiable { Kernel::BEST_GUESS } else { Kernel::Direct } }
    }
}

/// One measurement, on one thread.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Timing {
    /// What was run.
    pub choice: Choice,
    /// The best of several runs, in milliseconds.
    pub ms: f64,
    /// Nanoseconds for each input pixel that a tile contributes, context not counted: what a folder of pictures pays.
    pub ns_per_pixel: f64,
}

/// Tile sizes that are tried, as far as they are larger than the context of the model.
pub const TILES: &[usize] = &[128, 192, 256, 384, 512];
/// The one that is tried first.
const MIDDLING: usize = 256;
/// The least of a tile that is not context.
pub(crate) const MARGIN: usize = 32;

/// Times `model` at one choice: the best of at least 3 runs and about `budget` of time.
///
/// # Errors
/// Kind model: the model cannot run at that size.
pub fn time(model: &Model, choice: Choice, budget: Duration) -> Result<Timing> {
    let plan = model.plan(choice.tile, choice.tile, choice.kernel)?;
    let values = choice.tile * choice.tile * model.card.channels();
    let picture: Vec<f32> = (0..values).map(|i| (i * 7919 % 251) as f32 / 250.0).collect();
    plan.run(picture.clone(), 0.1)?;
    let (begin, mut best, mut runs) = (Instant::now(), f64::INFINITY, 0);
    while runs < 3 || (begin.elapsed() < budget && runs < 50) {
        let picture = picture.clone();
        let start = Instant::now();
        plan.run(picture, 0.1)?;
        best = best.min(start.elapsed().as_secs_f64());
        runs += 1;
    }
    let inner = choice.tile.saturating_sub(2 * model.card.context()).max(1);
    Ok(Timing { choice, ms: best * 1e3, ns_per_pixel: best * 1e9 / (inner * inner) as f64 })
}

/// Times every kernel at every tile size that suits the model, and returns all timings, the fastest for each pixel first.
///
/// # Errors
/// Kind model: the model cannot run at all.
pub fn time_all(model: &Model, kernels: &[Kernel], budget: Duration) -> Result<Vec<Timing>> {
    let mut timings = Vec::new();
    for tile in tiles(&model.card) {
        for &kernel in kernels {
            timings.push(time(model, Choice { tile, kernel }, budget)?);
            model.forget_plans();
        }
    }
    timings.sort_by(|a, b| a.ns_per_pixel.total_cmp(&b.ns_per_pixel));
    Ok(timings)
}

/// The fastest choice as far as a few seconds can tell: first the kernel at a middling tile, then the tile for that kernel.
///
/// # Errors
/// Kind model: the model cannot run at all.
pub fn quick(model: &Model) -> Result<Choice> {
    let budget = Duration::from_millis(100);
    let middling = Choice::first(&model.card, true).tile;
    let mut best: Option<Timing> = None;
    let consider = |choice: Choice, best: &mut Option<Timing>| -> Result<()> {
        let timing = time(model, choice, budget)?;
        model.forget_plans();
        if best.is_none_or(|b| timing.ns_per_pixel < b.ns_per_pixel) {
            *best = Some(timing);
        }
        Ok(())
    };
    for kernel in right_kernels(model) {
        consider(Choice { tile: middling, kernel }, &mut best)?;
    }
    let kernel = best.map_or(Kernel::BEST_GUESS, |b| b.choice.kernel);
    for tile in tiles(&model.card).into_iter().filter(|&t| t != middling) {
        consider(Choice { tile, kernel }, &mut best)?;
    }
    Ok(best.map_or_else(|| model.choice(), |b| b.choice))
}

/// The kernels by which the model gives its golden output: one that is fast and wrong is no choice. Without a golden file, those that
/// compute as tract does.
pub fn right_kernels(model: &Model) -> Vec<Kernel> {
    let all = Kernel::ALL.iter().copied();
    match Golden::of(model) {
        Ok(Some(golden)) => all.filter(|&k| verify(model, &golden, k).is_ok_and(|d| d <= GOLDEN_TOLERANCE)).collect(),
        _ => all.filter(|&k| k != Kernel::Winograd).collect(),
    }
}

/// Tile sizes that suit a model, at least one: multiples of what it takes, of which a third of each side is not context, or some of it
/// where that would be too large a tile.
fn tiles(card: &Card) -> Vec<usize> {
    let (least, multiple) = (3 * card.context(), card.multiple_of);
    let mut tiles: Vec<usize> = TILES.iter().map(|tile| tile.next_multiple_of(multiple)).collect();
    tiles.dedup();
    tiles.retain(|tile| *tile >= least);
    if tiles.is_empty() {
        tiles.push((2 * card.context() + MARGIN).max(TILES[TILES.len() - 1]).next_multiple_of(multiple));
    }
    tiles
}

/// The choices made on this machine, by model.
#[derive(Debug)]
pub struct Tuned {
    path: PathBuf,
    choices: BTreeMap<String, Choice>,
}

impl Tuned {
    /// What the cache folder remembers; nothing where it cannot be read, since it can be measured again.
    pub fn open(cache: &Path) -> Tuned {
        let path = cache.join("tuned.json");
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        Tuned { path, choices: serde_json::from_str(&text).unwrap_or_default() }
    }

    /// The choice for a model.
    pub fn get(&self, model: &Model) -> Option<Choice> {
        self.choices.get(&key(model)).copied()
    }

    /// Remembers a choice for the next start.
    ///
    /// # Errors
    /// Kind output or transient: the cache folder cannot be written.
    pub fn put(&mut self, model: &Model, choice: Choice) -> Result<()> {
        self.choices.insert(key(model), choice);
        let text = serde_json::to_string_pretty(&self.choices)
            .map_err(|e| Error::new(Kind::Bug, "the tuning cannot be written").because(e))?;
        crate::durable::write(&self.path, text.as_bytes())
    }
}

/// Another model, program or processor is another measurement.
fn key(model: &Model) -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu: String = cpu.lines().filter(|l| l.starts_with("model name") || l.starts_with("flags")).take(2).collect();
    let machine = super::sha256_hex(format!("{cpu}{}", std::env::consts::ARCH).as_bytes());
    format!("{} {} {} {}", model.card.name, &model.card.sha256[..16], &machine[..16], env!("CARGO_PKG_VERSION"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::MediaKind;
    use crate::model::Task;

    #[test]
    fn tiles_are_multiples_of_what_the_model_takes_and_more_than_its_context() {
        for (multiple, context) in [(1, 0), (8, 24), (24, 60), (100, 10), (256, 500), (7, 1024)] {
            let mut card = Card::new(Task::Denoise, MediaKind::Image);
            (card.multiple_of, card.receptive_field) = (multiple, context);
            let tiles = tiles(&card);
            assert!(tiles.contains(&Choice::first(&card, true).tile));
            assert!(tiles.iter().all(|t| t.is_multiple_of(multiple) && *t > 2 * context), "{multiple} {tiles:?}");
        }
    }
}
