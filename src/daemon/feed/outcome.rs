//! What a feed does when a ticket comes home: remember, try again, put aside, or wait until somebody has mended what is wrong.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::super::journal::sign_of;
use super::super::status::LastResult;
use super::Feed;
use super::hold::{backoff, is_the_worlds_fault};
use crate::durable::Stamp;
use crate::error::{Error, Kind, plain_paths, show_path, show_paths};
use crate::pipeline::{Input, Outcome, Ticket};
use crate::sink::Quarantine;
use crate::source::Mark;

/// A file that cannot be read this often is put aside: about eight minutes of trying.
const MOST_TRIES: u32 = 12;

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
        self.settle_outcome(outcome, inputs, elapsed);
        // What waited may have been taken away, and then nothing is there to tell when it goes well again.
        if self.open.is_empty() && self.later.is_empty() {
            self.hold = None;
        }
    }

    fn settle_outcome(&mut self, outcome: Outcome, inputs: Vec<Input>, elapsed: Duration) {
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
                    self.settle_failures(inputs, &own);
                } else if self.is_alone_in_failing(&inputs) {
                    let error = Error::new(Kind::Input, format!("others went well, and this one did not: {error}"));
                    self.settle_failures(inputs, &error);
                } else {
                    self.wait_for_mending(&error, &inputs);
                    // Behind the others, so that the next one to be tried is not the same; but not between those of another group.
                    match self.ready.len().is_multiple_of(self.pipeline.source.group) {
                        true => {
                            self.open.extend(inputs.iter().map(|input| (input.path.clone(), input.stamp)));
                            self.ready.extend(inputs);
                        }
                        false => self.hand_back(inputs),
                    }
                }
            }
            Outcome::Failed { error, culprit } => {
                let (guilty, others): (Vec<_>, Vec<_>) =
                    inputs.into_iter().enumerate().partition(|(index, _)| culprit.is_none_or(|c| c == *index));
                self.settle_failures(guilty.into_iter().map(|(_, input)| input).collect(), &error);
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

    /// Those of one job, which are tried again at one time, so that they are a group again.
    fn settle_failures(&mut self, inputs: Vec<Input>, error: &Error) {
        let tries = |input: &Input| self.later.get(&input.path).map_or(0, |later| later.tries);
        let wait = backoff(inputs.iter().map(tries).max().unwrap_or(0));
        inputs.into_iter().for_each(|input| self.settle_failure(input, error, wait));
    }

    fn settle_failure(&mut self, input: Input, error: &Error, wait: Duration) {
        let tries = self.later.get(&input.path).map_or(0, |later| later.tries);
        // It waits until somebody has mended what is wrong, however long that takes.
        let patient = matches!(error.kind(), Kind::Model | Kind::Config | Kind::Usage);
        if !is_inputs_fault(error.kind()) && (patient || tries + 1 < MOST_TRIES) {
            return self.try_later(input.path, error, wait);
        }
        if !input.is_unchanged() {
            // Another file lies there by now, and that one has done nothing wrong.
            self.later.remove(&input.path);
            return self.note_done(&input.path, input.stamp);
        }
        let quarantine = Quarantine(&self.pipeline.sink.quarantine);
        let put = match self.shared {
            true => quarantine.note(&input.path, &input.relative, error).map(|()| input.path.clone()),
            false => quarantine.put(&input.path, &input.relative, input.stamp, error),
        };
        match put {
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
                self.try_later(input.path, &worse, wait);
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

    fn try_later(&mut self, path: PathBuf, error: &Error, wait: Duration) {
        let tries = self.later.get(&path).map_or(0, |later| later.tries);
        tracing::warn!(mend = error.mend_text(), "{error}; trying again in {:.1} s", wait.as_secs_f64());
        self.counts.retried += 1;
        let later = Later { tries: tries + 1, at: Some(Instant::now() + wait), done: self.counts.done };
        self.later.insert(path, later);
    }
}

/// Whether the input is to blame, so that it goes to quarantine.
fn is_inputs_fault(kind: Kind) -> bool {
    matches!(kind, Kind::Input | Kind::Bug)
}
