//! The stages of a pipeline's file without the rest: for whoever brings the media and takes the results, as a plugin in another program does.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::check::Checker;
use super::decode::{Component, Decoder};
use super::fields::{Catalog, Description};
use super::report::{Problem, Report};
use super::yaml;

/// Those stages of a file that are right in form, and what is wrong with the rest.
#[derive(Debug, Clone)]
pub struct Stages {
    /// The file, as the user named it.
    pub file: PathBuf,
    /// Its text, into which all spans point.
    pub text: Arc<str>,
    /// The stages that are right, in their order.
    pub list: Vec<Component>,
    /// What is wrong; nothing if all stages are there.
    pub problems: Vec<Problem>,
}

/// Reads the stages that `text`, the contents of `file`, names. Name, source and sink may be missing, and are not looked into.
pub fn read_stages(file: &Path, text: impl Into<Arc<str>>, known: &'static [Description]) -> Stages {
    let text = text.into();
    let mut problems = Vec::new();
    let base = file.parent().unwrap_or(Path::new(""));
    let catalog = Catalog { sources: &[], stages: known, sinks: &[] };
    let list = yaml::load(&text, &mut problems)
        .and_then(|node| Decoder::new(Checker { base, problems: &mut problems }, &catalog).only_stages(&node));
    Stages { file: file.to_owned(), text, list: list.unwrap_or_default(), problems }
}

impl Stages {
    /// Adds what later checks found wrong: a missing model, stages that do not fit.
    ///
    /// # Errors
    /// All that is wrong, if anything is.
    pub fn check(&self, more: Vec<Problem>) -> Result<(), Report> {
        let problems: Vec<Problem> = self.problems.iter().cloned().chain(more).collect();
        if problems.is_empty() { Ok(()) } else { Err(Report::new(self.file.clone(), self.text.clone(), problems)) }
    }
}
