//! `eval` of models of melodies.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use latentd::model::{Metric, Model};

use super::eval::{put, write_card};
use super::init::option;
use crate::data::melodies::{self, Windows};
use crate::measure::music;
use crate::refuse;
use crate::tell;

/// Measures a model on the tunes of `set` that its training held out, prints every number, and stores them in the card with `write`.
pub fn run(model: Model, folder: &Path, set: &Path, write: bool) -> Result<()> {
    let mut card = model.card.clone();
    let (learnt, held) = stretches(&model, set)?;
    let seed = card.training.as_ref().map_or(0, |training| training.seed);
    tell(format_args!("{} held-out stretches of {} tunes", held.len(), held.tunes().len()));
    let findings = music::measure(&Arc::new(model), &learnt, &held, seed)?;
    let name = set.file_name().unwrap_or_default().to_string_lossy();
    let command = format!("latentd-train eval models/{} --set {name}", card.name);
    for finding in findings {
        let value = (finding.value * 1e4).round() / 1e4;
        let unit = finding.unit.map(|unit| format!(" {unit}")).unwrap_or_default();
        println!("{:<72} {value:>9}{unit}", finding.name);
        put(
            &mut card,
            Metric { name: finding.name, value, unit: finding.unit.map(str::to_owned), command: command.clone() },
        );
    }
    if write { write_card(&card, folder) } else { Ok(()) }
}

/// The stretches of a folder's tunes: those that a model learnt from, or would have, and those that its training held out.
pub fn stretches(model: &Model, set: &Path) -> Result<(Windows, Windows)> {
    let card = &model.card;
    let space = card.melody.clone().context("the card tells nothing of melodies")?;
    let training = card.training.as_ref().context("the card does not tell which tunes were held out")?;
    let held_out = option(&training.recipe, "--held-out").and_then(|number| number.parse::<usize>().ok());
    let held_out = held_out.context("the card does not tell how many tunes were held out")?;
    let (learnt, held) = melodies::split(melodies::load(set, &space.parts)?, held_out, training.seed);
    let windows = |tunes| Windows::new(tunes, space.steps, space.windows);
    let (learnt, held) = (windows(learnt), windows(held));
    if learnt.is_empty() || held.is_empty() {
        refuse!(NoInput, "{} is not the folder that this model learnt from: no tune of it is held out", set.display());
    }
    Ok((learnt, held))
}
