//! What a feed learns of files: from the system's messages, from looks into the folder, and from their settling.

use std::collections::hash_map::Entry;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::journal::sign_of;
use super::Feed;
use super::outcome::Later;
use crate::durable::Stamp;
use crate::error::show_path;
use crate::pipeline::Input;
use crate::source::{Mark, Watch, has_writer, identity};

/// How often the whole folder is looked at although the system sends messages, since some are lost.
const RESCAN: Duration = Duration::from_secs(30);
/// A new folder is looked at once more after this, for what came between its making and the watch on it.
const SECOND_LOOK: Duration = Duration::from_millis(300);

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
            match std::fs::symlink_metadata(&path) {
                // A link or a pipe is as whole as it will ever be.
                Ok(metadata) if !metadata.is_file() => self.mark(path, Mark::Whole, Stamp::from(&metadata)),
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
    pub(super) fn look_again(&mut self) {
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
        for (path, later) in std::mem::take(&mut self.later) {
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

    pub(super) fn scan(&mut self, folder: &Path, mark: Mark) {
        let pipeline = Arc::clone(&self.pipeline);
        let mut unreadable = Vec::new();
        pipeline.source.scan(folder, &mut |found| self.mark(found.path, mark, found.stamp), &mut |path, e| {
            if e.kind() != std::io::ErrorKind::NotFound {
                unreadable.push((path.to_path_buf(), e));
            }
        });
        // Once, since every scan finds them.
        for (path, e) in unreadable.iter().filter(|(path, _)| !self.unreadable.contains(path)) {
            tracing::warn!("the folder {} cannot be read: {e}", show_path(path));
        }
        if folder == pipeline.source.root {
            self.unreadable.clear();
        }
        self.unreadable.extend(unreadable.into_iter().map(|(path, _)| path));
    }

    pub(super) fn take_ready(&mut self) {
        let mut ready = self.settle.ready(Instant::now(), |path| Stamp::of(path).ok());
        // By name, so that groups do not depend on the order of a map; what the program ended with last, so that the others are safe first.
        ready.sort_by_cached_key(|(path, stamp)| {
            let suspect = !self.interrupted.is_empty() && self.interrupted.contains(&sign_of(path, *stamp));
            (suspect, path.clone())
        });
        for (path, stamp) in ready {
            self.enqueue(path, stamp);
        }
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
