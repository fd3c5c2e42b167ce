//! What a feed does when a ticket comes home: remember, try again, put aside, or wait until somebody has mended what is wrong.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::super::journal::sign_of;
use super::super::status::LastResult;
use super::Feed;
use crate::durable::Stamp;
use crate::error::{Error, Kind, plain_paths, show_path, show_paths};
use crate::pipeline::{Input, Outcome, Ticket, named_folder};
use crate::sink::Quarantine;
use crate::source::Mark;

/// First and longest wait before another try of what failed for a passing reason.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// A file that cannot be read this often is put aside: about eight minutes of trying.
const MOST_TRIES: u32 = 12;

/// A file whose result cannot be written this often, while those of others can, is put aside.
const FAILED_ALONE: u32 = 5;

/// For a file whose result cannot have the name that it should have.
const OUT_OF_THE_WAY: &str = "move away what has the name of its result or of a folder on the way, or give it a shorter one; then `latentd quarantine retry`";

/// A file to be tried again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Later {
    /// How often it failed.
    pub tries: u32,
    /// When it is due; nothing while it is being tried.
    pub at: Option<Instant>,
    /// How many others were done when it failed last.
    pub done: u64,
}

/// A state in which every job would fail, and what is known of it.
#[derive(Debug)]
pub(super) struct Hold {
    /// When to try the next one.
    pub until: Instant,
    /// How often one was tried.
    pub tries: u32,
    /// For people.
    pub reason: String,
    /// Of the one that failed last: one in another folder may fare better.
    pub folder: PathBuf,
}

impl Feed {
    pub(super) fn settle_ticket(&mut self, ticket: Ticket) {
        self.metrics.ticket(&self.pipeline.name, &ticket);
        let Ticket { inputs, outcome, elapsed, unsettled, .. } = ticket;
        self.handed -= 1;
        self.alone = false;
        self.worked = Some(Instant::now());
        for input in &inputs {
            self.open.remove(&input.path);
        }
        let dropped = matches!(outcome, Outcome::Dropped);
        if !self.interrupted.is_empty() && !dropped {
            for input in &inputs {
                self.interrupted.remove(&sign_of(&input.path, input.stamp));
            }
        }
        if let Some((key, error)) = unsettled {
            self.note_stuck(key, &inputs, &error);
        }
        match outcome {
            Outcome::Done(results) => {
                let seconds = elapsed.as_secs_f64();
                let from = || inputs.iter().map(|input| &input.path);
                let pipeline = self.pipeline.name.as_str();
                tracing::info!(pipeline, seconds, "{} -> {}", show_paths(from()), show_paths(&results));
                self.counts.done += 1;
                self.counts.seconds += seconds;
                self.slot.lock().last = Some(LastResult::now(plain_paths(from()), plain_paths(&results)));
                self.go_on();
                self.note_all_done(inputs);
            }
            Outcome::Known(results) => {
                let first = inputs.first().map(|input| show_path(&input.path)).unwrap_or_default();
                tracing::info!("{first} was done before: {}", show_paths(&results));
                self.counts.known += 1;
                self.note_all_done(inputs);
            }
            Outcome::Failed { error, culprit: None } if is_the_worlds_fault(error.kind()) => {
                if self.is_in_its_own_way(&error) {
                    let own = Error::new(Kind::Input, format!("its result cannot be written: {error}"));
                    let own = own.mend(error.mend_text().unwrap_or(OUT_OF_THE_WAY));
                    inputs.into_iter().for_each(|input| self.settle_failure(input, &own));
                } else if self.is_alone_in_failing(&inputs) {
                    let error = Error::new(Kind::Input, format!("others went well, and this one did not: {error}"));
                    inputs.into_iter().for_each(|input| self.settle_failure(input, &error));
                } else {
                    self.wait_for_mending(&error, &inputs);
                    // Behind the others, so that the next one to be tried is not the same.
                    self.open.extend(inputs.iter().map(|input| (input.path.clone(), input.stamp)));
                    self.ready.extend(inputs);
                }
            }
            Outcome::Failed { error, culprit } => {
                let (guilty, others): (Vec<_>, Vec<_>) =
                    inputs.into_iter().enumerate().partition(|(index, _)| culprit.is_none_or(|c| c == *index));
                guilty.into_iter().for_each(|(_, input)| self.settle_failure(input, &error));
                self.hand_back(others.into_iter().map(|(_, input)| input).collect());
            }
            Outcome::Vanished => {
                let mut unchanged = Vec::new();
                for input in inputs {
                    self.later.remove(&input.path);
                    match Stamp::of(&input.path) {
                        Ok(stamp) if stamp == input.stamp => unchanged.push(input),
                        Ok(stamp) => self.mark(input.path, Mark::Seen, stamp),
                        Err(_) => tracing::debug!("{} is gone", show_path(&input.path)),
                    }
                }
                self.hand_back(unchanged);
            }
            Outcome::Dropped => {}
        }
    }

    /// Files that came to nothing by no fault of theirs are next again.
    fn hand_back(&mut self, inputs: Vec<Input>) {
        for input in inputs.into_iter().rev() {
            self.open.insert(input.path.clone(), input.stamp);
            self.ready.push_front(input);
        }
    }

    fn settle_failure(&mut self, input: Input, error: &Error) {
        let tries = self.later.get(&input.path).map_or(0, |later| later.tries);
        // A model that is wrong is wrong for every input: those wait until somebody has mended it, however long that takes.
        let patient = matches!(error.kind(), Kind::Model | Kind::Config | Kind::Usage);
        if !is_inputs_fault(error.kind()) && (patient || tries + 1 < MOST_TRIES) {
            return self.try_later(input.path, error);
        }
        if !input.is_unchanged() {
            // Another file lies there by now, and that one has done nothing wrong.
            self.later.remove(&input.path);
            return self.note_done(&input.path, input.stamp);
        }
        match Quarantine(&self.pipeline.sink.quarantine).put(&input.path, &input.relative, input.stamp, error) {
            Ok(kept) => {
                self.later.remove(&input.path);
                tracing::warn!(
                    pipeline = self.pipeline.name.as_str(),
                    file = show_path(&input.relative),
                    kind = error.kind().name(),
                    mend = error.mend_text(),
                    kept = show_path(&kept),
                    "{error}"
                );
                self.counts.quarantined += 1;
                self.metrics.quarantined(&self.pipeline.name);
                self.book.quarantined(&input, &self.pipeline.fingerprint.results, error, kept == input.path);
                match kept == input.path {
                    // The try to move it may have left a trace.
                    true => drop(self.done.insert(sign_of(&input.path, input.stamp))),
                    false => self.note_done(&input.path, input.stamp),
                }
            }
            Err(_) if !Stamp::of(&input.path).is_ok_and(|now| now.is_like(&input.stamp)) => {
                // Somebody was faster than the move.
                self.later.remove(&input.path);
                self.note_done(&input.path, input.stamp);
            }
            Err(worse) => {
                tracing::error!("{error}; and it cannot be put aside: {worse}");
                self.try_later(input.path, &worse);
            }
        }
    }

    fn note_all_done(&mut self, inputs: Vec<Input>) {
        for input in inputs {
            self.later.remove(&input.path);
            self.note_done(&input.path, input.stamp);
        }
    }

    /// A file that stays in the folder must not be taken again; one that changed while it was worked on must.
    fn note_done(&mut self, path: &Path, stamp: Stamp) {
        match Stamp::of(path) {
            Ok(now) if now == stamp => drop(self.done.insert(sign_of(path, stamp))),
            Ok(now) => self.mark(path.to_path_buf(), Mark::Seen, now),
            Err(_) => {}
        }
    }

    fn try_later(&mut self, path: PathBuf, error: &Error) {
        let tries = self.later.get(&path).map_or(0, |later| later.tries);
        let wait = backoff(tries);
        tracing::warn!(mend = error.mend_text(), "{error}; trying again in {:.1} s", wait.as_secs_f64());
        self.counts.retried += 1;
        let later = Later { tries: tries + 1, at: Some(Instant::now() + wait), done: self.counts.done };
        self.later.insert(path, later);
    }

    /// Whether only results of this name, or of this size, cannot be written, while the place where all results go is as it should be: a file lies where
    /// a folder for this one would have to be, say. Others would fare better, so nobody has to wait.
    fn is_in_its_own_way(&self, error: &Error) -> bool {
        use std::io::ErrorKind as E;
        let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<std::io::Error>());
        let own = cause.is_some_and(|cause| {
            matches!(
                cause.kind(),
                E::AlreadyExists
                    | E::FileTooLarge
                    | E::InvalidFilename
                    | E::InvalidInput
                    | E::IsADirectory
                    | E::NotADirectory
            )
        });
        let sink = &self.pipeline.sink;
        if !own || error.kind() != Kind::Output || sink.gathers() || !sink.root.is_dir() {
            return false;
        }
        let (folder, _) = named_folder(sink);
        folder.ancestors().find(|folder| folder.exists()).is_none_or(Path::is_dir)
    }

    /// Whether these fail again and again while others are done between their failures: a name that the sink's file system does not take, say.
    fn is_alone_in_failing(&mut self, inputs: &[Input]) -> bool {
        let done = self.counts.done;
        let mut most = 0;
        for input in inputs {
            let later = self.later.entry(input.path.clone()).or_insert(Later { tries: 0, at: None, done });
            later.tries += u32::from(done > later.done);
            (later.at, later.done) = (None, done);
            most = most.max(later.tries);
        }
        most >= FAILED_ALONE
    }

    /// A full disk, a sink that may not be written: every input would fail, so they wait, and one is tried now and then.
    fn wait_for_mending(&mut self, error: &Error, inputs: &[Input]) {
        // Others that were under way when the first failed tell nothing new.
        let tries = match &self.hold {
            Some(hold) if hold.until > Instant::now() => return,
            Some(hold) => hold.tries,
            None => 0,
        };
        let wait = backoff(tries);
        tracing::warn!(mend = error.mend_text(), "{error}; waiting, and trying again in {:.1} s", wait.as_secs_f64());
        self.counts.retried += 1;
        let folder = inputs.first().and_then(|input| input.path.parent()).unwrap_or(Path::new("")).to_path_buf();
        self.hold = Some(Hold { until: Instant::now() + wait, tries: tries + 1, reason: error.to_string(), folder });
    }

    /// While everything waits, has one from another folder than the last be tried next: it may be that folder alone whose results cannot be written.
    pub(super) fn put_another_first(&mut self) {
        let Some(hold) = self.hold.as_ref().filter(|_| self.pipeline.source.group == 1) else { return };
        let other = self.ready.iter().position(|input| input.path.parent() != Some(hold.folder.as_path()));
        if let Some(other) = other.filter(|other| *other > 0) {
            self.ready.swap(0, other);
        }
    }

    fn go_on(&mut self) {
        if self.hold.take().is_some() {
            tracing::info!(pipeline = self.pipeline.name, "it goes well again");
        }
    }
}

/// Twice as long each time, and spread by a quarter, so that many that failed together do not come back together.
pub(super) fn backoff(tries: u32) -> Duration {
    let wait = BACKOFF.0.saturating_mul(1 << tries.min(6)).min(BACKOFF.1);
    wait.mul_f64(0.75 + 0.5 * fastrand::f64())
}

/// Whether the input is to blame, so that it goes to quarantine.
fn is_inputs_fault(kind: Kind) -> bool {
    matches!(kind, Kind::Input | Kind::Bug)
}

/// Whether the next input would fare no better.
fn is_the_worlds_fault(kind: Kind) -> bool {
    matches!(kind, Kind::Output | Kind::Transient | Kind::Device)
}
