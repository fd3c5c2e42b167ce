//! The way of one job through a pipeline: open, decode, stages, sink, originals.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crossbeam::channel::Sender;

use super::Pipeline;
use crate::crew::Crew;
use crate::error::{Error, Kind, Result};
use crate::media::{self, Media};
use crate::source::Stamp;

/// A file to be worked on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Input {
    /// Where it lies.
    pub path: PathBuf,
    /// Its path within its source, mirrored by the sink.
    pub relative: PathBuf,
    /// Its state when it was found ready.
    pub stamp: Stamp,
}

/// Work to be done: one input, or as many as the source groups.
#[derive(Debug)]
pub struct Job {
    /// Whose it is.
    pub pipeline: Arc<Pipeline>,
    /// What it is made of, in this order.
    pub inputs: Vec<Input>,
    /// Where the ticket goes home.
    pub home: Sender<Ticket>,
}

/// What became of a job; the only thing that travels back.
#[derive(Debug)]
pub struct Ticket {
    /// The job's inputs.
    pub inputs: Vec<Input>,
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
    /// An input was gone, or has changed meanwhile: no result, and no fault of anyone's.
    Vanished,
    /// It failed; the inputs are unchanged.
    Failed {
        /// Why.
        error: Error,
        /// Which of the inputs it is about, if not all of them.
        culprit: Option<usize>,
    },
    /// The daemon is stopping, and it was not begun.
    Dropped,
}

impl Job {
    /// Does the work, on this thread and on idle helpers of the crew.
    pub(super) fn run(&self, crew: &Crew) -> Outcome {
        match self.work(crew) {
            Ok(paths) => Outcome::Done(paths),
            // A writer that was slower than it seemed, or a user who thought better of it: not a bad file.
            Err(_) if !self.inputs.iter().all(Input::is_unchanged) => Outcome::Vanished,
            Err((error, culprit)) => Outcome::Failed { error, culprit },
        }
    }

    fn work(&self, crew: &Crew) -> Result<Vec<PathBuf>, (Error, Option<usize>)> {
        let blame = |index| move |error| (error, Some(index));
        let all = |error| (error, None);
        let mut media = Vec::new();
        for (index, input) in self.inputs.iter().enumerate() {
            media.push(self.read(input).map_err(blame(index))?);
        }
        let results = self.pipeline.process(media, crew).map_err(all)?;
        // Work takes a while. What changed meanwhile is done anew as what it is now, and this result is not wanted.
        if let Some(index) = self.inputs.iter().position(|input| !input.is_unchanged()) {
            let e = Error::new(Kind::NoInput, "it changed while it was worked on").at(&self.inputs[index].path);
            return Err((e, Some(index)));
        }
        let relative: Vec<&Path> = self.inputs.iter().map(|input| input.relative.as_path()).collect();
        let mut paths = Vec::new();
        for (index, result) in results.into_iter().enumerate() {
            paths.push(self.pipeline.sink.write(result, &relative, &self.pipeline.name, index + 1).map_err(all)?);
        }
        // The result is safe; an original that cannot be moved or deleted stays, and that is told but undoes nothing.
        for input in self.inputs.iter().filter(|input| input.is_unchanged()) {
            if let Err(e) = self.pipeline.sink.dispose(&input.path, &input.relative) {
                tracing::warn!(mend = e.mend_text(), "the original stays: {e}");
            }
        }
        Ok(paths)
    }

    fn read(&self, input: &Input) -> Result<Media> {
        let file = open(&input.path, &input.relative)?;
        let read = file.metadata().map(|m| Stamp::from(&m)).map_err(|e| Error::io("read", &input.path, e))?;
        if read != input.stamp {
            return Err(Error::new(Kind::NoInput, "it changed before it was read").at(&input.path));
        }
        media::read(self.pipeline.takes, file, &input.relative, &self.pipeline.source.limits)
    }
}

impl Input {
    /// Whether the file is still the one that was found.
    pub fn is_unchanged(&self) -> bool {
        Stamp::of(&self.path).is_ok_and(|now| now == self.stamp)
    }
}

/// Opens a regular file, and nothing else: a link could lead to a secret, a pipe could block for ever, a device could do anything.
///
/// `relative` is the end of `path` that a stranger may have made: in all of it, folders included, no link is followed.
///
/// # Errors
/// Kind input for what is no regular file, kind no-input for what cannot be opened.
fn open(path: &Path, relative: &Path) -> Result<File> {
    let refuse = |what: &str| {
        Err(Error::new(Kind::Input, format!("{what}, not a file")).at(path).mend("put the file itself into the folder"))
    };
    let file = match open_without_links(path, relative) {
        Ok(file) => file,
        Err(e) if e.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => return refuse("a link"),
        // What a socket, or a device without a driver, says.
        Err(e) if e.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => {
            return refuse("a socket or device");
        }
        Err(e) => return Err(Error::io("read", path, e)),
    };
    match file.metadata() {
        Ok(m) if m.is_file() => Ok(file),
        Ok(_) => refuse("a pipe, socket, device or folder"),
        Err(e) => Err(Error::io("read", path, e)),
    }
}

#[cfg(target_os = "linux")]
fn open_without_links(path: &Path, relative: &Path) -> std::io::Result<File> {
    use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    // What stands before `relative` is the user's own: there links are welcome.
    let depth = relative.components().count();
    let root = path.ancestors().nth(depth).filter(|root| !root.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let root = openat(CWD, root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    match openat2(&root, relative, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS | ResolveFlags::BENEATH) {
        // Kernels before 5.6, and sandboxes that do not know the call.
        Err(rustix::io::Errno::NOSYS | rustix::io::Errno::PERM) => {
            Ok(openat(CWD, path, flags, Mode::empty()).map(File::from)?)
        }
        other => Ok(other.map(File::from)?),
    }
}

#[cfg(not(target_os = "linux"))]
fn open_without_links(path: &Path, _: &Path) -> std::io::Result<File> {
    use rustix::fs::{CWD, Mode, OFlags, openat};
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(openat(CWD, path, flags, Mode::empty()).map(File::from)?)
}
