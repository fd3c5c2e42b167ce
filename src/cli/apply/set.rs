//! `--set KEY=VALUE`: a pipeline with some of its settings changed for this once.

use std::path::Path;

use super::super::print_mistakes;
use crate::config;
use crate::error::{Error, Kind, Result};
use crate::model::Models;
use crate::pipeline::{CATALOG, Loaded, Pipeline};

/// `KEY=VALUE` as it is given.
#[derive(Debug, Clone)]
pub struct Set {
    key: String,
    value: String,
}

/// For the command line.
pub fn parse(text: &str) -> std::result::Result<Set, String> {
    let (key, value) = text.split_once('=').ok_or("a stage, its setting and a value, as `denoise.sigma=20`")?;
    Ok(Set { key: key.trim().to_owned(), value: value.to_owned() })
}

/// The pipeline whose text is that of `file`, changed.
///
/// # Errors
/// Kind usage: what is set is not there. Else what is wrong with the pipeline, its mistakes printed.
pub fn load(file: &Path, text: String, sets: &[Set], models: &Models) -> Result<Pipeline> {
    let mut changed = text.clone();
    for Set { key, value } in sets {
        changed = config::change(&changed, key, value, &CATALOG).map_err(|problem| {
            let e = Error::new(Kind::Usage, format!("--set {key}={value}: {}", problem.message));
            problem.mend.into_iter().fold(e, Error::mend)
        })?;
    }
    let read = |text| Loaded::of_text(file, text, models).and_then(|loaded| loaded.files(file));
    read(changed).map_err(print_mistakes).map_err(|e| match !sets.is_empty() && read(text).is_ok() {
        true => Error::new(Kind::Usage, "what `--set` makes of the pipeline is not right; its file is")
            .mend("the place above shows the pipeline with it"),
        false => e,
    })
}
