//! A pipeline put together and ready: source, stages, sink, checked against one another. One worker runs one job through the whole chain;
//! the daemon, `apply` and library users all go this way.

mod damaged;
mod fingerprint;
mod flight;
mod job;
mod lanes;
mod ledger;
#[cfg(feature = "live")]
pub mod live;
mod open;
mod places;
mod pool;
mod shipped;
#[cfg(test)]
pub(crate) mod stub;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::{self, Catalog, Component, Problem, Report, Settings, Value};
use crate::crew::Crew;
use crate::durable::{self, Collision};
use crate::error::{Error, Kind, Result};
use crate::media::image::Work;
use crate::media::{Media, MediaKind};
use crate::model::Models;
use crate::sink::{self, FolderSink, Originals};
use crate::source::{self, FolderSource, resolve};
use crate::stage::{self, Site, Stage};

pub use fingerprint::Fingerprint;
pub use job::{Input, Job, Outcome, Ticket};
pub use ledger::{Claim, Forgetful, Key, Ledger, Verdict};
pub use pool::{Lane, Pool};
pub use shipped::{SHIPPED, Shipped};

/// Everything that a pipeline may name.
pub const CATALOG: Catalog =
    Catalog { sources: source::DESCRIPTIONS, stages: stage::DESCRIPTIONS, sinks: sink::DESCRIPTIONS };

/// A pipeline, ready to run.
#[derive(Debug)]
pub struct Pipeline {
    /// Its name.
    pub name: String,
    /// Tells pipelines apart whose results differ, and those that differ at all.
    pub fingerprint: Fingerprint,
    /// The media of its inputs: what its first stage takes.
    pub takes: MediaKind,
    /// Where its inputs come from.
    pub source: FolderSource,
    /// What is done to them, in this order.
    pub stages: Arc<[Box<dyn Stage>]>,
    /// Where its results go.
    pub sink: FolderSink,
}

impl Pipeline {
    /// Reads a pipeline's file and puts it together.
    ///
    /// # Errors
    /// All that is wrong with it, in form and in sense, as a report; or the file cannot be read.
    pub fn load(file: &Path, models: &Models) -> std::result::Result<Pipeline, LoadError> {
        Loaded::load(file, models)?.files(file)
    }

    /// Puts a checked configuration together: finds models, checks that the parts fit.
    ///
    /// # Errors
    /// All problems at once.
    pub fn build(config: &config::Pipeline, models: &Models) -> std::result::Result<Pipeline, Vec<Problem>> {
        let parts = Parts { source: Some(&config.source), stages: &config.stages, sink: Some(&config.sink) };
        #[cfg(feature = "live")]
        if parts.is_live() {
            return Err(vec![Problem::new(
                config.source.span,
                "a live pipeline is run by `pipeline::live`, not file by file",
            )]);
        }
        let (source, stages, sink) = assemble(&parts, true, &config.file, models)?;
        let fingerprint = Fingerprint::new(&parts, &config.file, models);
        Ok(Pipeline { fingerprint, ..Pipeline::new(&config.name, source, stages, sink) })
    }

    /// A pipeline of parts made in code.
    pub fn new(name: &str, mut source: FolderSource, stages: Vec<Box<dyn Stage>>, sink: FolderSink) -> Pipeline {
        let stages: Arc<[Box<dyn Stage>]> = stages.into();
        let worked_by = Arc::clone(&stages);
        source.limits.work = Work::new(move |picture| stage::memory(&worked_by, picture));
        let takes = takes(&stages);
        Pipeline { name: name.to_owned(), fingerprint: Fingerprint::of_code(&stages), takes, source, stages, sink }
    }

    /// Runs media through all stages.
    ///
    /// # Errors
    /// The first error of a stage, with the stage's name.
    pub fn process(&self, media: Vec<Media>, crew: &Crew) -> Result<Vec<Media>> {
        stage::process(&self.stages, media, crew)
    }

    /// [`Pipeline::process`] with somebody who watches.
    ///
    /// # Errors
    /// The first error of a stage or of the observer.
    pub fn process_watched(&self, media: Vec<Media>, crew: &Crew, observe: stage::Observer) -> Result<Vec<Media>> {
        stage::process_watched(&self.stages, media, crew, observe)
    }
}

/// What a chain of stages takes; pictures, if there is no stage that tells.
fn takes(stages: &[Box<dyn Stage>]) -> MediaKind {
    stages.first().map_or(MediaKind::Image, |stage| stage.takes())
}

/// A pipeline of either sort.
// There are few of them, and each is moved once.
#[allow(clippy::large_enum_variant)]
#[derive(Debug)]
pub enum Loaded {
    /// From folder to folder, file by file.
    Files(Pipeline),
    /// From a microphone to a speaker, as long as it runs.
    #[cfg(feature = "live")]
    Live(live::LivePipeline),
}

impl Loaded {
    /// Reads a pipeline's file and puts it together.
    ///
    /// # Errors
    /// As for [`Pipeline::load`].
    pub fn load(file: &Path, models: &Models) -> std::result::Result<Loaded, LoadError> {
        Loaded::of_text(file, config::read(file)?, models)
    }

    /// [`Loaded::load`] of a file whose text is known.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn of_text(file: &Path, text: String, models: &Models) -> std::result::Result<Loaded, LoadError> {
        let parsed = config::Parsed::new(file, text, &CATALOG);
        let mut problems = parsed.problems.clone();
        problems.extend(damaged::problems(&parsed.damaged, &site(file, models)));
        // What is right in form is looked into even if something else is wrong, so that all mistakes are told at once.
        let parts = Parts { source: parsed.source.as_ref(), stages: &parsed.stages, sink: parsed.sink.as_ref() };
        let name = parsed.name.clone().unwrap_or_default();
        let files = || {
            let (source, stages, sink) = assemble(&parts, problems.is_empty(), file, models)?;
            let fingerprint = Fingerprint::new(&parts, file, models);
            Ok(Loaded::Files(Pipeline { fingerprint, ..Pipeline::new(&name, source, stages, sink) }))
        };
        #[cfg(feature = "live")]
        let built = if parts.is_live() {
            let fingerprint = || Fingerprint::new(&parts, file, models);
            live::LivePipeline::assemble(&name, &parts, &site(file, models), fingerprint).map(Loaded::Live)
        } else {
            files()
        };
        #[cfg(not(feature = "live"))]
        let built = files();
        match built {
            Ok(built) if problems.is_empty() => Ok(built),
            built => {
                problems.extend(built.err().unwrap_or_default());
                Err(LoadError::Report(Report::new(file, parsed.text, problems)))
            }
        }
    }

    /// The pipeline of `file` if it goes from folder to folder.
    ///
    /// # Errors
    /// Kind config: it is a live one.
    pub fn files(self, file: &Path) -> std::result::Result<Pipeline, LoadError> {
        match self {
            Loaded::Files(pipeline) => Ok(pipeline),
            #[cfg(feature = "live")]
            Loaded::Live(_) => {
                let what = "this pipeline goes from a microphone to a speaker, not from file to file";
                Err(Error::new(Kind::Config, what).at(file).mend("start it with `latentd run`").into())
            }
        }
    }
}

/// The components of a pipeline, as far as they are right in form.
struct Parts<'a> {
    source: Option<&'a Component>,
    stages: &'a [Component],
    sink: Option<&'a Component>,
}

#[cfg(feature = "live")]
impl Parts<'_> {
    /// Whether one end of it is a sound device.
    fn is_live(&self) -> bool {
        let named = |part: Option<&Component>, name| part.is_some_and(|c| c.description.name == name);
        named(self.source, source::MICROPHONE) || named(self.sink, sink::SPEAKER)
    }
}

fn site<'a>(file: &'a Path, models: &'a Models) -> Site<'a> {
    Site { models, folder: file.parent().unwrap_or(Path::new(".")) }
}

type Assembled = (FolderSource, Vec<Box<dyn Stage>>, FolderSink);

/// Builds all parts and checks that they fit; `complete` tells whether there are no others that could not be read.
fn assemble(
    parts: &Parts,
    complete: bool,
    file: &Path,
    models: &Models,
) -> std::result::Result<Assembled, Vec<Problem>> {
    let (stages, mut problems) = stage::build_chain(parts.stages, complete, &site(file, models));
    let takes = takes(&stages);
    let source =
        parts.source.map(|source| FolderSource::build(source, takes)).transpose().map_err(|more| problems.extend(more));
    // Of stages that are missing, nobody knows what the last one would have given.
    let whole = complete && stages.len() == parts.stages.len();
    let yields = whole.then(|| stages.last().map_or(MediaKind::Image, |stage| stage.yields()));
    let sink = parts.sink.map(|sink| FolderSink::build(sink, yields)).transpose().map_err(|more| problems.extend(more));
    if let (true, Ok(Some(source))) = (whole && problems.is_empty(), &source) {
        problems.extend(stage::check_pieces(&stages, parts.stages, source.group).err());
    }
    let (Ok(Some(mut source)), Ok(Some(sink)), Some(component)) = (source, sink, parts.sink) else {
        return Err(problems);
    };
    for (what, setting, path) in watched_outputs(&source, &sink) {
        let text = format!("{what} writes into the folder that the source watches: results would be taken as inputs");
        problems.push(
            Problem::new(component.settings.span(setting), text)
                .label(crate::error::show_path(&path))
                .mend("use a folder beside the source's"),
        );
    }
    for (what, setting, path) in overwritten_outputs(&sink) {
        let text = format!("{what} puts files where results may replace them");
        let problem = Problem::new(component.settings.span(setting), text).label(crate::error::show_path(&path));
        problems.push(problem.mend("use another folder, or leave `overwrite` out"));
    }
    for (setting, path) in linked_outputs(&source, &component.settings) {
        let text = "a link that lies in the folder that the source watches leads there, and others may put another in its place";
        let problem = Problem::new(component.settings.span(setting), text).label(crate::error::show_path(&path));
        problems.push(problem.mend("name the folder that it leads to"));
    }
    source.keep_out = outputs(&sink).into_iter().map(|(.., path)| resolve(path)).collect();
    // A folder around the source's is no business of the source either way.
    source.keep_out.retain(|path| path.starts_with(&source.root) && *path != source.root);
    if problems.is_empty() { Ok((source, stages, sink)) } else { Err(problems) }
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

/// Where a sink writes: what, by which setting, and the folder.
pub fn outputs(sink: &FolderSink) -> Vec<(&'static str, &'static str, &Path)> {
    let mut outputs =
        vec![("the sink", "path", sink.root.as_path()), ("`quarantine`", "quarantine", sink.quarantine.as_path())];
    if let Originals::Move(folder) = &sink.originals {
        outputs.push(("`originals: move`", "originals", folder));
    }
    outputs
}

/// The folder that the names of results lead into, and whether they may lead into any folder below it.
pub fn named_folder(sink: &FolderSink) -> (PathBuf, bool) {
    let folder = match &sink.gather {
        Some((table, _)) => table.parent(),
        None => sink.name.literal_folder(),
    };
    (resolve(&sink.root.join(folder.unwrap_or(Path::new("")))), folder.is_none())
}

/// Places where the pipeline would find its own results.
fn watched_outputs(source: &FolderSource, sink: &FolderSink) -> Vec<(&'static str, &'static str, PathBuf)> {
    let inside = |path: &Path| *path == source.root || (source.recursive && path.starts_with(&source.root));
    let outputs = outputs(sink).into_iter().map(|(what, setting, path)| (what, setting, resolve(path)));
    let mut watched: Vec<_> = outputs.filter(|(_, _, path)| inside(path)).collect();
    let (folder, anywhere) = named_folder(sink);
    let led_into = inside(&folder) || (anywhere && source.root.starts_with(&folder));
    // Where the sink's own folder is watched, that is the mistake.
    if led_into && watched.iter().all(|(_, setting, _)| *setting != "path") {
        let (what, setting) = if sink.gathers() { ("`gather`", "gather") } else { ("`name`", "name") };
        watched.push((what, setting, folder));
    }
    watched
}

/// Places of the sink's, beside that of results, where results would take the place of what lies there.
fn overwritten_outputs(sink: &FolderSink) -> Vec<(&'static str, &'static str, PathBuf)> {
    let replaces = sink.collision == Collision::Replace && !sink.gathers();
    let (named, root) = (named_folder(sink).0, resolve(&sink.root));
    let others = outputs(sink).into_iter().filter(|(_, setting, _)| replaces && *setting != "path");
    let others = others.map(|(what, setting, path)| (what, setting, resolve(path)));
    others.filter(|(.., path)| *path == root || *path == named).collect()
}

/// Links below the source's folder on the way to where the sink writes: a stranger may have made them, and after the start none is followed.
fn linked_outputs(source: &FolderSource, settings: &Settings) -> Vec<(&'static str, PathBuf)> {
    let root = settings.path("path");
    let beside = || root.parent().unwrap_or(root).join("quarantine");
    let quarantine = settings.get("quarantine").and_then(Value::as_path).map_or_else(beside, Path::to_path_buf);
    let mut paths = vec![("path", root), ("quarantine", quarantine.as_path())];
    if let Some(Value::Map(map)) = settings.get("originals") {
        paths.push(("originals", map.path("move")));
    }
    let paths = paths.into_iter().map(|(setting, path)| (setting, std::path::absolute(path).unwrap_or_default()));
    let links = paths.filter_map(|(setting, path)| {
        let lies_within = |link: &&Path| link.parent().is_some_and(|folder| resolve(folder).starts_with(&source.root));
        let link = path.ancestors().find(|path| path.is_symlink() && lies_within(path))?;
        Some((setting, link.to_path_buf()))
    });
    links.collect()
}

/// Makes the folders of a pipeline, guards what lies below its source, and sees that results can be written: told before work begins, not at the first
/// result. The file that is written for that bears `mark`, by which the next start knows it if this one ends in between.
///
/// # Errors
/// Kind config, output or transient.
pub fn prepare_folders(pipeline: &Pipeline, mark: &str) -> Result<()> {
    let (source, sink) = (&pipeline.source.root, &pipeline.sink.root);
    // A file of that name does not pass by itself, as a share that is away does.
    if source.exists() && !source.is_dir() {
        return Err(Error::new(Kind::Config, "the source is not a folder").at(source));
    }
    std::fs::create_dir_all(source).map_err(|e| Error::io("make the folder", source, e))?;
    durable::guard(source);
    drop(durable::Draft::marked(&sink.join("probe"), mark)?);
    Ok(())
}
