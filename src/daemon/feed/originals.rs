//! Originals that are done and were to be moved or deleted, and could not be: they stay where they are and are tried again.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::super::journal::{Unsettled, sign_of};
use super::Feed;
use super::hold::backoff;
use crate::durable::{self, Stamp};
use crate::error::{Error, Result};
use crate::pipeline::{Input, Key, Ledger};
use crate::sink::Originals;
use crate::source::identity;

/// How long files may wait for originals to be taken away: to another disk each is copied.
const PATIENCE: Duration = Duration::from_secs(1);

/// What stays, and why.
#[derive(Debug, Default)]
pub(super) struct Stuck {
    jobs: VecDeque<Unsettled>,
    /// Of the last one that failed, for people.
    reason: String,
    due: Option<Instant>,
    /// How often none could be taken away, one time after the other.
    tries: u32,
}

impl Stuck {
    /// How many jobs left originals.
    pub fn count(&self) -> usize {
        self.jobs.len()
    }

    /// Why, for people.
    pub fn reason(&self) -> Option<String> {
        (!self.jobs.is_empty()).then(|| format!("originals stay: {}", self.reason))
    }

    /// When they are tried again.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Whether they are to be tried now.
    pub fn is_due(&self) -> bool {
        self.due.is_some_and(|due| due <= Instant::now())
    }

    fn push(&mut self, job: Unsettled, error: &Error) {
        self.jobs.push_back(job);
        self.reason = error.to_string();
        self.due.get_or_insert_with(|| Instant::now() + backoff(self.tries));
    }
}

impl Feed {
    /// Keeps in mind originals whose results were safe when the program ended, to be seen to at once.
    pub(super) fn settle_originals(&mut self, unsettled: Vec<Unsettled>) {
        self.done.extend(unsettled.iter().flat_map(|(_, files)| files).map(|(_, sign)| *sign));
        if !unsettled.is_empty() {
            self.stuck = Stuck {
                jobs: unsettled.into(),
                reason: "latentd ended before".into(),
                due: Some(Instant::now()),
                tries: 0,
            };
        }
    }

    /// Keeps in mind the originals of a job that has just come home.
    pub(super) fn note_stuck(&mut self, key: Key, inputs: &[Input], error: &Error) {
        let files = inputs.iter().map(|input| (input.path.clone(), sign_of(&input.path, input.stamp))).collect();
        self.keep((key, files), error);
    }

    /// Once they are due, up to the first that stays: most often all do for one reason. What fails as before is not told each time: the status
    /// shows it.
    pub(super) fn try_stuck_again(&mut self) {
        if !self.stuck.is_due() {
            return;
        }
        self.stuck.due = None;
        self.stuck.tries += 1;
        let begin = Instant::now();
        while let Some((key, files)) = self.stuck.jobs.pop_front() {
            if let Err(e) = self.take_away(&files) {
                // Behind the others.
                return self.stuck.push((key, files), &e);
            }
            self.stuck.tries = 0;
            self.book.settled(key);
            if begin.elapsed() > PATIENCE && !self.stuck.jobs.is_empty() {
                self.stuck.due = Some(Instant::now());
                return;
            }
        }
    }

    /// Takes away what is there still as it was. Of a folder that is away nothing is known.
    fn take_away(&self, files: &[(PathBuf, u128)]) -> Result<()> {
        let (root, sink) = (&self.pipeline.source.root, &self.pipeline.sink);
        if sink.originals == Originals::Keep {
            return Ok(());
        }
        for (path, sign) in files {
            if sink.originals == Originals::Delete {
                durable::finish_delete(path, |stamp| sign_of(path, stamp) == *sign)?;
            }
            match Stamp::of(path) {
                Ok(stamp) if sign_of(path, stamp) == *sign => {
                    sink.dispose(path, path.strip_prefix(root).unwrap_or(path), stamp)?;
                }
                Ok(_) => {}
                Err(e) if is_gone(&e) && self.root.is_some() && identity(root) == self.root => {}
                Err(e) => return Err(Error::io("find", path, e)),
            }
        }
        Ok(())
    }

    fn keep(&mut self, job: Unsettled, error: &Error) {
        tracing::warn!(mend = error.mend_text(), "the original stays for now: {error}");
        self.stuck.push(job, error);
    }
}

/// Whether an error tells that no file is there, also since a file or a stranger's link stands in the place of its folder.
fn is_gone(e: &std::io::Error) -> bool {
    use std::io::ErrorKind as E;
    matches!(e.kind(), E::NotFound | E::NotADirectory)
        || e.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A link that led to itself, in the place of the folder that an original had lain in, had the pipeline try again for ever.
    #[test]
    fn what_had_a_folder_that_is_one_no_more_is_gone() {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name);
        std::fs::write(path("file"), "").unwrap();
        std::os::unix::fs::symlink("link", path("link")).unwrap();
        for name in ["none", "file/a.png", "link/a.png"] {
            assert!(is_gone(&Stamp::of(&path(name)).unwrap_err()), "{name}");
        }
        // A share that is away says something else.
        assert!(!is_gone(&rustix::io::Errno::STALE.into()) && Stamp::of(&path("link")).is_ok());
    }
}
