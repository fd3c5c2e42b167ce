use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Args;
use latentd::model::{DRAWS_FILE, Model};

use super::eval_music::stretches;
use crate::data::melodies::{self, Windows};
use crate::measure::music;
use crate::refuse;

#[derive(Args)]
pub struct Draws {
    /// The model's folder
    model: PathBuf,
    /// A folder of tunes: those that it learnt from, or others that samples shall be like
    #[arg(long, value_name = "DIR")]
    set: PathBuf,
    /// Of the folder that the model learnt from: leave out the tunes that its training held out
    #[arg(long)]
    learnt: bool,
}

impl Draws {
    /// Fits and writes.
    pub fn run(self) -> Result<()> {
        let model = Arc::new(Model::from_path(&self.model).map_err(crate::own)?);
        let tunes = if self.learnt { stretches(&model, &self.set)?.0 } else { all(&model, &self.set)? };
        if tunes.is_empty() {
            refuse!(NoInput, "no tune below {} is as long as the model's window", self.set.display());
        }
        let draws = music::draws(&model, &tunes)?;
        let bytes = draws.to_bytes().map_err(crate::own)?;
        latentd::durable::write(&self.model.join(DRAWS_FILE), &bytes).map_err(crate::own)?;
        println!("{}: samples are like {} stretches of {} tunes", model.card.name, tunes.len(), tunes.tunes().len());
        Ok(())
    }
}

fn all(model: &Model, set: &Path) -> Result<Windows> {
    let space = model.card.melody.as_ref().context("the card tells nothing of melodies")?;
    Ok(Windows::new(melodies::load(set, &space.parts)?, space.steps, space.windows))
}
