//! What `apply` tells while it works and at the end.

use std::collections::HashSet;
use std::path::PathBuf;

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
    /// How many results have another name since older files had theirs.
    renamed: usize,
    /// The first of them.
    example: Option<PathBuf>,
}

impl Summary {
    /// Tells of results that got other names, if some did.
    pub fn tell_of_names(&self, skips: bool) {
        let Some(example) = &self.example else { return };
        let has = if self.renamed == 1 { "result has another name" } else { "results have other names" };
        let mend = match skips {
            true => "",
            false => "; `--skip-existing` passes over what is done, another folder after `--out` keeps results apart",
        };
        tracing::warn!("{} {has}, as {}: older files have theirs{mend}", self.renamed, show_path(example));
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
                if let Some(result) = results.first().filter(|result| **result != wanted && taken.contains(&wanted)) {
                    summary.renamed += 1;
                    summary.example.get_or_insert_with(|| result.clone());
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
