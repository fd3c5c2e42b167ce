//! What the supervisor shows to whoever asks: read without waiting for anybody's work.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::journal::{Book, Event};
use super::metrics::Metrics;
use super::status::{self, PipelineStatus, Reload, Slot, Status};
use crate::error::{Error, Kind, Result};
#[cfg(feature = "live")]
use crate::pipeline::live::LiveControl;

/// A supervisor that was not heard of for this long hangs.
const HANGS: Duration = Duration::from_secs(20);

/// The board.
#[derive(Debug)]
pub struct Board {
    threads: usize,
    started: u64,
    /// What is counted.
    pub metrics: Metrics,
    shown: Mutex<Shown>,
    /// Held by whoever reads the history: one at a time, so that many who ask cost no more than one.
    reading: Mutex<()>,
}

#[derive(Debug)]
struct Shown {
    beat: Instant,
    /// Pipelines by name.
    pipelines: BTreeMap<String, (Slot, Behind)>,
    reload: Option<Reload>,
    /// Whether all pipelines were started, and none is to end.
    up: bool,
}

/// What can be asked of a pipeline beside what its slot shows.
#[derive(Debug, Clone)]
pub enum Behind {
    /// What happened.
    Book(Book),
    /// How its streams are.
    #[cfg(feature = "live")]
    Live(LiveControl),
    /// Nothing, since it does not run.
    Nothing,
}

impl Board {
    /// An empty board of a daemon with this many workers.
    pub fn new(threads: usize) -> Board {
        let shown = Shown { beat: Instant::now(), pipelines: BTreeMap::new(), reload: None, up: false };
        let (started, metrics) = (status::now(), Metrics::default());
        Board { threads, started, metrics, shown: Mutex::new(shown), reading: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The supervisor lives.
    pub fn beat(&self) {
        self.lock().beat = Instant::now();
    }

    /// Whether it does.
    pub fn is_alive(&self) -> bool {
        self.lock().beat.elapsed() < HANGS
    }

    /// Shows a pipeline.
    pub fn put(&self, name: &str, slot: Slot, behind: Behind) {
        self.lock().pipelines.insert(name.to_owned(), (slot, behind));
    }

    /// Shows a pipeline that was changed while it runs as what it is now.
    pub fn replace(&self, name: &str, status: PipelineStatus) {
        if let Some((slot, _)) = self.lock().pipelines.get(name) {
            *slot.lock() = status;
        }
    }

    /// Shows that a pipeline is in this file by now.
    pub fn set_file(&self, name: &str, file: &Path) {
        if let Some((slot, _)) = self.lock().pipelines.get(name) {
            slot.lock().file = file.to_string_lossy().into_owned();
        }
    }

    /// Shows a pipeline that does not run, and why.
    pub fn set_state(&self, name: &str, status: PipelineStatus, state: &str, reason: Option<String>) {
        let slot = Slot::new(PipelineStatus { state: state.to_owned(), reason, ..status });
        self.lock().pipelines.insert(name.to_owned(), (slot, Behind::Nothing));
    }

    /// Shows a pipeline no longer.
    pub fn remove(&self, name: &str) {
        if let Some((slot, behind)) = self.lock().pipelines.remove(name) {
            self.metrics.forget(&current(&slot, &behind));
        }
    }

    /// Shows whether everything is up.
    pub fn set_up(&self, up: bool) {
        self.lock().up = up;
    }

    /// Shows how a reload went.
    pub fn set_reload(&self, reload: Reload) {
        self.lock().reload = Some(reload);
    }

    /// Everything.
    pub fn status(&self) -> Status {
        let shown = self.lock();
        let pipelines: Vec<_> = shown.pipelines.values().map(|(slot, behind)| current(slot, behind)).collect();
        let mut reasons: Vec<String> = Vec::new();
        if !shown.up {
            reasons.push("it is starting or stopping".to_owned());
        }
        for pipeline in &pipelines {
            match (pipeline.state.as_str(), &pipeline.reason) {
                ("running", None) | ("paused", _) => {}
                // Of files it is about those whose originals stay, and the others go on.
                ("running", Some(_)) if pipeline.kind != "live" => {}
                (state, Some(reason)) => reasons.push(format!("{} is {state}: {reason}", pipeline.name)),
                (state, None) => reasons.push(format!("{} is {state}", pipeline.name)),
            }
        }
        Status {
            version: status::VERSION,
            latentd: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            started: self.started,
            threads: self.threads,
            memory: status::memory(),
            ready: reasons.is_empty(),
            reasons,
            reload: shown.reload.clone(),
            pipelines,
        }
    }

    /// What happened in all pipelines since `since` (microseconds since 1970), newest first, each with its pipeline's name; perhaps only to some
    /// files, as for [`Book::history`].
    ///
    /// # Errors
    /// Kind transient: a journal cannot be read.
    pub fn history(&self, since: u64, limit: usize, files: &[String]) -> Result<Vec<(String, Event)>> {
        let _alone = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let behind: Vec<(String, Behind)> =
            self.lock().pipelines.iter().map(|(name, (_, behind))| (name.clone(), behind.clone())).collect();
        let mut all = Vec::new();
        for (name, behind) in behind {
            let Behind::Book(book) = behind else { continue };
            let events = book.history(since, limit, files.to_vec())?;
            all.extend(events.into_iter().map(|event| (name.clone(), event)));
        }
        all.sort_by_key(|(_, event)| std::cmp::Reverse(event.time));
        all.truncate(limit);
        Ok(all)
    }

    /// An error with a mend if there is no such pipeline.
    ///
    /// # Errors
    /// Kind usage.
    pub fn check_name(&self, name: &str) -> Result<()> {
        let shown = self.lock();
        if shown.pipelines.contains_key(name) {
            return Ok(());
        }
        let e = Error::new(Kind::Usage, format!("there is no pipeline `{}`", name.escape_debug()));
        Err(match crate::did_you_mean(name, shown.pipelines.keys().map(String::as_str)) {
            Some(near) => e.mend(format!("did you mean `{near}`?")),
            None => e.mend("`latentd status` lists them"),
        })
    }

    /// An error with a mend if there is no such pipeline, or it is one of files.
    ///
    /// # Errors
    /// Kind usage.
    pub fn check_live(&self, name: &str) -> Result<()> {
        self.check_name(name)?;
        match self.lock().pipelines.get(name) {
            Some((slot, _)) if slot.lock().kind != "live" => {
                let what = format!("`{name}` works on files, and only a live pipeline can be bypassed or weakened");
                Err(Error::new(Kind::Usage, what).mend(format!("`latentd pause {name}` lets its files wait")))
            }
            _ => Ok(()),
        }
    }
}

/// A pipeline as it is now; the numbers of a live one are in `live`.
fn current(slot: &Slot, behind: &Behind) -> PipelineStatus {
    let status = slot.lock().clone();
    match behind {
        #[cfg(feature = "live")]
        Behind::Live(control) => {
            let live = control.status();
            let value = serde_json::to_value(&live).unwrap_or_default();
            let state = value["state"].as_str().unwrap_or("running").to_owned();
            PipelineStatus { state, reason: live.reason, live: Some(value), ..status }
        }
        _ => status,
    }
}
