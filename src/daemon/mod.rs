//! Keeps pipelines running: one feed for each pipeline finds its inputs, one pool of workers does the work, one supervisor starts them, changes
//! them and ends them, and shows on a board how they are.

mod board;
mod confine;
pub mod control;
pub mod doctor;
mod feed;
pub mod journal;
#[cfg(feature = "live")]
mod live;
mod member;
mod metrics;
mod notify;
mod prepare;
pub mod service;
pub mod status;
mod supervisor;
mod together;
mod trial;
mod wishes;

use std::path::PathBuf;
use std::sync::Arc;

use crossbeam::channel::{Receiver, Sender};

use crate::error::{Error, Kind, Result};
#[cfg(feature = "live")]
use crate::pipeline::live::LivePipeline;
use crate::pipeline::{Pipeline, outputs};
use crate::source::resolve;
use status::Reload;
use supervisor::Supervisor;

pub use board::Board;
pub use confine::confine;
pub use prepare::prepare;
pub use trial::Trial;

/// How to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Worker threads.
    pub threads: usize,
    /// Folder for what must be remembered from one start to the next.
    pub state: PathBuf,
    /// Whether files that are done already are done again.
    pub again: bool,
}

/// A pipeline and where it was read from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The file.
    pub file: PathBuf,
    /// The pipeline.
    pub work: Work,
}

/// A pipeline of either sort.
#[derive(Debug, Clone)]
pub enum Work {
    /// From folder to folder.
    Folder(Arc<Pipeline>),
    /// From a microphone to a speaker.
    #[cfg(feature = "live")]
    Live(Arc<LivePipeline>),
}

impl Loaded {
    /// The pipeline's name.
    pub fn name(&self) -> &str {
        match &self.work {
            Work::Folder(pipeline) => &pipeline.name,
            #[cfg(feature = "live")]
            Work::Live(pipeline) => &pipeline.name,
        }
    }

    /// It, if it goes from folder to folder.
    pub fn folder(&self) -> Option<&Arc<Pipeline>> {
        match &self.work {
            Work::Folder(pipeline) => Some(pipeline),
            #[cfg(feature = "live")]
            Work::Live(_) => None,
        }
    }

    /// Whether the other one does exactly the same.
    fn is_same(&self, other: &Loaded) -> bool {
        match (&self.work, &other.work) {
            (Work::Folder(a), Work::Folder(b)) => a.fingerprint.whole == b.fingerprint.whole && leads_to(a, b),
            #[cfg(feature = "live")]
            (Work::Live(a), Work::Live(b)) => a.fingerprint.whole == b.fingerprint.whole,
            #[cfg(feature = "live")]
            _ => false,
        }
    }
}

/// Whether two pipelines of the same settings have the same folders: a link on the way may lead elsewhere by now. One that leads to nothing, as to a
/// share that is away, is none that was turned.
fn leads_to(a: &Pipeline, b: &Pipeline) -> bool {
    folders(a).iter().zip(folders(b)).all(|(before, now)| *before == now || !now.exists())
}

/// The folders of a pipeline, the source's first.
fn folders(pipeline: &Pipeline) -> Vec<PathBuf> {
    let outputs = outputs(&pipeline.sink).into_iter().map(|(.., path)| path.to_path_buf());
    std::iter::once(pipeline.source.root.clone()).chain(outputs).collect()
}

/// A pipeline that could not be started, as it is by now: a link that led nowhere, to a share that was away, may lead to a folder again, and the journal is
/// by the folder's true name.
fn renewed(loaded: Loaded, load: &Load) -> Loaded {
    let is_true = |folder: &PathBuf| resolve(folder) == *folder;
    if loaded.folder().is_none_or(|pipeline| folders(pipeline).iter().all(is_true)) {
        return loaded;
    }
    let all = load().ok().filter(|all| check_together(all).is_ok());
    let whole = |loaded: &Loaded| loaded.folder().map(|pipeline| pipeline.fingerprint.whole.clone());
    let mut same = all.into_iter().flatten().filter(|new| new.name() == loaded.name() && whole(new) == whole(&loaded));
    same.next().unwrap_or(loaded)
}

/// Reads all pipelines, at the start and at each reload. The error lists all that is wrong.
pub type Load = dyn Fn() -> std::result::Result<Vec<Loaded>, Vec<String>> + Send;

/// What the supervisor is told, by signals, by the control API and by the threads it has started.
#[derive(Debug)]
pub enum Event {
    /// Finish what is begun, and end.
    Stop,
    /// Work off what has arrived, and end.
    Drain,
    /// Read the configuration again; whoever asked may wait for how it went.
    Reload(Option<Sender<Reload>>),
    /// Hand over no more files of this pipeline.
    Pause(String),
    /// Hand them over again.
    Resume(String),
    /// Let the sound of this pipeline pass as it is.
    Bypass(String),
    /// Let it go through the stages again.
    Engage(String),
    /// Let the stages' share of this pipeline's sound be this, 0..=1.
    Strength(String, f32),
    /// A pipeline's thread has come to its end.
    Ended {
        /// Which of the threads that were ever started.
        id: u64,
        /// Why, if it did so by itself.
        failed: Option<String>,
    },
}

/// Sees that pipelines fit together, beyond what each of them is by itself.
///
/// # Errors
/// All that is wrong.
pub fn check_together(all: &[Loaded]) -> std::result::Result<(), Vec<String>> {
    let wrong = together::misfits(all);
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// Runs pipelines until told to stop; then finishes what is begun. `events` is both ends of the channel on which it is told.
///
/// # Errors
/// At the start: pipelines that cannot be run together, a file in the place of a folder, no threads from the system, journals all of which are in use.
/// Later nothing is an error: what goes wrong is shown on the board, and tried again.
pub fn run(
    pipelines: Vec<Loaded>,
    load: Box<Load>,
    options: &Options,
    board: Arc<Board>,
    events: (Sender<Event>, Receiver<Event>),
) -> Result<()> {
    check_together(&pipelines).map_err(|wrong| Error::new(Kind::Config, wrong.join("; ")))?;
    let mut supervisor = Supervisor::new(load, options.clone(), board, events)?;
    supervisor.start(pipelines)?;
    supervisor.run();
    Ok(())
}
