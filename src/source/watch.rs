//! The system's messages about a folder. Its handler only marks paths in a map and never blocks: a handler that waits for a slow reader
//! loses messages, half of them in a burst of 8,000.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam::channel::{Receiver, Sender, bounded};
use notify::event::{AccessKind, AccessMode, CreateKind, Event, EventKind, Flag, ModifyKind, RemoveKind, RenameMode};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use super::Mark;
use crate::error::{Error, Kind, Result};

/// What happened since the last look.
#[derive(Debug, Default)]
pub struct Dirty {
    /// Files, with the last thing that is known of each.
    pub files: HashMap<PathBuf, Mark>,
    /// Folders that appeared: what was put into them before they were watched sent no message.
    pub folders: Vec<PathBuf>,
    /// Messages were lost: everything has to be looked at.
    pub rescan: bool,
}

/// A watched folder; watching ends when this is dropped.
pub struct Watch {
    _watcher: RecommendedWatcher,
    dirty: Arc<Mutex<Dirty>>,
    wake: Receiver<()>,
}

impl Watch {
    /// Begins to watch.
    ///
    /// # Errors
    /// Kind config: the system's limit of watches is reached, or the folder cannot be watched.
    pub fn new(root: &Path, recursive: bool) -> Result<Watch> {
        let dirty = Arc::new(Mutex::new(Dirty::default()));
        let (waker, wake) = bounded(1);
        let handler = {
            let dirty = Arc::clone(&dirty);
            move |event| note(&dirty, &waker, event)
        };
        let trouble = |e: notify::Error| {
            let mend = match e.kind {
                notify::ErrorKind::MaxFilesWatch => {
                    "raise the system's limit (`sysctl fs.inotify.max_user_watches=524288`), or set `poll: 5s`"
                }
                _ => "set `poll: 5s` under `folder:` to look into the folder at intervals instead",
            };
            Error::new(Kind::Config, "the folder cannot be watched").at(root).because(e).mend(mend)
        };
        // A link to a folder could lead anywhere.
        let config = notify::Config::default().with_follow_symlinks(false);
        let mut watcher = RecommendedWatcher::new(handler, config).map_err(trouble)?;
        let mode = if recursive { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive };
        watcher.watch(root, mode).map_err(trouble)?;
        Ok(Watch { _watcher: watcher, dirty, wake })
    }

    /// Gives a message when something happened since [`Watch::take`].
    pub fn wake(&self) -> &Receiver<()> {
        &self.wake
    }

    /// What happened since the last call.
    pub fn take(&self) -> Dirty {
        std::mem::take(&mut self.dirty.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn note(dirty: &Mutex<Dirty>, waker: &Sender<()>, event: notify::Result<Event>) {
    {
        let mut dirty = dirty.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Err(_) => dirty.rescan = true,
            Ok(event) if event.flag() == Some(Flag::Rescan) => dirty.rescan = true,
            Ok(event) => match event.kind {
                EventKind::Create(CreateKind::Folder) => dirty.folders.extend(event.paths),
                EventKind::Access(AccessKind::Close(AccessMode::Write)) => {
                    dirty.files.extend(event.paths.into_iter().map(|p| (p, Mark::Complete)));
                }
                EventKind::Modify(ModifyKind::Name(mode)) => {
                    // Of a rename within the folder both names come; the old one will be found gone.
                    if mode != RenameMode::From
                        && let Some(path) = event.paths.into_iter().next_back()
                    {
                        if std::fs::symlink_metadata(&path).is_ok_and(|m| m.is_dir()) {
                            dirty.folders.push(path);
                        } else {
                            dirty.files.insert(path, Mark::Complete);
                        }
                    }
                }
                EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Any) => {
                    dirty.files.extend(event.paths.into_iter().map(|p| (p, Mark::Written)));
                }
                // A writer will send more messages; a link, hard or symbolic, is made in one step and sends no other.
                EventKind::Create(_) => dirty.files.extend(event.paths.into_iter().map(|p| (p, Mark::Seen))),
                EventKind::Remove(RemoveKind::Folder) => dirty.rescan = true,
                _ => return,
            },
        }
    }
    // Full means that the reader has a message waiting already.
    let _ = waker.try_send(());
}
