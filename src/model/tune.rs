//! Which kernel, and which tile size, is fastest differs by model and machine by a factor of 2 to 3. So it is measured once, and remembered
//! in the cache folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::{GOLDEN_TOLERANCE, Golden, Kernel, Model, verify};
use crate::error::{Error, Kind, Result};

/// How a model is run on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// Side of a tile in input pixels, context included.
    pub tile: usize,
    /// Which code computes the convolutions.
    pub kernel: Kernel,
}

impl Default for Choice {
    fn default() -> Self {
        Choice { tile: 256, kernel: Kernel::BEST_GUESS }
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
    for tile in tiles(model) {
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
    let middling = Choice::default().tile;
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
    for tile in tiles(model).into_iter().filter(|&t| t != middling) {
        consider(Choice { tile, kernel }, &mut best)?;
    }
    Ok(best.map_or_else(Choice::default, |b| b.choice))
}

/// The kernels by which the model gives its golden output: one that is fast and wrong is no choice. Without a golden file, those that
/// compute as tract does.
pub fn right_kernels(model: &Model) -> Vec<Kernel> {
    let all = Kernel::ALL.iter().copied();
    match Golden::of(model) {
        Ok(golden) => all.filter(|&k| verify(model, &golden, k).is_ok_and(|d| d <= GOLDEN_TOLERANCE)).collect(),
        Err(_) => all.filter(|&k| k != Kernel::Winograd).collect(),
    }
}

/// Tile sizes that suit the model: at least half of each side is not context.
fn tiles(model: &Model) -> Vec<usize> {
    let (least, multiple) = (3 * model.card.context(), model.card.multiple_of);
    let suits = |t: &usize| *t >= least && t.is_multiple_of(multiple);
    match TILES.iter().copied().filter(suits).collect::<Vec<_>>() {
        none if none.is_empty() => vec![TILES[TILES.len() - 1]],
        some => some,
    }
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
