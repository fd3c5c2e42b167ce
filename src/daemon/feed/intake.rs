//! What a feed learns of files: from the system's messages, from looks into the folder, and from their settling.

use std::collections::hash_map::Entry;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::journal::sign_of;
use super::ear::Ear;
use super::outcome::Later;
use super::{Feed, Order};
use crate::durable::{self, Stamp};
use crate::error::show_path;
use crate::pipeline::Input;
use crate::source::{Mark, Watch, has_writer, identity};

/// How often the whole folder is looked at although the system sends messages, since some are lost.
const RESCAN: Duration = Duration::from_secs(30);
/// The same where the system tells of a part of it only.
const RESCAN_UNTOLD: Duration = Duration::from_secs(5);
/// How often a folder that is gone is looked for.
const COME_BACK: Duration = Duration::from_secs(1);
/// A new folder is looked at once more after this, for what came between its making and the watch on it; and not more often than this, however often
/// somebody renames it.
const SECOND_LOOK: Duration = Duration::from_millis(300);
/// How long orders and results may wait for looks into new folders.
const PATIENCE: Duration = Duration::from_millis(100);
/// New folders that wait to be looked at, at most; beyond, everything is looked at.
const MOST_LOOKS: usize = 10_000;

/// A look into a folder that is to come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    /// When.
    pub at: Instant,
    /// Whether another one follows.
    again: bool,
}

/// What to do about folders of which the system does not tell.
const TOO_MANY: &str = "raise the system's limit (`sysctl fs.inotify.max_user_watches=1048576`) and start again, or set `poll: 5s` under `folder:`";

impl Feed {
    /// Marks a path that somebody told of, if it is the source's to take and not done.
    pub(super) fn mark(&mut self, path: PathBuf, mark: Mark, stamp: Stamp) {
        let waiting = self.open.get(&path) == Some(&stamp) || self.later.contains_key(&path);
        if waiting || self.done.contains(&sign_of(&path, stamp)) {
            return;
        }
        self.settle.mark(path, mark, stamp, Instant::now());
    }

    pub(super) fn take_marks(&mut self) {
        let Some(dirty) = self.watch.as_ref().map(Watch::take) else { return };
        for (path, mark) in dirty.files {
            if !self.pipeline.source.accepts(&path) {
                continue;
            }
            match durable::look(&path) {
                // It came in the place of a file, and is told of by itself.
                Ok(metadata) if metadata.is_dir() => self.settle.forget(&path),
                // A link or a pipe is as whole as it will ever be.
                Ok(metadata) if !metadata.is_file() => self.mark(path, Mark::Whole, Stamp::from(&metadata)),
                Ok(metadata) => self.mark(path, mark, Stamp::from(&metadata)),
                Err(_) => self.settle.forget(&path),
            }
        }
        let now = Instant::now();
        for folder in dirty.folders.into_iter().filter(|folder| self.pipeline.source.enters(folder)) {
            self.looks.entry(folder).or_insert(Look { at: now, again: true }).again = true;
        }
        let too_many = self.looks.len() > MOST_LOOKS;
        if too_many {
            self.looks.clear();
        }
        if dirty.rescan || too_many {
            // Not at once where that has taken long just now: others can bring it about as often as they like.
            self.next_scan = self.next_scan.min(self.soonest_scan.max(now));
        }
        if dirty.lost {
            (self.lost, self.next_scan) = (true, now);
        }
        if dirty.full {
            self.note_untold("there are more folders in it than the system lets be watched", TOO_MANY);
        }
    }

    /// Tells, once, that the system does not tell of everything, so that the whole folder is looked at more often.
    pub(super) fn note_untold(&mut self, why: &str, mend: &str) {
        if !std::mem::replace(&mut self.untold, true) {
            let folder = show_path(&self.pipeline.source.root);
            let pipeline = self.pipeline.name.as_str();
            tracing::warn!(pipeline, mend, "the folder {folder} is looked at every few seconds: {why}");
        }
    }

    /// Looks at new folders, at failed files, and at everything when it is time.
    pub(super) fn look_again(&mut self) {
        let now = Instant::now();
        let due = self.looks.iter().filter(|(_, look)| look.at <= now).map(|(folder, _)| folder.clone());
        for folder in due.collect::<Vec<PathBuf>>() {
            // The others are due still when what has come meanwhile is seen to.
            if now.elapsed() > PATIENCE {
                break;
            }
            let Some(look) = self.looks.remove(&folder) else { continue };
            if durable::look(&folder).is_ok_and(|m| m.is_dir()) {
                self.scan(&folder, Mark::Seen);
                if look.again {
                    self.looks.insert(folder, Look { at: Instant::now() + SECOND_LOOK, again: false });
                }
            }
        }
        let mut later: Vec<_> = std::mem::take(&mut self.later).into_iter().collect();
        // By name, as they came: those of a group that failed together are due together.
        later.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        for (path, later) in later {
            match Stamp::of(&path) {
                Ok(stamp) if later.at.is_some_and(|at| at <= now) => {
                    // Kept in the map until it succeeds, without a time, so that the count of tries stays.
                    self.enqueue(path.clone(), stamp);
                    self.later.insert(path, Later { at: None, ..later });
                }
                Ok(_) => drop(self.later.insert(path, later)),
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
    pub(super) fn plan_next_scan(&mut self, cost: Duration) {
        let usual = if self.untold { RESCAN_UNTOLD.max(cost * 50) } else { RESCAN.max(cost * 500) };
        let interval = self.pipeline.source.poll.unwrap_or(usual);
        let now = Instant::now();
        self.next_scan = now + if self.root_gone { interval.min(COME_BACK) } else { interval };
        self.soonest_scan = now + (cost * 20).min(RESCAN);
    }

    /// A folder that was taken away (an unmounted share, say) is watched again when it is back.
    fn watch_root(&mut self) {
        let source = &self.pipeline.source;
        if !source.root.is_dir() {
            if !self.root_gone {
                tracing::warn!("the folder {} is gone; waiting for it to come back", show_path(&source.root));
            }
            self.root_gone = true;
        } else if self.root_gone || self.lost || identity(&source.root) != self.root {
            if source.poll.is_none() {
                match Watch::new(&source.root, source.recursive) {
                    Ok(watch) => self.watch = Some(watch),
                    Err(e) => return tracing::warn!(mend = e.mend_text(), "{e}"),
                }
            }
            (self.root_gone, self.lost, self.root) = (false, false, identity(&source.root));
            self.untold = false;
            tracing::info!("the folder {} is back", show_path(&source.root));
        }
    }

    /// Looks into a folder for as long as it is not told to end.
    pub(super) fn scan(&mut self, folder: &Path, mark: Mark) {
        let pipeline = Arc::clone(&self.pipeline);
        let (mut ear, mut unreadable) = (Ear::new(&self.orders), Vec::new());
        pipeline.source.scan_while(
            folder,
            &mut |found| self.mark(found.path, mark, found.stamp),
            &mut |path, e| {
                if e.kind() != std::io::ErrorKind::NotFound {
                    unreadable.push((path.to_path_buf(), e));
                }
            },
            &mut || !ear.is_called_away(),
        );
        // Once, since every scan finds them.
        for (path, e) in unreadable.iter().filter(|(path, _)| !self.unreadable.contains(path)) {
            tracing::warn!("the folder {} cannot be read: {e}", show_path(path));
        }
        if folder == pipeline.source.root {
            self.unreadable.clear();
        }
        self.unreadable.extend(unreadable.into_iter().map(|(path, _)| path));
        ear.heard().into_iter().for_each(|order| self.heed(order));
    }

    pub(super) fn take_ready(&mut self) {
        let mut ear = Ear::new(&self.orders);
        // Once it is told to end it needs to know of none, and while it is to work off what has arrived, of none that is still to come.
        let draining = self.draining;
        let arrives = |path: &Path| draining && has_writer(path) == Some(true);
        let look = |path: &Path| (!ear.is_called_away() && !arrives(path)).then(|| Stamp::of(path).ok()).flatten();
        let mut ready = self.settle.ready(Instant::now(), look);
        let orders = ear.heard();
        if orders.contains(&Order::Halt) {
            ready.clear();
        }
        // By name, so that groups do not depend on the order of a map; what the program ended with last, so that the others are safe first.
        ready.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        if self.pipeline.sink.has_one_name() {
            // The newest is the one that is to stay.
            ready.sort_by_key(|(_, stamp)| stamp.modified);
        }
        if !self.interrupted.is_empty() {
            ready.sort_by_cached_key(|(path, stamp)| self.interrupted.contains(&sign_of(path, *stamp)));
        }
        for (path, stamp) in ready {
            self.enqueue(path, stamp);
        }
        orders.into_iter().for_each(|order| self.heed(order));
    }

    /// Has those of the next `group` files that somebody has open for writing wait once more, however long it takes; whether there are any. Asked only
    /// now: of 100,000 files that are there at the start it would hold up the first.
    pub(super) fn send_back_busy(&mut self, group: usize) -> bool {
        let next = self.ready.iter().take(group);
        let busy: Vec<PathBuf> =
            next.map(|input| &input.path).filter(|path| has_writer(path) == Some(true)).cloned().collect();
        if busy.is_empty() {
            return false;
        }
        self.ready.retain(|input| !busy.contains(&input.path));
        for path in busy {
            // Its close will be told; where it is not, it is asked for again.
            if let Some(stamp) = self.open.remove(&path) {
                self.settle.mark(path, Mark::Seen, stamp, Instant::now());
            }
        }
        true
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
}
