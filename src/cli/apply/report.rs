//! What `apply` tells while it works and at the end.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crossbeam::channel::{Receiver, never, select};

use super::super::files;
use super::collect;
use super::plan::{self, Inputs, expected};
use super::progress::Bar;
use super::{Args, Queue};
use crate::error::{Error, Kind, plain_paths, show_path};
use crate::pipeline::{Input, Outcome, Ticket};

/// What has come of all jobs.
#[derive(Debug, Default)]
pub struct Summary {
    /// Jobs whose results are there.
    pub done: usize,
    /// The signal that has ended the work before the rest was done.
    pub interrupted: Option<i32>,
    /// Results that have another name since older files had theirs.
    renamed: Others,
    /// Results that have another name since those of other inputs had theirs.
    numbered: Others,
}

/// Results of other names than they should have.
#[derive(Debug, Default)]
struct Others {
    count: usize,
    first: Option<PathBuf>,
}

impl Others {
    fn add(&mut self, result: &Path) {
        self.count += 1;
        self.first.get_or_insert_with(|| result.to_path_buf());
    }

    /// That there are some, for people; nothing if there are none.
    fn told(&self) -> Option<String> {
        let has = if self.count == 1 { "result has another name" } else { "results have other names" };
        self.first.as_ref().map(|first| format!("{} {has}, as {}", self.count, show_path(first)))
    }
}

impl Summary {
    /// Tells of results that got other names, if some did.
    pub fn tell_of_names(&self, skips: bool) {
        if let Some(told) = self.numbered.told() {
            tracing::info!("{told}: several inputs have one");
        }
        let Some(told) = self.renamed.told() else { return };
        let mend = match skips {
            true => "",
            false => "; `--skip-existing` passes over what is done, another folder after `--out` keeps results apart",
        };
        tracing::warn!("{told}: older files have theirs{mend}");
    }
}

/// Where one hears of tickets, of how far recordings are, and of signals.
type Heard<'a> = (&'a Receiver<Ticket>, &'a Receiver<i64>, &'a Receiver<i32>);

/// Tells of each ticket of these jobs, until all are home or a signal comes.
pub(super) fn report(
    args: &Args,
    groups: &[Inputs],
    queue: &mut Queue,
    (tickets, heard, signals): Heard,
    failures: &mut Vec<(PathBuf, Error)>,
) -> Summary {
    let pipeline = queue.pipeline;
    let taken: HashSet<PathBuf> = plan::taken(pipeline, groups);
    let mut bar = Bar::over(pipeline.takes, groups);
    let mut summary = Summary::default();
    let mut signals = signals.clone();
    loop {
        let ticket = select! {
            recv(signals) -> signal => {
                summary.interrupted = signal.ok();
                if summary.interrupted.is_some() {
                    break;
                }
                // Nobody listens any more.
                signals = never();
                continue;
            }
            recv(heard) -> steps => {
                bar.further(steps.unwrap_or(0));
                continue;
            }
            recv(tickets) -> ticket => ticket,
        };
        let Ok(ticket) = ticket else { break };
        let Ticket { inputs, outcome, elapsed, .. } = ticket;
        queue.go_on_after(&inputs);
        let path = inputs.first().map(|input| input.path.clone()).unwrap_or_default();
        bar.further(heard.try_iter().sum());
        bar.over_with(&inputs, matches!(outcome, Outcome::Done(_) | Outcome::Known(_)));
        match outcome {
            Outcome::Done(results) | Outcome::Known(results) => {
                summary.done += 1;
                let wanted = expected(pipeline, &inputs, 1);
                if let Some(result) = results.first().filter(|result| **result != wanted) {
                    if taken.contains(&wanted) {
                        summary.renamed.add(result);
                    } else if is_numbered(result, &wanted) {
                        summary.numbered.add(result);
                    }
                }
                if args.json {
                    let inputs = plain_paths(inputs.iter().map(|input| &input.path));
                    let json = serde_json::json!({ "inputs": inputs, "results": plain_paths(&results), "seconds": elapsed.as_secs_f64() });
                    bar.bar.suspend(|| say!("{json}"));
                }
            }
            Outcome::Failed { error, culprit } => {
                let path = culprit.and_then(|i| inputs.get(i)).map_or(path, |input| input.path.clone());
                let known = |error: Error, input: &Input| error.renamed(&input.relative, &input.path);
                let error = files::naming(inputs.iter().fold(error, known), &path);
                let error = collect::elsewhere(error, pipeline.takes, &path);
                failures.push((path, error));
            }
            Outcome::Vanished | Outcome::Dropped => {
                let e = Error::new(Kind::NoInput, "it was moved or changed while it was read").at(&path);
                failures.push((path, e));
            }
        }
    }
    bar.bar.finish_and_clear();
    summary
}

/// Whether a result has the name that it should have, and a number behind it.
fn is_numbered(result: &Path, wanted: &Path) -> bool {
    let stem = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let rest = stem(result).strip_prefix(&stem(wanted)).map(|rest| rest.starts_with('-'));
    rest == Some(true) && result.parent() == wanted.parent() && result.extension() == wanted.extension()
}
