//! A pipeline put together and ready: source, stages, sink, checked against one another. One worker runs one job through the whole chain;
//! the daemon, `apply` and library users all go this way.

mod job;
mod pool;

use std::path::Path;

use crate::config::{self, Catalog, Component, Description, Problem, Report};
use crate::crew::Crew;
use crate::error::{Error, Kind, Result};
use crate::media::image::Limits;
use crate::media::{Media, MediaKind};
use crate::model::Models;
use crate::sink::{self, FolderSink, Originals};
use crate::source::{self, FolderSource, resolve};
use crate::stage::{self, Context, Site, Stage};

pub use job::{Job, Outcome, Ticket};
pub use pool::Pool;

/// Everything that a pipeline may name.
pub const CATALOG: Catalog =
    Catalog { sources: source::DESCRIPTIONS, stages: stage::DESCRIPTIONS, sinks: sink::DESCRIPTIONS };

/// A pipeline, ready to run.
#[derive(Debug)]
pub struct Pipeline {
    /// Its name.
    pub name: String,
    /// Where its inputs come from.
    pub source: FolderSource,
    /// What is done to them, in this order.
    pub stages: Vec<Box<dyn Stage>>,
    /// Where its results go.
    pub sink: FolderSink,
    /// What inputs may cost.
    pub limits: Limits,
}

impl Pipeline {
    /// Reads a pipeline's file and puts it together.
    ///
    /// # Errors
    /// All that is wrong with it, as a report; or the file cannot be read.
    pub fn load(file: &Path, models: &Models) -> std::result::Result<Pipeline, LoadError> {
        let text = config::read(file)?;
        let parsed = config::Pipeline::decode(file, text, &CATALOG).map_err(LoadError::Report)?;
        Pipeline::build(&parsed, models).map_err(|problems| LoadError::Report(parsed.report(problems)))
    }

    /// Puts a checked configuration together: finds models, checks that the parts fit.
    ///
    /// # Errors
    /// All problems at once.
    pub fn build(config: &config::Pipeline, models: &Models) -> std::result::Result<Pipeline, Vec<Problem>> {
        let folder = config.file.parent().unwrap_or(Path::new("."));
        let site = Site { models, folder };
        let mut problems = Vec::new();
        let mut stages: Vec<(usize, Box<dyn Stage>)> = Vec::new();
        for (index, component) in config.stages.iter().enumerate() {
            match build_stage(component, &site) {
                Ok(stage) => stages.push((index, stage)),
                Err(more) => problems.extend(more),
            }
        }
        let kinds: Vec<Joint> = stages
            .iter()
            .map(|(index, s)| Joint { index: *index, name: s.name(), takes: s.takes(), yields: s.yields() })
            .collect();
        for (index, message) in misfits(&kinds) {
            problems.push(
                Problem::new(config.stages[index].span, message)
                    .mend("change the order of the stages, or leave one out"),
            );
        }
        let source = FolderSource::build(&config.source).map_err(|more| problems.extend(more));
        let sink = FolderSink::build(&config.sink).map_err(|more| problems.extend(more));
        let (Ok(mut source), Ok(sink)) = (source, sink) else { return Err(problems) };
        for (what, path) in watched_outputs(&source, &sink) {
            let setting = if what == "the sink" { "path" } else { "originals" };
            let text =
                format!("{what} writes into the folder that the source watches: results would be taken as inputs");
            problems
                .push(Problem::new(config.sink.settings.span(setting), text).label(crate::error::show_path(&path)).mend(
                "use a folder beside the source's, or set `recursive: false` in the source and use a folder within it",
            ));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        source.keep_out = [Some(&sink.root), Some(&sink.quarantine), moved_to(&sink)]
            .into_iter()
            .flatten()
            .map(|path| resolve(path))
            .filter(|path| *path != source.root)
            .collect();
        let stages = stages.into_iter().map(|(_, stage)| stage).collect();
        Ok(Pipeline { name: config.name.clone(), source, stages, sink, limits: Limits::default() })
    }

    /// Runs media through all stages.
    ///
    /// # Errors
    /// The first error of a stage, with the stage's name.
    pub fn process(&self, media: Vec<Media>, crew: &Crew) -> Result<Vec<Media>> {
        process(&self.stages, media, crew)
    }
}

/// Runs media through stages, one after another.
///
/// # Errors
/// The first error of a stage.
pub fn process(stages: &[Box<dyn Stage>], mut media: Vec<Media>, crew: &Crew) -> Result<Vec<Media>> {
    for (index, stage) in stages.iter().enumerate() {
        let context = Context { crew: crew.clone(), intermediate: index + 1 < stages.len() };
        media = stage.run(media, &context)?;
    }
    Ok(media)
}

/// Builds one stage from its settings; library users build chains of their own with it.
///
/// # Errors
/// All problems at once.
pub fn build_stage(component: &Component, site: &Site) -> std::result::Result<Box<dyn Stage>, Vec<Problem>> {
    let name = component.description.name;
    match stage::STAGES.iter().find(|(d, _): &&(Description, stage::Build)| d.name == name) {
        Some((_, build)) => build(component, site),
        None => Err(vec![Problem::new(component.span, format!("there is no stage `{name}`"))]),
    }
}

/// Why a pipeline could not be loaded.
#[derive(Debug)]
pub enum LoadError {
    /// The file has mistakes.
    Report(Report),
    /// The file cannot be read.
    Other(Error),
}

impl From<Error> for LoadError {
    fn from(error: Error) -> Self {
        LoadError::Other(error)
    }
}

impl From<LoadError> for Error {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Report(report) => report.into(),
            LoadError::Other(error) => error,
        }
    }
}

/// What of a stage matters for fitting it to its neighbours.
struct Joint {
    index: usize,
    name: &'static str,
    takes: MediaKind,
    yields: MediaKind,
}

fn misfits(joints: &[Joint]) -> Vec<(usize, String)> {
    let pairs = joints.windows(2).filter(|pair| pair[0].yields != pair[1].takes);
    pairs
        .map(|pair| {
            let (before, after) = (&pair[0], &pair[1]);
            let message = format!(
                "stage {} `{}` takes {}, stage {} `{}` yields {}",
                after.index + 1,
                after.name,
                after.takes.with_article(),
                before.index + 1,
                before.name,
                before.yields.with_article()
            );
            (after.index, message)
        })
        .collect()
}

/// Places where the pipeline would find its own results.
fn watched_outputs(source: &FolderSource, sink: &FolderSink) -> Vec<(&'static str, std::path::PathBuf)> {
    let root = resolve(&source.root);
    let inside = |path: &Path| {
        let path = resolve(path);
        // Folders within are passed over when watching, so only the very folder is forbidden, and one around it that mirrors into it.
        path == root || (source.recursive && path.starts_with(&root))
    };
    let mut found = Vec::new();
    if inside(&sink.root) {
        found.push(("the sink", sink.root.clone()));
    }
    if let Some(folder) = moved_to(sink)
        && inside(folder)
    {
        found.push(("`originals: move`", folder.clone()));
    }
    found
}

fn moved_to(sink: &FolderSink) -> Option<&std::path::PathBuf> {
    match &sink.originals {
        Originals::Move(folder) => Some(folder),
        _ => None,
    }
}

/// A folder for results must be a folder that can be written; told before work begins, not at the first result.
///
/// # Errors
/// Kind output or transient.
pub fn prepare_folders(pipeline: &Pipeline) -> Result<()> {
    for folder in [&pipeline.source.root, &pipeline.sink.root] {
        std::fs::create_dir_all(folder).map_err(|e| Error::io("make the folder", folder, e))?;
    }
    if !pipeline.source.root.is_dir() {
        return Err(Error::new(Kind::Config, "the source is not a folder").at(&pipeline.source.root));
    }
    Ok(())
}
