use std::path::Path;

use anyhow::Result;
use latentd::plot::curves::{self, Curves};
use latentd::plot::write;

use super::log::Entry;

/// Draws the loss, the score on the development set (`score` is its name and unit) and what else was measured over the
/// steps, as `loss.svg` in the run's folder.
///
/// # Errors
/// When the file cannot be written.
pub fn draw(run: &Path, title: &str, (name, unit): (&str, &str), entries: &[Entry]) -> Result<()> {
    let score = if unit.is_empty() { name.to_owned() } else { format!("{name}, {unit}") };
    let entry = |e: &Entry| curves::Entry { step: e.step, loss: e.loss, score: e.score, parts: e.parts.clone() };
    let curves = Curves::of_runs(title, &score, &[(title.to_owned(), entries.iter().map(entry).collect())]);
    write(&curves, &run.join("loss.svg")).map_err(crate::own)
}
