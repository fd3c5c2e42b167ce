//! Keeps pipelines running: one feed for each pipeline finds its inputs, one pool of workers does the work.

mod feed;
mod journal;
#[cfg(feature = "live")]
pub mod live;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use crossbeam::channel::{Receiver, bounded, select};

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
    let (halt, halted) = bounded::<()>(0);
    // All are made before one begins, so that a mistake in the last does not stop the first in mid-work.
    let mut feeds = Vec::new();
    for pipeline in pipelines {
        prepare_folders(&pipeline)?;
        let journal = Journal::open(&options.state, &pipeline, options.again)?;
        feeds.push(Feed::new(Arc::new(pipeline), pool.jobs(), journal, halted.clone())?);
    }
    let (died, deaths) = bounded(feeds.len());
    let mut threads = Vec::new();
    for mut feed in feeds {
        let died = died.clone();
        let thread = std::thread::Builder::new().name("feed".into()).spawn(move || {
            if catch_unwind(AssertUnwindSafe(|| feed.run())).is_err() {
                let _ = died.send(());
            }
        });
        threads.push(thread.map_err(|e| Error::new(Kind::Transient, "no thread for a pipeline").because(e))?);
    }
    let outcome = select! {
        // A message and a lost sender mean the same.
        recv(stop) -> _ => Ok(()),
        recv(deaths) -> _ => Err(Error::new(Kind::Bug, "a pipeline's watch has failed").mend("start latentd again, and report it")),
    };
    tracing::info!("stopping: what is begun is finished");
    pool.stop();
    drop(halt);
    for thread in threads {
        let _ = thread.join();
    }
    pool.finish();
    outcome
}
