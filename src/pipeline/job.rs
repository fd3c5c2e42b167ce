//! One input's way through a pipeline: open, decode, stages, sink, original.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crossbeam::channel::Sender;

use super::Pipeline;
use crate::crew::Crew;
use crate::error::{Error, Kind, Result};
use crate::media::{Media, image};
use crate::source::Stamp;

/// An input to be worked on.
#[derive(Debug)]
pub struct Job {
    /// Whose it is.
    pub pipeline: Arc<Pipeline>,
    /// Where it lies.
    pub path: PathBuf,
    /// Its path within its source, mirrored by the sink.
    pub relative: PathBuf,
    /// Its state when it was found ready.
    pub stamp: Stamp,
    /// Where the ticket goes home.
    pub home: Sender<Ticket>,
}

/// What became of a job; the only thing that travels back.
#[derive(Debug)]
pub struct Ticket {
    /// The job's path.
    pub path: PathBuf,
    /// The job's stamp.
    pub stamp: Stamp,
    /// What became of it.
    pub outcome: Outcome,
    /// How long it took.
    pub elapsed: std::time::Duration,
}

/// How a job ended.
#[derive(Debug)]
pub enum Outcome {
    /// Its results are safe, here.
    Done(Vec<PathBuf>),
    /// The input was gone, or has changed meanwhile: no result, and no fault of anyone's.
    Vanished,
    /// It failed; the input is unchanged.
    Failed(Error),
    /// The daemon is stopping, and it was not begun.
    Dropped,
}

impl Job {
    /// Does the work, on this thread and on idle helpers of the crew.
    pub(super) fn run(&self, crew: &Crew) -> Outcome {
        match self.work(crew) {
            Ok(paths) => Outcome::Done(paths),
            // A writer that was slower than it seemed, or a user who thought better of it: not a bad file.
            Err(_) if Stamp::of(&self.path).ok() != Some(self.stamp) => Outcome::Vanished,
            Err(e) => Outcome::Failed(e),
        }
    }

    fn work(&self, crew: &Crew) -> Result<Vec<PathBuf>> {
        let media = Media::Image(read(&self.path, &self.relative, &self.pipeline)?);
        let results = self.pipeline.process(vec![media], crew)?;
        let mut paths = Vec::new();
        for (index, result) in results.iter().enumerate() {
            paths.push(self.pipeline.sink.write(result, &self.relative, &self.pipeline.name, index + 1)?);
        }
        // The result is safe; an original that cannot be moved or deleted stays, and that is told but undoes nothing.
        if let Err(e) = self.pipeline.sink.dispose(&self.path, &self.relative) {
            tracing::warn!(mend = e.mend_text(), "the original stays: {e}");
        }
        Ok(paths)
    }
}

fn read(path: &Path, shown: &Path, pipeline: &Pipeline) -> Result<image::Image> {
    let file = open(path)?;
    image::decode::read(file, shown, &pipeline.limits)
}

/// Opens a regular file, and nothing else: a link could lead to a secret, a pipe could block for ever, a device could do anything.
///
/// # Errors
/// Kind input for what is no regular file, kind no-input for what cannot be opened.
pub fn open(path: &Path) -> Result<File> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::CLOEXEC;
        options.custom_flags(flags.bits() as i32);
    }
    let refuse = |what: &str| {
        Err(Error::new(Kind::Input, format!("{what}, not a file")).at(path).mend("put the file itself into the folder"))
    };
    let file = match options.open(path) {
        Ok(file) => file,
        Err(_) if std::fs::symlink_metadata(path).is_ok_and(|m| m.file_type().is_symlink()) => return refuse("a link"),
        Err(e) => return Err(Error::io("read", path, e)),
    };
    match file.metadata() {
        Ok(m) if m.is_file() => Ok(file),
        Ok(_) => refuse("a pipe, socket, device or folder"),
        Err(e) => Err(Error::io("read", path, e)),
    }
}
