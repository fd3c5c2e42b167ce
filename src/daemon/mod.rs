//! Keeps pipelines running: one feed for each pipeline finds its inputs, one pool of workers does the work.

mod feed;
mod journal;

use std::path::PathBuf;
use std::sync::Arc;

use crossbeam::channel::Receiver;

use crate::error::{Error, Kind, Result};
use crate::pipeline::{Pipeline, Pool, prepare_folders};
use feed::Feed;

pub use journal::Journal;

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

/// Runs pipelines until `stop` gives a message or its sender is dropped; then finishes what is begun.
///
/// # Errors
/// A folder cannot be made, watched or written, or the system gives no threads. What happens to single inputs is no error.
pub fn run(pipelines: Vec<Pipeline>, options: &Options, stop: &Receiver<()>) -> Result<()> {
    let pool = Pool::new(options.threads)?;
    let (halt, halted) = crossbeam::channel::bounded::<()>(0);
    let mut feeds = Vec::new();
    for pipeline in pipelines {
        prepare_folders(&pipeline)?;
        let journal = Journal::open(&options.state, &pipeline, options.again)?;
        let mut feed = Feed::new(Arc::new(pipeline), pool.jobs(), journal, halted.clone())?;
        let thread = std::thread::Builder::new()
            .name("feed".into())
            .spawn(move || feed.run())
            .map_err(|e| Error::new(Kind::Transient, "no thread for a pipeline").because(e))?;
        feeds.push(thread);
    }
    // A message and a lost sender mean the same.
    let _ = stop.recv();
    tracing::info!("stopping: what is begun is finished");
    pool.stop();
    drop(halt);
    for feed in feeds {
        if feed.join().is_err() {
            tracing::error!("a pipeline's feed had panicked");
        }
    }
    pool.finish();
    Ok(())
}
