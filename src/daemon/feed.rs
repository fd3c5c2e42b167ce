//! One pipeline's inputs: watches its folder, waits until files are whole, hands them to the workers, and sees to what became of them.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender, bounded, never, select, unbounded};

use super::Journal;
use crate::error::{Error, Kind, Result, show_path};
use crate::pipeline::{Input, Job, Outcome, Pipeline, Ticket};
use crate::source::{Mark, Settle, Stamp, Watch, identity};

/// How often the whole folder is looked at although the system sends messages, since some are lost.
const RESCAN: Duration = Duration::from_secs(30);
/// A new folder is looked at once more after this, for what came between its making and the watch on it.
const SECOND_LOOK: Duration = Duration::from_millis(300);
/// First and longest wait before another try of what failed for a passing reason.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// The source of one pipeline at work.
pub struct Feed {
    pipeline: Arc<Pipeline>,
    jobs: Sender<Job>,
    journal: Journal,
    halted: Receiver<()>,
    watch: Option<Watch>,
    settle: Settle,
    /// Whole, and waiting for a worker, or for others to make a group.
    ready: VecDeque<Input>,
    /// Ready or handed over, and not yet home.
    open: HashMap<PathBuf, Stamp>,
    /// How many jobs are handed over.
    handed: usize,
    /// To be tried again: how often it failed, and when.
    later: HashMap<PathBuf, (u32, Instant)>,
    /// Folders to look at, and when.
    looks: Vec<(Instant, PathBuf)>,
    next_scan: Instant,
    home: Sender<Ticket>,
    tickets: Receiver<Ticket>,
    root_gone: bool,
    /// Device and inode of the folder when it was last begun to be watched.
    root: Option<(u64, u64)>,
}

impl Feed {
    /// Begins to watch, so that nothing is missed between this and [`Feed::run`].
    ///
    /// # Errors
    /// Kind config: the folder cannot be watched.
    pub fn new(pipeline: Arc<Pipeline>, jobs: Sender<Job>, journal: Journal, halted: Receiver<()>) -> Result<Feed> {
        let source = &pipeline.source;
        let watch = match source.poll {
            Some(_) => None,
            None => Some(Watch::new(&source.root, source.recursive)?),
        };
        let (home, tickets) = unbounded();
        Ok(Feed {
            settle: Settle::new(source.settle, source.quiet.max(source.poll.unwrap_or_default())),
            root: identity(&pipeline.source.root),
            pipeline,
            jobs,
            journal,
            halted,
            watch,
            ready: VecDeque::new(),
            open: HashMap::new(),
            handed: 0,
            later: HashMap::new(),
            looks: Vec::new(),
            next_scan: Instant::now(),
            home,
            tickets,
            root_gone: false,
        })
    }

    /// Works until told to halt, then waits for what is in flight.
    pub fn run(&mut self) {
        tracing::info!(pipeline = self.pipeline.name, "watching {}", show_path(&self.pipeline.source.root));
        self.scan(&self.pipeline.source.root.clone(), Mark::Present);
        self.plan_next_scan(Duration::ZERO);
        let nowhere = bounded(0);
        loop {
            self.take_marks();
            self.look_again();
            self.take_ready();
            let wake = self.watch.as_ref().map_or_else(never, |w| w.wake().clone());
            let jobs =
                if self.ready.len() < self.pipeline.source.group { nowhere.0.clone() } else { self.jobs.clone() };
            let wait = self.wait();
            select! {
                recv(self.halted) -> _ => break,
                recv(wake) -> _ => {}
                recv(self.tickets) -> ticket => if let Ok(ticket) = ticket { self.settle_ticket(ticket) },
                // Only evaluated when the send goes through, so there is a job in the queue.
                send(jobs, self.next_job()) -> _ => {}
                default(wait) => {}
            }
        }
        while self.handed > 0 {
            match self.tickets.recv() {
                Ok(ticket) => self.settle_ticket(ticket),
                Err(_) => return,
            }
        }
    }

    fn next_job(&mut self) -> Job {
        let count = self.pipeline.source.group.min(self.ready.len());
        self.handed += 1;
        Job {
            pipeline: Arc::clone(&self.pipeline),
            inputs: self.ready.drain(..count).collect(),
            home: self.home.clone(),
        }
    }

    fn wait(&self) -> Duration {
        let now = Instant::now();
        let looks = self.looks.iter().map(|(at, _)| *at);
        let retries = self.later.values().map(|(_, at)| *at);
        let next = looks.chain(retries).chain([self.next_scan]).min().unwrap_or(now);
        let wait = next.saturating_duration_since(now);
        // Not shorter than a tick: with thousands of files on their way, each wake-up looks at all of them.
        self.settle.next(now).map_or(wait, |s| wait.min(s)).max(Duration::from_millis(5))
    }

    /// Marks a path that somebody told of, if it is the source's to take and not done.
    fn mark(&mut self, path: PathBuf, mark: Mark, stamp: Stamp) {
        if self.open.get(&path) == Some(&stamp) || self.later.contains_key(&path) || self.journal.is_done(&path, stamp)
        {
            return;
        }
        self.settle.mark(path, mark, stamp, Instant::now());
    }

    fn take_marks(&mut self) {
        let Some(dirty) = self.watch.as_ref().map(Watch::take) else { return };
        for (path, mark) in dirty.files {
            if !self.pipeline.source.accepts(&path) {
                continue;
            }
            match std::fs::symlink_metadata(&path) {
                // A link or a pipe is as whole as it will ever be.
                Ok(metadata) if !metadata.is_file() => self.mark(path, Mark::Complete, Stamp::from(&metadata)),
                Ok(metadata) => self.mark(path, mark, Stamp::from(&metadata)),
                Err(_) => self.settle.forget(&path),
            }
        }
        let now = Instant::now();
        for folder in dirty.folders {
            self.looks.push((now, folder.clone()));
            self.looks.push((now + SECOND_LOOK, folder));
        }
        if dirty.rescan {
            self.next_scan = now;
        }
    }

    /// Looks at new folders, at failed files, and at everything when it is time.
    fn look_again(&mut self) {
        let now = Instant::now();
        let (due, rest) = std::mem::take(&mut self.looks).into_iter().partition(|(at, _)| *at <= now);
        self.looks = rest;
        let due: Vec<(Instant, PathBuf)> = due;
        for (_, folder) in due {
            let folder_itself = std::fs::symlink_metadata(&folder).is_ok_and(|m| m.is_dir());
            if self.pipeline.source.recursive && folder_itself {
                self.scan(&folder, Mark::Seen);
            }
        }
        for (path, (tries, at)) in std::mem::take(&mut self.later) {
            match Stamp::of(&path) {
                Ok(stamp) if at <= now => {
                    // Kept in the map until it succeeds, with a time that never comes, so that the count of tries stays.
                    self.enqueue(path.clone(), stamp);
                    self.later.insert(path, (tries, now + Duration::from_secs(86_400 * 365)));
                }
                Ok(_) => drop(self.later.insert(path, (tries, at))),
                Err(_) => {}
            }
        }
        if now >= self.next_scan {
            let begin = Instant::now();
            self.watch_root();
            self.scan(&self.pipeline.source.root.clone(), Mark::Seen);
            self.plan_next_scan(begin.elapsed());
        }
    }

    /// Beside the system's messages a scan takes at most a few thousandths of the time, however large the folder.
    fn plan_next_scan(&mut self, cost: Duration) {
        let interval = self.pipeline.source.poll.unwrap_or_else(|| RESCAN.max(cost * 500));
        self.next_scan = Instant::now() + interval;
    }

    /// A folder that was taken away (an unmounted share, say) is watched again when it is back.
    fn watch_root(&mut self) {
        let source = &self.pipeline.source;
        if !source.root.is_dir() {
            if !self.root_gone {
                tracing::warn!("the folder {} is gone; waiting for it to come back", show_path(&source.root));
            }
            self.root_gone = true;
        } else if self.root_gone || identity(&source.root) != self.root {
            if source.poll.is_none() {
                match Watch::new(&source.root, source.recursive) {
                    Ok(watch) => self.watch = Some(watch),
                    Err(e) => return tracing::warn!(mend = e.mend_text(), "{e}"),
                }
            }
            (self.root_gone, self.root) = (false, identity(&source.root));
            tracing::info!("the folder {} is back", show_path(&source.root));
        }
    }

    fn scan(&mut self, folder: &Path, mark: Mark) {
        let pipeline = Arc::clone(&self.pipeline);
        let mut unreadable = |path: &Path, e: std::io::Error| {
            if e.kind() != std::io::ErrorKind::NotFound {
                tracing::warn!("the folder {} cannot be read: {e}", show_path(path));
            }
        };
        pipeline.source.scan(folder, &mut |found| self.mark(found.path, mark, found.stamp), &mut unreadable);
    }

    fn take_ready(&mut self) {
        let mut ready = self.settle.ready(Instant::now(), |path| Stamp::of(path).ok());
        // So that groups do not depend on the order of a map.
        ready.sort_by(|a, b| a.0.cmp(&b.0));
        for (path, stamp) in ready {
            self.enqueue(path, stamp);
        }
    }

    /// Puts a file in the queue, unless it is there or being worked on already: then its ticket will tell that it has changed.
    fn enqueue(&mut self, path: PathBuf, stamp: Stamp) {
        if let Entry::Vacant(vacant) = self.open.entry(path) {
            let path = vacant.key().clone();
            let relative = path.strip_prefix(&self.pipeline.source.root).unwrap_or(&path).to_path_buf();
            self.ready.push_back(Input { path, relative, stamp });
            vacant.insert(stamp);
        }
    }

    fn settle_ticket(&mut self, ticket: Ticket) {
        let Ticket { inputs, outcome, elapsed } = ticket;
        self.handed -= 1;
        for input in &inputs {
            self.open.remove(&input.path);
        }
        match outcome {
            Outcome::Done(results) => {
                let shown: Vec<String> = inputs.iter().map(|input| show_path(&input.path)).collect();
                let results: Vec<String> = results.iter().map(|p| show_path(p)).collect();
                let (seconds, from, to) = (elapsed.as_secs_f64(), shown.join(" + "), results.join(", "));
                tracing::info!(seconds = format!("{seconds:.2}"), "{from} -> {to}");
                for input in inputs {
                    self.later.remove(&input.path);
                    self.note_done(&input.path, input.stamp);
                }
            }
            Outcome::Failed { error, culprit } => {
                for (index, input) in inputs.into_iter().enumerate().rev() {
                    match culprit {
                        Some(culprit) if culprit != index => self.hand_back(input),
                        _ => self.settle_failure(input, &error),
                    }
                }
            }
            Outcome::Vanished => {
                for input in inputs.into_iter().rev() {
                    self.later.remove(&input.path);
                    match Stamp::of(&input.path) {
                        Ok(stamp) if stamp == input.stamp => self.hand_back(input),
                        Ok(stamp) => self.mark(input.path, Mark::Seen, stamp),
                        Err(_) => tracing::debug!("{} is gone", show_path(&input.path)),
                    }
                }
            }
            Outcome::Dropped => {}
        }
    }

    /// A file of a group that came to nothing by the fault of another: it is the first of the next group.
    fn hand_back(&mut self, input: Input) {
        self.open.insert(input.path.clone(), input.stamp);
        self.ready.push_front(input);
    }

    fn settle_failure(&mut self, input: Input, error: &Error) {
        let Input { path, relative, stamp } = input;
        if !is_inputs_fault(error.kind()) {
            return self.try_later(path, error);
        }
        self.later.remove(&path);
        if Stamp::of(&path).ok() != Some(stamp) {
            // Another file lies there by now, and that one has done nothing wrong.
            return self.note_done(&path, stamp);
        }
        match self.pipeline.sink.quarantine(&path, &relative, error) {
            Ok(kept) => {
                tracing::warn!(
                    kind = error.kind().name(),
                    mend = error.mend_text(),
                    kept = show_path(&kept),
                    "{error}"
                );
                self.note_done(&path, stamp);
            }
            Err(worse) => {
                tracing::error!("{error}; and it cannot be put aside: {worse}");
                self.try_later(path, &worse);
            }
        }
    }

    /// A file that stays in the folder must not be taken again; one that changed while it was worked on must.
    fn note_done(&mut self, path: &Path, stamp: Stamp) {
        match Stamp::of(path) {
            Ok(now) if now == stamp => {
                if let Err(e) = self.journal.note(path, stamp) {
                    tracing::warn!(mend = e.mend_text(), "after a restart this file may be done once more: {e}");
                }
            }
            Ok(now) => self.mark(path.to_path_buf(), Mark::Seen, now),
            Err(_) => {}
        }
    }

    fn try_later(&mut self, path: PathBuf, error: &Error) {
        let tries = self.later.get(&path).map_or(0, |(tries, _)| *tries);
        let wait = BACKOFF.0.saturating_mul(1 << tries.min(6)).min(BACKOFF.1);
        tracing::warn!(mend = error.mend_text(), "{error}; trying again in {} s", wait.as_secs());
        self.later.insert(path, (tries + 1, Instant::now() + wait));
    }
}

/// Whether the input is to blame, so that it goes to quarantine. A model or a folder that is wrong would be wrong for every input: then inputs
/// wait until somebody has mended it.
fn is_inputs_fault(kind: Kind) -> bool {
    matches!(kind, Kind::Input | Kind::NoInput | Kind::Bug)
}
